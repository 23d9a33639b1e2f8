"""ZLPR as softplus of a log-sum-exp on each side."""

import jax
import jax.numpy as jnp


def zlpr(logits, labels):
    far = -jnp.inf
    negative = _lse(jnp.where(labels > 0, far, logits))
    positive = _lse(jnp.where(labels > 0, -logits, far))
    return jax.nn.softplus(negative) + jax.nn.softplus(positive)


def _lse(x):
    top = jnp.max(x, axis=-1, keepdims=True)
    return top[..., 0] + jnp.log(jnp.sum(jnp.exp(x - top), axis=-1))
