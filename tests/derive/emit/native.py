"""Emitted C as routes that can be measured: compiled by gcc, called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from derive.emit.c import PRELUDE, c_source
from derive.emit.c_exp import Exponential, exponential
from derive.emit.c_log1p import log1p, log1p_of
from derive.emit.formula import Formula
from derive.formulas import formula_of

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="needs gcc")
FAST = ("-O3", "-march=native", "-fopenmp")
LIBRARIES: dict[tuple[str, tuple[str, ...]], ctypes.CDLL] = {}
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


def compiled(formula: Formula, flags: tuple[str, ...] = FAST) -> ctypes.CDLL:
    """The emitted file as a shared library."""
    # Formulas hold dictionaries; those here are told apart by their names.
    if (formula.name, flags) not in LIBRARIES:
        LIBRARIES[formula.name, flags] = _compiled(formula.name, c_source(formula), flags)
    return LIBRARIES[formula.name, flags]


def _compiled(name: str, text: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    folder = Path(mkdtemp(prefix="emitted_c_"))
    source = folder / f"{name}.c"
    source.write_text(text)
    command = [str(GCC), *STRICT, *flags, "-shared", "-fPIC", str(source), "-o", "emitted.so"]
    subprocess.run([*command, "-lm"], cwd=folder, check=True)
    loaded = ctypes.CDLL(str(folder / "emitted.so"))
    shutil.rmtree(folder)
    return loaded


def call(formula: Formula, *arrays: Any, flags: tuple[str, ...] = FAST, **scalars: float) -> Any:
    """The results for arrays ``(*batch, n)``, or grids ``(*batch, n, m)``: one, or a tuple."""
    given = [np.ascontiguousarray(array) for array in arrays]
    shape, dtype = given[0].shape, given[0].dtype
    rank = rank_of(formula)
    batch, sizes = shape[:-rank], shape[-rank:]
    shapes = [batch + tuple(sizes[place] for place in places) for places in outputs_of(formula)]
    results = [np.full(each, 7, dtype) for each in shapes]
    function = getattr(compiled(formula, flags), f"{formula.name}_{dtype}")
    defaults = {**formula.defaults, **scalars}
    values = [
        # A largest order that is not given is the length of the row.
        float(sizes[-1] if defaults[name] is None else defaults[name])
        for name in map(str, formula.arguments[len(given) :])
    ]
    function.restype = None
    function(
        ctypes.c_size_t(int(np.prod(batch))),
        *map(ctypes.c_size_t, sizes),
        *(ctypes.c_void_p(array.ctypes.data) for array in given),
        *map(ctypes.c_double, values),
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


def function_of(kind: Exponential, own: str, flags: tuple[str, ...]) -> Callable[[Any], Any]:
    """A function that files bring along, ``exp`` or ``log1p``, on an array."""
    texts = {"exp": partial(exponential, kind=kind), "log1p": partial(log1p, kind=log1p_of(kind))}
    text = (
        PRELUDE
        + "\n".join(texts[own]("own", linkage="static"))
        + (
            f"\nvoid run(size_t n, const {kind.real} *x, {kind.real} *y)"
            "\n{\n    for (size_t j = 0; j < n; ++j) y[j] = own(x[j]);\n}\n"
        )
    )
    key = (f"{own}_{kind.real}", flags)
    if key not in LIBRARIES:
        LIBRARIES[key] = _compiled(key[0], text, (*flags, "-Wno-unused-function"))

    def run(x: Any) -> Any:
        y = np.empty_like(x)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, y))
        LIBRARIES[key].run(ctypes.c_size_t(x.size), *pointers)
        return y

    return run


class CRoute:
    """The emitted files of a loss."""

    name = "emitted c"

    def __init__(self, loss: str, flags: tuple[str, ...] = FAST) -> None:
        self.loss, self.flags = loss, flags

    def value(self, scores: Any, labels: Any) -> Any:
        """The first of both results."""
        return call(formula_of(self.loss, "value_and_grad"), scores, labels, flags=self.flags)[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        """The second of both results."""
        return call(formula_of(self.loss, "value_and_grad"), scores, labels, flags=self.flags)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """The Hessian times the vector."""
        return call(formula_of(self.loss, "hvp"), scores, labels, vector, flags=self.flags)
