"""The door to the compiled kernels: which arrays they take, and how to do without them.

A loss that has a kernel names it (`Kernel`).  Rows go to it when they are NumPy arrays of LEAST
scores or more and Numba is installed (`pip install "lossproof[fast]"`); all else, and every row
that a kernel has no answer for, is the plain version's.  Both keep the same bounds of error; they
may differ in the last bit.  The bits of a row depend neither on the other rows of its batch that
the kernel takes, nor on the number of threads (LOSSPROOF_THREADS, else all processors at hand).

Numba is imported and the kernel compiled at the first such call, some seconds for each kernel and
dtype; the result is kept in NUMBA_CACHE_DIR, or `__pycache__` beside the kernels (where that cannot
be written, in the user's cache directory).  In later processes the first call takes a second, most
of it the import of Numba.

CuPy arrays of any size, bfloat16 included, go to CUDA kernels in the same way (`pip install
"lossproof[cuda12]"` or `[cuda13]`; `numeric_core.kernels.cuda`), which are compiled at the first
call; those for the losses over a table are for NumPy arrays alone.

`use_kernels(False)`, or LOSSPROOF_KERNELS=0 in the environment, leaves the plain version alone: for
the bits that other array libraries are compared with, for processes too short to load a compiler.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from numeric_core.namespace import Array

__all__ = ["LEAST", "Kernel", "compiled", "compiled_product", "exponential_pair", "in_reach"]
__all__ += ["left_out", "use_kernels", "used"]

LEAST = 1 << 16
"""Scores from which on a kernel is called: the plain version then takes some 0.3 ms, and the call
of a kernel 0.02 ms."""

LARGEST_THRESHOLD = 32.0
"""e^{2 s0} times a sum that the kernel allows for stays in range in float32."""


PRODUCTS = ("zlpr", "soft_zlpr", "softmax", "binary_cross_entropy")
"""Kernels that compute Hessian-vector products as well."""


NARROW = ("focal", "asymmetric")
"""Kernels that compute in float64, for narrower dtypes alone."""


class Kernel(NamedTuple):
    """The kernel of a loss, by its name in `numeric_core.kernels.run`, and its parameters."""

    name: str
    threshold: float = 0.0
    scale: float = 1.0
    margin: float = 0.0
    exponents: tuple[float, float] = (0.0, 0.0)
    weights: tuple[float, float] = (1.0, 1.0)


_use = os.environ.get("LOSSPROOF_KERNELS", "1") != "0"


def use_kernels(choice: bool) -> None:
    """Whether compiled kernels are used, in this process, from now on."""
    global _use
    if not isinstance(choice, bool):
        raise TypeError(f"use_kernels takes True or False, got {choice!r}")
    _use = choice


@contextmanager
def left_out() -> Iterator[None]:
    """Within it, the plain version alone; after it, what was chosen before."""
    global _use
    before, _use = _use, False
    try:
        yield
    finally:
        _use = before


def exponential_pair(x: float, y: float) -> tuple[float, float]:
    """e^{x y} to twice the digits of float64, as a sum of two numbers."""
    with localcontext(prec=50):
        exact = (Decimal(x) * Decimal(y)).exp()
        high = float(exact)
        return high, float(exact - Decimal(high))


def compiled(kernel: Kernel | None, scores: Array, labels: Array, axis: Any) -> Any:
    """The module with the kernel, if that takes these arrays; None if the plain version must.

    It has functions `value` and `value_and_grad` of (kernel, scores, labels, axis, plain).
    """
    if kernel is not None and _library(scores) == _library(labels) == "cupy":
        return _on_device(kernel, scores, labels, axis)
    if kernel is None or type(scores) is not np.ndarray or type(labels) is not np.ndarray:
        return None
    if scores.size < LEAST or not used():
        return None
    if not in_reach(kernel) or not _fits(kernel, scores, labels, axis):
        return None
    from numeric_core.kernels import run  # imports Numba

    return run


def in_reach(kernel: Kernel) -> bool:
    """Whether its parameters are such that NumPy arrays may go to it."""
    return max(abs(kernel.threshold), abs(kernel.scale * kernel.margin)) <= LARGEST_THRESHOLD


def compiled_product(
    kernel: Kernel | None, scores: Array, labels: Array, vector: Array, axis: Any
) -> Any:
    """The module with `hvp`, if it takes these arrays; None if the plain version must."""
    if kernel is None or kernel.name not in PRODUCTS:
        return None
    if _library(vector) == _library(scores) == "cupy":
        return _product_on_device(kernel, scores, labels, vector, axis)
    if type(vector) is not np.ndarray or vector.shape != getattr(scores, "shape", None):
        return None
    if vector.dtype != scores.dtype or type(scores) is not np.ndarray:
        return None
    if compiled(kernel, scores, labels, axis) is None:
        return None
    from numeric_core.kernels import products  # imports Numba

    return products


def _library(x: Array) -> str:
    """The package that its class comes from."""
    return type(x).__module__.partition(".")[0]


def _on_device(kernel: Kernel, scores: Array, labels: Array, axis: Any) -> Any:
    """The module `cuda`, if it takes these arrays of CuPy."""
    from numeric_core.kernels import cuda

    if not _use or kernel.name not in cuda.LOSSES or scores.dtype.name not in cuda.STORED:
        return None
    if scores.size == 0 or scores.device != labels.device or type(axis) is not int:
        return None
    if kernel.name in NARROW and scores.dtype == np.float64:
        return None
    if not in_reach(kernel) or not _same_rows(kernel, scores, labels, axis):
        return None
    return cuda


def _product_on_device(
    kernel: Kernel, scores: Array, labels: Array, vector: Array, axis: Any
) -> Any:
    """The module `cuda.products`, if it takes these arrays of CuPy."""
    if compiled(kernel, scores, labels, axis) is None:
        return None
    from numeric_core.kernels.cuda import plan, products

    same = vector.shape == scores.shape and vector.dtype == scores.dtype
    if not same or vector.device != scores.device or scores.shape[axis] > plan.LONGEST_PRODUCT:
        return None
    return products


def _fits(kernel: Kernel, scores: Array, labels: Array, axis: Any) -> bool:
    """Dtypes that a kernel computes in, or that convert to one without an error."""
    if scores.dtype not in (np.float16, np.float32, np.float64) or type(axis) is not int:
        return False
    if kernel.name in NARROW and scores.dtype == np.float64:
        return False
    return scores.dtype.byteorder != ">" and _same_rows(kernel, scores, labels, axis)


def _same_rows(kernel: Kernel, scores: Array, labels: Array, axis: int) -> bool:
    """Labels, or indices of classes, for the rows of scores."""
    if not -scores.ndim <= axis < scores.ndim:
        return False
    if labels.dtype != scores.dtype and labels.dtype.kind not in "bui":
        return False
    batch = list(scores.shape)
    n = batch.pop(axis)
    by_index = kernel.name == "softmax" and labels.dtype.kind in "ui"
    return labels.shape == scores.shape or (by_index and n > 0 and labels.shape == tuple(batch))


def used() -> bool:
    """Whether large NumPy arrays go to kernels: Numba is installed, and they are not left out."""
    return _use and _installed()


@cache
def _installed() -> bool:
    return find_spec("numba") is not None
