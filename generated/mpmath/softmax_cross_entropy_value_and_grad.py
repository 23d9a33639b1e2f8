# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
# softmax_cross_entropy.gradient, SCE-11, SURVEY-17.

import mpmath


def softmax_cross_entropy_value_and_grad(s, t):
    """Value and gradient of softmax_cross_entropy, row by row.

        value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
        gradient_i = e^(s_i)/sum_k e^(s_k) - t_i

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(mpmath.exp(s[i]) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.log(mpmath.exp(s[i])/sum_1)*t[i] for i in range(n))
    value = -sum_2
    gradient = [-t[i] + mpmath.exp(s[i])/sum_1 for i in range(n)]
    return value, gradient
