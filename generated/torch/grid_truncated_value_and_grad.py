# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# grid_truncated.value_and_grad, grid_truncated.value, grid_truncated.gradient, 9158-3.

import torch


def sum_of_others(x):
    """sum_{k != j} x_k for each j: all that follow j, around the end, by doubling."""
    left, span, size, start = x.shape[-1] - 1, x, 1, 1
    others = torch.zeros_like(x)
    while left:
        if left % 2:
            others = others + torch.roll(span, -start, dims=-1)
            start += size
        span = span + torch.roll(span, -size, dims=-1)
        left, size = left // 2, 2 * size
    return others


def grid_truncated_value_and_grad(s, t):
    """Value and gradient of grid_truncated, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p sum_h ((1 - delta_hj)
            e^(s_ph - s_pj) t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p
            sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    peak_1 = torch.amax(s, axis=-1)
    exp_1 = torch.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1)
    term_1 = t * others_1
    term_2 = peak_1[..., :, None] - s
    open_1 = torch.where(term_1 != 0, term_2, -torch.inf)
    peak_2 = torch.amax(open_1, axis=-2)
    peak_3 = torch.clip(peak_2 - 60, 0, None)
    term_3 = term_1 * torch.exp(open_1 - peak_3[..., None, :])
    sum_1 = torch.sum(term_3, axis=-2)
    sum_2 = sum_1 + torch.exp(-peak_3)
    peak_4 = torch.clip(-torch.maximum(torch.log(sum_2), -peak_3), 0, None)
    term_4 = peak_3 - peak_4
    log_1 = torch.log1p(sum_1 * torch.exp(peak_4) + torch.expm1(-term_4))
    value = torch.sum(term_4 + log_1, axis=-1, keepdims=True)[..., 0]
    term_5 = torch.where(t != 0, term_2, -torch.inf) - peak_3[..., None, :]
    ratio_1 = t * torch.exp(term_5) / sum_2[..., None, :]
    gradient = exp_1 * sum_of_others(ratio_1) - ratio_1 * others_1
    return value, gradient


def grid_truncated_hvp(s, t, v):
    """Hvp of grid_truncated, grid by grid of samples and classes.

        grid_truncated_hvp_ij = sum_k ((1 - delta_jk) ((v_ij - v_ik - sum_p sum_h ((1 -
            delta_hk) (v_ph - v_pk) e^(s_ph - s_pk) t_pk/(sum_p sum_h ((1 - delta_hk) e^(s_ph -
            s_pk) t_pk) + 1))) e^(s_ij - s_ik) t_ik/(sum_p sum_h ((1 - delta_hk) e^(s_ph - s_pk)
            t_pk) + 1) - (-v_ij + v_ik - sum_p sum_h ((1 - delta_hj) (v_ph - v_pj) e^(s_ph -
            s_pj) t_pj/(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1))) e^(-s_ij +
            s_ik) t_ij/(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)))

    Shapes: s (*batch, n, m), t (*batch, n, m), v (*batch, n, m); the result (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    peak_1 = torch.amax(s, axis=-1)
    exp_1 = torch.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1)
    others_2 = sum_of_others(v * exp_1)
    term_1 = peak_1[..., :, None] - s
    term_2 = t * others_1
    open_1 = torch.where(term_2 != 0, term_1, -torch.inf)
    peak_2 = torch.clip(torch.amax(open_1, axis=-2), 0, None)
    term_3 = torch.where(t != 0, term_1, -torch.inf) - peak_2[..., None, :]
    term_4 = t * torch.exp(term_3)
    term_5 = term_2 * torch.exp(open_1 - peak_2[..., None, :])
    sum_1 = torch.sum(term_5, axis=-2) + torch.exp(-peak_2)
    ratio_1 = torch.sum(others_2 * term_4, axis=-2) / sum_1
    ratio_2 = torch.sum(v * term_5, axis=-2) / sum_1
    term_6 = v * others_1
    term_7 = ratio_1[..., None, :] * others_1
    term_8 = term_6 + term_7 - others_2 - ratio_2[..., None, :] * others_1
    ratio_3 = term_4 / sum_1[..., None, :]
    term_9 = exp_1 * sum_of_others(ratio_2[..., None, :] * ratio_3)
    term_10 = exp_1 * sum_of_others(ratio_1[..., None, :] * ratio_3)
    term_11 = term_8 * ratio_3
    term_12 = v * exp_1 * sum_of_others(ratio_3)
    return term_11 + term_9 + term_12 - exp_1 * sum_of_others(v * ratio_3) - term_10


class GridTruncatedFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return grid_truncated_value_and_grad(s, t)

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
                "grid_truncated has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None, None] * gradient)
        if by_gradient is not None:
            parts.append(grid_truncated_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def grid_truncated(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = GridTruncatedFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class GridTruncated(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return grid_truncated(s, t, *self.scalars, reduction=self.reduction)
