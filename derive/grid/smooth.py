"""The curvature of the pairwise loss is at most m/2, and no smaller bound holds.

For two classes write ``a_i = a_ijk``, ``b_i = a_ikj``, ``p_i = a_i / P`` with ``P = 1 + sum a_i``,
``q_i`` likewise, and ``d_i = v_ik - v_ij``. The two logs bend by ``Var_p(d) + Var_q(d)``, the null
term of value 0 included, and

    1/2 sum_i d_i^2 - Var_p(d) - Var_q(d)
        = 1/2 sum_{i != i'} (p_i p_i' + q_i q_i') (d_i + d_i')^2
        + sum_i d_i^2 [ a (1 - (1 + 2a)/P)^2 / (1 + 2a) + b (1 - (1 + 2b)/Q)^2 / (1 + 2b)
                        + (1 - 4ab) / (2 (1 + 2a)(1 + 2b)) ]

is not negative, for ``a b = t_ij t_ik <= 1/4``. Over all pairs of classes ``1/2 sum d^2`` is
``m/2 |v|^2`` or less; the mirrored loss has the same bound, class by class. For the pairwise loss
it is the best: two equal samples with scores ``c_j x``, all ``c_j`` different, and opposite
directions that sum to 0 over the classes come as near to it as one likes.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, log

from derive.axis import array, total
from derive.calculus import partial, replace_index, resolve
from derive.derivation import Derivation
from derive.grid.sums import CLASSES, SOFT, apart, h, i, j, k, p, pair, q, t, term, v
from derive.grid.theory import begin

a, b = array("a", nonnegative=True), array("b", nonnegative=True)
d, w = array("d"), array("w")
TAU = Symbol("tau", real=True)


def variance(weight: Expr) -> Expr:
    """``Var(d)`` under ``weight / (1 + sum weight)``, weights and d at i; the 1 has d = 0."""
    whole = 1 + total(weight, i)
    mean = total(weight * d[i], i) / whole
    return total(weight * d[i] ** 2, i) / whole - mean**2


def _mass(weight: Expr) -> Expr:
    return 1 + total(replace_index(weight, i, q), q)


def _cross(weight: Expr) -> Expr:
    """``1/2 sum_{i != i'} p_i p_i' (d_i + d_i')^2``."""
    other = replace_index(weight, i, p)
    body = apart(i, p) * weight * other * (d[i] + d[p]) ** 2
    return total(total(body, p), i) / (2 * _mass(weight) ** 2)


def _own(weight: Expr) -> Expr:
    """``a (1 - (1 + 2a)/P)^2 / (1 + 2a)``."""
    double = 1 + 2 * weight
    return weight * (1 - double / _mass(weight)) ** 2 / double


def _missing() -> Expr:
    """``(1 - 4ab) / (2 (1 + 2a)(1 + 2b))``, a number for each sample."""
    return (1 - 4 * a[i] * b[i]) / (2 * (1 + 2 * a[i]) * (1 + 2 * b[i]))


def derive_smoothness() -> Derivation:
    """``v' H v <= m/2 |v|^2``, and that m/2 is the best constant."""
    logs = log(1 + total(a[i] * exp(TAU * d[i]), i)) + log(1 + total(b[i] * exp(-TAU * d[i]), i))
    half = total(d[i] ** 2, i) / 2
    title = "The curvature of the pairwise loss is at most m/2"
    start = half - partial(logs, TAU, TAU)
    chain = begin("pairwise-smooth", title, start, SOFT)
    moved = variance(a[i] * exp(TAU * d[i])) + variance(b[i] * exp(-TAU * d[i]))
    note = "two classes j, k on a line s + tau v: d = v_ik - v_ij"
    chain = chain.to("both logs bend by a variance", half - moved, note)
    gap = _cross(a[i]) + _cross(b[i]) + total(d[i] ** 2 * (_own(a[i]) + _own(b[i])), i)
    missing = total(d[i] ** 2 * _missing(), i)
    bent = half - variance(a[i]) - variance(b[i])
    chain = chain.lemma("whatever the terms are", bent, gap + missing)
    chain = chain.nonnegative("squares", gap)
    chain = _products_of_labels(chain)
    return _best_constant(_over_pairs(chain))


def _products_of_labels(chain: Derivation) -> Derivation:
    """``4 t_ij t_ik <= 1`` for two classes."""
    product = t[i, j] * t[i, k]
    chain = chain.lemma("a b has no scores in it", term(i, j, k) * term(i, k, j), product)
    others = total(apart(h, j) * apart(h, k) * t[i, h], h) * (1 + t[i, j] + t[i, k])
    squares = apart(j, k) * (others + (t[i, j] - t[i, k]) ** 2)
    chain = chain.lemma("1 - 4ab, for two classes", apart(j, k) * (1 - 4 * product), squares)
    note = "so the last terms are not negative either"
    return chain.nonnegative("is not negative, as the labels of a row sum to 1", squares, note)


def _over_pairs(chain: Derivation) -> Derivation:
    """From pairs of classes to the whole loss."""
    logs = total(total(apart(j, k) * log(pair(j, k)), k), j)
    both = apart(j, k) * (log(pair(j, k)) + log(pair(k, j)))
    rule = "every pair of classes has its two logs"
    chain = chain.lemma(rule, logs, total(total(both, k), j) / 2)
    differences = total(total(total((v[i, k] - v[i, j]) ** 2, k), j), i) / 4
    norm = CLASSES.size * total(total(v[i, j] ** 2, j), i) / 2
    of_class = total(total(apart(j, k) * (v[i, k] - v[i, j]) ** 2, k), i) / 2
    rule = "mirrored: half of the bounds of its classes, D_j with the terms a_ijk, E_j with a_ikj"
    chain = chain.lemma(rule, total(of_class, j) / 2, differences, "so its bound is the same")
    rest = total(total(v[i, j], j) ** 2, i) / 2
    chain = chain.lemma("m/2 |v|^2 less the bounds of all pairs", norm - differences, rest)
    return chain.nonnegative("hence v' H v <= m/2 |v|^2", rest)


def _best_constant(chain: Derivation) -> Derivation:
    """Two equal samples, moved in opposite directions."""
    x, y, e = Symbol("a", positive=True), Symbol("b", positive=True), Symbol("d", real=True)
    logs = log(1 + 2 * x * (exp(TAU * e) + exp(-TAU * e)) / 2)
    logs += log(1 + 2 * y * (exp(TAU * e) + exp(-TAU * e)) / 2)
    bend = resolve(partial(logs, TAU, TAU)).xreplace({TAU: S.Zero})
    least = 1 / ((1 + 2 * x) * (1 + 2 * y))
    chain = chain.lemma("two equal samples, d and -d", e**2 - bend, (1 - 4 * x * y) * e**2 * least)
    near = (1 + 2 * y + 4 * x * y) * least / (2 * x)
    chain = chain.lemma("of which", 1 / (2 * x) - least, near)
    note = "a = t_j e^{s_k - s_j} grows without bound with the lead of k: nothing is missing"
    chain = chain.nonnegative("is less than 1 / (2a)", near, note)
    pairs = total(total((w[j] - w[k]) ** 2, k), j) / 2 + total(w[j], j) ** 2
    rule = "sum_{j < k} d^2, at sum_j w_j = 0, is m/2 |v|^2 for v = (w, -w)"
    return chain.lemma(rule, pairs, CLASSES.size * total(w[j] ** 2, j))
