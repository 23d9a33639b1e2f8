"""Numba's Python as text: what every file begins with, the exponential, how scalars are written."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

# As in emitted C: pieces that fill a core for microseconds, blocks of 8 additions to a lane of 8
# doubles, fewer than SMALL entries done before threads have started.
PRELUDE = '''\
import numpy as np
from numba import float32, float64, int32, int64, njit, prange
from numba.extending import intrinsic

PIECE, MOST_PIECES, BLOCK, SMALL, MANY_ROWS = 16384, 128, 64, 32768, 64
# What is written is what is rounded, but for the fused products of the exponential.
EXACT = {"nogil": True, "error_model": "numpy"}
FUSED = {**EXACT, "fastmath": {"contract"}}


@intrinsic
def add_any_order(typing, a, b):
    """a + b, which LLVM may reorder within a loop: so it runs in vectors."""
    return a(a, a), lambda context, builder, signature, args: builder.fadd(*args, flags=["reassoc"])


@njit(**EXACT)
def larger(a, b):
    return b if a < b else a


@njit(**EXACT)
def pieces_of(n):
    """In how many pieces a row is cut: by its length alone."""
    return 1 if n <= PIECE else min(MOST_PIECES, (n + PIECE - 1) // PIECE)


@njit(**EXACT)
def add_exactly(total, low, term):
    """total + term, and low with what this addition rounds away."""
    added = total + term
    part = added - total
    error = (total - (added - part)) + (term - part)
    return added, low + (error if np.isfinite(added) else 0.0)
'''

EXP = Template('''\
@njit(**FUSED)
def exp_$real(exponent):
    """e^x without a branch: x = k log 2 + r, e^r by a polynomial, 2^k by its bits."""
    vanishes = exponent < $real($low)
    above = $real(0) if vanishes else exponent
    x = $real($high) if above > $real($high) else above
    shifted = x * $real(1.44269504088896341) + $real($magic)  # rounds to whole numbers
    k = shifted - $real($magic)
    near = k * $real($minus_high) + x
    r = k * $real($minus_low) + near
    q = $real($top)
$steps
    power = (r * r) * q + r + $real(1)
    bits, origin = np.$real(shifted).view(np.$integer), np.$real($magic).view(np.$integer)
    whole = $integer(bits - origin)
    half = $integer(whole >> 1)
    first = np.$integer($integer(half + $bias) << $fraction).view(np.$real)
    second = np.$integer($integer(whole - half + $bias) << $fraction).view(np.$real)
    result = power * first * second
    return $real(0) if vanishes else result
''')


@dataclass(frozen=True)
class Numba:
    """Python for numba as the writer of scalars needs it."""

    real: str
    name: str = "numba"
    index: str = "j"
    place: str = "(begin + j)"
    length: str = "float64(n)"

    def number(self, value: int, entry: bool) -> str:
        """Of the type of entries: a plain number would make float64 of float32."""
        return f"{self.real}({value})" if entry else f"{value}.0"

    def infinity(self, entry: bool) -> str:
        """Of the type of entries, too."""
        return f"{self.real}(np.inf)" if entry else "np.inf"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """The conditional expression."""
        return f"{yes} if {condition} else {no}"

    def call(self, function: str, arguments: list[str], entry: bool) -> str:
        """The exponential of entries is the file's own."""
        if function == "pow":
            power = " ** ".join(f"({argument})" for argument in arguments)
            return f"{self.real}({power})" if entry else f"({power})"
        own = entry and function == "exp"
        name = f"exp_{self.real}" if own else f"np.{function}"
        return f"{name}({', '.join(arguments)})"

    def larger(self, left: str, right: str, entry: bool) -> str:
        """A function of the file."""
        return f"larger({left}, {right})"

    def is_finite(self, argument: str) -> str:
        """NumPy's."""
        return f"np.isfinite({argument})"

    def rounded(self, argument: str) -> str:
        """Nothing is rounded where entries are float64."""
        return argument if self.real == "float64" else f"float64(float32({argument}))"

    def line(self, name: str, text: str, entry: bool) -> str:
        """An assignment."""
        return f"{name} = {text}"
