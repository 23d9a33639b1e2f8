# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# soft_zlpr.value_and_grad, soft_zlpr.value, soft_zlpr.gradient, 9064-k, 9064-17.

import numpy as np


def soft_zlpr_value_and_grad(s, t):
    """Value and gradient of soft_zlpr, row by row.

        value = log(sum_k ((1 - t_k) e^(s_k)) + 1) + log(sum_k (e^(-s_k) t_k) + 1)
        gradient_i = (1 - t_i) e^(s_i)/(sum_k ((1 - t_k) e^(s_k)) + 1) - e^(-s_i) t_i/(sum_k
            (e^(-s_k) t_k) + 1)

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    if np.all(np.abs(s) <= 60):
        exp_1 = np.exp(s)
        term_1 = (1 - t) * exp_1
        sum_1 = np.sum(term_1, axis=-1, keepdims=True)
        ratio_1 = t / exp_1
        sum_2 = np.sum(ratio_1, axis=-1, keepdims=True)
        value = (np.log1p(sum_1) + np.log1p(sum_2))[..., 0]
        gradient = term_1 / (1 + sum_1) - ratio_1 / (1 + sum_2)
        return value, gradient
    open_1 = np.where(t != 0, -s, -np.inf)
    peak_1 = np.max(open_1, axis=-1, keepdims=True)
    peak_2 = np.clip(peak_1 - 60, 0, None)
    term_1 = t * np.exp(open_1 - peak_2)
    sum_1 = np.sum(term_1, axis=-1, keepdims=True)
    sum_2 = sum_1 + np.exp(-peak_2)
    peak_3 = np.clip(-np.maximum(np.log(sum_2), -peak_2), 0, None)
    term_2 = peak_2 - peak_3
    term_3 = 1 - t
    open_2 = np.where(term_3 != 0, s, -np.inf)
    peak_4 = np.max(open_2, axis=-1, keepdims=True)
    peak_5 = np.clip(peak_4 - 60, 0, None)
    term_4 = term_3 * np.exp(open_2 - peak_5)
    sum_3 = np.sum(term_4, axis=-1, keepdims=True)
    sum_4 = sum_3 + np.exp(-peak_5)
    peak_6 = np.clip(-np.maximum(np.log(sum_4), -peak_5), 0, None)
    term_5 = peak_5 - peak_6
    log_1 = np.log1p(sum_3 * np.exp(peak_6) + np.expm1(-term_5))
    log_2 = np.log1p(sum_1 * np.exp(peak_3) + np.expm1(-term_2))
    value = (term_2 + term_5 + log_1 + log_2)[..., 0]
    gradient = term_4 / sum_4 - term_1 / sum_2
    return value, gradient
