"""Combination softmax: k labels chosen of n, Newton's identities, the padding class (002, eq. 2-5).

With ``x_i = e^{s_i}`` and ``E(z) = prod_i (1 + x_i z)``, ``Z_k = [z^k] E`` is the sum over all
subsets of k labels of the product of their ``x``. The loss of the k positive labels is the softmax
loss of one subset among ``C(n, k)``,

    l = log Z_k - sum_i y_i s_i,    P_i = x_i [z^{k-1}] E_{-i} / Z_k,

where ``E_{-i}`` leaves label i out and ``P_i`` is the probability that a subset holds label i. The
gradient is ``P_i - y_i``, the Hessian the covariance ``P_ij - P_i P_j`` of "holds i", "holds j".

For at most K labels a class 0 of score ``s_0`` fills up: ``Zbar_K = sum_{j <= K} e^{(K-j) s_0} Z_j
= [z^K] E / (1 - e^{s_0} z)``, so that ``E`` becomes ``E / (1 - e^{s_0} z)`` in each formula above.
All statements hold for every n and every order; each is an equation between generating functions.
"""

from __future__ import annotations

from sympy import Expr, Integer, KroneckerDelta, Mul, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import Partial, map_entries, partial
from derive.coefficients import Z, coefficient, order, order_sum
from derive.derivation import Derivation
from derive.facts import NOTHING_ASSUMED, choosing, hard, soft
from derive.lattice.convexity import TAU, log_sum_is_convex, start_of_lines
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import LABELS, S0, bce_value, c, i, j, s, sigmoid, t, v, y

l, q = LABELS.indices("l q")
u = array("u")

#: The number of labels chosen, and the largest number with the padding class.
CHOSEN, LARGEST = order("k"), order("K")
#: Bound orders.
m = order("m")

POSITIVES = total(y[l], l)
PADDING = 1 / (1 - exp(S0) * Z)


def x(index: Index) -> Expr:
    """``x_i = e^{s_i}``."""
    return exp(s[index])


def product_without(*left_out: Index) -> Expr:
    """``E(z)`` over all labels but those left out."""
    kept = Mul(*(1 - KroneckerDelta(index, l) for index in left_out))
    return LABELS.product(1 + kept * x(l) * Z, l)


E = product_without()
#: ``E'/E = sum_l x_l / (1 + x_l z)``.
LOG_SLOPE = total(x(l) / (1 + x(l) * Z), l)


def power_sum(power: Expr, weight: Expr = S.One) -> Expr:
    """``S_m = sum_l x_l^m``, or with a weight written at ``l``."""
    return total(weight * exp(power * s[l]), l)


def subsets(size: Expr, padding: Expr = S.One) -> Expr:
    """``Z_k``, or ``Zbar_K`` with the padding class."""
    return coefficient(E * padding, size)


def inclusion(index: Index, size: Expr, padding: Expr = S.One) -> Expr:
    """``P_i``: the share of the subsets that hold the label."""
    holding = x(index) * coefficient(product_without(index) * padding, size - 1)
    return holding / subsets(size, padding)


def _both(first: Index, second: Index, size: Expr, padding: Expr) -> Expr:
    """The share of the subsets that hold two labels, 0 where they are the same."""
    rest = coefficient(product_without(first, second) * padding, size - 2)
    apart = 1 - KroneckerDelta(first, second)
    return apart * x(first) * x(second) * rest / subsets(size, padding)


def covariance(size: Expr, padding: Expr = S.One) -> Expr:
    """``P_ij - P_i P_j``, with ``P_ii = P_i``."""
    own, other = inclusion(i, size, padding), inclusion(j, size, padding)
    return KroneckerDelta(i, j) * own + _both(i, j, size, padding) - own * other


def covariance_times(vector: Expr, size: Expr, padding: Expr = S.One) -> Expr:
    """``sum_j (P_ij - P_i P_j) v_j`` for a vector written at ``j``."""
    own = inclusion(i, size, padding)
    mean = total(inclusion(j, size, padding) * vector, j)
    at_own = vector.xreplace({j: i})
    return own * (at_own - mean) + total(_both(i, j, size, padding) * vector, j)


# The distribution over subsets -----------------------------------------------------------------


def derive_newton() -> Derivation:
    """Newton's identities from ``z E' = E sum_l x_l z / (1 + x_l z)``, for every k and every n."""
    k = CHOSEN
    start = k * subsets(k)
    chain = COMBINATION.begin("newton", "Newton's identities", start).assuming(NOTHING_ASSUMED)
    chain = chain.to("k [z^k] E = [z^k] z E'", coefficient(Z * Partial(E, Z), k))
    chain = chain.to("the logarithmic derivative of the product", coefficient(Z * E * LOG_SLOPE, k))
    recursion = order_sum((-1) ** (m - 1) * power_sum(m) * subsets(k - m), m, 1, k)
    chain = chain.to("geometric series of x_l z, order by order", recursion)
    z_1, z_2, z_3 = (subsets(Integer(size)) for size in (1, 2, 3))
    s_1, s_2, s_3 = (power_sum(Integer(power)) for power in (1, 2, 3))
    chain = chain.lemma("as printed, k = 1", z_1, s_1)
    chain = chain.lemma("as printed, k = 2", 2 * z_2, z_1 * s_1 - s_2)
    return chain.lemma("as printed, k = 3", 3 * z_3, z_2 * s_1 - z_1 * s_2 + s_3)


def derive_weighted_newton() -> Derivation:
    """With power sums weighted by soft labels the recursion gives ``prod (1 + x_l)^{t_l}``."""
    k, weighted = CHOSEN, LABELS.product((1 + x(l) * Z) ** t[l], l)
    title = "Newton's identities with weights: the binomial series by orders"
    chain = COMBINATION.begin("weighted-newton", title, k * coefficient(weighted, k))
    chain = chain.assuming(soft(t))
    slope = total(t[l] * x(l) / (1 + x(l) * Z), l)
    chain = chain.to("the logarithmic derivative", coefficient(Z * weighted * slope, k))
    sums = power_sum(m, t[l])
    recursion = order_sum((-1) ** (m - 1) * sums * coefficient(weighted, k - m), m, 1, k)
    chain = chain.to("the same recursion, with sums t_l x_l^m", recursion)
    first, second = (coefficient(weighted, Integer(size)) for size in (1, 2))
    chain = chain.lemma("order 1", first, total(t[l] * x(l), l))
    halves = (total(t[l] * x(l), l) ** 2 - total(t[l] * x(l) ** 2, l)) / 2
    return chain.lemma("order 2: for soft labels it may be negative", second, halves)


def derive_elements() -> Derivation:
    """Recursion by elements: a subset leaves label i out, or holds it and k - 1 others."""
    k, without = CHOSEN, product_without(i)
    chain = COMBINATION.begin("elements", "Recursion by elements", subsets(k))
    chain = chain.assuming(NOTHING_ASSUMED)
    chain = chain.to("E = (1 + x_i z) E_{-i}", coefficient((1 + x(i) * Z) * without, k))
    by_label = coefficient(without, k) + x(i) * coefficient(without, k - 1)
    chain = chain.to("without the label, or with it", by_label)
    chain = chain.lemma("the empty subset", subsets(S.Zero), S.One)
    share = coefficient(without, k) / subsets(k)
    chain = chain.assuming(choosing(k))
    chain = chain.lemma("the shares of both cases are 1", share + inclusion(i, k), S.One)
    return chain.nonnegative("each of them is not negative", inclusion(i, k))


def derive_inclusion() -> Derivation:
    """The gradient of ``log Z_k``: inclusion probabilities, which sum to k."""
    k = CHOSEN
    title = "Inclusion probabilities and their covariance"
    chain = COMBINATION.begin("inclusion", title, partial(log(subsets(k)), s[i]))
    chain = chain.assuming(choosing(k)).differentiate()
    chain = chain.to("the subsets that hold label i", inclusion(i, k))
    chain = chain.lemma("they sum to k", total(inclusion(j, k), j), k)
    pair = _both(i, j, k, S.One) + KroneckerDelta(i, j) * inclusion(i, k)
    note = "so each row of the covariance P_ij - P_i P_j sums to 0, for the P_j sum to k"
    chain = chain.lemma("pairs: sum_j P_ij = k P_i", total(pair, j), k * inclusion(i, k), note)
    hessian = partial(log(subsets(k)), s[i], s[j])
    return chain.lemma("the Hessian is their covariance", hessian, covariance(k))


def derive_correlation() -> Derivation:
    """Labels of one subset repel each other: ``P_ij <= P_i P_j``, by Newton's inequality."""
    k, others, apart = CHOSEN, product_without(i, j), 1 - KroneckerDelta(i, j)
    f0, f1, f2 = (Symbol(f"f_{back}", nonnegative=True) for back in range(3))
    one, other = (Symbol(name, positive=True) for name in ("x_i", "x_j"))
    whole = f0 + (one + other) * f1 + one * other * f2
    start = (f1 + other * f2) * (f1 + one * f2) - f2 * whole
    title = "Two labels are never positively correlated"
    chain = COMBINATION.begin("correlation", title, start).assuming(NOTHING_ASSUMED)
    note = "times x_i x_j / Z_k^2 it is P_i P_j - P_ij, with f_0, f_1, f_2 = A_k, A_{k-1}, A_{k-2}"
    chain = chain.to("what the orders of A = E_{-ij} leave", f1**2 - f0 * f2, note)
    a_0, a_1, a_2 = (coefficient(others, k - back) for back in range(3))
    holding = coefficient(product_without(i), k - 1), a_1 + x(j) * a_2
    chain = chain.lemma("subsets that hold i, for j not i", *(apart * side for side in holding))
    whole = a_0 + (x(i) + x(j)) * a_1 + x(i) * x(j) * a_2
    chain = chain.lemma("all subsets, for j not i", apart * subsets(k), apart * whole)
    return _curvature(_log_concave(chain))


def _log_concave(chain: Derivation) -> Derivation:
    """``e_m^2 >= e_{m+1} e_{m-1}``, by induction over the labels."""
    f0, f1, f2, f3 = (Symbol(f"f_{back}", nonnegative=True) for back in range(4))
    added = Symbol("x", positive=True)
    with_label = (f1 + added * f2) ** 2 - (f0 + added * f1) * (f2 + added * f3)
    three = (f1**2 - f0 * f2) + added * (f1 * f2 - f0 * f3) + added**2 * (f2**2 - f1 * f3)
    note = "f_0, ..., f_3 are the orders m + 1, ..., m - 2 without the new label"
    chain = chain.lemma("one label more", with_label, three, note)
    middle = f1 * f2 * (f1 * f2 - f0 * f3)
    products = f0 * f2 * (f2**2 - f1 * f3) + f2**2 * (f1**2 - f0 * f2)
    chain = chain.lemma("the middle term, times f_1 f_2", middle, products)
    first, second, third = (Symbol(f"g_{number}", nonnegative=True) for number in range(3))
    whole = first + added * second + added**2 * third
    return chain.nonnegative("all three are non-negative by induction", whole)


def _curvature(chain: Derivation) -> Derivation:
    """A symmetric matrix whose rows sum to 0, as a sum over pairs."""
    h = array("h")
    form = total(total((h[i, j] + h[j, i]) * v[i] * v[j], j), i)
    pairs = -total(total((h[i, j] + h[j, i]) * (v[i] - v[j]) ** 2, j), i) / 2
    rows = total(total(h[i, j] + h[j, i], j) * v[i] ** 2, i)
    note = "the rows of the covariance sum to 0: v' H v = 1/2 sum_ij (P_i P_j - P_ij)(v_i - v_j)^2"
    return chain.lemma("a quadratic form over pairs and rows", form, pairs + rows, note)


# Combination softmax ---------------------------------------------------------------------------


def derive_value() -> Derivation:
    """The loss of one subset among C(n, k), as printed and as log-partition less scores."""
    chosen = total(y[l] * s[l], l)
    start = -log(exp(chosen) / subsets(POSITIVES))
    chain = COMBINATION.begin("value", "Softmax over the subsets of k labels", start)
    chain = chain.to("log Z_k less the scores of the labels", COMBINATION.value)
    pairs = total(total((1 - KroneckerDelta(i, j)) * exp(s[i] + s[j]), j), i) / 2
    chain = chain.lemma("Z_2 is the sum over all pairs", subsets(Integer(2)), pairs)
    ones = map_entries(E, s, lambda index: S.Zero)
    count = (LABELS.size - CHOSEN + 1) * coefficient(ones, CHOSEN - 1)
    note = "at equal scores it counts the subsets: k C(n, k) = (n - k + 1) C(n, k - 1)"
    return chain.lemma("the number of subsets", CHOSEN * coefficient(ones, CHOSEN), count, note)


def derive_one_positive() -> Derivation:
    """With one positive label it is softmax cross-entropy."""
    chain = COMBINATION.begin("one-positive", "One positive label", log(subsets(S.One)) - s[c])
    chain = chain.to("Z_1 is the sum of exponentials", log(power_sum(S.One)) - s[c])
    others = total((1 - KroneckerDelta(l, c)) * exp(s[l] - s[c]), l)
    chain = chain.to("softmax cross-entropy", -log(x(c) / power_sum(S.One)))
    chain = chain.to("pairwise differences", log(1 + others))
    return chain.lemma("P_i is softmax", inclusion(i, S.One), x(i) / power_sum(S.One))


def derive_shift() -> Derivation:
    """Adding a constant to every score changes nothing: each subset gains it k times."""
    a = Symbol("a", real=True)

    def shifted(expression: Expr) -> Expr:
        return map_entries(expression, s, lambda index: s[index] + a)

    chain = COMBINATION.begin(
        "shift", "Invariance under a common shift", shifted(COMBINATION.value)
    )
    scaled = exp(POSITIVES * a) * subsets(POSITIVES)
    chain = chain.rewrite("every subset gains e^{ka}", shifted(subsets(POSITIVES)), scaled)
    chain = chain.to("which the labels gain too", COMBINATION.value)
    return chain.lemma(
        "the gradient sums to zero", total(COMBINATION.gradient.xreplace({i: j}), j), S.Zero
    )


def derive_convexity(loss: SymbolicLoss, padding: Expr) -> Derivation:
    """A log of a sum of exponentials of linear functions, less a linear function."""
    chain = loss.begin("convexity", "Convexity", start_of_lines()).assuming(NOTHING_ASSUMED)
    chain = log_sum_is_convex(chain)
    k = LARGEST if padding != 1 else CHOSEN
    without = product_without(i)
    moved = x(i) * exp(TAU * u[i])
    chain = chain.lemma("a label on the line s + tau u", _on_line(x(i)), moved)
    note = "so the sum over subsets is such a sum of exponentials, by induction over the labels"
    by_label = coefficient(without * padding, k) + x(i) * coefficient(without * padding, k - 1)
    chain = chain.lemma("one label more", coefficient(E * padding, k), by_label, note)
    linear = partial(_on_line(total(y[l] * s[l], l)), TAU, TAU)
    return chain.lemma("what is taken away has no curvature", linear, S.Zero)


def _on_line(expression: Expr) -> Expr:
    """The expression on the line ``s + tau u``."""
    return map_entries(expression, s, lambda index: s[index] + TAU * u[index])


COMBINATION: SymbolicLoss = SymbolicLoss(
    name="combination_softmax",
    family="subset",
    formula="log Σ_{|S|=k} e^(Σ_S s) - Σ_i y_i s_i, k = Σ_i y_i",
    labels=y,
    facts=hard(y),
    value=log(subsets(POSITIVES)) - total(y[l] * s[l], l),
    gradient=inclusion(i, POSITIVES) - y[i],
    hessian=covariance(POSITIVES),
    hvp=covariance_times(v[j], POSITIVES),
    names=((Symbol("Z_k"), subsets(POSITIVES)), (Symbol("Z_k"), subsets(CHOSEN))),
    claims={
        "value": ("7359-2", "7359-e"),
        "newton": ("7359-3",),
        "one-positive": ("7359-1",),
    },
    own_topics={
        "value": derive_value,
        "newton": derive_newton,
        "weighted-newton": derive_weighted_newton,
        "elements": derive_elements,
        "inclusion": derive_inclusion,
        "correlation": derive_correlation,
        "one-positive": derive_one_positive,
        "shift": derive_shift,
        "convexity": lambda: derive_convexity(COMBINATION, S.One),
    },
)


# The padding class -----------------------------------------------------------------------------


def derive_padding_recursion() -> Derivation:
    """``Zbar_K = Z_K + e^{s_0} Zbar_{K-1}``, from ``Zbar_0 = 1``."""
    k, padded = LARGEST, subsets(LARGEST, PADDING)
    chain = PADDED.begin("recursion", "The recursion of the padding class", padded)
    chain = chain.assuming(NOTHING_ASSUMED)
    split = coefficient(E + exp(S0) * Z * E * PADDING, k)
    chain = chain.to("1 / (1 - e^{s_0} z) = 1 + e^{s_0} z / (1 - e^{s_0} z)", split)
    chain = chain.to(
        "none of class 0, or one of it", subsets(k) + exp(S0) * subsets(k - 1, PADDING)
    )
    chain = chain.lemma("it starts from the empty choice", subsets(S.Zero, PADDING), S.One)
    first = exp(S0) + power_sum(S.One)
    return chain.lemma("K = 1: a softmax with class 0", subsets(S.One, PADDING), first)


def derive_unrolled() -> Derivation:
    """``Zbar_K`` as a sum over how often class 0 is repeated: only class 0 may repeat."""
    k = LARGEST
    by_size = order_sum(exp((k - m) * S0) * subsets(m), m, 0, k)
    chain = PADDED.begin("unrolled", "Class 0 fills up", by_size).assuming(NOTHING_ASSUMED)
    chain = chain.to("[z^{K-m}] 1 / (1 - e^{s_0} z) = e^{(K-m) s_0}", subsets(k, PADDING))
    repeated = subsets(k) + order_sum(exp(m * S0) * subsets(k - m), m, 1, k)
    return chain.to("no class 0, or class 0 repeated m times", repeated)


def derive_padded_value() -> Derivation:
    """The printed loss, and the same with scores counted from the threshold."""
    k, scores = LARGEST, total(y[l] * s[l], l)
    start = -log(exp(scores + (k - POSITIVES) * S0) / subsets(k, PADDING))
    chain = PADDED.begin("value", "At most K labels and a padding class", start)
    chain = chain.to("as printed", PADDED.value)
    lowered = coefficient(_from_threshold(E) / (1 - Z), k)
    title = "scores counted from the threshold"
    chain = chain.rewrite(title, subsets(k, PADDING), exp(k * S0) * lowered)
    chain = chain.to("the padding cancels", log(lowered) - total(y[l] * (s[l] - S0), l))
    by_size = order_sum(coefficient(_from_threshold(E), m), m, 0, k)
    chain = chain.rewrite("the subsets of at most K labels", lowered, by_size)
    note = "a label adds to the best choice where s_i > s_0, up to K labels: predict those"
    ratio = exp(scores + s[i]) / exp(scores + S0)
    return chain.lemma("a label instead of class 0", ratio, exp(s[i] - S0), note)


def _from_threshold(expression: Expr) -> Expr:
    return map_entries(expression, s, lambda index: s[index] - S0)


def derive_from_bce() -> Derivation:
    """With room for all labels it is binary cross-entropy; with less room the tail is missing."""
    k, lowered = LARGEST, _from_threshold(E)
    everything = order_sum(coefficient(lowered, m), m, 0, S.Infinity)
    scores = total(y[l] * (s[l] - S0), l)
    chain = PADDED.begin("bce", "Binary cross-entropy is the case K >= n", log(everything) - scores)
    product = lowered.xreplace({Z: S.One})
    note = "orders above n are 0, so that the sum ends by itself where K >= n"
    chain = chain.to("the sum over all sizes is E(1)", log(product) - scores, note)
    chain = chain.to("binary cross-entropy of s - s_0", _from_threshold(bce_value(y)))
    kept = coefficient(lowered / (1 - Z), k)
    tail = order_sum(coefficient(lowered, m), m, k + 1, S.Infinity)
    chain = chain.lemma("for K < n: what is left out", product - kept, tail)
    chain = chain.nonnegative("nothing negative: the padded loss is smaller", tail)
    independent = sigmoid(s[i] - S0)
    own = exp(s[i] - S0) * _from_threshold(product_without(i)).xreplace({Z: S.One}) / product
    return chain.lemma("at K >= n labels are independent", own, independent)


PADDED: SymbolicLoss = SymbolicLoss(
    name="padded_combination_softmax",
    family="subset",
    formula="log Σ_{j<=K} e_j(e^(s - s_0)) - Σ_i y_i (s_i - s_0)",
    labels=y,
    facts=hard(y),
    value=(log(subsets(LARGEST, PADDING)) - total(y[l] * s[l], l) - (LARGEST - POSITIVES) * S0),
    gradient=inclusion(i, LARGEST, PADDING) - y[i],
    hessian=covariance(LARGEST, PADDING),
    hvp=covariance_times(v[j], LARGEST, PADDING),
    names=((Symbol("Zbar_K"), subsets(LARGEST, PADDING)),),
    parameters=((LARGEST, None), (S0, 0.0)),
    claims={
        "value": ("7359-4", "7359-j"),
        "unrolled": ("7359-5a", "7359-i"),
        "recursion": ("7359-5b",),
    },
    own_topics={
        "value": derive_padded_value,
        "recursion": derive_padding_recursion,
        "unrolled": derive_unrolled,
        "bce": derive_from_bce,
        "convexity": lambda: derive_convexity(PADDED, PADDING),
    },
)
