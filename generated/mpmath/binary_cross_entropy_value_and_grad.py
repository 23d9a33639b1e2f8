# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# binary_cross_entropy.value_and_grad, binary_cross_entropy.value, 9064-c, 9064-h, 9064-i1,
# 9064-3, 9064-4, 9064-5, 9064-9, 9064-10, 9064-11, 9064-12, binary_cross_entropy.gradient.

import mpmath


def binary_cross_entropy_value_and_grad(s, t):
    """Value and gradient of binary_cross_entropy, row by row.

        value = -sum_k ((1 - t_k) log(1 - 1/(1 + e^(-s_k)))) - sum_k (log(1/(1 + e^(-s_k))) t_k)
        gradient_i = -t_i + 1/(1 + e^(-s_i))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - t[i])*mpmath.log(1 - 1/(1 + mpmath.exp(-s[i]))) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.log((mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1))*t[i] for i in range(n))
    value = -sum_1 - sum_2
    gradient = [-t[i] + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1) for i in range(n)]
    return value, gradient
