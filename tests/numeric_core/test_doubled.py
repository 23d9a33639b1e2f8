"""Twice the digits: exp and log of pairs, and log Z_k where it is a small difference."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from numeric_core.doubled import exp_pair, log_partition_doubled, log_parts
from numeric_core.exact import Pair, running_sum

RNG = np.random.default_rng(0)


def exactly(x: Pair) -> list[mpf]:
    pairs = zip(x.high.ravel().tolist(), x.low.ravel().tolist(), strict=True)
    return [mpf(high) + mpf(low) for high, low in pairs]


@pytest.mark.parametrize("reach", [1e-9, 1.0, 50.0, 600.0])
def test_exp_and_log_of_pairs(reach: float) -> None:
    x = Pair(np, reach * RNG.uniform(-1, 1, 500), reach * 2.0**-54 * RNG.uniform(-1, 1, 500))
    with mpmath.workdps(50):
        for given, got in zip(exactly(x), exactly(exp_pair(x)), strict=True):
            assert abs(got / mpmath.exp(given) - 1) <= 2e-31
        y = Pair.of(np, RNG.uniform(0.5, 1.0, 500))
        for given, *got in zip(exactly(y), *(x.tolist() for x in log_parts(y)), strict=True):
            assert abs(mpmath.fsum(got) - mpmath.log(given)) <= 5e-32


def test_exp_of_pairs_far_below() -> None:
    got = exp_pair(Pair.of(np, np.array([-800.0, -1e9, -np.inf, 0.0])))
    assert got.high.tolist() == [0.0, 0.0, 0.0, 1.0]


def elements(scores: Any, k: int) -> mpf:
    """log e_k, label by label."""
    e = [mpf(1)] + [mpf(0)] * k
    for s in scores:
        x = mpmath.exp(mpf(float(s)))
        e = [e[0], *(a + x * b for a, b in zip(e[1:], e[:-1], strict=True))]
    return mpmath.log(e[k])


@pytest.mark.parametrize(("n", "k"), [(1, 1), (10, 1), (10, 9), (65, 20), (300, 150), (300, 300)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0])
def test_log_partition_next_to_zero(n: int, k: int, spread: float) -> None:
    with mpmath.workdps(60):
        scores = spread * RNG.normal(size=n)
        scores = scores - float(elements(scores, k) / k)
        true = elements(scores, k)
        got = log_partition_doubled(scores[None, :], k)[0]
        assert abs(mpf(float(got)) - true) <= 2e-15 * abs(true)


def test_log_partition_of_1e_18_and_less() -> None:
    """Of many rows the one whose log Z_1 is nearest to 0: pairs have no 14 digits of it."""
    with mpmath.workdps(60):
        rows = -np.log1p(np.exp(RNG.normal(size=(3000, 1)) * [[1.0, -1.0]]))
        logs = [elements(row, 1) for row in rows]
        nearest = min(range(len(rows)), key=lambda i: abs(logs[i]) or 1)
        got = log_partition_doubled(rows[nearest][None, :], 1)[0]
        assert abs(logs[nearest]) < 1e-19
        assert abs(mpf(float(got)) - logs[nearest]) <= 2e-16 * abs(logs[nearest])


def test_masked_and_huge_scores() -> None:
    scores = np.array([[1e300, 1e300, -1e300, -np.inf], [0.0, 0.0, 0.0, -np.inf]])
    got = log_partition_doubled(scores, 3)
    assert got.tolist() == [1e300, 0.0]
    assert log_partition_doubled(np.array([[2.0, -1.5, -0.5, -np.inf]]), 3).tolist() == [0.0]
    assert log_partition_doubled(scores, 2)[1] == pytest.approx(np.log(3.0), rel=1e-16)


@pytest.mark.parametrize("n", [1, 2, 7, 64, 1001])
def test_running_sum(n: int) -> None:
    x = RNG.normal(size=(2, n)) * 10.0 ** RNG.uniform(-8, 8, (2, n))
    got = running_sum(np, x)
    with mpmath.workdps(60):
        for row, high, low in zip(x, got.high, got.low, strict=True):
            total, size = mpf(0), mpf(0)
            for value, a, b in zip(row.tolist(), high.tolist(), low.tolist(), strict=True):
                total, size = total + value, size + abs(mpf(value))
                assert abs(mpf(a) + mpf(b) - total) <= 1e-31 * size
