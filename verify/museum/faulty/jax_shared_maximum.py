"""ZLPR with one largest score taken out of both sums."""

import jax.numpy as jnp


def zlpr(logits, labels):
    signed = jnp.where(labels > 0, -logits, logits)
    top = jnp.maximum(jnp.max(signed, axis=-1), 0.0)
    powers = jnp.exp(signed - top[..., None])
    one = jnp.exp(-top)
    negative = one + jnp.sum(jnp.where(labels > 0, 0.0, powers), axis=-1)
    positive = one + jnp.sum(jnp.where(labels > 0, powers, 0.0), axis=-1)
    return 2 * top + jnp.log(negative) + jnp.log(positive)
