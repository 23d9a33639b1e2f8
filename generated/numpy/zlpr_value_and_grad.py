# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# zlpr.value_and_grad, zlpr.value, zlpr.gradient.

import numpy as np


def zlpr_value_and_grad(s, y, s_0=0.0):
    """Value and gradient of zlpr, row by row.

        value = log(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + log(sum_k (e^(s_0 - s_k) y_k) + 1)
        gradient_i = (1 - y_i) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) - e^(s_0 -
            s_i) y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = s_0 - s
    if np.all(np.abs(term_1) <= 60):
        exp_1 = np.exp(term_1)
        ratio_1 = (1 - y) / exp_1
        sum_1 = np.sum(ratio_1, axis=-1, keepdims=True)
        term_2 = y * exp_1
        sum_2 = np.sum(term_2, axis=-1, keepdims=True)
        value = (np.log1p(sum_1) + np.log1p(sum_2))[..., 0]
        gradient = ratio_1 / (1 + sum_1) - term_2 / (1 + sum_2)
        return value, gradient
    open_1 = np.where(y != 0, s_0 - s, -np.inf)
    peak_1 = np.max(open_1, axis=-1, keepdims=True)
    peak_2 = np.clip(peak_1 - 60, 0, None)
    term_1 = y * np.exp(open_1 - peak_2)
    sum_1 = np.sum(term_1, axis=-1, keepdims=True)
    sum_2 = sum_1 + np.exp(-peak_2)
    peak_3 = np.clip(-np.maximum(np.log(sum_2), -peak_2), 0, None)
    term_2 = peak_2 - peak_3
    term_3 = 1 - y
    open_2 = np.where(term_3 != 0, s - s_0, -np.inf)
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
