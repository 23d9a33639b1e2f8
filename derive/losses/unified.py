"""The unified pairwise loss with scale and margin (document 002, eq. 8 and 9).

``l = log(1 + sum_{i neg, j pos} e^{gamma (s_i - s_j + m)})``. The double sum factors: with
``V = sum_i (1 - y_i) e^{gamma s_i}``, ``W = sum_j y_j e^{-gamma s_j}`` and
``N = 1 + e^{gamma m} V W`` the loss is ``log N``. Write ``u_i = e^{gamma m} (1 - y_i)
e^{gamma s_i} W / N`` and ``w_i = e^{gamma m} y_i e^{-gamma s_i} V / N``: the share of the pairs
that label i takes part in, as a negative and as a positive. Then the gradient is
``gamma (u - w)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import total
from derive.calculus import map_entries
from derive.derivation import Derivation
from derive.facts import soft
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import LABELS, at_index, c, i, j, k, s, v, y

GAMMA = Symbol("gamma", positive=True)
MARGIN = Symbol("m", real=True)
V_NAME, W_NAME = Symbol("V"), Symbol("W")

_negative = (1 - y[k]) * exp(GAMMA * s[k])
_positive = y[k] * exp(-GAMMA * s[k])
V, W = total(_negative, k), total(_positive, k)
LIFT = exp(GAMMA * MARGIN)
N = 1 + LIFT * V * W

a = at_index(_negative, i, k)
b = at_index(_positive, i, k)
u = LIFT * a * W / N
w = LIFT * b * V / N

PAIRS = total(total((1 - y[j]) * y[k] * exp(GAMMA * (s[j] - s[k] + MARGIN)), k), j)


def derive_value() -> Derivation:
    """The sum over pairs is a product of two sums."""
    chain = LOSS.begin("value", "Factorisation of the pairwise sum", log(1 + PAIRS))
    margin_inside = total((1 - y[k]) * exp(GAMMA * (s[k] + MARGIN)), k) * W
    chain = chain.to("the double sum factors, margin with the negatives", log(1 + margin_inside))
    return chain.to("margin in front", LOSS.value)


def derive_one_positive() -> Derivation:
    """With one positive label, scale 1 and margin 0 it is softmax cross-entropy."""

    def single(expression: Expr) -> Expr:
        one_hot = map_entries(expression, y, lambda index: KroneckerDelta(index, c))
        return one_hot.xreplace({GAMMA: S.One, MARGIN: S.Zero})

    chain = LOSS.begin("one-positive", "One positive label", single(LOSS.value))
    others = total((1 - KroneckerDelta(k, c)) * exp(s[k] - s[c]), k)
    chain = chain.to("differences to the one positive score", log(1 + others))
    return chain.to("softmax cross-entropy", -log(exp(s[c]) / total(exp(s[k]), k)))


def derive_shift() -> Derivation:
    """Only differences of scores enter: a common shift changes nothing."""
    offset = Symbol("a", real=True)
    shifted = map_entries(LOSS.value, s, lambda index: s[index] + offset)
    chain = LOSS.begin("shift", "Invariance under a common shift", shifted)
    chain = chain.to("the shift cancels in each pair", LOSS.value)
    return chain.lemma("the gradient sums to zero", total(at_index(LOSS.gradient, j), j), S.Zero)


def _squares() -> Expr:
    """The variance of ``v_j - v_k`` over the pairs and the null pair, written as squares."""
    first, second, third, fourth = LABELS.indices("j k p q")
    weight = LIFT * at_index(a, first) * at_index(b, second) / N
    other = LIFT * at_index(a, third) * at_index(b, fourth) / N
    gap, other_gap = v[first] - v[second], v[third] - v[fourth]
    null = total(total(weight / N * gap**2, second), first)
    pairs = weight * other * (gap - other_gap) ** 2
    for index in (fourth, third, second, first):
        pairs = total(pairs, index)
    return GAMMA**2 * null + GAMMA**2 * pairs / 2


_a_j, _b_j = at_index(a, j), at_index(b, j)
_mixed = LIFT * (a * _b_j + _a_j * b) / N
_u_j, _w_j = at_index(u, j), at_index(w, j)

LOSS = SymbolicLoss(
    name="unified",
    family="unified",
    formula="log(1 + Σ_{i neg, j pos} e^(γ(s_i - s_j + m)))",
    labels=y,
    facts=soft(y),
    value=log(N),
    gradient=GAMMA * (u - w),
    hessian=GAMMA**2 * (KroneckerDelta(i, j) * (u + w) - _mixed - (u - w) * (_u_j - _w_j)),
    hvp=GAMMA**2
    * (
        (u + w) * v[i]
        - LIFT * (a * total(_b_j * v[j], j) + b * total(_a_j * v[j], j)) / N
        - (u - w) * total((_u_j - _w_j) * v[j], j)
    ),
    squares=_squares(),
    flat=(1 - y[i]) * y[j] * (v[i] - v[j]),
    names=((V_NAME, V), (W_NAME, W)),
    parameters=((GAMMA, 1.0), (MARGIN, 0.0)),
    claims={"value": ("7359-8", "7359-9"), "one-positive": ("7359-6",)},
    own_topics={
        "value": derive_value,
        "one-positive": derive_one_positive,
        "shift": derive_shift,
    },
)
