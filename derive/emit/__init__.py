"""From a derived formula to source text: ``emit(formula, target)``.

Every emitted file stands alone: it imports its target library and nothing else, says which claims
it rests on, and is the same text in every run. How to add a target is told in the README beside
this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.emit.formula import Formula, UnsupportedNode

TARGETS = ("numpy", "array-api", "torch", "jax", "numba", "c", "cuda", "mpmath", "latex")
# Loops over rows or grids of scores: no arrays of other shapes, such as a matrix of weights.
OVER_ROWS = ("numba", "c", "cuda")
# LaTeX is read, not run; C and CUDA are compiled first.
CALLABLE = tuple(target for target in TARGETS if target not in ("latex", "c", "cuda"))

# The endings of files that are not Python.
ENDINGS = {"latex": "tex", "c": "c", "cuda": "cu"}


def file_name(formula: Formula, target: str) -> str:
    """``torch/soft_zlpr_value_and_grad.py``: where a file belongs among those of all targets."""
    return f"{target}/{formula.name}.{ENDINGS.get(target, 'py')}"


def emit(formula: Formula, target: str = "numpy") -> str:
    """The formula as a standalone source file of the target.

    Raises ``ValueError`` for a target that is not in ``TARGETS`` and :class:`UnsupportedNode` for
    a node that the target has no text for.
    """
    if target not in TARGETS:
        raise ValueError(f"there is no target {target!r}: choose one of {', '.join(TARGETS)}")
    return _printer(target)(formula)


def _printer(target: str) -> Callable[[Formula], str]:
    """What writes the text; the printers of other targets are not imported for it."""
    match target:
        case "numpy":
            from derive.emit.array_api import numpy_source as printer
        case "array-api":
            from derive.emit.array_api import array_api_source as printer
        case "torch":
            from derive.emit.torch import torch_source as printer
        case "jax":
            from derive.emit.jax import jax_source as printer
        case "numba":
            from derive.emit.numba import numba_source as printer
        case "c":
            from derive.emit.c import c_source as printer
        case "cuda":
            from derive.emit.cuda import cuda_source as printer
        case "mpmath":
            from derive.emit.mpmath import mpmath_source as printer
        case _:
            from derive.emit.latex import latex_source as printer
    return printer


def compile_formula(formula: Formula, target: str = "numpy") -> Callable[..., Any]:
    """The function that the emitted file defines, made from the same text in memory."""
    if target not in CALLABLE:
        raise ValueError(f"{target!r} cannot be called: choose one of {', '.join(CALLABLE)}")
    source = emit(formula, target)
    namespace: dict[str, Any] = {"__name__": f"emitted_{formula.name}"}
    exec(compile(source, f"<emitted {formula.name} for {target}>", "exec"), namespace)
    function: Callable[..., Any] = namespace[formula.name]
    return function


__all__ = [
    "CALLABLE",
    "OVER_ROWS",
    "TARGETS",
    "Formula",
    "UnsupportedNode",
    "compile_formula",
    "emit",
    "file_name",
]
