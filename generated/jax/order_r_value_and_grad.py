# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# order_r.value_and_grad, order_r.value, order_r.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def most(order, x):
    """The largest order of the batch; while it is being traced, the length it cannot exceed."""
    if not isinstance(order, jax.Array):
        return max(0, int(order))
    return x.shape[-1] if isinstance(order, jax.core.Tracer) else max(0, int(jnp.max(order)))


def log_weights(w, x):
    """log(w e^x), -inf where w is 0."""
    return jnp.where(w > 0, x + jnp.log(jnp.where(w > 0, w, 1)), -jnp.inf)


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


@partial(jax.custom_jvp, nondiff_argnums=(2,))
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
    open_1 = jnp.where(term_1 != 0, s + by_elements_5 - by_elements_2, -jnp.inf)
    by_elements_6 = log_coefficient_without(by_elements_3, term_2, 0)
    open_2 = jnp.where(t != 0, by_elements_6 - s - by_elements_4, -jnp.inf)
    gradient = term_1 * jnp.exp(open_1) - t * jnp.exp(open_2)
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
    exp_1 = jnp.exp(jnp.where(term_1 != 0, term_4, -jnp.inf))
    by_elements_4 = log_weights(t, -s)
    by_elements_5 = subset_mean_without(by_elements_4, v, term_2, 0)
    term_5 = v + by_elements_5 - subset_mean(by_elements_4, v, r, 0)
    by_elements_6 = log_coefficient_without(by_elements_4, term_2, 0)
    term_6 = by_elements_6 - s - log_coefficient(by_elements_4, r, 0)
    term_7 = term_5 * (t * jnp.exp(jnp.where(t != 0, term_6, -jnp.inf)))
    return term_3 * (term_1 * exp_1) + term_7


@partial(order_r_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(r, primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "order_r has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = order_r_value_and_grad(s, t, r)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = order_r_hvp(s, t, tangents[0], r)
    return (value, gradient), (change, along)


def order_r(s, t, r=2):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return order_r_value_and_grad(s, t, r)[0].astype(narrow)
