# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# grid_truncated.value_and_grad, grid_truncated.value, grid_truncated.gradient, 9158-3.

import mpmath


def grid_truncated_value_and_grad(s, t):
    """Value and gradient of grid_truncated, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p sum_h ((1 - delta_hj)
            e^(s_ph - s_pj) t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p
            sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    m = len(s[0])
    sum_1 = [[mpmath.fsum((1 - int(h == j))*mpmath.exp(s[i][h]) for h in range(m)) for j in range(m)] for i in range(n)]
    sum_2 = [mpmath.fsum(mpmath.exp(-s[i][j])*sum_1[i][j]*t[i][j] for i in range(n)) + 1 for j in range(m)]
    sum_3 = mpmath.fsum(mpmath.log(sum_2[j]) for j in range(m))
    sum_4 = [[mpmath.fsum((1 - int(j == k))*mpmath.exp(s[i][k]) for k in range(m)) for j in range(m)] for i in range(n)]
    sum_5 = [mpmath.fsum(mpmath.exp(-s[i][j])*sum_4[i][j]*t[i][j] for i in range(n)) + 1 for j in range(m)]
    value = sum_3
    gradient = [[mpmath.exp(s[i][j])*mpmath.fsum((1 - int(h == j))*mpmath.exp(-s[i][h])*t[i][h]/sum_5[h] for h in range(m)) - mpmath.exp(-s[i][j])*sum_1[i][j]*t[i][j]/sum_2[j] for j in range(m)] for i in range(n)]
    return value, gradient
