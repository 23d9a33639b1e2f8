# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# lse_hinge.value_and_grad, lse_hinge.value, lse_hinge.gradient, SURVEY-30.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def lse_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of lse_hinge, row by row.

        value = max(m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j), 0)
        gradient_i = ((1 - y_i) e^(s_i)/sum_k ((1 - y_k) e^(s_k)) - y_i) [m + log(sum_k ((1 -
            y_k) e^(s_k))) - sum_j (s_j y_j) > 0]

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = jnp.where(term_1 != 0, s, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - jnp.where(jnp.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * jnp.exp(term_2)
    sum_1 = jnp.sum(term_3, axis=-1, keepdims=True)
    sum_2 = m + peak_1 - jnp.sum(s * y, axis=-1, keepdims=True) + jnp.log(sum_1)
    value = jnp.clip(sum_2, 0, None)[..., 0]
    term_4 = jnp.where(sum_2 > 0, 1, jnp.asarray(0, dtype=s.dtype))
    gradient = term_4 * (term_3 / sum_1 - y)
    return value, gradient


def lse_hinge_hvp(s, y, v, m=0.0):
    """Hvp of lse_hinge, row by row.

        lse_hinge_hvp_i = (1 - y_i) (v_i - sum_j ((1 - y_j) e^(s_j) v_j/sum_k ((1 - y_k)
            e^(s_k)))) e^(s_i) [m + log(sum_k ((1 - y_k) e^(s_k))) - sum_j (s_j y_j) > 0]/sum_k
            ((1 - y_k) e^(s_k))

    Shapes: s (*batch, n), v (*batch, n), y (*batch, n); the result (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    open_1 = jnp.where(term_1 != 0, s, -jnp.inf)
    peak_1 = jnp.max(open_1, axis=-1, keepdims=True)
    term_2 = open_1 - jnp.where(jnp.isfinite(peak_1), peak_1, 0)
    term_3 = term_1 * jnp.exp(term_2)
    sum_1 = jnp.sum(term_3, axis=-1, keepdims=True)
    ratio_1 = jnp.sum(v * term_3, axis=-1, keepdims=True) / sum_1
    sum_2 = m + peak_1 - jnp.sum(s * y, axis=-1, keepdims=True) + jnp.log(sum_1)
    term_4 = jnp.where(sum_2 > 0, 1, jnp.asarray(0, dtype=s.dtype))
    return term_4 * ((v - ratio_1) * (term_3 / sum_1))


@partial(lse_hinge_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "lse_hinge has derivatives by s alone: stop the gradients of all else"
        )
    s, y, m = primals
    value, gradient = lse_hinge_value_and_grad(s, y, m)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = lse_hinge_hvp(s, y, tangents[0], m)
    return (value, gradient), (change, along)


def lse_hinge(s, y, m=0.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return lse_hinge_value_and_grad(s, y, m)[0].astype(narrow)
