# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def unified_value_and_grad(s, y, gamma=1.0, m=0.0):
    """Value and gradient of unified, row by row.

        value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
        gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
            y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
            e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
            ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = m * gamma
    term_2 = 1 - y
    term_3 = gamma * s
    open_1 = jnp.where(term_2 != 0, term_3, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-1, keepdims=True)
    open_2 = jnp.where(y != 0, -term_3, -jnp.inf)
    peak_2 = jnp.max(open_2, axis=-1, keepdims=True)
    peak_3 = jnp.clip(term_1 + peak_1 + peak_2 - 60, 0, None)
    term_4 = open_1 - jnp.where(jnp.isfinite(peak_1), peak_1, 0)
    term_5 = term_2 * jnp.exp(term_4)
    sum_1 = jnp.sum(term_5, axis=-1, keepdims=True)
    term_6 = open_2 - jnp.where(jnp.isfinite(peak_2), peak_2, 0)
    term_7 = y * jnp.exp(term_6)
    sum_2 = jnp.sum(term_7, axis=-1, keepdims=True)
    exp_1 = jnp.exp((term_1 + peak_1 + peak_2) - peak_3)
    term_8 = sum_1 * sum_2 * exp_1 + jnp.exp(-peak_3)
    peak_4 = jnp.clip(-jnp.maximum(jnp.log(term_8), -peak_3), 0, None)
    term_9 = peak_3 - peak_4
    term_10 = sum_1 * sum_2 * exp_1 * jnp.exp(peak_4) + jnp.expm1(-term_9)
    value = (term_9 + jnp.log1p(term_10))[..., 0]
    ratio_1 = exp_1 / term_8
    term_11 = sum_2 * ratio_1 * term_5 - sum_1 * ratio_1 * term_7
    gradient = gamma * term_11
    return value, gradient


def unified_hvp(s, y, v, gamma=1.0, m=0.0):
    """Hvp of unified, row by row.

        unified_hvp_i = gamma^2 (-((1 - y_i) e^(gamma s_i) sum_j (e^(-gamma s_j) v_j y_j) +
            e^(-gamma s_i) y_i sum_j ((1 - y_j) e^(gamma s_j) v_j)) e^(gamma m)/(e^(gamma m)
            sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) - ((1 - y_i)
            e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k) y_k)/(e^(gamma m) sum_k ((1 - y_k)
            e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) - e^(gamma m) e^(-gamma s_i) y_i
            sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k
            (e^(-gamma s_k) y_k) + 1)) sum_j (((1 - y_j) e^(gamma m) e^(gamma s_j) sum_k
            (e^(-gamma s_k) y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma
            s_k) y_k) + 1) - e^(gamma m) e^(-gamma s_j) y_j sum_k ((1 - y_k) e^(gamma
            s_k))/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))
            v_j) + ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k) y_k)/(e^(gamma m)
            sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) + e^(gamma m)
            e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k ((1 - y_k)
            e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)) v_i)

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = gamma * s
    term_2 = 1 - y
    open_1 = jnp.where(term_2 != 0, term_1, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-1, keepdims=True)
    term_3 = open_1 - jnp.where(jnp.isfinite(peak_1), peak_1, 0)
    term_4 = term_2 * jnp.exp(term_3)
    sum_1 = jnp.sum(term_4, axis=-1, keepdims=True)
    open_2 = jnp.where(y != 0, -term_1, -jnp.inf)
    peak_2 = jnp.max(open_2, axis=-1, keepdims=True)
    term_5 = m * gamma + peak_1 + peak_2
    peak_3 = jnp.clip(term_5, 0, None)
    exp_1 = jnp.exp(term_5 - peak_3)
    term_6 = open_2 - jnp.where(jnp.isfinite(peak_2), peak_2, 0)
    term_7 = y * jnp.exp(term_6)
    sum_2 = jnp.sum(term_7, axis=-1, keepdims=True)
    ratio_1 = exp_1 / (sum_1 * sum_2 * exp_1 + jnp.exp(-peak_3))
    term_8 = sum_1 * ratio_1 * term_7
    term_9 = sum_2 * ratio_1 * term_4
    term_10 = term_9 - term_8
    term_11 = jnp.sum(term_10 * v, axis=-1, keepdims=True) * term_10
    term_12 = jnp.sum(v * term_4, axis=-1, keepdims=True) * ratio_1
    term_13 = jnp.sum(v * term_7, axis=-1, keepdims=True) * ratio_1
    term_14 = (term_8 + term_9) * v - term_11 - term_12 * term_7 - term_13 * term_4
    return gamma**2 * term_14


@partial(unified_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "unified has derivatives by s alone: stop the gradients of all else"
        )
    s, y, gamma, m = primals
    value, gradient = unified_value_and_grad(s, y, gamma, m)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = unified_hvp(s, y, tangents[0], gamma, m)
    return (value, gradient), (change, along)


def unified(s, y, gamma=1.0, m=0.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return unified_value_and_grad(s, y, gamma, m)[0].astype(narrow)
