# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# order_r.value_and_grad, order_r.value, order_r.gradient.

import numpy as np


def log_weights(w, x):
    """log(w e^x), -inf where w is 0."""
    return np.where(w > 0, x + np.log(np.where(w > 0, w, 1)), -np.inf)


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


def order_r_value_and_grad(s, t, r=2):
    """Value and gradient of order_r, row by row.

        value = log([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) + log([z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z)))
        gradient_i = (1 - t_i) e^(s_i) ([z^(r - 1)] (prod_j (z (1 - delta_ij) (1 - t_j) e^(s_j)
            + 1)/(1 - z)))/([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) - e^(-s_i) [z^(r -
            1)] (prod_j (z (1 - delta_ij) e^(-s_j) t_j + 1)/(1 - z)) t_i/[z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z))

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    term_1 = 1 - t
    by_elements_1 = log_weights(term_1, s)
    by_elements_2 = log_coefficient(by_elements_1, r, 0)
    by_elements_3 = log_weights(t, -s)
    by_elements_4 = log_coefficient(by_elements_3, r, 0)
    value = (by_elements_2 + by_elements_4)[..., 0]
    term_2 = r - 1
    by_elements_5 = log_coefficient_without(by_elements_1, term_2, 0)
    open_1 = np.where(term_1 != 0, s + by_elements_5 - by_elements_2, -np.inf)
    by_elements_6 = log_coefficient_without(by_elements_3, term_2, 0)
    open_2 = np.where(t != 0, by_elements_6 - s - by_elements_4, -np.inf)
    gradient = term_1 * np.exp(open_1) - t * np.exp(open_2)
    return value, gradient
