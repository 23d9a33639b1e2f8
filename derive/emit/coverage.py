"""The expressions that every printer must pass: losses, their derivatives, and odd layouts.

Two axes (labels and features), arrays of one and two indices, sums that factor and sums that do
not, deltas, rational powers, products, coefficients of products, results that do not depend on
their output index; and what has two axes in each array (``coverage_grid.py``). A new printer is run
on all of them by ``tests/derive/test_emit.py``.
"""

from __future__ import annotations

from sympy import (
    Abs,
    Expr,
    Indexed,
    IndexedBase,
    KroneckerDelta,
    Mul,
    Rational,
    Symbol,
    exp,
    log,
    sqrt,
    sympify,
    tanh,
)

from derive.axis import Axis, Index, array, labels_axis, total
from derive.coefficients import Z as z
from derive.coefficients import coefficient
from derive.emit.coverage_grid import CLASSES, GRID, SAMPLES
from derive.emit.formula import Formula
from derive.ramps import Largest, leads, ramp, step

LABELS = labels_axis()
FEATURES = Axis("features", Symbol("d", integer=True, positive=True), "abc")
i, j, k, l = LABELS.indices("i j k l")
a, b = FEATURES.indices("a b")
s, t, v, y = (array(name) for name in "stvy")
x, W = array("x"), array("W")
gamma, m, s0 = (Symbol(name, real=True) for name in ("gamma", "m", "s0"))
n = LABELS.size
# At least 1: there is no mean over the subsets that hold an element where there is no such subset.
r = Symbol("r", integer=True, positive=True)

# Lengths at which the set is evaluated; they differ, so that a wrong axis shows.
LENGTHS = {LABELS: 4, FEATURES: 3, SAMPLES: 2, CLASSES: 3}

A = 1 + total(t[j] * exp(-s[j]), j)
B = 1 + total((1 - t[j]) * exp(s[j]), j)
P = t[i] * exp(-s[i]) / A
Q = (1 - t[i]) * exp(s[i]) / B
SUM = total(exp(s[j]), j)
PAIRS = total(total((1 - t[i]) * t[j] * exp(gamma * (s[i] - s[j] + m)), j), i)


def _at(expression: Expr, index: Index, other: Index) -> Expr:
    # Only used on expressions whose sums run over j, with other = k.
    return expression.xreplace({index: other})


def _curvature(side: Expr, denominator: Expr) -> Expr:
    """``diag(p) - p p^T`` for ``p = side / denominator``, at i and k."""
    p, p_k = side / denominator, _at(side, i, k) / denominator
    return KroneckerDelta(i, k) * p - p * p_k


def formula(name: str, expression: Expr, outputs: tuple[Index, ...] = (), doc: str = "") -> Formula:
    """A formula whose arguments are the arrays, then the scalars, that occur."""
    entries = {str(entry.base): entry.base for entry in expression.atoms(Indexed)}
    arrays: tuple[IndexedBase, ...] = tuple(
        entries[key] for key in ("s", "t", "y", "v", "x", "W") if key in entries
    )
    scalars = tuple(p for p in (gamma, m, s0, r) if p in expression.free_symbols)
    defaults = {"gamma": 1.0, "m": 0.0, "s0": 0.0, "r": 2}
    given = {str(p): defaults[str(p)] for p in scalars}
    return Formula(name, expression, outputs, arrays + scalars, given, ("9064-k",), doc)


SOFT_VALUE = log(A) + log(B)
LARGEST = Largest(s[j] - t[j], LABELS.limits(j))
UP, DOWN = (1 - t[i]) * exp(s[i]), t[i] * exp(-s[i])
LOGITS = total(x[a] * W[a, j], a)
LINEAR_P = exp(LOGITS) / total(exp(LOGITS), j)
CURVED = total(_curvature(DOWN, A) * v[k] + _curvature(UP, B) * v[k], k)
GRADIENT_PAIRS = (
    gamma
    * exp(gamma * m)
    * (
        (1 - t[i]) * exp(gamma * s[i]) * total(t[k] * exp(-gamma * s[k]), k)
        - t[i] * exp(-gamma * s[i]) * total((1 - t[k]) * exp(gamma * s[k]), k)
    )
    / (1 + _at(_at(PAIRS, i, k), k, i))
)


def _subsets(weight: Expr, *left_out: Index) -> Expr:
    """``prod_l (1 + weight_l z)`` without some elements, the weight written at ``i``."""
    kept = Mul(*(1 - KroneckerDelta(index, l) for index in left_out))
    return LABELS.product(1 + kept * _at(weight, i, l) * z, l)


def _included(index: Index) -> Expr:
    """The probability that an element is among r of them."""
    return exp(s[index]) * coefficient(_subsets(exp(s[i]), index), r - 1) / E_R


E_R = coefficient(_subsets(exp(s[i])), r)
PAIR = exp(s[i] + s[j]) * coefficient(_subsets(exp(s[i]), i, j), r - 2) / E_R
COVARIANCE = (
    KroneckerDelta(i, j) * _included(i)
    + (1 - KroneckerDelta(i, j)) * PAIR
    - _included(i) * _included(j)
)
AT_MOST = coefficient(_subsets(UP) / (1 - z), r)

COVERAGE: tuple[Formula, ...] = (
    formula("soft_zlpr", SOFT_VALUE, doc="Soft ZLPR."),
    formula("soft_zlpr_gradient", Q - P, (i,), "Gradient of soft ZLPR."),
    formula("soft_zlpr_hvp", CURVED, (i,)),
    formula("soft_zlpr_hessian", _curvature(DOWN, A) + _curvature(UP, B), (i, k)),
    formula("softmax_cross_entropy", -total(t[k] * (s[k] - log(SUM)), k)),
    formula("softmax_cross_entropy_gradient", exp(s[i]) / SUM * total(t[k], k) - t[i], (i,)),
    formula("softmax_hessian", _curvature(exp(s[i]), SUM) * total(t[j], j), (i, k)),
    formula("bce", total(t[j] * log(1 + exp(-s[j])) + (1 - t[j]) * log(1 + exp(s[j])), j)),
    formula("bce_by_sigmoid", -total(t[j] * log(1 / (1 + exp(-s[j]))), j)),
    formula("bce_gradient", 1 / (1 + exp(-s[i])) - t[i], (i,)),
    formula("bce_curvature", exp(s[i]) / (1 + exp(s[i])) ** 2 * v[i], (i,)),
    formula("bce_product", log(LABELS.product((1 + exp(-s[j])) ** t[j], j))),
    formula(
        "zlpr",
        log(1 + total((1 - y[j]) * exp(s[j] - s0), j)) + log(1 + total(y[j] * exp(s0 - s[j]), j)),
    ),
    formula("unified", log(1 + PAIRS)),
    formula("unified_gradient", GRADIENT_PAIRS, (i,)),
    formula("pairs_that_do_not_factor", total(total(tanh(s[i] - s[j]) ** 2, j), i)),
    formula(
        "one_against_the_rest",
        total(t[j] * log(1 + total((1 - KroneckerDelta(j, k)) * exp(s[k] - s[j]), k)), j),
    ),
    formula("weight_gradient", x[a] * (exp(s[j]) / total(exp(s[k]), k) - y[j]), (a, j)),
    formula("linear_softmax", LINEAR_P - y[j], (j,)),
    formula("back_to_features", total(W[a, j] * (s[j] - y[j]), j), (a,)),
    formula("transposed", W[a, j] * s[j], (j, a)),
    formula("weighted_partition", log(total(t[j] * exp(2 * s[j]), j))),
    formula("at_the_optimum", 2 * log(1 + total(sqrt(t[j] * (1 - t[j])), j))),
    formula("mean_and_powers", total(s[j] ** 2 / n, j) - (total(s[j], j) / n) ** 2),
    formula("rationals", Rational(1, 3) * total(Abs(s[j]) ** Rational(3, 2), j) / sqrt(gamma)),
    formula("ramps", total(t[j] * ramp(s[j] - t[j]), j)),
    formula("steps", s[i] * step(s[i] - t[i]) - total(step(s[j]), j), (i,)),
    formula("largest", ramp(LARGEST) - LARGEST / 2),
    formula("leader", s[i] * leads(LARGEST, i) - total(t[j] * leads(LARGEST, j), j), (i,)),
    formula("product_of_entries", LABELS.product(1 + t[j], j) - 1),
    formula("constant_over_labels", total(t[j], j), (i,)),
    formula("row_and_column", KroneckerDelta(i, j) + s[i] * t[j], (i, j)),
    formula("subsets", log(E_R), doc="log of the sum over all subsets of r elements."),
    formula("inclusion", _included(i) - y[i], (i,)),
    formula(
        "inclusion_by_quotient",
        coefficient(exp(s[i]) * z / (1 + exp(s[i]) * z) * _subsets(exp(s[i])), r) / E_R,
        (i,),
    ),
    formula("covariance", COVARIANCE, (i, j)),
    formula("covariance_times_vector", total(COVARIANCE * v[j], j), (i,)),
    formula(
        "mean_by_series",
        coefficient(total(v[j] * exp(s[j]) * z / (1 + exp(s[j]) * z), j) * _subsets(exp(s[i])), r)
        / E_R,
    ),
    formula("at_most", log(AT_MOST)),
    formula("at_most_gradient", UP * coefficient(_subsets(UP, i) / (1 - z), r - 1) / AT_MOST, (i,)),
    formula("padded", log(coefficient(_subsets(exp(s[i])) / (1 - exp(s0) * z), r))),
    formula("at_most_two", log(coefficient(_subsets(DOWN) / (1 - z), sympify(2)))),
    formula("at_most_none", log(coefficient(_subsets(UP) / (1 - z), sympify(0)))),
    *GRID,
)
