# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.

def unified_value_and_grad(s, y, gamma=1.0, m=0.0, *, xp=None):
    """Value and gradient of unified, row by row.

        value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
        gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
            y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
            e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
            ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = m * gamma
    term_2 = 1 - y
    term_3 = gamma * s
    open_1 = xp.where(term_2 != 0, term_3, -xp.inf)
    peak_1 = xp.max(open_1, axis=-1, keepdims=True)
    open_2 = xp.where(y != 0, -term_3, -xp.inf)
    peak_2 = xp.max(open_2, axis=-1, keepdims=True)
    peak_3 = xp.clip(term_1 + peak_1 + peak_2 - 60, 0, None)
    term_4 = open_1 - xp.where(xp.isfinite(peak_1), peak_1, 0)
    term_5 = term_2 * xp.exp(term_4)
    sum_1 = xp.sum(term_5, axis=-1, keepdims=True)
    term_6 = open_2 - xp.where(xp.isfinite(peak_2), peak_2, 0)
    term_7 = y * xp.exp(term_6)
    sum_2 = xp.sum(term_7, axis=-1, keepdims=True)
    exp_1 = xp.exp((term_1 + peak_1 + peak_2) - peak_3)
    term_8 = sum_1 * sum_2 * exp_1 + xp.exp(-peak_3)
    peak_4 = xp.clip(-xp.maximum(xp.log(term_8), -peak_3), 0, None)
    term_9 = peak_3 - peak_4
    term_10 = sum_1 * sum_2 * exp_1 * xp.exp(peak_4) + xp.expm1(-term_9)
    value = (term_9 + xp.log1p(term_10))[..., 0]
    ratio_1 = exp_1 / term_8
    term_11 = sum_2 * ratio_1 * term_5 - sum_1 * ratio_1 * term_7
    gradient = gamma * term_11
    return value, gradient
