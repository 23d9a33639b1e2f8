# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# grid_centered.value_and_grad, grid_centered.value, grid_centered.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
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
    open_1 = jnp.where(t != 0, (jnp.sum(s, axis=-1) / term_1)[..., :, None] - s, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-2)
    peak_2 = jnp.clip(peak_1 - 60, 0, None)
    term_2 = t * jnp.exp(open_1 - peak_2[..., None, :])
    sum_1 = jnp.sum(term_2, axis=-2)
    sum_2 = sum_1 + jnp.exp(-peak_2)
    peak_3 = jnp.clip(-jnp.maximum(jnp.log(sum_2), -peak_2), 0, None)
    term_3 = peak_2 - peak_3
    log_1 = jnp.log1p(sum_1 * jnp.exp(peak_3) + jnp.expm1(-term_3))
    value = jnp.sum(term_3 + log_1, axis=-1, keepdims=True)[..., 0]
    ratio_1 = term_2 / sum_2[..., None, :]
    gradient = (jnp.sum(ratio_1, axis=-1) / term_1)[..., :, None] - ratio_1
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
    ratio_1 = jnp.sum(v, axis=-1) / term_1
    open_1 = jnp.where(t != 0, (jnp.sum(s, axis=-1) / term_1)[..., :, None] - s, -jnp.inf)
    peak_1 = jnp.clip(jnp.max(open_1, axis=-2), 0, None)
    term_2 = t * jnp.exp(open_1 - peak_1[..., None, :])
    sum_1 = jnp.sum((ratio_1[..., :, None] - v) * term_2, axis=-2)
    sum_2 = jnp.sum(term_2, axis=-2) + jnp.exp(-peak_1)
    ratio_2 = sum_1 / sum_2
    term_3 = ratio_1[..., :, None] - ratio_2[..., None, :] - v
    ratio_3 = term_2 / sum_2[..., None, :]
    term_4 = ratio_2[..., None, :] + v - ratio_1[..., :, None]
    return (jnp.sum(term_3 * ratio_3, axis=-1) / term_1)[..., :, None] + term_4 * ratio_3


@partial(grid_centered_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "grid_centered has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = grid_centered_value_and_grad(s, t)
    change = jnp.sum(gradient * tangents[0], axis=(-2, -1))
    along = grid_centered_hvp(s, t, tangents[0])
    return (value, gradient), (change, along)


def grid_centered(s, t):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return grid_centered_value_and_grad(s, t)[0].astype(narrow)
