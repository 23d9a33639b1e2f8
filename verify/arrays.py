"""How a row of exact numbers becomes an array of a route's library, and comes back.

A route computes on arrays of its own library; the samples are numbers of a dtype held in float64.
`make` puts them into that dtype, `floats` reads a result back: both are exact.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import mpmath
import numpy as np

from verify.formats import Vector

__all__ = ["Arrays", "JaxArrays", "MpfArrays", "NumpyArrays", "TorchArrays"]

# The smallest normal float64, and the exponent of the smallest subnormal one.
SMALLEST_NORMAL = math.ldexp(1.0, -1022)
LEAST_EXPONENT = -1074


class Arrays(Protocol):
    """A library's arrays: the dtypes it has, and the way in and out.

    flushes: the library sets subnormal results to 0, so that nothing is exact to more than the
    smallest normal number.
    """

    name: str
    dtypes: frozenset[str]
    flushes: bool

    def make(self, values: Vector, dtype: str) -> Any:
        """An array of `dtype` that holds exactly these numbers, of the same shape."""

    def floats(self, array: Any) -> list[float]:
        """All elements in row-major order."""


class NumpyArrays:
    """NumPy: float16, float32, float64."""

    name = "numpy"
    flushes = False
    dtypes = frozenset({"float16", "float32", "float64"})

    def make(self, values: Vector, dtype: str) -> Any:
        """`values` as an array of `dtype`."""
        return values.astype(dtype)

    def floats(self, array: Any) -> list[float]:
        """All elements as floats."""
        return _flat(np.asarray(array, dtype=np.float64))


class TorchArrays:
    """PyTorch on the CPU; all four dtypes."""

    name = "torch"
    flushes = False
    dtypes = frozenset({"float16", "bfloat16", "float32", "float64"})

    def __init__(self) -> None:
        import torch

        self._torch = torch

    def make(self, values: Vector, dtype: str) -> Any:
        """`values` as a tensor of `dtype`."""
        return self._torch.from_numpy(np.array(values)).to(getattr(self._torch, dtype))

    def floats(self, array: Any) -> list[float]:
        """All elements as floats."""
        return _flat(array.detach().to(self._torch.float64).numpy())


class JaxArrays:
    """JAX; float64 only where `jax_enable_x64` is set."""

    name = "jax"
    flushes = True

    def __init__(self) -> None:
        import jax

        self._jax = jax
        widest = str(jax.numpy.asarray(0.0).dtype)  # float64 with jax_enable_x64, else float32
        self.dtypes = frozenset({"float16", "bfloat16", "float32", widest})

    def make(self, values: Vector, dtype: str) -> Any:
        """`values` as an array of `dtype`, converted before JAX sees it: XLA flushes subnormals."""
        return self._jax.numpy.asarray(np.asarray(values).astype(self._jax.numpy.dtype(dtype)))

    def floats(self, array: Any) -> list[float]:
        """All elements as floats."""
        return _flat(np.asarray(array).astype(np.float64))


class MpfArrays:
    """Lists of mpmath numbers, for emitted mpmath code: one row or grid, nothing is rounded."""

    name = "mpmath"
    flushes = False
    dtypes = frozenset({"float16", "bfloat16", "float32", "float64"})

    def make(self, values: Vector, dtype: str) -> Any:
        """Lists of mpf, nested as the axes are; the dtype only says which numbers they can be."""
        if values.ndim > 1:
            return [self.make(part, dtype) for part in values]
        return [mpmath.mpf(x) for x in values.tolist()]

    def floats(self, array: Any) -> list[float]:
        """One number or a sequence of numbers or of sequences, rounded to float64."""
        if hasattr(array, "__len__"):
            return [x for part in array for x in self.floats(part)]
        return [_nearest(array)]


def _nearest(x: Any) -> float:
    """The float64 next to an mpf; `float` rounds a subnormal twice, first to 53 bits."""
    if abs(x) >= SMALLEST_NORMAL or not mpmath.isfinite(x):
        return float(x)
    return math.ldexp(int(mpmath.nint(mpmath.ldexp(x, -LEAST_EXPONENT))), LEAST_EXPONENT)


def _flat(values: Vector) -> list[float]:
    flat: list[float] = values.ravel().tolist()
    return flat
