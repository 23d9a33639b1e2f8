"""Backends, and the losses written down plainly in mpmath: what the tests compare with."""

from __future__ import annotations

import enum
import functools
import importlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import numeric_core as nc

COMMON_SHAPE = (4, 5)
"""The shape of most test batches: JAX compiles each operation for each shape that it meets."""


class Backend(enum.Enum):
    """The array libraries that every behaviour is tested in."""

    NUMPY = "numpy"
    STRICT = "array_api_strict"
    TORCH = "torch"
    JAX = "jax.numpy"

    def load(self) -> Any:
        try:
            return importlib.import_module(self.value)
        except ImportError as error:
            pytest.skip(f"{self.value} is not installed: {error}")


class Arrays:
    """NumPy arrays into a backend and back."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.xp = backend.load()

    def __call__(self, x: Any, dtype: Any = None) -> Any:
        x = np.asarray(x, dtype=dtype)
        return x if self.backend is Backend.NUMPY else self.xp.asarray(x)

    @property
    def dtypes(self) -> tuple[Any, ...]:
        """JAX has float32 alone unless x64 is switched on for the whole process."""
        return (np.float32,) if self.backend is Backend.JAX else (np.float32, np.float64)


def to_numpy(x: Any) -> Any:
    return x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)


@dataclass(frozen=True)
class Exact:
    """A number, and the size its error is measured against: its largest one-sign part."""

    value: mpf
    size: mpf

    @staticmethod
    def of(terms: Sequence[mpf]) -> Exact:
        up, down = mpf(0), mpf(0)
        for term in terms:
            if term > 0:
                up += term
            else:
                down -= term
        return Exact(up - down, max(up, down) if up and down else up + down)


def ulps(got: Any, exact: Exact, dtype: Any, flushes: bool = False) -> float:
    """|got - value| in units of the last place of `size` in dtype.

    flushes: the library takes subnormal numbers for 0, as XLA does on a CPU; nothing below the
    smallest normal number can be asked of it.
    """
    info = np.finfo(dtype)
    size = exact.size
    exponent = mpmath.frexp(size)[1] if size else -(10**6)
    unit = mpf(2) ** max(exponent - 1 - info.nmant, int(info.minexp) - info.nmant)
    if flushes:
        unit = max(unit, mpf(2) ** int(info.minexp))
    limit = mpf(float(info.max)) + unit / 2
    if abs(exact.value) >= limit:
        return 0.0 if np.isinf(got) and got > 0 else float("inf")
    if not np.isfinite(got):
        return float("inf")
    return float(abs(mpf(float(got)) - exact.value) / unit)


def _exp(x: mpf) -> mpf:
    return mpmath.exp(x)


def _side(x: Sequence[mpf], w: Sequence[mpf], null: int) -> tuple[list[mpf], mpf, mpf]:
    e = [wi * _exp(xi) if wi else mpf(0) for xi, wi in zip(x, w, strict=True)]
    norm = null + sum(e)
    return [ei / norm if norm else mpf(0) for ei in e], (null / norm if norm else mpf(0)), norm


def _covariance_terms(p: Sequence[mpf], p0: mpf, v: Sequence[mpf], i: int) -> list[mpf]:
    terms = [p[i] * p[j] * (v[i] - v[j]) for j in range(len(p)) if j != i]
    return [*terms, p[i] * p0 * v[i]]


class Reference:
    """Value, gradient and Hessian-vector product of one row, from the definitions."""

    def __init__(self, loss: Any, s: Any, t: Any) -> None:
        self.loss = loss
        self.s = [mpf(float(x)) for x in s]
        self.t = [mpf(float(x)) for x in t]
        self.n = len(self.s)
        self.kind = type(loss).__name__
        shift = mpf(float(getattr(loss, "threshold", 0.0)))
        with mpmath.workprec(3000):
            self.x = [x - shift for x in self.s]
        # bits for 1 + e^{-gap} and for e^{-gap} - e^{-2 gap}, 1 / log 2 = 1.45
        gap = 4 * max([1.0, *map(abs, map(float, s))]) * float(getattr(loss, "scale", 1.0))
        self.bits = 300 + int(1.5 * gap)

    def value(self) -> Exact:
        with mpmath.workprec(self.bits):
            return Exact.of([getattr(self, f"_value_{self.kind}")()])

    def gradient(self) -> list[Exact]:
        with mpmath.workprec(self.bits):
            terms = getattr(self, f"_gradient_{self.kind}")
            return [Exact.of(terms(i)) for i in range(self.n)]

    def hvp(self, v: Any) -> list[Exact]:
        with mpmath.workprec(self.bits):
            v = [mpf(float(x)) for x in v]
            terms = getattr(self, f"_hvp_{self.kind}")
            return [Exact.of(terms(v, i)) for i in range(self.n)]

    # softmax cross-entropy
    @functools.cached_property
    def _softmax(self) -> list[mpf]:
        return _side(self.s, [mpf(1)] * self.n, 0)[0]

    def _value_SoftmaxCrossEntropy(self) -> mpf:
        p = self._softmax
        return -sum(t * mpmath.log(q) for t, q in zip(self.t, p, strict=True) if t)

    def _gradient_SoftmaxCrossEntropy(self, i: int) -> list[mpf]:
        p, t = self._softmax, self.t
        others = [j for j in range(self.n) if j != i]
        return [p[i] * sum(t[j] for j in others), -t[i] * sum(p[j] for j in others)]

    def _hvp_SoftmaxCrossEntropy(self, v: list[mpf], i: int) -> list[mpf]:
        return [sum(self.t) * x for x in _covariance_terms(self._softmax, mpf(0), v, i)]

    # binary cross-entropy
    def _value_BinaryCrossEntropy(self) -> mpf:
        pairs = zip(self.s, self.t, strict=True)
        return sum(
            (t * mpmath.log1p(_exp(-s)) if t else 0)
            + ((1 - t) * mpmath.log1p(_exp(s)) if t != 1 else 0)
            for s, t in pairs
        )

    def _gradient_BinaryCrossEntropy(self, i: int) -> list[mpf]:
        s, t = self.s[i], self.t[i]
        return [(1 - t) / (1 + _exp(-s)), -t / (1 + _exp(s))]

    def _hvp_BinaryCrossEntropy(self, v: list[mpf], i: int) -> list[mpf]:
        s = self.s[i]
        return [v[i] / ((1 + _exp(-s)) * (1 + _exp(s)))]

    # ZLPR, hard and soft
    @functools.cached_property
    def _sides(self) -> tuple[Any, Any]:
        positive = _side([-x for x in self.x], self.t, 1)
        return positive, _side(self.x, [1 - t for t in self.t], 1)

    def _value_ZLPR(self) -> mpf:
        return sum(mpmath.log(norm) for _, _, norm in self._sides)

    def _gradient_ZLPR(self, i: int) -> list[mpf]:
        positive, negative = self._sides
        return [-positive[0][i], negative[0][i]]

    def _hvp_ZLPR(self, v: list[mpf], i: int) -> list[mpf]:
        return [x for p, p0, _ in self._sides for x in _covariance_terms(p, p0, v, i)]

    _value_SoftZLPR = _value_ZLPR
    _gradient_SoftZLPR = _gradient_ZLPR
    _hvp_SoftZLPR = _hvp_ZLPR

    # unified
    @functools.cached_property
    def _pairs(self) -> tuple[mpf, dict[tuple[int, int], mpf]]:
        gamma, margin = mpf(self.loss.scale), mpf(self.loss.margin)
        weights = {
            (i, j): (1 - self.t[i]) * self.t[j] * _exp(gamma * (self.s[i] - self.s[j] + margin))
            for i in range(self.n)
            for j in range(self.n)
            if self.t[j] and self.t[i] != 1
        }
        return gamma, weights

    def _value_Unified(self) -> mpf:
        return mpmath.log(1 + sum(self._pairs[1].values()))

    def _gradient_Unified(self, i: int) -> list[mpf]:
        gamma, weights = self._pairs
        norm = 1 + sum(weights.values())
        up = sum(w for (a, _), w in weights.items() if a == i)
        down = sum(w for (_, b), w in weights.items() if b == i)
        return [gamma * up / norm, -gamma * down / norm]

    def _hvp_Unified(self, v: list[mpf], i: int) -> list[mpf]:
        gamma, weights = self._pairs
        norm = 1 + sum(weights.values())
        terms = []
        for (a, b), w in weights.items():
            sign = (a == i) - (b == i)
            if not sign:
                continue
            f, factor = v[a] - v[b], sign * gamma**2 * w / norm**2
            terms.append(factor * f)
            terms += [factor * u * (f - v[c] + v[d]) for (c, d), u in weights.items()]
        return terms


LOSSES: tuple[tuple[str, Any, str], ...] = (
    ("softmax", nc.softmax_cross_entropy, "distribution"),
    ("bce", nc.binary_cross_entropy, "soft"),
    ("zlpr", nc.zlpr, "hard"),
    ("zlpr_threshold", nc.ZLPR(threshold=0.3), "hard"),
    ("soft_zlpr", nc.soft_zlpr, "soft"),
    ("unified", nc.unified, "soft"),
    ("unified_scale", nc.Unified(scale=1.3, margin=0.2), "soft"),
)


def draw_scores(rng: Any, n: int, dtype: Any) -> Any:
    """Scores of every size: near 0, tied, far apart, beyond the shift limits, masked."""
    size = rng.choice([1e-3, 1.0, 10.0, 40.0, 100.0, 700.0])
    s = rng.normal(size=n) * size + rng.choice([0.0, 0.0, size])
    if rng.random() < 0.3:
        s = s[rng.integers(0, n, size=n)]
    return s.astype(dtype)


def draw_labels(rng: Any, n: int, dtype: Any, kind: str) -> Any:
    """Labels in the middle, at 0 and 1, next to them, and tiny."""
    hard = (rng.random(n) < rng.choice([0.1, 0.5, 0.9])).astype(float)
    if kind == "distribution":
        style = rng.integers(0, 3)
        if style == 0:
            return np.eye(n)[rng.integers(n)].astype(dtype)
        t = rng.random(n) if style == 1 else rng.random(n) * 10.0 ** rng.uniform(-20, 0, size=n)
        return (t / t.sum()).astype(dtype)
    if kind == "hard" or rng.random() < 0.2:
        return hard.astype(dtype)
    t = rng.random(n)
    if rng.random() < 0.5:
        t = np.where(
            hard > 0, 1.0 - 10.0 ** rng.uniform(-7, -1, n), 10.0 ** rng.uniform(-30, -1, n)
        )
    return np.clip(t.astype(dtype), 0, 1)


def draw_vector(rng: Any, n: int, dtype: Any) -> Any:
    """Random, a unit vector, constant, and almost constant."""
    style = rng.integers(0, 4)
    if style == 0:
        v = rng.normal(size=n)
    elif style == 1:
        v = np.eye(n)[rng.integers(n)]
    else:
        v = np.ones(n) + (rng.normal(size=n) * 1e-6 if style == 3 else 0.0)
    return v.astype(dtype)


@functools.cache
def exact_rows(
    name: str, dtype: Any, count: int, sizes: tuple[int, ...] = ()
) -> tuple[tuple[Any, ...], ...]:
    """(s, t, v, value, gradient, hvp) of `count` drawn rows: one computation for all backends."""
    loss, kind = next((loss, kind) for key, loss, kind in LOSSES if key == name)
    rng = np.random.default_rng(zlib.crc32(f"{name} {np.dtype(dtype)}".encode()))
    rows = []
    for _ in range(count):
        n = int(rng.choice(sizes or ((1, 2, 5) if name.startswith("unified") else (1, 2, 5, 9))))
        s, v = draw_scores(rng, n, dtype), draw_vector(rng, n, dtype)
        t = draw_labels(rng, n, dtype, kind)
        exact = Reference(loss, s, t)
        rows.append((s, t, v, exact.value(), exact.gradient(), exact.hvp(v)))
    return tuple(rows)


def evaluate(loss: Any, rows: Any, arrays: Arrays) -> Any:
    """(value, gradient, hvp) of every row: one by one, in JAX in batches of the common shape.

    JAX compiles every new shape; elsewhere single rows see the paths that a batch would mask.
    """
    size = COMMON_SHAPE[0] if arrays.backend is Backend.JAX else 1
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        s, t, v = (np.stack([row[c] for row in part]) for c in range(3))
        if size == 1:
            s, t, v = s[0], t[0], v[0]
        a, b, c = arrays(s), arrays(t), arrays(v)
        results = [to_numpy(x) for x in (*loss.value_and_grad(a, b), loss.hvp(a, b, c))]
        yield from [results] if size == 1 else zip(*results, strict=True)


def worst_ulps(loss: Any, rows: Any, dtype: Any, arrays: Arrays) -> dict[str, tuple[float, Any]]:
    """The largest errors of value, gradient and hvp over exact rows, with their inputs."""
    worst: dict[str, tuple[float, Any]] = dict.fromkeys(("value", "gradient", "hvp"), (0.0, None))
    flushes = arrays.backend is Backend.JAX
    for row, results in zip(rows, evaluate(loss, rows, arrays), strict=True):
        s, t, v, *truths = row
        for key, got, true in zip(worst, results, truths, strict=True):
            pairs = [(got, true)] if key == "value" else zip(got, true, strict=True)
            error = max(ulps(g, e, dtype, flushes) for g, e in pairs)
            if not error <= worst[key][0]:
                worst[key] = (error, (s.tolist(), t.tolist(), v.tolist()))
    return worst
