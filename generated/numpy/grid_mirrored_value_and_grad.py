# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# grid_mirrored.value_and_grad, grid_mirrored.value, grid_mirrored.gradient.

import numpy as np


def sum_of_others(x):
    """sum_{k != j} x_k for each j: all that follow j, around the end, by doubling."""
    left, span, size, start = x.shape[-1] - 1, x, 1, 1
    others = np.zeros_like(x)
    while left:
        if left % 2:
            others = others + np.roll(span, -start, axis=-1)
            start += size
        span = span + np.roll(span, -size, axis=-1)
        left, size = left // 2, 2 * size
    return others


def grid_mirrored_value_and_grad(s, t):
    """Value and gradient of grid_mirrored, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)/2 + sum_k
            log(sum_p sum_h ((1 - delta_hk) e^(-s_ph + s_pk) t_ph) + 1)/2
        gradient_ij = -sum_k ((1 - delta_jk) (e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hk) e^(-s_ph + s_pk) t_ph) + 1)) + e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hj) e^(s_ph - s_pj) t_pj) + 1)))) + sum_k ((1 - delta_jk) (e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1)) + e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hj) e^(-s_ph + s_pj) t_ph) + 1))))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    peak_1 = np.max(s, axis=-1)
    exp_1 = np.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1)
    term_1 = t * others_1
    term_2 = peak_1[..., :, None] - s
    open_1 = np.where(term_1 != 0, term_2, -np.inf)
    peak_2 = np.max(open_1, axis=-2)
    peak_3 = np.clip(peak_2 - 60, 0, None)
    sum_1 = np.sum(term_1 * np.exp(open_1 - peak_3[..., None, :]), axis=-2)
    sum_2 = sum_1 + np.exp(-peak_3)
    peak_4 = np.clip(-np.maximum(np.log(sum_2), -peak_3), 0, None)
    term_3 = peak_3 - peak_4
    log_1 = np.log1p(sum_1 * np.exp(peak_4) + np.expm1(-term_3))
    ratio_1 = np.sum(term_3 + log_1, axis=-1, keepdims=True) / 2
    open_2 = np.where(t != 0, -s, -np.inf)
    peak_5 = np.max(open_2, axis=-1)
    term_4 = open_2 - np.where(np.isfinite(peak_5), peak_5, 0)[..., :, None]
    term_5 = t * np.exp(term_4)
    others_2 = sum_of_others(term_5)
    term_6 = peak_5[..., :, None] + s
    open_3 = np.where(others_2 != 0, term_6, -np.inf)
    peak_6 = np.max(open_3, axis=-2)
    peak_7 = np.clip(peak_6 - 60, 0, None)
    sum_3 = np.sum(others_2 * np.exp(open_3 - peak_7[..., None, :]), axis=-2)
    sum_4 = sum_3 + np.exp(-peak_7)
    peak_8 = np.clip(-np.maximum(np.log(sum_4), -peak_7), 0, None)
    term_7 = peak_7 - peak_8
    log_2 = np.log1p(sum_3 * np.exp(peak_8) + np.expm1(-term_7))
    ratio_2 = np.sum(term_7 + log_2, axis=-1, keepdims=True) / 2
    value = (ratio_1 + ratio_2)[..., 0]
    term_8 = np.where(t != 0, term_2, -np.inf) - peak_3[..., None, :]
    ratio_3 = t * np.exp(term_8) / sum_2[..., None, :]
    ratio_4 = np.exp(term_6 - peak_7[..., None, :]) / sum_4[..., None, :]
    ratio_5 = exp_1 * sum_of_others(ratio_3) / 2
    ratio_6 = ratio_4 * others_2 / 2
    gradient = ratio_5 + ratio_6 - ratio_3 * others_1 / 2 - sum_of_others(ratio_4) * term_5 / 2
    return value, gradient
