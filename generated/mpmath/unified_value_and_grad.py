# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.

import mpmath


def unified_value_and_grad(s, y, gamma=1.0, m=0.0):
    """Value and gradient of unified, row by row.

        value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
        gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
            y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
            e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
            ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - y[i])*mpmath.exp(gamma*s[i]) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.exp(-gamma*s[i])*y[i] for i in range(n))
    value = mpmath.log(sum_1*sum_2*mpmath.exp(gamma*m) + 1)
    gradient = [gamma*(-sum_1*mpmath.exp(gamma*m)*mpmath.exp(-gamma*s[i])*y[i]/(sum_1*sum_2*mpmath.exp(gamma*m) + 1) + sum_2*(1 - y[i])*mpmath.exp(gamma*m)*mpmath.exp(gamma*s[i])/(sum_1*sum_2*mpmath.exp(gamma*m) + 1)) for i in range(n)]
    return value, gradient
