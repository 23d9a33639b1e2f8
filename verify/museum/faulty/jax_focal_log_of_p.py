"""Focal loss on jax, sum over the labels."""

import jax
import jax.numpy as jnp


def focal_loss(logits, targets, gamma=2.0):
    p = jax.nn.sigmoid(logits)
    p_t = targets * p + (1 - targets) * (1 - p)
    return jnp.sum(-((1 - p_t) ** gamma) * jnp.log(p_t), axis=-1)
