"""Every loss of the lattice is convex, for every index set.

Along a line ``s + tau u`` each product of a subset S of the ``v`` and a subset T of the ``w`` is a
weight times ``e^{alpha + tau beta}``, with ``beta = sum_S u - sum_T u``. So the argument of the log
is ``Q(tau) = sum_m c_m e^{alpha_m + tau beta_m}`` with ``c_m > 0``, over finitely many terms, and
with ``p_m`` the share of term m

    d^2/dtau^2 log Q = 1/2 sum_ml p_m p_l (beta_m - beta_l)^2 >= 0,

the variance of ``beta``. It vanishes only where every term has the same slope ``beta``.
"""

from __future__ import annotations

from sympy import Expr, Symbol, exp, log

from derive.axis import Axis, array, total
from derive.calculus import map_entries, partial, replace_index
from derive.coefficients import coefficient, order
from derive.derivation import Derivation
from derive.facts import soft
from derive.lattice.sums import i, negatives, positives, s, t
from derive.lattice.theory import begin

TERMS = Axis("terms", Symbol("M", integer=True, positive=True), letters="mlpq")
m, l = TERMS.indices("m l")
OTHERS = Axis("others", Symbol("L", integer=True, positive=True), letters="oqr")
o = OTHERS.index("o")
MEMBERS = Axis("members", Symbol("a", integer=True, positive=True), letters="ghe")
g = MEMBERS.index("g")

TAU = Symbol("tau", real=True)
u = array("u")
weight, alpha, beta = array("c", positive=True), array("alpha"), array("beta")
weight_o, alpha_o, beta_o = array("d", positive=True), array("gamma"), array("delta")
weight_g = array("e", positive=True)


def term() -> Expr:
    """``c_m e^{alpha_m + tau beta_m}``."""
    return weight[m] * exp(alpha[m] + TAU * beta[m])


def variance(value: Expr, mass: Expr) -> Expr:
    """``1/2 sum_ml p_m p_l (x_m - x_l)^2`` with shares ``p = mass / sum mass``, all at ``m``."""
    whole = total(mass, m)
    pairs = mass * replace_index(mass, m, l) * (value - replace_index(value, m, l)) ** 2
    return total(total(pairs, l), m) / (2 * whole**2)


def log_sum_is_convex(chain: Derivation) -> Derivation:
    """The steps from a log of a sum of exponentials on a line to a variance.

    The chain must stand at ``d^2/dtau^2 log sum_m c_m e^{alpha_m + tau beta_m}``.
    """
    bend = variance(beta[m], term())
    chain = chain.to("the second derivative is a variance of the slopes", bend)
    chain = chain.nonnegative("it is never negative: convex along every line", bend)
    note = "the terms have one slope: with the constant term 1 in the sum, every slope is 0"
    return chain.forces("no curvature only where", bend, beta[m] - beta[l], note)


def start_of_lines() -> Expr:
    """``d^2/dtau^2 log sum_m c_m e^{alpha_m + tau beta_m}``."""
    return partial(log(total(term(), m)), TAU, TAU)


def derive_convexity() -> Derivation:
    """A log of a sum of exponentials of linear functions; each ``e_a(v) e_b(w)`` is such a sum."""
    title = "Every index set gives a convex loss"
    chain = begin("convexity", title, start_of_lines(), facts=soft(t))
    chain = log_sum_is_convex(chain)
    chain = _entries_on_a_line(chain)
    return _products_of_sums(chain)


def _entries_on_a_line(chain: Derivation) -> Derivation:
    """One label, a subset of labels, and how the elementary symmetric polynomials are built."""
    v_i, w_i = (1 - t[i]) * exp(s[i]), t[i] * exp(-s[i])
    chain = chain.lemma("one negative on the line s + tau u", _moved(v_i), v_i * exp(TAU * u[i]))
    chain = chain.lemma("one positive", _moved(w_i), w_i * exp(-TAU * u[i]))
    entry = weight_g[g] * exp(s[g])
    slopes = exp(TAU * total(u[g], g))
    subset = MEMBERS.product(_moved(entry), g), MEMBERS.product(entry, g) * slopes
    chain = chain.lemma("a subset of labels with weights: the slopes add up", *subset)
    note = "so e_a is a sum over subsets, by induction over the labels"
    by_elements = _by_elements(negatives(t), negatives(t, i), v_i)
    chain = chain.lemma("one label more: without it, or with it", *by_elements, note)
    by_elements = _by_elements(positives(t), positives(t, i), w_i)
    return chain.lemma("likewise for the positives", *by_elements)


def _moved(expression: Expr) -> Expr:
    """The expression on the line ``s + tau u``."""
    return map_entries(expression, s, lambda index: s[index] + TAU * u[index])


def _by_elements(series: Expr, others: Expr, entry: Expr) -> tuple[Expr, Expr]:
    """``[z^a] F = [z^a] F_{-i} + x_i [z^{a-1}] F_{-i}`` for ``F = (1 + x_i z) F_{-i}``."""
    a = order("a")
    return coefficient(series, a), coefficient(others, a) + entry * coefficient(others, a - 1)


def _products_of_sums(chain: Derivation) -> Derivation:
    """A product of two sums of exponentials is one over pairs: weights multiply, slopes add."""
    other = weight_o[o] * exp(alpha_o[o] + TAU * beta_o[o])
    product = total(term(), m) * total(other, o)
    exponent = alpha[m] + alpha_o[o] + TAU * (beta[m] + beta_o[o])
    pairs = total(total(weight[m] * weight_o[o] * exp(exponent), o), m)
    return chain.lemma("a product of two such sums is such a sum", product, pairs)
