# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# focal.value_and_grad, focal.value, 9064-49, focal.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def focal_value_and_grad(s, y, gamma=2.0):
    """Value and gradient of focal, row by row.

        value = sum_k (log(1 + e^(-s_k)) y_k/(e^(s_k) + 1)^gamma + (1 - y_k) log(e^(s_k) + 1)/(1
            + e^(-s_k))^gamma)
        gradient_i = -(gamma log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1)) y_i/(e^(s_i) +
            1)^gamma + (1 - y_i) (gamma log(e^(s_i) + 1)/(e^(s_i) + 1) + 1/(1 + e^(-s_i)))/(1 +
            e^(-s_i))^gamma

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma
    log_1 = jnp.log1p(exp_1)
    term_3 = jnp.clip(-s, 0, None) + log_1
    ratio_2 = jnp.where(s >= 0, 1, exp_1) / term_1
    term_4 = ratio_2**gamma
    term_5 = 1 - y
    term_6 = jnp.clip(s, 0, None) + log_1
    sum_1 = jnp.sum(term_2 * y * term_3 + term_4 * term_5 * term_6, axis=-1, keepdims=True)
    value = sum_1[..., 0]
    term_7 = term_4 * term_5 * (gamma * (ratio_1 * term_6) + ratio_2)
    term_8 = term_2 * (gamma * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_7 - term_8
    return value, gradient


def focal_hvp(s, y, v, gamma=2.0):
    """Hvp of focal, row by row.

        focal_hvp_i = ((1 - y_i) (gamma^2 log(e^(s_i) + 1)/(e^(s_i) + 1) - gamma log(e^(s_i) +
            1)/(1 + e^(-s_i)) + (2 gamma + 1)/(1 + e^(-s_i)))/((1 + e^(-s_i))^gamma (e^(s_i) +
            1)) + (gamma^2 log(1 + e^(-s_i))/(1 + e^(-s_i)) - gamma log(1 + e^(-s_i))/(e^(s_i) +
            1) + (2 gamma + 1)/(e^(s_i) + 1)) y_i/((1 + e^(-s_i)) (e^(s_i) + 1)^gamma)) v_i

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = 2 * gamma
    log_1 = jnp.log1p(exp_1)
    term_3 = jnp.clip(-s, 0, None) + log_1
    term_4 = gamma**2
    ratio_2 = jnp.where(s >= 0, 1, exp_1) / term_1
    term_5 = (1 + term_2 - gamma * term_3) * ratio_1 + term_4 * (ratio_2 * term_3)
    term_6 = jnp.clip(s, 0, None) + log_1
    term_7 = (1 + term_2 - gamma * term_6) * ratio_2 + term_4 * (ratio_1 * term_6)
    term_8 = ratio_1**gamma * term_5 * y * ratio_2 + ratio_2**gamma * (1 - y) * term_7 * ratio_1
    return term_8 * v


@partial(focal_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "focal has derivatives by s alone: stop the gradients of all else"
        )
    s, y, gamma = primals
    value, gradient = focal_value_and_grad(s, y, gamma)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = focal_hvp(s, y, tangents[0], gamma)
    return (value, gradient), (change, along)


def focal(s, y, gamma=2.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return focal_value_and_grad(s, y, gamma)[0].astype(narrow)
