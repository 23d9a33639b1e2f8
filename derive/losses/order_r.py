"""The order-r family: from ZLPR at r = 1 to binary cross-entropy at r = n (documents 001 and 002).

With ``v_i = (1 - t_i) e^{s_i}``, ``w_i = t_i e^{-s_i}`` and the elementary symmetric polynomials

    l_r = log sum_{a <= r} e_a(w) + log sum_{b <= r} e_b(v),

the index set ``{a <= r, b <= r}`` of the lattice. A partial sum is one coefficient,
``A = sum_{a <= r} e_a(w) = [z^r] W(z) / (1 - z)`` with ``W(z) = prod_i (1 + w_i z)``. The terms of
``A`` that hold label i have the share ``p_i = w_i [z^{r-1}] W_{-i} / (1 - z) / A``, where the
product ``W_{-i}`` leaves label i out. Likewise ``q_i`` in ``B``, the sum of the ``e_b(v)``. The
gradient is ``q - p``, the Hessian the covariance of the two distributions over sets of labels.

The valid form weights each label once. Cutting the binomial series of soft binary cross-entropy,
``prod_i (1 + e^{-s_i})^{t_i}``, at the same order is another formula from order 2 on, and no loss:
it becomes negative under the log.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Add, Expr, IndexedBase, KroneckerDelta, Rational, S, Symbol, exp, log, sqrt

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial
from derive.coefficients import Z, coefficient, order_sum
from derive.derivation import Derivation
from derive.facts import hard, soft, strictly_soft
from derive.lattice.convexity import log_sum_is_convex, start_of_lines
from derive.lattice.optimum import geometric_means, sigma2
from derive.lattice.sums import negatives, positives, r, up_to
from derive.lattice.sums import p as below
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import (
    A_NAME,
    B_NAME,
    at_index,
    i,
    j,
    k,
    s,
    sigmoid,
    t,
    v,
    y,
)


def partial_sum(series: Expr, last: Expr = r) -> Expr:
    """``sum_{a <= r} [z^a] series = [z^r] series / (1 - z)``."""
    return coefficient(series / (1 - Z), last)


def sums(label: IndexedBase) -> tuple[Expr, Expr]:
    """``A`` and ``B``, the arguments of the two logs: of the positives, of the negatives."""
    return partial_sum(positives(label)), partial_sum(negatives(label))


def entries(index: Index) -> tuple[Expr, Expr]:
    """``w`` and ``v`` at an index."""
    return t[index] * exp(-s[index]), (1 - t[index]) * exp(s[index])


A, B = sums(t)
w_i, v_i = entries(i)
#: The terms of ``A`` (of ``B``) that hold label i.
one_a = w_i * partial_sum(positives(t, i), r - 1)
one_b = v_i * partial_sum(negatives(t, i), r - 1)
w_j, v_j = entries(j)
#: The terms that hold both i and j, two different labels.
two_a = w_i * w_j * partial_sum(positives(t, i, j), r - 2)
two_b = v_i * v_j * partial_sum(negatives(t, i, j), r - 2)
#: As shares of all terms: the probability that label i is in the set.
p, q = one_a / A, one_b / B
SAME = KroneckerDelta(i, j)
#: ``A``, its derivatives by ``s_i`` and by ``s_i`` and ``s_j``; and those of ``B``.
SIDES = (
    (A, -one_a, SAME * one_a + (1 - SAME) * two_a),
    (B, one_b, SAME * one_b + (1 - SAME) * two_b),
)


def covariance() -> Expr:
    """``P(i and j) - P(i) P(j)`` of the two distributions over sets of labels, added."""
    parts = (both / all_ - one * at_index(one, j) / all_**2 for all_, one, both in SIDES)
    return Add(*parts)


def covariance_with_sum() -> Expr:
    """The covariance of label i with ``sum_j v_j [j in S]``, of both sides, added."""
    sides = ((A, one_a, two_a), (B, one_b, two_b))
    return Add(*(_covariance_with_sum(*side) for side in sides))


def _covariance_with_sum(all_: Expr, one: Expr, two: Expr) -> Expr:
    together = one * v[i] + total((1 - SAME) * two * v[j], j)
    return together / all_ - one / all_ * total(at_index(one, j) / all_ * v[j], j)


def derive_gradient() -> Derivation:
    """The terms that hold label i, as a share of all terms of their side."""
    chain = ORDER.begin("gradient", "Gradient", partial(ORDER.value, s[i]))
    chain = chain.to("the chain rule", Add(*(partial(all_, s[i]) / all_ for all_, *_ in SIDES)))
    for all_, one, _ in SIDES:
        rule = "the terms that hold label i: without it, one order less"
        chain = chain.rewrite(rule, partial(all_, s[i]), one)
    return chain.to("as shares", ORDER.gradient)


def _second_derivatives(chain: Derivation) -> Derivation:
    """Rewrite ``d^2 l / ds_i ds_j``, wherever the chain holds it, in the terms of each side."""
    parts = (
        partial(all_, s[i], s[j]) / all_ - partial(all_, s[i]) * partial(all_, s[j]) / all_**2
        for all_, *_ in SIDES
    )
    chain = chain.rewrite("the chain rule", partial(ORDER.value, s[i], s[j]), Add(*parts))
    for all_, one, both in SIDES:
        rule = "the terms that hold both labels: without them, two orders less"
        chain = chain.rewrite(rule, partial(all_, s[i], s[j]), both)
        chain = chain.rewrite("the terms that hold label i", partial(all_, s[i]), one)
        chain = chain.rewrite("the terms that hold label j", partial(all_, s[j]), at_index(one, j))
    return chain


def derive_hessian() -> Derivation:
    """Covariance: the share of the terms that hold both labels, less the product of the shares."""
    chain = ORDER.begin("hessian", "Hessian", partial(ORDER.value, s[i], s[j]))
    return _second_derivatives(chain).to("collect the terms", ORDER.hessian)


def derive_hvp() -> Derivation:
    """The covariance of label i with the sum of the vector over the set."""
    start = total(partial(ORDER.value, s[i], s[j]) * v[j], j)
    chain = _second_derivatives(ORDER.begin("hvp", "Hessian-vector product", start))
    parts: dict[Expr, Expr] = {A: A_NAME, B: B_NAME}
    for series, one, two in ((positives, "p", "P"), (negatives, "q", "Q")):
        for index in (i, j):
            parts[partial_sum(series(t, index), r - 1)] = array(one)[index]
        parts[partial_sum(series(t, i, j), r - 2)] = array(two)[i, j]
    return chain.generally("sift the delta and collect", ORDER.hvp, parts)


def derive_value() -> Derivation:
    """Partial sums of elementary symmetric polynomials, one coefficient each."""
    start = log(up_to(positives(t), r)) + log(up_to(negatives(t), r))
    chain = ORDER.begin("value", "At most r labels on either side", start)
    chain = chain.to("a partial sum is one coefficient", ORDER.value)
    chain = chain.to("one logarithm", log(A * B))
    rest = order_sum(coefficient(positives(t), below), below, 1, r)
    chain = chain.lemma("the term of order 0 is 1", up_to(positives(t), r), 1 + rest)
    return chain.nonnegative("so the loss is never negative", log(1 + rest))


def _at_order(number: Expr) -> Expr:
    return ORDER.value.xreplace({r: number})


def derive_zlpr() -> Derivation:
    """Order 1 is soft ZLPR, order 0 is nothing."""
    from derive.losses.zlpr import SOFT_ZLPR  # another family, for this topic alone

    chain = ORDER.begin("zlpr", "Order 1 is soft ZLPR", _at_order(S.One))
    chain = chain.to("orders 0 and 1", SOFT_ZLPR.value)
    return chain.lemma("order 0", _at_order(S.Zero), S.Zero)


def derive_bce() -> Derivation:
    """From r = n on every order counts; with hard labels that is binary cross-entropy."""
    from derive.losses.zlpr import product_form  # another family, for this topic alone

    series = positives(y), negatives(y)
    start = log(up_to(series[0], S.Infinity)) + log(up_to(series[1], S.Infinity))
    chain = ORDER.begin("bce", "All orders, hard labels: binary cross-entropy", start)
    chain = chain.assuming(hard(y))
    ones = [one.xreplace({Z: S.One}) for one in series]
    chain = chain.to("the sum of all orders is the value at z = 1", log(ones[0]) + log(ones[1]))
    note = "for soft labels the factors differ: 1 + t e^-s is no (1 + e^-s)^t"
    return chain.to("binary cross-entropy", product_form(y), note)


def derive_monotone() -> Derivation:
    """One order more adds terms that are not negative."""
    start = ORDER.value.xreplace({r: r + 1}) - ORDER.value
    more = coefficient(positives(t), r + 1) / A, coefficient(negatives(t), r + 1) / B
    chain = ORDER.begin("monotone", "Larger r, larger loss", start)
    chain = chain.to("what order r + 1 adds", log(1 + more[0]) + log(1 + more[1]))
    chain = chain.positive("A is positive", _from_one(positives(t)))
    return chain.nonnegative("nothing negative: ZLPR <= ... <= BCE", chain.result)


def _from_one(series: Expr) -> Expr:
    return 1 + order_sum(coefficient(series, below), below, 1, r)


def derive_convexity() -> Derivation:
    """Each side is a log of a sum of exponentials of linear functions, at every order."""
    title = "Convexity at every order"
    chain = ORDER.begin("convexity", title, start_of_lines())
    chain = log_sum_is_convex(chain)
    note = "a product over a subset is c e^(alpha + tau beta) on a line (lattice.convexity)"
    return chain.lemma(
        "the terms of order a + 1 from those of order a", *_recursion_by_elements(), note
    )


def _recursion_by_elements() -> tuple[Expr, Expr]:
    others = positives(t, i)
    return A, partial_sum(others) + w_i * partial_sum(others, r - 1)


def derive_stationarity() -> Derivation:
    """At ``t = sigma(2s)`` the gradient vanishes, whatever the order."""
    title = "Stationary at t = sigma(2s) at every order"
    chain = ORDER.begin("stationarity", title, sigma2(ORDER.gradient))
    chain = chain.to("the two sides coincide", S.Zero)
    return chain.lemma("A = B there", sigma2(A), sigma2(B))


def derive_optimum() -> Derivation:
    """The minimum over the scores, attained at ``t = sigma(2s)``."""
    title = "The minimiser t = sigma(2s) at every order, and the minimum"
    chain = ORDER.begin("optimum", title, sigma2(ORDER.value))
    floor = 2 * log(partial_sum(geometric_means()))
    note = (
        "least by lattice.minimum, and for r >= 1 nowhere else by lattice.uniqueness: (1, 0) in I"
    )
    chain = chain.to("v = w = sqrt(t (1 - t)) there", sigma2(floor), note)
    roots = total(sqrt(t[k] * (1 - t[k])), k)
    return chain.lemma("at order 1", floor.xreplace({r: S.One}), 2 * log(1 + roots))


def derive_truncated_binomial() -> Derivation:
    """Soft BCE's binomial series, cut at order 2, is negative under the log for some score."""
    x = Symbol("x", positive=True)
    series = (1 + x * Z) ** t[i]
    title = "The binomial series of soft BCE, cut at order 2, is no loss"
    chain = ORDER.begin("truncated-binomial", title, partial_sum(series, S(2)))
    chain = chain.assuming(strictly_soft(t))
    cut = 1 + t[i] * x - t[i] * (1 - t[i]) / 2 * x**2
    note = "the third term is what hard labels lack; x = e^{-s}, the other scores at infinity"
    chain = chain.to("one label, orders 0 to 2", cut, note)
    far = 2 * (1 + 1 / t[i]) / (1 - t[i])
    depth = (t[i] ** 2 + t[i] + 2) / (t[i] * (1 - t[i]))
    note = "the log of a negative number, for every t in (0, 1)"
    chain = chain.lemma("at x = 2 (1 + 1/t) / (1 - t)", cut.xreplace({x: far}), -depth, note)
    chain = chain.positive("which is below zero", depth)
    chain = chain.positive("at an x > 0, that is at a score", far)
    valid = partial_sum(1 + t[i] * x * Z, S(2))
    return chain.lemma("the valid form has 1 + t x instead", valid, 1 + t[i] * x)


#: ``rho = P_{r-1} / P_r`` of the other labels, on either side and where both are equal.
RHO_POSITIVE, RHO_NEGATIVE = Symbol("rho_+", positive=True), Symbol("rho_-", positive=True)
RHO = Symbol("rho", positive=True)
P_R, P_BELOW = Symbol("P_r"), Symbol("P_{r-1}")


def derive_population() -> Derivation:
    """Which probability a score stands for, the other labels given: from sigma(2s) to sigma(s)."""
    others = positives(y, i)
    whole, lower = partial_sum(others), partial_sum(others, r - 1)
    chain = ORDER.begin("population", "Population optimum of hard labels", _present())
    chain = replace(chain.assuming(hard(y)), names=((P_R, whole), (P_BELOW, lower)))
    alone = whole + exp(-s[i]) * lower
    chain = chain.to("label i present: with it, or without it", alone)
    slope = -exp(-s[i]) * lower / alone
    chain = chain.lemma("its slope", partial(log(alone), s[i]), slope)
    ratio = {RHO_POSITIVE: lower / whole}
    rule = "in rho = P_{r-1} / P_r: -sigma(log rho - s)"
    chain = chain.lemma(rule, slope, -_slopes()[0].xreplace(ratio))
    rise = coefficient(others, r)
    chain = chain.lemma("rho is at most 1", whole - lower, rise)
    chain = chain.nonnegative("for orders are added", rise)
    return _balance(chain)


def _present() -> Expr:
    """``A`` where label i is present and the other labels are as they are."""

    def one(index: Index) -> Expr:
        here = KroneckerDelta(index, i)
        return y[index] * (1 - here) + here

    return map_entries(sums(y)[0], y, one)


def _slopes() -> tuple[Expr, Expr]:
    """``sigma(log rho_+ - s)`` and ``sigma(log rho_- + s)``: how steep each side is."""
    x = exp(s[i])
    return RHO_POSITIVE / (RHO_POSITIVE + x), RHO_NEGATIVE * x / (1 + RHO_NEGATIVE * x)


def _balance(chain: Derivation) -> Derivation:
    """The two slopes weighted with the probability ``eta`` of the label."""
    x, (down, up) = exp(s[i]), _slopes()
    chain = chain.lemma("label i present", down, sigmoid(log(RHO_POSITIVE) - s[i]))
    chain = chain.lemma("label i absent, likewise", up, sigmoid(log(RHO_NEGATIVE) + s[i]))
    odds = RHO_NEGATIVE * (x + RHO_POSITIVE), RHO_POSITIVE * (1 / x + RHO_NEGATIVE)
    eta = odds[0] / (odds[0] + odds[1])
    rule = "the mean slope vanishes at the probability eta"
    chain = chain.lemma(rule, (1 - eta) * up - eta * down, S.Zero)
    balanced = (x + RHO) / (x + 1 / x + 2 * RHO)
    same = eta.xreplace({RHO_POSITIVE: RHO, RHO_NEGATIVE: RHO})
    chain = chain.lemma("eta where rho is equal on both sides", same, balanced)
    chain = chain.lemma("rho = 1, r >= n: BCE", balanced.xreplace({RHO: S.One}), sigmoid(s[i]))
    chain = chain.lemma("rho -> 0: soft ZLPR", balanced.xreplace({RHO: S.Zero}), sigmoid(2 * s[i]))
    at_zero = balanced.xreplace({s[i]: S.Zero})
    return chain.lemma("s = 0 stands for 1/2 at every rho", at_zero, Rational(1, 2))


ORDER = SymbolicLoss(
    name="order_r",
    family="order_r",
    formula="log Σ_{a<=r} e_a(t e^(-s)) + log Σ_{b<=r} e_b((1 - t) e^s)",
    labels=t,
    facts=soft(t),
    value=log(A) + log(B),
    gradient=q - p,
    hessian=covariance(),
    hvp=covariance_with_sum(),
    names=((A_NAME, A), (B_NAME, B)),
    parameters=((r, 2),),
    own_topics={
        "value": derive_value,
        "zlpr": derive_zlpr,
        "bce": derive_bce,
        "monotone": derive_monotone,
        "gradient": derive_gradient,
        "hessian": derive_hessian,
        "hvp": derive_hvp,
        "convexity": derive_convexity,
        "stationarity": derive_stationarity,
        "optimum": derive_optimum,
        "truncated-binomial": derive_truncated_binomial,
        "population": derive_population,
    },
)
