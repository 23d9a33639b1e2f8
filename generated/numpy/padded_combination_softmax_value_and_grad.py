# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# padded_combination_softmax.value_and_grad, padded_combination_softmax.value, 7359-4, 7359-j,
# padded_combination_softmax.gradient.

import numpy as np


def shifted(a, first):
    """The coefficients times z: order j holds what order j - 1 held."""
    is_first = np.arange(a.shape[-1]) == 0
    return np.where(is_first, first, np.roll(a, 1, axis=-1))


def log_start(order, base, x):
    """Logs of the coefficients of z^(m - order), or of z^(m - order) / (1 - e^base z).

    m is the largest order of the batch: the order of interest is the last one in every row.
    """
    order = np.asarray(order, dtype=x.dtype)
    largest = max(0, int(np.max(order)))
    place = np.arange(largest + 1, dtype=x.dtype) - (largest - order)
    if base is None:
        return np.where(place == 0, 0 * place, -np.inf)
    return np.where(place >= 0, place * base, -np.inf)


def log_steps(x, log_e):
    """log e_j before each element of the row and after the last: e_j + e^x e_{j-1} is next."""
    steps = [log_e]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -np.inf)
        log_e = np.logaddexp(log_e, taken)
        steps.append(log_e)
    return steps


def log_product(a, b):
    """The last order of a product: log sum_j e^(a_j + b_(m-j)), and the terms of that sum."""
    terms = a + np.flip(b, axis=-1)
    peak = np.max(terms, axis=-1, keepdims=True)
    peak = np.where(np.isfinite(peak), peak, 0)
    parts = np.exp(terms - peak)
    total = np.sum(parts, axis=-1, keepdims=True)
    empty = total == 0
    total = np.where(empty, 1, total)
    return np.where(empty, -np.inf, peak + np.log(total)), parts / total


def log_coefficient(x, order, base):
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if a base is given; (*batch, 1)."""
    return log_steps(x, log_start(order, base, x))[-1][..., -1:]


def log_coefficient_without(x, order, base):
    """The same without element i, for each i: the elements before it times those after it."""
    n = x.shape[-1]
    before = log_steps(x, log_start(order, base, x))
    largest = before[0].shape[-1] - 1
    after = log_steps(np.flip(x, axis=-1), log_start(largest, None, x))
    left = [log_product(before[i], after[n - 1 - i])[0] for i in range(n)]
    return np.concat(left, axis=-1)


def padded_combination_softmax_value_and_grad(s, y, K=None, s_0=0.0):
    """Value and gradient of padded_combination_softmax, row by row.

        value = -s_0 (K - sum_l y_l) + log([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) -
            sum_l (s_l y_l)
        gradient_i = e^(s_i) ([z^(K - 1)] (prod_l (z (1 - delta_il) e^(s_l) + 1)/(-z e^(s_0) +
            1)))/([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) - y_i

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    K = s.shape[-1] if K is None else K
    by_elements_1 = log_coefficient(s, K, s_0)
    sum_1 = np.sum(s * y, axis=-1, keepdims=True)
    value = (by_elements_1 - sum_1 - s_0 * (K - np.sum(y, axis=-1, keepdims=True)))[..., 0]
    term_1 = s + log_coefficient_without(s, K - 1, s_0) - by_elements_1
    gradient = np.exp(term_1) - y
    return value, gradient
