# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# binary_cross_entropy.value_and_grad, binary_cross_entropy.value, 9064-c, 9064-h, 9064-i1,
# 9064-3, 9064-4, 9064-5, 9064-9, 9064-10, 9064-11, 9064-12, binary_cross_entropy.gradient.

import torch


def binary_cross_entropy_value_and_grad(s, t):
    """Value and gradient of binary_cross_entropy, row by row.

        value = -sum_k ((1 - t_k) log(1 - 1/(1 + e^(-s_k)))) - sum_k (log(1/(1 + e^(-s_k))) t_k)
        gradient_i = -t_i + 1/(1 + e^(-s_i))

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - t
    exp_1 = torch.exp(-torch.abs(s))
    log_1 = torch.log1p(exp_1)
    sum_1 = torch.sum(term_1 * (torch.clip(s, 0, None) + log_1), axis=-1, keepdims=True)
    sum_2 = torch.sum(t * (torch.clip(-s, 0, None) + log_1), axis=-1, keepdims=True)
    value = (sum_1 + sum_2)[..., 0]
    term_2 = 1 + exp_1
    term_3 = term_1 * (torch.where(s >= 0, 1, exp_1) / term_2)
    gradient = term_3 - t * (torch.where(s <= 0, 1, exp_1) / term_2)
    return value, gradient


def binary_cross_entropy_hvp(s, t, v):
    """Hvp of binary_cross_entropy, row by row.

        binary_cross_entropy_hvp_i = v_i/((1 + e^(-s_i)) (e^(s_i) + 1))

    Shapes: s (*batch, n), v (*batch, n); the result (*batch, n). All arrays of one floating-
    point dtype.
    """
    exp_1 = torch.exp(-torch.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = torch.where(s <= 0, 1, exp_1) / term_1
    return v * ratio_1 * (torch.where(s >= 0, 1, exp_1) / term_1)


class BinaryCrossEntropyFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return binary_cross_entropy_value_and_grad(s, t)

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
                "binary_cross_entropy has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(binary_cross_entropy_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def binary_cross_entropy(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = BinaryCrossEntropyFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class BinaryCrossEntropy(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return binary_cross_entropy(s, t, *self.scalars, reduction=self.reduction)
