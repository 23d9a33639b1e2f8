# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

import numpy as np


def max_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    term_2 = term_1 * (m + s - np.sum(s * y, axis=-1, keepdims=True))
    value = np.max(term_2, axis=-1, keepdims=True)[..., 0]
    top_1 = np.argmax(term_2, axis=-1, keepdims=True)
    term_3 = np.where(np.arange(s.shape[-1]) == top_1, 1, np.asarray(0, dtype=s.dtype))
    term_4 = term_1 * term_3
    gradient = term_4 - np.sum(term_4, axis=-1, keepdims=True) * y
    return value, gradient
