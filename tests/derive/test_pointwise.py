"""Balls worked out as an expression stands: they meet those of the written-out terms."""

from __future__ import annotations

import pytest
from sympy import Abs, E, Expr, KroneckerDelta, Pow, Rational, S, exp, log, pi, sqrt

from derive.axis import total
from derive.balls import Point, enclose
from derive.calculus import partial
from derive.coefficients import Coefficient, Z
from derive.decide import Refuted, equal, sample_points
from derive.facts import NOTHING_ASSUMED
from derive.losses import LOSSES
from derive.losses.symbols import LABELS, i, j, k, s, t
from derive.pointwise import Unclear, enclose_pointwise
from derive.ramps import Largest, leads, ramp, step

BITS = 96
# Twelve bits are lost at the worst, in the second derivatives of a grid.
WIDTH = 2.0 ** (12 - BITS)
TOP = Largest(s[k], LABELS.limits(k))
VALUE = log(total((1 - t[k]) * exp(s[k] - t[k] ** 2), k)) * sqrt(2 + s[i] ** 2)
PRODUCT = LABELS.product(1 + exp(s[k]) * Z, k)
SUBSETS = Coefficient(PRODUCT, Z, 2)

EXPRESSIONS = {
    "a number": Rational(1, 3) + pi * E,
    "the length": LABELS.size + i,
    "sum of sums": total(s[j] * total((1 - KroneckerDelta(j, k)) * exp(s[k] * s[j]), k), j),
    "product": LABELS.product(1 + exp(s[k]), k) ** -2,
    "a sum beside its own index": s[i] * total(s[i] * s[k], k),
    "a power": (1 + s[i] ** 2) ** (t[i] + 1),
    "the slope of a power": partial((1 + s[i] ** 2) ** (t[i] + 1) / (2 + s[i]) ** 2, s[j]),
    "slopes": partial(VALUE, s[j]),
    "second slopes": partial(VALUE, s[j], s[k]),
    "of the same entry": partial(VALUE, s[j], s[j]),
    "third slopes": partial(VALUE, s[j], s[k], s[i]),
    "of two arrays": partial(VALUE, s[j], t[j]),
    "a sum of slopes": total(partial(VALUE, s[k]) * s[k], k),
    "a slope of slopes": partial(partial(VALUE, s[j]) ** 2 * s[j], s[k]),
    "no slope": partial(exp(t[i]), s[j]),
    "ramp and size": ramp(s[i]) + Abs(s[j]) + step(s[k]),
    "slope of ramp and size": partial(ramp(s[i]) ** 2 + Abs(s[j]) * step(s[k]), s[i]),
    "the largest": TOP - leads(TOP, i),
    "slope of the largest": partial(exp(TOP) * s[i], s[i]),
    "a coefficient": SUBSETS,
    "slopes of a coefficient": partial(log(1 + SUBSETS * s[i] ** 2), s[j]),
    "second slopes of a coefficient": partial(SUBSETS / (1 + SUBSETS), s[j], s[k]),
    "slopes of a quotient": partial(Coefficient(PRODUCT / (1 - exp(s[i]) * Z), Z, 3), s[i]),
    "slopes of a square": partial(Coefficient(PRODUCT**2 * log(1 + s[i] * Z), Z, 3), s[i], s[j]),
}


def points(expression: Expr, count: int = 6) -> list[Point]:
    return list(sample_points((expression,), NOTHING_ASSUMED, count, lengths=(1, 2, 3)))


def hold_together(expression: Expr, point: Point) -> bool:
    """Whether there is a ball, which then meets the other, and is narrow but where a step is."""
    try:
        ball = enclose_pointwise(expression, point, BITS)
    except Unclear:
        return False
    assert ball.overlaps(enclose(expression, point, BITS))
    assert expression.has(step) or float(ball.rad()) <= WIDTH * max(1.0, abs(float(ball.mid())))
    return True


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_balls_meet(name: str) -> None:
    expression = EXPRESSIONS[name]
    assert sum(hold_together(expression, point) for point in points(expression)) >= 6


@pytest.mark.parametrize("name", LOSSES)
def test_the_derivatives_of_a_loss(name: str) -> None:
    loss = LOSSES[name]
    first, second = partial(loss.value, loss.score), loss.unevaluated_hessian
    for expression in (first, second):
        own = sample_points((expression,), loss.facts, 4, lengths=(2,))
        kept = [hold_together(expression, point) for point in own]
        assert any(kept)


def test_what_cancels_is_left_to_sympy() -> None:
    point = Point({LABELS: 2}, {i: 0, j: 1}, {("s", (0,)): S.Zero, ("s", (1,)): S.Zero})
    for expression in (log(s[i]), 1 / s[i], Pow(s[i], -2) * s[j], partial(Abs(s[i]), s[i])):
        with pytest.raises(Unclear):
            enclose_pointwise(expression, point, BITS)
    with pytest.raises(Unclear):
        enclose_pointwise(leads(TOP, i), point, BITS)
    assert enclose_pointwise(KroneckerDelta(i, j) * log(s[i]), point, BITS) == 0


def test_a_wrong_slope_is_refuted() -> None:
    right = 2 * s[i] * KroneckerDelta(i, j)
    assert not isinstance(equal(partial(s[i] ** 2, s[j]), right), Refuted)
    assert isinstance(equal(partial(s[i] ** 2, s[j]), 2 * s[i]), Refuted)
