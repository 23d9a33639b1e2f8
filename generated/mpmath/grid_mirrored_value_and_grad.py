# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# grid_mirrored.value_and_grad, grid_mirrored.value, grid_mirrored.gradient.

import mpmath


def grid_mirrored_value_and_grad(s, t):
    """Value and gradient of grid_mirrored, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)/2 + sum_k
            log(sum_p sum_h ((1 - delta_hk) e^(-s_ph + s_pk) t_ph) + 1)/2
        gradient_ij = -sum_k ((1 - delta_jk) (e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hk) e^(-s_ph + s_pk) t_ph) + 1)) + e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hj) e^(s_ph - s_pj) t_pj) + 1)))) + sum_k ((1 - delta_jk) (e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1)) + e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hj) e^(-s_ph + s_pj) t_ph) + 1))))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    m = len(s[0])
    sum_1 = [[mpmath.fsum((1 - int(h == j))*mpmath.exp(-s[i][h])*t[i][h] for h in range(m)) for j in range(m)] for i in range(n)]
    sum_2 = [mpmath.fsum(mpmath.exp(s[i][j])*sum_1[i][j] for i in range(n)) + 1 for j in range(m)]
    sum_3 = mpmath.fsum(mpmath.log(sum_2[j]) for j in range(m))
    sum_4 = [[mpmath.fsum((1 - int(h == j))*mpmath.exp(s[i][h]) for h in range(m)) for j in range(m)] for i in range(n)]
    sum_5 = [mpmath.fsum(mpmath.exp(-s[i][j])*sum_4[i][j]*t[i][j] for i in range(n)) + 1 for j in range(m)]
    sum_6 = mpmath.fsum(mpmath.log(sum_5[j]) for j in range(m))
    sum_7 = [[mpmath.fsum((1 - int(j == k))*mpmath.exp(s[i][k]) for k in range(m)) for j in range(m)] for i in range(n)]
    sum_8 = [mpmath.fsum(mpmath.exp(-s[i][j])*sum_7[i][j]*t[i][j] for i in range(n)) + 1 for j in range(m)]
    sum_9 = [[mpmath.fsum((1 - int(j == k))*mpmath.exp(-s[i][k])*t[i][k] for k in range(m)) for j in range(m)] for i in range(n)]
    sum_10 = [mpmath.fsum(mpmath.exp(s[i][j])*sum_9[i][j] for i in range(n)) + 1 for j in range(m)]
    value = sum_3/2 + sum_6/2
    gradient = [[mpmath.exp(s[i][j])*sum_1[i][j]/(2*sum_2[j]) + mpmath.exp(s[i][j])*mpmath.fsum((1 - int(h == j))*mpmath.exp(-s[i][h])*t[i][h]/sum_8[h] for h in range(m))/2 - mpmath.exp(-s[i][j])*sum_4[i][j]*t[i][j]/(2*sum_5[j]) - mpmath.exp(-s[i][j])*t[i][j]*mpmath.fsum((1 - int(h == j))*mpmath.exp(s[i][h])/sum_10[h] for h in range(m))/2 for j in range(m)] for i in range(n)]
    return value, gradient
