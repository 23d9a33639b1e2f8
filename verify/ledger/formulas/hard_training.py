"""The best scores for labels drawn as 0 or 1, enclosed in balls.

An outcome has a probability, and of each kind of labels how many are present and how many absent.
With one score for each kind the mean loss is

    sum_w pi_w [log(1 + sum_k present_wk e^{-s_k}) + log(1 + sum_k absent_wk e^{s_k})].

It is strictly convex, so that labels which can change places have equal scores at its only minimum,
the zero of its slope; Krawczyk's operator encloses that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import comb

from flint import arb, fmpq
from sympy import Expr, Symbol, exp, log

from derive.calculus import map_entries
from derive.losses.symbols import i, s, sigmoid, t, y
from verify.grid.krawczyk import Balls, only_zero_near
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d9064 as of

#: One label of probability ``eta``, in [0, 1] as ``1 / (1 + b)``.
ETA: Expr = 1 / (1 + Symbol("b", nonnegative=True))
ONE_RISK: Expr = ETA * log(1 + exp(-s[i])) + (1 - ETA) * log(1 + exp(s[i]))
ONE_SLOPE: Expr = sigmoid(s[i]) - ETA
#: Of labels and scores, and of the other labels and the scores with the other sign.
MIRRORED = map_entries(of.HARD.xreplace({y: t}), s, lambda index: -s[index])
MIRRORED = map_entries(MIRRORED, t, lambda index: 1 - y[index])


@dataclass(frozen=True)
class Outcome:
    """Its probability, and how many labels of each kind are present and absent."""

    chance: fmpq
    present: tuple[int, ...]
    absent: tuple[int, ...]

    def shares(self, scores: Balls) -> tuple[Balls, Balls]:
        """Of each kind in A and in B."""
        down = [count * (-x).exp() for count, x in zip(self.present, scores, strict=True)]
        up = [count * x.exp() for count, x in zip(self.absent, scores, strict=True)]
        a, b = 1 + sum(down, arb(0)), 1 + sum(up, arb(0))
        return [x / a for x in down], [x / b for x in up]


def best_scores(outcomes: Sequence[Outcome], start: Sequence[float]) -> Balls:
    """The minimiser of the mean loss, a score for each kind; ArithmeticError if not proved."""
    return only_zero_near(partial(_slopes, outcomes), partial(_curvature, outcomes), start)


def _slopes(outcomes: Sequence[Outcome], scores: Balls) -> Balls:
    found = [arb(0)] * len(scores)
    for outcome in outcomes:
        p, q = outcome.shares(scores)
        found = [g + outcome.chance * (b - a) for g, a, b in zip(found, p, q, strict=True)]
    return found


def _curvature(outcomes: Sequence[Outcome], scores: Balls) -> list[Balls]:
    """``diag(p) - p p' + diag(q) - q q'`` in the mean."""
    kinds = range(len(scores))
    found = [[arb(0) for _ in kinds] for _ in kinds]
    for outcome in outcomes:
        for share in outcome.shares(scores):
            for k in kinds:
                for l in kinds:
                    bend = share[k] * (int(k == l) - share[l])
                    found[k][l] += outcome.chance * bend
    return found


def independent(first: fmpq, second: fmpq) -> tuple[Outcome, ...]:
    """Two independent labels of these probabilities."""
    return tuple(
        Outcome((first if a else 1 - first) * (second if b else 1 - second), (a, b), (1 - a, 1 - b))
        for a in (0, 1)
        for b in (0, 1)
    )


def alike(count: int, chance: fmpq) -> tuple[Outcome, ...]:
    """So many independent labels of one probability."""
    return tuple(
        Outcome(comb(count, k) * chance**k * (1 - chance) ** (count - k), (k,), (count - k,))
        for k in range(count + 1)
    )


def parent(children: int, chance: fmpq) -> tuple[Outcome, ...]:
    """A label that is present with one of its children, or not at all."""
    return (
        Outcome(chance, (1, 1), (0, children - 1)),
        Outcome(1 - chance, (0, 0), (1, children)),
    )


def _sigma(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def half_is_not_between() -> list[Enclosure]:
    """Two independent labels, 1/2 and 1/5: both readings of the first score are below 1/2."""
    score = best_scores(independent(fmpq(1, 2), fmpq(1, 5)), (-0.015, -1.25))[0]
    where, half = "eta = (1/2, 1/5), independent", arb(1) / 2
    names = ("{} of the best s_1", "eta_1")
    return [
        Enclosure(where, _sigma(score), "<", half, (names[0].format("sigma(s)"), names[1])),
        Enclosure(where, _sigma(2 * score), "<", half, (names[0].format("sigma(2s)"), names[1])),
    ]


def threshold_is_not_half() -> list[Enclosure]:
    """Two independent labels: one less probable than not, with a positive score; and the mirror."""
    names = ("best s_1", "threshold")
    found = []
    for chances, relation in (((99, 160), ">"), ((101, 40), "<")):
        first, second = (fmpq(chance, 200) for chance in chances)
        score = best_scores(independent(first, second), (0.0, 1.25 if relation == ">" else -1.25))
        where = f"eta = ({first}, {second}), independent"
        found.append(Enclosure(where, score[0], relation, arb(0), names))
    return found


def probable_parents_are_negative() -> list[Enclosure]:
    """Parents just below the probability at which their best score turns positive."""
    found = []
    for children, chance, start in (
        (2, fmpq(59, 100), (-0.01, -0.8)),
        (10, fmpq(7, 10), (-0.03, -1.9)),
        (100, fmpq(41, 50), (-0.05, -3.3)),
        (1000, fmpq(9, 10), (-0.2, -4.8)),
    ):
        score = best_scores(parent(children, chance), start)[0]
        where = f"a parent with one of {children} children, eta = {chance}"
        names = ("best score of the parent", "threshold")
        found.append(Enclosure(where, score, "<", arb(0), names))
    return found


def sizes() -> list[Enclosure]:
    """Independent labels of one probability: both readings of the best score, and neither right."""
    found = []
    for count, chance, start, low, high in (
        (2, fmpq(1, 10), -2.16, "0.0132", "0.1036"),
        (20, fmpq(1, 10), -1.58, "0.041", "0.171"),
        (80, fmpq(1, 10), -1.17, "0.0883", "0.237"),
        (1000, fmpq(1, 100), -2.36, "0.0089", "0.0863"),
    ):
        (score,) = best_scores(alike(count, chance), (start,))
        where = f"{count} independent labels, eta = {chance}"
        found += [
            Enclosure(where, _sigma(2 * score), "<", arb(low), ("sigma(2s)", "bound below eta")),
            Enclosure(where, _sigma(score), ">", arb(high), ("sigma(s)", "bound above eta")),
        ]
    return found
