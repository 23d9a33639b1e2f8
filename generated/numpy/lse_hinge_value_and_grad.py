# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# lse_hinge.value_and_grad, lse_hinge.value, lse_hinge.gradient, SURVEY-30.

import numpy as np


def lse_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of lse_hinge, row by row.

        value = max(m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j), 0)
        gradient_i = ((1 - y_i) e^(s_i)/sum_k ((1 - y_k) e^(s_k)) - y_i) [m + log(sum_k ((1 -
            y_k) e^(s_k))) - sum_j (s_j y_j) > 0]

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = np.where(term_1 != 0, s, -np.inf)
    peak_1 = np.max(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - np.where(np.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * np.exp(term_2)
    sum_1 = np.sum(term_3, axis=-1, keepdims=True)
    sum_2 = m + peak_1 - np.sum(s * y, axis=-1, keepdims=True) + np.log(sum_1)
    value = np.clip(sum_2, 0, None)[..., 0]
    term_4 = np.where(sum_2 > 0, 1, np.asarray(0, dtype=s.dtype))
    gradient = term_4 * (term_3 / sum_1 - y)
    return value, gradient
