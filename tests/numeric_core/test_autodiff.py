"""Other people's derivatives of our values, and our values inside their transformations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from core_reference import LOSSES, Arrays, Backend, draw_labels

import numeric_core as nc

ALL = pytest.mark.parametrize(("loss", "kind"), [(x, k) for _, x, k in LOSSES], ids=str)


def batch(kind: str, dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(11)
    s = rng.normal(size=(4, 5)) * np.array([[1.0], [5.0], [60.0], [200.0]])
    t = np.stack([draw_labels(rng, 5, dtype, kind) for _ in range(4)])
    return s.astype(dtype), t, rng.normal(size=(4, 5)).astype(dtype)


@ALL
def test_torch_autograd_of_the_value_is_our_gradient(loss: Any, kind: str) -> None:
    torch = Backend.TORCH.load()
    s, t, v = (torch.from_numpy(x) for x in batch(kind, np.float64))
    s.requires_grad_(True)
    _value, gradient = loss.value_and_grad(s, t)
    (autograd,) = torch.autograd.grad(loss(s, t).sum(), s)
    assert torch.allclose(autograd, gradient.detach(), rtol=1e-11, atol=1e-13)
    (product,) = torch.autograd.grad((gradient * v).sum(), s)
    assert torch.allclose(product, loss.hvp(s, t, v).detach(), rtol=1e-9, atol=1e-11)


@ALL
def test_torch_gradcheck(loss: Any, kind: str) -> None:
    torch = Backend.TORCH.load()
    s, t, _ = (torch.from_numpy(x[:2]) for x in batch(kind, np.float64))
    assert torch.autograd.gradcheck(lambda x: loss(x, t), s.requires_grad_(True))
    assert torch.autograd.gradcheck(lambda x: loss.value_and_grad(x, t)[1], s)


@ALL
def test_jax_grad_of_the_value_is_our_gradient(loss: Any, kind: str) -> None:
    jnp = Backend.JAX.load()
    import jax

    s, t, v = (jnp.asarray(x) for x in batch(kind, np.float32))

    def everything(s: Any, t: Any, v: Any) -> Any:
        ours = (*loss.value_and_grad(s, t), loss.hvp(s, t, v))
        return ours, jax.grad(lambda x: loss(x, t).sum())(s)

    (value, gradient, product), theirs = jax.jit(everything)(s, t, v)
    assert np.allclose(theirs, gradient, rtol=2e-5, atol=1e-6)
    eager = (*loss.value_and_grad(s, t), loss.hvp(s, t, v))
    for a, b in zip((value, gradient, product), eager, strict=True):
        assert np.allclose(a, b, rtol=2e-6, atol=1e-7)
        assert np.all(np.isfinite(a))


def test_jax_traces_masks_and_bad_values_without_reading_them() -> None:
    jnp = Backend.JAX.load()
    import jax

    s = jnp.asarray([[1.0, -jnp.inf, 500.0], [1.0, -1e7, -2.0]])
    t = jnp.asarray([[1.0, 0.0, 0.0], [1.0, 0.0, 0.5]])
    value, gradient = jax.jit(nc.soft_zlpr.value_and_grad)(s, t)
    eager, eager_gradient = nc.soft_zlpr.value_and_grad(s, t)
    assert np.allclose(value, eager, rtol=1e-6) and np.allclose(gradient, eager_gradient, rtol=1e-6)
    assert np.all(np.isfinite(jax.jit(jax.grad(lambda x: nc.soft_zlpr(x, t).sum()))(s)))


def test_torch_vmap() -> None:
    torch = Backend.TORCH.load()
    s, t, _ = (torch.from_numpy(x) for x in batch("soft", np.float64))
    rows = torch.func.vmap(nc.soft_zlpr)(s, t)
    assert torch.allclose(rows, nc.soft_zlpr(s, t), rtol=1e-14)


def test_results_stay_on_the_device(arrays: Arrays) -> None:
    from array_api_compat import device

    s, t = arrays(np.zeros((2, 3), np.float32)), arrays(np.zeros((2, 3), np.float32))
    value, gradient = nc.soft_zlpr.value_and_grad(s, t)
    assert device(value) == device(s) and device(gradient) == device(s)
