"""Compiled losses of grids: digits, range, threads, and when they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from core_reference import ulps
from grid_reference import LOSSES, exact_grid

import numeric_core as nc
from numeric_core import sweeps
from numeric_core.grids import checked

pytest.importorskip("numba")

from numeric_core.kernels import grid as kernel
from numeric_core.kernels import pairs

KINDS = pytest.mark.parametrize("kind", tuple(kernel.LOSSES))
DTYPES = pytest.mark.parametrize("dtype", (np.float32, np.float64))


def draw(labels: str, dtype: Any, n: int, m: int) -> tuple[Any, Any]:
    """Scores of different spread, labels of a kind."""
    rng = np.random.default_rng(8)
    s = rng.normal(size=(n, m)) * np.exp(rng.uniform(-2, 3, (n, 1)))
    t = {
        "soft": rng.dirichlet(np.ones(m), n),
        "sparse": rng.dirichlet(np.full(m, 0.05), n) + 1e-12,
        "hard": np.eye(m)[rng.integers(0, m, n)],
        "optimum": np.exp(np.maximum(2 * s - np.max(2 * s, axis=1, keepdims=True), -90)),
    }[labels]
    return s.astype(dtype), (t / t.sum(axis=1, keepdims=True)).astype(dtype)


@KINDS
@DTYPES
@pytest.mark.parametrize("labels", ("soft", "sparse", "hard", "optimum"))
@pytest.mark.parametrize("size", ((9, 5), (12, 1), (1, 4)))
def test_within_two_ulp(kind: str, dtype: Any, labels: str, size: tuple[int, int]) -> None:
    s, t = draw(labels, dtype, *size)
    t[0] = 0.0
    value, gradient = kernel.value_and_gradient(kind, s, t, True)
    true = exact_grid(kind, s, t, np.zeros_like(s))
    assert ulps(dtype(value), true.value, dtype, False) <= 1.0
    for row, exact in zip(gradient, true.gradient, strict=True):
        assert max(ulps(g, x, dtype, False) for g, x in zip(row, exact, strict=True)) <= 2.0
    assert kernel.value_and_gradient(kind, s, t, False) == (value, None)


@KINDS
@DTYPES
def test_chunks_and_threads(kind: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s, t = draw("soft", dtype, 400, 7)
    one = kernel.value_and_gradient(kind, s, t, True)
    monkeypatch.setattr(kernel, "CHUNK", 100)
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("LOSSPROOF_THREADS", threads)
        found.append(kernel.value_and_gradient(kind, s, t, True))
    for value, gradient in found:
        assert value == found[0][0] and np.array_equal(gradient, found[0][1])
        assert value == pytest.approx(one[0], rel=3e-16)
        np.testing.assert_allclose(gradient, one[1], rtol=1e-6 if dtype == np.float32 else 1e-12)


@DTYPES
@pytest.mark.parametrize("labels", ("soft", "sparse", "hard", "optimum"))
@pytest.mark.parametrize("size", ((9, 5), (12, 1), (1, 4), (17, 9)))
def test_pairs_of_classes(dtype: Any, labels: str, size: tuple[int, int]) -> None:
    s, t = draw(labels, dtype, *size)
    value, gradient = pairs.value_and_gradient("pairwise", s, t, True)
    true = exact_grid("pairwise", s, t, np.zeros_like(s))
    assert ulps(dtype(value), true.value, dtype, False) <= 1.0
    for row, exact in zip(gradient, true.gradient, strict=True):
        assert max(ulps(g, x, dtype, False) for g, x in zip(row, exact, strict=True)) <= 4.0
    assert pairs.value_and_gradient("pairwise", s, t, False) == (value, None)
    if dtype == np.float64:
        t[0, 0] = 1e-70
        assert pairs.value_and_gradient("pairwise", s, t, True) is None


def test_pairs_in_chunks_and_as_the_public_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    s, t = draw("soft", np.float64, 1700, 10)
    value, gradient = LOSSES["pairwise"].value_and_grad(s, t)
    for key, number in (("CHUNK", 50), ("CHUNKS", 7)):
        monkeypatch.setattr(pairs, key, number)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("LOSSPROOF_THREADS", threads)
        found.append(pairs.value_and_gradient("pairwise", s, t, True))
    assert found[0][0] == found[1][0] and np.array_equal(found[0][1], found[1][1])
    assert value == pytest.approx(found[0][0], rel=3e-16)
    np.testing.assert_allclose(gradient, found[0][1], rtol=0, atol=1e-14)
    nc.use_kernels(False)
    try:
        plain = LOSSES["pairwise"].value_and_grad(s, t)
    finally:
        nc.use_kernels(True)
    assert value == pytest.approx(plain[0], rel=1e-15)
    np.testing.assert_allclose(gradient, plain[1], rtol=0, atol=1e-13)


@KINDS
def test_no_answer_for_labels_that_are_too_small(kind: str) -> None:
    s, t = draw("soft", np.float64, 4, 3)
    t[2] = 1.0, 0.0, 1e-70
    assert kernel.value_and_gradient(kind, s, t, True) is None
    t[2] = 1.0, np.nan, 0.0
    assert kernel.value_and_gradient(kind, s, t, True) is None


@KINDS
@DTYPES
def test_large_grids_are_compiled_and_agree(
    kind: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, t = draw("soft", dtype, 520, 32)
    loss, calls = LOSSES[kind], []
    compiled = kernel.value_and_gradient
    record = lambda *given: calls.append(given) or compiled(*given)  # noqa: E731
    monkeypatch.setattr(kernel, "value_and_gradient", record)
    value, gradient = loss.value_and_grad(s, t)
    assert loss(s, t) == value and len(calls) == 2
    nc.use_kernels(False)
    try:
        plain = loss.value_and_grad(s, t)
    finally:
        nc.use_kernels(True)
    assert len(calls) == 2
    tight = np.finfo(dtype).eps
    np.testing.assert_allclose(value, plain[0], rtol=2 * tight)
    sides = np.abs(gradient) + (1.0 if kind == "centered" else 32.0)
    assert np.max(np.abs(gradient - plain[1]) / sides) < 4 * tight


@KINDS
def test_beyond_its_reach_the_plain_version_goes_on(kind: str) -> None:
    s, t = draw("soft", np.float64, 520, 32)
    s[0, 0] = 1.5 * kernel.REACH
    rows = checked(s, t, True)
    assert sweeps._compiled(kind, rows, True) is None
    value, gradient = LOSSES[kind].value_and_grad(s, t)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
