"""Signs by structure: which the rules yield, and that no ball ever refutes one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, KroneckerDelta, Rational, S, Symbol, exp, log, sqrt

from derive.axis import array, labels_axis, total
from derive.balls import OutsideDomain, enclose
from derive.decide import sample_points
from derive.facts import (
    NOTHING_ASSUMED,
    Facts,
    distribution,
    hard,
    soft,
    strictly_soft,
)
from derive.sign import Sign, is_nonnegative, is_positive, sign

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t, y, v = array("s"), array("t"), array("y"), array("v")
gamma = Symbol("gamma", positive=True)
delta = KroneckerDelta

KNOWN: dict[str, tuple[Expr, Facts, Sign]] = {
    "exponential": (exp(s[i]), NOTHING_ASSUMED, Sign.POSITIVE),
    "sum of exponentials": (total(exp(s[k]), k), NOTHING_ASSUMED, Sign.POSITIVE),
    "square": ((s[i] - s[j]) ** 2, NOTHING_ASSUMED, Sign.NONNEGATIVE),
    "sum of squares": (total(v[k] ** 2, k), NOTHING_ASSUMED, Sign.NONNEGATIVE),
    "one more than a square": (1 + s[i] ** 2, NOTHING_ASSUMED, Sign.POSITIVE),
    "soft label": (t[i], soft(t), Sign.NONNEGATIVE),
    "its complement": (1 - t[i], soft(t), Sign.NONNEGATIVE),
    "label inside (0, 1)": (t[i], strictly_soft(t), Sign.POSITIVE),
    "complement inside (0, 1)": (1 - t[i], strictly_soft(t), Sign.POSITIVE),
    "complement of a root": (1 - sqrt(t[i]), soft(t), Sign.NONNEGATIVE),
    "complement of a product": (1 - t[i] * y[j], Facts(unit=frozenset((t, y))), Sign.NONNEGATIVE),
    "hard label": (y[i] * exp(s[i]), hard(y), Sign.NONNEGATIVE),
    "distribution": (total(t[k] * exp(s[k]), k), distribution(t), Sign.NONNEGATIVE),
    "off the diagonal": (1 - delta(i, j), NOTHING_ASSUMED, Sign.NONNEGATIVE),
    "average": (t[i] * exp(s[i]) + (1 - t[i]) * exp(-s[i]), soft(t), Sign.POSITIVE),
    "average of roots": (
        sqrt(t[i]) * exp(s[i]) + sqrt(1 - t[i]) * exp(-s[i]),
        soft(t),
        Sign.POSITIVE,
    ),
    "common factor": (exp(s[i]) - exp(s[i]) * t[i], soft(t), Sign.NONNEGATIVE),
    "sums over one axis": (
        total(exp(s[k]), k) - total(t[k] * exp(s[k]), k),
        soft(t),
        Sign.NONNEGATIVE,
    ),
    "minus a negative bracket": (-(t[i] - 1) * gamma, soft(t), Sign.NONNEGATIVE),
    "log above one": (log(1 + exp(s[i])), NOTHING_ASSUMED, Sign.POSITIVE),
    "quotient": (exp(s[i]) / total(exp(s[k]), k), NOTHING_ASSUMED, Sign.POSITIVE),
    "affine in a label, multiplied out": (
        1 + exp(s[i]) - t[i] * exp(s[i]),
        soft(t),
        Sign.POSITIVE,
    ),
    "affine in two labels": (
        1 - t[i] - t[j] + 2 * t[i] * t[j],
        soft(t),
        Sign.NONNEGATIVE,
    ),
    "affine, and zero at one end only": (
        t[i] * exp(s[i]) + t[i] * t[j] - t[i] ** 2 * t[j],
        strictly_soft(t),
        Sign.POSITIVE,
    ),
    "root of a label": (sqrt(t[i]), soft(t), Sign.NONNEGATIVE),
    "exponential above its tangent": (
        exp(s[i] - s[j]) - 1 - s[i] + s[j],
        NOTHING_ASSUMED,
        Sign.NONNEGATIVE,
    ),
    "exponential above one": (exp(gamma) - 1, NOTHING_ASSUMED, Sign.POSITIVE),
    "log below its tangent": (
        total(t[k] * exp(s[k]), k) - log(1 + total(t[k] * exp(s[k]), k)),
        soft(t),
        Sign.NONNEGATIVE,
    ),
    "log above its share": (
        log(1 + t[i] * gamma) - t[i] * gamma / (1 + t[i] * gamma),
        soft(t),
        Sign.NONNEGATIVE,
    ),
}
UNKNOWN: dict[str, tuple[Expr, Facts]] = {
    "score": (s[i], NOTHING_ASSUMED),
    "difference": (s[i] - s[j], NOTHING_ASSUMED),
    "label of which nothing is known": (t[i], NOTHING_ASSUMED),
    "below minus one": (t[i] - 1, soft(t)),
    "two labels taken from one": (1 - t[i] - t[j], soft(t)),
    "sum of labels taken from one": (1 - total(t[k], k), soft(t)),
    "log that may be below one": (log(t[i] + exp(s[i])), soft(t)),
    "odd power": ((s[i] - s[j]) ** 3, NOTHING_ASSUMED),
    "exponential above a line that meets it": (exp(s[i]) - 1 - 2 * s[i], NOTHING_ASSUMED),
    "exponential less more than its tangent": (exp(s[i]) - 2 - s[i], NOTHING_ASSUMED),
    "log of a label above a line": (log(t[i]) - t[i] + 1, strictly_soft(t)),
    "tangent above an exponential": (1 + s[i] - exp(s[i]), NOTHING_ASSUMED),
    "hidden square": (s[i] ** 2 - 2 * s[i] * s[j] + s[j] ** 2, NOTHING_ASSUMED),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_signs(name: str):
    expression, facts, expected = KNOWN[name]
    assert sign(expression, facts) is expected
    assert is_nonnegative(expression, facts)
    assert is_positive(expression, facts) is (expected is Sign.POSITIVE)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_signs_are_not_guessed(name: str):
    expression, facts = UNKNOWN[name]
    assert sign(expression, facts) is Sign.UNKNOWN


def assert_no_ball_refutes(expression: Expr, facts: Facts) -> None:
    found = sign(expression, facts)
    for point in sample_points((expression,), facts, 3, seed=5):
        try:
            ball = enclose(expression, point, 128)
        except OutsideDomain:
            continue
        if found is Sign.POSITIVE:
            assert not ball <= 0, f"{expression} at {point.describe()}: {ball}"
        elif found is Sign.NONNEGATIVE:
            assert not ball < 0, f"{expression} at {point.describe()}: {ball}"


@pytest.mark.parametrize("name", KNOWN)
def test_no_ball_refutes_a_known_sign(name: str):
    expression, facts, _ = KNOWN[name]
    assert_no_ball_refutes(expression, facts)


ATOMS = st.sampled_from(
    [
        *(s[i], t[i], t[j], 1 - t[i], exp(s[i]), exp(-s[j]), delta(i, j), sqrt(t[i]), gamma),
        *(S(2), Rational(-1, 2), -S.One, sqrt(1 - t[j]), total(t[k], k), total(v[k] ** 2, k)),
    ]
)
EXPRESSION = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] - pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
        inner.map(lambda e: e**2),
        inner.map(lambda e: log(1 + e)),
        inner.map(lambda e: exp(e) - 1 - e),
        inner.map(lambda e: total(e, i)),
        inner.map(lambda e: 1 / (2 + e)),
    ),
    max_leaves=5,
)
FACTS = st.sampled_from([NOTHING_ASSUMED, soft(t), hard(t), strictly_soft(t), distribution(t)])


@settings(max_examples=250, derandomize=True, deadline=None, database=None)
@given(EXPRESSION, FACTS)
def test_no_ball_refutes_the_sign_of_a_random_expression(expression, facts):
    # A root of a label has a meaning only where the label is known not to be negative.
    assume(facts is not NOTHING_ASSUMED or not expression.has(sqrt(t[i]), sqrt(1 - t[j])))
    assert_no_ball_refutes(expression, facts)
