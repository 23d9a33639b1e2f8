"""Each loss of the documents is the log of the lattice sum over its own index set.

For hard labels ``1 + e^s z = (e^s z)^y (1 + (1 - y) e^s z) (1 + y e^{-s} / z)``, label by label, so

    E(z) = z^{sum y} e^{sum y s} V(z) W(1/z),

and with k positives: ``e^{-sum y s} [z^k] E = [z^0] V(z) W(1/z) = sum_a e_a(v) e_a(w)``, the pairs
of equal orders. A partial sum of orders is a factor ``1/(1 - z)``, the sum of all orders the value
at ``z = 1``. A smaller index set is a smaller sum of non-negative terms, hence a smaller loss.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import total
from derive.calculus import map_entries
from derive.coefficients import Z, coefficient, order, order_sum
from derive.derivation import Derivation
from derive.facts import Facts, hard, soft
from derive.lattice.sums import (
    E_NAME,
    I_SET,
    J_SET,
    V_NAME,
    W_NAME,
    a,
    b,
    c,
    everything,
    i,
    j,
    k,
    negatives,
    p,
    positive_scores,
    positives,
    q,
    r,
    s,
    t,
    up_to,
    weighted,
    y,
)
from derive.lattice.theory import begin

V, W, E = negatives(y), positives(y), everything()
V_SOFT, W_SOFT = negatives(t), positives(t)
#: ``W(1/z)``.
W_BACK = W.xreplace({Z: 1 / Z})
COUNT = total(y[j], j)
NAMES = ((E_NAME, E), (V_NAME, V), (W_NAME, W), (Symbol("W(1/z)"), W_BACK))
CAP = order("K")


def _begin(topic: str, title: str, start: Expr, claims: tuple[str, ...] = ()) -> Derivation:
    return begin(topic, title, start, hard(y), claims, NAMES)


def _split_of_labels(chain: Derivation) -> Derivation:
    """``E(z) = z^{sum y} e^{sum y s} V(z) W(1/z)``."""
    x = exp(s[i]) * Z
    factors = x ** y[i] * (1 + (1 - y[i]) * x) * (1 + y[i] / x)
    chain = chain.lemma("one label, positive or negative", 1 + x, factors)
    split = Z**COUNT * exp(positive_scores(y)) * V * W_BACK
    return chain.lemma("all labels", E, split)


def derive_combination() -> Derivation:
    """Subsets as large as the set of positives: equally many in and out, ``{a = b}``."""
    start = log(coefficient(E, COUNT)) - positive_scores(y)
    title = "Combination softmax counts the pairs of equal orders"
    chain = _split_of_labels(_begin("combination", title, start))
    chain = chain.to("the positives taken out", log(coefficient(V * W_BACK, S.Zero)))
    diagonal = order_sum(coefficient(V, p) * coefficient(W, p), p, 0, S.Infinity)
    return chain.to("a negatives in for a positives out", log(diagonal))


def derive_padded() -> Derivation:
    """Subsets of at most K labels: ``{a - b <= K - k}``; scores counted from the threshold."""
    start = log(coefficient(E / (1 - Z), CAP)) - positive_scores(y)
    title = "The padded loss counts a - b <= K - k"
    chain = _split_of_labels(_begin("padded", title, start))
    room = CAP - COUNT
    chain = chain.to("the positives taken out", log(coefficient(V * W_BACK / (1 - Z), room)))
    of_each_b = order_sum(coefficient(W, q) * coefficient(V / (1 - Z), room + q), q, 0, S.Infinity)
    chain = chain.to("for each b the orders a up to K - k + b", log(of_each_b))
    pairs = order_sum(coefficient(W, q) * up_to(V, room + q), q, 0, S.Infinity)
    return chain.to("term by term", log(pairs))


def derive_unified() -> Derivation:
    """One negative in for one positive out, or nothing: ``{(0, 0), (1, 1)}``."""
    pairs = total(total((1 - y[i]) * y[j] * exp(s[i] - s[j]), j), i)
    chain = _begin("unified", "The unified loss counts one pair", log(1 + pairs), ("7359-8",))
    first = coefficient(V, S.One) * coefficient(W, S.One)
    chain = chain.to("orders (0, 0) and (1, 1)", log(_zeroth() + first))
    return chain.lemma("e_1 is the sum", coefficient(V, S.One), total((1 - y[k]) * exp(s[k]), k))


def _zeroth() -> Expr:
    return coefficient(V, S.Zero) * coefficient(W, S.Zero)


def derive_zlpr() -> Derivation:
    """At most one of each, ``{0, 1} x {0, 1}``."""
    negative, positive = total((1 - y[k]) * exp(s[k]), k), total(y[k] * exp(-s[k]), k)
    start = log(1 + negative) + log(1 + positive)
    chain = _begin("zlpr", "ZLPR counts at most one of each", start, ("7359-10", "7359-11"))
    orders = (S.Zero, S.One)
    square = [coefficient(V, n) * coefficient(W, m) for n in orders for m in orders]
    chain = chain.to("orders 0 and 1 on either side", log(sum(square, S.Zero)))
    return chain.to("as partial sums", log(up_to(V, S.One) * up_to(W, S.One)))


def derive_order_r() -> Derivation:
    """At most r of each, ``{a <= r, b <= r}``; labels may be soft."""
    start = log(coefficient(V_SOFT / (1 - Z), r)) + log(coefficient(W_SOFT / (1 - Z), r))
    names = ((V_NAME, V_SOFT), (W_NAME, W_SOFT))
    chain = begin("order-r", "Order r counts at most r of each", start, soft(t), names=names)
    chain = chain.to("partial sums", log(up_to(V_SOFT, r)) + log(up_to(W_SOFT, r)))
    inner = order_sum(coefficient(W_SOFT, q), q, 0, r)
    return chain.to("one logarithm", log(order_sum(coefficient(V_SOFT, p) * inner, p, 0, r)))


def derive_bce() -> Derivation:
    """Any number of each: all (a, b)."""
    negative, positive = (1 - y[j]) * log(1 + exp(s[j])), y[j] * log(1 + exp(-s[j]))
    start = total(negative + positive, j)
    chain = _begin("bce", "Binary cross-entropy counts every pair", start)
    chain = chain.to(
        "products over the labels", log(V.xreplace({Z: S.One}) * W.xreplace({Z: S.One}))
    )
    sums = up_to(V, S.Infinity), up_to(W, S.Infinity)
    chain = chain.to("the value at z = 1 is the sum of all orders", log(sums[0] * sums[1]))
    every = order_sum(
        coefficient(V, p) * order_sum(coefficient(W, q), q, 0, S.Infinity), p, 0, S.Infinity
    )
    return chain.to("one logarithm", log(every))


def derive_softmax() -> Derivation:
    """One positive label: e_b(w) = 0 from b = 2 on, and ``{a = b}`` is ``{(0, 0), (1, 1)}``."""

    def one_hot(expression: Expr) -> Expr:
        return map_entries(expression, y, lambda index: KroneckerDelta(index, c))

    start = -log(exp(s[c]) / total(exp(s[k]), k))
    claims = ("7359-1", "7359-6")
    chain = begin("softmax", "One positive: softmax cross-entropy", start, claims=claims)
    single = one_hot(W), 1 + exp(-s[c]) * Z
    chain = chain.lemma("W is of first degree", *single)
    others = total((1 - KroneckerDelta(k, c)) * exp(s[k] - s[c]), k)
    chain = chain.to("differences to the positive score", log(1 + others))
    first = coefficient(one_hot(V), S.One) * coefficient(one_hot(W), S.One)
    chain = chain.to("orders (0, 0) and (1, 1)", log(1 + first))
    return chain.to("equal orders", log(coefficient(one_hot(V * W_BACK), S.Zero)))


def derive_smaller_set() -> Derivation:
    """An index set inside another has the smaller loss; both hold (0, 0), whose term is 1."""
    of_larger, of_smaller = weighted(I_SET[a, b], t), weighted(I_SET[a, b] * J_SET[a, b], t)
    facts = Facts(unit=frozenset({t}), hard=frozenset({I_SET, J_SET}))
    names = ((V_NAME, V_SOFT), (W_NAME, W_SOFT))
    title = "A smaller index set has a smaller loss"
    chain = begin("smaller-set", title, of_larger - of_smaller, facts, names=names)
    left_out = weighted(I_SET[a, b] * (1 - J_SET[a, b]), t)
    chain = chain.to("what the smaller set leaves out", left_out)
    chain = chain.nonnegative("no term is negative", left_out)
    ratio = log(1 + left_out / (1 + of_smaller))
    losses = log(1 + of_larger) - log(1 + of_smaller)
    chain = chain.lemma("the difference of the losses, (0, 0) apart", losses, ratio)
    chain = chain.nonnegative("is never negative", ratio)
    return _chain_of_losses(chain)


def _chain_of_losses(chain: Derivation) -> Derivation:
    """What is left out between neighbours: unified, ZLPR, order r, and the diagonal."""
    first_v, first_w = total((1 - t[k]) * exp(s[k]), k), total(t[k] * exp(-s[k]), k)
    chain = chain.nonnegative("from unified to ZLPR: (1, 0) and (0, 1)", first_v + first_w)
    pairs = coefficient(V_SOFT, p) * coefficient(W_SOFT, p)
    rest = order_sum(pairs, p, 2, S.Infinity)
    chain = chain.nonnegative("from unified to combination softmax: a = b >= 2", rest)
    further = order_sum(coefficient(W_SOFT, q) * coefficient(V_SOFT, r + q), q, 0, S.Infinity)
    chain = chain.nonnegative("from padding to one label more: a - b = r", further)
    more = up_to(V_SOFT, r + 1) - up_to(V_SOFT, r), coefficient(V_SOFT, r + 1)
    chain = chain.lemma("from order r to order r + 1", *more)
    return chain.nonnegative("which is never negative", more[1])
