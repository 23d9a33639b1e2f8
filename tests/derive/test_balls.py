"""Ball evaluation: enclosure, written-out sums, points without a value, and no stale result."""

from __future__ import annotations

import math

import pytest
from flint import arb, ctx
from sympy import (
    Abs,
    E,
    Integer,
    KroneckerDelta,
    Max,
    Rational,
    S,
    Symbol,
    exp,
    log,
    pi,
    sqrt,
    tanh,
)

from derive.axis import Axis, array, labels_axis, total
from derive.balls import OutsideDomain, Point, enclose, entry_symbol, write_out
from derive.calculus import partial

LABELS = labels_axis()
SAMPLES = Axis("samples", Symbol("N", integer=True, positive=True), letters="ab")
i, j, k = LABELS.indices("i j k")
a = SAMPLES.index("a")
s, M = array("s"), array("M")
gamma = Symbol("gamma", positive=True)

POINT = Point(
    sizes={LABELS: 3, SAMPLES: 2},
    indices={i: 0, j: 2},
    entries={
        **{("s", (place,)): Rational(place - 1, 2) for place in range(3)},
        **{("M", (row, place)): Rational(row + place) for row in range(2) for place in range(3)},
    },
    scalars={gamma: Rational(3, 2)},
)
SCORES = (-0.5, 0.0, 0.5)


def test_values_against_floats():
    cases = {
        total(exp(s[k]), k): math.fsum(map(math.exp, SCORES)),
        s[i] * gamma + s[j]: -0.75 + 0.5,
        log(total(exp(gamma * s[k]), k)): math.log(sum(math.exp(1.5 * x) for x in SCORES)),
        LABELS.product(1 + exp(s[k]), k): math.prod(1 + math.exp(x) for x in SCORES),
        total(total(M[a, k] * s[k], k), a): sum(
            (row + place) * SCORES[place] for row in range(2) for place in range(3)
        ),
        total(total((1 - KroneckerDelta(j, k)) * s[j] * s[k], k), j): -0.5,
        LABELS.size * SAMPLES.size: 6.0,
        Max(s[i], s[j], S.Zero): 0.5,
        Abs(s[i]): 0.5,
        sqrt(1 + s[j]): math.sqrt(1.5),
        (1 + gamma) ** s[j]: math.sqrt(2.5),
        pi + E: math.pi + math.e,
    }
    for expression, value in cases.items():
        ball = enclose(expression, POINT, 128)
        assert abs(float(ball) - value) <= 4e-16 * max(1.0, abs(value)), expression


def test_precision_narrows_the_ball_and_is_restored():
    before = ctx.prec
    wide, narrow = (enclose(log(total(exp(s[k]), k)), POINT, bits) for bits in (64, 512))
    assert narrow.rad() < wide.rad()
    assert wide.overlaps(narrow)
    assert ctx.prec == before


def test_precision_is_restored_after_an_error():
    before = ctx.prec
    with pytest.raises(OutsideDomain):
        enclose(log(s[i]), POINT, 256)
    assert ctx.prec == before


@pytest.mark.parametrize(
    "expression",
    [
        log(s[i]),
        log(1 + 2 * s[i]),
        1 / (s[i] + s[j]),
        sqrt(s[i]),
        (s[i] + s[j]) ** S(-2),
        log(total(s[k], k)),
        1 + log(-exp(s[i])),
    ],
    ids=str,
)
def test_no_real_value_is_said_and_not_guessed(expression):
    with pytest.raises(OutsideDomain):
        enclose(expression, POINT, 64)


def test_zero_times_a_pole_is_no_value():
    """``0 / 0`` on the diagonal: SymPy writes it out as nan."""
    diagonal = Point(POINT.sizes, {i: 1, j: 1}, POINT.entries)
    with pytest.raises(OutsideDomain):
        enclose((1 - KroneckerDelta(i, j)) / (s[i] - s[j]), diagonal, 64)


def test_a_root_and_a_power_of_zero():
    zero = Point(sizes={LABELS: 1}, indices={i: 0}, entries={("s", (0,)): Rational(0)})
    assert enclose(sqrt(s[i]), zero, 64) == 0
    assert enclose(s[i] ** 2, zero, 64) == 0
    with pytest.raises(OutsideDomain):
        enclose(s[i] ** Rational(-1, 2), zero, 64)


def test_a_function_without_ball_arithmetic_is_named():
    with pytest.raises(TypeError, match="no ball arithmetic for tanh"):
        enclose(tanh(s[i]), POINT, 64)


def test_written_out_sums_have_one_term_a_place():
    assert write_out(total(s[k] ** 2, k), POINT) == sum(
        entry_symbol("s", (place,)) ** 2 for place in range(3)
    )
    assert write_out(LABELS.size, POINT) == Integer(3)


def test_derivatives_are_taken_of_the_written_out_scalars():
    written = write_out(partial(total(s[k] ** 3, k), s[i]), POINT)
    assert written == 3 * entry_symbol("s", (0,)) ** 2


def test_what_is_kept_depends_on_lengths_and_indices():
    """Sums are kept between calls: another length or index must not meet the old result."""
    expression = s[i] * total(s[k] + s[j], k)
    values = []
    for size in (1, 2, 3):
        for place in range(size):
            entries = {("s", (spot,)): Rational(2**spot) for spot in range(size)}
            point = Point({LABELS: size}, {i: place, j: 0}, entries)
            values.append((enclose(expression, point, 64), 2**place * (2**size - 1 + size)))
    assert all(ball == expected for ball, expected in values)


def test_a_shadowed_index_is_bound_by_the_inner_sum():
    nested = total(s[k] * total(s[k] ** 2, k), k)
    assert enclose(nested, POINT, 64) == arb(0)
    assert enclose(total((1 + s[k]) * total(s[k] ** 2, k), k), POINT, 64) == arb(1.5)


def test_the_point_is_described_by_name():
    described = POINT.describe()
    assert described["n"] == "3"
    assert described["i"] == "0"
    assert described["s[1]"] == "0"
    assert described["M[1, 2]"] == "3"
    assert described["gamma"] == "3/2"


def test_a_power_of_a_ball_around_zero_is_a_ball():
    """A sum that cancels: its ball holds 0, and so does its square, which is no nan."""
    zero = log(exp(s[i]) + exp(s[j])) - log(1 + exp(s[j] - s[i])) - s[i]
    for power in (2, 3, 4):
        ball = enclose(zero**power, POINT, 128)
        assert ball.contains(0)
        assert ball.rad() < 1e-60
    assert not enclose(zero**-1, POINT, 128).is_finite()
