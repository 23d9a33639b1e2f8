"""The floor of each loss for given labels: against mpmath, in every library, met at its scores.

The claims are own-floor-soft-zlpr, own-floor-bce, own-floor-softmax, own-floor-unified and
own-floor-order-r.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import COMMON_SHAPE, Arrays, Backend, Exact, to_numpy, ulps
from mpmath import mpf

import numeric_core as nc

SEED = 9064
ULPS = 4.0
# order_r promises 1e-14 in float64 and 1e-6 in float32, where ulps are 2e-16 and 1.2e-7.
ORDER_ULPS = {np.float32: 10.0, np.float64: 50.0}

Row = Sequence[mpf]


def _roots(t: Row) -> list[mpf]:
    return [mpmath.sqrt(x * (1 - x)) for x in t]


def _share(x: mpf) -> mpf:
    return -x * mpmath.log(x) if x else mpf(0)


def _sets(h: Row, order: int) -> mpf:
    """sum_{a<=r} e_a(h), set by set."""
    subsets = (s for a in range(order + 1) for s in itertools.combinations(h, a))
    return sum((mpmath.fprod(subset) for subset in subsets), mpf(0))


FLOORS: dict[str, tuple[Any, Callable[[Row], mpf]]] = {
    "soft_zlpr": (nc.soft_zlpr, lambda t: 2 * mpmath.log1p(sum(_roots(t)))),
    "binary_cross_entropy": (
        nc.binary_cross_entropy,
        lambda t: sum(_share(x) + _share(1 - x) for x in t),
    ),
    "unified": (nc.unified, lambda t: mpmath.log1p(sum(_roots(t)) ** 2)),
    "unified, scaled": (
        nc.Unified(scale=2.0, margin=-0.75),
        lambda t: mpmath.log1p(mpmath.exp(mpf(-1.5)) * sum(_roots(t)) ** 2),
    ),
    "unified, far margin": (
        nc.Unified(scale=8.0, margin=50.0),
        lambda t: mpmath.log1p(mpmath.exp(400) * sum(_roots(t)) ** 2),
    ),
    "order 2": (nc.OrderR(2), lambda t: 2 * mpmath.log(_sets(_roots(t), 2))),
    "order n": (nc.OrderR(9), lambda t: 2 * mpmath.log(_sets(_roots(t), len(t)))),
}
each_floor = pytest.mark.parametrize("name", FLOORS)


def _labels(dtype: Any) -> Any:
    """(4, 5): labels between, near both ends, at both ends, and hard ones."""
    t = np.random.default_rng(SEED).random(COMMON_SHAPE)
    t[1] = [1e-12, 1e-6, 0.05, 1 - 1e-6, 0.5]
    t[2] = [0.0, 1.0, 1e-9, 0.0, 1.0]
    t[3] = [0.0, 1.0, 1.0, 0.0, 0.0]
    return t.astype(dtype)


@each_floor
def test_is_the_formula_to_a_few_ulp(arrays: Arrays, name: str) -> None:
    loss, formula = FLOORS[name]
    for dtype in arrays.dtypes:
        labels = _labels(dtype)
        got = to_numpy(loss.minimum(arrays(labels)))
        assert got.dtype == dtype and got.shape == labels.shape[:1]
        limit = ORDER_ULPS[dtype] if name.startswith("order") else ULPS
        for value, row in zip(got, labels, strict=True):
            with mpmath.workdps(60):
                truth = formula([mpf(float(x)) for x in row])
                error = ulps(value, Exact(truth, truth), dtype, arrays.backend is Backend.JAX)
            assert error <= limit, (name, row)


def test_entropy_of_a_distribution_keeps_its_digits(arrays: Arrays) -> None:
    for dtype in arrays.dtypes:
        rows = np.array([[0.2, 0.3, 0.5], [1 - 1.2e-6, 1e-6, 2e-7], [0.0, 1.0, 0.0]], dtype)
        got = to_numpy(nc.softmax_cross_entropy.minimum(arrays(rows)))
        for value, row in zip(got, rows, strict=True):
            with mpmath.workdps(60):
                t = [mpf(float(x)) for x in row]
                truth = sum((x * mpmath.log(sum(t) / x) for x in t if x), mpf(0))
                assert ulps(value, Exact(truth, truth), dtype) <= ULPS, row


@pytest.mark.parametrize(
    ("loss", "link"),
    [
        (nc.soft_zlpr, 0.5),
        (nc.binary_cross_entropy, 1.0),
        (nc.unified, 0.5),
        (nc.Unified(scale=2.0, margin=0.5), 0.25),
        (nc.OrderR(2), 0.5),
        (nc.OrderR(9), 0.5),
    ],
    ids=str,
)
def test_is_met_at_the_best_scores_and_nowhere_undercut(loss: Any, link: float) -> None:
    rng = np.random.default_rng(SEED)
    labels = rng.uniform(0.02, 0.98, size=(200, 6))
    best = link * np.log(labels / (1 - labels))
    floor = loss.minimum(labels)
    np.testing.assert_allclose(loss(best, labels), floor, rtol=1e-13)
    for size in (1e-3, 0.1, 3.0):
        moved = best + size * rng.normal(size=best.shape)
        assert np.all(loss(moved, labels) >= floor * (1 - 1e-13))
    assert np.all(loss(best + rng.normal(size=best.shape), labels) > floor)


def test_softmax_meets_its_floor() -> None:
    labels = np.random.default_rng(SEED).dirichlet(np.ones(5), size=50)
    loss = nc.softmax_cross_entropy
    np.testing.assert_allclose(loss(np.log(labels), labels), loss.minimum(labels), rtol=1e-13)


@pytest.mark.parametrize("loss", [nc.grid_pairwise, nc.grid_mirrored], ids=str)
def test_grids_meet_their_floor(arrays: Arrays, loss: Any) -> None:
    rng = np.random.default_rng(SEED)
    labels = rng.dirichlet(np.ones(3), size=(4, 5))
    floor = loss.minimum(labels)
    np.testing.assert_allclose(loss(np.log(labels) / 2, labels), floor, rtol=1e-13)
    assert np.all(loss(np.log(labels) / 2 + rng.normal(size=labels.shape), labels) > floor)
    single = to_numpy(loss.minimum(arrays(labels.astype(np.float32))))
    np.testing.assert_allclose(single, floor, rtol=1e-6)
    hard = np.eye(3)[rng.integers(3, size=(4, 5))]
    np.testing.assert_array_equal(loss.minimum(hard), np.zeros(4))


def test_two_classes_have_the_floor_of_soft_zlpr() -> None:
    first = np.random.default_rng(SEED).random((4, 5))
    grid = np.stack([first, 1 - first], axis=-1)
    np.testing.assert_allclose(nc.grid_pairwise.minimum(grid), nc.soft_zlpr.minimum(first))


def test_hard_labels_have_the_floor_0_whatever_their_type() -> None:
    hard = np.array([[1, 0, 1], [0, 0, 0]])
    for loss in (nc.zlpr, nc.soft_zlpr, nc.binary_cross_entropy, nc.unified, nc.OrderR(2)):
        for labels in (hard, hard.astype(bool), hard.astype(np.float64)):
            got = loss.minimum(labels)
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got, 0.0)


def test_axis_half_precision_and_empty_rows(arrays: Arrays) -> None:
    labels = _labels(np.float32)
    along = to_numpy(nc.soft_zlpr.minimum(arrays(labels)))
    across = to_numpy(nc.soft_zlpr.minimum(arrays(labels.T.copy()), axis=0))
    np.testing.assert_array_equal(along, across)
    for loss in (nc.soft_zlpr, nc.binary_cross_entropy, nc.unified, nc.order_r):
        empty = to_numpy(loss.minimum(arrays(np.zeros((2, 0), np.float32))))
        np.testing.assert_array_equal(empty, np.zeros(2))


def test_half_precision_is_rounded_once() -> None:
    half = _labels(np.float16)
    got = nc.soft_zlpr.minimum(half)
    assert got.dtype == np.float16
    exact = nc.soft_zlpr.minimum(half.astype(np.float64))
    np.testing.assert_array_equal(got, exact.astype(np.float16))


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        (nc.soft_zlpr, np.array([0.5, 1.5]), r"labels must lie in \[0, 1\].*1.5"),
        (nc.soft_zlpr, np.array([0.5, np.nan]), "got nan"),
        (nc.zlpr, np.array([0.5, 1.0]), "soft_zlpr"),
        (nc.softmax_cross_entropy, np.array([0.5, 0.6]), "1.1"),
        (nc.softmax_cross_entropy, np.zeros((3, 0)), r"needs a class.*\(3, 0\)"),
        (nc.unified, np.array(0.5), "labels must have a label axis"),
        (nc.grid_pairwise, np.array([0.5, 0.5]), r"labels of a grid loss.*\(2,\)"),
        (nc.grid_mirrored, np.array([[0.5, 0.6]]), "sum to 1 over the classes.*1.1"),
    ],
)
def test_bad_labels_are_errors_that_repeat_them(loss: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss.minimum(labels)


def test_what_is_no_array_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="labels must be an array"):
        nc.soft_zlpr.minimum([0.5])
    with pytest.raises(ValueError, match="axis 2 is out of range for labels"):
        nc.soft_zlpr.minimum(np.array([0.5]), axis=2)
