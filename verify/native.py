"""Emitted kernels as routes: C compiled by gcc and called through ctypes, numba by itself.

What is measured is the file that a user gets, with the flags that its comment names, on the machine
at hand: `value_and_grad` and `hvp` in float32 and float64.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from derive.emit import Formula, compile_formula, emit
from derive.formulas import formula_of

__all__ = ["FAST", "GCC", "STRICT", "KernelRoute", "call", "library", "targets"]

GCC = shutil.which("gcc")
FAST = ("-O3", "-march=native", "-fopenmp")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


def targets(long: bool) -> tuple[str, ...]:
    """What can be compiled here: C where there is gcc, and in the long run numba, which is slow."""
    found = ["c"] * (GCC is not None) + ["numba"] * (long and find_spec("numba") is not None)
    return tuple(found)


def library(name: str, text: str, flags: tuple[str, ...] = FAST) -> ctypes.CDLL:
    """A C11 file as a shared library; ``CalledProcessError`` where gcc objects, to warnings too."""
    with TemporaryDirectory(prefix="emitted_c_") as folder:
        source, target = Path(folder, f"{name}.c"), Path(folder, "emitted.so")
        source.write_text(text, encoding="utf-8")
        command = [str(GCC), *STRICT, *flags, "-shared", "-fPIC", str(source), "-o", str(target)]
        subprocess.run([*command, "-lm"], check=True, capture_output=True)
        return ctypes.CDLL(str(target))


def call(loaded: ctypes.CDLL, formula: Formula, *arrays: Any, **scalars: float) -> Any:
    """The results for arrays ``(*batch, n)``, or grids ``(*batch, n, m)``: one, or a tuple."""
    given = [np.ascontiguousarray(array) for array in arrays]
    shape, dtype, rank = given[0].shape, given[0].dtype, rank_of(formula)
    batch, sizes = shape[:-rank], shape[-rank:]
    shapes = [batch + tuple(sizes[place] for place in places) for places in outputs_of(formula)]
    results = [np.full(each, 7, dtype) for each in shapes]
    values = {**formula.defaults, **scalars}
    names = map(str, formula.arguments[len(given) :])
    function = getattr(loaded, f"{formula.name}_{dtype}")
    function.restype = None
    function(
        ctypes.c_size_t(int(np.prod(batch))),
        *map(ctypes.c_size_t, sizes),
        *(ctypes.c_void_p(array.ctypes.data) for array in given),
        # A largest order that is not given is the length of the row.
        *(ctypes.c_double(sizes[-1] if (x := values[name]) is None else x) for name in names),
        *(ctypes.c_void_p(array.ctypes.data) for array in results),
    )
    return results[0] if len(results) == 1 else tuple(results)


def rank_of(formula: Formula) -> int:
    """How many axes the arrays have: rows have one, grids two."""
    return max(-place for _, place in formula.sizes().values())


def outputs_of(formula: Formula) -> list[list[int]]:
    """For each result, the places of its axes among those of the arrays."""
    sizes = formula.sizes()
    return [[sizes[index.axis][1] for index in each.outputs] for each in formula.results]


def compiled(formula: Formula, target: str) -> Callable[..., Any]:
    """The emitted function, whatever compiles it."""
    if target != "c":
        return compile_formula(formula, target)
    loaded = library(formula.name, emit(formula, "c"))
    return lambda *arrays: call(loaded, formula, *arrays)


class KernelRoute:
    """The emitted kernels of a loss."""

    def __init__(self, loss: str, target: str) -> None:
        self.name = f"emitted {target}"
        self._both = compiled(formula_of(loss, "value_and_grad"), target)
        self._product = compiled(formula_of(loss, "hvp"), target)

    def value(self, scores: Any, labels: Any) -> Any:
        """The first of both results."""
        return self._both(scores, labels)[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        """The second of both results."""
        return self._both(scores, labels)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """The Hessian times the vector."""
        return self._product(scores, labels, vector)
