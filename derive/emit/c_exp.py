"""The exponential that emitted C brings along: without branches, so that loops run in vectors.

``x = k log 2 + r`` with whole ``k`` and ``|r| <= log(2)/2`` (Cody and Waite, the logarithm in two
parts), ``e^r = 1 + r + r^2 q(r)``, and ``2^k`` by the exponent bits, in two factors, so that the
results below the smallest normal number are rounded once. ``q`` interpolates
``(e^r - 1 - r)/r^2`` at the Chebyshev nodes of the interval; the tests compute it anew. Below
0.8 ulp with fused multiply-adds, below 1 ulp without.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True)
class Exponential:
    """The constants of one precision.

    Outside ``low .. high`` the exponential rounds to 0 or to infinity. ``log2_high`` has so few
    bits that ``k log2_high`` is exact, ``log2_low`` is the rest of log 2. ``q`` has the constant
    first.
    """

    real: str
    integer: str
    suffix: str
    fraction_bits: int
    low: float
    high: float
    log2_high: str
    log2_low: str
    q: tuple[str, ...]


# e^low is below half of the smallest subnormal number, e^high above the largest number.
SINGLE = Exponential(
    "float", "int32_t", "f", 23, -104, 89, "0.693359375", "-2.12194440054690583e-4",
    (
        "0.5", "0.16666576845993976", "0.041666554437685939", "8.3632029715758550e-3",
        "1.3926213466332443e-3",
    ),
)  # fmt: skip
DOUBLE = Exponential(
    "double", "int64_t", "", 52, -746, 710, "0.693147180369123816490", "1.90821492927058770002e-10",
    (
        "0.50000000000000010262", "0.16666666666666667456", "0.041666666666623991516",
        "8.3333333333300513464e-3", "1.3888888917281793308e-3", "1.9841269863105968749e-4",
        "2.4801521190217727651e-5", "2.7557268378684192873e-6", "2.7620138719973995569e-7",
        "2.5100424157005066788e-8",
    ),
)  # fmt: skip

TEXT = Template("""\
/* e^x without a branch: x = k log 2 + r, e^r by a polynomial, 2^k by its bits, in two factors. */
$linkage $real $name(const $real exponent)
{
    const $real shift = ${magic}$f; /* rounds to whole numbers, kept in the last bits */
    const int vanishes = exponent < $low$f; /* chosen below: products that underflow are slow */
    const $real above = vanishes ? 0 : exponent;
    const $real x = above > $high$f ? $high$f : above;
    const $real shifted = $fma(x, 1.44269504088896341$f, shift);
    const $real k = shifted - shift;
    const $real near = $fma(k, $minus_high$f, x);
    const $real r = $fma(k, $minus_low$f, near);
    $real q = $top$f;
$steps
    const $real power = $fma(r * r, q, r) + 1.0$f;
    $integer bits, origin;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&origin, &shift, sizeof origin);
    const $integer whole = bits - origin, half = whole >> 1;
    const u$integer first = (u$integer)(half + $bias) << $fraction;
    const u$integer second = (u$integer)(whole - half + $bias) << $fraction;
    $real scale, rest;
    memcpy(&scale, &first, sizeof scale);
    memcpy(&rest, &second, sizeof rest);
    const $real result = power * scale * rest;
    return vanishes ? 0 : result;
}""")


def exponential(name: str, kind: Exponential, linkage: str = "static inline") -> list[str]:
    """The function as C11; ``FMA_<real>`` is to be a multiplication and an addition."""
    fma = f"FMA_{kind.real}"
    steps = (f"    q = {fma}(q, r, {c}{kind.suffix});" for c in reversed(kind.q[:-1]))
    text = TEXT.substitute(
        linkage=linkage,
        name=name,
        real=kind.real,
        integer=kind.integer,
        f=kind.suffix,
        fma=fma,
        magic=f"{3 * 2 ** (kind.fraction_bits - 1)}.0",
        low=f"{kind.low:.1f}",
        high=f"{kind.high:.1f}",
        minus_low=_negative(kind.log2_low),
        minus_high=_negative(kind.log2_high),
        top=kind.q[-1],
        steps="\n".join(steps),
        bias=127 if kind.fraction_bits == 23 else 1023,
        fraction=kind.fraction_bits,
    )
    return text.splitlines()


def _negative(number: str) -> str:
    return number[1:] if number.startswith("-") else f"-{number}"
