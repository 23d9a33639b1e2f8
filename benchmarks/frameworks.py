"""The losses as they are written in PyTorch, JAX and SciPy: the library's own where it has one.

PyTorch: value, then autograd; eager and compiled (`torch.compile`). JAX: `jit` of both.
ZLPR is Su's published code (7359): zeros joined to the masked scores, logsumexp of each side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "IN_JAX",
    "IN_SCIPY",
    "IN_TORCH",
    "jax_jit",
    "scipy_call",
    "torch_compiled",
    "torch_eager",
]

Call = Callable[[], tuple[Any, Any]]

MASK = 1e12
"""What Su's code subtracts from scores that are to be left out."""


def _torch_softmax(s: Any, t: Any) -> Any:
    from torch.nn.functional import cross_entropy

    return cross_entropy(s, t, reduction="none")


def _torch_bce(s: Any, t: Any) -> Any:
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(s, t, reduction="none").sum(dim=-1)


def _torch_zlpr(s: Any, t: Any) -> Any:
    import torch

    x = (1 - 2 * t) * s
    zeros = torch.zeros_like(s[..., :1])
    negative = torch.cat([x - t * MASK, zeros], dim=-1)
    positive = torch.cat([x - (1 - t) * MASK, zeros], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)


def _torch_soft_zlpr(s: Any, t: Any) -> Any:
    import torch

    zeros = torch.zeros_like(s[..., :1])
    negative = torch.cat([s + torch.log1p(-t), zeros], dim=-1)
    positive = torch.cat([torch.log(t) - s, zeros], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)


def _torch_unified(s: Any, t: Any) -> Any:
    import torch
    from torch.nn.functional import softplus

    negative = torch.logsumexp(s + torch.log1p(-t), dim=-1)
    return softplus(negative + torch.logsumexp(torch.log(t) - s, dim=-1))


IN_TORCH = {
    "softmax_cross_entropy": _torch_softmax,
    "binary_cross_entropy": _torch_bce,
    "zlpr": _torch_zlpr,
    "soft_zlpr": _torch_soft_zlpr,
    "unified": _torch_unified,
}


def torch_eager(loss: str, scores: Any, labels: Any) -> Call:
    """The value, and autograd through it."""
    return _with_autograd(IN_TORCH[loss], scores, labels)


def torch_compiled(loss: str, scores: Any, labels: Any) -> Call:
    """The same through torch.compile, forwards and backwards."""
    import torch

    torch._dynamo.reset()
    return _with_autograd(torch.compile(IN_TORCH[loss], dynamic=False), scores, labels)


def _with_autograd(value_of: Callable[..., Any], scores: Any, labels: Any) -> Call:
    import torch

    leaf, t = torch.from_numpy(scores).requires_grad_(), torch.from_numpy(labels)
    ones = torch.ones(scores.shape[:-1], dtype=leaf.dtype)

    def call() -> tuple[Any, Any]:
        value = value_of(leaf, t)
        (gradient,) = torch.autograd.grad(value, leaf, ones)
        return value.detach(), gradient

    return call


def _jax_softmax(s: Any, t: Any) -> Any:
    import jax

    return -(t * jax.nn.log_softmax(s, axis=-1)).sum(axis=-1)


def _jax_bce(s: Any, t: Any) -> Any:
    import jax

    return -(t * jax.nn.log_sigmoid(s) + (1 - t) * jax.nn.log_sigmoid(-s)).sum(axis=-1)


def _jax_zlpr(s: Any, t: Any) -> Any:
    """Su's soft form, weights instead of masks: the same for labels 0 and 1."""
    import jax.numpy as jnp
    from jax.scipy.special import logsumexp

    zeros, ones = jnp.zeros_like(s[..., :1]), jnp.ones_like(s[..., :1])

    def side(x: Any, weights: Any) -> Any:
        joined = jnp.concatenate([x, zeros], axis=-1)
        return logsumexp(joined, b=jnp.concatenate([weights, ones], axis=-1), axis=-1)

    return side(s, 1 - t) + side(-s, t)


def _jax_unified(s: Any, t: Any) -> Any:
    import jax
    from jax.scipy.special import logsumexp

    return jax.nn.softplus(logsumexp(s, b=1 - t, axis=-1) + logsumexp(-s, b=t, axis=-1))


IN_JAX = {
    "softmax_cross_entropy": _jax_softmax,
    "binary_cross_entropy": _jax_bce,
    "zlpr": _jax_zlpr,
    "soft_zlpr": _jax_zlpr,
    "unified": _jax_unified,
}


def jax_jit(loss: str, scores: Any, labels: Any) -> Call:
    """One compiled function for value and gradient."""
    import jax

    jax.config.update("jax_enable_x64", True)
    value_of = IN_JAX[loss]

    @jax.jit
    def both(s: Any, t: Any) -> Any:
        value, back = jax.vjp(lambda x: value_of(x, t), s)
        return value, back(jax.numpy.ones_like(value))[0]

    s, t = jax.numpy.asarray(scores), jax.numpy.asarray(labels)
    return lambda: jax.block_until_ready(both(s, t))


def _scipy_softmax(s: Any, t: Any) -> Any:
    from scipy.special import log_softmax

    logs = log_softmax(s, axis=-1)
    return -(t * logs).sum(axis=-1), np.exp(logs) - t


def _scipy_bce(s: Any, t: Any) -> Any:
    from scipy.special import expit, log_expit

    value = -(t * log_expit(s) + (1 - t) * log_expit(-s)).sum(axis=-1)
    return value, expit(s) - t


def _scipy_zlpr(s: Any, t: Any) -> Any:
    from scipy.special import logsumexp

    one = np.ones_like(s[..., :1])
    a, b = (
        logsumexp(np.concatenate([x, 0 * one], -1), b=np.concatenate([w, one], -1), axis=-1)
        for x, w in ((-s, t), (s, 1 - t))
    )
    return a + b, (1 - t) * np.exp(s - b[..., None]) - t * np.exp(-s - a[..., None])


IN_SCIPY = {
    "softmax_cross_entropy": _scipy_softmax,
    "binary_cross_entropy": _scipy_bce,
    "zlpr": _scipy_zlpr,
    "soft_zlpr": _scipy_zlpr,
}


def scipy_call(loss: str, scores: Any, labels: Any) -> Call:
    """scipy.special, and the gradient by hand."""
    return lambda: IN_SCIPY[loss](scores, labels)
