"""One piece of work at a time in a process, whichever thread it is in.

The precision of mpmath, that of python-flint and the filters of warnings are numbers of the whole
process: of two threads that set them, each would compute with what the other had set. The parser
of CPython counts how deep it is for the whole interpreter too: two threads in `ast.parse` can end
in "SystemError: AST constructor recursion depth mismatch" (python/cpython#106905).
"""

from __future__ import annotations

from threading import RLock

__all__ = ["one_at_a_time"]

one_at_a_time = RLock()
"""A context; a thread that is in it may enter it again."""
