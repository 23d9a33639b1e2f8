# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# soft_focal.value_and_grad, soft_focal.value, soft_focal.gradient.

import mpmath


def soft_focal_value_and_grad(s, t, beta=2.0):
    """Value and gradient of soft_focal, row by row.

        value = sum_k (((1 - t_k) log(e^(s_k) + 1) + log(1 + e^(-s_k)) t_k) (Abs(t_k/(e^(s_k) +
            1) + (t_k - 1)/(1 + e^(-s_k))))^beta)
        gradient_i = (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (beta ((1 - t_i)
            log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)/((1 + e^(-s_i)) (e^(s_i) + 1)) +
            (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
            1)/(1 + e^(-s_i))))^(beta - 2)

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum(((1 - t[i])*mpmath.log(mpmath.exp(s[i]) + 1) + mpmath.log(1 + mpmath.exp(-s[i]))*t[i])*(abs(t[i]/(mpmath.exp(s[i]) + 1) + (t[i] - 1)/(1 + mpmath.exp(-s[i]))))**(beta) for i in range(n))
    value = sum_1
    gradient = [(-t[i]/(mpmath.exp(s[i]) + 1) + (1 - t[i])/(1 + mpmath.exp(-s[i])))*(beta*((1 - t[i])*mpmath.log(mpmath.exp(s[i]) + 1) + mpmath.log(1 + mpmath.exp(-s[i]))*t[i])/((1 + mpmath.exp(-s[i]))*(mpmath.exp(s[i]) + 1)) + (-t[i]/(mpmath.exp(s[i]) + 1) + (1 - t[i])/(1 + mpmath.exp(-s[i])))**2)*(abs(t[i]/(mpmath.exp(s[i]) + 1) + (t[i] - 1)/(1 + mpmath.exp(-s[i]))))**(beta - 2) for i in range(n)]
    return value, gradient
