# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# asymmetric.value_and_grad, asymmetric.value, 9064-58, asymmetric.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def asymmetric_value_and_grad(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """Value and gradient of asymmetric, row by row.

        value = sum_k (-(1 - y_k) log(margin + 1/(e^(s_k) + 1)) (Abs(margin - 1/(1 +
            e^(-s_k))))^gamma_negative [-margin + 1/(1 + e^(-s_k)) > 0] + log(1 + e^(-s_k))
            y_k/(e^(s_k) + 1)^gamma_positive)
        gradient_i = -(gamma_positive log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1))
            y_i/(e^(s_i) + 1)^gamma_positive + (1 - y_i) (-margin + 1/(1 + e^(-s_i)))
            (-gamma_negative log(margin + 1/(e^(s_i) + 1)) + (-margin + 1/(1 +
            e^(-s_i)))/(margin + 1/(e^(s_i) + 1))) (Abs(margin - 1/(1 +
            e^(-s_i))))^(gamma_negative - 2) [-margin + 1/(1 + e^(-s_i)) > 0]/((1 + e^(-s_i))
            (e^(s_i) + 1))

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = ratio_1**gamma_positive
    term_3 = jnp.clip(-s, 0, None) + jnp.log1p(exp_1)
    sum_1 = jnp.sum(term_2 * y * term_3, axis=-1, keepdims=True)
    ratio_2 = jnp.where(s >= 0, 1, exp_1) / term_1
    term_4 = jnp.abs(margin - ratio_2)
    term_5 = 1 - y
    term_6 = margin + ratio_1
    log_1 = jnp.log(term_6)
    term_7 = ratio_2 - margin
    term_8 = jnp.where(term_7 > 0, 1, jnp.asarray(0, dtype=s.dtype))
    sum_2 = jnp.sum(term_4**gamma_negative * term_5 * log_1 * term_8, axis=-1, keepdims=True)
    value = (sum_1 - sum_2)[..., 0]
    term_9 = term_4**(gamma_negative - 2)
    term_10 = term_7 / term_6 - gamma_negative * log_1
    term_11 = term_9 * term_5 * term_7 * term_10 * ratio_1 * ratio_2 * term_8
    term_12 = term_2 * (gamma_positive * (ratio_2 * term_3) + ratio_1) * y
    gradient = term_11 - term_12
    return value, gradient


def asymmetric_hvp(s, y, v, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """Hvp of asymmetric, row by row.

        asymmetric_hvp_i = ((1 - y_i) ((-margin + 1/(1 + e^(-s_i))) (-gamma_negative log(margin
            + 1/(e^(s_i) + 1)) + (-margin + 1/(1 + e^(-s_i)))/(margin + 1/(e^(s_i) + 1)))
            (1/(e^(s_i) + 1) - 1/(1 + e^(-s_i))) + (-gamma_negative (gamma_negative - 1)
            log(margin + 1/(e^(s_i) + 1)) + 2 gamma_negative (-margin + 1/(1 +
            e^(-s_i)))/(margin + 1/(e^(s_i) + 1)) + (-margin + 1/(1 + e^(-s_i)))^2/(margin +
            1/(e^(s_i) + 1))^2)/((1 + e^(-s_i)) (e^(s_i) + 1))) (Abs(margin - 1/(1 +
            e^(-s_i))))^(gamma_negative - 2) [-margin + 1/(1 + e^(-s_i)) > 0]/((1 + e^(-s_i))
            (e^(s_i) + 1)) + (gamma_positive^2 log(1 + e^(-s_i))/(1 + e^(-s_i)) - gamma_positive
            log(1 + e^(-s_i))/(e^(s_i) + 1) + (2 gamma_positive + 1)/(e^(s_i) + 1)) y_i/((1 +
            e^(-s_i)) (e^(s_i) + 1)^gamma_positive)) v_i

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    ratio_1 = jnp.where(s <= 0, 1, exp_1) / term_1
    term_2 = jnp.clip(-s, 0, None) + jnp.log1p(exp_1)
    term_3 = (1 + 2 * gamma_positive - gamma_positive * term_2) * ratio_1
    ratio_2 = jnp.where(s >= 0, 1, exp_1) / term_1
    term_4 = ratio_1**gamma_positive * (term_3 + gamma_positive**2 * (ratio_2 * term_2)) * y
    term_5 = ratio_2 - margin
    term_6 = margin + ratio_1
    log_1 = jnp.log(term_6)
    term_7 = term_5 * (ratio_1 - ratio_2) * (term_5 / term_6 - gamma_negative * log_1)
    ratio_3 = term_5**2 / term_6**2
    ratio_4 = 2 * gamma_negative * term_5 / term_6
    term_8 = ratio_3 + ratio_4 - gamma_negative * (gamma_negative - 1) * log_1
    term_9 = jnp.where(term_5 > 0, 1, jnp.asarray(0, dtype=s.dtype))
    term_10 = jnp.abs(margin - ratio_2)**(gamma_negative - 2)
    term_11 = term_10 * (1 - y) * (term_7 + term_8 * ratio_1 * ratio_2) * ratio_1 * term_9
    return (term_4 + term_11) * v * ratio_2


@partial(asymmetric_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "asymmetric has derivatives by s alone: stop the gradients of all else"
        )
    s, y, gamma_positive, gamma_negative, margin = primals
    value, gradient = asymmetric_value_and_grad(s, y, gamma_positive, gamma_negative, margin)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = asymmetric_hvp(s, y, tangents[0], gamma_positive, gamma_negative, margin)
    return (value, gradient), (change, along)


def asymmetric(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return asymmetric_value_and_grad(s, y, gamma_positive, gamma_negative, margin)[0].astype(narrow)
