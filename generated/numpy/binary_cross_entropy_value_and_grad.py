# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# binary_cross_entropy.value_and_grad, binary_cross_entropy.value, 9064-c, 9064-h, 9064-i1,
# 9064-3, 9064-4, 9064-5, 9064-9, 9064-10, 9064-11, 9064-12, binary_cross_entropy.gradient.

import numpy as np


def binary_cross_entropy_value_and_grad(s, t):
    """Value and gradient of binary_cross_entropy, row by row.

        value = -sum_k ((1 - t_k) log(1 - 1/(1 + e^(-s_k)))) - sum_k (log(1/(1 + e^(-s_k))) t_k)
        gradient_i = -t_i + 1/(1 + e^(-s_i))

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - t
    exp_1 = np.exp(-np.abs(s))
    log_1 = np.log1p(exp_1)
    sum_1 = np.sum(term_1 * (np.clip(s, 0, None) + log_1), axis=-1, keepdims=True)
    sum_2 = np.sum(t * (np.clip(-s, 0, None) + log_1), axis=-1, keepdims=True)
    value = (sum_1 + sum_2)[..., 0]
    term_2 = 1 + exp_1
    term_3 = term_1 * (np.where(s >= 0, 1, exp_1) / term_2)
    gradient = term_3 - t * (np.where(s <= 0, 1, exp_1) / term_2)
    return value, gradient
