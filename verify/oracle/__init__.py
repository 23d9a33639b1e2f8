r"""The truth about one row of scores: value, gradient and Hessian-vector product, enclosed.

`BallOracle` runs closed formulas over Arb balls (python-flint) and doubles the precision until
every number asked for is known to 2^-80 of the scale by which its error is measured, or is
certainly below 2^-1094, which no format here can tell from 0.  What comes back are balls: the
truth lies in them, and an error of 0.3 ulp is seen as 0.3 since nothing is rounded to a float.

`by_differences` and `by_series` get the same numbers from the definition alone; they judge the
closed formulas on small rows.  Nothing here imports `numeric_core` or `derive`.

The error scale of a number is its own magnitude if it is a single term or all its terms have one
sign, otherwise the largest sum of terms of one sign; the terms are those of
`verify.oracle.closed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from flint import arb, ctx

from verify.oracle.balls import NOTHING, ZERO, Numbers, Term, scale_of
from verify.oracle.closed import CLOSED, Closed
from verify.oracle.closed_lattice import IndexSet, lattice
from verify.oracle.differentiation import (
    AGREEMENT_BITS,
    MAX_BITS,
    NEGLIGIBLE_EXPONENT,
    Derivatives,
    by_differences,
    by_series,
)
from verify.oracle.row import LOSSES, Row, parameters_of, read_row

__all__ = ["AGREEMENT_BITS", "LOSSES", "BallOracle", "Derivatives", "LatticeOracle", "Reference"]
__all__ += ["by_differences", "by_series"]

# The relative radius after a sum of n terms is about n 2^-bits: 128 leaves 28 bits to spare at
# n = 10^6, and two limbs are the cheapest numbers that Arb has.
FIRST_BITS = 128


@dataclass(frozen=True)
class Reference:
    """Enclosures of one row's numbers, and the scale that measures the error of each.

    The lists follow `components`, the places in the row that were asked for.  A value of +inf
    has no derivatives: its lists are empty, as is hvp when no vector was given.
    """

    value: arb
    gradient: list[arb]
    gradient_scale: list[arb]
    hvp: list[arb]
    hvp_scale: list[arb]
    components: Sequence[int]
    bits: int


class BallOracle:
    """The reference for one loss with its parameters fixed.

    >>> oracle = BallOracle("zlpr")
    >>> float(oracle([20.0, -20.0, -20.0], [1.0, 0.0, 0.0]).value)
    6.183460856694788e-09
    """

    def __init__(self, loss: str, **parameters: float) -> None:
        self.loss = loss
        self.parameters: Mapping[str, object] = parameters_of(loss, parameters)
        self._closed: Closed = CLOSED[loss]

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value}" for name, value in self.parameters.items())
        return f"BallOracle({self.loss!r}{arguments})"

    def __call__(
        self,
        scores: Sequence[float],
        labels: Sequence[float],
        vector: Sequence[float] | None = None,
        components: Sequence[int] | None = None,
    ) -> Reference:
        """The row's numbers; gradient and hvp at `components` only (all of them by default).

        Scores are finite floats or -inf, labels lie in [0, 1].  ValueError where they do not,
        ArithmeticError if 2^14 bits do not settle a number.
        """
        row = read_row(self.loss, scores, labels, vector)
        asked = range(row.size) if components is None else components
        if row.infinite:
            return Reference(arb.pos_inf(), [], [], [], [], asked, FIRST_BITS)
        bits = FIRST_BITS
        while bits <= MAX_BITS:
            with ctx.workprec(bits):
                reference = _enclose(self._numbers(row, asked), asked, bits)
            if reference is not None:
                return reference
            bits *= 2
        raise ArithmeticError(f"{self!r} did not settle at {MAX_BITS} bits")

    def hessian(self, scores: Sequence[float], labels: Sequence[float]) -> list[list[arb]]:
        """The dense Hessian, column k being the product with e_k: O(n^2 log n), for small n."""
        n = len(scores)
        units = ([float(i == k) for i in range(n)] for k in range(n))
        return [self(scores, labels, unit).hvp for unit in units]

    def _numbers(self, row: Row, asked: Sequence[int]) -> Numbers:
        """The closed formula on the labels above -inf, 0 on the others."""
        if not row.scores:
            nothing = [NOTHING] * len(asked)
            return Numbers(ZERO, nothing, [] if row.vector is None else nothing)
        closed = partial(self._closed, **self.parameters)
        if len(row.kept) == row.size:
            return closed(row, asked)
        place = {i: k for k, i in enumerate(row.kept)}
        places = [place[i] for i in asked if i in place]
        numbers = closed(row, places)
        return Numbers(
            numbers.value,
            _scatter(numbers.gradient, asked, place),
            _scatter(numbers.hvp, asked, place) if numbers.hvp or not places else [],
        )


class LatticeOracle(BallOracle):
    """The reference for log sum over (a, b) in I of e_a((1-t) e^s) e_b(t e^-s), I a predicate.

    For short rows: the orders (a, b) are all looked at, and |s| stays below 10^18.

    >>> float(LatticeOracle(lambda a, b: a == b)([3.0, 0.0], [1.0, 0.0]).value)
    0.04858735157374206
    """

    def __init__(self, index_set: IndexSet) -> None:
        self.loss = "lattice"
        self.parameters = {"index_set": index_set}
        self._closed = lattice


def _scatter(terms: Iterable[Term], asked: Sequence[int], place: dict[int, int]) -> list[Term]:
    following = iter(terms)
    return [next(following) if i in place else NOTHING for i in asked]


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
