"""The losses as they are written in PyTorch, JAX and SciPy: the library's own where it has one.

PyTorch: value, then autograd, twice for a Hessian-vector product; eager and, but for that product,
compiled (`torch.compile`, which differentiates once). JAX: `jit` of value and reverse mode, and of
forward over reverse.
ZLPR is Su's published code (7359): zeros joined to the masked scores, logsumexp of each side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import HVP, VALUE, VALUE_AND_GRADIENT, Case, Data

__all__ = [
    "IN_JAX",
    "IN_SCIPY",
    "IN_TORCH",
    "jax_jit",
    "scipy_call",
    "torch_compiled",
    "torch_eager",
]

Result = tuple[Any, Any]
Call = Callable[[], Result]

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


def torch_eager(case: Case, data: Data) -> Call:
    """The value, and autograd through it."""
    return _in_torch(IN_TORCH[case.name], case, data)


def torch_compiled(case: Case, data: Data) -> Call:
    """The same through torch.compile, forwards and backwards."""
    import torch

    torch._dynamo.reset()
    return _in_torch(torch.compile(IN_TORCH[case.name], dynamic=False), case, data)


def _in_torch(value_of: Callable[..., Any], case: Case, data: Data) -> Call:
    import torch

    leaf, t = torch.from_numpy(data.scores).requires_grad_(), torch.from_numpy(data.labels)
    ones = torch.ones(case.shape[:-1], dtype=leaf.dtype)

    def value() -> Result:
        with torch.no_grad():
            return value_of(leaf, t), None

    def value_and_grad() -> Result:
        value = value_of(leaf, t)
        return value.detach(), torch.autograd.grad(value, leaf, ones)[0]

    def hvp() -> Result:
        slope = torch.autograd.grad(value_of(leaf, t), leaf, ones, create_graph=True)[0]
        return None, torch.autograd.grad(slope, leaf, torch.from_numpy(data.vector))[0]

    return {VALUE: value, VALUE_AND_GRADIENT: value_and_grad, HVP: hvp}[case.quantity]


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


def jax_jit(case: Case, data: Data) -> Call:
    """One compiled function for what is asked."""
    import jax

    jax.config.update("jax_enable_x64", True)
    function = jax.jit(_in_jax(IN_JAX[case.name], case.quantity))
    given = [data.scores, data.labels] + ([] if data.vector is None else [data.vector])
    arrays = [jax.numpy.asarray(x) for x in given]
    return lambda: jax.block_until_ready(function(*arrays))


def _in_jax(value_of: Callable[..., Any], quantity: str) -> Callable[..., Result]:
    import jax

    def value_and_grad(s: Any, t: Any) -> Result:
        value, back = jax.vjp(lambda x: value_of(x, t), s)
        return value, back(jax.numpy.ones_like(value))[0]

    def hvp(s: Any, t: Any, v: Any) -> Result:
        return None, jax.jvp(lambda x: value_and_grad(x, t)[1], (s,), (v,))[1]

    def value(s: Any, t: Any) -> Result:
        return value_of(s, t), None

    return {VALUE: value, VALUE_AND_GRADIENT: value_and_grad, HVP: hvp}[quantity]


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


def scipy_call(case: Case, data: Data) -> Call:
    """scipy.special, and the gradient by hand."""
    return lambda: IN_SCIPY[case.name](data.scores, data.labels)
