"""Grids in Dask arrays, in blocks of samples and of classes, have the value and gradient of all."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grid_reference import LOSSES, draw_grid, worst_ulps

import numeric_core as nc
from numeric_core.namespace import is_dask_array

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

SAMPLES, CLASSES = 40, 7


@pytest.fixture(autouse=True)
def in_this_thread() -> Any:
    with dask.config.set(scheduler="synchronous"):
        yield


def grids(dtype: Any = np.float64, spread: float = 3.0) -> tuple[Any, Any, Any]:
    """Three grids: scores, labels, and a vector."""
    rng = np.random.default_rng(7)
    shape = (3, SAMPLES, CLASSES)
    labels = rng.dirichlet(np.ones(CLASSES), shape[:2])
    labels[0] = np.eye(CLASSES)[rng.integers(0, CLASSES, SAMPLES)]
    arrays = rng.normal(0, spread, shape), labels, rng.normal(size=shape)
    return tuple(x.astype(dtype) for x in arrays)


def in_blocks(x: Any, *chunks: int) -> Any:
    return da.from_array(x, chunks=chunks)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("spread", [3.0, 400.0, 2000.0])
@pytest.mark.parametrize("kind", LOSSES)
def test_as_in_memory(kind: str, spread: float, dtype: Any) -> None:
    """Scores of every size: sums with a shift and without, products and elements."""
    loss, (s, t, v) = LOSSES[kind], grids(dtype, spread)
    value, gradient = loss.value_and_grad(s, t)
    blocks = in_blocks(s, 2, 9, 3), in_blocks(t, 3, SAMPLES, CLASSES)
    lazy = loss.value_and_grad(*blocks)
    assert all(map(is_dask_array, lazy))
    assert lazy[1].chunks == blocks[0].chunks and [x.dtype for x in lazy] == [dtype, dtype]
    eps = float(np.finfo(dtype).eps)
    found = dask.compute(*lazy)
    np.testing.assert_allclose(found[0], value, rtol=2 * eps)
    np.testing.assert_allclose(found[1], gradient, rtol=0, atol=2 * eps * abs(gradient).max())
    np.testing.assert_array_equal(loss(*blocks), found[0])
    product = loss.hvp(*blocks, in_blocks(v, 3, 10, CLASSES))
    assert product.chunks == blocks[0].chunks
    np.testing.assert_array_equal(product, loss.hvp(s, t, v))


class Blocks:
    """Arrays of a grid in small blocks, as the reference asks for them."""

    backend = SimpleNamespace(name="Dask")

    def __call__(self, x: Any) -> Any:
        return in_blocks(x, 2, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", LOSSES)
def test_within_four_ulp_of_the_truth(kind: str, dtype: Any) -> None:
    rng = np.random.default_rng(11)
    for _ in range(12):
        grid = draw_grid(rng, dtype, 5, 3)
        assert max(worst_ulps(kind, grid, Blocks())) <= 4.0, [x.tolist() for x in grid]


@pytest.mark.parametrize("kind", LOSSES)
def test_masked_classes_and_samples(kind: str) -> None:
    loss, (s, t, _) = LOSSES[kind], grids()
    s[1, :20, 2], t[1, :20, 2] = -np.inf, 0.0
    t[1, :20] /= t[1, :20].sum(axis=-1, keepdims=True)
    t[2, 8:30] = 0.0
    value, gradient = loss.value_and_grad(s, t)
    found = dask.compute(*loss.value_and_grad(in_blocks(s, 1, 8, 4), in_blocks(t, 1, 8, 4)))
    np.testing.assert_allclose(found[0], value, rtol=4e-16)
    np.testing.assert_allclose(found[1], gradient, rtol=0, atol=4e-16 * abs(gradient).max())


def test_errors_repeat_what_was_given() -> None:
    s, t = (in_blocks(x, 3, 8, 3) for x in grids()[:2])
    loss = nc.grid_truncated
    with pytest.raises(ValueError, match=r"labels must have the shape of scores, \(3, 40, 7\)"):
        loss(s, t[:, :5])
    with pytest.raises(TypeError, match="must come from one array library"):
        loss(s, t.compute())
    with pytest.raises(ValueError, match=r"scores must have known chunk sizes"):
        loss(s[s[:, 0, 0] > 0], t)
    with pytest.raises(ValueError, match=r"Dask arrays must have scores, got shape \(3, 0, 7\)"):
        loss(s[:, :0], t[:, :0])
    with pytest.raises(ValueError, match="scores must not be nan"):
        loss(s * np.nan, t).compute()
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 1\]"):
        loss(s, 2 * t).compute()


def test_in_threads_and_in_processes() -> None:
    distributed = pytest.importorskip("distributed")
    s, t, v = grids()
    blocks = [in_blocks(x, 3, 16, 4) for x in (s, t, v)]
    lazy = [*nc.grid_mirrored.value_and_grad(*blocks[:2]), nc.grid_mirrored.hvp(*blocks)]
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        there = client.gather(client.compute(lazy))
    with dask.config.set(scheduler="threads"):
        here = dask.compute(*lazy)
    truth = (*nc.grid_mirrored.value_and_grad(s, t), nc.grid_mirrored.hvp(s, t, v))
    for x, y, true in zip(there, here, truth, strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_allclose(x, true, rtol=0, atol=4e-16 * abs(true).max())


LARGE = """
import resource, dask, dask.array as da, numeric_core as nc
shape, chunks = ({n}, 64), (1 << 13, 32)
rng = da.random.default_rng(1)
s, t = rng.normal(0, 3, shape, chunks=chunks), rng.uniform(0, 1, shape, chunks=chunks)
t = t / t.sum(axis=1, keepdims=True)
nc.grid_truncated(s[:9].compute(), t[:9].compute())
def used():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def total(n):
    value, gradient = nc.grid_truncated.value_and_grad(s[:n], t[:n])
    return dask.compute(value, abs(gradient.sum(axis=-1)).max())
with dask.config.set(scheduler="threads", num_workers=2):
    total(1 << 14)
    before = used()
    value, slip = total({n})
print(s.nbytes, used() - before, value, slip)
"""


def test_grids_need_not_fit_into_memory() -> None:
    """64 MiB of scores, 128 MiB with the labels, 192 MiB with the gradient."""
    out = subprocess.run(
        [sys.executable, "-c", LARGE.format(n=1 << 17)], capture_output=True, text=True, check=True
    ).stdout
    nominal, grown, value, slip = map(float, out.split())
    assert nominal == 2**26
    assert grown < nominal / 2
    # the gradient sums to 0 over the classes of a sample; each log is at least that of n terms
    assert slip < 1e-12 and value > 64 * np.log(2**17 / 64)
