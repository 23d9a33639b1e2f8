# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

import torch


def max_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    term_2 = term_1 * (m + s - torch.sum(s * y, axis=-1, keepdims=True))
    value = torch.amax(term_2, axis=-1, keepdims=True)[..., 0]
    top_1 = torch.argmax(term_2, axis=-1, keepdims=True)
    term_3 = torch.arange(s.shape[-1], device=s.device)
    term_4 = torch.where(term_3 == top_1, 1, torch.asarray(0, dtype=s.dtype, device=s.device))
    term_5 = term_1 * term_4
    gradient = term_5 - torch.sum(term_5, axis=-1, keepdims=True) * y
    return value, gradient


def max_hinge_hvp(s, y, v, m=0.0):
    """Hvp of max_hinge, row by row.

        max_hinge_hvp_i = 0

    Shapes: ; the result (*batch, n). All arrays of one floating-point dtype.
    """
    result = torch.asarray(0, dtype=s.dtype, device=s.device)
    return torch.broadcast_to(result, (*s.shape[:-1], s.shape[-1]))


class MaxHingeFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, m):
        return max_hinge_value_and_grad(s, y, m)

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
                "max_hinge has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(max_hinge_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def max_hinge(s, y, m=0.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = MaxHingeFunction.apply(s, y, m)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class MaxHinge(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, m=0.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (m,)

    def forward(self, s, y):
        return max_hinge(s, y, *self.scalars, reduction=self.reduction)
