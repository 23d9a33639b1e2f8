"""A row read in parts has the partition function of the row, and little memory."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

from numeric_core import streaming, subset
from numeric_core.doubled import log_partition_doubled
from numeric_core.streaming import Row, row_log_partition

N = 500
RNG = np.random.default_rng(6)
FIRST = np.arange(N) < 7
ROWS = {
    "normal": RNG.normal(size=N),
    "ties": np.full(N, 0.75),
    "ties at the threshold": np.where(FIRST, 1.0, np.where(np.arange(N) % 9, -1.0, -80.0)),
    "one tie": np.where(np.arange(N) < 8, 0.0, -50.0),
    "spread": 40.0 * RNG.normal(size=N),
    "40 above": RNG.normal(size=N) + 40.0 * FIRST,
    "1000 above": RNG.normal(size=N) + 1000.0 * FIRST,
    "10000": 1e4 * RNG.uniform(-1, 1, size=N),
    "masked": np.where(np.arange(N) % 3, RNG.normal(size=N), -np.inf),
    "huge": np.where(FIRST, 1e300, -1e300),
}


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "CHUNK", 64)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("k", [1, 6, 7, 8, 100, 250, 333])
def test_the_row_in_parts(name: str, k: int) -> None:
    scores = RNG.permutation(ROWS[name])
    scores = np.where(scores > -1e7, scores, -np.inf) if k <= 7 else scores
    true = log_partition_doubled(scores[None, :], k)[0]
    got = row_log_partition(Row(scores, -math.inf), k, 0.25)
    assert abs(got - true) <= 4e-16 * abs(true) + 1e-30


@pytest.mark.parametrize("gap", [10.0, 40.0, 700.0])
@pytest.mark.parametrize("k", [1, 2, 30, 450])
def test_tiny_values(gap: float, k: int) -> None:
    """T = 0: log Z_k = log1p(rest), all of whose digits are wanted."""
    scores = RNG.permutation(np.where(np.arange(N) < k, 0.0, -gap))
    terms = [math.comb(k, a) * math.comb(N - k, a) * math.exp(-gap * a) for a in range(1, 25)]
    got = row_log_partition(Row(scores, -math.inf), k, 0.25)
    if math.fsum(terms) < 1.0:
        assert math.isclose(got, math.log1p(math.fsum(terms)), rel_tol=1e-14)


def test_a_small_difference() -> None:
    scores = ROWS["normal"] - math.log(math.fsum(np.exp(ROWS["normal"])))
    true = log_partition_doubled(scores[None, :], 1)[0]
    assert abs(true) < 1e-14
    assert row_log_partition(Row(scores, -math.inf), 1, 0.25) == true


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_long_rows_go_in_parts(monkeypatch: pytest.MonkeyPatch, dtype: Any) -> None:
    scores = np.stack([ROWS["normal"], ROWS["masked"], ROWS["40 above"]])[:, None, :].astype(dtype)
    expected = subset.log_partition(scores, 5)
    monkeypatch.setattr(subset, "LONG", 100)
    got = subset.log_partition(scores, 5)
    assert (got.dtype, got.shape) == (expected.dtype, (3, 1))
    np.testing.assert_allclose(got, expected, rtol=2 * np.finfo(dtype).eps)
    assert np.all(got == subset.log_partition(np.moveaxis(scores, -1, 0), 5, axis=0))
    with pytest.raises(
        ValueError, match=r"at least k unmasked scores, got k=400 and a row with 333"
    ):
        subset.log_partition(scores, 400)


def test_the_value_takes_no_copy_of_a_long_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    scores = RNG.normal(size=1 << 20)
    expected = subset.log_partition(scores, 4)
    tracemalloc.start()
    try:
        assert subset.log_partition(scores, 4) == expected
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < scores.nbytes / 2
