# Emitted by lossproof from the derived formula, target array-api. Rests on the claims
# circle.value_and_grad, circle.value, circle.gradient.

def circle_value_and_grad(s, y, scale=256.0, margin=0.25, *, xp=None):
    """Value and gradient of circle, row by row.

        value = log(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1)
        gradient_i = -2 scale (1 - s_i) e^(scale (-margin - s_i + 1) max(margin - s_i + 1, 0))
            [margin - s_i + 1 > 0] y_i sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin +
            s_k, 0)))/(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1) + 2 scale (1 -
            y_i) e^(scale (-margin + s_i) max(margin + s_i, 0)) [margin + s_i > 0] s_i sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k)/(sum_k ((1 - y_k)
            e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1)
            max(margin - s_k + 1, 0)) y_k) + 1)

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    xp = s.__array_namespace__() if xp is None else xp
    term_1 = 1 - y
    term_2 = margin + s
    peak_1 = xp.clip(term_2, 0, None)
    term_3 = margin * scale
    open_1 = xp.where(term_1 != 0, scale * (s * peak_1) - term_3 * peak_1, -xp.inf)
    peak_2 = xp.max(open_1, axis=-1, keepdims=True)
    term_4 = 1 + margin - s
    peak_3 = xp.clip(term_4, 0, None)
    term_5 = scale * peak_3 - term_3 * peak_3 - scale * (s * peak_3)
    open_2 = xp.where(y != 0, term_5, -xp.inf)
    peak_4 = xp.max(open_2, axis=-1, keepdims=True)
    peak_5 = xp.clip(peak_2 + peak_4 - 60, 0, None)
    term_6 = open_1 - xp.where(xp.isfinite(peak_2), peak_2, 0)
    term_7 = term_1 * xp.exp(term_6)
    sum_1 = xp.sum(term_7, axis=-1, keepdims=True)
    term_8 = open_2 - xp.where(xp.isfinite(peak_4), peak_4, 0)
    term_9 = y * xp.exp(term_8)
    sum_2 = xp.sum(term_9, axis=-1, keepdims=True)
    exp_1 = xp.exp((peak_2 + peak_4) - peak_5)
    term_10 = sum_1 * sum_2 * exp_1 + xp.exp(-peak_5)
    peak_6 = xp.clip(-xp.maximum(xp.log(term_10), -peak_5), 0, None)
    term_11 = peak_5 - peak_6
    term_12 = sum_1 * sum_2 * exp_1 * xp.exp(peak_6) + xp.expm1(-term_11)
    value = (term_11 + xp.log1p(term_12))[..., 0]
    ratio_1 = exp_1 / term_10
    term_13 = xp.asarray(0, dtype=s.dtype, device=s.device)
    term_14 = 2 * scale
    term_15 = term_14 * (sum_2 * ratio_1) * (s * xp.where(term_2 > 0, 1, term_13) * term_7)
    term_16 = (1 - s) * xp.where(term_4 > 0, 1, term_13) * term_9
    gradient = term_15 - term_14 * (sum_1 * ratio_1) * term_16
    return value, gradient
