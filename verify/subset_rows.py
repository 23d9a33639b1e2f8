r"""Rows on which formulas for Z_k = e_k(e^s) are known to break, with the orders asked for.

Each family below is a regime: a model that has learnt its data, ties, orders from 0 to n, any
length and spread, log Z_k near 0, the ends of the range of exp, masked labels, long rows.  Seeds
are fixed by the names and nothing is stored (`verify.patterns`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verify.formats import Format, Vector, format_of
from verify.oracle.distribution import distribution
from verify.patterns import generator

__all__ = ["Case", "cases"]


@dataclass(frozen=True, eq=False)
class Case:
    """A row, the orders that are asked for, and the name under which it is found again."""

    regime: str
    name: str
    scores: Vector
    orders: tuple[int, ...]


def cases(form: Format, *, long: bool = False) -> Iterator[Case]:
    """The regimes, on the grid of the format."""
    for family in (_trained, _ties, _orders, _random, _offset, _extreme, _masked, _long):
        for name, scores, orders in family(form, long):
            values = form.round(np.asarray(scores, dtype=np.float64))
            yield Case(family.__name__.strip("_"), name, values, tuple(orders))


Rows = Iterator[tuple[str, Sequence[float] | Vector, Sequence[int]]]


def _trained(form: Format, long: bool) -> Rows:
    """A few scores 20, 40 or 100 above the rest, fewer or more of them than k."""
    for n in (12, 60, 1000):
        for height in (20.0, 40.0, 100.0):
            rng = generator(form, f"subset-trained-{n}-{height:g}")
            scores = rng.normal(0, 1, n)
            scores[:3] += height
            scores = rng.permutation(scores)
            yield f"three-above-by-{height:g}-n{n}", scores, (1, 2, 3, 4, min(50, n // 2))
            split = np.where(scores > height / 2, scores, -height - np.abs(scores))
            yield f"three-against-all-{height:g}-n{n}", split, (3, 4)


def _ties(form: Format, long: bool) -> Rows:
    """Equal scores: all of them, across the k-th place, far from 0."""
    yield "all-zero", np.zeros(50), (1, 2, 25, 49)
    yield "all-3.7", np.full(12, 3.7), (1, 6, 11)
    yield "tie-at-the-threshold", np.repeat([2.0, 1.0, -1.0], 7), (3, 7, 10, 14, 17)
    yield "two-levels-40-apart", np.repeat([20.0, -20.0], 10), (5, 10, 11, 15)
    yield "two-levels-at-1e4", np.repeat([1e4, -1e4], 4), (2, 4, 6)


def _orders(form: Format, long: bool) -> Rows:
    """k near 0, n/2 and n, for narrow and wide rows."""
    n = 100
    for spread in (0.1, 1.0, 10.0, 100.0):
        rng = generator(form, f"subset-orders-{spread:g}")
        orders = (0, 1, 2, 3, n // 2 - 1, n // 2, n // 2 + 1, n - 2, n - 1, n)
        yield f"spread-{spread:g}-n{n}", rng.normal(0, spread, n), orders
        yield f"spread-{spread:g}-n7", rng.normal(0, spread, 7), range(8)


def _random(form: Format, long: bool) -> Rows:
    """Any length to 200, any order, any spread from 1e-3 to 1e3."""
    for turn in range(200 if long else 40):
        rng = generator(form, f"subset-random-{turn}")
        n = int(rng.integers(2, 200))
        scores = rng.normal(0, 10.0 ** rng.uniform(-3, 3), n)
        yield f"random-{turn}-n{n}", scores, (int(rng.integers(1, n + 1)),)


def _offset(form: Format, long: bool) -> Rows:
    """Rows moved so that log Z_k all but vanishes: its digits are those of a difference."""
    for turn in range(40 if long else 8):
        rng = generator(form, f"subset-offset-{turn}")
        n = int(rng.integers(2, 60))
        k = int(rng.integers(1, n + 1))
        scores = form.round(rng.normal(0, rng.choice([0.1, 1.0, 5.0]), n))
        log_z = float(distribution(scores.tolist(), k, ()).log_partition)
        yield f"near-zero-{turn}-n{n}", scores - log_z / k, (k,)


def _extreme(form: Format, long: bool) -> Rows:
    """Scores to +-1e4 and beyond, at the ends of the range of exp, and subnormal ones."""
    edge = math.log(form.max)
    yield "plus-minus-1e4", [1e4, -1e4, 9.9e3, 0.5, -0.25, -9.9e3], range(1, 7)
    yield "at-1e4", np.linspace(-1, 1, 30) + 1e4, (1, 5, 15, 29)
    yield "at--1e4", np.linspace(-3, 3, 30) - 1e4, (1, 5, 15, 29)
    yield "up-to-1e30", [1e30, 3e29, -1e30, 1.0, 2.0, 2.5], (1, 2, 3, 4, 5)
    yield "ramp-over-the-range", np.linspace(-2 * edge, 2 * edge, 33), (1, 8, 16, 17, 32)
    yield "near-overflow", np.linspace(0.9, 1.1, 9) * edge, (1, 4, 8)
    yield "near-underflow", np.linspace(0.9, 1.1, 9) * -edge, (1, 4, 8)
    least = form.smallest_subnormal
    yield "subnormal", [least, -least, 3 * least, 0.0, -0.0], (1, 2, 4)


def _masked(form: Format, long: bool) -> Rows:
    """Labels at -inf, which no subset has."""
    rng = generator(form, "subset-masked")
    scores = rng.normal(0, 3, 40)
    scores[rng.permutation(40)[:15]] = -np.inf
    yield "fifteen-of-forty", scores, (1, 5, 12, 24, 25)
    yield "all-but-two", [-np.inf, 1.0, -np.inf, 0.5, -np.inf], (1, 2)


def _long(form: Format, long: bool) -> Rows:
    """10^4 labels with k = 10^3, 10^6 labels with k = 4; the scores are on the grid of float32."""
    coarse = format_of("float32")
    for spread in (1.0, 10.0):
        rng = generator(coarse, f"subset-long-{spread:g}")
        yield f"spread-{spread:g}-n1e4", coarse.round(rng.normal(0, spread, 10**4)), (1000,)
    rng = generator(coarse, "subset-longest")
    yield "spread-10-n1e6", coarse.round(rng.normal(0, 10, 10**6)), (4,)
    if long:
        yield "spread-1-n1e6", coarse.round(rng.normal(0, 1, 10**6)), (1, 4)
