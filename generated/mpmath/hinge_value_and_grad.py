# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# hinge.value_and_grad, hinge.value, hinge.gradient.

import mpmath


def hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of hinge, row by row.

        value = sum_k ((1 - y_k) max(m + s_k - sum_j (s_j y_j), 0))
        gradient_i = (1 - y_i) [m + s_i - sum_j (s_j y_j) > 0] - y_i sum_k ((1 - y_k) [m + s_k -
            sum_j (s_j y_j) > 0])

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(s[i]*y[i] for i in range(n))
    sum_2 = mpmath.fsum((1 - y[i])*max(m - sum_1 + s[i], 0) for i in range(n))
    sum_3 = mpmath.fsum((1 - y[i])*int(m - sum_1 + s[i] > 0) for i in range(n))
    value = sum_2
    gradient = [-sum_3*y[i] + (1 - y[i])*int(m - sum_1 + s[i] > 0) for i in range(n)]
    return value, gradient
