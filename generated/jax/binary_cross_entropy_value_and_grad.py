# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# binary_cross_entropy.value_and_grad, binary_cross_entropy.value, 9064-c, 9064-h, 9064-i1,
# 9064-3, 9064-4, 9064-5, 9064-9, 9064-10, 9064-11, 9064-12, binary_cross_entropy.gradient.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def binary_cross_entropy_value_and_grad(s, t):
    """Value and gradient of binary_cross_entropy, row by row.

        value = -sum_k ((1 - t_k) log(1 - 1/(1 + e^(-s_k)))) - sum_k (log(1/(1 + e^(-s_k))) t_k)
        gradient_i = -t_i + 1/(1 + e^(-s_i))

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    term_1 = 1 - t
    exp_1 = jnp.exp(-jnp.abs(s))
    log_1 = jnp.log1p(exp_1)
    sum_1 = jnp.sum(term_1 * (jnp.clip(s, 0, None) + log_1), axis=-1, keepdims=True)
    sum_2 = jnp.sum(t * (jnp.clip(-s, 0, None) + log_1), axis=-1, keepdims=True)
    value = (sum_1 + sum_2)[..., 0]
    term_2 = 1 + exp_1
    term_3 = term_1 * (jnp.where(s >= 0, 1, exp_1) / term_2)
    gradient = term_3 - t * (jnp.where(s <= 0, 1, exp_1) / term_2)
    return value, gradient


def binary_cross_entropy_hvp(s, t, v):
    """Hvp of binary_cross_entropy, row by row.

        binary_cross_entropy_hvp_i = v_i/((1 + e^(-s_i)) (e^(s_i) + 1))

    Shapes: s (*batch, n), v (*batch, n); the result (*batch, n). All arrays of one floating-
    point dtype.
    """
    exp_1 = jnp.exp(-jnp.abs(s))
    term_1 = 1 + exp_1
    return v * (jnp.where(s <= 0, 1, exp_1) / term_1) * (jnp.where(s >= 0, 1, exp_1) / term_1)


@partial(binary_cross_entropy_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "binary_cross_entropy has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = binary_cross_entropy_value_and_grad(s, t)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = binary_cross_entropy_hvp(s, t, tangents[0])
    return (value, gradient), (change, along)


def binary_cross_entropy(s, t):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return binary_cross_entropy_value_and_grad(s, t)[0].astype(narrow)
