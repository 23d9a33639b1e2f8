# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# focal.value_and_grad, focal.value, 9064-49, focal.gradient.

import mpmath


def focal_value_and_grad(s, y, gamma=2.0):
    """Value and gradient of focal, row by row.

        value = sum_k (log(1 + e^(-s_k)) y_k/(e^(s_k) + 1)^gamma + (1 - y_k) log(e^(s_k) + 1)/(1
            + e^(-s_k))^gamma)
        gradient_i = -(gamma log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1)) y_i/(e^(s_i) +
            1)^gamma + (1 - y_i) (gamma log(e^(s_i) + 1)/(e^(s_i) + 1) + 1/(1 + e^(-s_i)))/(1 +
            e^(-s_i))^gamma

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(mpmath.log(1 + mpmath.exp(-s[i]))*y[i]/(mpmath.exp(s[i]) + 1)**(gamma) + (1 - y[i])*mpmath.log(mpmath.exp(s[i]) + 1)/(1 + mpmath.exp(-s[i]))**(gamma) for i in range(n))
    value = sum_1
    gradient = [-(gamma*mpmath.log(1 + mpmath.exp(-s[i]))/(1 + mpmath.exp(-s[i])) + (mpmath.mpf(1) / (mpmath.exp(s[i]) + 1)**1))*y[i]/(mpmath.exp(s[i]) + 1)**(gamma) + (1 - y[i])*(gamma*mpmath.log(mpmath.exp(s[i]) + 1)/(mpmath.exp(s[i]) + 1) + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1))/(1 + mpmath.exp(-s[i]))**(gamma) for i in range(n)]
    return value, gradient
