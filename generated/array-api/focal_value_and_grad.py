# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# focal.value_and_grad, focal.value, 9064-49, focal.gradient.

def focal_value_and_grad(s, y, gamma=2.0, *, xp=None):
    """Value and gradient of focal, row by row.

        value = sum_k (log(1 + e^(-s_k)) y_k/(e^(s_k) + 1)^gamma + (1 - y_k) log(e^(s_k) + 1)/(1
            + e^(-s_k))^gamma)
        gradient_i = -(gamma log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1)) y_i/(e^(s_i) +
            1)^gamma + (1 - y_i) (gamma log(e^(s_i) + 1)/(e^(s_i) + 1) + 1/(1 + e^(-s_i)))/(1 +
            e^(-s_i))^gamma

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    exp_1 = xp.exp(-xp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = xp.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma
    log_1 = xp.log1p(exp_1)
    term_3 = xp.clip(-s, 0, None) + log_1
    ratio_2 = xp.where(s >= 0, 1, exp_1) / term_1
    term_4 = ratio_2**gamma
    term_5 = 1 - y
    term_6 = xp.clip(s, 0, None) + log_1
    sum_1 = xp.sum(term_2 * y * term_3 + term_4 * term_5 * term_6, axis=-1, keepdims=True)
    value = sum_1[..., 0]
    term_7 = term_4 * term_5 * (gamma * (ratio_1 * term_6) + ratio_2)
    term_8 = term_2 * (gamma * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_7 - term_8
    return value, gradient
