# Emitted by lossproof from the derived formula, target jax. Rests on the claims
# softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
# softmax_cross_entropy.gradient, SCE-11, SURVEY-17.

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def softmax_cross_entropy_value_and_grad(s, t):
    """Value and gradient of softmax_cross_entropy, row by row.

        value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
        gradient_i = e^(s_i)/sum_k e^(s_k) - t_i

    Shapes: s (*batch, n), t (*batch, n); value (*batch), gradient (*batch, n). All arrays of
    one floating-point dtype.
    """
    peak_1 = jnp.max(s, axis=-1, keepdims=True)
    top_1 = jnp.argmax(s, axis=-1, keepdims=True)
    exp_1 = jnp.exp(s - peak_1)
    term_1 = jnp.where(jnp.arange(s.shape[-1]) == top_1, 0, exp_1)
    log_1 = jnp.log1p(jnp.sum(term_1, axis=-1, keepdims=True))
    sum_1 = jnp.sum((s - peak_1 - log_1) * t, axis=-1, keepdims=True)
    value = (-sum_1)[..., 0]
    gradient = exp_1 / jnp.sum(exp_1, axis=-1, keepdims=True) - t
    return value, gradient


def softmax_cross_entropy_hvp(s, t, v):
    """Hvp of softmax_cross_entropy, row by row.

        softmax_cross_entropy_hvp_i = (v_i - sum_j (e^(s_j) v_j/sum_k e^(s_k))) e^(s_i)/sum_k
            e^(s_k)

    Shapes: s (*batch, n), v (*batch, n); the result (*batch, n). All arrays of one floating-
    point dtype.
    """
    peak_1 = jnp.max(s, axis=-1, keepdims=True)
    exp_1 = jnp.exp(s - peak_1)
    sum_1 = jnp.sum(exp_1, axis=-1, keepdims=True)
    ratio_1 = jnp.sum(v * exp_1, axis=-1, keepdims=True) / sum_1
    return (v - ratio_1) * (exp_1 / sum_1)


@partial(softmax_cross_entropy_value_and_grad.defjvp, symbolic_zeros=True)
def differentiate(primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "softmax_cross_entropy has derivatives by s alone: stop the gradients of all else"
        )
    s, t = primals
    value, gradient = softmax_cross_entropy_value_and_grad(s, t)
    change = jnp.sum(gradient * tangents[0], axis=(-1,))
    along = softmax_cross_entropy_hvp(s, t, tangents[0])
    return (value, gradient), (change, along)


def softmax_cross_entropy(s, t):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    s, t = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in (s, t)))
    return softmax_cross_entropy_value_and_grad(s, t)[0].astype(narrow)
