# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# soft_focal.value_and_grad, soft_focal.value, soft_focal.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def soft_focal_value_and_grad(s, t, beta=2.0):
    """Value and gradient of soft_focal, row by row.

        value = sum_k (((1 - t_k) log(e^(s_k) + 1) + log(1 + e^(-s_k)) t_k) (Abs(t_k/(e^(s_k) +
            1) + (t_k - 1)/(1 + e^(-s_k))))^beta)
        gradient_i = (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (beta ((1 - t_i)
            log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)/((1 + e^(-s_i)) (e^(s_i) + 1)) +
            (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
            1)/(1 + e^(-s_i))))^(beta - 2)

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s >= 0, 1, exp_1) / term_1
    ratio_2 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = t * ratio_2
    term_3 = jnp.abs((t - 1) * ratio_1 + term_2)
    term_4 = 1 - t
    log_1 = jnp.log1p(exp_1)
    term_5 = term_4 * (jnp.clip(s, 0, None) + log_1) + t * (jnp.clip(-s, 0, None) + log_1)
    value = jnp.sum(term_3**beta * term_5, axis=-1, keepdims=True)[..., 0]
    term_6 = term_4 * ratio_1 - term_2
    gradient = term_3**(beta - 2) * (term_6**2 + beta * (term_5 * ratio_2 * ratio_1)) * term_6
    return value, gradient


def soft_focal_hvp(s, t, v, beta=2.0):
    """Hvp of soft_focal, row by row.

        soft_focal_hvp_i = (beta ((1 - t_i) log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)
            ((-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (1/(e^(s_i) + 1) - 1/(1 +
            e^(-s_i))) + (beta - 1)/((1 + e^(-s_i)) (e^(s_i) + 1))) + (2 beta + 1)
            (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
            1)/(1 + e^(-s_i))))^(beta - 2) v_i/((1 + e^(-s_i)) (e^(s_i) + 1))

    Shapes: s (*batch, n), t (*batch, n), v (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s >= 0, 1, exp_1) / term_1
    ratio_2 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = t * ratio_2
    term_3 = 1 - t
    term_4 = term_3 * ratio_1 - term_2
    log_1 = jnp.log1p(exp_1)
    term_5 = term_3 * (jnp.clip(s, 0, None) + log_1) + t * (jnp.clip(-s, 0, None) + log_1)
    term_6 = (ratio_2 - ratio_1) * term_4 + (beta - 1) * (ratio_2 * ratio_1)
    term_7 = (1 + 2 * beta) * term_4**2 + beta * (term_5 * term_6)
    return jnp.abs((t - 1) * ratio_1 + term_2)**(beta - 2) * term_7 * v * ratio_2 * ratio_1


@partial(soft_focal_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "soft_focal has derivatives by s alone: stop the gradients of all else"
        )
    s, t, beta = primals
    value, gradient = soft_focal_value_and_grad(s, t, beta)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = soft_focal_hvp(s, t, tangents[0], beta)
    return (value, gradient), (change, along)


def soft_focal(s, t, beta=2.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return soft_focal_value_and_grad(s, t, beta)[0].astype(narrow)
