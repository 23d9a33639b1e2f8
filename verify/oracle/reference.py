r"""Enclosures beside the scale of their error, at the least precision that settles them.

A formula over balls is evaluated with the precision doubled until every number asked for is known
to 2^-80 of the scale by which its error is measured, or is certainly below 2^-1094, which no format
here can tell from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import arb, ctx

from verify.oracle.balls import Numbers, Term, scale_of
from verify.oracle.differentiation import AGREEMENT_BITS, MAX_BITS, NEGLIGIBLE_EXPONENT

__all__ = ["FIRST_BITS", "Reference", "settled"]

# The relative radius after a sum of n terms is about n 2^-bits: 128 leaves 28 bits to spare at
# n = 10^6, and two limbs are the cheapest numbers that Arb has.
FIRST_BITS = 128


@dataclass(frozen=True)
class Reference:
    """Enclosures of one input's numbers, and the scale that measures the error of each.

    The lists follow `components`, the places that were asked for (of a grid, in row-major order).
    A value of +inf has no derivatives: its lists are empty, as is hvp when no vector was given.
    """

    value: arb
    gradient: list[arb]
    gradient_scale: list[arb]
    hvp: list[arb]
    hvp_scale: list[arb]
    components: Sequence[int]
    bits: int


def settled(name: str, numbers: Callable[[], Numbers], asked: Sequence[int]) -> Reference:
    """`numbers()` at 128 bits, 256, ... until it is known; ArithmeticError beyond 2^14 bits."""
    bits = FIRST_BITS
    while bits <= MAX_BITS:
        with ctx.workprec(bits):
            reference = _enclose(numbers(), asked, bits)
        if reference is not None:
            return reference
        bits *= 2
    raise ArithmeticError(f"{name} did not settle at {MAX_BITS} bits")


def _enclose(numbers: Numbers, asked: Sequence[int], bits: int) -> Reference | None:
    """The reference, or None if some number is not known well enough at this precision."""
    gradient, gradient_scale = _measured(numbers.gradient)
    hvp, hvp_scale = _measured(numbers.hvp)
    known = (
        _known(numbers.value, abs(numbers.value))
        and all(map(_known, gradient, gradient_scale))
        and all(map(_known, hvp, hvp_scale))
    )
    if not known:
        return None
    return Reference(numbers.value, gradient, gradient_scale, hvp, hvp_scale, asked, bits)


def _measured(terms: Sequence[Term]) -> tuple[list[arb], list[arb]]:
    values = [term.value for term in terms]
    return values, [scale_of(term, value) for term, value in zip(terms, values, strict=True)]


def _known(value: arb, scale: arb) -> bool:
    """Is the radius below 2^-80 of the scale, or below 2^-1094, of which no float knows?"""
    if value.rel_accuracy_bits() >= AGREEMENT_BITS:
        return True
    if not value.is_finite() or not scale.is_finite():
        return False
    allowed = (scale * arb((1, -AGREEMENT_BITS))).max(arb((1, NEGLIGIBLE_EXPONENT)))
    return bool(value.rad() <= allowed.abs_lower())
