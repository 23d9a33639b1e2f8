# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# hinge.value_and_grad, hinge.value, hinge.gradient.

import numpy as np


def hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of hinge, row by row.

        value = sum_k ((1 - y_k) max(m + s_k - sum_j (s_j y_j), 0))
        gradient_i = (1 - y_i) [m + s_i - sum_j (s_j y_j) > 0] - y_i sum_k ((1 - y_k) [m + s_k -
            sum_j (s_j y_j) > 0])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    sum_1 = m + s - np.sum(s * y, axis=-1, keepdims=True)
    value = np.sum(term_1 * np.clip(sum_1, 0, None), axis=-1, keepdims=True)[..., 0]
    term_2 = np.where(sum_1 > 0, 1, np.asarray(0, dtype=s.dtype))
    term_3 = term_1 * term_2
    gradient = term_3 - np.sum(term_3, axis=-1, keepdims=True) * y
    return value, gradient
