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
from functools import partial

from flint import arb

from verify.oracle.balls import NOTHING, ZERO, Numbers, Term
from verify.oracle.closed import CLOSED, Closed
from verify.oracle.closed_lattice import IndexSet, lattice
from verify.oracle.differentiation import (
    AGREEMENT_BITS,
    Derivatives,
    by_differences,
    by_series,
)
from verify.oracle.reference import FIRST_BITS, Reference, settled
from verify.oracle.row import LOSSES, Row, parameters_of, read_row

__all__ = ["AGREEMENT_BITS", "LOSSES", "BallOracle", "Derivatives", "LatticeOracle", "Reference"]
__all__ += ["by_differences", "by_series"]


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
        return settled(repr(self), lambda: self._numbers(row, asked), asked)

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
