"""Emitted C as routes that can be measured: compiled by gcc, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from derive.emit.c import PRELUDE, c_source
from derive.emit.c_exp import Exponential, exponential
from derive.emit.c_log1p import log1p, log1p_of
from derive.emit.formula import Formula
from derive.formulas import formula_of
from verify import native
from verify.native import FAST, GCC, STRICT, library

__all__ = ["FAST", "GCC", "STRICT", "CRoute", "call", "compiled", "function_of", "needs_gcc"]

needs_gcc = pytest.mark.skipif(GCC is None, reason="needs gcc")
LIBRARIES: dict[tuple[str, tuple[str, ...]], ctypes.CDLL] = {}


def compiled(formula: Formula, flags: tuple[str, ...] = FAST) -> ctypes.CDLL:
    """The emitted file as a shared library."""
    # Formulas hold dictionaries; those here are told apart by their names.
    if (formula.name, flags) not in LIBRARIES:
        LIBRARIES[formula.name, flags] = library(formula.name, c_source(formula), flags)
    return LIBRARIES[formula.name, flags]


def call(formula: Formula, *arrays: Any, flags: tuple[str, ...] = FAST, **scalars: float) -> Any:
    """The results of the emitted file: one array, or a tuple of them."""
    return native.call(compiled(formula, flags), formula, *arrays, **scalars)


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
        LIBRARIES[key] = library(key[0], text, (*flags, "-Wno-unused-function"))

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
