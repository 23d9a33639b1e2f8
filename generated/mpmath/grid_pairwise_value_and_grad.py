# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# grid_pairwise.value_and_grad, grid_pairwise.value, grid_pairwise.gradient.

import mpmath


def grid_pairwise_value_and_grad(s, t):
    """Value and gradient of grid_pairwise, grid by grid of samples and classes.

        value = sum_j sum_k ((1 - delta_jk) log(sum_p (e^(-s_pj + s_pk) t_pj) + 1))
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p (e^(-s_pj + s_pk)
            t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p (e^(s_pj - s_pk)
            t_pk) + 1))

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    m = len(s[0])
    sum_1 = [[mpmath.fsum(mpmath.exp(-s[i][j] + s[i][k])*t[i][j] for i in range(n)) + 1 for k in range(m)] for j in range(m)]
    sum_2 = mpmath.fsum(mpmath.fsum((1 - int(j == k))*mpmath.log(sum_1[j][k]) for k in range(m)) for j in range(m))
    sum_3 = [[mpmath.fsum(mpmath.exp(s[i][j] - s[i][k])*t[i][k] for i in range(n)) + 1 for k in range(m)] for j in range(m)]
    value = sum_2
    gradient = [[-mpmath.fsum((1 - int(j == k))*mpmath.exp(-s[i][j] + s[i][k])*t[i][j]/sum_1[j][k] for k in range(m)) + mpmath.fsum((1 - int(j == k))*mpmath.exp(s[i][j] - s[i][k])*t[i][k]/sum_3[j][k] for k in range(m)) for j in range(m)] for i in range(n)]
    return value, gradient
