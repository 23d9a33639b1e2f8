"""Softmax, log-sum-exp and softmax cross-entropy (documents 003 and 004; 7359 eq. 1 and 6).

With ``Z = sum_k e^{s_k}`` and ``p_i = e^{s_i} / Z``: ``d log Z / ds_i = p_i``,
``d p_i / ds_j = p_i (delta_ij - p_j)``, and for labels ``t`` that sum to 1 the loss
``-sum_i t_i log p_i`` has the gradient ``p - t`` and the Hessian ``diag(p) - p p^T``.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import Axis, array, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import distribution
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import (
    HALF,
    Z_NAME,
    at_index,
    c,
    i,
    j,
    k,
    mean,
    s,
    spread,
    t,
    v,
)

Z = total(exp(s[k]), k)
p = exp(s[i]) / Z
p_j, p_k = at_index(p, j), at_index(p, k)
JACOBIAN = p * (KroneckerDelta(i, j) - p_j)

VALUE = -total(t[k] * log(p_k), k)
NAMES = ((Z_NAME, Z),)


def derive_definition() -> Derivation:
    """Softmax is a positive vector that sums to 1."""
    chain = LOSS.begin("definition", "Softmax is a distribution", total(p_k, k))
    return chain.to("take Z out of the sum", S.One).positive("each entry", p)


def derive_logsumexp() -> Derivation:
    """The gradient of log-sum-exp is softmax."""
    chain = LOSS.begin("logsumexp", "Gradient of log-sum-exp", partial(log(Z), s[i]))
    return chain.differentiate().to("softmax", p)


def derive_jacobian() -> Derivation:
    """The Jacobian of softmax is ``diag(p) - p^T p``; its rows sum to zero."""
    chain = LOSS.begin("jacobian", "Jacobian of softmax", partial(p, s[j]))
    chain = chain.differentiate().to("collect", JACOBIAN)
    off = 1 - KroneckerDelta(i, j)
    chain = chain.lemma("off the diagonal", off * JACOBIAN, -off * p * p_j)
    on = KroneckerDelta(i, j)
    chain = chain.lemma("on the diagonal", on * JACOBIAN, on * (p - p**2))
    return chain.lemma("each row sums to zero", total(JACOBIAN, j), S.Zero)


def derive_value() -> Derivation:
    """Cross-entropy as log-sum-exp less the mean score, and as one ``log(1 + rest)`` a class."""
    chain = LOSS.begin("value", "Softmax cross-entropy", VALUE)
    chain = chain.to("open the logarithm", log(Z) - total(t[k] * s[k], k))
    rest = total((1 - KroneckerDelta(j, k)) * exp(s[j] - s[k]), j)
    stable = total(t[k] * log(1 + rest), k)
    return chain.to("divide by the own exponential", stable)


def derive_one_hot() -> Derivation:
    """For a one-hot label of class c the sum is one term, ``-log p_c``."""
    one_hot = -total(KroneckerDelta(k, c) * log(p_k), k)
    p_c = at_index(p, c)
    rest = total((1 - KroneckerDelta(k, c)) * exp(s[k] - s[c]), k)
    chain = LOSS.begin("one-hot", "One-hot labels", one_hot).to("one term is left", -log(p_c))
    chain = chain.to("score and log-sum-exp", -s[c] + log(Z))
    chain = chain.to("pairwise differences", log(1 + rest))
    others = total((1 - KroneckerDelta(k, c)) * exp(s[k]), k)
    smooth = log(1 + exp(log(others) - s[c]))
    return chain.to("softplus of log-sum-exp of the others less the target", smooth)


def derive_chain_rule() -> Derivation:
    """The gradient by the route of the documents: through the Jacobian of softmax."""
    q = array("q", positive=True)
    in_q = -total(t[k] * log(q[k]), k)
    chain = LOSS.begin("chain-rule", "Gradient through the Jacobian", partial(in_q, q[i]))
    chain = chain.differentiate().to("gradient by the probabilities", -t[i] / q[i])
    route = total(-t[k] / p_k * at_index(at_index(JACOBIAN, k), i, j), k)
    chain = chain.lemma("times the Jacobian, at q = p", route, p - t[i])
    one_hot = total(-KroneckerDelta(k, c) / p_k * at_index(at_index(JACOBIAN, k), i, j), k)
    target = p - KroneckerDelta(i, c)
    return chain.lemma("one-hot: only row c of the Jacobian is used", one_hot, target)


def derive_linear_layer() -> Derivation:
    """Weights and biases of the layer before, in the row-vector convention ``s = x W + b``."""
    features = Axis("features", Symbol("d", integer=True, positive=True), letters="abde")
    a, e = features.indices("a e")
    x, weights, bias = array("x"), array("W"), array("b")

    def layer(expression: Expr) -> Expr:
        return map_entries(expression, s, lambda to: total(x[e] * weights[e, to], e) + bias[to])

    names = tuple((Symbol(f"s_{at}"), layer(s[at])) for at in (i, k))
    start = partial(layer(VALUE), weights[a, i])
    chain = LOSS.begin("linear-layer", "Weight and bias gradient, s = x W + b", start)
    chain = replace(chain, names=((Z_NAME, layer(Z)), *names))
    chain = chain.differentiate().to("outer product of input and residual", x[a] * layer(p - t[i]))
    bias_gradient = partial(layer(VALUE), bias[i])
    return chain.lemma("bias gradient", bias_gradient, layer(p - t[i]))


def derive_shift() -> Derivation:
    """Adding one constant to every score changes nothing: the null space of the Hessian."""
    a = Symbol("a", real=True)

    def shifted(expression: Expr) -> Expr:
        return map_entries(expression, s, lambda index: s[index] + a)

    chain = LOSS.begin("shift", "Invariance under a common shift", shifted(VALUE))
    chain = chain.to("the shift cancels", VALUE)
    chain = chain.lemma("the gradient sums to zero", total(p_k - t[k], k), S.Zero)
    return chain.lemma("the Hessian maps the constant vector to zero", total(JACOBIAN, j), S.Zero)


def derive_bounds() -> Derivation:
    """``|grad_i| < 1``, ``sum |grad_i| <= 2``, ``0 <= H <= I / 2``."""
    others = total((1 - KroneckerDelta(i, k)) * exp(s[k]), k) / Z
    gradient = p - t[i]
    chain = LOSS.begin("bounds", "Bounds of gradient and Hessian", 1 - gradient)
    chain = chain.to("1 - p_i is the mass of the others", others + t[i])
    chain = chain.nonnegative("hence grad_i <= 1", others + t[i])
    chain = chain.positive("hence grad_i > -1", p + (1 - t[i]))
    chain = chain.lemma("|grad_i| <= p_i + t_i, which sums to 2", total(p_k + t[k], k), S(2))
    gap = total(v[k] ** 2, k) / 2 - total(total(JACOBIAN * v[i] * v[j], j), i)
    pairs = (1 - KroneckerDelta(j, k)) * p_j * p_k * (v[j] + v[k]) ** 2
    squares = 2 * total((p_j - HALF) ** 2 * v[j] ** 2, j) + total(total(pairs, k), j) / 2
    chain = chain.lemma("half the identity less the Hessian, as squares", gap, squares)
    return chain.nonnegative("hence H <= I / 2", squares)


def derive_optimum() -> Derivation:
    """Positive labels are recovered as ``t = softmax(s)``; the minimum is their entropy."""

    def at_optimum(expression: Expr) -> Expr:
        return map_entries(expression, s, lambda index: log(t[index]))

    chain = LOSS.begin("optimum", "Stationary point and minimum", at_optimum(p - t[i]))
    chain = chain.to("at s = log t, for positive t, the gradient vanishes", S.Zero)
    entropy = -total(t[k] * log(t[k]), k)
    chain = chain.lemma("value there: the entropy of the labels", at_optimum(VALUE), entropy)
    unique = "convex, and flat along common shifts only: every minimiser is log t + constant"
    return chain.forces(unique, LOSS.squares, LOSS.flat)


LOSS = SymbolicLoss(
    name="softmax_cross_entropy",
    family="softmax",
    formula="-Σ_i t_i log softmax(s)_i",
    labels=t,
    facts=distribution(t),
    value=VALUE,
    gradient=p - t[i],
    hessian=JACOBIAN,
    hvp=p * (v[i] - mean(p)),
    squares=spread(p),
    flat=v[i] - v[j],
    names=NAMES,
    claims={
        "definition": ("SURVEY-1", "SURVEY-10", "SCE-1b"),
        "logsumexp": ("SURVEY-30",),
        "jacobian": ("SCE-10", "SURVEY-15", "SURVEY-16"),
        "value": ("SCE-2",),
        "one-hot": ("SCE-6", "SCE-4", "SURVEY-11", "SURVEY-37", "7359-1", "7359-6"),
        "chain-rule": ("SCE-8", "SCE-9", "SCE-h", "SCE-11", "SURVEY-12", "SURVEY-13", "SURVEY-14"),
        "gradient": ("SCE-11", "SURVEY-17"),
        "linear-layer": ("SCE-7",),
    },
    own_topics={
        "definition": derive_definition,
        "logsumexp": derive_logsumexp,
        "jacobian": derive_jacobian,
        "value": derive_value,
        "one-hot": derive_one_hot,
        "chain-rule": derive_chain_rule,
        "linear-layer": derive_linear_layer,
        "shift": derive_shift,
        "bounds": derive_bounds,
        "optimum": derive_optimum,
    },
)
