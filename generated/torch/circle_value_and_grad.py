# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# circle.value_and_grad, circle.value, circle.gradient.

import torch


def circle_value_and_grad(s, y, scale=256.0, margin=0.25):
    """Value and gradient of circle, row by row.

        value = log(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1)
        gradient_i = -2 scale (1 - s_i) e^(scale (-margin - s_i + 1) max(margin - s_i + 1, 0))
            [margin - s_i + 1 > 0] y_i sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin +
            s_k, 0)))/(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1) + 2 scale (1 -
            y_i) e^(scale (-margin + s_i) max(margin + s_i, 0)) [margin + s_i > 0] s_i sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k)/(sum_k ((1 - y_k)
            e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1)
            max(margin - s_k + 1, 0)) y_k) + 1)

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    term_2 = margin + s
    peak_1 = torch.clip(term_2, 0, None)
    term_3 = margin * scale
    open_1 = torch.where(term_1 != 0, scale * (s * peak_1) - term_3 * peak_1, -torch.inf)
    peak_2 = torch.amax(open_1, axis=-1, keepdims=True)
    term_4 = 1 + margin - s
    peak_3 = torch.clip(term_4, 0, None)
    term_5 = scale * peak_3 - term_3 * peak_3 - scale * (s * peak_3)
    open_2 = torch.where(y != 0, term_5, -torch.inf)
    peak_4 = torch.amax(open_2, axis=-1, keepdims=True)
    peak_5 = torch.clip(peak_2 + peak_4 - 60, 0, None)
    term_6 = open_1 - torch.where(torch.isfinite(peak_2), peak_2, 0)
    term_7 = term_1 * torch.exp(term_6)
    sum_1 = torch.sum(term_7, axis=-1, keepdims=True)
    term_8 = open_2 - torch.where(torch.isfinite(peak_4), peak_4, 0)
    term_9 = y * torch.exp(term_8)
    sum_2 = torch.sum(term_9, axis=-1, keepdims=True)
    exp_1 = torch.exp((peak_2 + peak_4) - peak_5)
    term_10 = sum_1 * sum_2 * exp_1 + torch.exp(-peak_5)
    peak_6 = torch.clip(-torch.maximum(torch.log(term_10), -peak_5), 0, None)
    term_11 = peak_5 - peak_6
    term_12 = sum_1 * sum_2 * exp_1 * torch.exp(peak_6) + torch.expm1(-term_11)
    value = (term_11 + torch.log1p(term_12))[..., 0]
    ratio_1 = exp_1 / term_10
    term_13 = torch.asarray(0, dtype=s.dtype, device=s.device)
    term_14 = 2 * scale
    term_15 = term_14 * (sum_2 * ratio_1) * (s * torch.where(term_2 > 0, 1, term_13) * term_7)
    term_16 = (1 - s) * torch.where(term_4 > 0, 1, term_13) * term_9
    gradient = term_15 - term_14 * (sum_1 * ratio_1) * term_16
    return value, gradient


def circle_hvp(s, y, v, scale=256.0, margin=0.25):
    """Hvp of circle, row by row.

        circle_hvp_i = ((1 - y_i) (4 scale^2 ([margin + s_i > 0])^2 s_i^2 + 2 scale [margin +
            s_i > 0]) e^(scale (-margin + s_i) max(margin + s_i, 0)) sum_k (e^(scale (-margin -
            s_k + 1) max(margin - s_k + 1, 0)) y_k)/(sum_k ((1 - y_k) e^(scale (-margin + s_k)
            max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0))
            y_k) + 1) + (4 scale^2 (1 - s_i)^2 ([margin - s_i + 1 > 0])^2 + 2 scale [margin -
            s_i + 1 > 0]) e^(scale (-margin - s_i + 1) max(margin - s_i + 1, 0)) y_i sum_k ((1 -
            y_k) e^(scale (-margin + s_k) max(margin + s_k, 0)))/(sum_k ((1 - y_k) e^(scale
            (-margin + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1)
            max(margin - s_k + 1, 0)) y_k) + 1)) v_i - (-2 scale (1 - s_i) e^(scale (-margin -
            s_i + 1) max(margin - s_i + 1, 0)) [margin - s_i + 1 > 0] y_i sum_k ((1 - y_k)
            e^(scale (-margin + s_k) max(margin + s_k, 0)))/(sum_k ((1 - y_k) e^(scale (-margin
            + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1) max(margin - s_k +
            1, 0)) y_k) + 1) + 2 scale (1 - y_i) e^(scale (-margin + s_i) max(margin + s_i, 0))
            [margin + s_i > 0] s_i sum_k (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0))
            y_k)/(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1)) sum_j ((-2 scale
            (1 - s_j) e^(scale (-margin - s_j + 1) max(margin - s_j + 1, 0)) [margin - s_j + 1 >
            0] y_j sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0)))/(sum_k ((1 -
            y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k
            + 1) max(margin - s_k + 1, 0)) y_k) + 1) + 2 scale (1 - y_j) e^(scale (-margin +
            s_j) max(margin + s_j, 0)) [margin + s_j > 0] s_j sum_k (e^(scale (-margin - s_k +
            1) max(margin - s_k + 1, 0)) y_k)/(sum_k ((1 - y_k) e^(scale (-margin + s_k)
            max(margin + s_k, 0))) sum_k (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0))
            y_k) + 1)) v_j) + (-2 scale (1 - s_i) e^(scale (-margin - s_i + 1) max(margin - s_i
            + 1, 0)) [margin - s_i + 1 > 0] y_i sum_j (2 scale (1 - y_j) e^(scale (-margin +
            s_j) max(margin + s_j, 0)) [margin + s_j > 0] s_j v_j) + 2 scale (1 - y_i) e^(scale
            (-margin + s_i) max(margin + s_i, 0)) [margin + s_i > 0] s_i sum_j (-2 scale (1 -
            s_j) e^(scale (-margin - s_j + 1) max(margin - s_j + 1, 0)) [margin - s_j + 1 > 0]
            v_j y_j))/(sum_k ((1 - y_k) e^(scale (-margin + s_k) max(margin + s_k, 0))) sum_k
            (e^(scale (-margin - s_k + 1) max(margin - s_k + 1, 0)) y_k) + 1)

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = margin + s
    term_2 = torch.asarray(0, dtype=s.dtype, device=s.device)
    term_3 = torch.where(term_1 > 0, 1, term_2)
    term_4 = 2 * scale
    term_5 = 4 * scale**2
    term_6 = 1 + margin - s
    peak_1 = torch.clip(term_6, 0, None)
    term_7 = margin * scale
    term_8 = scale * peak_1 - term_7 * peak_1 - scale * (s * peak_1)
    open_1 = torch.where(y != 0, term_8, -torch.inf)
    peak_2 = torch.amax(open_1, axis=-1, keepdims=True)
    term_9 = open_1 - torch.where(torch.isfinite(peak_2), peak_2, 0)
    term_10 = y * torch.exp(term_9)
    sum_1 = torch.sum(term_10, axis=-1, keepdims=True)
    term_11 = 1 - y
    peak_3 = torch.clip(term_1, 0, None)
    open_2 = torch.where(term_11 != 0, scale * (s * peak_3) - term_7 * peak_3, -torch.inf)
    peak_4 = torch.amax(open_2, axis=-1, keepdims=True)
    term_12 = peak_4 + peak_2
    peak_5 = torch.clip(term_12, 0, None)
    exp_1 = torch.exp(term_12 - peak_5)
    term_13 = open_2 - torch.where(torch.isfinite(peak_4), peak_4, 0)
    term_14 = term_11 * torch.exp(term_13)
    sum_2 = torch.sum(term_14, axis=-1, keepdims=True)
    ratio_1 = exp_1 / (sum_2 * sum_1 * exp_1 + torch.exp(-peak_5))
    term_15 = sum_1 * ratio_1
    term_16 = (term_4 * term_3 + term_5 * (s**2 * term_3**2)) * term_14
    term_17 = torch.where(term_6 > 0, 1, term_2)
    term_18 = 1 - s
    term_19 = term_4 * term_17 + term_5 * (term_18**2 * term_17**2)
    term_20 = sum_2 * ratio_1
    term_21 = term_15 * term_16 + term_20 * (term_19 * term_10)
    term_22 = s * term_3 * term_14
    term_23 = term_18 * term_17 * term_10
    term_24 = term_4 * term_15 * term_22 - term_4 * term_20 * term_23
    term_25 = torch.sum(term_24 * v, axis=-1, keepdims=True) * term_24
    sum_3 = torch.sum(s * v * term_3 * term_14, axis=-1, keepdims=True)
    sum_4 = torch.sum(term_18 * v * term_17 * term_10, axis=-1, keepdims=True)
    term_26 = term_21 * v
    term_27 = term_5 * (sum_3 * ratio_1) * term_23
    return term_26 - term_25 - term_27 - term_5 * (sum_4 * ratio_1) * term_22


class CircleFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y, scale, margin):
        return circle_value_and_grad(s, y, scale, margin)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y, scale, margin = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = (scale, margin)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "circle has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(circle_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 3)


def circle(s, y, scale=256.0, margin=0.25, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = CircleFunction.apply(s, y, scale, margin)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class Circle(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, scale=256.0, margin=0.25, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (scale, margin)

    def forward(self, s, y):
        return circle(s, y, *self.scalars, reduction=self.reduction)
