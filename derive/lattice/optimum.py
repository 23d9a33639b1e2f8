"""Soft labels: where a symmetric index set has its minimum, what it is, when it is the only one.

At ``t = sigma(2s)`` both ``v`` and ``w`` are ``h = sqrt(t (1 - t))``. In general write
``s_i = logit(t_i) / 2 + rho_i``: then ``v_i = h_i e^{rho_i}``, ``w_i = h_i e^{-rho_i}``, and with
``h_S = prod_S h``, ``rho_S = sum_S rho`` the argument of the log is

    Q = sum_{S, T: (|S|, |T|) in I} h_S h_T e^{rho_S - rho_T}.

For a symmetric I the pair ``(T, S)`` is in the sum with ``(S, T)``, so that with
``d = rho_S - rho_T``

    Q - sum_I e_a(h) e_b(h) = 1/2 sum_{S, T} h_S h_T (e^{d/2} - e^{-d/2})^2

is a sum of squares: ``t = sigma(2s)`` is a global minimum, ``log sum_I e_a(h) e_b(h)`` its value,
and the other minimisers are the ``rho`` with ``rho_S = rho_T`` for all ``(|S|, |T|)`` in I. For
labels inside (0, 1) and ``n >= 2`` that leaves ``rho = 0`` alone exactly when

* some ``(a, b)`` in I has ``0 < a < n`` or ``0 < b < n``: exchanging one label of S for one outside
  makes all ``rho_i`` equal (otherwise only ``sum rho`` matters, if anything does), and
* some ``(a, b)`` in I has ``a != b``: then ``(a - b) rho = 0`` (otherwise a common shift of all
  scores changes nothing).
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log, sqrt

from derive.axis import Axis, Index, array, total
from derive.calculus import map_entries, partial, resolve
from derive.coefficients import Z, coefficient
from derive.derivation import Derivation
from derive.facts import strictly_soft
from derive.lattice.sums import (
    I_SET,
    LABELS,
    a,
    b,
    i,
    j,
    k,
    negatives,
    over_orders,
    positives,
    s,
    t,
    weighted,
)
from derive.lattice.theory import begin

SUBSETS = Axis("subsets", Symbol("M", integer=True, positive=True), letters="ABCD")
S_, T_ = SUBSETS.indices("S T")
MEMBERS = Axis("members", Symbol("d", integer=True, positive=True), letters="gef")
g = MEMBERS.index("g")

h, rho = array("h", positive=True), array("rho")
#: Whether a pair of subsets has its sizes in I.
pair = array("c", nonnegative=True)
#: The offset that all labels share.
OFFSET = Symbol("rho", real=True)
SHIFT = Symbol("tau", real=True)
FACTS = strictly_soft(t)


def sigma2(expression: Expr) -> Expr:
    """The expression at ``t = sigma(2s)``."""
    return map_entries(expression, t, lambda index: 1 / (1 + exp(-2 * s[index])))


def geometric_means() -> Expr:
    """``prod_j (1 + h_j z)`` with ``h = sqrt(t (1 - t))``, whose coefficients are ``e_a(h)``."""
    return LABELS.product(1 + sqrt(t[j] * (1 - t[j])) * Z, j)


def symmetric(weights: Expr) -> Expr:
    """``c_ab + c_ba``: any symmetric index set is one of these, up to a factor 2."""
    return weights + weights.xreplace({a: b, b: a})


def derive_stationarity() -> Derivation:
    """Every symmetric index set is stationary at ``t = sigma(2s)``."""
    argument = weighted(symmetric(I_SET[a, b]), t)
    slope = sigma2(resolve(partial(argument, s[i])))
    title = "Stationary at t = sigma(2s), for every symmetric index set"
    chain = begin("stationarity", title, slope, FACTS)
    meet = sigma2(negatives(t)), sigma2(positives(t))
    chain = chain.lemma("there v = w, so the two generating functions are one", *meet)
    chain = chain.to("the terms of (a, b) and (b, a) cancel", S.Zero)
    D, E = array("D"), array("E")
    bare = symmetric(I_SET[a, b]) * (D[a] * E[b] - E[a] * D[b])
    note = "E_a = e_a, D_a its derivative by s_i through v; through w it is -D_a"
    return chain.lemma("the cancellation, bare", over_orders(bare), S.Zero, note)


def difference() -> Expr:
    """``e^{(rho_S - rho_T)/2} - e^{(rho_T - rho_S)/2}``."""
    return exp((rho[S_] - rho[T_]) / 2) - exp((rho[T_] - rho[S_]) / 2)


def _both_ways() -> Expr:
    return (pair[S_, T_] + pair[T_, S_]) * h[S_] * h[T_]


def _pairs(body: Expr) -> Expr:
    return total(total(body, T_), S_)


def _above_the_floor() -> Expr:
    return _pairs(_both_ways() * exp(rho[S_] - rho[T_])) - _pairs(_both_ways())


def _gap() -> Expr:
    return _pairs(_both_ways() * difference() ** 2) / 2


def derive_minimum() -> Derivation:
    """``t = sigma(2s)`` is a global minimum, and its value is known."""
    title = "The minimum of a symmetric index set over the scores"
    root = geometric_means()
    names = ((Symbol("H(z)"), sigma2(root)),)
    chain = begin("minimum", title, _above_the_floor(), FACTS, names=names)
    chain = _offsets(chain)
    chain = chain.to("a pair of subsets and its mirror image make a square", _gap())
    chain = chain.nonnegative("so nowhere is the sum below its value at rho = 0", _gap())
    meet = sigma2(negatives(t)), sigma2(root)
    chain = chain.lemma("rho = 0 is t = sigma(2s), where V has the coefficients e_a(h)", *meet)
    chain = chain.lemma("and W as well", sigma2(positives(t)), sigma2(root))
    weights = symmetric(I_SET[a, b])
    value, least = weighted(weights, t), weights * coefficient(root, a) * coefficient(root, b)
    return chain.lemma("the minimum", log(sigma2(value)), log(sigma2(over_orders(least))))


def _offsets(chain: Derivation) -> Derivation:
    """``v = h e^{rho}`` and ``w = h e^{-rho}``, for one label and for a subset."""
    offset, root = s[i] - log(t[i] / (1 - t[i])) / 2, sqrt(t[i] * (1 - t[i]))
    with_offset = root * exp(offset), root * exp(-offset)
    chain = chain.lemma("v = h e^rho", (1 - t[i]) * exp(s[i]), with_offset[0])
    chain = chain.lemma("w = h e^-rho", t[i] * exp(-s[i]), with_offset[1])
    subset = MEMBERS.product(h[g] * exp(rho[g]), g)
    apart = MEMBERS.product(h[g], g) * exp(total(rho[g], g))
    return chain.lemma("over a subset: h_S = prod h, rho_S = sum rho", subset, apart)


def derive_uniqueness() -> Derivation:
    """Which pairs of orders leave ``t = sigma(2s)`` as the only minimiser."""
    title = "When the minimiser is the only one"
    chain = begin("uniqueness", title, _above_the_floor(), FACTS)
    chain = chain.to("the gap above the minimum", _gap())
    chain = _where_the_gap_closes(chain)
    chain = _exchange(chain)
    return _off_the_diagonal(chain)


def _where_the_gap_closes(chain: Derivation) -> Derivation:
    in_index_set = pair[S_, T_] + pair[T_, S_]
    rule = "it closes only where, for each pair in I"
    chain = chain.forces(rule, _gap(), in_index_set * difference())
    half = exp((rho[S_] - rho[T_]) / 2)
    factored = (half - 1) * (1 + half) / half
    chain = chain.lemma("of which one factor alone can vanish", difference(), factored)
    note = "e^x = 1 at x = 0 only: rho_S = rho_T for every pair of subsets with sizes in I"
    return chain.forces("so that", factored, half - 1, note)


def _exchange(chain: Derivation) -> Derivation:
    """Two subsets that differ in one label: possible when ``0 < a < n``."""
    rest, against = Symbol("rho_R", real=True), Symbol("rho_T", real=True)
    first, second = rest + rho[i] - against, rest + rho[j] - against
    mean = rest + (rho[i] + rho[j]) / 2 - against
    squares = 2 * mean**2 + (rho[i] - rho[j]) ** 2 / 2
    rule = "R with i and R with j, of size 0 < a < n, against T"
    chain = chain.lemma(rule, first**2 + second**2, squares)
    return chain.forces("so all offsets are equal", squares, rho[i] - rho[j])


def _off_the_diagonal(chain: Derivation) -> Derivation:
    rule = "equal offsets: rho_S - rho_T, where S has d labels more than T"
    chain = chain.lemma(rule, total(OFFSET, g), MEMBERS.size * OFFSET)
    note = "a pair off the diagonal, or its mirror image, leaves rho = 0 alone"
    return chain.forces("which vanishes only at", MEMBERS.size * OFFSET, OFFSET, note)


def derive_diagonal() -> Derivation:
    """On the diagonal a common shift of all scores changes nothing: the minimisers are a line."""
    v_a, w_a = coefficient(negatives(t), a), coefficient(positives(t), a)
    moved_v, moved_w = (map_entries(e, s, lambda index: s[index] + SHIFT) for e in (v_a, w_a))
    title = "On the diagonal the minimisers are a line"
    start = log(total(I_SET[a, a] * moved_v * moved_w, a))
    chain = begin("diagonal", title, start, FACTS)
    chain = chain.rewrite("e_a(v) takes a factors", moved_v, exp(a * SHIFT) * v_a)
    note = "so t = sigma(2 (s + tau)) is a minimiser for every tau"
    return chain.rewrite("e_a(w) takes them back", moved_w, exp(-a * SHIFT) * w_a, note)


def derive_corners() -> Derivation:
    """Orders 0 and n only, I = {(0, 0), (n, 0), (0, n)}: the loss sees the sum of the scores."""
    full = LABELS.product((1 - t[j]) * exp(s[j]), j), LABELS.product(t[j] * exp(-s[j]), j)
    loss = log(1 + full[0] + full[1])
    title = "With orders 0 and n alone only the sum of the scores matters"
    chain = begin("corners", title, partial(loss, s[i]), FACTS).differentiate()
    chain = chain.to("one slope for all labels", (full[0] - full[1]) / (1 + full[0] + full[1]))

    def moved(index: Index) -> Expr:
        return s[index] + SHIFT * (KroneckerDelta(index, i) - KroneckerDelta(index, k))

    note = "n = 2, t = (1/2, 1/2): each s = (x, -x) has the least value, log(3/2)"
    return chain.lemma("one score up, another down", loss, map_entries(loss, s, moved), note)
