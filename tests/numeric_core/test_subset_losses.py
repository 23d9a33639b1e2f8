"""Combination softmax, its padded form and order r: against all subsets, one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, Backend, to_numpy
from mpmath import mpf

import numeric_core as nc

BOUNDS = {np.dtype(np.float64): 1e-14, np.dtype(np.float32): 1e-6}
S = np.array([[0.5, -1.0, 2.0, 0.0]])
T = np.array([[1.0, 0.0, 1.0, 0.0]])


class Subsets:
    """All subsets of the given sizes, with their probabilities: the definition itself."""

    def __init__(self, s: Any, sizes: Iterable[int], threshold: float = 0.0) -> None:
        x = [mpmath.exp(mpf(float(a)) - mpf(threshold)) for a in s]
        self.members = [c for k in sizes for c in itertools.combinations(range(len(x)), k)]
        self.weights = [mpmath.fprod(x[i] for i in c) for c in self.members]
        self.total = mpmath.fsum(self.weights)

    def chance(self, *conditions: Any) -> mpf:
        pairs = zip(self.members, self.weights, strict=True)
        return mpmath.fsum(w for c, w in pairs if all(f(c) for f in conditions)) / self.total

    def loss(self, positives: set[int]) -> mpf:
        right = self.chance(lambda c: set(c) == positives)
        return mpmath.log1p(self.chance(lambda c: set(c) != positives) / right)

    def slope(self, i: int, positive: bool) -> mpf:
        if positive:
            return -self.chance(lambda c: i not in c)
        return self.chance(lambda c: i in c)

    def curve(self, i: int, positive: bool, u: list[mpf]) -> list[mpf]:
        """The terms of the i-th component of H u."""
        here = (lambda c: i not in c) if positive else (lambda c: i in c)
        sign, single = (-1 if positive else 1), self.chance(here)
        together = [
            sign * u_j * self.chance(here, lambda c, j=j: j in c) for j, u_j in enumerate(u)
        ]
        apart = [
            -sign * single * u_j * self.chance(lambda c, j=j: j in c) for j, u_j in enumerate(u)
        ]
        return [*together, *apart]


def labels(n: int, k: int) -> Any:
    return np.array([1.0] * k + [0.0] * (n - k))[np.random.default_rng(k).permutation(n)]


def score_rows() -> list[Any]:
    rng = np.random.default_rng(29)
    plain = [rng.normal(size=6) * scale for scale in (0.1, 3.0, 30.0, 1e3, 1e4)]
    trained = [np.array([gap, gap, 0.0, 0.1, -0.2, 0.0]) for gap in (20.0, 40.0, 100.0)]
    ties = [np.full(6, x) for x in (0.0, 0.3, -200.1)]
    return [*plain, *trained, *ties, np.array([-np.inf, 1.0, 0.5, -1e8, 0.2, 3.0])]


def relative(got: Any, true: mpf, dtype: Any) -> float:
    """|got - true| / |true|; what is below the normal numbers counts as their least."""
    least = mpf(float(np.finfo(dtype).smallest_normal))
    return float(abs(mpf(float(got)) - true) / max(abs(true), least))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", range(5))
def test_7359_2_value_and_gradient(dtype: Any, k: int) -> None:
    for s in score_rows():
        s, t = s.astype(dtype), labels(6, k)
        if np.any(t[s <= -1e7]):
            t = np.where(s <= -1e7, 0.0, 1.0) * (np.cumsum(s > -1e7) <= k)
        for loss in (nc.combination_softmax, nc.CombinationSoftmax(k=int(t.sum()))):
            check(loss, s, t, Dtyped(dtype, [int(t.sum())], 0.0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("most", [0, 2, 3, 6, None])
def test_7359_4_value_and_gradient(dtype: Any, most: int | None) -> None:
    for s in score_rows():
        for k in range(0, min(most if most is not None else 6, 6) + 1, 2):
            s, t = s.astype(dtype), labels(6, k) * (s > -1e7)
            sizes = range(6 + 1 if most is None else most + 1)
            check(nc.PaddedCombinationSoftmax(most, 0.25), s, t, Dtyped(dtype, sizes, 0.25))


class Dtyped:
    def __init__(self, dtype: Any, sizes: Iterable[int], threshold: float) -> None:
        self.dtype, self.sizes, self.threshold = np.dtype(dtype), sizes, threshold


def check(loss: Any, s: Any, t: Any, of: Dtyped) -> None:
    value, gradient = loss.value_and_grad(s[None], t[None].astype(of.dtype))
    assert value.dtype == of.dtype and gradient.dtype == of.dtype
    kept = [i for i in range(len(s)) if s[i] > -1e7]
    with mpmath.workdps(120):
        subsets = Subsets(s[kept], of.sizes, of.threshold)
        positives = {place for place, i in enumerate(kept) if t[i]}
        bound = BOUNDS[of.dtype]
        assert relative(value[0], subsets.loss(positives), of.dtype) <= bound
        for place, i in enumerate(kept):
            true = subsets.slope(place, place in positives)
            assert relative(gradient[0, i], true, of.dtype) <= bound
    assert np.all(gradient[0, s <= -1e7] == 0)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("most", [None, 4])
def test_hvp_and_hessian(k: int, most: int | None) -> None:
    v = np.random.default_rng(8).normal(size=6) + 1e3
    for s in score_rows()[:3] + score_rows()[5:8]:
        t = labels(6, k)
        loss = nc.combination_softmax if most is None else nc.PaddedCombinationSoftmax(most)
        product = loss.hvp(s[None], t[None], v[None])[0]
        hessian = loss.hessian(s[None], t[None])[0]
        assert np.array_equal(hessian, hessian.T)
        with mpmath.workdps(200):
            subsets = Subsets(s, [k] if most is None else range(most + 1))
            u = [mpf(float(x)) for x in v]
            if most is None:
                mean = mpmath.fsum(
                    x * subsets.chance(lambda c, j=j: j in c) for j, x in enumerate(u)
                )
                u = [x - mean / k for x in u]
            for i in range(6):
                terms = subsets.curve(i, t[i] > 0, u)
                size = max(sum(x for x in terms if x > 0), -sum(x for x in terms if x < 0))
                assert abs(mpf(float(product[i])) - sum(terms)) <= 1e-14 * size
                variance = subsets.chance(lambda c, i=i: i in c)
                variance *= subsets.chance(lambda c, i=i: i not in c)
                assert abs(mpf(float(hessian[i, i])) - variance) <= 1e-13 * variance


def test_tiny_losses_keep_their_digits() -> None:
    value, gradient = nc.combination_softmax.value_and_grad(
        np.array([[345.0, 345.0, -345.0]]), np.array([[1.0, 1.0, 0.0]])
    )
    # log(1 + 2 e^-690)
    with mpmath.workdps(40):
        e = mpmath.exp(-690)
    assert relative(value[0], 2 * e, np.float64) <= 1e-14
    assert relative(gradient[0, 2], 2 * e, np.float64) <= 1e-14


def test_one_positive_is_softmax_and_all_orders_are_bce() -> None:
    rng = np.random.default_rng(31)
    s, t = rng.normal(size=(5, 7)) * 10, np.eye(7)[:5]
    v = rng.normal(size=(5, 7))
    for theirs, ours, y in (
        (nc.softmax_cross_entropy, nc.combination_softmax, t),
        (nc.binary_cross_entropy, nc.padded_combination_softmax, rng.integers(0, 2, (5, 7))),
        (nc.soft_zlpr, nc.OrderR(1), rng.random((5, 7))),
        (nc.binary_cross_entropy, nc.OrderR(9), rng.integers(0, 2, (5, 7))),
    ):
        for a, b in zip(ours.value_and_grad(s, y), theirs.value_and_grad(s, y), strict=True):
            assert np.allclose(a, b, rtol=1e-13, atol=1e-300)
        assert np.allclose(ours.hvp(s, y, v), theirs.hvp(s, y, v), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("mask", [-np.inf, -1e7])
def test_labels_that_a_mask_leaves_independent_have_no_covariance(mask: float) -> None:
    # Two rows: 3 of 6 labels are left, no more than K; and 5 of them. The first u is the smallest.
    s = np.array([[2.0, mask, -1.5, mask, 0.25, mask], [2.0, 1.0, -1.5, 0.5, 0.25, mask]])
    t = np.array([[1.0, 0, 0, 0, 1, 0]] * 2)
    u = np.array([[1e-6, -0.8, -0.2, 0.3, -0.5, 0.1]] * 2)
    curved = nc.PaddedCombinationSoftmax(4, threshold=0.3).hvp(s, t, u)
    shifted = np.where(s > -100, s - 0.3, s)
    assert np.allclose(curved[0], nc.binary_cross_entropy.hvp(shifted, t, u)[0], rtol=2e-15, atol=0)
    full = nc.PaddedCombinationSoftmax(4, threshold=0.3).hvp(s[1:, :5], t[1:, :5], u[1:, :5])
    assert np.allclose(curved[1, :5], full[0], rtol=1e-14, atol=0)


def test_rows_of_different_numbers_of_labels_do_not_see_each_other() -> None:
    rng = np.random.default_rng(37)
    s = rng.normal(size=(9, 8)) * np.array([[1.0], [100.0], [2000.0]] * 3)
    t = np.stack([labels(8, k) for k in range(9)])
    together = nc.combination_softmax.value_and_grad(s, t)
    for row in range(9):
        alone = nc.combination_softmax.value_and_grad(s[row], t[row])
        assert np.allclose(together[0][row], alone[0], rtol=1e-14)
        assert np.allclose(together[1][row], alone[1], rtol=1e-14, atol=0)


@pytest.mark.parametrize(("n", "k", "spread"), [(3000, 300, 1.0), (20000, 4, 30.0), (500, 250, 5)])
def test_long_rows(n: int, k: int, spread: float) -> None:
    """Inclusion probabilities add up to k, and both forms of a row agree."""
    rng = np.random.default_rng(41)
    s = rng.normal(size=(2, n)) * spread
    s[1, :k] += 60.0
    t = np.zeros((2, n))
    t[:, :k] = 1.0
    _, gradient = nc.combination_softmax.value_and_grad(s, t)
    assert np.all(np.abs(gradient.sum(axis=1)) <= 1e-12 * k)
    # the same rows seen from so far that only the tilted form is left
    far = nc.combination_softmax.value_and_grad(s + 2.0**12, t)
    rounded = nc.combination_softmax.value_and_grad((s + 2.0**12) - 2.0**12, t)
    assert np.allclose(far[0], rounded[0], rtol=2e-14)
    assert np.allclose(far[1], rounded[1], rtol=2e-14, atol=0)


@pytest.mark.parametrize(
    "loss", [nc.combination_softmax, nc.PaddedCombinationSoftmax(3), nc.order_r]
)
def test_in_every_library(arrays: Arrays, loss: Any) -> None:
    rng = np.random.default_rng(43)
    s = rng.normal(size=(4, 5)) * np.array([[1.0], [5.0], [60.0], [2000.0]])
    t = np.stack([labels(5, k) for k in range(4)])
    v = rng.normal(size=(4, 5))
    for dtype in arrays.dtypes:
        s32, t32, v32 = (x.astype(dtype) for x in (s, t, v))
        expected = loss.value_and_grad(*(x.astype(np.float64) for x in (s32, t32)))
        got = loss.value_and_grad(arrays(s32), arrays(t32))
        for a, b in zip(got, expected, strict=True):
            tiny = float(np.finfo(dtype).smallest_normal)
            assert np.allclose(to_numpy(a), b, rtol=BOUNDS[np.dtype(dtype)], atol=tiny)
        product = to_numpy(loss.hvp(arrays(s32), arrays(t32), arrays(v32)))
        expected_product = loss.hvp(*(x.astype(np.float64) for x in (s32, t32, v32)))
        assert np.allclose(product, expected_product, atol=1e-6)


def test_under_jit() -> None:
    jnp = Backend.JAX.load()
    import jax

    s, t = (jnp.asarray(x.astype(np.float32)) for x in (S, T))
    eager = nc.combination_softmax.value_and_grad(S, T)
    traced = jax.jit(nc.CombinationSoftmax(k=2).value_and_grad)(s, t)
    for a, b in zip(traced, eager, strict=True):
        assert np.allclose(a, b, rtol=1e-6)


def test_probabilities_and_prediction() -> None:
    p = nc.CombinationSoftmax(k=2).probabilities(S)
    assert np.isclose(p.sum(), 2.0, rtol=1e-15)
    assert np.allclose(p, nc.combination_softmax.probabilities(S, k=2), rtol=1e-15)
    gradient = nc.combination_softmax.value_and_grad(S, T)[1]
    assert np.allclose(gradient, p - T, atol=1e-15)
    assert nc.combination_softmax.predict(S, k=2).tolist() == [[True, False, True, False]]
    padded = nc.PaddedCombinationSoftmax(1)
    assert padded.predict(S).tolist() == [[False, False, True, False]]
    assert nc.PaddedCombinationSoftmax(3).predict(S).tolist() == [[True, False, True, False]]
    assert np.allclose(padded.probabilities(S).sum(), 1 - 1 / (1 + np.exp(S).sum()), rtol=1e-14)
    assert np.allclose(nc.order_r.probabilities(S), 1 / (1 + np.exp(-2 * S)), rtol=1e-15)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nc.CombinationSoftmax(k=-1), ValueError, "k must be at least 0, got -1"),
        (lambda: nc.CombinationSoftmax(k=1.5), TypeError, r"k must be an integer, got 1\.5"),
        (lambda: nc.CombinationSoftmax(k=True), TypeError, "k must be an integer, got True"),
        (lambda: nc.PaddedCombinationSoftmax(-2), ValueError, "max_labels must be at least 0"),
        (lambda: nc.PaddedCombinationSoftmax(2, math.inf), ValueError, "threshold must be finite"),
        (lambda: nc.OrderR(0), ValueError, "order must be at least 1, got 0"),
        (lambda: nc.CombinationSoftmax(k=5)(S, T), ValueError, r"k must lie in 0\.\.4.*got 5"),
        (lambda: nc.CombinationSoftmax(k=1)(S, T), ValueError, "exactly k=1 positive.*with 2"),
        (
            lambda: nc.PaddedCombinationSoftmax(1)(S, T),
            ValueError,
            "at most max_labels=1 positive labels, got a row with 2",
        ),
        (lambda: nc.combination_softmax(S, 0.5 * T), ValueError, r"must be 0 or 1, got 0\.5"),
        (lambda: nc.combination_softmax.probabilities(S), ValueError, "needs k= here"),
        (
            lambda: nc.combination_softmax.probabilities(S - np.inf, k=2),
            ValueError,
            "at least k unmasked scores, got k=2 and a row with 0",
        ),
        (
            lambda: nc.combination_softmax(np.array([[-np.inf, 1.0]]), np.array([[1.0, 0.0]])),
            ValueError,
            "1 masked label .* marked positive",
        ),
    ],
)
def test_bad_input(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_masked_positives_by_value() -> None:
    s, t = np.array([[-np.inf, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    for loss in (nc.combination_softmax, nc.PaddedCombinationSoftmax(2), nc.order_r):
        assert loss(s, t, masked_positives="value")[0] == np.inf
    # nothing to take in for it: the only subset is the right one
    assert nc.combination_softmax(s[:, :2], t[:, :2], masked_positives="value")[0] == 0.0
