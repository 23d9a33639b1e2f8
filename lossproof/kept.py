"""The text of one emitted file, found again: what has been proved and written is not done twice.

A file depends on the sources in ``derive``, on SymPy, which it is written with, and on the balls of
python-flint, which its proof rests on. Where none of these has changed the text is that of before;
nothing of them is imported then, which alone would take longer.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from verify.cache import Cache

__all__ = ["kept_text"]

LIBRARIES = ("sympy", "python-flint", "mpmath")


def kept_text(loss: str, quantity: str, target: str, make: Callable[[], str], cache: Cache) -> str:
    """The text of the file, from an earlier run of the same sources or made and kept now.

    What ``make`` raises is raised, and nothing is kept.
    """
    names = f"{loss} {quantity} {target}"
    file = f"emit/{sha256(names.encode()).hexdigest()[:32]}.text"
    key = f"{_digest()} {names}"
    kept = cache.get(file, key)
    if isinstance(kept, str):
        return kept
    text = make()
    cache.put(file, key, text)
    return text


def _digest() -> str:
    """The hash of every file of ``derive``, by its place, and the versions of what it stands on."""
    spec = find_spec("derive")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModuleNotFoundError("no package 'derive': install lossproof anew")
    root = Path(folders[0])
    digest = sha256(platform.python_version().encode())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
