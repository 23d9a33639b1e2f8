"""The usual stable code in NumPy, some six lines a loss: a shift by the maximum, log(sum(exp)).

`HANDS`: value and gradient; `VALUES`: the value alone; `PRODUCTS`: Hessian times vector, each side
with its weighted mean taken off, p * (v - p . v) of softmax.  None of it keeps the digits of a tiny
loss.  Each side needs a maximum of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["HANDS", "PRODUCTS", "VALUES"]

Result = tuple[Any, Any]


def softmax_cross_entropy(s: Any, t: Any) -> Result:
    top = s.max(axis=-1, keepdims=True)
    e = np.exp(s - top)
    total = e.sum(axis=-1, keepdims=True)
    value = (np.log(total) + top)[..., 0] - (t * s).sum(axis=-1)
    return value, e / total - t


def binary_cross_entropy(s: Any, t: Any) -> Result:
    e = np.exp(-np.abs(s))
    value = (np.maximum(s, 0) - s * t + np.log1p(e)).sum(axis=-1)
    return value, np.where(s > 0, 1, e) / (1 + e) - t


def soft_zlpr(s: Any, t: Any) -> Result:
    up = np.maximum(s.max(axis=-1, keepdims=True), 0)
    down = np.maximum(-s.min(axis=-1, keepdims=True), 0)
    q, p = (1 - t) * np.exp(s - up), t * np.exp(-s - down)
    b = np.exp(-up) + q.sum(axis=-1, keepdims=True)
    a = np.exp(-down) + p.sum(axis=-1, keepdims=True)
    return (np.log(a) + down + np.log(b) + up)[..., 0], q / b - p / a


def zlpr(s: Any, t: Any) -> Result:
    """One exp an element: the labels are 0 or 1."""
    positive = t > 0
    x = np.where(positive, -s, s)
    down = np.maximum(x.max(axis=-1, keepdims=True, where=positive, initial=0), 0)
    up = np.maximum(x.max(axis=-1, keepdims=True, where=~positive, initial=0), 0)
    e = np.exp(x - np.where(positive, down, up))
    p, q = np.where(positive, e, 0), np.where(positive, 0, e)
    a = np.exp(-down) + p.sum(axis=-1, keepdims=True)
    b = np.exp(-up) + q.sum(axis=-1, keepdims=True)
    return (np.log(a) + down + np.log(b) + up)[..., 0], q / b - p / a


def unified(s: Any, t: Any) -> Result:
    up, down = s.max(axis=-1, keepdims=True), -s.min(axis=-1, keepdims=True)
    q, p = (1 - t) * np.exp(s - up), t * np.exp(-s - down)
    b, a = q.sum(axis=-1, keepdims=True), p.sum(axis=-1, keepdims=True)
    x = np.log(a) + np.log(b) + up + down
    share = 1 / (1 + np.exp(-x))
    return np.logaddexp(0, x)[..., 0], share * (q / b - p / a)


HANDS = {
    f.__name__: f for f in (softmax_cross_entropy, binary_cross_entropy, zlpr, soft_zlpr, unified)
}


def softmax_value(s: Any, t: Any) -> Any:
    top = s.max(axis=-1, keepdims=True)
    value = np.log(np.exp(s - top).sum(axis=-1)) + top[..., 0]
    return value - (t * s).sum(axis=-1)


def bce_value(s: Any, t: Any) -> Any:
    return (np.maximum(s, 0) - s * t + np.log1p(np.exp(-np.abs(s)))).sum(axis=-1)


def soft_zlpr_value(s: Any, t: Any) -> Any:
    up = np.maximum(s.max(axis=-1, keepdims=True), 0)
    down = np.maximum(-s.min(axis=-1, keepdims=True), 0)
    b = np.exp(-up[..., 0]) + ((1 - t) * np.exp(s - up)).sum(axis=-1)
    a = np.exp(-down[..., 0]) + (t * np.exp(-s - down)).sum(axis=-1)
    return np.log(a) + np.log(b) + (up + down)[..., 0]


def zlpr_value(s: Any, t: Any) -> Any:
    positive = t > 0
    x = np.where(positive, -s, s)
    down = np.maximum(x.max(axis=-1, keepdims=True, where=positive, initial=0), 0)
    up = np.maximum(x.max(axis=-1, keepdims=True, where=~positive, initial=0), 0)
    e = np.exp(x - np.where(positive, down, up))
    a = np.exp(-down[..., 0]) + np.where(positive, e, 0).sum(axis=-1)
    b = np.exp(-up[..., 0]) + np.where(positive, 0, e).sum(axis=-1)
    return np.log(a) + np.log(b) + (up + down)[..., 0]


def unified_value(s: Any, t: Any) -> Any:
    up, down = s.max(axis=-1, keepdims=True), -s.min(axis=-1, keepdims=True)
    b = ((1 - t) * np.exp(s - up)).sum(axis=-1)
    a = (t * np.exp(-s - down)).sum(axis=-1)
    return np.logaddexp(0, np.log(a) + np.log(b) + (up + down)[..., 0])


def softmax_product(s: Any, t: Any, v: Any) -> Any:
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return _spread(e / e.sum(axis=-1, keepdims=True), v)


def bce_product(s: Any, t: Any, v: Any) -> Any:
    e = np.exp(-np.abs(s))
    return e / (1 + e) ** 2 * v


def zlpr_product(s: Any, t: Any, v: Any) -> Any:
    up = np.maximum(s.max(axis=-1, keepdims=True), 0)
    down = np.maximum(-s.min(axis=-1, keepdims=True), 0)
    q, p = (1 - t) * np.exp(s - up), t * np.exp(-s - down)
    q /= np.exp(-up) + q.sum(axis=-1, keepdims=True)
    p /= np.exp(-down) + p.sum(axis=-1, keepdims=True)
    return _spread(q, v) + _spread(p, v)


def unified_product(s: Any, t: Any, v: Any) -> Any:
    up, down = s.max(axis=-1, keepdims=True), -s.min(axis=-1, keepdims=True)
    q, p = (1 - t) * np.exp(s - up), t * np.exp(-s - down)
    b, a = q.sum(axis=-1, keepdims=True), p.sum(axis=-1, keepdims=True)
    q, p, rest = q / b, p / a, 1 / (1 + a * b * np.exp(up + down))
    slope = q - p
    along = (slope * v).sum(axis=-1, keepdims=True)
    return (1 - rest) * (_spread(q, v) + _spread(p, v) + rest * along * slope)


def _spread(p: Any, v: Any) -> Any:
    return p * (v - (p * v).sum(axis=-1, keepdims=True))


VALUES = {
    "softmax_cross_entropy": softmax_value,
    "binary_cross_entropy": bce_value,
    "zlpr": zlpr_value,
    "soft_zlpr": soft_zlpr_value,
    "unified": unified_value,
}
PRODUCTS = {
    "softmax_cross_entropy": softmax_product,
    "binary_cross_entropy": bce_product,
    "zlpr": zlpr_product,
    "soft_zlpr": zlpr_product,
    "unified": unified_product,
}
