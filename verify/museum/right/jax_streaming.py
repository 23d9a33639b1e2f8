"""ZLPR, label after label, with a running log of each sum."""

import jax
import jax.numpy as jnp


def zlpr(scores, labels):
    def step(state, label):
        s, present = label
        negative = jnp.where(present, state[0], jnp.logaddexp(state[0], jnp.where(present, 0, s)))
        positive = jnp.where(present, jnp.logaddexp(state[1], jnp.where(present, -s, 0)), state[1])
        return (negative, positive), None

    zero = jnp.zeros_like(scores[..., 0])
    rows = jnp.moveaxis(scores, -1, 0), jnp.moveaxis(labels > 0, -1, 0)
    (negative, positive), _ = jax.lax.scan(step, (zero, zero), rows)
    return negative + positive
