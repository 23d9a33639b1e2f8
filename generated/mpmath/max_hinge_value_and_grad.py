# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

import mpmath


def max_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(s[i]*y[i] for i in range(n))
    sum_2 = mpmath.fsum((1 - y[i])*int(i == max(range(n), key=lambda i: (1 - y[i])*(m - sum_1 + s[i]))) for i in range(n))
    value = max((1 - y[i])*(m - sum_1 + s[i]) for i in range(n))
    gradient = [-sum_2*y[i] + (1 - y[i])*int(i == max(range(n), key=lambda i: (1 - y[i])*(m - sum_1 + s[i]))) for i in range(n)]
    return value, gradient
