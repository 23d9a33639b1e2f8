"""Masked labels: they change nothing, they never make nan, and positive ones are not dropped."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_reference import LOSSES, Arrays, Backend, to_numpy

import numeric_core as nc

MASKS = (-1e7, -1e12, -3.4028234663852886e38, -math.inf)
SCORES = np.tile([[3.0, -1.0, 0.0, 0.5, 0.0], [100.0, 80.0, 0.0, -90.0, 0.0]], (2, 1))
LABELS = {
    "hard": np.tile([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]], (2, 1)),
    "soft": np.tile([[0.9, 0.2, 0, 0.5, 0], [0, 1, 0, 0.25, 0]], (2, 1)),
    "distribution": np.tile([[0.75, 0.25, 0, 0, 0], [0, 1.0, 0, 0, 0]], (2, 1)),
}
MASKED, KEPT = [2, 4], [0, 1, 3]
ALL = pytest.mark.parametrize(("loss", "kind"), [(x, k) for _, x, k in LOSSES], ids=str)


def masked(value: float, dtype: Any) -> Any:
    s = SCORES.copy()
    s[:, MASKED] = max(value, -math.inf if math.isinf(value) else float(np.finfo(dtype).min))
    return s.astype(dtype)


@ALL
def test_every_mask_gives_the_same_bits(arrays: Arrays, loss: Any, kind: str) -> None:
    for dtype in arrays.dtypes:
        t, v = arrays(LABELS[kind].astype(dtype)), arrays(np.ones((4, 5), dtype))
        results = []
        for mask in MASKS:
            s = arrays(masked(mask, dtype))
            parts = (*loss.value_and_grad(s, t), loss.hvp(s, t, v), loss.hessian(s, t))
            results.append([to_numpy(x) for x in parts])
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                assert np.array_equal(a, b)
                assert np.all(np.isfinite(b))
        gradient = results[0][1]
        assert not np.any(gradient[:, MASKED])


@ALL
def test_a_masked_label_is_an_absent_label(loss: Any, kind: str) -> None:
    if loss is nc.binary_cross_entropy:
        kind = "soft"
    value, gradient = loss.value_and_grad(masked(-math.inf, np.float64), LABELS[kind])
    absent, kept = loss.value_and_grad(SCORES[:, KEPT], LABELS[kind][:, KEPT])
    assert np.allclose(value, absent, rtol=1e-15, atol=0)
    assert np.allclose(gradient[:, KEPT], kept, rtol=1e-14, atol=0)


def test_the_float16_mask(arrays: Arrays) -> None:
    if arrays.backend is Backend.STRICT:
        pytest.skip("array-api-strict has no float16")
    t = arrays(np.array([1, 0, 0], np.float16))
    finite = nc.soft_zlpr.value_and_grad(arrays(np.array([2, -1, -65504], np.float16)), t)
    infinite = nc.soft_zlpr.value_and_grad(arrays(np.array([2, -1, -math.inf], np.float16)), t)
    for a, b in zip(finite, infinite, strict=True):
        assert np.array_equal(to_numpy(a), to_numpy(b))
    with pytest.raises(ValueError, match="1 masked label"):
        nc.zlpr(arrays(np.array([-65504, 1, 1], np.float16)), t)


def test_all_negatives_masked(arrays: Arrays) -> None:
    s = arrays(np.array([[2.0, -math.inf, -math.inf]], np.float32))
    t = arrays(np.array([[1, 0, 0]], np.float32))
    for loss in (nc.zlpr, nc.soft_zlpr, nc.binary_cross_entropy):
        assert math.isclose(float(loss(s, t)[0]), math.log1p(math.exp(-2)), rel_tol=3e-7)
    for loss in (nc.unified, nc.softmax_cross_entropy):
        assert float(loss(s, t)[0]) == 0.0
        assert not np.any(to_numpy(loss.value_and_grad(s, t)[1]))


@ALL
def test_a_masked_positive_is_an_error_or_the_true_value(
    arrays: Arrays, loss: Any, kind: str
) -> None:
    t = arrays(np.array([[1, 0, 0]], np.float32))
    for mask, expected in ((-1e7, 1e7), (-1e12, 1e12), (-math.inf, math.inf)):
        s = arrays(np.array([[mask, 0.5, 1.0]], np.float32))
        with pytest.raises(ValueError, match=r"marked positive.*masked_positives=.value."):
            loss(s, t)
        value, gradient = loss.value_and_grad(s, t, masked_positives="value")
        scale = getattr(loss, "scale", 1.0)
        assert np.allclose(to_numpy(value), scale * expected, rtol=1e-6)
        assert np.all(np.isfinite(to_numpy(gradient)))
        assert math.isclose(float(gradient[0, 0]), -scale, rel_tol=1e-6)


def test_overflow_of_float16_is_inf_and_silent() -> None:
    s, t = np.array([-60000, 60000], np.float16), np.array([1, 0], np.float16)
    assert nc.zlpr(s, t) == math.inf
    assert nc.soft_zlpr(np.array([60000, -5], np.float16), np.array([0, 0])) == 60000
