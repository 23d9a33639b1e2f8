"""How steep soft ZLPR is and how curved, each with the best constant.

With ``p_i = t_i e^{-s_i} / A`` and ``q_i = (1 - t_i) e^{s_i} / B`` the gradient is ``g = q - p``.
The shares of one side sum to ``1 - 1/A`` and ``1 - 1/B``, so that

    |g|_1 <= 2 - 1/A - 1/B < 2,    |g|_2^2 <= sum p^2 + sum q^2 < 2,

both as near as one likes where a negative and a positive label are confidently wrong. The Hessian
is that of two variances, and for ``a_i b_i = t_i (1 - t_i) <= 1/4``, the terms of A and B,

    1/2 |v|^2 - v' H v = 1/2 sum_{i != k} (p_i p_k + q_i q_k) (v_i + v_k)^2
        + sum_i v_i^2 [ a (1 - (1 + 2a)/A)^2 / (1 + 2a) + b (1 - (1 + 2b)/B)^2 / (1 + 2b)
                        + (1 - 4ab) / (2 (1 + 2a)(1 + 2b)) ]

is not negative: ``H <= I/2``. Two labels 1/2 with scores 0 and ``v = (1, -1)`` attain it.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, exp

from derive.axis import array, total
from derive.calculus import map_entries
from derive.derivation import Derivation
from derive.facts import soft
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import HALF, LABELS, at_index, i, j, k, s, t, v

#: ``2 tau - 1`` is any vector with entries in [-1, 1].
tau = array("tau")
a, b = array("a", nonnegative=True), array("b", nonnegative=True)
#: The terms of the two sums, at i.
TERMS = t[i] * exp(-s[i]), (1 - t[i]) * exp(s[i])


def _whole(term: Expr) -> Expr:
    return 1 + total(at_index(term, k), k)


def _rest(term: Expr) -> Expr:
    """The sum without the term of label i."""
    return 1 + total((1 - KroneckerDelta(i, k)) * at_index(term, k), k)


A, B = (_whole(term) for term in TERMS)
P, Q = TERMS[0] / A, TERMS[1] / B


def derive_norms(loss: SymbolicLoss) -> Derivation:
    """``|g|_1 < 2`` and ``|g|_2 < sqrt 2``, and no smaller constants will do."""
    turned = total((2 * at_index(tau[i], k) - 1) * at_index(Q - P, k), k)
    chain = loss.begin("norms", "Norms of the gradient with the best constants", 2 - turned)
    chain = chain.assuming(soft(t, tau))
    left = 2 * total(at_index((1 - tau[i]) * Q + tau[i] * P, k), k)
    note = "sum_i u_i g_i for any u in [-1, 1]; the largest is the 1-norm"
    chain = chain.to("what the sum lacks of 2", 1 / A + 1 / B + left, note)
    chain = chain.positive("hence |g|_1 < 2", 1 / A + 1 / B + left)
    lacking = TERMS[0] * _rest(TERMS[0]) / A**2 + TERMS[1] * _rest(TERMS[1]) / B**2
    missing = 1 / A + 1 / B + total(at_index(lacking + 2 * P * Q, j), j)
    squares = total(at_index((Q - P) ** 2, j), j)
    chain = chain.lemma("what the squares lack of 2", 2 - squares, missing)
    chain = chain.positive("hence |g|_2 < sqrt 2", missing)
    return _two_wrong_labels(chain)


def _two_wrong_labels(chain: Derivation) -> Derivation:
    """A negative label at L, a positive one at -L: both shares go to 1."""
    apart = 1 - KroneckerDelta(i, j)
    shares = at_index(Q, i) + at_index(P, j)
    lacking = _rest(TERMS[1]) / B + at_index(_rest(TERMS[0]) / A, j)
    rule = "a share of each side lacks of 2"
    chain = chain.lemma(rule, apart * (2 - shares), apart * lacking)
    near = _rest(TERMS[1]) * exp(-s[i]) / (_rest(TERMS[1]) * exp(-s[i]) + 1 - t[i])
    note = "t_i < 1 and t_j > 0: gone for s_i -> inf, s_j -> -inf, so that g_i -> 1, g_j -> -1"
    return chain.lemma("of which each part goes to 0", _rest(TERMS[1]) / B, near, note)


def variance(weight: Expr) -> Expr:
    """``Var(v)`` under ``weight / (1 + sum weight)``, written at i; the 1 has value 0."""
    mean = total(weight * v[i], i) / _whole(weight)
    return total(weight * v[i] ** 2, i) / _whole(weight) - mean**2


def _cross(weight: Expr) -> Expr:
    """``1/2 sum_{i != k} w_i w_k (v_i + v_k)^2 / W^2``."""
    apart = 1 - KroneckerDelta(i, k)
    body = apart * weight * at_index(weight, k) * (v[i] + v[k]) ** 2
    return total(total(body, k), i) / (2 * _whole(weight) ** 2)


def _own(weight: Expr) -> Expr:
    """``a (1 - (1 + 2a)/A)^2 / (1 + 2a)``."""
    double = 1 + 2 * weight
    return weight * (1 - double / _whole(weight)) ** 2 / double


def derive_smoothness(loss: SymbolicLoss) -> Derivation:
    """``0 <= v' H v <= 1/2 |v|^2``, attained at two labels 1/2 with scores 0."""
    half = HALF * total(v[i] ** 2, i)
    form = total(total(loss.hessian * v[i] * v[j], j), i)
    bent = half - variance(TERMS[0]) - variance(TERMS[1])
    chain = loss.begin("smoothness", "The curvature is at most 1/2", half - form)
    chain = chain.to("two variances", bent)
    gap = _cross(a[i]) + _cross(b[i]) + total(v[i] ** 2 * (_own(a[i]) + _own(b[i])), i)
    missing = total(v[i] ** 2 * (1 - 4 * a[i] * b[i]) / (2 * (1 + 2 * a[i]) * (1 + 2 * b[i])), i)
    rule = "whatever the terms a, b are"
    chain = chain.lemma(rule, half - variance(a[i]) - variance(b[i]), gap + missing)
    chain = chain.nonnegative("squares", gap)
    least = (2 * t[i] - 1) ** 2
    chain = chain.lemma("1 - 4ab has no scores in it", 1 - 4 * TERMS[0] * TERMS[1], least)
    inserted = dict(zip((a[i], b[i]), TERMS, strict=True))
    left = v[i] ** 2 * least / (2 * (1 + 2 * a[i]) * (1 + 2 * b[i])).xreplace(inserted)
    chain = chain.nonnegative("so nothing is negative: v' H v <= 1/2 |v|^2", total(left, i))
    return _attained(chain, form)


def _attained(chain: Derivation, form: Expr) -> Derivation:
    """All labels 1/2 and all scores 0: the minimum, where every term of A and of B is 1/2."""
    centre = map_entries(map_entries(form, t, lambda _: HALF), s, lambda _: S.Zero)
    best = 2 * total(v[i] ** 2, i) / (LABELS.size + 2)
    common = 2 * total(v[i], i) ** 2 / (LABELS.size + 2) ** 2
    note = "n = 2, v = (1, -1): 1/2 |v|^2"
    return chain.lemma("labels 1/2, scores 0", centre, best - common, note)
