# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# grid_pairwise.value_and_grad, grid_pairwise.value, grid_pairwise.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def grid_pairwise_value_and_grad(s, t):
    """Value and gradient of grid_pairwise, grid by grid of samples and classes.

        value = sum_j sum_k ((1 - delta_jk) log(sum_p (e^(-s_pj + s_pk) t_pj) + 1))
        gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p (e^(-s_pj + s_pk)
            t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p (e^(s_pj - s_pk)
            t_pk) + 1))

    Shapes: s (*batch, n, m), t (*batch, n, m); value (*batch), gradient (*batch, n, m). All
    arrays of one floating-point dtype.
    """
    term_1 = 1 - jnp.eye(s.shape[-1], dtype=s.dtype)
    term_2 = s[..., :, None, :] - s[..., :, :, None]
    open_1 = jnp.where(t[..., :, :, None] != 0, term_2, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-3)
    peak_2 = jnp.clip(peak_1 - 60, 0, None)
    term_3 = t[..., :, :, None] * jnp.exp(open_1 - peak_2[..., None, :, :])
    sum_1 = jnp.sum(term_3, axis=-3)
    sum_2 = sum_1 + jnp.exp(-peak_2)
    peak_3 = jnp.clip(-jnp.maximum(jnp.log(sum_2), -peak_2), 0, None)
    term_4 = peak_2 - peak_3
    log_1 = jnp.log1p(sum_1 * jnp.exp(peak_3) + jnp.expm1(-term_4))
    value = jnp.sum(jnp.sum(term_1 * (term_4 + log_1), axis=-1), axis=-1, keepdims=True)[..., 0]
    ratio_1 = jnp.moveaxis(term_3, -1, -2) / jnp.moveaxis(sum_2, -1, -2)[..., None, :, :]
    term_5 = term_1[..., None, :, :] * ratio_1
    gradient = jnp.sum(term_5, axis=-1) - jnp.sum(jnp.moveaxis(term_5, -1, -2), axis=-1)
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
    term_1 = s[..., :, :, None] - s[..., :, None, :]
    open_1 = jnp.where(t[..., :, None, :] != 0, term_1, -jnp.inf)
    peak_1 = jnp.clip(jnp.max(open_1, axis=-3), 0, None)
    term_2 = t[..., :, None, :] * jnp.exp(open_1 - peak_1[..., None, :, :])
    term_3 = (v[..., :, :, None] - v[..., :, None, :]) * term_2
    sum_1 = jnp.sum(term_2, axis=-3) + jnp.exp(-peak_1)
    ratio_1 = jnp.sum(term_3, axis=-3) / sum_1
    term_4 = v[..., :, :, None] - v[..., :, None, :] - ratio_1[..., None, :, :]
    ratio_2 = term_2 / sum_1[..., None, :, :]
    term_5 = v[..., :, :, None]
    term_6 = term_5 + jnp.moveaxis(ratio_1, -1, -2)[..., None, :, :] - v[..., :, None, :]
    term_7 = term_4 * ratio_2 + term_6 * jnp.moveaxis(ratio_2, -1, -2)
    term_8 = (1 - jnp.eye(s.shape[-1], dtype=s.dtype))[..., None, :, :] * term_7
    return jnp.sum(term_8, axis=-1)


@partial(grid_pairwise_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "grid_pairwise has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = grid_pairwise_value_and_grad(s, t)
    change = jnp.sum(gradient * tangents[0], axis=(-2, -1))
    along = grid_pairwise_hvp(s, t, tangents[0])
    return (value, gradient), (change, along)


def grid_pairwise(s, t):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return grid_pairwise_value_and_grad(s, t)[0].astype(narrow)
