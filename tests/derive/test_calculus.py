"""The capture-safe calculus against plain SymPy differentiation of written-out sums.

Each expression is differentiated for symbolic n, then written out for n = 1, 2, 3 and compared, in
balls, with what SymPy makes of the written-out scalar function.
"""

from __future__ import annotations

from random import Random

import pytest
from flint import arb
from sympy import (
    Abs,
    Expr,
    Indexed,
    KroneckerDelta,
    Piecewise,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    diff,
    exp,
    log,
    sqrt,
)
from sympy.core.relational import Relational

from derive.axis import Axis, array, labels_axis, total
from derive.balls import Point, enclose, entry_symbol, write_out
from derive.calculus import (
    Partial,
    alike,
    derivative,
    free_indices,
    map_entries,
    opened,
    over,
    partial,
    replace_index,
    resolve,
    sift,
)
from derive.decide import sample_points
from derive.facts import NOTHING_ASSUMED, soft

LABELS = labels_axis()
FEATURES = Axis("features", Symbol("d", integer=True, positive=True), letters="abde")
i, j, k, c = LABELS.indices("i j k c")
a, e = FEATURES.indices("a e")
s, t, v, x, W = array("s"), array("t"), array("v"), array("x"), array("W")
gamma = Symbol("gamma", positive=True)
SOFT = soft(t)
SEED = 21891

Z = total(exp(s[k]), k)
LAYER = total(x[e] * W[e, k], e)

# Every rule of `derivative`, and every way in which an index can be captured.
EXPRESSIONS: dict[str, Expr] = {
    "entry": s[i],
    "entry at another index": s[j],
    "other array": t[i] * v[j],
    "sum": total(s[k], k),
    "sum bound by the index of differentiation": total(t[i] * s[i] ** 2, i),
    "free and bound under one name": s[i] * total(exp(s[i]), i),
    "product of entries": s[i] * s[j] * s[k],
    "quotient": exp(s[j]) / Z,
    "power of a sum": Z**-3,
    "rational power": sqrt(1 + Z),
    "entry in the exponent": (1 + Z) ** s[j],
    "number to an entry": S(2) ** s[j],
    "logarithm": log(1 + total(t[k] * exp(-s[k]), k)),
    "log of a product": log(LABELS.product((1 + exp(-s[k])) ** t[k], k)),
    "product": LABELS.product(1 + exp(s[k]), k),
    "product bound by the index of differentiation": LABELS.product(1 + t[i] * exp(s[i]), i),
    "sums beside each other under one name": total(s[k] ** 2, k) * total(exp(s[k]), k),
    "nested sums": total(total(t[j] * exp(gamma * (s[j] - s[k])), k), j),
    "nested sums under the index of differentiation": total(total(s[i] * s[j] ** 2, j), i),
    "inner sum that shadows": total(s[k] * total(s[k] ** 2, k), k),
    "free index inside a sum": total(exp(s[k] - s[i]), k),
    "sum of logs of sums": total(t[j] * log(total(exp(s[k] - s[j]), k)), j),
    "delta": total(KroneckerDelta(k, c) * log(exp(s[k]) / Z), k),
    "delta in a bracket": total((1 - KroneckerDelta(k, c)) * exp(s[k] - s[c]), k),
    "product of deltas": total(total(KroneckerDelta(j, c) * KroneckerDelta(k, i) * s[j], j), k),
}


def points_of(*expressions: Expr, each: int = 2) -> list[Point]:
    return list(sample_points(expressions, SOFT, each, SEED))


def agree(ours: Expr, plain: Expr, point: Point, what: str) -> None:
    """The two sides enclosed at the point; ``plain`` is scalar already."""
    left, right = enclose(ours, point, 128), enclose(plain, point, 128)
    assert left.overlaps(right), f"{what} at {point.describe()}: {left} and {right}"
    assert left.rad() < arb("1e-20"), f"{what}: the ball {left} is too wide to say anything"


def scalar(entry: Expr, point: Point) -> Symbol:
    return write_out(entry, point)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_first_derivative_is_that_of_the_written_out_function(name: str):
    expression = EXPRESSIONS[name]
    ours = resolve(partial(expression, s[i]))
    for point in points_of(expression, s[i]):
        plain = diff(write_out(expression, point), scalar(s[i], point))
        agree(ours, plain, point, name)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_second_derivative_is_that_of_the_written_out_function(name: str):
    expression = EXPRESSIONS[name]
    ours = resolve(partial(expression, s[i], s[j]))
    for point in points_of(expression, s[i], s[j]):
        variables = scalar(s[i], point), scalar(s[j], point)
        agree(ours, diff(write_out(expression, point), *variables), point, name)


@pytest.mark.parametrize("name", ["quotient", "logarithm", "nested sums", "product"])
def test_third_derivative_is_that_of_the_written_out_function(name: str):
    expression = EXPRESSIONS[name]
    ours = resolve(partial(expression, s[i], s[j], s[k]))
    for point in points_of(expression, s[i], s[j], s[k], each=1):
        variables = [scalar(entry, point) for entry in (s[i], s[j], s[k])]
        agree(ours, diff(write_out(expression, point), *variables), point, name)


@pytest.mark.parametrize("name", ["nested sums", "rational power"])
def test_derivative_by_a_parameter(name: str):
    expression = EXPRESSIONS[name] + gamma * total(exp(gamma * s[k]), k)
    ours = resolve(partial(expression, gamma))
    for point in points_of(expression):
        agree(ours, diff(write_out(expression, point), gamma), point, name)


def test_derivative_by_a_label_of_another_array():
    expression = EXPRESSIONS["logarithm"]
    ours = resolve(partial(expression, t[j]))
    for point in points_of(expression, t[j]):
        plain = diff(write_out(expression, point), scalar(t[j], point))
        agree(ours, plain, point, "logarithm by t_j")


def test_two_axes_through_a_linear_layer():
    expression = log(total(exp(LAYER), k)) - total(t[k] * LAYER, k)
    ours = resolve(partial(expression, W[a, i]))
    for point in points_of(expression, W[a, i]):
        plain = diff(write_out(expression, point), scalar(W[a, i], point))
        agree(ours, plain, point, "linear layer")
    assert not ours.atoms(Piecewise)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_piecewise_and_no_new_free_index(name: str):
    expression = EXPRESSIONS[name]
    result = resolve(partial(expression, s[i], s[j]))
    assert not result.atoms(Piecewise, Relational)
    assert free_indices(result) <= free_indices(expression) | {i, j}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_sifting_changes_no_value(name: str):
    """Deltas left in place and deltas sifted are one number."""
    unsifted = derivative(EXPRESSIONS[name], s[i])
    for point in points_of(unsifted, s[i]):
        agree(sift(unsifted), unsifted, point, name)


def test_sifting_leaves_no_delta_of_the_bound_index():
    sifted = sift(total(KroneckerDelta(k, i) * (s[k] + total(s[k] * s[j], j)), k))
    assert not sifted.atoms(KroneckerDelta)
    assert free_indices(sifted) == {i}


def test_sifting_into_an_inner_sum_renames_the_inner_index():
    """``sum_j delta_jk sum_k s_j s_k`` is ``s_k sum_l s_l``, not ``sum_k s_k^2``."""
    inner = Sum(s[j] * s[k], LABELS.limits(k))
    sifted = sift(Sum(KroneckerDelta(j, i) * inner, LABELS.limits(j)))
    captured = replace_index(sifted, i, k)
    assert free_indices(captured) == {k}
    for point in points_of(captured):
        plain = write_out(s[k], point) * sum(
            entry_symbol("s", (place,)) for place in range(point.sizes[LABELS])
        )
        agree(captured, plain, point, "renamed inner index")


def test_a_delta_that_ties_two_axes_is_an_error():
    with pytest.raises(ValueError, match="does not run over the same axis"):
        sift(total(KroneckerDelta(k, a) * s[k], k))


def test_opened_undoes_the_flattening_of_nested_sums():
    nested = total(total(s[j] * t[k], k), j)
    index, body = opened(nested)
    assert index == j
    assert body == total(s[j] * t[k], k)
    assert over(nested, index, body) == nested


def test_opened_renames_an_index_that_is_taken_everywhere_below():
    index, body = opened(total(s[i] * total(t[j] * s[i], j), i), taken={i, j})
    assert index not in {i, j}
    assert free_indices(body) == {index}


def test_a_sum_over_part_of_an_axis_is_refused():
    with pytest.raises(ValueError, match="does not run over a whole axis"):
        derivative(Sum(s[k], (k, 0, 3)), s[i])
    with pytest.raises(ValueError, match=r"Axis\.sum or Axis\.product"):
        opened(Product(s[k], (k, 1, LABELS.size)))


def test_what_cannot_be_differentiated_says_so():
    condition = Piecewise((s[i], s[i] > 0), (S.Zero, True))
    with pytest.raises(TypeError, match="cannot differentiate"):
        derivative(condition.args[0].cond, s[i])


def test_free_indices_are_those_that_no_sum_binds():
    assert free_indices(total(s[k], k)) == frozenset()
    assert free_indices(s[k] * total(s[k], k)) == {k}
    assert free_indices(total(total(s[i] * s[j] * s[k], j), i)) == {k}


def test_map_entries_replaces_bound_and_free_entries_alike():
    image = map_entries(s[i] + total(s[k] ** 2, k), s, lambda index: t[index] + 1)
    assert image == t[i] + 1 + total((t[k] + 1) ** 2, k)
    assert not {entry for entry in image.atoms(Indexed) if entry.base == s}


def test_a_partial_derivative_waits_until_it_is_resolved():
    waiting = partial(total(s[k] ** 2, k), s[i], s[j])
    assert isinstance(waiting, Partial)
    assert waiting.variable == s[j]
    assert resolve(1 + waiting).atoms(Partial) == set()
    assert derivative(partial(s[j] ** 3, s[i]), s[k]).has(KroneckerDelta)


def test_the_derivative_of_an_absolute_value_is_its_sign():
    """A function whose `fdiff` SymPy knows needs no rule of its own."""
    slope = resolve(partial(Abs(s[i]), s[i]))
    assert slope.subs(s[i], Rational(-3, 2)) == -1


def test_random_polynomials_in_exponentials():
    """Sums of random monomials, first derivative, fixed seed."""
    random = Random(SEED)
    atoms = [s[i], s[k], t[k], exp(s[k]), exp(-s[i]), v[k]]
    for _ in range(12):
        terms = [
            random.choice(atoms) ** random.randint(1, 2) * random.choice(atoms) for _ in range(3)
        ]
        expression = log(2 + total(sum(terms) ** 2, k))
        ours = resolve(partial(expression, s[i]))
        for point in sample_points((expression, s[i]), NOTHING_ASSUMED, 1, SEED):
            plain = diff(write_out(expression, point), scalar(s[i], point))
            agree(ours, plain, point, f"seed {SEED}: {expression}")


def test_names_of_bound_indices_make_no_difference():
    nested = total(total(exp(s[j]) * t[k], k), j)
    assert alike(nested, total(total(exp(s[k]) * t[j], j), k))
    assert not alike(nested, total(total(exp(s[k]) * t[k], j), k))
    assert not alike(total(s[j], j), total(t[j], j))
    assert not alike(s[i], s[j])
