# Emitted by lossproof from the derived formula, target torch. Rests on the claims
# order_r.value_and_grad, order_r.value, order_r.gradient.

import torch


def most(order, x):
    """The largest order of the batch; where torch.compile or vmap hides it, the length."""
    if torch.is_tensor(order) and torch.compiler.is_compiling():
        return x.shape[-1]
    try:
        return max(0, int(order.max() if torch.is_tensor(order) else order))
    except RuntimeError:
        return x.shape[-1]


def log_weights(w, x):
    """log(w e^x), -inf where w is 0."""
    return torch.where(w > 0, x + torch.log(torch.where(w > 0, w, 1)), -torch.inf)


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


def order_r_value_and_grad(s, t, r=2):
    """Value and gradient of order_r, row by row.

        value = log([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) + log([z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z)))
        gradient_i = (1 - t_i) e^(s_i) ([z^(r - 1)] (prod_j (z (1 - delta_ij) (1 - t_j) e^(s_j)
            + 1)/(1 - z)))/([z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z))) - e^(-s_i) [z^(r -
            1)] (prod_j (z (1 - delta_ij) e^(-s_j) t_j + 1)/(1 - z)) t_i/[z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z))

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    term_1 = 1 - t
    by_elements_1 = log_weights(term_1, s)
    by_elements_2 = log_coefficient(by_elements_1, r, 0)
    by_elements_3 = log_weights(t, -s)
    by_elements_4 = log_coefficient(by_elements_3, r, 0)
    value = (by_elements_2 + by_elements_4)[..., 0]
    term_2 = r - 1
    by_elements_5 = log_coefficient_without(by_elements_1, term_2, 0)
    open_1 = torch.where(term_1 != 0, s + by_elements_5 - by_elements_2, -torch.inf)
    by_elements_6 = log_coefficient_without(by_elements_3, term_2, 0)
    open_2 = torch.where(t != 0, by_elements_6 - s - by_elements_4, -torch.inf)
    gradient = term_1 * torch.exp(open_1) - t * torch.exp(open_2)
    return value, gradient


def order_r_hvp(s, t, v, r=2):
    """Hvp of order_r, row by row.

        order_r_hvp_i = -(1 - t_i) e^(s_i) [z^(r - 1)] (prod_j (z (1 - delta_ij) (1 - t_j)
            e^(s_j) + 1)/(1 - z)) sum_j ((1 - t_j) e^(s_j) ([z^(r - 1)] (prod_k (z (1 -
            delta_jk) (1 - t_k) e^(s_k) + 1)/(1 - z))) v_j/([z^r] (prod_j (z (1 - t_j) e^(s_j) +
            1)/(1 - z))))/[z^r] (prod_j (z (1 - t_j) e^(s_j) + 1)/(1 - z)) + ((1 - t_i) e^(s_i)
            ([z^(r - 1)] (prod_j (z (1 - delta_ij) (1 - t_j) e^(s_j) + 1)/(1 - z))) v_i + sum_j
            ((1 - delta_ij) (1 - t_i) (1 - t_j) e^(s_i) e^(s_j) ([z^(r - 2)] (prod_k (z (1 -
            delta_ik) (1 - delta_jk) (1 - t_k) e^(s_k) + 1)/(1 - z))) v_j))/([z^r] (prod_j (z (1
            - t_j) e^(s_j) + 1)/(1 - z))) + (sum_j ((1 - delta_ij) e^(-s_i) e^(-s_j) ([z^(r -
            2)] (prod_k (z (1 - delta_ik) (1 - delta_jk) e^(-s_k) t_k + 1)/(1 - z))) t_i t_j
            v_j) + e^(-s_i) ([z^(r - 1)] (prod_j (z (1 - delta_ij) e^(-s_j) t_j + 1)/(1 - z)))
            t_i v_i)/([z^r] (prod_j (z e^(-s_j) t_j + 1)/(1 - z))) - e^(-s_i) [z^(r - 1)]
            (prod_j (z (1 - delta_ij) e^(-s_j) t_j + 1)/(1 - z)) t_i sum_j (e^(-s_j) ([z^(r -
            1)] (prod_k (z (1 - delta_jk) e^(-s_k) t_k + 1)/(1 - z))) t_j v_j/([z^r] (prod_j (z
            e^(-s_j) t_j + 1)/(1 - z))))/[z^r] (prod_j (z e^(-s_j) t_j + 1)/(1 - z))

    Shapes: s (*batch, n), t (*batch, n), v (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype. Coefficients are found by elements (claim
    combination_softmax.elements), in a loop over the row, as logs: an absolute error of a few
    ulps of the largest log coefficient.
    """
    term_1 = 1 - t
    by_elements_1 = log_weights(term_1, s)
    term_2 = r - 1
    by_elements_2 = subset_mean_without(by_elements_1, v, term_2, 0)
    term_3 = v + by_elements_2 - subset_mean(by_elements_1, v, r, 0)
    by_elements_3 = log_coefficient_without(by_elements_1, term_2, 0)
    term_4 = s + by_elements_3 - log_coefficient(by_elements_1, r, 0)
    exp_1 = torch.exp(torch.where(term_1 != 0, term_4, -torch.inf))
    by_elements_4 = log_weights(t, -s)
    by_elements_5 = subset_mean_without(by_elements_4, v, term_2, 0)
    term_5 = v + by_elements_5 - subset_mean(by_elements_4, v, r, 0)
    by_elements_6 = log_coefficient_without(by_elements_4, term_2, 0)
    term_6 = by_elements_6 - s - log_coefficient(by_elements_4, r, 0)
    exp_2 = torch.exp(torch.where(t != 0, term_6, -torch.inf))
    return term_3 * (term_1 * exp_1) + term_5 * (t * exp_2)


class OrderRFunction(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s, t, r):
        return order_r_value_and_grad(s, t, r)

    @staticmethod
    def setup_context(ctx, inputs, output):
        s, t, r = inputs
        ctx.save_for_backward(s, t, output[1])
        ctx.scalars = (r,)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "order_r has derivatives by s alone: detach all else"
            )
        s, t, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[..., None] * gradient)
        if by_gradient is not None:
            parts.append(order_r_hvp(s, t, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * 2)


def order_r(s, t, r=2, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    s, t = torch.broadcast_tensors(*(each.to(wide) for each in (s, t)))
    value, _ = OrderRFunction.apply(s, t, r)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class OrderR(torch.nn.Module):
    """The loss as a module of s and t, reduced to a mean unless told otherwise."""

    def __init__(self, r=2, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = (r,)

    def forward(self, s, t):
        return order_r(s, t, *self.scalars, reduction=self.reduction)
