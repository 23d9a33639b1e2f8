"""Binary cross-entropy, the mean over all labels; no product is left of 0 and infinity."""

import jax
import jax.numpy as jnp


def sigmoid_binary_cross_entropy(logits, labels):
    missed = labels * jax.nn.softplus(jnp.where(labels > 0, -logits, 0))
    invented = (1 - labels) * jax.nn.softplus(jnp.where(labels < 1, logits, 0))
    return jnp.mean(missed + invented)
