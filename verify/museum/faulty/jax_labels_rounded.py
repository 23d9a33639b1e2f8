"""Soft ZLPR with labels of a teacher."""

import jax
import jax.numpy as jnp


def soft_zlpr(logits, targets):
    present = targets > 0.5
    low = -jnp.inf
    zero = jnp.zeros_like(logits[..., :1])
    negative = jnp.concatenate([zero, jnp.where(present, low, logits)], axis=-1)
    positive = jnp.concatenate([zero, jnp.where(present, -logits, low)], axis=-1)
    return jax.nn.logsumexp(negative, axis=-1) + jax.nn.logsumexp(positive, axis=-1)
