# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def max_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    Shapes: s (*batch, n), y (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - y
    term_2 = term_1 * (m + s - jnp.sum(s * y, axis=-1, keepdims=True))
    value = jnp.max(term_2, axis=-1, keepdims=True)[..., 0]
    top_1 = jnp.argmax(term_2, axis=-1, keepdims=True)
    term_3 = jnp.where(jnp.arange(s.shape[-1]) == top_1, 1, jnp.asarray(0, dtype=s.dtype))
    term_4 = term_1 * term_3
    gradient = term_4 - jnp.sum(term_4, axis=-1, keepdims=True) * y
    return value, gradient


def max_hinge_hvp(s, y, v, m=0.0):
    """Hvp of max_hinge, row by row.

        max_hinge_hvp_i = 0

    Shapes: ; the result (*batch, n). All arrays of one floating-point dtype.
    """
    result = jnp.asarray(0, dtype=s.dtype)
    return jnp.broadcast_to(result, (*s.shape[:-1], s.shape[-1]))


@partial(max_hinge_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "max_hinge has derivatives by s alone: stop the gradients of all else"
        )
    s, y, m = primals
    value, gradient = max_hinge_value_and_grad(s, y, m)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = max_hinge_hvp(s, y, tangents[0], m)
    return (value, gradient), (change, along)


def max_hinge(s, y, m=0.0):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, y = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, y)))
    return max_hinge_value_and_grad(s, y, m)[0].astype(narrow)
