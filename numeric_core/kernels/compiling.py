"""How kernels are compiled: what Python calls, and the parts that are inlined into it.

Division by zero is inf and never an exception, so that loops have no branch; nothing may be
reordered or fused (no fastmath); the interpreter's lock is released.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

__all__ = ["COMPILED", "INLINE"]

INLINE = njit(forceinline=True, error_model="numpy")
"""A part of kernels."""

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
_STAMP = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in _SOURCES)


def COMPILED(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls, kept on disk until one of the files of this folder changes.

    Numba itself looks at the file of the kernel alone, not at the parts that it inlines.
    """
    kernel = njit(cache=True, nogil=True, error_model="numpy")(function)
    kernel._cache._cache_file._source_stamp = _STAMP
    return kernel
