# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# soft_zlpr.value_and_grad, soft_zlpr.value, soft_zlpr.gradient, 9064-k, 9064-17.

import mpmath


def soft_zlpr_value_and_grad(s, t):
    """Value and gradient of soft_zlpr, row by row.

        value = log(sum_k ((1 - t_k) e^(s_k)) + 1) + log(sum_k (e^(-s_k) t_k) + 1)
        gradient_i = (1 - t_i) e^(s_i)/(sum_k ((1 - t_k) e^(s_k)) + 1) - e^(-s_i) t_i/(sum_k
            (e^(-s_k) t_k) + 1)

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - t[i])*mpmath.exp(s[i]) for i in range(n)) + 1
    sum_2 = mpmath.fsum(mpmath.exp(-s[i])*t[i] for i in range(n)) + 1
    value = mpmath.log(sum_1) + mpmath.log(sum_2)
    gradient = [-mpmath.exp(-s[i])*t[i]/sum_2 + (1 - t[i])*mpmath.exp(s[i])/sum_1 for i in range(n)]
    return value, gradient
