"""The normal form of random expressions: what it calls equal has the same value in balls."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, KroneckerDelta, Rational, S, exp, log

from derive.axis import array, labels_axis, total
from derive.balls import OutsideDomain, enclose
from derive.calculus import replace_index
from derive.decide import sample_points
from derive.facts import Facts, hard, soft
from derive.normal_form import normal_form, vanishes

i, j, k, c = labels_axis().indices("i j k c")
s, t = array("s"), array("t")
delta = KroneckerDelta


def entries(index) -> list[Expr]:
    return [s[index], t[index], exp(s[index]), exp(-s[index]), exp(s[index] / 2), delta(index, i)]


def summands(index):
    atoms = st.sampled_from([*entries(index), *entries(i), S.One, Rational(1, 2)])
    monomials = st.tuples(atoms, atoms).map(lambda pair: pair[0] * pair[1])
    sums = st.tuples(monomials, monomials, st.sampled_from([1, -1, 2])).map(
        lambda parts: parts[0] + parts[2] * parts[1]
    )
    quotients = st.tuples(sums, atoms.filter(lambda f: f.is_positive)).map(
        lambda parts: parts[0] / (1 + parts[1])
    )
    return st.one_of(monomials, sums, quotients)


def rename_inside(expression: Expr) -> Expr:
    return replace_index(replace_index(expression, j, c), c, j)


EXPRESSION = st.recursive(
    st.one_of(
        summands(k).map(lambda body: total(body, k)),
        summands(j).map(lambda body: total(body * s[i], j)),
        summands(i),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
        inner.map(lambda e: log(1 + exp(e))),
    ),
    max_leaves=3,
)
# Rewrites that should change nothing, and some that do.
REWRITES = (
    lambda e: e.expand(),
    lambda e: (e + 1) ** 2 / (e + 1) - 1,
    lambda e: log(exp(e)),
    lambda e: e + total(delta(j, i) * s[j] - delta(j, i) * s[i], j),
    lambda e: -e,
    lambda e: e.subs(s[i], t[i]),
    lambda e: 2 * e,
    rename_inside,
)


def assert_points_agree(left: Expr, right: Expr, facts: Facts, seed: int) -> None:
    for point in sample_points((left, right), facts, 2, seed):
        try:
            sides = enclose(left, point, 192), enclose(right, point, 192)
        except OutsideDomain:
            continue
        assert sides[0].overlaps(sides[1]), f"{left} and {right} at {point.describe()}"


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(EXPRESSION, st.sampled_from(REWRITES), st.sampled_from([soft(t), hard(t)]))
def test_whenever_two_are_called_equal_balls_agree(expression, rewrite, facts):
    other = rewrite(expression)
    if vanishes(expression - other, facts):
        assert_points_agree(expression, other, facts, seed=11)


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(EXPRESSION)
def test_the_normal_form_of_a_random_expression_has_its_value(expression):
    assert_points_agree(expression, normal_form(expression, soft(t)), soft(t), seed=12)


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(EXPRESSION, EXPRESSION)
def test_two_random_expressions_are_called_equal_only_where_they_are(left, right):
    if vanishes(left - right, soft(t)):
        assert_points_agree(left, right, soft(t), seed=13)
