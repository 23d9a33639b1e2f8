"""ZLPR by log-sum-exp over chosen labels."""

import jax
import jax.numpy as jnp


def zlpr(logits, labels):
    with_zero = jnp.concatenate([logits, jnp.zeros_like(logits[..., :1])], axis=-1)
    ones = jnp.ones_like(labels[..., :1])
    negative = jnp.concatenate([labels <= 0, ones > 0], axis=-1)
    positive = jnp.concatenate([labels > 0, ones > 0], axis=-1)
    return jax.nn.logsumexp(with_zero, axis=-1, where=negative) + jax.nn.logsumexp(
        -with_zero, axis=-1, where=positive
    )
