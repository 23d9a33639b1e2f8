# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# combination_softmax.value_and_grad, combination_softmax.value, 7359-2, 7359-e,
# combination_softmax.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def most(order, x):
    """The largest order of the batch; while it is being traced, the length it cannot exceed."""
    if not isinstance(order, jax.Array):
        return max(0, int(order))
    return x.shape[-1] if isinstance(order, jax.core.Tracer) else max(0, int(jnp.max(order)))


def shifted(a, first):
    """The coefficients times z: order j holds what order j - 1 held."""
    is_first = jnp.arange(a.shape[-1]) == 0
    return jnp.where(is_first, first, jnp.roll(a, 1, axis=-1))


def log_start(order, base, x):
    """Logs of the coefficients of z^(m - order), or of z^(m - order) / (1 - e^base z).

    m is the largest order of the batch: the order of interest is the last one in every row.
    """
    largest = most(order, x)
    order = jnp.asarray(order, dtype=x.dtype)
    place = jnp.arange(largest + 1, dtype=x.dtype) - (largest - order)
    if base is None:
        return jnp.where(place == 0, 0 * place, -jnp.inf)
    return jnp.where(place >= 0, place * base, -jnp.inf)


def log_steps(x, log_e):
    """log e_j before each element of the row and after the last: e_j + e^x e_{j-1} is next."""
    steps = [log_e]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -jnp.inf)
        log_e = jnp.logaddexp(log_e, taken)
        steps.append(log_e)
    return steps


def log_product(a, b):
    """The last order of a product: log sum_j e^(a_j + b_(m-j)), and the terms of that sum."""
    terms = a + jnp.flip(b, axis=-1)
    peak = jnp.max(terms, axis=-1, keepdims=True)
    peak = jnp.where(jnp.isfinite(peak), peak, 0)
    parts = jnp.exp(terms - peak)
    total = jnp.sum(parts, axis=-1, keepdims=True)
    empty = total == 0
    total = jnp.where(empty, 1, total)
    return jnp.where(empty, -jnp.inf, peak + jnp.log(total)), parts / total


def log_coefficient(x, order, base):
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if a base is given; (*batch, 1)."""
    return log_steps(x, log_start(order, base, x))[-1][..., -1:]


def log_coefficient_without(x, order, base):
    """The same without element i, for each i: the elements before it times those after it."""
    n = x.shape[-1]
    before = log_steps(x, log_start(order, base, x))
    largest = before[0].shape[-1] - 1
    after = log_steps(jnp.flip(x, axis=-1), log_start(largest, None, x))
    left = [log_product(before[i], after[n - 1 - i])[0] for i in range(n)]
    return jnp.concat(left, axis=-1)


def mean_steps(x, u, log_e):
    """Beside log e_j, the mean of the sum of u over the j elements chosen."""
    mean = jnp.zeros_like(log_e)
    steps = [(log_e, mean)]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -jnp.inf)
        log_e = jnp.logaddexp(log_e, taken)
        scale = jnp.where(jnp.isfinite(log_e), log_e, 0)
        step = shifted(mean, 0) + u[..., i : i + 1] - mean
        mean = mean + jnp.exp(taken - scale) * step
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
    after = mean_steps(jnp.flip(x, axis=-1), jnp.flip(u, axis=-1), one)
    means = []
    for i in range(n):
        (a, mean_a), (b, mean_b) = before[i], after[n - 1 - i]
        share = log_product(a, b)[1]
        both = mean_a + jnp.flip(mean_b, axis=-1)
        means.append(jnp.sum(share * both, axis=-1, keepdims=True))
    return jnp.concat(means, axis=-1)


@jax.custom_jvp
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
    sum_1 = jnp.sum(y, axis=-1, keepdims=True)
    by_elements_1 = log_coefficient(s, sum_1, None)
    value = (by_elements_1 - jnp.sum(s * y, axis=-1, keepdims=True))[..., 0]
    term_1 = s + log_coefficient_without(s, sum_1 - 1, None) - by_elements_1
    gradient = jnp.exp(term_1) - y
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
    sum_1 = jnp.sum(y, axis=-1, keepdims=True)
    sum_2 = sum_1 - 1
    term_1 = v + subset_mean_without(s, v, sum_2, None) - subset_mean(s, v, sum_1, None)
    term_2 = s + log_coefficient_without(s, sum_2, None) - log_coefficient(s, sum_1, None)
    return term_1 * jnp.exp(term_2)


@partial(combination_softmax_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "combination_softmax has derivatives by s alone: stop the gradients of all else"
        )
    s, y = primals
    value, gradient = combination_softmax_value_and_grad(s, y)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = combination_softmax_hvp(s, y, tangents[0])
    return (value, gradient), (change, along)


def combination_softmax(s, y):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return combination_softmax_value_and_grad(s, y)[0].astype(narrow)
