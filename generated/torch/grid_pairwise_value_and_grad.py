# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# grid_pairwise.value_and_grad, grid_pairwise.value, grid_pairwise.gradient.

import torch


def grid_pairwise_value_and_grad(s, t):
    """Value and gradient of grid_pairwise, grid by grid of samples and classes.

        value = sum_j sum_k ((1 - delta_jk) log(sum_p (e^(-s_pj + s_pk) t_pj) + 1))
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p (e^(-s_pj + s_pk)
            t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p (e^(s_pj - s_pk)
            t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = torch.eye(s.shape[-1], dtype=s.dtype, device=s.device)
    term_2 = 1 - term_1
    term_3 = s[..., :, None, :] - s[..., :, :, None]
    open_1 = torch.where(t[..., :, :, None] != 0, term_3, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-3)
    peak_2 = torch.clip(peak_1 - 60, 0, None)
    term_4 = t[..., :, :, None] * torch.exp(open_1 - peak_2[..., None, :, :])
    sum_1 = torch.sum(term_4, axis=-3)
    sum_2 = sum_1 + torch.exp(-peak_2)
    peak_3 = torch.clip(-torch.maximum(torch.log(sum_2), -peak_2), 0, None)
    term_5 = peak_2 - peak_3
    log_1 = torch.log1p(sum_1 * torch.exp(peak_3) + torch.expm1(-term_5))
    sum_3 = torch.sum(torch.sum(term_2 * (term_5 + log_1), axis=-1), axis=-1, keepdims=True)
    value = sum_3[..., 0]
    ratio_1 = torch.movedim(term_4, -1, -2) / torch.movedim(sum_2, -1, -2)[..., None, :, :]
    term_6 = term_2[..., None, :, :] * ratio_1
    sum_4 = torch.sum(torch.movedim(term_6, -1, -2), axis=-1)
    gradient = torch.sum(term_6, axis=-1) - sum_4
    return value, gradient


def grid_pairwise_hvp(s, t, v):
    """Hvp of grid_pairwise, grid by grid of samples and classes.

        grid_pairwise_hvp_ij = sum_k ((1 - delta_jk) ((v_ij - v_ik - sum_p ((v_pj - v_pk)
            e^(s_pj - s_pk) t_pk/(sum_p (e^(s_pj - s_pk) t_pk) + 1))) e^(s_ij - s_ik)
            t_ik/(sum_p (e^(s_pj - s_pk) t_pk) + 1) - (-v_ij + v_ik - sum_p ((-v_pj + v_pk)
            e^(-s_pj + s_pk) t_pj/(sum_p (e^(-s_pj + s_pk) t_pj) + 1))) e^(-s_ij + s_ik)
            t_ij/(sum_p (e^(-s_pj + s_pk) t_pj) + 1)))

    Shapes: s (*batch, n, m), t (*batch, n, m), v (*batch, n, m); the result (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = torch.eye(s.shape[-1], dtype=s.dtype, device=s.device)
    term_2 = s[..., :, :, None] - s[..., :, None, :]
    open_1 = torch.where(t[..., :, None, :] != 0, term_2, -torch.inf)
    peak_1 = torch.clip(torch.amax(open_1, axis=-3), 0, None)
    term_3 = t[..., :, None, :] * torch.exp(open_1 - peak_1[..., None, :, :])
    term_4 = (v[..., :, :, None] - v[..., :, None, :]) * term_3
    sum_1 = torch.sum(term_3, axis=-3) + torch.exp(-peak_1)
    ratio_1 = torch.sum(term_4, axis=-3) / sum_1
    term_5 = v[..., :, :, None] - v[..., :, None, :] - ratio_1[..., None, :, :]
    ratio_2 = term_3 / sum_1[..., None, :, :]
    term_6 = v[..., :, :, None]
    term_7 = term_6 + torch.movedim(ratio_1, -1, -2)[..., None, :, :] - v[..., :, None, :]
    term_8 = term_5 * ratio_2 + term_7 * torch.movedim(ratio_2, -1, -2)
    return torch.sum((1 - term_1)[..., None, :, :] * term_8, axis=-1)


class GridPairwiseFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return grid_pairwise_value_and_grad(s, t)

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
                "grid_pairwise has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None, None] * gradient)
        if by_gradient is not None:
            parts.append(grid_pairwise_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def grid_pairwise(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = GridPairwiseFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class GridPairwise(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return grid_pairwise(s, t, *self.scalars, reduction=self.reduction)
