"""Dask arrays: rows in parts have the value and the gradient of the row, and are never whole."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from core_reference import LOSSES, exact_rows, ulps

import numeric_core as nc
from numeric_core.namespace import is_dask_array

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

N = 300
ADDITIVE = ("focal", "soft_focal", "asymmetric")
NAMES = ("softmax_cross_entropy", "binary_cross_entropy", "zlpr", "soft_zlpr", "unified", *ADDITIVE)
HARD = ("zlpr", "focal", "asymmetric")


@pytest.fixture(autouse=True)
def in_this_thread() -> Any:
    with dask.config.set(scheduler="synchronous"):
        yield


def batch(name: str, shape: tuple[int, ...] = (6, N), dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng([3, *map(ord, name)])
    scores, labels = rng.normal(0, 4, shape), rng.uniform(size=shape)
    if name in HARD:
        labels = np.where(labels < 0.1, 1.0, 0.0)
    if name == "softmax_cross_entropy":
        labels /= labels.sum(axis=-1, keepdims=True)
    return scores.astype(dtype), labels.astype(dtype)


def in_blocks(x: Any, *chunks: int) -> Any:
    return da.from_array(x, chunks=chunks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "loss"), [(n, loss) for n, loss, _ in LOSSES], ids=lambda x: x)
def test_within_four_ulp_of_the_truth(name: str, loss: Any, dtype: Any) -> None:
    for s, t, _, value, gradient, _ in exact_rows(name, dtype, 24):
        found = dask.compute(*loss.value_and_grad(in_blocks(s, 2), in_blocks(t, 2)))
        assert ulps(found[0], value, dtype) <= 4.0, (s.tolist(), t.tolist())
        for component, true in zip(found[1], gradient, strict=True):
            assert ulps(component, true, dtype) <= 4.0, (s.tolist(), t.tolist())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_as_in_memory(name: str, dtype: Any) -> None:
    loss, (s, t) = getattr(nc, name), batch(name, dtype=dtype)
    value, gradient = loss.value_and_grad(s, t)
    lazy = loss.value_and_grad(in_blocks(s, 4, 37), in_blocks(t, 6, N))
    assert all(map(is_dask_array, lazy))
    assert lazy[1].chunks == ((4, 2), (37,) * 8 + (4,))
    assert [x.dtype for x in lazy] == [dtype, dtype]
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(lazy[0].compute(), value, rtol=2 * eps)
    np.testing.assert_allclose(lazy[1].compute(), gradient, atol=2 * eps * abs(gradient).max())
    np.testing.assert_array_equal(loss(in_blocks(s, 4, 37), in_blocks(t, 4, 37)), lazy[0])


@pytest.mark.parametrize("name", NAMES)
def test_masks_and_parts_far_from_each_other(name: str) -> None:
    loss, (s, t) = getattr(nc, name), batch(name)
    s[0, :90], t[0, :90] = -np.inf, 0.0
    s[1, 30:60] += 900.0
    s[2] = np.where(np.arange(N) < 200, -900.0, -2000.0)
    s[3, 5:] = -1e300
    s[4] *= 1e5
    if name == "softmax_cross_entropy":
        t[0] /= t[0].sum()
        t[2] = np.eye(N)[250]
    t[3, 5:] = 0.0
    if name == "softmax_cross_entropy":
        t[3] = np.eye(N)[2]
    value, gradient = loss.value_and_grad(s, t)
    found = loss.value_and_grad(in_blocks(s, 6, 30), in_blocks(t, 6, 30))
    np.testing.assert_allclose(found[0].compute(), value, rtol=1e-15)
    np.testing.assert_allclose(found[1].compute(), gradient, rtol=3e-15, atol=1e-16)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_any_axis_any_batch(axis: int) -> None:
    s, t = batch("soft_zlpr", (4, 3, 60))
    value, gradient = nc.soft_zlpr.value_and_grad(s, t)
    s, t, gradient = (np.moveaxis(x, -1, axis) for x in (s, t, gradient))
    found = nc.soft_zlpr.value_and_grad(da.from_array(s, 7), da.from_array(t, 5), axis=axis)
    np.testing.assert_allclose(found[0].compute(), value, rtol=4e-16)
    np.testing.assert_allclose(found[1].compute(), gradient, rtol=4e-15, atol=1e-16)


def test_a_class_index() -> None:
    s, index = batch("softmax_cross_entropy")[0], np.array([0, 299, 7, 150, 36, 37])
    value, gradient = nc.softmax_cross_entropy.value_and_grad(s, index)
    loss = nc.softmax_cross_entropy
    found = loss.value_and_grad(in_blocks(s, 3, 37), in_blocks(index, 2))
    np.testing.assert_allclose(found[0].compute(), value, rtol=4e-16)
    np.testing.assert_allclose(found[1].compute(), gradient, rtol=4e-15, atol=1e-16)
    with pytest.raises(ValueError, match=r"must lie in 0\.\.299 for 300 classes"):
        loss(in_blocks(s, 3, 37), in_blocks(index + 1, 2)).compute()
    with pytest.raises(ValueError, match=r"or be the integer index of a class, of shape \(6,\)"):
        loss(in_blocks(s, 3, 37), in_blocks(index[:5], 2))


@pytest.mark.parametrize("name", ["zlpr", "unified", "binary_cross_entropy"])
def test_a_masked_positive(name: str) -> None:
    loss, (s, t) = getattr(nc, name), batch("zlpr")
    s[2, 250], t[2, 250] = -np.inf, 1.0
    blocks = in_blocks(s, 6, 50), in_blocks(t, 6, 50)
    with pytest.raises(ValueError, match="1 masked label"):
        loss(*blocks).compute()
    value = loss(*blocks, masked_positives="value").compute()
    assert value[2] == math.inf
    assert np.isfinite(np.delete(value, 2)).all()


@pytest.mark.parametrize("name", [*NAMES, "combination_softmax"])
def test_hessian_vector_products(name: str) -> None:
    """Rows are brought into one block, or the Hessian is diagonal: the same numbers."""
    loss, (s, t) = getattr(nc, name), batch("zlpr" if name == "combination_softmax" else name)
    v = np.random.default_rng(5).normal(size=s.shape)
    lazy = loss.hvp(in_blocks(s, 4, 37), in_blocks(t, 6, N), in_blocks(v, 2, 150))
    assert is_dask_array(lazy) and lazy.chunks == ((4, 2), (37,) * 8 + (4,))
    true = loss.hvp(s, t, v)
    # the bound of losses over subsets is 1e-14
    atol = (1e-14 if name == "combination_softmax" else 4e-16) * abs(true).max()
    np.testing.assert_allclose(lazy.compute(), true, rtol=4e-15, atol=atol)


def test_a_vector_that_does_not_fit() -> None:
    s, t = (in_blocks(x, 3, 100) for x in batch("soft_zlpr"))
    with pytest.raises(ValueError, match=r"vector must have the shape of scores, \(6, 300\)"):
        nc.soft_zlpr.hvp(s, t, s[:, :7])
    with pytest.raises(TypeError, match="must come from one array library"):
        nc.soft_zlpr.hvp(s, t, s.compute())
    with pytest.raises(ValueError, match="vector must be finite"):
        nc.soft_zlpr.hvp(s, t, s * np.inf).compute()


def test_rows_that_cannot_be_split() -> None:
    s, t = batch("zlpr")
    loss = nc.combination_softmax
    with pytest.raises(ValueError, match=r"got scores of chunks \(\(6,\), \(150, 150\)\) with 2"):
        loss(in_blocks(s, 6, 150), in_blocks(t, 6, 150))
    found = loss.value_and_grad(in_blocks(s, 2, N), in_blocks(t, 6, 10))
    for x, true in zip(found, loss.value_and_grad(s, t), strict=True):
        np.testing.assert_allclose(x.compute(), true, rtol=1e-13, atol=1e-15)


def test_errors_repeat_what_was_given() -> None:
    s, t = (in_blocks(x, 3, 100) for x in batch("soft_zlpr"))
    loss = nc.soft_zlpr
    with pytest.raises(ValueError, match=r"scores must have known chunk sizes, got shape \(nan"):
        loss(s[s[:, 0] > 0], t)
    with pytest.raises(ValueError, match=r"labels must have the shape of scores, \(6, 300\)"):
        loss(s, t[:, :5])
    with pytest.raises(TypeError, match="must come from one array library"):
        loss(s, t.compute())
    with pytest.raises(TypeError, match="float16, bfloat16, float32 or float64, got dtype int64"):
        loss(s.astype(int), t)
    with pytest.raises(ValueError, match="scores of shape \\(6, 0\\) with 0 along axis 1"):
        loss(s[:, :0], t[:, :0])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 1\]"):
        loss(s, 2 * t).compute()
    with pytest.raises(ValueError, match="scores must not be nan"):
        loss(s * np.nan, t).compute()
    with pytest.raises(ValueError, match=r"must sum to 1 along the axis"):
        nc.softmax_cross_entropy(s, t).compute()
    with pytest.raises(ValueError, match="needs an unmasked class in every row"):
        nc.softmax_cross_entropy(s * 0 - 1e9, t * 0).compute()


def test_nothing_is_read_before_compute() -> None:
    def refuse(_: Any) -> Any:
        raise AssertionError("read")

    s = da.ones((4, 100), chunks=(2, 10)).map_blocks(refuse, dtype=float, meta=np.ones((0, 0)))
    value, _ = nc.soft_zlpr.value_and_grad(s, da.ones((4, 100), chunks=10))
    with pytest.raises(AssertionError, match="read"):
        value.compute()


def test_in_threads_and_in_processes() -> None:
    distributed = pytest.importorskip("distributed")
    s, t = batch("zlpr")
    lazy = nc.zlpr.value_and_grad(in_blocks(s, 3, 50), in_blocks(t, 3, 50))
    truth = nc.zlpr.value_and_grad(s, t)
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        there = client.gather(client.compute(list(lazy)))
    with dask.config.set(scheduler="threads"):
        here = dask.compute(*lazy)
    for x, y, true in zip(there, here, truth, strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_allclose(x, true, rtol=4e-15, atol=1e-16)


LARGE = """
import resource, dask, dask.array as da, numeric_core as nc
from pathlib import Path
shape, chunks = (2, {n}), (1, 1 << 20)
rng = da.random.default_rng(1)
s, t = rng.normal(0, 3, shape, chunks=chunks), rng.uniform(0, 1, shape, chunks=chunks)
nc.soft_zlpr(s[:, :9].compute(), t[:, :9].compute())
def used():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with dask.config.set(scheduler="threads", num_workers=2):
    dask.compute(*nc.soft_zlpr.value_and_grad(s[:, : 1 << 21], t[:, : 1 << 21]))
    before = used()
    value, gradient = nc.soft_zlpr.value_and_grad(s, t)
    v, size = dask.compute(value, abs(gradient).sum(axis=-1))
print(s.nbytes, used() - before, *size)
"""


def test_rows_need_not_fit_into_memory() -> None:
    """256 MiB of scores, 512 MiB with the labels, 768 MiB with the gradient."""
    out = subprocess.run(
        [sys.executable, "-c", LARGE.format(n=1 << 24)], capture_output=True, text=True, check=True
    ).stdout
    nominal, grown, *sizes = map(float, out.split())
    assert nominal == 2**28
    assert grown < nominal / 2
    # sum_i |q_i - p_i| is below 2, the sum of all p and q
    assert all(0.1 < size < 2 for size in sizes)
