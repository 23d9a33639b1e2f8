# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# zlpr.value_and_grad, zlpr.value, zlpr.gradient.

import mpmath


def zlpr_value_and_grad(s, y, s_0=0.0):
    """Value and gradient of zlpr, row by row.

        value = log(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + log(sum_k (e^(s_0 - s_k) y_k) + 1)
        gradient_i = (1 - y_i) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) - e^(s_0 -
            s_i) y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - y[i])*mpmath.exp(s[i]) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.exp(-s[i])*y[i] for i in range(n))
    value = mpmath.log(sum_1*mpmath.exp(-s_0) + 1) + mpmath.log(sum_2*mpmath.exp(s_0) + 1)
    gradient = [(1 - y[i])*mpmath.exp(-s_0 + s[i])/(sum_1*mpmath.exp(-s_0) + 1) - mpmath.exp(s_0 - s[i])*y[i]/(sum_2*mpmath.exp(s_0) + 1) for i in range(n)]
    return value, gradient
