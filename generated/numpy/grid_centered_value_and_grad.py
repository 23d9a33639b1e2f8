# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# grid_centered.value_and_grad, grid_centered.value, grid_centered.gradient.

import numpy as np


def grid_centered_value_and_grad(s, t):
    """Value and gradient of grid_centered, grid by grid of samples and classes.

        value = sum_j log(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
        gradient_ij = -e^(-s_ij + sum_l s_il/m) t_ij/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
            + sum_l (e^(-s_il + sum_l s_il/m) t_il/(sum_p (e^(-s_pl + sum_l s_pl/m) t_pl) +
            1))/m

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = s.shape[-1]
    term_2 = (np.sum(s, axis=-1) / term_1)[..., :, None] - s
    if np.all(np.abs(term_2) <= 60):
        term_3 = t * np.exp(term_2)
        sum_1 = np.sum(term_3, axis=-2)
        value = np.sum(np.log1p(sum_1), axis=-1, keepdims=True)[..., 0]
        ratio_1 = term_3 / (1 + sum_1)[..., None, :]
        gradient = (np.sum(ratio_1, axis=-1) / term_1)[..., :, None] - ratio_1
        return value, gradient
    term_1 = s.shape[-1]
    open_1 = np.where(t != 0, (np.sum(s, axis=-1) / term_1)[..., :, None] - s, -np.inf)
    peak_1 = np.max(open_1, axis=-2)
    peak_2 = np.clip(peak_1 - 60, 0, None)
    term_2 = t * np.exp(open_1 - peak_2[..., None, :])
    sum_1 = np.sum(term_2, axis=-2)
    sum_2 = sum_1 + np.exp(-peak_2)
    peak_3 = np.clip(-np.maximum(np.log(sum_2), -peak_2), 0, None)
    term_3 = peak_2 - peak_3
    log_1 = np.log1p(sum_1 * np.exp(peak_3) + np.expm1(-term_3))
    value = np.sum(term_3 + log_1, axis=-1, keepdims=True)[..., 0]
    ratio_1 = term_2 / sum_2[..., None, :]
    gradient = (np.sum(ratio_1, axis=-1) / term_1)[..., :, None] - ratio_1
    return value, gradient
