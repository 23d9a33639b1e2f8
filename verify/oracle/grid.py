r"""The truth about a grid of n samples x m classes: value, gradient, Hessian-vector product.

Every loss here is a weighted sum of logarithms of exponential sums,

    l = sum_g w_g log(1 + sum_e t_e e^{L_e(s)}),        p_e = t_e e^{L_e(s)} / (1 + sum ...),

with L_e(s) = sum_b c_eb s_ib a linear form in the scores of one sample.  So a loss is nothing but
the list of its groups g, written down as its definition has them, sample by sample and pair of
classes by pair of classes; derivatives are those of any such sum, with d_e = L_e(v):

    dl/ds_ab  = sum_g w_g sum_e c_eb p_e,
    (H v)_ab  = sum_g w_g sum_e c_eb p_e sum_{e'} p_e' (d_e - d_e'),

e' running over the null term too, whose d is 0.  L_e and d_e are exact rational numbers, and only
exponentials and sums are balls.  Each term above is counted under its sign: the error of a
component is relative to the larger of the two sums (to the component itself where all terms have
one sign).  A sum costs O(n m^2), sorted by d: nothing else is shared or rearranged, on purpose.

    grid_truncated   one log a class j:          t_ij e^{s_ik - s_ij} over i, k != j         9158-2
    grid_mirrored    half of those, and half of one log a class k over i, j != k
    grid_pairwise    one log a pair (j, k):      t_ij e^{s_ik - s_ij} over i
    grid_centered    one log a class j:          t_ij e^{mean_k s_ik - s_ij} over i          9158-8

A class of score -inf in a sample takes no part there: it is in no exponential and in no mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flint import arb, fmpq

from verify.oracle.balls import LARGEST_PLAIN_EXPONENT, ZERO, Numbers, Term
from verify.oracle.reference import Reference, settled

__all__ = ["GRIDS", "Grid", "GridOracle", "read_grid"]

Entries = Sequence[Sequence[float]]
Form = tuple[tuple[int, fmpq], ...]
HALF = fmpq(1, 2)


@dataclass(frozen=True)
class Grid:
    """Scores and labels (n, m), the vector; `kept` are the classes above -inf of each sample."""

    scores: Entries
    labels: Entries
    vector: Entries | None
    kept: Sequence[Sequence[int]]
    classes: int

    @property
    def size(self) -> int:
        """n m."""
        return len(self.scores) * self.classes

    def positives(self, j: int) -> Iterator[tuple[int, float]]:
        """The samples with a positive label of class j, and that label."""
        return ((i, row[j]) for i, row in enumerate(self.labels) if row[j] > 0)


class Exponential(NamedTuple):
    """t e^{L}, L a linear form in the scores of one sample, given by class and coefficient."""

    sample: int
    label: float
    form: Form


class Group(NamedTuple):
    """weight * log(1 + the exponentials)."""

    weight: fmpq
    exponentials: list[Exponential]


# --- definitions ----------------------------------------------------------------------------------


def truncated(grid: Grid) -> Iterator[Group]:
    """sum_j log(1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij})."""
    for j in range(grid.classes):
        others = ((i, t, k) for i, t in grid.positives(j) for k in grid.kept[i] if k != j)
        yield Group(fmpq(1), [_difference(i, t, j, k) for i, t, k in others])


def by_other_class(grid: Grid) -> Iterator[Group]:
    """sum_k log(1 + sum_i sum_{j != k} t_ij e^{s_ik - s_ij})."""
    for k in range(grid.classes):
        present = [i for i, kept in enumerate(grid.kept) if k in kept]
        pairs = ((i, j) for i in present for j in grid.kept[i] if j != k and grid.labels[i][j] > 0)
        yield Group(fmpq(1), [_difference(i, grid.labels[i][j], j, k) for i, j in pairs])


def mirrored(grid: Grid) -> Iterator[Group]:
    """Half of the one and half of the other."""
    for group in (*truncated(grid), *by_other_class(grid)):
        yield Group(HALF, group.exponentials)


def pairwise(grid: Grid) -> Iterator[Group]:
    """sum_{j != k} log(1 + sum_i t_ij e^{s_ik - s_ij})."""
    for j in range(grid.classes):
        positives = list(grid.positives(j))
        for k in range(grid.classes):
            if k != j:
                present = ((i, t) for i, t in positives if k in grid.kept[i])
                yield Group(fmpq(1), [_difference(i, t, j, k) for i, t in present])


def centered(grid: Grid) -> Iterator[Group]:
    """sum_j log(1 + sum_i t_ij e^{mean_k s_ik - s_ij})."""
    for j in range(grid.classes):
        yield Group(fmpq(1), [_centered(grid, i, t, j) for i, t in grid.positives(j)])


def _difference(i: int, t: float, j: int, k: int) -> Exponential:
    return Exponential(i, t, ((k, fmpq(1)), (j, fmpq(-1))))


def _centered(grid: Grid, i: int, t: float, j: int) -> Exponential:
    share = fmpq(1, len(grid.kept[i]))
    return Exponential(i, t, tuple((k, share - int(k == j)) for k in grid.kept[i]))


GRIDS: Mapping[str, Callable[[Grid], Iterator[Group]]] = {
    "grid_truncated": truncated,
    "grid_mirrored": mirrored,
    "grid_pairwise": pairwise,
    "grid_centered": centered,
}

# --- evaluation -----------------------------------------------------------------------------------


class GridOracle:
    """The reference for one loss over a grid; lists in its answers are in row-major order.

    >>> oracle = GridOracle("grid_pairwise")
    >>> float(oracle([[20.0, 0.0]], [[1.0, 0.0]]).value)
    2.061153620314381e-09
    """

    def __init__(self, loss: str) -> None:
        if loss not in GRIDS:
            raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(GRIDS)}")
        self.loss = loss

    def __repr__(self) -> str:
        return f"GridOracle({self.loss!r})"

    def __call__(
        self,
        scores: Entries,
        labels: Entries,
        vector: Entries | None = None,
        components: Sequence[int] | None = None,
    ) -> Reference:
        """The grid's numbers; gradient and hvp at `components` = a m + b only (default: all).

        Scores are finite floats or -inf, labels lie in [0, 1] and are 0 at -inf.  ValueError where
        they do not, ArithmeticError if 2^14 bits do not settle a number.
        """
        grid = read_grid(scores, labels, vector)
        asked = range(grid.size) if components is None else components
        groups = list(GRIDS[self.loss](grid))
        return settled(repr(self), lambda: _numbers(grid, groups, asked), asked)


def read_grid(scores: Entries, labels: Entries, vector: Entries | None = None) -> Grid:
    """Check the grid; ValueError says what does not hold."""
    widths = {len(row) for row in scores}
    if len(widths) > 1:
        raise ValueError(f"samples must have one number of classes, got {sorted(widths)}")
    for other in (labels,) if vector is None else (labels, vector):
        if [len(row) for row in other] != [len(row) for row in scores]:
            raise ValueError("scores, labels and vector must have one shape")
    for row, targets in zip(scores, labels, strict=True):
        _check_sample(row, targets)
    if vector is not None and not all(math.isfinite(v) for row in vector for v in row):
        raise ValueError("the vector must be finite")
    kept = [[k for k, s in enumerate(row) if s != -math.inf] for row in scores]
    return Grid(scores, labels, vector, kept, next(iter(widths), 0))


def _check_sample(scores: Sequence[float], labels: Sequence[float]) -> None:
    for s, t in zip(scores, labels, strict=True):
        if not s < math.inf:
            raise ValueError(f"scores must be finite or -inf, got {s}")
        if not 0 <= t <= 1:
            raise ValueError(f"labels must lie in [0, 1], got {t}")
        if s == -math.inf and t > 0:
            raise ValueError(f"a class of score -inf must have label 0, got {t}")


class _Tally:
    """Sums of the positive and of the negative terms of each component asked for."""

    def __init__(self, asked: Sequence[int]) -> None:
        self._asked = asked
        self._up = dict.fromkeys(asked, ZERO)
        self._down = dict.fromkeys(asked, ZERO)

    def wants(self, place: int) -> bool:
        return place in self._up

    def add(self, place: int, size: arb, *, positive: bool) -> None:
        """Count a term of that size, which is not negative."""
        side = self._up if positive else self._down
        side[place] += size

    def terms(self) -> list[Term]:
        return [Term(self._up[place], self._down[place]) for place in self._asked]


def _numbers(grid: Grid, groups: Sequence[Group], asked: Sequence[int]) -> Numbers:
    """The value and the terms of each component at the current precision."""
    scores, vector = _exact(grid.scores), grid.vector and _exact(grid.vector)
    value, gradient, hvp = ZERO, _Tally(asked), _Tally(asked)
    for weight, exponentials in groups:
        arguments = [_apply(e, scores) for e in exponentials]
        shift = _shift(arguments)
        masses = [
            arb(e.label) * arb(x - shift).exp()
            for e, x in zip(exponentials, arguments, strict=True)
        ]
        total = sum(masses, ZERO)
        null = arb(-shift).exp()
        value += arb(weight) * (total.log1p() if shift == 0 else arb(shift) + (null + total).log())
        shares = [mass / (null + total) for mass in masses]
        _add_gradient(gradient, grid.classes, weight, exponentials, shares)
        if vector:
            _add_product(
                hvp, grid.classes, weight, exponentials, shares, null / (null + total), vector
            )
    return Numbers(value, gradient.terms(), hvp.terms() if grid.vector is not None else [])


def _exact(entries: Entries) -> list[list[fmpq]]:
    """The numbers as fractions; 0 stands for -inf, which is in no form."""
    return [
        [fmpq(*x.as_integer_ratio()) if math.isfinite(x) else fmpq(0) for x in map(float, row)]
        for row in entries
    ]


def _apply(e: Exponential, entries: Sequence[Sequence[fmpq]]) -> fmpq:
    """L_e of the entries, exactly."""
    row = entries[e.sample]
    return sum((coefficient * row[b] for b, coefficient in e.form), fmpq(0))


def _shift(arguments: Sequence[fmpq]) -> fmpq:
    """What is factored out of a group: nothing, unless e^L exceeds the exponents that Arb has."""
    largest = max(arguments, default=fmpq(0))
    return largest if largest > int(LARGEST_PLAIN_EXPONENT) else fmpq(0)


def _add_gradient(
    tally: _Tally,
    m: int,
    weight: fmpq,
    exponentials: Sequence[Exponential],
    shares: Sequence[arb],
) -> None:
    """w c_eb p_e."""
    for e, p in zip(exponentials, shares, strict=True):
        for b, c in e.form:
            if c != 0 and tally.wants(e.sample * m + b):
                tally.add(e.sample * m + b, arb(weight * abs(c)) * p, positive=c > 0)


def _add_product(
    tally: _Tally,
    m: int,
    weight: fmpq,
    exponentials: Sequence[Exponential],
    shares: Sequence[arb],
    null: arb,
    vector: Sequence[Sequence[fmpq]],
) -> None:
    """w c_eb p_e p_e' (d_e - d_e'), the null term with d = 0 among the e'."""
    slopes = [_apply(e, vector) for e in exponentials]
    mass = {fmpq(0): null}
    for d, p in zip(slopes, shares, strict=True):
        mass[d] = mass.get(d, ZERO) + p
    below, above = _one_sided(mass)
    for e, d, p in zip(exponentials, slopes, shares, strict=True):
        for b, c in e.form:
            place = e.sample * m + b
            if c == 0 or not tally.wants(place):
                continue
            part = arb(weight * abs(c)) * p
            tally.add(place, part * below[d], positive=c > 0)
            tally.add(place, part * above[d], positive=c < 0)


def _one_sided(mass: Mapping[fmpq, arb]) -> tuple[Mapping[fmpq, arb], Mapping[fmpq, arb]]:
    """For each d: the sum of p' (d - d') over d' < d, and of p' (d' - d) over d' > d.

    From step to step the sum grows by the mass passed so far times the step: nothing is subtracted.
    """
    ordered = sorted(mass)
    return _growing(mass, ordered), _growing(mass, ordered[::-1])


def _growing(mass: Mapping[fmpq, arb], ordered: Sequence[fmpq]) -> Mapping[fmpq, arb]:
    sums, passed, total = {}, ZERO, ZERO
    for before, d in itertools.pairwise(ordered):
        passed += mass[before]
        total += passed * arb(abs(d - before))
        sums[d] = total
    return {**dict.fromkeys(ordered[:1], ZERO), **sums}
