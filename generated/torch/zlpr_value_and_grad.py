# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# zlpr.value_and_grad, zlpr.value, zlpr.gradient.

import torch


def zlpr_value_and_grad(s, y, s_0=0.0):
    """Value and gradient of zlpr, row by row.

        value = log(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + log(sum_k (e^(s_0 - s_k) y_k) + 1)
        gradient_i = (1 - y_i) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) - e^(s_0 -
            s_i) y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    open_1 = torch.where(y != 0, s_0 - s, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    peak_2 = torch.clip(peak_1 - 60, 0, None)
    term_1 = y * torch.exp(open_1 - peak_2)
    sum_1 = torch.sum(term_1, axis=-1, keepdims=True)
    sum_2 = sum_1 + torch.exp(-peak_2)
    peak_3 = torch.clip(-torch.maximum(torch.log(sum_2), -peak_2), 0, None)
    term_2 = peak_2 - peak_3
    term_3 = 1 - y
    open_2 = torch.where(term_3 != 0, s - s_0, -torch.inf)
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


def zlpr_hvp(s, y, v, s_0=0.0):
    """Hvp of zlpr, row by row.

        zlpr_hvp_i = (1 - y_i) (v_i - sum_j ((1 - y_j) e^(-s_0 + s_j) v_j/(sum_k ((1 - y_k)
            e^(-s_0 + s_k)) + 1))) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + (v_i
            - sum_j (e^(s_0 - s_j) v_j y_j/(sum_k (e^(s_0 - s_k) y_k) + 1))) e^(s_0 - s_i)
            y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = torch.where(term_1 != 0, s - s_0, -torch.inf)
    peak_1 = torch.clip(torch.amax(open_1, axis=-1, keepdims=True), 0, None)
    term_2 = term_1 * torch.exp(open_1 - peak_1)
    sum_1 = torch.sum(term_2, axis=-1, keepdims=True) + torch.exp(-peak_1)
    ratio_1 = torch.sum(v * term_2, axis=-1, keepdims=True) / sum_1
    open_2 = torch.where(y != 0, s_0 - s, -torch.inf)
    peak_2 = torch.clip(torch.amax(open_2, axis=-1, keepdims=True), 0, None)
    term_3 = y * torch.exp(open_2 - peak_2)
    sum_2 = torch.sum(term_3, axis=-1, keepdims=True) + torch.exp(-peak_2)
    ratio_2 = torch.sum(v * term_3, axis=-1, keepdims=True) / sum_2
    return (v - ratio_1) * (term_2 / sum_1) + (v - ratio_2) * (term_3 / sum_2)


class ZlprFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, s_0):
        return zlpr_value_and_grad(s, y, s_0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, s_0 = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (s_0,)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "zlpr has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(zlpr_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def zlpr(s, y, s_0=0.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = ZlprFunction.apply(s, y, s_0)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class Zlpr(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, s_0=0.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (s_0,)

    def forward(self, s, y):
        return zlpr(s, y, *self.scalars, reduction=self.reduction)
