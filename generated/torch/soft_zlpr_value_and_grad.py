# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# soft_zlpr.value_and_grad, soft_zlpr.value, soft_zlpr.gradient, 9064-k, 9064-17.

import torch


def soft_zlpr_value_and_grad(s, t):
    """Value and gradient of soft_zlpr, row by row.

        value = log(sum_k ((1 - t_k) e^(s_k)) + 1) + log(sum_k (e^(-s_k) t_k) + 1)
        gradient_i = (1 - t_i) e^(s_i)/(sum_k ((1 - t_k) e^(s_k)) + 1) - e^(-s_i) t_i/(sum_k
            (e^(-s_k) t_k) + 1)

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    open_1 = torch.where(t != 0, -s, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    peak_2 = torch.clip(peak_1 - 60, 0, None)
    term_1 = t * torch.exp(open_1 - peak_2)
    sum_1 = torch.sum(term_1, axis=-1, keepdims=True)
    sum_2 = sum_1 + torch.exp(-peak_2)
    peak_3 = torch.clip(-torch.maximum(torch.log(sum_2), -peak_2), 0, None)
    term_2 = peak_2 - peak_3
    term_3 = 1 - t
    open_2 = torch.where(term_3 != 0, s, -torch.inf)
    peak_4 = torch.amax(open_2, axis=-1, keepdims=True)
    peak_5 = torch.clip(peak_4 - 60, 0, None)
    term_4 = term_3 * torch.exp(open_2 - peak_5)
    sum_3 = torch.sum(term_4, axis=-1, keepdims=True)
    sum_4 = sum_3 + torch.exp(-peak_5)
    peak_6 = torch.clip(-torch.maximum(torch.log(sum_4), -peak_5), 0, None)
    term_5 = peak_5 - peak_6
    log_1 = torch.log1p(sum_3 * torch.exp(peak_6) + torch.expm1(-term_5))
    log_2 = torch.log1p(sum_1 * torch.exp(peak_3) + torch.expm1(-term_2))
    value = (term_2 + term_5 + log_1 + log_2)[..., 0]
    gradient = term_4 / sum_4 - term_1 / sum_2
    return value, gradient


def soft_zlpr_hvp(s, t, v):
    """Hvp of soft_zlpr, row by row.

        soft_zlpr_hvp_i = (1 - t_i) (v_i - sum_j ((1 - t_j) e^(s_j) v_j/(sum_k ((1 - t_k)
            e^(s_k)) + 1))) e^(s_i)/(sum_k ((1 - t_k) e^(s_k)) + 1) + (v_i - sum_j (e^(-s_j) t_j
            v_j/(sum_k (e^(-s_k) t_k) + 1))) e^(-s_i) t_i/(sum_k (e^(-s_k) t_k) + 1)

    Shapes: s (*batch, n), t (*batch, n), v (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - t
    open_1 = torch.where(term_1 != 0, s, -torch.inf)
    peak_1 = torch.clip(torch.amax(open_1, axis=-1, keepdims=True), 0, None)
    term_2 = term_1 * torch.exp(open_1 - peak_1)
    sum_1 = torch.sum(term_2, axis=-1, keepdims=True) + torch.exp(-peak_1)
    ratio_1 = torch.sum(v * term_2, axis=-1, keepdims=True) / sum_1
    open_2 = torch.where(t != 0, -s, -torch.inf)
    peak_2 = torch.clip(torch.amax(open_2, axis=-1, keepdims=True), 0, None)
    term_3 = t * torch.exp(open_2 - peak_2)
    sum_2 = torch.sum(term_3, axis=-1, keepdims=True) + torch.exp(-peak_2)
    ratio_2 = torch.sum(v * term_3, axis=-1, keepdims=True) / sum_2
    return (v - ratio_1) * (term_2 / sum_1) + (v - ratio_2) * (term_3 / sum_2)


class SoftZlprFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return soft_zlpr_value_and_grad(s, t)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, t = inputs
        ctx.save_for_backward(s, t, output[1])
        ctx.scalars = ()
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "soft_zlpr has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(soft_zlpr_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def soft_zlpr(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = SoftZlprFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class SoftZlpr(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return soft_zlpr(s, t, *self.scalars, reduction=self.reduction)
