# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# hinge.value_and_grad, hinge.value, hinge.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of hinge, row by row.

        value = sum_k ((1 - y_k) max(m + s_k - sum_j (s_j y_j), 0))
        gradient_i = (1 - y_i) [m + s_i - sum_j (s_j y_j) > 0] - y_i sum_k ((1 - y_k) [m + s_k -
            sum_j (s_j y_j) > 0])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    sum_1 = m + s - jnp.sum(s * y, axis=-1, keepdims=True)
    value = jnp.sum(term_1 * jnp.clip(sum_1, 0, None), axis=-1, keepdims=True)[..., 0]
    term_2 = jnp.where(sum_1 > 0, 1, jnp.asarray(0, dtype=s.dtype))
    term_3 = term_1 * term_2
    gradient = term_3 - jnp.sum(term_3, axis=-1, keepdims=True) * y
    return value, gradient


def hinge_hvp(s, y, v, m=0.0):
    """Hvp of hinge, row by row.

        hinge_hvp_i = 0

    Shapes: ; the result (*batch, n). All arrays of one floating-point dtype.
    """
    result = jnp.asarray(0, dtype=s.dtype)
    return jnp.broadcast_to(result, (*s.shape[:-1], s.shape[-1]))


@partial(hinge_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "hinge has derivatives by s alone: stop the gradients of all else"
        )
    s, y, m = primals
    value, gradient = hinge_value_and_grad(s, y, m)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = hinge_hvp(s, y, tangents[0], m)
    return (value, gradient), (change, along)


def hinge(s, y, m=0.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return hinge_value_and_grad(s, y, m)[0].astype(narrow)
