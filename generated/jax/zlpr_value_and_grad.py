# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# zlpr.value_and_grad, zlpr.value, zlpr.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def zlpr_value_and_grad(s, y, s_0=0.0):
    """Value and gradient of zlpr, row by row.

        value = log(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + log(sum_k (e^(s_0 - s_k) y_k) + 1)
        gradient_i = (1 - y_i) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) - e^(s_0 -
            s_i) y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    open_1 = jnp.where(y != 0, s_0 - s, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-1, keepdims=True)
    peak_2 = jnp.clip(peak_1 - 60, 0, None)
    term_1 = y * jnp.exp(open_1 - peak_2)
    sum_1 = jnp.sum(term_1, axis=-1, keepdims=True)
    sum_2 = sum_1 + jnp.exp(-peak_2)
    peak_3 = jnp.clip(-jnp.maximum(jnp.log(sum_2), -peak_2), 0, None)
    term_2 = peak_2 - peak_3
    term_3 = 1 - y
    open_2 = jnp.where(term_3 != 0, s - s_0, -jnp.inf)
    peak_4 = jnp.max(open_2, axis=-1, keepdims=True)
    peak_5 = jnp.clip(peak_4 - 60, 0, None)
    term_4 = term_3 * jnp.exp(open_2 - peak_5)
    sum_3 = jnp.sum(term_4, axis=-1, keepdims=True)
    sum_4 = sum_3 + jnp.exp(-peak_5)
    peak_6 = jnp.clip(-jnp.maximum(jnp.log(sum_4), -peak_5), 0, None)
    term_5 = peak_5 - peak_6
    log_1 = jnp.log1p(sum_3 * jnp.exp(peak_6) + jnp.expm1(-term_5))
    log_2 = jnp.log1p(sum_1 * jnp.exp(peak_3) + jnp.expm1(-term_2))
    value = (term_2 + term_5 + log_1 + log_2)[..., 0]
    gradient = term_4 / sum_4 - term_1 / sum_2
    return value, gradient


def zlpr_hvp(s, y, v, s_0=0.0):
    """Hvp of zlpr, row by row.

        zlpr_hvp_i = (1 - y_i) (v_i - sum_j ((1 - y_j) e^(-s_0 + s_j) v_j/(sum_k ((1 - y_k)
            e^(-s_0 + s_k)) + 1))) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + (v_i
            - sum_j (e^(s_0 - s_j) v_j y_j/(sum_k (e^(s_0 - s_k) y_k) + 1))) e^(s_0 - s_i)
            y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = jnp.where(term_1 != 0, s - s_0, -jnp.inf)
    peak_1 = jnp.clip(jnp.max(open_1, axis=-1, keepdims=True), 0, None)
    term_2 = term_1 * jnp.exp(open_1 - peak_1)
    sum_1 = jnp.sum(term_2, axis=-1, keepdims=True) + jnp.exp(-peak_1)
    ratio_1 = jnp.sum(v * term_2, axis=-1, keepdims=True) / sum_1
    open_2 = jnp.where(y != 0, s_0 - s, -jnp.inf)
    peak_2 = jnp.clip(jnp.max(open_2, axis=-1, keepdims=True), 0, None)
    term_3 = y * jnp.exp(open_2 - peak_2)
    sum_2 = jnp.sum(term_3, axis=-1, keepdims=True) + jnp.exp(-peak_2)
    ratio_2 = jnp.sum(v * term_3, axis=-1, keepdims=True) / sum_2
    return (v - ratio_1) * (term_2 / sum_1) + (v - ratio_2) * (term_3 / sum_2)


@partial(zlpr_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "zlpr has derivatives by s alone: stop the gradients of all else"
        )
    s, y, s_0 = primals
    value, gradient = zlpr_value_and_grad(s, y, s_0)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = zlpr_hvp(s, y, tangents[0], s_0)
    return (value, gradient), (change, along)


def zlpr(s, y, s_0=0.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return zlpr_value_and_grad(s, y, s_0)[0].astype(narrow)
