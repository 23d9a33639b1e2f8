# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# grid_centered.value_and_grad, grid_centered.value, grid_centered.gradient.

import torch


def grid_centered_value_and_grad(s, t):
    """Value and gradient of grid_centered, grid by grid of samples and classes.

        value = sum_j log(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
        gradient_ij = -e^(-s_ij + sum_l s_il/m) t_ij/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
            + sum_l (e^(-s_il + sum_l s_il/m) t_il/(sum_p (e^(-s_pl + sum_l s_pl/m) t_pl) +
            1))/m

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = s.shape[-1]
    term_2 = (torch.sum(s, axis=-1) / term_1)[..., :, None] - s
    open_1 = torch.where(t != 0, term_2, -torch.inf)
    peak_1 = torch.amax(open_1, axis=-2)
    peak_2 = torch.clip(peak_1 - 60, 0, None)
    term_3 = t * torch.exp(open_1 - peak_2[..., None, :])
    sum_1 = torch.sum(term_3, axis=-2)
    sum_2 = sum_1 + torch.exp(-peak_2)
    peak_3 = torch.clip(-torch.maximum(torch.log(sum_2), -peak_2), 0, None)
    term_4 = peak_2 - peak_3
    log_1 = torch.log1p(sum_1 * torch.exp(peak_3) + torch.expm1(-term_4))
    value = torch.sum(term_4 + log_1, axis=-1, keepdims=True)[..., 0]
    ratio_1 = term_3 / sum_2[..., None, :]
    gradient = (torch.sum(ratio_1, axis=-1) / term_1)[..., :, None] - ratio_1
    return value, gradient


def grid_centered_hvp(s, t, v):
    """Hvp of grid_centered, grid by grid of samples and classes.

        grid_centered_hvp_ij = -(-v_ij - sum_q ((-v_qj + sum_h v_qh/m) e^(-s_qj + sum_l s_ql/m)
            t_qj/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)) + sum_h v_ih/m) e^(-s_ij + sum_l
            s_il/m) t_ij/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1) + sum_l ((-v_il - sum_q
            ((-v_ql + sum_h v_qh/m) e^(-s_ql + sum_l s_ql/m) t_ql/(sum_p (e^(-s_pl + sum_l
            s_pl/m) t_pl) + 1)) + sum_h v_ih/m) e^(-s_il + sum_l s_il/m) t_il/(sum_p (e^(-s_pl +
            sum_l s_pl/m) t_pl) + 1))/m

    Shapes: s (*batch, n, m), t (*batch, n, m), v (*batch, n, m); the result (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = s.shape[-1]
    ratio_1 = torch.sum(v, axis=-1) / term_1
    term_2 = (torch.sum(s, axis=-1) / term_1)[..., :, None] - s
    open_1 = torch.where(t != 0, term_2, -torch.inf)
    peak_1 = torch.clip(torch.amax(open_1, axis=-2), 0, None)
    term_3 = t * torch.exp(open_1 - peak_1[..., None, :])
    sum_1 = torch.sum((ratio_1[..., :, None] - v) * term_3, axis=-2)
    sum_2 = torch.sum(term_3, axis=-2) + torch.exp(-peak_1)
    ratio_2 = sum_1 / sum_2
    term_4 = ratio_1[..., :, None] - ratio_2[..., None, :] - v
    ratio_3 = term_3 / sum_2[..., None, :]
    term_5 = ratio_2[..., None, :] + v - ratio_1[..., :, None]
    return (torch.sum(term_4 * ratio_3, axis=-1) / term_1)[..., :, None] + term_5 * ratio_3


class GridCenteredFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t):
        return grid_centered_value_and_grad(s, t)

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
                "grid_centered has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None, None] * gradient)
        if by_gradient is not None:
            parts.append(grid_centered_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def grid_centered(s, t, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = GridCenteredFunction.apply(s, t)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class GridCentered(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, t):
        return grid_centered(s, t, *self.scalars, reduction=self.reduction)
