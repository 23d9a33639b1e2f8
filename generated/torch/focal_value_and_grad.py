# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# focal.value_and_grad, focal.value, 9064-49, focal.gradient.

import torch


def focal_value_and_grad(s, y, gamma=2.0):
    """Value and gradient of focal, row by row.

        value = sum_k (log(1 + e^(-s_k)) y_k/(e^(s_k) + 1)^gamma + (1 - y_k) log(e^(s_k) + 1)/(1
            + e^(-s_k))^gamma)
        gradient_i = -(gamma log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1)) y_i/(e^(s_i) +
            1)^gamma + (1 - y_i) (gamma log(e^(s_i) + 1)/(e^(s_i) + 1) + 1/(1 + e^(-s_i)))/(1 +
            e^(-s_i))^gamma

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma
    log_1 = torch.log1p(exp_1)
    term_3 = torch.clip(-s, 0, None) + log_1
    ratio_2 = torch.where(s >= 0, 1, exp_1) / term_1
    term_4 = ratio_2**gamma
    term_5 = 1 - y
    term_6 = torch.clip(s, 0, None) + log_1
    sum_1 = torch.sum(term_2 * y * term_3 + term_4 * term_5 * term_6, axis=-1, keepdims=True)
    value = sum_1[..., 0]
    term_7 = term_4 * term_5 * (gamma * (ratio_1 * term_6) + ratio_2)
    term_8 = term_2 * (gamma * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_7 - term_8
    return value, gradient


def focal_hvp(s, y, v, gamma=2.0):
    """Hvp of focal, row by row.

        focal_hvp_i = ((1 - y_i) (gamma^2 log(e^(s_i) + 1)/(e^(s_i) + 1) - gamma log(e^(s_i) +
            1)/(1 + e^(-s_i)) + (2 gamma + 1)/(1 + e^(-s_i)))/((1 + e^(-s_i))^gamma (e^(s_i) +
            1)) + (gamma^2 log(1 + e^(-s_i))/(1 + e^(-s_i)) - gamma log(1 + e^(-s_i))/(e^(s_i) +
            1) + (2 gamma + 1)/(e^(s_i) + 1)) y_i/((1 + e^(-s_i)) (e^(s_i) + 1)^gamma)) v_i

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s <= 0, 1, exp_1) / term_1
    term_2 = 2 * gamma
    log_1 = torch.log1p(exp_1)
    term_3 = torch.clip(-s, 0, None) + log_1
    term_4 = gamma**2
    ratio_2 = torch.where(s >= 0, 1, exp_1) / term_1
    term_5 = (1 + term_2 - gamma * term_3) * ratio_1 + term_4 * (ratio_2 * term_3)
    term_6 = torch.clip(s, 0, None) + log_1
    term_7 = (1 + term_2 - gamma * term_6) * ratio_2 + term_4 * (ratio_1 * term_6)
    term_8 = ratio_1**gamma * term_5 * y * ratio_2 + ratio_2**gamma * (1 - y) * term_7 * ratio_1
    return term_8 * v


class FocalFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, gamma):
        return focal_value_and_grad(s, y, gamma)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, gamma = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (gamma,)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "focal has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(focal_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def focal(s, y, gamma=2.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = FocalFunction.apply(s, y, gamma)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class Focal(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, gamma=2.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (gamma,)

    def forward(self, s, y):
        return focal(s, y, *self.scalars, reduction=self.reduction)
