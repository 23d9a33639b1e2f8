"""Binary cross-entropy and ZLPR, hard and soft (documents 001 and 002).

With ``A = 1 + sum_i t_i e^{-s_i}`` and ``B = 1 + sum_i (1 - t_i) e^{s_i}`` soft ZLPR is
``log A + log B``: what is left of binary cross-entropy, ``log prod_i (1 + e^{-s_i})^{t_i} +
log prod_i (1 + e^{s_i})^{1 - t_i}``, when each product is cut after its first order. With
``p_i = t_i e^{-s_i} / A`` and ``q_i = (1 - t_i) e^{s_i} / B`` the gradient is ``q - p`` and the
Hessian ``diag(p) - p p^T + diag(q) - q q^T``. The minimiser is ``s = logit(t) / 2``, that is
``t = sigma(2 s)``, and the minimum ``2 log(1 + sum_i sqrt(t_i (1 - t_i)))``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from sympy import Expr, IndexedBase, KroneckerDelta, S, Symbol, exp, log, sqrt

from derive.axis import Index, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import Facts, hard, soft
from derive.losses.loss import SymbolicLoss, Topic
from derive.losses.symbols import (
    A_NAME,
    B_NAME,
    LABELS,
    S0,
    at_index,
    bce_value,
    i,
    j,
    k,
    mean,
    s,
    sigmoid,
    spread,
    t,
    v,
    y,
)
from derive.series import GRADE, second_order, slope

# Binary cross-entropy -------------------------------------------------------------------------


def graded_products(label: IndexedBase) -> tuple[Expr, Expr]:
    """``prod (1 + z e^{-s})^t`` and ``prod (1 + z e^{s})^{1 - t}``: BCE's products at z = 1."""
    positive = LABELS.product((1 + GRADE * exp(-s[k])) ** label[k], k)
    negative = LABELS.product((1 + GRADE * exp(s[k])) ** (1 - label[k]), k)
    return positive, negative


def product_form(label: IndexedBase) -> Expr:
    """BCE as two logs of products (001 eq. 5, 12)."""
    positive, negative = (product.xreplace({GRADE: S.One}) for product in graded_products(label))
    return log(positive) + log(negative)


def derive_bce_value() -> Derivation:
    """Binary cross-entropy as softplus terms and as two logs of products."""
    chain = BCE.begin("value", "Binary cross-entropy", bce_value(t))
    softplus = total(t[k] * log(1 + exp(-s[k])), k) + total((1 - t[k]) * log(1 + exp(s[k])), k)
    chain = chain.to("open the sigmoids", softplus)
    chain = chain.to("sums of logs are logs of products", product_form(t))
    one_minus = chain.lemma("1 - sigma(s) = sigma(-s)", 1 - sigmoid(s[i]), sigmoid(-s[i]))
    return one_minus.lemma("sigma(s)", sigmoid(s[i]), exp(s[i]) / (1 + exp(s[i])))


def derive_bce_optimum() -> Derivation:
    """BCE is stationary exactly where ``t = sigma(s)``."""
    residual = sigmoid(s[i]) - t[i]
    chain = BCE.begin("optimum", "Minimiser of binary cross-entropy", BCE.gradient)
    return chain.to("the gradient is its own residual: zero iff t = sigma(s)", residual)


BCE_CURVATURE = sigmoid(s[i]) * sigmoid(-s[i])

BCE = SymbolicLoss(
    name="binary_cross_entropy",
    family="zlpr",
    formula="-Σ_i t_i log σ(s_i) - Σ_i (1 - t_i) log(1 - σ(s_i))",
    labels=t,
    facts=soft(t),
    value=bce_value(t),
    gradient=sigmoid(s[i]) - t[i],
    hessian=KroneckerDelta(i, j) * BCE_CURVATURE,
    hvp=BCE_CURVATURE * v[i],
    squares=total(at_index(BCE_CURVATURE, j) * v[j] ** 2, j),
    flat=v[i],
    claims={
        "value": (
            *("9064-c", "9064-h", "9064-i1"),
            *("9064-3", "9064-4", "9064-5", "9064-9", "9064-10", "9064-11", "9064-12"),
        ),
    },
    own_topics={"value": derive_bce_value, "optimum": derive_bce_optimum},
)


# ZLPR, hard and soft --------------------------------------------------------------------------


def sums(label: IndexedBase, threshold: Expr = S.Zero) -> tuple[Expr, Expr]:
    """``A`` and ``B``, the arguments of the two logs, with scores counted from a threshold."""
    positive = 1 + total(label[k] * exp(threshold - s[k]), k)
    negative = 1 + total((1 - label[k]) * exp(s[k] - threshold), k)
    return positive, negative


def weights(label: IndexedBase, threshold: Expr = S.Zero) -> tuple[Expr, Expr]:
    """``p_i`` and ``q_i``: the share of label i in ``A`` and in ``B``."""
    a, b = sums(label, threshold)
    return label[i] * exp(threshold - s[i]) / a, (1 - label[i]) * exp(s[i] - threshold) / b


def null_curvature(label: IndexedBase, threshold: Expr = S.Zero) -> Expr:
    """``p_i / A + q_i / B``: the curvature that the constant terms of the logs keep for label i."""
    a, b = sums(label, threshold)
    return label[i] * exp(threshold - s[i]) / a**2 + (1 - label[i]) * exp(s[i] - threshold) / b**2


def make_loss(
    name: str,
    formula: str,
    label: IndexedBase,
    facts: Facts,
    threshold: Expr,
    claims: Mapping[str, tuple[str, ...]],
    own_topics: Mapping[str, Topic],
) -> SymbolicLoss:
    """Hard and soft ZLPR are one formula; only the domain of the labels differs."""
    (a, b), (p, q) = sums(label, threshold), weights(label, threshold)
    outer = p * at_index(p, j) + q * at_index(q, j)
    curvature = total(at_index(null_curvature(label, threshold), j) * v[j] ** 2, j)
    return SymbolicLoss(
        name=name,
        family="zlpr",
        formula=formula,
        labels=label,
        facts=facts,
        value=log(a) + log(b),
        gradient=q - p,
        hessian=KroneckerDelta(i, j) * (p + q) - outer,
        hvp=p * (v[i] - mean(p)) + q * (v[i] - mean(q)),
        squares=curvature + spread(p) + spread(q),
        flat=v[i],
        names=((A_NAME, a), (B_NAME, b)),
        parameters=((S0, 0.0),) if threshold == S0 else (),
        claims=claims,
        own_topics=own_topics,
    )


def derive_value(loss: SymbolicLoss) -> Derivation:
    """Two logs are one, over no label, one negative, one positive, or a pair of both."""
    a, b = sums(loss.labels, S0 if loss.parameters else S.Zero)
    chain = loss.begin("value", "Value, as two logarithms and as one", loss.value)
    chain = chain.to("one logarithm", log(a * b))
    positive, negative = a - 1, b - 1
    opened = 1 + negative + positive + negative * positive
    chain = chain.to("nothing, one negative, one positive, or a pair", log(opened))
    return chain.nonnegative("the loss is never negative", log(opened))


def derive_from_bce(loss: SymbolicLoss) -> Derivation:
    """ZLPR is binary cross-entropy with each product cut after its first order."""
    label, (a, b) = loss.labels, sums(loss.labels)
    positive, negative = graded_products(label)
    chain = loss.begin(
        "from-bce", "From binary cross-entropy, cut inside the logs", bce_value(label)
    )
    chain = chain.to("logs of products", product_form(label))
    chain = chain.truncate("first order, positive side", positive, GRADE, a)
    chain = chain.truncate("first order, negative side", negative, GRADE, b)
    series = (
        "the binomial series itself converges for s_i > 0 only; the remainder is exact for all s"
    )
    note = series if loss is SOFT_ZLPR else ""
    second = second_order(positive)
    return chain.lemma("first of the dropped orders, positive side", second, _second(label), note)


def _second(label: IndexedBase) -> Expr:
    """``sum_{i<j} t_i t_j x_i x_j + sum_i t_i (t_i - 1) / 2 x_i^2`` with ``x = e^{-s}`` (s3)."""
    mixed = total(total((1 - KroneckerDelta(j, k)) * _term(label, j) * _term(label, k), k), j) / 2
    return mixed + total(label[k] * (label[k] - 1) / 2 * exp(-2 * s[k]), k)


def _term(label: IndexedBase, index: Index) -> Expr:
    return label[index] * exp(-s[index])


def derive_below_bce() -> Derivation:
    """For hard labels nothing negative is dropped: ZLPR is at most binary cross-entropy."""
    graded, _ = graded_products(y)
    ratio = y[j] * exp(-s[j]) / (1 + GRADE * exp(-s[j]))
    pairs = (1 - KroneckerDelta(j, k)) * ratio * at_index(ratio, k, j)
    bend = graded * total(total(pairs, k), j)
    title = "The remainder for hard labels"
    chain = ZLPR.begin("remainder", title, slope(slope(graded)))
    chain = chain.to("second derivative in the grade, at every z", bend)
    note = "the remainder is int_0^1 (1 - z) P''(z) dz, so that ZLPR <= BCE"
    return chain.nonnegative("it is non-negative", total(total(pairs, k), j), note)


def derive_threshold() -> Derivation:
    """A threshold class with score ``s_0``: pairwise comparisons factor into two logs."""
    negatives = total((1 - y[k]) * exp(s[k]), k)
    positives = total(y[k] * exp(-s[k]), k)
    pairs = total(total((1 - y[j]) * y[k] * exp(s[j] - s[k]), k), j)
    start = log(1 + pairs + total((1 - y[k]) * exp(s[k] - S0), k) + total(y[k] * exp(S0 - s[k]), k))
    chain = ZLPR.begin("threshold", "The threshold class", start)
    factored = log(exp(S0) + negatives) + log(exp(-S0) + positives)
    chain = chain.to("the double sum factors", factored)
    chain = chain.to("scores counted from the threshold", ZLPR.value)
    a, b = sums(y)
    return chain.lemma("at s_0 = 0", start.xreplace({S0: S.Zero}), log(b) + log(a))


def derive_hard_reduction() -> Derivation:
    """At labels in {0, 1} soft ZLPR is ZLPR: each label enters one sum only."""
    chain = SOFT_ZLPR.begin("hard-labels", "Reduction to hard labels", y[k] * (1 - y[k]))
    chain = chain.assuming(hard(y)).to("each label has weight in one sum only", S.Zero)
    at_hard = SOFT_ZLPR.value.xreplace({t: y})
    return chain.lemma("the two losses agree", at_hard, ZLPR.value.xreplace({S0: S.Zero}))


def derive_optimum() -> Derivation:
    """``t = sigma(2 s)`` is the minimiser, the only one, and the minimum is known."""
    a, b = sums(t)
    floor = 1 + total(sqrt(t[k] * (1 - t[k])), k)
    left, right = sqrt(t[j]) * exp(-s[j] / 2), sqrt(1 - t[j]) * exp(s[j] / 2)
    left_k, right_k = at_index(left, k, j), at_index(right, k, j)
    cross = total(total((left * right_k - left_k * right) ** 2, k), j) / 2
    gap = total((left - right) ** 2, j) + cross
    chain = SOFT_ZLPR.begin(
        "optimum", "The minimiser t = sigma(2s) and the minimum", SOFT_ZLPR.value
    )
    chain = chain.to("one logarithm", log(a * b))
    chain = chain.lemma("Lagrange's identity", a * b - floor**2, gap)
    chain = chain.nonnegative("hence l >= 2 log(1 + sum sqrt(t (1 - t)))", gap)
    return _derive_where_equal(chain, gap, left - right, left + right)


def _derive_where_equal(chain: Derivation, gap: Expr, difference: Expr, total_: Expr) -> Derivation:
    """Equality holds where ``sqrt(t) e^{-s/2} = sqrt(1 - t) e^{s/2}``: at ``t = sigma(2s)``."""
    residual = (exp(s[j]) + exp(-s[j])) * (t[j] - sigmoid(2 * s[j]))
    chain = chain.forces("equality needs", gap, difference)
    chain = chain.positive("the conjugate is positive", total_)
    balance = t[j] * exp(-s[j]) - (1 - t[j]) * exp(s[j])
    chain = chain.lemma("difference times conjugate", difference * total_, balance)
    chain = chain.lemma("which is a positive multiple of t - sigma(2s)", balance, residual)
    chain = chain.forces(
        "so t = sigma(2s) is the only minimiser", residual, t[j] - sigmoid(2 * s[j])
    )
    return chain.lemma("and there the gap closes", _at_link(gap), S.Zero)


def _at_link(expression: Expr) -> Expr:
    """The expression with every label replaced by ``sigma(2s)``."""
    return map_entries(expression, t, lambda index: sigmoid(2 * s[index]))


def derive_stationarity() -> Derivation:
    """The document's own argument: at ``t = sigma(2s)`` every partial derivative vanishes."""
    chain = SOFT_ZLPR.begin(
        "stationarity", "Stationary at t = sigma(2s)", _at_link(SOFT_ZLPR.gradient)
    )
    chain = chain.to("the two sums coincide", S.Zero)
    a, b = sums(t)
    chain = chain.lemma("A = B there", _at_link(a), _at_link(b))
    odds = _at_link(t[i] / (1 - t[i]))
    chain = chain.lemma("the odds are e^{2s}", odds, exp(2 * s[i]))
    return chain.lemma("half the logit", _at_link(log(t[i] / (1 - t[i]))) / 2, s[i])


def derive_diagonal() -> Derivation:
    """Diagonal of the Hessian, positive everywhere; at the minimiser ``2 w (Z - w) / Z^2``."""
    (a, b), (p, q), (rest_a, rest_b) = sums(t), weights(t), _sums_of_others()
    diagonal = p * (1 - p) + q * (1 - q)
    start = partial(SOFT_ZLPR.value, s[i], s[i])
    chain = SOFT_ZLPR.begin("diagonal", "Diagonal of the Hessian", start)
    chain = chain.to("each side is p (1 - p)", diagonal)
    printed = t[i] * exp(-s[i]) * rest_a / a**2 + (1 - t[i]) * exp(s[i]) * rest_b / b**2
    chain = chain.to("1 - p_i is the mass of the others (001, eq. 29)", printed)
    chain = chain.positive("it is positive, for every t in [0, 1]", printed)
    w, z = _at_link(t[i] * exp(-s[i])), _at_link(a)
    return chain.lemma("at the minimiser", _at_link(diagonal), 2 * w * (z - w) / z**2)


def _sums_of_others() -> tuple[Expr, Expr]:
    """``A`` and ``B`` without the term of label i."""
    others = 1 - KroneckerDelta(i, k)
    rest_a = 1 + total(others * t[k] * exp(-s[k]), k)
    return rest_a, 1 + total(others * (1 - t[k]) * exp(s[k]), k)


def derive_bounds() -> Derivation:
    """``|grad_i| < 1`` for every score, and no smaller constant will do."""
    a, b = sums(t)
    p, q = weights(t)
    rest_a, rest_b = _sums_of_others()
    chain = SOFT_ZLPR.begin("bounds", "Gradient bound with the best constant", 1 - (q - p))
    chain = chain.to("1 - q_i is the mass of the others", p + rest_b / b)
    chain = chain.positive("hence grad_i < 1", p + rest_b / b)
    chain = chain.lemma("likewise", 1 + (q - p), q + rest_a / a)
    chain = chain.positive("hence grad_i > -1", q + rest_a / a)
    return _derive_best_constant(chain, rest_a, rest_b)


def _derive_best_constant(chain: Derivation, rest_a: Expr, rest_b: Expr) -> Derivation:
    x, tau = Symbol("x", nonnegative=True), Symbol("tau", positive=True)
    alpha, beta = Symbol("alpha", positive=True), Symbol("beta", positive=True)
    free = (1 - tau) * x / (beta + (1 - tau) * x) - tau / (alpha * x + tau)
    inserted = free.xreplace({x: exp(s[i]), tau: t[i], alpha: rest_a, beta: rest_b})
    chain = chain.lemma(
        "as a function of x = e^{s_i}, other scores fixed", SOFT_ZLPR.gradient, inserted
    )
    distance = (1 - tau) / (beta + (1 - tau) * x) + alpha / (alpha * x + tau)
    chain = chain.lemma("its distance to -1, for a label that is not 0", 1 + free, x * distance)
    note = "the bracket has the limit (1 - tau) / beta + alpha / tau: for x -> 0 the gradient -> -1"
    return chain.positive("the denominators stay positive at x = 0", tau * beta, note)


def _about(name: str, derivation: Callable[[SymbolicLoss], Derivation]) -> Topic:
    return lambda: derivation(BY_NAME[name])


def _later(name: str, module: str, derivation: str) -> Topic:
    """One in a module of its own, which takes as long to import as a gradient to derive."""
    place = f"derive.losses.{module}"
    return lambda: getattr(import_module(place), derivation)(BY_NAME[name])


ZLPR = make_loss(
    name="zlpr",
    formula="log(1 + Σ_neg e^(s_i - s_0)) + log(1 + Σ_pos e^(s_0 - s_j))",
    label=y,
    facts=hard(y),
    threshold=S0,
    claims={
        "from-bce": ("9064-d", "9064-6", "9064-8"),
        "threshold": ("7359-10", "7359-11"),
    },
    own_topics={
        "value": _about("zlpr", derive_value),
        "from-bce": _about("zlpr", derive_from_bce),
        "remainder": derive_below_bce,
        "threshold": derive_threshold,
        "population": _later("zlpr", "population", "derive_population"),
        "two-labels": _later("zlpr", "thresholds", "derive_two_labels"),
        "parent": _later("zlpr", "thresholds", "derive_parent"),
    },
)

SOFT_ZLPR = make_loss(
    name="soft_zlpr",
    formula="log(1 + Σ_i t_i e^(-s_i)) + log(1 + Σ_i (1 - t_i) e^(s_i))",
    label=t,
    facts=soft(t),
    threshold=S.Zero,
    claims={
        "from-bce": ("9064-i2", "9064-15", "9064-15b", "9064-16"),
        "hard-labels": ("9064-j", "9064-16c", "9064-44"),
        "gradient": ("9064-k", "9064-17"),
        "stationarity": (
            *("9064-18", "9064-19", "9064-20", "9064-21", "9064-22"),
            *("9064-24", "9064-26", "9064-28"),
        ),
        "optimum": ("9064-m", "9064-n", "9064-23", "9064-43"),
        "diagonal": ("9064-29", "9064-30", "9064-32", "9064-33"),
        "bounds": ("9064-45",),
    },
    own_topics={
        "value": _about("soft_zlpr", derive_value),
        "from-bce": _about("soft_zlpr", derive_from_bce),
        "hard-labels": derive_hard_reduction,
        "stationarity": derive_stationarity,
        "optimum": derive_optimum,
        "diagonal": derive_diagonal,
        "bounds": derive_bounds,
        "norms": _later("soft_zlpr", "steepness", "derive_norms"),
        "smoothness": _later("soft_zlpr", "steepness", "derive_smoothness"),
    },
)

BY_NAME = {loss.name: loss for loss in (BCE, ZLPR, SOFT_ZLPR)}
