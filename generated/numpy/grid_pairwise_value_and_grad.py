# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# grid_pairwise.value_and_grad, grid_pairwise.value, grid_pairwise.gradient.

import numpy as np


def grid_pairwise_value_and_grad(s, t):
    """Value and gradient of grid_pairwise, grid by grid of samples and classes.

        value = sum_j sum_k ((1 - delta_jk) log(sum_p (e^(-s_pj + s_pk) t_pj) + 1))
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p (e^(-s_pj + s_pk)
            t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p (e^(s_pj - s_pk)
            t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = 1 - np.eye(s.shape[-1], dtype=s.dtype)
    term_2 = s[..., :, None, :] - s[..., :, :, None]
    if np.all(np.abs(term_2) <= 60):
        term_3 = t[..., :, :, None] * np.exp(term_2)
        sum_1 = np.sum(term_3, axis=-3)
        value = np.sum(np.sum(term_1 * np.log1p(sum_1), axis=-1), axis=-1, keepdims=True)[..., 0]
        ratio_1 = np.moveaxis(term_3, -1, -2) / (1 + np.moveaxis(sum_1, -1, -2))[..., None, :, :]
        term_4 = term_1[..., None, :, :] * ratio_1
        gradient = np.sum(term_4, axis=-1) - np.sum(np.moveaxis(term_4, -1, -2), axis=-1)
        return value, gradient
    term_1 = 1 - np.eye(s.shape[-1], dtype=s.dtype)
    open_1 = np.where(t[..., :, :, None] != 0, s[..., :, None, :] - s[..., :, :, None], -np.inf)
    peak_1 = np.max(open_1, axis=-3)
    peak_2 = np.clip(peak_1 - 60, 0, None)
    term_2 = t[..., :, :, None] * np.exp(open_1 - peak_2[..., None, :, :])
    sum_1 = np.sum(term_2, axis=-3)
    sum_2 = sum_1 + np.exp(-peak_2)
    peak_3 = np.clip(-np.maximum(np.log(sum_2), -peak_2), 0, None)
    term_3 = peak_2 - peak_3
    log_1 = np.log1p(sum_1 * np.exp(peak_3) + np.expm1(-term_3))
    value = np.sum(np.sum(term_1 * (term_3 + log_1), axis=-1), axis=-1, keepdims=True)[..., 0]
    ratio_1 = np.moveaxis(term_2, -1, -2) / np.moveaxis(sum_2, -1, -2)[..., None, :, :]
    term_4 = term_1[..., None, :, :] * ratio_1
    gradient = np.sum(term_4, axis=-1) - np.sum(np.moveaxis(term_4, -1, -2), axis=-1)
    return value, gradient
