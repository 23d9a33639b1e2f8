"""Emitted JAX: values, both derivatives forward and reverse, jit, vmap, half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from differentiable import LOOPED, NAMES, module_of, rows
from rows import chosen, errors, worst

from verify.accuracy import EMITTED_BOUND

jax = pytest.importorskip("jax", reason="jax is an optional extra: lossproof[jax]")
jnp = jax.numpy
# Few lengths, since every one is compiled anew; XLA flushes subnormal numbers to 0.
LENGTHS = (2, 6)
LEAST = {"float32": 1e-30, "float64": 1e-290}
PLAIN = [name for name in NAMES if name not in LOOPED]


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """float64 for the tests of this file."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def loss_of(name: str) -> Any:
    return getattr(module_of(name, "jax"), name)


class JaxRoute:
    """The loss and what JAX makes of it, compiled, on NumPy's arrays."""

    name = "emitted jax"

    def __init__(self, loss: str) -> None:
        function = loss_of(loss)

        def total(s: Any, t: Any) -> Any:
            return function(s, t).sum()

        def along(s: Any, t: Any, v: Any) -> Any:
            return jax.jvp(jax.grad(lambda x: total(x, t)), (s,), (v,))[1]

        self.value = jax.jit(function)
        self.gradient, self.hvp = jax.jit(jax.grad(total)), jax.jit(along)


@pytest.mark.parametrize("loss", PLAIN)
def test_against_the_oracle(loss: str) -> None:
    lengths = LENGTHS if np.ndim(rows(loss)[0]) == 2 else (4,)
    samples = [
        sample
        for sample in chosen(loss, every=1)
        if sample.n in lengths
        and not _is_tiny(sample.scores, sample.dtype)
        and not _is_tiny(sample.labels, sample.dtype)
    ][::5]
    assert worst(errors(loss, JaxRoute(loss), samples, batch=True)) <= EMITTED_BOUND


def _is_tiny(array: Any, dtype: str) -> bool:
    return bool(((np.abs(array) > 0) & (np.abs(array) < LEAST[dtype])).any())


@pytest.mark.parametrize("loss", PLAIN)
def test_derivatives_forward_and_reverse(loss: str) -> None:
    from jax.test_util import check_grads

    scores, labels = rows(loss)
    total = jax.jit(lambda s: loss_of(loss)(s, labels).sum())
    check_grads(total, (scores,), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", LOOPED)
def test_coefficients_under_jit_and_grad(loss: str) -> None:
    """The order of the labels is no number there: the loop then runs to the length."""
    scores, labels = (array[:, :4] for array in rows(loss))
    module = module_of(loss, "jax")
    value, gradient = getattr(module, f"{loss}_value_and_grad")(
        jnp.array(scores), jnp.array(labels)
    )
    traced = jax.jit(jax.value_and_grad(lambda s, t: loss_of(loss)(s, t).sum()))
    total, slope = traced(scores, labels)
    np.testing.assert_allclose(total, value.sum(), rtol=1e-13)
    np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", ["soft_zlpr", "grid_truncated"])
def test_vmap_and_third_derivative(loss: str) -> None:
    scores, labels = rows(loss)
    function = loss_of(loss)
    each = jax.vmap(jax.grad(function))(scores, labels)
    np.testing.assert_allclose(each, jax.grad(lambda s: function(s, labels).sum())(scores))
    third = jax.jit(jax.jacfwd(jax.hessian(lambda s: function(s, labels[0]))))(scores[0])
    size = scores[0].size
    cube = np.asarray(third).reshape(size, size, size)
    np.testing.assert_allclose(cube, cube.transpose(2, 1, 0), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_once(dtype: str) -> None:
    scores, labels = (jnp.asarray(array, dtype=dtype) for array in rows("soft_zlpr"))
    function = loss_of("soft_zlpr")
    gradient = jax.grad(lambda s: function(s, labels).sum())(scores)
    wide = scores.astype("float32")
    exact = jax.grad(lambda s: function(s, labels.astype("float32")).sum())(wide)
    assert gradient.dtype == function(scores, labels).dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(gradient, exact.astype(dtype))


def test_float32_stays_float32() -> None:
    scores, labels = (jnp.asarray(array, dtype="float32") for array in rows("soft_zlpr"))
    value, gradient = jax.value_and_grad(lambda s: loss_of("soft_zlpr")(s, labels).sum())(scores)
    assert value.dtype == gradient.dtype == jnp.float32


def test_what_has_no_derivative_is_refused() -> None:
    scores, labels = rows("soft_zlpr")
    function = loss_of("soft_zlpr")
    with pytest.raises(NotImplementedError, match="soft_zlpr has derivatives by s alone"):
        jax.grad(lambda t: function(scores, t).sum())(labels)
    with pytest.raises(TypeError, match="s is of int64: give a floating-point array"):
        function(jnp.array([1, 2]), jnp.array([0, 1]))
