"""e^x, log x and powers of pairs against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from numeric_core.elementary import exp_pair, log_pair, power_pair
from numeric_core.exact import Pair

SEED = 9064


def error(pair: Pair, truth: list) -> float:
    """The largest relative error of high + low."""
    sums = (
        mpmath.mpf(float(a)) + mpmath.mpf(float(b))
        for a, b in zip(pair.high, pair.low, strict=True)
    )
    return float(max(abs(x / y - 1) for x, y in zip(sums, truth, strict=True)))


@pytest.mark.parametrize(
    ("dtype", "reach", "bound"), [(np.float64, 600.0, 1e-28), (np.float32, 60.0, 2e-12)]
)
def test_exp_pair(dtype, reach, bound):
    x = np.random.default_rng(SEED).uniform(-reach, reach, 200).astype(dtype)
    with mpmath.workdps(50):
        assert error(exp_pair(np, Pair.of(np, x)), [mpmath.exp(float(a)) for a in x]) < bound


def test_exp_pair_is_exact_at_0():
    one = exp_pair(np, Pair.of(np, np.zeros(2)))
    assert (one.high == 1).all() and (one.low == 0).all()


def test_log_pair_and_powers():
    x = np.exp(np.random.default_rng(SEED).uniform(-100, 0, 200))
    pair = Pair.of(np, x)
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(a)) for a in x]
        assert error(log_pair(np, pair), [mpmath.log(a) for a in exact]) < 1e-29
        for exponent in (0.0, 1.0, 3.0, 2.7):
            power = power_pair(np, pair, exponent)
            assert error(power, [a ** mpmath.mpf(exponent) for a in exact]) < 1e-27
