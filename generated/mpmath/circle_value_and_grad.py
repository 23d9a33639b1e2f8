# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# circle.value_and_grad, circle.value, circle.gradient.

import mpmath


def circle_value_and_grad(s, y, scale=256.0, margin=0.25):
    """Value and gradient of circle, row by row.

        value = log(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1)
        gradient_i = -2 scale (1 - s_i) e^(scale (-margin - s_i + 1) max(margin - s_i + 1, 0))
            [margin - s_i + 1 > 0] y_i sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin +
            s_k, 0)))/(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1) + 2 scale (1 -
            y_i) e^(scale (-margin + s_i) max(margin + s_i, 0)) [margin + s_i > 0] s_i sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k)/(sum_k ((1 - y_k)
            e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1)
            max(margin - s_k + 1, 0)) y_k) + 1)

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    sum_1 = mpmath.fsum((1 - y[i])*mpmath.exp(scale*(-margin + s[i])*max(margin + s[i], 0)) for i in range(n))
    sum_2 = mpmath.fsum(mpmath.exp(scale*(-margin - s[i] + 1)*max(margin - s[i] + 1, 0))*y[i] for i in range(n))
    value = mpmath.log(sum_1*sum_2 + 1)
    gradient = [-2*scale*sum_1*(1 - s[i])*mpmath.exp(scale*(-margin - s[i] + 1)*max(margin - s[i] + 1, 0))*int(margin - s[i] + 1 > 0)*y[i]/(sum_1*sum_2 + 1) + 2*scale*sum_2*(1 - y[i])*mpmath.exp(scale*(-margin + s[i])*max(margin + s[i], 0))*int(margin + s[i] > 0)*s[i]/(sum_1*sum_2 + 1) for i in range(n)]
    return value, gradient
