# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# grid_truncated.value_and_grad, grid_truncated.value, grid_truncated.gradient, 9158-3.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def sum_of_others(x):
    """sum_{k != j} x_k for each j: all that follow j, around the end, by doubling."""
    left, span, size, start = x.shape[-1] - 1, x, 1, 1
    others = jnp.zeros_like(x)
    while left:
        if left % 2:
            others = others + jnp.roll(span, -start, axis=-1)
            start += size
        span = span + jnp.roll(span, -size, axis=-1)
        left, size = left // 2, 2 * size
    return others


@jax.custom_jvp
def grid_truncated_value_and_grad(s, t):
    """Value and gradient of grid_truncated, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p sum_h ((1 - delta_hj)
            e^(s_ph - s_pj) t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p
            sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    peak_1 = jnp.max(s, axis=-1)
    exp_1 = jnp.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1)
    term_1 = t * others_1
    term_2 = peak_1[..., :, None] - s
    open_1 = jnp.where(term_1 != 0, term_2, -jnp.inf)
    peak_2 = jnp.max(open_1, axis=-2)
    peak_3 = jnp.clip(peak_2 - 60, 0, None)
    sum_1 = jnp.sum(term_1 * jnp.exp(open_1 - peak_3[..., None, :]), axis=-2)
    sum_2 = sum_1 + jnp.exp(-peak_3)
    peak_4 = jnp.clip(-jnp.maximum(jnp.log(sum_2), -peak_3), 0, None)
    term_3 = peak_3 - peak_4
    log_1 = jnp.log1p(sum_1 * jnp.exp(peak_4) + jnp.expm1(-term_3))
    value = jnp.sum(term_3 + log_1, axis=-1, keepdims=True)[..., 0]
    term_4 = jnp.where(t != 0, term_2, -jnp.inf) - peak_3[..., None, :]
    ratio_1 = t * jnp.exp(term_4) / sum_2[..., None, :]
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
    peak_1 = jnp.max(s, axis=-1)
    exp_1 = jnp.exp(s - peak_1[..., :, None])
    others_1 = sum_of_others(exp_1)
    others_2 = sum_of_others(v * exp_1)
    term_1 = peak_1[..., :, None] - s
    term_2 = t * others_1
    open_1 = jnp.where(term_2 != 0, term_1, -jnp.inf)
    peak_2 = jnp.clip(jnp.max(open_1, axis=-2), 0, None)
    term_3 = jnp.where(t != 0, term_1, -jnp.inf) - peak_2[..., None, :]
    term_4 = t * jnp.exp(term_3)
    term_5 = term_2 * jnp.exp(open_1 - peak_2[..., None, :])
    sum_1 = jnp.sum(term_5, axis=-2) + jnp.exp(-peak_2)
    ratio_1 = jnp.sum(others_2 * term_4, axis=-2) / sum_1
    ratio_2 = jnp.sum(v * term_5, axis=-2) / sum_1
    term_6 = v * others_1
    term_7 = ratio_1[..., None, :] * others_1
    term_8 = term_6 + term_7 - others_2 - ratio_2[..., None, :] * others_1
    ratio_3 = term_4 / sum_1[..., None, :]
    term_9 = exp_1 * sum_of_others(ratio_2[..., None, :] * ratio_3)
    term_10 = exp_1 * sum_of_others(ratio_1[..., None, :] * ratio_3)
    term_11 = term_8 * ratio_3
    term_12 = v * exp_1 * sum_of_others(ratio_3)
    return term_11 + term_9 + term_12 - exp_1 * sum_of_others(v * ratio_3) - term_10


@partial(grid_truncated_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "grid_truncated has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = grid_truncated_value_and_grad(s, t)
    change = jnp.sum(gradient * tangents[0], axis=(-2, -1))
    along = grid_truncated_hvp(s, t, tangents[0])
    return (value, gradient), (change, along)


def grid_truncated(s, t):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return grid_truncated_value_and_grad(s, t)[0].astype(narrow)
