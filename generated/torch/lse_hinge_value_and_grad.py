# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# lse_hinge.value_and_grad, lse_hinge.value, lse_hinge.gradient, SURVEY-30.

import torch


def lse_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of lse_hinge, row by row.

        value = max(m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j), 0)
        gradient_i = ((1 - y_i) e^(s_i)/sum_k ((1 - y_k) e^(s_k)) - y_i) [m + log(sum_k ((1 -
            y_k) e^(s_k))) - sum_j (s_j y_j) > 0]

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = torch.where(term_1 != 0, s, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - torch.where(torch.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * torch.exp(term_2)
    sum_1 = torch.sum(term_3, axis=-1, keepdims=True)
    sum_2 = m + peak_1 - torch.sum(s * y, axis=-1, keepdims=True) + torch.log(sum_1)
    value = torch.clip(sum_2, 0, None)[..., 0]
    term_4 = torch.where(sum_2 > 0, 1, torch.asarray(0, dtype=s.dtype, device=s.device))
    gradient = term_4 * (term_3 / sum_1 - y)
    return value, gradient


def lse_hinge_hvp(s, y, v, m=0.0):
    """Hvp of lse_hinge, row by row.

        lse_hinge_hvp_i = (1 - y_i) (v_i - sum_j ((1 - y_j) e^(s_j) v_j/sum_k ((1 - y_k)
            e^(s_k)))) e^(s_i) [m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j) > 0]/sum_k
            ((1 - y_k) e^(s_k))

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = torch.where(term_1 != 0, s, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - torch.where(torch.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * torch.exp(term_2)
    sum_1 = torch.sum(term_3, axis=-1, keepdims=True)
    ratio_1 = torch.sum(v * term_3, axis=-1, keepdims=True) / sum_1
    sum_2 = m + peak_1 - torch.sum(s * y, axis=-1, keepdims=True) + torch.log(sum_1)
    term_4 = torch.where(sum_2 > 0, 1, torch.asarray(0, dtype=s.dtype, device=s.device))
    return term_4 * ((v - ratio_1) * (term_3 / sum_1))


class LseHingeFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, m):
        return lse_hinge_value_and_grad(s, y, m)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, m = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (m,)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "lse_hinge has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(lse_hinge_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def lse_hinge(s, y, m=0.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = LseHingeFunction.apply(s, y, m)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class LseHinge(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, m=0.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (m,)

    def forward(self, s, y):
        return lse_hinge(s, y, *self.scalars, reduction=self.reduction)
