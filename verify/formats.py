r"""Binary floating-point formats as data: where their numbers lie and how far apart they are.

A format with p significand bits and exponents emin..emax holds the numbers k 2^(e-p+1) with
|k| < 2^p and emin <= e <= emax.  Its unit in the last place at x is

    ulp(x) = 2^(max(floor(log2 |x|), emin) - p + 1),

which never drops below the smallest subnormal 2^(emin-p+1).  float16, float32 and float64 are the
interchange formats of IEEE 754-2019, table 3.5; bfloat16 is float32 with 8 significand bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMATS", "Format", "Vector", "format_of"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A binary format: its name, significand bits (hidden bit counted) and exponent range."""

    name: str
    bits: int
    emin: int
    emax: int

    @property
    def max(self) -> float:
        """The largest finite number, (2 - 2^(1-p)) 2^emax."""
        return math.ldexp(2.0 - 2.0 ** (1 - self.bits), self.emax)

    @property
    def smallest_normal(self) -> float:
        """2^emin."""
        return math.ldexp(1.0, self.emin)

    @property
    def smallest_subnormal(self) -> float:
        """2^(emin - p + 1), the distance of neighbours around 0."""
        return math.ldexp(1.0, self.emin - self.bits + 1)

    @property
    def epsilon(self) -> float:
        """ulp(1) = 2^(1-p)."""
        return math.ldexp(1.0, 1 - self.bits)

    def ulp_exponent(self, exponent: int) -> int:
        """log2 of the ulp at any x with floor(log2 |x|) = `exponent`."""
        return max(exponent, self.emin) - self.bits + 1

    def round(self, values: Vector) -> Vector:
        """`values` on the grid of this format: nearest, ties to even, overflow to +-inf.

        The result is held in float64, where every number of every format here is exact.
        """
        if self.name == "float64":
            return np.asarray(values, dtype=np.float64)
        exact = np.asarray(values, dtype=np.float64)
        finite = np.where(np.isfinite(exact), exact, 0.0)
        _, exponent = np.frexp(finite)  # |x| = m 2^e with 1/2 <= m < 1, so floor(log2 |x|) = e - 1
        step = np.ldexp(1.0, np.maximum(exponent - 1, self.emin) - self.bits + 1)
        rounded = np.rint(finite / step) * step
        rounded = np.where(np.abs(rounded) > self.max, np.copysign(np.inf, finite), rounded)
        return np.where(np.isfinite(exact), rounded, exact)


FORMATS = {
    form.name: form
    for form in (
        Format("float16", 11, -14, 15),
        Format("bfloat16", 8, -126, 127),
        Format("float32", 24, -126, 127),
        Format("float64", 53, -1022, 1023),
    )
}


def format_of(dtype: str) -> Format:
    """The format named `dtype`; ValueError with the known names otherwise."""
    if dtype not in FORMATS:
        raise ValueError(f"unknown dtype {dtype!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[dtype]
