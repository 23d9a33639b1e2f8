# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# combination_softmax.value_and_grad, combination_softmax.value, 7359-2, 7359-e,
# combination_softmax.gradient.

import torch


def most(order, x):
    """The largest order of the batch; where torch.compile or vmap hides it, the length."""
    if torch.is_tensor(order) and torch.compiler.is_compiling():
        return x.shape[-1]
    try:
        return max(0, int(order.max() if torch.is_tensor(order) else order))
    except RuntimeError:
        return x.shape[-1]


def shifted(a, first):
    """The coefficients times z: order j holds what order j - 1 held."""
    is_first = torch.arange(a.shape[-1], device=a.device) == 0
    return torch.where(is_first, first, torch.roll(a, 1, dims=-1))


def log_start(order, base, x):
    """Logs of the coefficients of z^(m - order), or of z^(m - order) / (1 - e^base z).

    m is the largest order of the batch: the order of interest is the last one in every row.
    """
    largest = most(order, x)
    order = torch.asarray(order, dtype=x.dtype, device=x.device)
    place = torch.arange(largest + 1, dtype=x.dtype, device=x.device) - (largest - order)
    if base is None:
        return torch.where(place == 0, 0 * place, -torch.inf)
    return torch.where(place >= 0, place * base, -torch.inf)


def log_steps(x, log_e):
    """log e_j before each element of the row and after the last: e_j + e^x e_{j-1} is next."""
    steps = [log_e]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -torch.inf)
        log_e = torch.logaddexp(log_e, taken)
        steps.append(log_e)
    return steps


def log_product(a, b):
    """The last order of a product: log sum_j e^(a_j + b_(m-j)), and the terms of that sum."""
    terms = a + torch.flip(b, dims=(-1,))
    peak = torch.amax(terms, axis=-1, keepdims=True)
    peak = torch.where(torch.isfinite(peak), peak, 0)
    parts = torch.exp(terms - peak)
    total = torch.sum(parts, axis=-1, keepdims=True)
    empty = total == 0
    total = torch.where(empty, 1, total)
    return torch.where(empty, -torch.inf, peak + torch.log(total)), parts / total


def log_coefficient(x, order, base):
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if a base is given; (*batch, 1)."""
    return log_steps(x, log_start(order, base, x))[-1][..., -1:]


def log_coefficient_without(x, order, base):
    """The same without element i, for each i: the elements before it times those after it."""
    n = x.shape[-1]
    before = log_steps(x, log_start(order, base, x))
    largest = before[0].shape[-1] - 1
    after = log_steps(torch.flip(x, dims=(-1,)), log_start(largest, None, x))
    left = [log_product(before[i], after[n - 1 - i])[0] for i in range(n)]
    return torch.concat(left, axis=-1)


def mean_steps(x, u, log_e):
    """Beside log e_j, the mean of the sum of u over the j elements chosen."""
    mean = torch.zeros_like(log_e)
    steps = [(log_e, mean)]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -torch.inf)
        log_e = torch.logaddexp(log_e, taken)
        scale = torch.where(torch.isfinite(log_e), log_e, 0)
        step = shifted(mean, 0) + u[..., i : i + 1] - mean
        mean = mean + torch.exp(taken - scale) * step
        steps.append((log_e, mean))
    return steps


def subset_mean(x, u, order, base):
    """The mean of the sum of u over the chosen elements, of weight prod e^(x_j); (*batch, 1)."""
    return mean_steps(x, u, log_start(order, base, x))[-1][1][..., -1:]


def subset_mean_without(x, u, order, base):
    """The same without element i, for each i."""
    n = x.shape[-1]
    before = mean_steps(x, u, log_start(order, base, x))
    one = log_start(before[0][0].shape[-1] - 1, None, x)
    after = mean_steps(torch.flip(x, dims=(-1,)), torch.flip(u, dims=(-1,)), one)
    means = []
    for i in range(n):
        (a, mean_a), (b, mean_b) = before[i], after[n - 1 - i]
        share = log_product(a, b)[1]
        both = mean_a + torch.flip(mean_b, dims=(-1,))
        means.append(torch.sum(share * both, axis=-1, keepdims=True))
    return torch.concat(means, axis=-1)


def combination_softmax_value_and_grad(s, y):
    """Value and gradient of combination_softmax, row by row.

        value = log([z^(sum_l y_l)] prod_l (z e^(s_l) + 1)) - sum_l (s_l y_l)
        gradient_i = e^(s_i) ([z^(sum_l y_l - 1)] prod_l (z (1 - delta_il) e^(s_l) +
            1))/([z^(sum_l y_l)] prod_l (z e^(s_l) + 1)) - y_i

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    sum_1 = torch.sum(y, axis=-1, keepdims=True)
    by_elements_1 = log_coefficient(s, sum_1, None)
    value = (by_elements_1 - torch.sum(s * y, axis=-1, keepdims=True))[..., 0]
    term_1 = s + log_coefficient_without(s, sum_1 - 1, None) - by_elements_1
    gradient = torch.exp(term_1) - y
    return value, gradient


def combination_softmax_hvp(s, y, v):
    """Hvp of combination_softmax, row by row.

        combination_softmax_hvp_i = (v_i - sum_j (e^(s_j) ([z^(sum_l y_l - 1)] prod_l (z (1 -
            delta_jl) e^(s_l) + 1)) v_j/([z^(sum_l y_l)] prod_l (z e^(s_l) + 1)))) e^(s_i)
            ([z^(sum_l y_l - 1)] prod_l (z (1 - delta_il) e^(s_l) + 1))/([z^(sum_l y_l)] prod_l
            (z e^(s_l) + 1)) + sum_j ((1 - delta_ij) e^(s_i) e^(s_j) ([z^(sum_l y_l - 2)] prod_l
            (z (1 - delta_il) (1 - delta_jl) e^(s_l) + 1)) v_j/([z^(sum_l y_l)] prod_l (z
            e^(s_l) + 1)))

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    sum_1 = torch.sum(y, axis=-1, keepdims=True)
    sum_2 = sum_1 - 1
    term_1 = v + subset_mean_without(s, v, sum_2, None) - subset_mean(s, v, sum_1, None)
    term_2 = s + log_coefficient_without(s, sum_2, None) - log_coefficient(s, sum_1, None)
    return term_1 * torch.exp(term_2)


class CombinationSoftmaxFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, y):
        return combination_softmax_value_and_grad(s, y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, y = inputs
        ctx.save_for_backward(s, y, output[1])
        ctx.scalars = ()
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "combination_softmax has derivatives by s alone: detach all else"
            )
        s, y, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(combination_softmax_hvp(s, y, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 1)


def combination_softmax(s, y, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, y = torch.broadcast_tensors(*(each.to(wide) for each in (s, y)))
    value, _ = CombinationSoftmaxFunction.apply(s, y)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class CombinationSoftmax(torch.nn.Module):
    """The loss as a module of s and y, reduced to a mean unless told otherwise."""

    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ()

    def forward(self, s, y):
        return combination_softmax(s, y, *self.scalars, reduction=self.reduction)
