# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# lse_hinge.value_and_grad, lse_hinge.value, lse_hinge.gradient, SURVEY-30.

import mpmath


def lse_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of lse_hinge, row by row.

        value = max(m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j), 0)
        gradient_i = ((1 - y_i) e^(s_i)/sum_k ((1 - y_k) e^(s_k)) - y_i) [m + log(sum_k ((1 -
            y_k) e^(s_k))) - sum_j (s_j y_j) > 0]

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(s[i]*y[i] for i in range(n))
    sum_2 = mpmath.fsum((1 - y[i])*mpmath.exp(s[i]) for i in range(n))
    value = max(m - sum_1 + mpmath.log(sum_2), 0)
    gradient = [(-y[i] + (1 - y[i])*mpmath.exp(s[i])/sum_2)*int(m - sum_1 + mpmath.log(sum_2) > 0) for i in range(n)]
    return value, gradient
