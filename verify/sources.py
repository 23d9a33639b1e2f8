"""What a result depends on: the sources that modules reach by imports, as one digest.

Imports are read from the syntax trees, those inside functions too, so that nothing is run; only
modules of the project are followed. The libraries, Python and the processor are named beside them.
"""

from __future__ import annotations

import ast
import platform
from collections.abc import Collection, Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from numeric_core import kernels

__all__ = ["digest_of", "reached_from"]

PACKAGES = ("derive", "numeric_core", "verify")
# The libraries that results depend on. What was measured on PyTorch and JAX is data (a record).
LIBRARIES = ("sympy", "python-flint", "mpmath", "numpy", "array-api-compat")
# Endings of files that modules read figures from.
DATA = (".json", ".tsv", ".txt")


@cache
def digest_of(*modules: str, without: tuple[str, ...] = ()) -> str:
    """The hash of everything that the modules reach, themselves included, and of what runs it."""
    digest = sha256(_surroundings().encode())
    for name, path in sorted(reached_from(*modules, without=without).items()):
        digest.update(name.encode() + path.read_bytes())
        for data in _data_beside(path):
            digest.update(data.name.encode() + data.read_bytes())
    return digest.hexdigest()


def reached_from(*modules: str, without: Collection[str] = ()) -> dict[str, Path]:
    """The modules of the project that are imported from these, by way of others too.

    ``without`` names modules that are not followed, such as a registry of all losses where one of
    them is asked for: what only gathers decides nothing. ValueError where there is no such module.
    """
    missing = [name for name in (*modules, *without) if _source(name) is None]
    if missing:
        raise ValueError(f"no module of {', '.join(PACKAGES)} is {', '.join(missing)}")
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is not None and name not in found and name not in without:
            found[name] = path
            waiting += _imports(path)
    return found


def _data_beside(path: Path) -> list[Path]:
    """The files of a package that are no modules: what its modules may read."""
    return sorted(file for file in path.parent.iterdir() if file.suffix in DATA)


@cache
def _surroundings() -> str:
    """The versions of Python and of the libraries, and the instructions that NumPy makes use of."""
    libraries = (*LIBRARIES, "numba") if kernels.used() else LIBRARIES
    lines = [f"{library} {version(library)}" for library in libraries]
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    machine = f"{platform.system()} {platform.machine()} {simd}"
    return "\n".join([platform.python_version(), machine, *lines])


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
