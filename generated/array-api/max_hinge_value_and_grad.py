# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

def max_hinge_value_and_grad(s, y, m=0.0, *, xp=None):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = 1 - y
    term_2 = term_1 * (m + s - xp.sum(s * y, axis=-1, keepdims=True))
    value = xp.max(term_2, axis=-1, keepdims=True)[..., 0]
    top_1 = xp.argmax(term_2, axis=-1, keepdims=True)
    term_3 = xp.arange(s.shape[-1], device=s.device)
    term_4 = xp.where(term_3 == top_1, 1, xp.asarray(0, dtype=s.dtype, device=s.device))
    term_5 = term_1 * term_4
    gradient = term_5 - xp.sum(term_5, axis=-1, keepdims=True) * y
    return value, gradient
