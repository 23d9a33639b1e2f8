# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# asymmetric.value_and_grad, asymmetric.value, 9064-58, asymmetric.gradient.

def asymmetric_value_and_grad(
    s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05, *, xp=None
):
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

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    exp_1 = xp.exp(-xp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = xp.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma_positive
    term_3 = xp.clip(-s, 0, None) + xp.log1p(exp_1)
    sum_1 = xp.sum(term_2 * y * term_3, axis=-1, keepdims=True)
    ratio_2 = xp.where(s >= 0, 1, exp_1) / term_1
    term_4 = xp.abs(margin - ratio_2)
    term_5 = 1 - y
    term_6 = margin + ratio_1
    log_1 = xp.log(term_6)
    term_7 = ratio_2 - margin
    term_8 = xp.where(term_7 > 0, 1, xp.asarray(0, dtype=s.dtype, device=s.device))
    sum_2 = xp.sum(term_4**gamma_negative * term_5 * log_1 * term_8, axis=-1, keepdims=True)
    value = (sum_1 - sum_2)[..., 0]
    term_9 = term_4**(gamma_negative - 2)
    term_10 = term_7 / term_6 - gamma_negative * log_1
    term_11 = term_9 * term_5 * term_7 * term_10 * ratio_1 * ratio_2 * term_8
    term_12 = term_2 * (gamma_positive * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_11 - term_12
    return value, gradient
