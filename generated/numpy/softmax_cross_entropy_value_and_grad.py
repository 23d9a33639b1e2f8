# Emitted by lossproof from the derived formula, target numpy. Rests on the claims
# softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
# softmax_cross_entropy.gradient, SCE-11, SURVEY-17.

import numpy as np


def softmax_cross_entropy_value_and_grad(s, t):
    """Value and gradient of softmax_cross_entropy, row by row.

        value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
        gradient_i = e^(s_i)/sum_k e^(s_k) - t_i

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    peak_1 = np.max(s, axis=-1, keepdims=True)
    top_1 = np.argmax(s, axis=-1, keepdims=True)
    exp_1 = np.exp(s - peak_1)
    term_1 = np.where(np.arange(s.shape[-1]) == top_1, 0, exp_1)
    term_2 = s - peak_1 - np.log1p(np.sum(term_1, axis=-1, keepdims=True))
    value = (-np.sum(term_2 * t, axis=-1, keepdims=True))[..., 0]
    gradient = exp_1 / np.sum(exp_1, axis=-1, keepdims=True) - t
    return value, gradient
