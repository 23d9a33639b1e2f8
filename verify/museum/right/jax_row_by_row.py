"""ZLPR of one row, mapped over the batch."""

import jax
import jax.numpy as jnp


def _row(scores, labels):
    terms = jnp.where(labels > 0, -scores, scores)
    sides = jnp.stack([labels <= 0, labels > 0])
    terms = jnp.where(sides, terms, -jnp.inf)
    return jax.nn.logsumexp(jnp.pad(terms, ((0, 0), (1, 0))), axis=-1).sum()


def zlpr(scores, labels):
    return jax.vmap(_row)(scores, labels)
