# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# soft_focal.value_and_grad, soft_focal.value, soft_focal.gradient.

import torch


def soft_focal_value_and_grad(s, t, beta=2.0):
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
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s >= 0, 1, exp_1) / term_1
    ratio_2 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = t * ratio_2
    term_3 = torch.abs((t - 1) * ratio_1 + term_2)
    term_4 = 1 - t
    log_1 = torch.log1p(exp_1)
    term_5 = term_4 * (torch.clip(s, 0, None) + log_1) + t * (torch.clip(-s, 0, None) + log_1)
    value = torch.sum(term_3**beta * term_5, axis=-1, keepdims=True)[..., 0]
    term_6 = term_4 * ratio_1 - term_2
    gradient = term_3**(beta - 2) * (term_6**2 + beta * (term_5 * ratio_2 * ratio_1)) * term_6
    return value, gradient


def soft_focal_hvp(s, t, v, beta=2.0):
    """Hvp of soft_focal, row by row.

        soft_focal_hvp_i = (beta ((1 - t_i) log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)
            ((-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (1/(e^(s_i) + 1) - 1/(1 +
            e^(-s_i))) + (beta - 1)/((1 + e^(-s_i)) (e^(s_i) + 1))) + (2 beta + 1)
            (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
            1)/(1 + e^(-s_i))))^(beta - 2) v_i/((1 + e^(-s_i)) (e^(s_i) + 1))

    Shapes: s (*batch, n), t (*batch, n), v (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s >= 0, 1, exp_1) / term_1
    ratio_2 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = t * ratio_2
    term_3 = torch.abs((t - 1) * ratio_1 + term_2)**(beta - 2)
    term_4 = 1 - t
    term_5 = term_4 * ratio_1 - term_2
    log_1 = torch.log1p(exp_1)
    term_6 = term_4 * (torch.clip(s, 0, None) + log_1) + t * (torch.clip(-s, 0, None) + log_1)
    term_7 = (ratio_2 - ratio_1) * term_5 + (beta - 1) * (ratio_2 * ratio_1)
    term_8 = (1 + 2 * beta) * term_5**2 + beta * (term_6 * term_7)
    return term_3 * term_8 * v * ratio_2 * ratio_1


class SoftFocalFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t, beta):
        return soft_focal_value_and_grad(s, t, beta)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, t, beta = inputs
        ctx.save_for_backward(s, t, output[1])
        ctx.scalars = (beta,)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "soft_focal has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(soft_focal_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def soft_focal(s, t, beta=2.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = SoftFocalFunction.apply(s, t, beta)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class SoftFocal(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, beta=2.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (beta,)

    def forward(self, s, t):
        return soft_focal(s, t, *self.scalars, reduction=self.reduction)
