"""How large the terms of a Hessian-vector product are, which its errors are measured against."""

from __future__ import annotations

from typing import Any

import numpy as np

import numeric_core as nc


def shares(loss: nc.Loss, scores: Any, labels: Any) -> list[Any]:
    """The distributions whose covariances make up the Hessian, null classes left out."""
    s, t = scores.astype(np.float64), np.asarray(labels, dtype=np.float64)
    if not isinstance(loss, nc.ZLPR | nc.SoftZLPR):
        return [np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)]
    s0 = loss.threshold
    u, d = (1.0 - t) * np.exp(s - s0), t * np.exp(s0 - np.where(t > 0, s, 0.0))
    return [x / (1.0 + x.sum(axis=-1, keepdims=True)) for x in (u, d)]


def spread(p: Any, v: Any) -> Any:
    """p_i sum_j p_j |v_i - v_j|: with the v in order, by two running sums."""
    order = np.argsort(v, axis=-1)
    q, w = (np.take_along_axis(x, order, axis=-1) for x in (p, v))
    below, weighted = np.cumsum(q, axis=-1), np.cumsum(q * w, axis=-1)
    whole, mean = below[..., -1:], weighted[..., -1:]
    distance = w * (2.0 * below - whole) + mean - 2.0 * weighted
    result = np.empty_like(distance)
    np.put_along_axis(result, order, q * distance, axis=-1)
    return result


def scale(loss: nc.Loss, scores: Any, labels: Any, vector: Any) -> Any:
    """The sum of the sizes of the terms of each component."""
    v = vector.astype(np.float64)
    if isinstance(loss, nc.BinaryCrossEntropy):
        p = 1.0 / (1.0 + np.exp(-scores.astype(np.float64)))
        return p * (1.0 - p) * np.abs(v)
    total = np.zeros_like(v)
    for p in shares(loss, scores, labels):
        null = np.maximum(0.0, 1.0 - p.sum(axis=-1, keepdims=True))
        with_null = np.concatenate([p, null], axis=-1), np.concatenate([v, 0.0 * null], axis=-1)
        total += spread(*with_null)[..., :-1]
    return total
