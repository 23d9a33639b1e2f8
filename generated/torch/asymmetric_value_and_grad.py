# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# asymmetric.value_and_grad, asymmetric.value, 9064-58, asymmetric.gradient.

import torch


def asymmetric_value_and_grad(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
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
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma_positive
    term_3 = torch.clip(-s, 0, None) + torch.log1p(exp_1)
    sum_1 = torch.sum(term_2 * y * term_3, axis=-1, keepdims=True)
    ratio_2 = torch.where(s >= 0, 1, exp_1) / term_1
    term_4 = torch.abs(margin - ratio_2)
    term_5 = 1 - y
    term_6 = margin + ratio_1
    log_1 = torch.log(term_6)
    term_7 = ratio_2 - margin
    term_8 = torch.where(term_7 > 0, 1, torch.asarray(0, dtype=s.dtype, device=s.device))
    sum_2 = torch.sum(term_4**gamma_negative * term_5 * log_1 * term_8, axis=-1, keepdims=True)
    value = (sum_1 - sum_2)[..., 0]
    term_9 = term_4**(gamma_negative - 2)
    term_10 = term_7 / term_6 - gamma_negative * log_1
    term_11 = term_9 * term_5 * term_7 * term_10 * ratio_1 * ratio_2 * term_8
    term_12 = term_2 * (gamma_positive * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_11 - term_12
    return value, gradient


def asymmetric_hvp(s, y, v, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """Hvp of asymmetric, row by row.

        asymmetric_hvp_i = ((1 - y_i) ((-margin + 1/(1 + e^(-s_i))) (-gamma_negative log(margin
            + 1/(e^(s_i) + 1)) + (-margin + 1/(1 + e^(-s_i)))/(margin + 1/(e^(s_i) + 1)))
            (1/(e^(s_i) + 1) - 1/(1 + e^(-s_i))) + (-gamma_negative (gamma_negative - 1)
            log(margin + 1/(e^(s_i) + 1)) + 2 gamma_negative (-margin + 1/(1 +
            e^(-s_i)))/(margin + 1/(e^(s_i) + 1)) + (-margin + 1/(1 + e^(-s_i)))^2/(margin +
            1/(e^(s_i) + 1))^2)/((1 + e^(-s_i)) (e^(s_i) + 1))) (Abs(margin - 1/(1 +
            e^(-s_i))))^(gamma_negative - 2) [-margin + 1/(1 + e^(-s_i)) > 0]/((1 + e^(-s_i))
            (e^(s_i) + 1)) + (gamma_positive^2 log(1 + e^(-s_i))/(1 + e^(-s_i)) - gamma_positive
            log(1 + e^(-s_i))/(e^(s_i) + 1) + (2 gamma_positive + 1)/(e^(s_i) + 1)) y_i/((1 +
            e^(-s_i)) (e^(s_i) + 1)^gamma_positive)) v_i

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = torch.clip(-s, 0, None) + torch.log1p(exp_1)
    term_3 = (1 + 2 * gamma_positive - gamma_positive * term_2) * ratio_1
    ratio_2 = torch.where(s >= 0, 1, exp_1) / term_1
    term_4 = ratio_1**gamma_positive * (term_3 + gamma_positive**2 * (ratio_2 * term_2)) * y
    term_5 = torch.abs(margin - ratio_2)**(gamma_negative - 2)
    term_6 = ratio_2 - margin
    term_7 = margin + ratio_1
    log_1 = torch.log(term_7)
    term_8 = term_6 * (ratio_1 - ratio_2) * (term_6 / term_7 - gamma_negative * log_1)
    ratio_3 = term_6**2 / term_7**2
    ratio_4 = 2 * gamma_negative * term_6 / term_7
    term_9 = ratio_3 + ratio_4 - gamma_negative * (gamma_negative - 1) * log_1
    term_10 = torch.where(term_6 > 0, 1, torch.asarray(0, dtype=s.dtype, device=s.device))
    term_11 = term_5 * (1 - y) * (term_8 + term_9 * ratio_1 * ratio_2) * ratio_1 * term_10
    return (term_4 + term_11) * v * ratio_2


class AsymmetricFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, gamma_positive, gamma_negative, margin):
        return asymmetric_value_and_grad(s, y, gamma_positive, gamma_negative, margin)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, gamma_positive, gamma_negative, margin = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (gamma_positive, gamma_negative, margin)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "asymmetric has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(asymmetric_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 4)


def asymmetric(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = AsymmetricFunction.apply(s, y, gamma_positive, gamma_negative, margin)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class Asymmetric(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, gamma_positive=0.0, gamma_negative=4.0, margin=0.05, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (gamma_positive, gamma_negative, margin)

    def forward(self, s, y):
        return asymmetric(s, y, *self.scalars, reduction=self.reduction)
