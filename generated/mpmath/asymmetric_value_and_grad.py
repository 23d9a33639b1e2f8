# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# asymmetric.value_and_grad, asymmetric.value, 9064-58, asymmetric.gradient.

import mpmath


def asymmetric_value_and_grad(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """Value and gradient of asymmetric, row by row.

        value = sum_k (-(1 - y_k) log(margin + 1/(e^(s_k) + 1)) (Abs(margin - 1/(1 +
            e^(-s_k))))^gamma_negative [-margin + 1/(1 + e^(-s_k)) > 0] + log(1 + e^(-s_k))
            y_k/(e^(s_k) + 1)^gamma_positive)
        gradient_i = -(gamma_positive log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1))
            y_i/(e^(s_i) + 1)^gamma_positive + (1 - y_i) (-margin + 1/(1 + e^(-s_i)))
            (-gamma_negative log(margin + 1/(e^(s_i) + 1)) + (-margin + 1/(1 +
            e^(-s_i)))/(margin + 1/(e^(s_i) + 1))) (Abs(margin - 1/(1 +
            e^(-s_i))))^(gamma_negative - 2) [-margin + 1/(1 + e^(-s_i)) > 0]/((1 + e^(-s_i))
            (e^(s_i) + 1))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - y[i])*mpmath.log(margin + (mpmath.mpf(1) / (mpmath.exp(s[i]) + 1)**1))*(abs(margin - 1/(1 + mpmath.exp(-s[i]))))**(gamma_negative)*int(-margin + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1) > 0) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.log(1 + mpmath.exp(-s[i]))*y[i]/(mpmath.exp(s[i]) + 1)**(gamma_positive) for i in range(n))
    value = -sum_1 + sum_2
    gradient = [-(gamma_positive*mpmath.log(1 + mpmath.exp(-s[i]))/(1 + mpmath.exp(-s[i])) + (mpmath.mpf(1) / (mpmath.exp(s[i]) + 1)**1))*y[i]/(mpmath.exp(s[i]) + 1)**(gamma_positive) + (1 - y[i])*(-margin + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1))*(-gamma_negative*mpmath.log(margin + (mpmath.mpf(1) / (mpmath.exp(s[i]) + 1)**1)) + (-margin + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1))/(margin + (mpmath.mpf(1) / (mpmath.exp(s[i]) + 1)**1)))*(abs(margin - 1/(1 + mpmath.exp(-s[i]))))**(gamma_negative - 2)*int(-margin + (mpmath.mpf(1) / (1 + mpmath.exp(-s[i]))**1) > 0)/((1 + mpmath.exp(-s[i]))*(mpmath.exp(s[i]) + 1)) for i in range(n)]
    return value, gradient
