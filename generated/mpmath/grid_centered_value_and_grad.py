# Emitted by lossproof from the derived formula, target mpmath. Rests on the claims
# grid_centered.value_and_grad, grid_centered.value, grid_centered.gradient.

import mpmath


def grid_centered_value_and_grad(s, t):
    """Value and gradient of grid_centered, grid by grid of samples and classes.

        value = sum_j log(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
        gradient_ij = -e^(-s_ij + sum_l s_il/m) t_ij/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
            + sum_l (e^(-s_il + sum_l s_il/m) t_il/(sum_p (e^(-s_pl + sum_l s_pl/m) t_pl) +
            1))/m

    One row; arrays are lists, a result has one level of list for each output index.
    """
    n = len(s)
    m = len(s[0])
    sum_1 = [mpmath.fsum(s[i][j] for j in range(m)) for i in range(n)]
    sum_2 = [mpmath.fsum(mpmath.exp(-s[i][j] + sum_1[i]/mpmath.mpf(m))*t[i][j] for i in range(n)) + 1 for j in range(m)]
    sum_3 = mpmath.fsum(mpmath.log(sum_2[j]) for j in range(m))
    value = sum_3
    gradient = [[-mpmath.exp(-s[i][j] + sum_1[i]/mpmath.mpf(m))*t[i][j]/sum_2[j] + mpmath.fsum(mpmath.exp(-s[i][j] + sum_1[i]/mpmath.mpf(m))*t[i][j]/sum_2[j] for j in range(m))/mpmath.mpf(m) for j in range(m)] for i in range(n)]
    return value, gradient
