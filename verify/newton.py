r"""Where Newton's recursion ends: its error over spread x k, certified.

One row of normal scores, times a spread, for each spread and each order k: the error of log Z_k
relative to the truth by the recursion of document 002, k Z_k = sum (-1)^{m-1} Z_{k-m} S_m, and by
the stable method.  Where the ball of the error lies above a threshold the failure is certified:
it is a fact about float64 and not an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flint import arb, ctx

from numeric_core import subset
from verify.accuracy import WORKING_BITS, relative_errors
from verify.formats import format_of
from verify.oracle.distribution import log_partitions
from verify.patterns import generator

__all__ = ["NewtonMap", "newton_map"]

MAP_LABELS = 64
MAP_ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# A quarter of a decade apart, from scores that are almost ties to a gap of some 100.
MAP_SPREADS = tuple(10.0 ** (step / 4) for step in range(-8, 8))
# Beyond the contract; half of the digits; no digit at all.
MAP_THRESHOLDS = (1e-14, 1e-8, 1.0)


@dataclass(frozen=True)
class NewtonMap:
    """Relative errors of log Z_k over spread x k for n labels; inf where there is no number.

    certified: for each threshold, whether the error is above it for sure.
    """

    n: int
    spreads: tuple[float, ...]
    orders: tuple[int, ...]
    newton: tuple[tuple[float, ...], ...]
    stable: tuple[tuple[float, ...], ...]
    certified: Mapping[float, tuple[tuple[bool, ...], ...]]

    def failing(self, threshold: float) -> list[tuple[float, int]]:
        """The (spread, k) at which the recursion is off by more than that, for certain."""
        lines = zip(self.spreads, self.certified[threshold], strict=True)
        return [
            (s, k) for s, line in lines for k, off in zip(self.orders, line, strict=True) if off
        ]


def newton_map(
    n: int = MAP_LABELS,
    spreads: Sequence[float] = MAP_SPREADS,
    orders: Sequence[int] = MAP_ORDERS,
) -> NewtonMap:
    """The error of log Z_k by the recursion and by the stable method: normal scores times spread.

    Raises ValueError (by the oracle) where an order exceeds n.
    """
    form = format_of("float64")
    shape = generator(form, f"newton-map-{n}").normal(0, 1, n)
    lines: dict[str, list[tuple[float, ...]]] = {"newton": [], "stable": []}
    certified: dict[float, list[tuple[bool, ...]]] = {level: [] for level in MAP_THRESHOLDS}
    for spread in spreads:
        scores = shape * spread
        truth = log_partitions(scores.tolist(), max(orders))
        true = [truth[k] for k in orders]
        for method, line in lines.items():
            got = [float(subset.log_partition(scores, k, method=method)) for k in orders]
            line.append(tuple(relative_errors(got, true, "float64")))
            if method == "newton":
                for level, marks in certified.items():
                    marks.append(tuple(_off(*pair, level) for pair in zip(got, true, strict=True)))
    return NewtonMap(
        n=n,
        spreads=tuple(spreads),
        orders=tuple(orders),
        newton=tuple(lines["newton"]),
        stable=tuple(lines["stable"]),
        certified={level: tuple(marks) for level, marks in certified.items()},
    )


def _off(got: float, truth: arb, level: float) -> bool:
    """Is got certainly off by more than `level` times the truth?  Not a number is off."""
    if not math.isfinite(got):
        return True
    with ctx.workprec(WORKING_BITS):
        return bool(abs(arb(got) - truth) > arb(level) * abs(truth))
