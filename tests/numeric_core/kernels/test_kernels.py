"""Compiled kernels against the plain version, which is held against the oracle elsewhere.

Errors in ulps of the true value on adversarial rows: `lossproof verify`, route "core, compiled".
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import kernels, leftovers
from numeric_core.kernels import threads

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")

# Plain version and kernel are each within 4 ulp of the truth.
APART = 8

LOSSES = {
    "zlpr": nc.zlpr,
    "zlpr, threshold": nc.ZLPR(threshold=0.3),
    "soft_zlpr": nc.soft_zlpr,
    "softmax": nc.softmax_cross_entropy,
    "softmax, index": nc.softmax_cross_entropy,
}
DTYPES = (np.float16, np.float32, np.float64)
# Lengths around the width of vectors, the scratch (1024), rows kept whole (65536), parts (2^18).
LENGTHS = (1, 2, 15, 64, 65, 100, 1000, 1024, 1025, 5000, 65_536, 65_537, 530_001)


@pytest.fixture(autouse=True)
def _kernels_used() -> Iterator[None]:
    nc.use_kernels(True)
    yield
    nc.use_kernels(True)


def batch(name: str, n: int, dtype: Any, seed: int = 1, share: float = 0.1) -> tuple[Any, Any]:
    """Rows of n labels, enough for a kernel, a share of them masked."""
    rng = np.random.default_rng(seed)
    m = max(2, -(-kernels.LEAST // n))
    scores = rng.normal(0, 4, (m, n)).astype(dtype)
    masked = (rng.random((m, n)) < share) & (np.arange(n) > 0)
    scores[masked] = -np.inf
    if name.startswith("zlpr"):
        return scores, (rng.random((m, n)) < 0.1) & ~masked
    if name == "soft_zlpr":
        return scores, np.where(masked, 0.0, rng.random((m, n))).astype(dtype)
    if name == "softmax":
        weights = np.where(masked, 0.0, rng.exponential(1.0, (m, n)))
        return scores, (weights / weights.sum(axis=-1, keepdims=True)).astype(dtype)
    return scores, np.argmin(np.where(masked, np.inf, rng.random((m, n))), axis=-1)


def larger_side(name: str, scores: Any, labels: Any) -> Any:
    """A component is a difference of two shares; this is the larger one."""
    s, t = scores.astype(np.float64), np.asarray(labels, dtype=np.float64)
    if name.startswith("softmax"):
        t = np.arange(s.shape[1]) == labels[:, None] if labels.ndim == 1 else t
        p = np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
        return np.maximum(p * (1.0 - t), t * (1.0 - p))
    threshold = LOSSES[name].threshold
    u, d = (1.0 - t) * np.exp(s - threshold), t * np.exp(threshold - np.where(t > 0, s, 0.0))
    q, p = (x / (1.0 + x.sum(axis=-1, keepdims=True)) for x in (u, d))
    return np.maximum(p, q)


def plainly(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = loss.value_and_grad(*arrays, **options)
    nc.use_kernels(True)
    return result


def assert_near(got: Any, true: Any, scale: Any) -> None:
    assert got.dtype == true.dtype and got.shape == true.shape
    difference = np.abs(got.astype(np.float64) - true)
    assert np.all(difference <= APART * np.spacing(np.abs(scale)))


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("share", [0.0, 0.1], ids=["no masks", "masks"])
def test_as_the_plain_version(name: str, n: int, dtype: Any, share: float) -> None:
    """A chunk of rows with a mask is done with care, one without in the fast way."""
    loss, (scores, labels) = LOSSES[name], batch(name, n, dtype, share=share)
    value, gradient = loss.value_and_grad(scores, labels)
    true_value, true_gradient = plainly(loss, scores, labels)
    assert_near(value, true_value, true_value)
    assert_near(gradient, true_gradient, larger_side(name, scores, labels).astype(dtype))
    np.testing.assert_array_equal(loss(scores, labels), value)


def none_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a row without an answer of the kernel is an error."""

    def left(found: Any) -> None:
        assert not np.isnan(found).any(), "a row was left to the plain version"

    monkeypatch.setattr(leftovers, "_left", left)


@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_was_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, 64, np.float32)

    none_left(monkeypatch)
    value, gradient = loss.value_and_grad(scores, labels)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("n", [64, 3000, 530_001])
@pytest.mark.parametrize("name", LOSSES)
def test_bits_do_not_depend_on_threads(name: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, n, np.float32, share=0.001)
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("LOSSPROOF_THREADS", count)
        threads._pool.cache_clear()
        results.append(loss.value_and_grad(scores, labels))
    threads._pool.cache_clear()
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_bits_do_not_depend_on_the_batch(name: str, share: float, dtype: Any) -> None:
    """Nor on whether a row near it asks for care."""
    loss, (scores, labels) = LOSSES[name], batch(name, 96, dtype, share=share)
    value, gradient = loss.value_and_grad(scores, labels)
    some = np.arange(len(scores))[::-1].repeat(3)[: len(scores) * 2]
    part = loss.value_and_grad(scores[some], labels[some])
    assert_same(part, (value[some], gradient[some]))
    assert_same(loss.value_and_grad(scores, labels), (value, gradient))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [64, 2000, 70_000])
def test_soft_zlpr_of_hard_labels_is_zlpr(n: int, dtype: Any) -> None:
    """To a few ulp: one exponential by its own polynomial is faster than one of a pair."""
    scores, labels = batch("zlpr", n, dtype)
    value, gradient = nc.soft_zlpr.value_and_grad(scores, labels)
    true_value, true_gradient = nc.zlpr.value_and_grad(scores, labels)
    assert_near(value, true_value, true_value)
    assert_near(gradient, true_gradient, larger_side("zlpr", scores, labels).astype(dtype))


@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax"])
def test_odd_rows_are_the_plain_versions(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, 100, np.float32)
    scores[3] = np.linspace(-300.0, 300.0, 100)
    scores[7, 1:] = -100.0
    odd = [3, 7]
    value, gradient = loss.value_and_grad(scores, labels)
    assert_same((value[odd], gradient[odd]), plainly(loss, scores[odd], labels[odd]))


@pytest.mark.parametrize("name", LOSSES)
def test_any_axis_and_layout(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, 60, np.float32)
    shape = (-1, 2, 60)
    s = np.moveaxis(scores[: len(scores) // 2 * 2].reshape(shape), -1, 0)
    t = labels[: len(labels) // 2 * 2]
    t = t.reshape(shape[:-1]) if t.ndim == 1 else np.moveaxis(t.reshape(shape), -1, 0)
    s = np.concatenate([s, s, s], axis=1)
    t = np.concatenate([t, t, t], axis=0 if t.ndim == 2 else 1)
    value, gradient = loss.value_and_grad(s, t, axis=0)
    true_value, true_gradient = plainly(loss, s, t, axis=0)
    assert gradient.shape == s.shape
    assert_near(value, true_value, true_value)
    assert_near(gradient, true_gradient, np.ones_like(true_gradient))


SPOILT = {
    "nan": (math.nan, None, "must not be nan"),
    "inf": (math.inf, None, r"got \+inf"),
    "label": (None, 1.5, "labels must lie in|must be 0 or 1"),
    "negative label": (None, -0.5, "labels must lie in|must be 0 or 1"),
    "masked positive": (-math.inf, 1.0, "marked positive"),
}


@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax"])
@pytest.mark.parametrize("share", [0.0, 0.1], ids=["no masks", "masks"])
def test_errors_are_the_plain_versions(name: str, fault: str, share: float) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, 100, np.float32, share=share)
    labels = labels.astype(np.float32)
    score, label, message = SPOILT[fault]
    scores[5, 7] = scores[5, 7] if score is None else score
    labels[5, 7] = labels[5, 7] if label is None else label
    with pytest.raises(ValueError, match=message) as seen:
        loss.value_and_grad(scores, labels)
    with pytest.raises(ValueError, match=message) as plain:
        plainly(loss, scores, labels)
    assert str(seen.value) == str(plain.value)


@pytest.mark.parametrize("share", [0.0, 0.1], ids=["no masks", "masks"])
@pytest.mark.parametrize("place", [-1, 100])
def test_a_class_that_does_not_exist(place: int, share: float) -> None:
    scores, index = batch("softmax, index", 100, np.float32, share=share)
    index[5] = place
    with pytest.raises(ValueError, match=r"class index must lie in 0\.\.99"):
        nc.softmax_cross_entropy(scores, index)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_negative_label_that_another_makes_up_for(dtype: Any) -> None:
    scores, labels = batch("softmax", 100, dtype, share=0.0)
    labels[5, 7], labels[5, 8] = -0.25, labels[5, 8] + labels[5, 7] + 0.25
    with pytest.raises(ValueError, match="labels must lie in"):
        nc.softmax_cross_entropy(scores, labels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_label_above_a_half_is_the_kernels(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = batch("softmax", 100, dtype, share=0.0)
    labels = (0.2 * labels + 0.8 * (np.arange(100) == 7)).astype(dtype)
    true = plainly(nc.softmax_cross_entropy, scores, labels)

    none_left(monkeypatch)
    value, gradient = nc.softmax_cross_entropy.value_and_grad(scores, labels)
    assert_near(value, true[0], true[0])
    assert_near(gradient, true[1], larger_side("softmax", scores, labels).astype(dtype))


def test_a_masked_positive_at_its_value() -> None:
    scores, labels = batch("zlpr", 100, np.float32)
    scores[5, 7], labels[5, 7] = -math.inf, True
    value = nc.zlpr(scores, labels, masked_positives="value")
    assert value[5] == math.inf and np.isfinite(np.delete(value, 5)).all()
    with pytest.raises(ValueError, match="masked_positives"):
        nc.zlpr(scores, labels, masked_positives="drop")


def test_several_threads_may_call() -> None:
    scores, labels = batch("soft_zlpr", 128, np.float32)
    true = nc.soft_zlpr.value_and_grad(scores, labels)
    results: list[Any] = []
    callers = [
        threading.Thread(target=lambda: results.append(nc.soft_zlpr.value_and_grad(scores, labels)))
        for _ in range(6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 6
    for result in results:
        assert_same(result, true)


def test_thread_count_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSPROOF_THREADS", "none")
    with pytest.raises(ValueError, match=r"LOSSPROOF_THREADS must be .*, got 'none'"):
        threads.thread_count()


def test_an_error_in_a_piece_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSPROOF_THREADS", "3")

    def task(piece: int) -> None:
        if piece == 17:
            raise ArithmeticError("piece 17")

    with pytest.raises(ArithmeticError, match="piece 17"):
        threads.work(task, range(40))


def test_use_kernels_takes_a_bool() -> None:
    with pytest.raises(TypeError, match="True or False, got 0"):
        nc.use_kernels(0)  # type: ignore[arg-type]
    nc.use_kernels(False)
    assert not kernels.used()


PROGRAM = """
import sys, numpy as np, numeric_core as nc
s = np.zeros((4, 20000), np.float32)
nc.zlpr(s[:, :10], s[:, :10])
assert "numba" not in sys.modules
nc.zlpr(s, s)
assert ("numba" in sys.modules) == {used}
"""


@pytest.mark.parametrize("used", [True, False])
def test_numba_is_imported_at_the_first_large_call(used: bool) -> None:
    environment = {"LOSSPROOF_KERNELS": str(int(used)), "PYTHONPATH": ":".join(sys.path)}
    program = PROGRAM.format(used=used)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


@pytest.mark.parametrize("name", ["zlpr", "softmax"])
def test_exponentials_are_computed_in_vectors(name: str) -> None:
    # compiled anew: what comes from the disk has no listing
    import numba

    from numeric_core.kernels import softmax, two_sided

    module, kind = (two_sided, two_sided.Hard(1.0, 1.0))
    if name == "softmax":
        module, kind = softmax, softmax.Distribution(1e-3)
    kernel = numba.njit(error_model="numpy")(module.rows.py_func)
    flat, scratch = np.zeros(64, np.float32), np.empty((module.ARRAYS, 1024), np.float32)
    kernel(kind, flat, flat, flat[:1].copy(), flat.copy(), scratch)
    (listing,) = kernel.inspect_asm().values()
    # fused products of packed numbers: four or more of float32 at a time
    assert len(re.findall(r"\bv?fn?m(?:add|sub)\d*ps|\bfmla\b", listing)) >= 20


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [2, 64, 3000, 70_000])
def test_class_indices_are_one_hot_rows_to_the_bit(n: int, dtype: Any) -> None:
    loss, (scores, labels) = nc.softmax_cross_entropy, batch("softmax, index", n, dtype)
    scores[0, :2] = 20.0
    scores[1, 1] = -30_000.0
    rows = np.zeros_like(scores)
    np.put_along_axis(rows, labels[:, None], 1.0, axis=1)
    assert_same(loss.value_and_grad(scores, labels), loss.value_and_grad(scores, rows))
