# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# grid_truncated.value_and_grad, grid_truncated.value, grid_truncated.gradient, 9158-3.

def sum_of_others(x, xp):
    """sum_{k != j} x_k for each j: all that follow j, around the end, by doubling."""
    left, span, size, start = x.shape[-1] - 1, x, 1, 1
    others = xp.zeros_like(x)
    while left:
        if left % 2:
            others = others + xp.roll(span, -start, axis=-1)
            start += size
        span = span + xp.roll(span, -size, axis=-1)
        left, size = left // 2, 2 * size
    return others


def grid_truncated_value_and_grad(s, t, *, xp=None):
    """Value and gradient of grid_truncated, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p sum_h ((1 - delta_hj)
            e^(s_ph - s_pj) t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p
            sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    peak_1 = xp.max(s, axis=-1)
    exp_1 = xp.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1, xp)
    term_1 = t * others_1
    term_2 = peak_1[..., :, None] - s
    open_1 = xp.where(term_1 != 0, term_2, -xp.inf)
    peak_2 = xp.max(open_1, axis=-2)
    peak_3 = xp.clip(peak_2 - 60, 0, None)
    sum_1 = xp.sum(term_1 * xp.exp(open_1 - peak_3[..., None, :]), axis=-2)
    sum_2 = sum_1 + xp.exp(-peak_3)
    peak_4 = xp.clip(-xp.maximum(xp.log(sum_2), -peak_3), 0, None)
    term_3 = peak_3 - peak_4
    log_1 = xp.log1p(sum_1 * xp.exp(peak_4) + xp.expm1(-term_3))
    value = xp.sum(term_3 + log_1, axis=-1, keepdims=True)[..., 0]
    term_4 = xp.where(t != 0, term_2, -xp.inf) - peak_3[..., None, :]
    ratio_1 = t * xp.exp(term_4) / sum_2[..., None, :]
    gradient = exp_1 * sum_of_others(ratio_1, xp) - ratio_1 * others_1
    return value, gradient
