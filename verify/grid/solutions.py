r"""What scores say of labels at the optimum of loss 1: two examples, each enclosed in balls.

The truncated loss is least at scores s for labels t iff

    t_ij = D_j e^{2 s_ij} / sum_k D_k e^{2 s_ik},
    D_j  = 1 + sum_i t_ij sum_{k != j} e^{s_ik - s_ij},

so that labels need the class constants D beside the scores (document 9158, eq. 2 and 3).

1. *The same scores, other labels.*  At given scores the right side is a map of D, whose fixed
   points are the zeros of h_j = 1 - 1/D_j - sum_i B_ij / sum_k A_ik D_k, with A_ij = e^{2 s_ij} and
   B_ij = e^{s_ij} sum_{k != j} e^{s_ik}.  Three of them are enclosed at 34 samples of 3 classes.
2. *The largest score, another label.*  At given labels there is one y > 0 with y_j (K y)_j = 1,
   K = I + offdiag(sum_i sqrt(t_ij t_ik)), and s_ij = log(t_ij) / 2 + log y_j + const_i.  With 2
   samples of 3 classes the largest score of either sample is not at its largest label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from flint import arb, ctx, fmpq

from verify.grid.krawczyk import BITS, Balls, only_zero_near

__all__ = ["FLIP", "SHARED", "Flip", "SharedScores", "Solution", "SolutionReport"]
__all__ += ["check_solutions"]

Fractions = tuple[tuple[fmpq, ...], ...]


@dataclass(frozen=True)
class Solution:
    """The class constants D (m) at which given scores are optimal, and the labels (n, m)."""

    constants: Balls
    labels: list[Balls]


@dataclass(frozen=True)
class SharedScores:
    """Scores of a few kinds of samples (kinds, m), how many there are of each, and the starts."""

    scores: Fractions
    counts: tuple[int, ...]
    starts: tuple[tuple[float, ...], ...]

    @property
    def solutions(self) -> list[Solution]:
        """One for each start; ArithmeticError where one is not proved."""
        return [self._solution(start) for start in self.starts]

    def _solution(self, start: Sequence[float]) -> Solution:
        with ctx.workprec(BITS):
            constants = only_zero_near(partial(_defect, self), partial(_slope, self), start)
            return Solution(constants, [_labels(row, constants) for row in self.scores])

    @property
    def distinct(self) -> int:
        """How many of the solutions differ from all others, by boxes that do not meet."""
        found = [solution.constants for solution in self.solutions]
        pairs = [{a, b} for a, b in combinations(range(len(found)), 2) if _meet(found[a], found[b])]
        return sum(not any(at in pair for pair in pairs) for at in range(len(found)))


def _meet(first: Balls, second: Balls) -> bool:
    return all(a.overlaps(b) for a, b in zip(first, second, strict=True))


def _weights(row: Sequence[fmpq]) -> tuple[Balls, Balls]:
    """A and B of one sample."""
    powers = [arb(s).exp() for s in row]
    total = sum(powers, arb(0))
    return [e * e for e in powers], [e * (total - e) for e in powers]


def _labels(row: Sequence[fmpq], constants: Balls) -> Balls:
    """D_j e^{2 s_j} / sum_k D_k e^{2 s_k}."""
    own, _ = _weights(row)
    products = [a * d for a, d in zip(own, constants, strict=True)]
    return [x / sum(products, arb(0)) for x in products]


def _defect(example: SharedScores, constants: Balls) -> Balls:
    """1 - 1/D_j - sum_i B_ij / sum_k A_ik D_k."""
    result = [1 - 1 / d for d in constants]
    for row, count in zip(example.scores, example.counts, strict=True):
        own, cross = _weights(row)
        mass = sum((a * d for a, d in zip(own, constants, strict=True)), arb(0))
        result = [h - count * b / mass for h, b in zip(result, cross, strict=True)]
    return result


def _slope(example: SharedScores, constants: Balls) -> list[Balls]:
    """[j = l] / D_j^2 + sum_i B_ij A_il / (sum_k A_ik D_k)^2."""
    m = len(constants)
    result = [[arb(j == k) / constants[j] ** 2 for k in range(m)] for j in range(m)]
    for row, count in zip(example.scores, example.counts, strict=True):
        own, cross = _weights(row)
        mass = sum((a * d for a, d in zip(own, constants, strict=True)), arb(0))
        for j in range(m):
            for k in range(m):
                result[j][k] += count * cross[j] * own[k] / mass**2
    return result


@dataclass(frozen=True)
class Flip:
    """Positive labels (n, m), and a start for y."""

    labels: Fractions
    start: tuple[float, ...]

    @property
    def balance(self) -> Balls:
        """The y > 0 with y_j (K y)_j = 1; the class constants are D_j = 1 / y_j^2."""
        with ctx.workprec(BITS):
            matrix = _gram(self.labels)
            return only_zero_near(partial(_unbalance, matrix), partial(_tilt, matrix), self.start)

    @property
    def scores(self) -> list[Balls]:
        """log(t_ij) / 2 + log y_j: the minimiser, up to one number a sample."""
        y = self.balance
        with ctx.workprec(BITS):
            return [
                [arb(t).log() / 2 + x.log() for t, x in zip(row, y, strict=True)]
                for row in self.labels
            ]

    @property
    def flipped(self) -> int:
        """The samples whose largest score is not at the largest label, both certainly alone."""
        labels = [[arb(t) for t in row] for row in self.labels]
        pairs = zip(map(_largest, labels), map(_largest, self.scores), strict=True)
        return sum(None not in (a, b) and a != b for a, b in pairs)


def _largest(row: Balls) -> int | None:
    """The place of the entry that is certainly above all others, None if there is none."""
    above = (
        j for j, x in enumerate(row) if all(x > other for k, other in enumerate(row) if k != j)
    )
    return next(above, None)


def _gram(labels: Fractions) -> list[Balls]:
    """K: 1 on the diagonal, sum_i sqrt(t_ij t_ik) off it."""
    roots = [[arb(t).sqrt() for t in row] for row in labels]
    m = len(roots[0])
    return [
        [arb(1) if j == k else sum((r[j] * r[k] for r in roots), arb(0)) for k in range(m)]
        for j in range(m)
    ]


def _unbalance(matrix: list[Balls], y: Balls) -> Balls:
    """y_j (K y)_j - 1."""
    return [x * _times(row, y) - 1 for x, row in zip(y, matrix, strict=True)]


def _tilt(matrix: list[Balls], y: Balls) -> list[Balls]:
    """[j = k] (K y)_j + y_j K_jk."""
    return [
        [x * a + (_times(row, y) if j == k else 0) for k, a in enumerate(row)]
        for j, (x, row) in enumerate(zip(y, matrix, strict=True))
    ]


def _times(row: Balls, y: Balls) -> arb:
    return sum((a * x for a, x in zip(row, y, strict=True)), arb(0))


# Two kinds of samples pull classes 0 and 1 apart, a third lies between: its labels hang on D_2, and
# D_2 on its labels.  Starts are the solutions to three digits, found from many starts.
SHARED = SharedScores(
    scores=(
        (fmpq(-8), fmpq(2), fmpq(0)),
        (fmpq(2), fmpq(-8), fmpq(0)),
        (fmpq(1, 2), fmpq(1, 2), fmpq(0)),
    ),
    counts=(13, 13, 8),
    starts=((7.05, 7.05, 18.1), (5.71, 5.71, 32.9), (3.66, 3.66, 73.4)),
)
FLIP = Flip(
    labels=(
        (fmpq(40, 100), fmpq(35, 100), fmpq(25, 100)),
        (fmpq(50, 100), fmpq(1, 100), fmpq(49, 100)),
    ),
    start=(0.65, 0.767, 0.675),
)


@dataclass(frozen=True)
class SolutionReport:
    """What was enclosed of both examples; `failure` says what kept it from being proved."""

    samples: int
    classes: int
    constants: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    distinct: int
    flipped: int
    failure: str = ""

    @property
    def problems(self) -> list[str]:
        """What is not as stated: three solutions for one array of scores, a flip of each sample."""
        found = [f"solutions: {self.failure}"] if self.failure else []
        if self.distinct != len(SHARED.starts):
            found.append(f"solutions: {self.distinct} of {len(SHARED.starts)} are distinct")
        if self.flipped != len(FLIP.labels):
            found.append(f"solutions: {self.flipped} of {len(FLIP.labels)} samples are flipped")
        return found

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return {**vars(self), "passed": not self.problems}


def check_solutions() -> SolutionReport:
    """Enclose both examples; the labels are those of the last kind of samples."""
    samples, classes = sum(SHARED.counts), len(SHARED.scores[0])
    try:
        found = SHARED.solutions
        return SolutionReport(
            samples,
            classes,
            constants=tuple(_digits(solution.constants) for solution in found),
            labels=tuple(_digits(solution.labels[-1]) for solution in found),
            distinct=SHARED.distinct,
            flipped=FLIP.flipped,
        )
    except ArithmeticError as error:
        return SolutionReport(samples, classes, (), (), 0, 0, str(error))


def _digits(numbers: Balls) -> tuple[str, ...]:
    with ctx.workprec(BITS):
        return tuple(x.str(17, radius=False) for x in numbers)
