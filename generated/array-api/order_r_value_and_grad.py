# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# order_r.value_and_grad, order_r.value, order_r.gradient.

def log_weights(w, x, xp):
    """log(w e^x), -inf where w is 0."""
    return xp.where(w > 0, x + xp.log(xp.where(w > 0, w, 1)), -xp.inf)


def shifted(a, first, xp):
    """The coefficients times z: order j holds what order j - 1 held."""
    is_first = xp.arange(a.shape[-1], device=a.device) == 0
    return xp.where(is_first, first, xp.roll(a, 1, axis=-1))


def log_start(order, base, x, xp):
    """Logs of the coefficients of z^(m - order), or of z^(m - order) / (1 - e^base z).

    m is the largest order of the batch: the order of interest is the last one in every row.
    """
    order = xp.asarray(order, dtype=x.dtype, device=x.device)
    largest = max(0, int(xp.max(order)))
    place = xp.arange(largest + 1, dtype=x.dtype, device=x.device) - (largest - order)
    if base is None:
        return xp.where(place == 0, 0 * place, -xp.inf)
    return xp.where(place >= 0, place * base, -xp.inf)


def log_steps(x, log_e, xp):
    """log e_j before each element of the row and after the last: e_j + e^x e_{j-1} is next."""
    steps = [log_e]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -xp.inf, xp)
        log_e = xp.logaddexp(log_e, taken)
        steps.append(log_e)
    return steps


def log_product(a, b, xp):
    """The last order of a product: log sum_j e^(a_j + b_(m-j)), and the terms of that sum."""
    terms = a + xp.flip(b, axis=-1)
    peak = xp.max(terms, axis=-1, keepdims=True)
    peak = xp.where(xp.isfinite(peak), peak, 0)
    parts = xp.exp(terms - peak)
    total = xp.sum(parts, axis=-1, keepdims=True)
    empty = total == 0
    total = xp.where(empty, 1, total)
    return xp.where(empty, -xp.inf, peak + xp.log(total)), parts / total


def log_coefficient(x, order, base, xp):
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if a base is given; (*batch, 1)."""
    return log_steps(x, log_start(order, base, x, xp), xp)[-1][..., -1:]


def log_coefficient_without(x, order, base, xp):
    """The same without element i, for each i: the elements before it times those after it."""
    n = x.shape[-1]
    before = log_steps(x, log_start(order, base, x, xp), xp)
    largest = before[0].shape[-1] - 1
    after = log_steps(xp.flip(x, axis=-1), log_start(largest, None, x, xp), xp)
    left = [log_product(before[i], after[n - 1 - i], xp)[0] for i in range(n)]
    return xp.concat(left, axis=-1)


def order_r_value_and_grad(s, t, r=2, *, xp=None):
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
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = 1 - t
    by_elements_1 = log_weights(term_1, s, xp)
    by_elements_2 = log_coefficient(by_elements_1, r, 0, xp)
    by_elements_3 = log_weights(t, -s, xp)
    by_elements_4 = log_coefficient(by_elements_3, r, 0, xp)
    value = (by_elements_2 + by_elements_4)[..., 0]
    term_2 = r - 1
    by_elements_5 = log_coefficient_without(by_elements_1, term_2, 0, xp)
    open_1 = xp.where(term_1 != 0, s + by_elements_5 - by_elements_2, -xp.inf)
    by_elements_6 = log_coefficient_without(by_elements_3, term_2, 0, xp)
    open_2 = xp.where(t != 0, by_elements_6 - s - by_elements_4, -xp.inf)
    gradient = term_1 * xp.exp(open_1) - t * xp.exp(open_2)
    return value, gradient
