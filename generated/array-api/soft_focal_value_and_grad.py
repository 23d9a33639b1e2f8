# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# soft_focal.value_and_grad, soft_focal.value, soft_focal.gradient.

def soft_focal_value_and_grad(s, t, beta=2.0, *, xp=None):
    """Value and gradient of soft_focal, row by row.

        value = sum_k (((1 - t_k) log(e^(s_k) + 1) + log(1 + e^(-s_k)) t_k) (Abs(t_k/(e^(s_k) +
            1) + (t_k - 1)/(1 + e^(-s_k))))^beta)
        gradient_i = (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (beta ((1 - t_i)
            log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)/((1 + e^(-s_i)) (e^(s_i) + 1)) +
            (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
            1)/(1 + e^(-s_i))))^(beta - 2)

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    exp_1 = xp.exp(-xp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = xp.where(s >= 0, 1, exp_1) / term_1
    ratio_2 = xp.where(s <= 0, 1, exp_1) / term_1
    term_2 = t * ratio_2
    term_3 = xp.abs((t - 1) * ratio_1 + term_2)
    term_4 = 1 - t
    log_1 = xp.log1p(exp_1)
    term_5 = term_4 * (xp.clip(s, 0, None) + log_1) + t * (xp.clip(-s, 0, None) + log_1)
    value = xp.sum(term_3**beta * term_5, axis=-1, keepdims=True)[..., 0]
    term_6 = term_4 * ratio_1 - term_2
    gradient = term_3**(beta - 2) * (term_6**2 + beta * (term_5 * ratio_2 * ratio_1)) * term_6
    return value, gradient
