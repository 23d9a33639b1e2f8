"""The logarithm of ``1 + x`` that emitted C and numba bring along: without branches, for vectors.

``1 + x = u + c``, where c is what the addition has rounded away, and ``u = 2^k f`` with f in
``[sqrt(1/2), sqrt 2)``. With ``g = f - 1 + c/2^k`` (exactly x where k = 0) and ``s = g/(2 + g)``::

    log(1 + g) = g - g^2/2 + s (g^2/2 + R),     R = log((1 + s)/(1 - s)) - 2 s  over s = z q(z),

``z = s^2``, and ``log(1 + x) = k log 2 + log(1 + g)`` with the logarithm of 2 in two parts. This is
the reduction of Sun's fdlibm (s_log1p.c); ``q`` interpolates ``2/3 + 2/5 z + 2/7 z^2 + ...`` at the
Chebyshev nodes of ``0 <= z <= ((sqrt 2 - 1)/(sqrt 2 + 1))^2``, and the tests compute it anew. Below
1 ulp everywhere, with and without fused multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from derive.emit.c_exp import DOUBLE, SINGLE, Exponential

__all__ = ["LOG1P_DOUBLE", "LOG1P_SINGLE", "Log1p", "log1p", "log1p_of"]


@dataclass(frozen=True)
class Log1p:
    """The constants of one precision; formats and log 2 are those of its exponential.

    ``bits_up`` is what bits of a number gain on the way from sqrt(1/2) to 1: added to those of u,
    the exponent field holds k + bias. ``q`` has the constant first.
    """

    exponential: Exponential
    bits_up: int
    bits_of_root: int
    q: tuple[str, ...]


# bits_of_root: the bits of sqrt(1/2) in the format, rounded.
LOG1P_SINGLE = Log1p(
    SINGLE, 0x3F800000 - 0x3F3504F3, 0x3F3504F3,
    ("0.66666666554", "0.400001222118", "0.285507786332", "0.233316144718"),
)  # fmt: skip
LOG1P_DOUBLE = Log1p(
    DOUBLE, 0x3FF0000000000000 - 0x3FE6A09E667F3BCD, 0x3FE6A09E667F3BCD,
    (
        "0.66666666666666697077", "0.39999999999898890514", "0.28571428626253837606",
        "0.22222211089379496214", "0.18182892432536871201", "0.15331611722055007885",
        "0.14617807153417324964",
    ),
)  # fmt: skip

TEXT = Template("""\
/* log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away, g by a series. */
$linkage $real $name(const $real x)
{
    const $real u = 1 + x, part = u - 1, c = (1 - (u - part)) + (x - part);
    u$integer bits;
    memcpy(&bits, &u, sizeof bits);
    bits += $bits_up;
    const u$integer raised = bits >> $fraction; /* k + $bias */
    const u$integer f_bits = (bits & $below) + $bits_of_root;
    const u$integer down = ($below_one - raised) << $fraction, whole = raised | $magic_bits;
    $real f, scale, k;
    memcpy(&f, &f_bits, sizeof f);
    memcpy(&scale, &down, sizeof scale);
    memcpy(&k, &whole, sizeof k);
    k -= $magic$f;
    const $real lost = c * ($half$f * scale), g = (f - 1) + lost, low = ((f - 1) - g) + lost;
    const $real s = g / (2 + g), z = s * s, half = $half$f * g * g;
    $real q = $top$f;
$steps
    const $real curve = $fma(s, $fma(z, q, half), low), rest = $fma(k, $log2_low$f, curve);
    const $real result = $fma(k, $log2_high$f, g - (half - rest));
    const $real least = x < -1 ? NAN : -INFINITY;
    return x > -1 ? (x < INFINITY ? result : x) : x <= -1 ? least : x;
}""")


def log1p_of(kind: Exponential) -> Log1p:
    """The constants that go with an exponential."""
    return LOG1P_SINGLE if kind is SINGLE else LOG1P_DOUBLE


def constants(kind: Log1p) -> dict[str, str]:
    """What stands for the names in the texts of C and of numba."""
    exponential = kind.exponential
    fraction = exponential.fraction_bits
    bias = 127 if fraction == 23 else 1023
    return {
        "real": exponential.real,
        "integer": exponential.integer,
        "f": exponential.suffix,
        "bits_up": hex(kind.bits_up),
        "bits_of_root": hex(kind.bits_of_root),
        "below": hex(2**fraction - 1),
        "fraction": str(fraction),
        "bias": str(bias),
        # As the exponent of 2^(1 - k), which no k makes negative.
        "below_one": str(2 * bias + 1),
        # As bits of 2^fraction_bits + k + bias, from which the same is subtracted.
        "magic_bits": hex((fraction + bias) << fraction),
        "magic": f"{2**fraction + bias}.0",
        "half": "0.5",
        "log2_high": exponential.log2_high,
        "log2_low": exponential.log2_low,
        "top": kind.q[-1],
    }


def log1p(name: str, kind: Log1p, linkage: str = "static inline") -> list[str]:
    """The function as C11; ``FMA_<real>`` is to be a multiplication and an addition."""
    real, suffix = kind.exponential.real, kind.exponential.suffix
    steps = (f"    q = FMA_{real}(q, z, {c}{suffix});" for c in reversed(kind.q[:-1]))
    return TEXT.substitute(
        constants(kind), linkage=linkage, name=name, fma=f"FMA_{real}", steps="\n".join(steps)
    ).splitlines()
