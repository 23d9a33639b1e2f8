# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# lse_hinge.value_and_grad, lse_hinge.value, lse_hinge.gradient, SURVEY-30.

def lse_hinge_value_and_grad(s, y, m=0.0, *, xp=None):
    """Value and gradient of lse_hinge, row by row.

        value = max(m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j), 0)
        gradient_i = ((1 - y_i) e^(s_i)/sum_k ((1 - y_k) e^(s_k)) - y_i) [m + log(sum_k ((1 -
            y_k) e^(s_k))) - sum_j (s_j y_j) > 0]

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = 1 - y
    open_1 = xp.where(term_1 != 0, s, -xp.inf)
    peak_1 = xp.max(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - xp.where(xp.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * xp.exp(term_2)
    sum_1 = xp.sum(term_3, axis=-1, keepdims=True)
    sum_2 = m + peak_1 - xp.sum(s * y, axis=-1, keepdims=True) + xp.log(sum_1)
    value = xp.clip(sum_2, 0, None)[..., 0]
    term_4 = xp.where(sum_2 > 0, 1, xp.asarray(0, dtype=s.dtype, device=s.device))
    gradient = term_4 * (term_3 / sum_1 - y)
    return value, gradient
