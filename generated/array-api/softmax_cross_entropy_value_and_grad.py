# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
# softmax_cross_entropy.gradient, SCE-11, SURVEY-17.

def softmax_cross_entropy_value_and_grad(s, t, *, xp=None):
    """Value and gradient of softmax_cross_entropy, row by row.

        value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
        gradient_i = e^(s_i)/sum_k e^(s_k) - t_i

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    peak_1 = xp.max(s, axis=-1, keepdims=True)
    top_1 = xp.argmax(s, axis=-1, keepdims=True)
    exp_1 = xp.exp(s - peak_1)
    term_1 = xp.where(xp.arange(s.shape[-1], device=s.device) == top_1, 0, exp_1)
    term_2 = s - peak_1 - xp.log1p(xp.sum(term_1, axis=-1, keepdims=True))
    value = (-xp.sum(term_2 * t, axis=-1, keepdims=True))[..., 0]
    gradient = exp_1 / xp.sum(exp_1, axis=-1, keepdims=True) - t
    return value, gradient
