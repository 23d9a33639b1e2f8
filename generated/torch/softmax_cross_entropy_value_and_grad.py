# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
# softmax_cross_entropy.gradient, SCE-11, SURVEY-17.

import torch


def softmax_cross_entropy_value_and_grad(s, t):
    """Value and gradient of softmax_cross_entropy, row by row.

        value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
        gradient_i = e^(s_i)/sum_k e^(s_k) - t_i

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    peak_1 = torch.amax(s, axis=-1, keepdims=True)
    top_1 = torch.argmax(s, axis=-1, keepdims=True)
    exp_1 = torch.exp(s - peak_1)
    term_1 = torch.where(torch.arange(s.shape[-1], device=s.device) == top_1, 0, exp_1)
    log_1 = torch.log1p(torch.sum(term_1, axis=-1, keepdims=True))
    sum_1 = torch.sum((s - peak_1 - log_1) * t, axis=-1, keepdims=True)
    value = (-sum_1)[..., 0]
    gradient = exp_1 / torch.sum(exp_1, axis=-1, keepdims=True) - t
    return value, gradient


def softmax_cross_entropy_hvp(s, t, v):
    """Hvp of softmax_cross_entropy, row by row.

        softmax_cross_entropy_hvp_i = (v_i - sum_j (e^(s_j) v_j/sum_k e^(s_k))) e^(s_i)/sum_k
            e^(s_k)

    Shapes: s (*batch, n), v (*batch, n); the result (*batch, n). All arrays of one floating-
    point dtype.
    """
    peak_1 = torch.amax(s, axis=-1, keepdims=True)
    exp_1 = torch.exp(s - peak_1)
    sum_1 = torch.sum(exp_1, axis=-1, keepdims=True)
    ratio_1 = torch.sum(v * exp_1, axis=-1, keepdims=True) / sum_1
    return (v - ratio_1) * (exp_1 / sum_1)


class SoftmaxCrossEntropyFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return softmax_cross_entropy_value_and_grad(s, t)

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
                "softmax_cross_entropy has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(softmax_cross_entropy_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def softmax_cross_entropy(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = SoftmaxCrossEntropyFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class SoftmaxCrossEntropy(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return softmax_cross_entropy(s, t, *self.scalars, reduction=self.reduction)
