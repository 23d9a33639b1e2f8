"""ZLPR by a log-mean-exp on each side."""

import jax
import jax.numpy as jnp


def zlpr(logits, labels):
    return _log_mean_exp(jnp.where(labels > 0, -jnp.inf, logits)) + _log_mean_exp(
        jnp.where(labels > 0, -logits, -jnp.inf)
    )


def _log_mean_exp(x):
    x = jnp.concatenate([jnp.zeros_like(x[..., :1]), x], axis=-1)
    return jax.nn.logsumexp(x, axis=-1) - jnp.log(x.shape[-1])
