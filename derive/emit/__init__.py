"""From a derived formula to source text: ``emit(formula, target)``.

Every emitted file stands alone: it imports its target library and nothing else, says which claims
it rests on, and is the same text in every run. How to add a target is told in the README beside
this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.emit.array_api import array_api_source, numpy_source
from derive.emit.c import c_source
from derive.emit.cuda import cuda_source
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.jax import jax_source
from derive.emit.latex import latex_source
from derive.emit.mpmath import mpmath_source
from derive.emit.numba import numba_source
from derive.emit.torch import torch_source

TARGETS: dict[str, Callable[[Formula], str]] = {
    "numpy": numpy_source,
    "array-api": array_api_source,
    "torch": torch_source,
    "jax": jax_source,
    "numba": numba_source,
    "c": c_source,
    "cuda": cuda_source,
    "mpmath": mpmath_source,
    "latex": latex_source,
}
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
    return TARGETS[target](formula)


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
