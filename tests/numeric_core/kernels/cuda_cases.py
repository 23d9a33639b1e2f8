"""Rows for the CUDA kernels, and what is true of them by the plain version in float64."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

import numeric_core as nc

# A kernel is within 4 ulp of the truth, in halves within 1; so is the plain version, which is what
# float64 is held against.
APART = {np.float32: 4, np.float64: 8, np.float16: 1, ml_dtypes.bfloat16: 1}
DTYPES = tuple(APART)
LOSSES = {
    "zlpr": nc.ZLPR(threshold=0.3),
    "soft_zlpr": nc.soft_zlpr,
    "softmax": nc.softmax_cross_entropy,
    "softmax, index": nc.softmax_cross_entropy,
    "bce": nc.binary_cross_entropy,
    "unified": nc.unified,
    "unified, scale": nc.Unified(scale=1.3, margin=0.2),
    "focal": nc.Focal(gamma=1.3, alpha=0.25),
    "asymmetric": nc.Asymmetric(gamma_positive=0.7, gamma_negative=7.0, margin=0.3),
}
HARD = ("zlpr", "focal", "asymmetric")
NARROW = ("focal", "asymmetric")


def back(x: Any) -> Any:
    """On the host, as NumPy has it."""
    return np.asarray(x) if isinstance(x, np.ndarray | np.generic) else x.get()


def not_to_be_called(*given: Any, **options: Any) -> None:
    """In the place of a plain version."""
    raise AssertionError("the plain version was called")


def on_device(cupy: Any, loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    value, gradient = loss.value_and_grad(*map(cupy.asarray, arrays), **options)
    return back(value), back(gradient)


def plainly(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = loss.value_and_grad(*arrays, **options)
    nc.use_kernels(True)
    return result


def batch(name: str, n: int, dtype: Any, rows: int = 3) -> tuple[Any, Any]:
    """Rows of n labels, some of them masked."""
    rng = np.random.default_rng(5)
    scores = rng.normal(0, 4, (rows, n)).astype(dtype)
    masked = (rng.random((rows, n)) < 0.1) & (np.arange(n) > 0)
    scores[masked] = -np.inf
    if name in HARD:
        return scores, (rng.random((rows, n)) < 0.1) & ~masked
    if not name.startswith("softmax"):
        return scores, np.where(masked, 0.0, rng.random((rows, n))).astype(dtype)
    if name == "softmax":
        weights = np.where(masked, 0.0, rng.exponential(1.0, (rows, n)) ** 3)
        return scores, (weights / weights.sum(axis=-1, keepdims=True)).astype(dtype)
    return scores, np.argmin(np.where(masked, np.inf, rng.random((rows, n))), axis=-1)


def truth(name: str, scores: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Value, gradient and its larger side, of what is stored, by the plain version in float64."""
    s, t = scores.astype(np.float64), labels
    if name.startswith("softmax"):
        one_hot = np.arange(s.shape[1]) == t[:, None] if t.ndim == 1 else t.astype(np.float64)
        # the labels sum to what they sum to, once rounded
        mass = one_hot.sum(axis=-1, keepdims=True)
        value, gradient = plainly(nc.softmax_cross_entropy, s, one_hot / mass)
        p = np.exp(s - s.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        side = np.maximum(p * (mass - one_hot), one_hot * (1.0 - p))
        return value * mass[:, 0], gradient * mass, side
    t = t.astype(np.float64)
    value, gradient = plainly(LOSSES[name], s, t)
    return value, gradient, larger_side(name, s, t, gradient)


def larger_side(name: str, s: Any, t: Any, gradient: Any) -> Any:
    """Of the two sides of each component of a gradient."""
    if name in NARROW:
        return gradient
    if name == "bce":
        p = 1.0 / (1.0 + np.exp(-s))
        return np.maximum((1.0 - t) * p, t * (1.0 - p))
    if name.startswith("unified"):
        return larger_share(LOSSES[name], s, t)
    threshold = LOSSES[name].threshold
    u, d = (1.0 - t) * np.exp(s - threshold), t * np.exp(threshold - np.where(t > 0, s, 0.0))
    sides = [x / (1.0 + x.sum(axis=-1, keepdims=True)) for x in (u, d)]
    return np.maximum(*sides)


def larger_share(loss: nc.Unified, s: Any, t: Any) -> Any:
    """Of the shares of a label in the pairs that it is below or above in."""
    x = loss.scale * s
    u, d = (1.0 - t) * np.exp(x), t * np.exp(-np.where(t > 0, x, 0.0))
    up, down = (y.sum(axis=-1, keepdims=True) for y in (u, d))
    r = math.exp(loss.scale * loss.margin) * up * down
    shares = (y / np.where(total > 0, total, 1.0) for y, total in ((u, up), (d, down)))
    return loss.scale * r / (1.0 + r) * np.maximum(*shares)


def ulp(x: Any, dtype: Any) -> Any:
    """The unit in the last place of |x| in a dtype."""
    info = ml_dtypes.finfo(dtype)
    _, exponent = np.frexp(np.maximum(np.abs(x), float(info.smallest_normal)))
    return float(info.eps) * np.ldexp(0.5, exponent)


def assert_near(got: Any, true: Any, scale: Any, dtype: Any) -> None:
    assert got.dtype == dtype and got.shape == true.shape
    difference = np.abs(got.astype(np.float64) - true)
    assert np.all(difference <= APART[dtype] * ulp(scale, dtype))


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
