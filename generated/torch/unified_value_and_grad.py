# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.

import torch


def unified_value_and_grad(s, y, gamma=1.0, m=0.0):
    """Value and gradient of unified, row by row.

        value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
        gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
            y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
            e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
            ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = m * gamma
    term_2 = 1 - y
    term_3 = gamma * s
    open_1 = torch.where(term_2 != 0, term_3, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    open_2 = torch.where(y != 0, -term_3, -torch.inf)
    peak_2 = torch.amax(open_2, axis=-1, keepdims=True)
    peak_3 = torch.clip(term_1 + peak_1 + peak_2 - 60, 0, None)
    term_4 = open_1 - torch.where(torch.isfinite(peak_1), peak_1, 0)
    term_5 = term_2 * torch.exp(term_4)
    sum_1 = torch.sum(term_5, axis=-1, keepdims=True)
    term_6 = open_2 - torch.where(torch.isfinite(peak_2), peak_2, 0)
    term_7 = y * torch.exp(term_6)
    sum_2 = torch.sum(term_7, axis=-1, keepdims=True)
    exp_1 = torch.exp((term_1 + peak_1 + peak_2) - peak_3)
    term_8 = sum_1 * sum_2 * exp_1 + torch.exp(-peak_3)
    peak_4 = torch.clip(-torch.maximum(torch.log(term_8), -peak_3), 0, None)
    term_9 = peak_3 - peak_4
    term_10 = sum_1 * sum_2 * exp_1 * torch.exp(peak_4) + torch.expm1(-term_9)
    value = (term_9 + torch.log1p(term_10))[..., 0]
    ratio_1 = exp_1 / term_8
    term_11 = sum_2 * ratio_1 * term_5 - sum_1 * ratio_1 * term_7
    gradient = gamma * term_11
    return value, gradient


def unified_hvp(s, y, v, gamma=1.0, m=0.0):
    """Hvp of unified, row by row.

        unified_hvp_i = gamma^2 (-((1 - y_i) e^(gamma s_i) sum_j (e^(-gamma s_j) v_j y_j) +
            e^(-gamma s_i) y_i sum_j ((1 - y_j) e^(gamma s_j) v_j)) e^(gamma m)/(e^(gamma m)
            sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) - ((1 - y_i)
            e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k) y_k)/(e^(gamma m) sum_k ((1 - y_k)
            e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) - e^(gamma m) e^(-gamma s_i) y_i
            sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k
            (e^(-gamma s_k) y_k) + 1)) sum_j (((1 - y_j) e^(gamma m) e^(gamma s_j) sum_k
            (e^(-gamma s_k) y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma
            s_k) y_k) + 1) - e^(gamma m) e^(-gamma s_j) y_j sum_k ((1 - y_k) e^(gamma
            s_k))/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))
            v_j) + ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k) y_k)/(e^(gamma m)
            sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) + e^(gamma m)
            e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k ((1 - y_k)
            e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)) v_i)

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = gamma * s
    term_2 = 1 - y
    open_1 = torch.where(term_2 != 0, term_1, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-1, keepdims=True)
    term_3 = open_1 - torch.where(torch.isfinite(peak_1), peak_1, 0)
    term_4 = term_2 * torch.exp(term_3)
    sum_1 = torch.sum(term_4, axis=-1, keepdims=True)
    open_2 = torch.where(y != 0, -term_1, -torch.inf)
    peak_2 = torch.amax(open_2, axis=-1, keepdims=True)
    term_5 = m * gamma + peak_1 + peak_2
    peak_3 = torch.clip(term_5, 0, None)
    exp_1 = torch.exp(term_5 - peak_3)
    term_6 = open_2 - torch.where(torch.isfinite(peak_2), peak_2, 0)
    term_7 = y * torch.exp(term_6)
    sum_2 = torch.sum(term_7, axis=-1, keepdims=True)
    ratio_1 = exp_1 / (sum_1 * sum_2 * exp_1 + torch.exp(-peak_3))
    term_8 = sum_1 * ratio_1 * term_7
    term_9 = sum_2 * ratio_1 * term_4
    term_10 = term_9 - term_8
    term_11 = torch.sum(term_10 * v, axis=-1, keepdims=True) * term_10
    term_12 = torch.sum(v * term_4, axis=-1, keepdims=True) * ratio_1
    term_13 = torch.sum(v * term_7, axis=-1, keepdims=True) * ratio_1
    term_14 = (term_8 + term_9) * v - term_11 - term_12 * term_7 - term_13 * term_4
    return gamma**2 * term_14


class UnifiedFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, gamma, m):
        return unified_value_and_grad(s, y, gamma, m)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, gamma, m = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (gamma, m)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "unified has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(unified_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 3)


def unified(s, y, gamma=1.0, m=0.0, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = UnifiedFunction.apply(s, y, gamma, m)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class Unified(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, gamma=1.0, m=0.0, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (gamma, m)

    def forward(self, s, y):
        return unified(s, y, *self.scalars, reduction=self.reduction)
