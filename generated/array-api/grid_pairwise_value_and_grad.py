# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# grid_pairwise.value_and_grad, grid_pairwise.value, grid_pairwise.gradient.

def grid_pairwise_value_and_grad(s, t, *, xp=None):
    """Value and gradient of grid_pairwise, grid by grid of samples and classes.

        value = sum_j sum_k ((1 - delta_jk) log(sum_p (e^(-s_pj + s_pk) t_pj) + 1))
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p (e^(-s_pj + s_pk)
            t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p (e^(s_pj - s_pk)
            t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = xp.eye(s.shape[-1], dtype=s.dtype, device=s.device)
    term_2 = 1 - term_1
    open_1 = xp.where(t[..., :, :, None] != 0, s[..., :, None, :] - s[..., :, :, None], -xp.inf)
    peak_1 = xp.max(open_1, axis=-3)
    peak_2 = xp.clip(peak_1 - 60, 0, None)
    term_3 = t[..., :, :, None] * xp.exp(open_1 - peak_2[..., None, :, :])
    sum_1 = xp.sum(term_3, axis=-3)
    sum_2 = sum_1 + xp.exp(-peak_2)
    peak_3 = xp.clip(-xp.maximum(xp.log(sum_2), -peak_2), 0, None)
    term_4 = peak_2 - peak_3
    log_1 = xp.log1p(sum_1 * xp.exp(peak_3) + xp.expm1(-term_4))
    value = xp.sum(xp.sum(term_2 * (term_4 + log_1), axis=-1), axis=-1, keepdims=True)[..., 0]
    ratio_1 = xp.moveaxis(term_3, -1, -2) / xp.moveaxis(sum_2, -1, -2)[..., None, :, :]
    term_5 = term_2[..., None, :, :] * ratio_1
    gradient = xp.sum(term_5, axis=-1) - xp.sum(xp.moveaxis(term_5, -1, -2), axis=-1)
    return value, gradient
