"""What a result depends on: the sources that a module reaches by imports, as one digest.

Imports are read from the syntax trees, those inside functions too, so that nothing is run; only
modules of the project are followed, the libraries are named by their versions.
"""

from __future__ import annotations

import ast
import platform
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["digest_of", "reached_from"]

PACKAGES = ("derive", "numeric_core", "verify")
# The libraries that decide: their versions are part of every digest.
LIBRARIES = ("sympy", "python-flint", "mpmath", "numpy")


@cache
def digest_of(module: str) -> str:
    """The hash of everything that the module reaches, itself included, and of the libraries."""
    digest = sha256(platform.python_version().encode())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for name, path in sorted(reached_from(module).items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


def reached_from(module: str) -> dict[str, Path]:
    """The modules of the project that are imported from this one, by way of others too."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is not None and name not in found:
            found[name] = path
            waiting += _imports(path)
    return found


@cache
def _source(name: str) -> Path | None:
    if name.split(".")[0] not in PACKAGES:
        return None
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None  # `from package.module import name`: the name is no module
    return Path(spec.origin) if spec and spec.origin else None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Every module that is imported by name, and every package that a name is taken from.

    The packages on the way to a module are not: what they import is not what the module uses.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple({name for node in ast.walk(tree) for name in _imported_by(node)})


def _imported_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        modules = [name for name in inner if _source(name)]
        yield from modules
        if len(modules) < len(inner):
            yield node.module
