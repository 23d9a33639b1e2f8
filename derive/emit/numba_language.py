"""Numba's Python as text: what every file begins with, exp and log1p, how scalars are written."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from derive.emit.c_exp import SINGLE, Exponential
from derive.emit.c_language import OWN
from derive.emit.c_log1p import constants, log1p_of
from derive.emit.formula import Formula
from derive.emit.loops import LoopForm
from derive.emit.text import documentation

# As in emitted C: pieces that fill a core for microseconds, blocks of 8 additions to a lane of 8
# doubles, fewer than SMALL entries done before threads have started.
PRELUDE = '''\
import numpy as np
from numba import float32, float64, int32, int64, njit, prange, uint32, uint64
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
    # Rounds to whole numbers, which the last bits hold.
    shifted = x * $real(1.44269504088896341) + $real($magic)
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

LOG1P = Template('''\
@njit(**FUSED)
def log1p_$real(x):
    """log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away."""
    one = $real(1)
    u = one + x
    part = u - one
    c = (one - (u - part)) + (x - part)
    bits = u$integer(np.$real(u).view(np.u$integer) + u$integer($bits_up))
    raised = u$integer(bits >> u$integer($fraction))  # k + $bias
    f_bits = u$integer((bits & u$integer($below)) + u$integer($bits_of_root))
    f = np.u$integer(f_bits).view(np.$real)
    down = u$integer(u$integer(u$integer($below_one) - raised) << u$integer($fraction))
    lost = c * ($real($half) * np.u$integer(down).view(np.$real))
    g = (f - one) + lost
    low = ((f - one) - g) + lost
    whole = u$integer(raised | u$integer($magic_bits))
    k = np.u$integer(whole).view(np.$real) - $real($magic)
    s = g / ($real(2) + g)
    z = s * s
    half = $real($half) * g * g
    q = $real($top)
$steps
    rest = k * $real($log2_low) + (s * (z * q + half) + low)
    result = k * $real($log2_high) + (g - (half - rest))
    least = $real(np.nan) if x < -one else $real(-np.inf)
    inside = result if x < $real(np.inf) else x
    return inside if x > -one else (least if x <= -one else x)
''')

MAIN = Template("""\
def $name($signature):
$documentation
    arrays = [np.ascontiguousarray(array) for array in ($arrays,)]
    dtype, shape = arrays[0].dtype, arrays[0].shape
    dtypes, shapes = [array.dtype for array in arrays], [array.shape for array in arrays]
    if dtype not in (np.float32, np.float64) or any(other != dtype for other in dtypes):
        raise TypeError(f"expected arrays of float32, or of float64, got {dtypes}")
    if $short or any(other != shape for other in shapes):
        raise ValueError(f"expected arrays of one shape (*batch, $sizes), got {shapes}")
    $sizes = $lengths
    rows = int(np.prod(shape[:-$rank], dtype=np.int64))
    flat = [array.reshape(rows, $size) for array in arrays]
$body
    return $returned
""")


def main(
    formula: Formula,
    sizes: tuple[str, ...],
    outputs: dict[str, str],
    run: list[str],
    returned: dict[str, str],
) -> str:
    """The function that is called: checks, arrays for results, and what fills them.

    ``outputs`` are the results with the length of each row of one (nothing for a value),
    ``returned`` with the shape that is given back; ``$given`` in ``run`` are the arguments.
    """
    arrays = [str(array) for array in formula.arrays]
    scalars = [str(a) for a in formula.arguments if a not in formula.arrays]
    given = ", ".join(["*flat", *(f"float(dtype.type({name}))" for name in scalars), *outputs])
    body = formula.limits("shape[{place}]")
    for name, length in outputs.items():
        body.append(f"{name} = np.empty(({f'rows, {length}' if length else 'rows'}), dtype)")
    body += [Template(line).substitute(given=given) for line in run]
    rank = len(sizes)
    notes = (
        f"Shapes: arrays (*batch, {', '.join(sizes)}) of one dtype, float32 or float64. Compiled "
        "at the first call; results do not depend on the number of threads."
    )
    return MAIN.substitute(
        name=formula.name,
        signature=formula.signature(),
        documentation="\n".join(documentation(formula, [notes])),
        arrays=", ".join(arrays),
        short="not shape" if rank == 1 else f"len(shape) < {rank}",
        sizes=", ".join(sizes),
        lengths="shape[-1]" if rank == 1 else f"shape[-{rank}:]",
        rank=rank,
        size=" * ".join(sizes),
        body="\n".join(f"    {line}" for line in body),
        returned=", ".join(f"{name}.reshape({shape})" for name, shape in returned.items()),
    )


def own_functions(form: LoopForm, real: str, kind: Exponential) -> list[str]:
    """The functions of :data:`derive.emit.c_language.OWN` that entries call."""
    called = {op.kind for op in form.ops if op.frame}
    texts = {"exp": lambda: exponential(real, kind), "log1p": lambda: log1p(real, kind)}
    return [texts[name]() for name in OWN if name in called]


def exponential(real: str, kind: Exponential) -> str:
    """exp_float32 or exp_float64, with the constants of the format."""
    steps = (f"    q = q * r + {real}({c})" for c in reversed(kind.q[:-1]))
    return EXP.substitute(
        real=real,
        integer=kind.integer.removesuffix("_t"),
        low=f"{kind.low:.1f}",
        high=f"{kind.high:.1f}",
        magic=f"{3 * 2 ** (kind.fraction_bits - 1)}.0",
        minus_high=f"-{kind.log2_high}",
        minus_low=f"-{kind.log2_low}".removeprefix("--"),
        top=kind.q[-1],
        steps="\n".join(steps),
        bias=127 if kind is SINGLE else 1023,
        fraction=kind.fraction_bits,
    )


def log1p(real: str, kind: Exponential) -> str:
    """log1p_float32 or log1p_float64, with the constants of the format."""
    found = log1p_of(kind)
    steps = "\n".join(f"    q = q * z + {real}({c})" for c in reversed(found.q[:-1]))
    values = constants(found)
    own = {"real": real, "integer": values["integer"].removesuffix("_t"), "steps": steps}
    return LOG1P.substitute({**values, **own})


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
        """Exponentials of entries, and logarithms of 1 + x, are the file's own."""
        if function == "pow":
            power = " ** ".join(f"({argument})" for argument in arguments)
            return f"{self.real}({power})" if entry else f"({power})"
        own = entry and function in OWN
        name = f"{function}_{self.real}" if own else f"np.{function}"
        return f"{name}({', '.join(arguments)})"

    def larger(self, left: str, right: str, entry: bool) -> str:
        """A function of the file."""
        return f"larger({left}, {right})"

    def is_finite(self, argument: str) -> str:
        """NumPy's."""
        return f"np.isfinite({argument})"

    def counted(self, length: str) -> str:
        """A length as a number."""
        return f"float64({length})"

    def entry(self, source: str) -> str:
        """An entry of an array in double."""
        return f"float64({source})"

    def rounded(self, argument: str) -> str:
        """Nothing is rounded where entries are float64."""
        return argument if self.real == "float64" else f"float64(float32({argument}))"

    def line(self, name: str, text: str, entry: bool) -> str:
        """An assignment."""
        return f"{name} = {text}"
