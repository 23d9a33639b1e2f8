"""Behaviour: shapes, axes, dtypes, special rows, identities between losses, links, predictions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_reference import COMMON_SHAPE, LOSSES, Arrays, Backend, draw_labels, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import numeric_core as nc

ALL = pytest.mark.parametrize(("loss", "kind"), [(x, k) for _, x, k in LOSSES], ids=str)


def rows(kind: str, shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    t = np.stack([draw_labels(rng, shape[-1], dtype, kind) for _ in range(math.prod(shape[:-1]))])
    s, v = rng.normal(size=shape) * 5, rng.normal(size=shape)
    return s.astype(dtype), t.reshape(shape), v.astype(dtype)


@ALL
def test_axis_only_moves_the_labels(arrays: Arrays, loss: Any, kind: str) -> None:
    shape = COMMON_SHAPE if arrays.backend is Backend.JAX else (2, 3, 5)
    s, t, v = rows(kind, shape, np.float32)
    to = len(shape) - 2
    value, gradient = loss.value_and_grad(arrays(s), arrays(t))
    product = loss.hvp(arrays(s), arrays(t), arrays(v))
    a, b, c = (arrays(np.ascontiguousarray(np.moveaxis(x, -1, to))) for x in (s, t, v))
    for axis in (to, -2):
        moved, moved_gradient = loss.value_and_grad(a, b, axis=axis)
        assert np.array_equal(to_numpy(moved), to_numpy(value))
        assert np.array_equal(np.moveaxis(to_numpy(moved_gradient), to, -1), to_numpy(gradient))
        moved_product = to_numpy(loss.hvp(a, b, c, axis=axis))
        assert np.array_equal(np.moveaxis(moved_product, to, -1), to_numpy(product))
        assert np.array_equal(
            to_numpy(loss.hessian(a, b, axis=axis)), to_numpy(loss.hessian(arrays(s), arrays(t)))
        )


@ALL
def test_shapes_dtypes_and_call(arrays: Arrays, loss: Any, kind: str) -> None:
    for dtype in arrays.dtypes:
        s, t, v = (arrays(x) for x in rows(kind, (4, 5), dtype))
        value, gradient = loss.value_and_grad(s, t)
        assert np.array_equal(to_numpy(loss(s, t)), to_numpy(value))
        results = (value, gradient, loss.hvp(s, t, v), loss.hessian(s, t))
        for x, shape in zip(results, [(4,), (4, 5), (4, 5), (4, 5, 5)], strict=True):
            assert tuple(x.shape) == shape
            assert x.dtype == s.dtype
        assert tuple(loss(s[0, :], t[0, :]).shape) == ()


@ALL
def test_a_row_has_the_same_bits_in_any_batch(loss: Any, kind: str) -> None:
    for dtype in (np.float32, np.float64):
        s, t, _ = rows(kind, (4, 6), dtype)
        s[1:] *= np.array([[20.0], [100.0], [3e3]], dtype)
        value, gradient = loss.value_and_grad(s, t)
        for k in range(4):
            alone, alone_gradient = loss.value_and_grad(s[k], t[k])
            assert np.array_equal(alone, value[k])
            assert np.array_equal(alone_gradient, gradient[k])


@ALL
def test_blocks_of_rows_change_nothing(loss: Any, kind: str, monkeypatch: Any) -> None:
    s, t, v = rows(kind, (2, 5, 8), np.float32)
    s[0, 0, 7] = -np.inf
    t[0, 0, 7] = 0
    whole = (loss(s, t, check=False), *loss.value_and_grad(s, t, check=False))
    whole += (loss.hvp(s, t, v, check=False),)
    monkeypatch.setattr("numeric_core.namespace.BLOCK", 24)
    parts = (loss(s, t, check=False), *loss.value_and_grad(s, t, check=False))
    parts += (loss.hvp(s, t, v, check=False),)
    for a, b in zip(whole, parts, strict=True):
        assert a.shape == b.shape and np.array_equal(a, b)


@ALL
def test_check_false_changes_nothing_else(loss: Any, kind: str) -> None:
    s, t, _ = rows(kind, (3, 6))
    assert np.array_equal(loss(s, t, check=False), loss(s, t))


@ALL
def test_hessian_is_symmetric_and_agrees_with_hvp(arrays: Arrays, loss: Any, kind: str) -> None:
    s, t, v = rows(kind, (4, 5), np.float32)
    hessian = to_numpy(loss.hessian(arrays(s), arrays(t)))
    assert np.array_equal(hessian, np.swapaxes(hessian, -1, -2))
    product = np.einsum("bij,bj->bi", hessian.astype(float), v.astype(float))
    got = to_numpy(loss.hvp(arrays(s), arrays(t), arrays(v)))
    assert np.allclose(product, got, rtol=1e-5, atol=1e-6)


@ALL
def test_dense_diagonal_keeps_its_digits_under_a_dominant_label(loss: Any, kind: str) -> None:
    s = np.array([50.0, 0.0, 1.0])
    t = np.array([1.0, 0.0, 0.0]) if kind == "distribution" else np.array([0.0, 1.0, 0.0])
    diagonal = np.diagonal(loss.hessian(s, t))
    unit = [loss.hvp(s, t, np.eye(3)[k])[k] for k in range(3)]
    assert np.allclose(diagonal, unit, rtol=1e-14, atol=0)
    assert np.all(diagonal > 0)


def test_no_labels_no_loss(arrays: Arrays) -> None:
    empty = arrays(np.zeros((3, 0), np.float32))
    for loss in (nc.binary_cross_entropy, nc.zlpr, nc.soft_zlpr, nc.unified):
        value, gradient = loss.value_and_grad(empty, empty)
        assert np.array_equal(to_numpy(value), np.zeros(3))
        assert tuple(gradient.shape) == (3, 0)
        assert tuple(loss.hvp(empty, empty, empty).shape) == (3, 0)
        assert tuple(loss.hessian(empty, empty).shape) == (3, 0, 0)


@ALL
def test_no_rows(arrays: Arrays, loss: Any, kind: str) -> None:
    empty = arrays(np.zeros((0, 4), np.float32))
    value, gradient = loss.value_and_grad(empty, empty)
    assert tuple(value.shape) == (0,) and tuple(gradient.shape) == (0, 4)
    assert tuple(loss.hessian(empty, empty).shape) == (0, 4, 4)


def test_one_label(arrays: Arrays) -> None:
    s, one, zero = (arrays([x], np.float32) for x in (0.5, 1, 0))
    assert float(nc.softmax_cross_entropy(s, one)) == 0.0
    assert float(nc.unified(s, one)) == float(nc.unified(s, zero)) == 0.0
    expected = math.log1p(math.exp(-0.5))
    for loss in (nc.zlpr, nc.soft_zlpr, nc.binary_cross_entropy):
        assert math.isclose(float(loss(s, one)), expected, rel_tol=2e-7)


def test_unified_without_pairs_is_zero(arrays: Arrays) -> None:
    s = arrays([[3.0, 200.0, -1.0], [-500.0, 0.0, 1.0]], np.float32)
    for t in (arrays(np.zeros((2, 3), np.float32)), arrays(np.ones((2, 3), np.float32))):
        value, gradient = nc.unified.value_and_grad(s, t)
        assert not np.any(to_numpy(value)) and not np.any(to_numpy(gradient))
        assert not np.any(to_numpy(nc.unified.hvp(s, t, s)))
        assert not np.any(to_numpy(nc.unified.hessian(s, t)))


def test_ties_at_the_maximum(arrays: Arrays) -> None:
    s = arrays(np.full((1, 4), 7.5, np.float32))
    t = arrays(np.eye(4, dtype=np.float32)[:1])
    value, gradient = nc.softmax_cross_entropy.value_and_grad(s, t)
    assert math.isclose(float(value[0]), math.log(4), rel_tol=1e-7)
    assert np.array_equal(to_numpy(gradient)[0], [-0.75, 0.25, 0.25, 0.25])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 5.0, 80.0, 1e3])
def test_soft_zlpr_at_hard_labels_is_zlpr(arrays: Arrays, dtype: Any, size: float) -> None:
    if dtype not in arrays.dtypes:
        pytest.skip("JAX without x64 has no float64")
    rng = np.random.default_rng(3)
    s = (rng.normal(size=COMMON_SHAPE) * size).astype(dtype)
    t = (rng.random(COMMON_SHAPE) < 0.4).astype(dtype)
    a, b, v = arrays(s), arrays(t), arrays(rng.normal(size=COMMON_SHAPE).astype(dtype))
    pairs = [*zip(nc.zlpr.value_and_grad(a, b), nc.soft_zlpr.value_and_grad(a, b), strict=True)]
    pairs.append((nc.zlpr.hvp(a, b, v), nc.soft_zlpr.hvp(a, b, v)))
    pairs.append((nc.zlpr.hessian(a, b), nc.soft_zlpr.hessian(a, b)))
    for hard, soft in pairs:
        assert np.array_equal(to_numpy(hard), to_numpy(soft))


def test_threshold_is_a_shift_of_the_scores(arrays: Arrays) -> None:
    s, t = np.array([1.0, -2.0, 0.5], np.float32), np.array([1, 0, 0], np.float32)
    shifted = nc.zlpr(arrays(s - np.float32(0.25)), arrays(t))
    assert float(nc.ZLPR(threshold=0.25)(arrays(s), arrays(t))) == float(shifted)


def test_class_index_is_one_hot(arrays: Arrays) -> None:
    s = arrays(np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32))
    index = np.array([[0, 1, 2], [3, 3, 0]])
    by_index = nc.softmax_cross_entropy.value_and_grad(s, arrays(index))
    one_hot = nc.softmax_cross_entropy.value_and_grad(s, arrays(np.eye(4)[index].astype(np.int64)))
    for a, b in zip(by_index, one_hot, strict=True):
        assert np.array_equal(to_numpy(a), to_numpy(b))


def test_one_class_against_the_rest_is_unified_with_one_positive(arrays: Arrays) -> None:
    s = arrays([[0.3, -1.0, 2.0]], np.float32)
    t = arrays([[0, 1, 0]], np.float32)
    a, b = nc.softmax_cross_entropy(s, t), nc.unified(s, t)
    assert math.isclose(float(a[0]), float(b[0]), rel_tol=3e-7)


def test_bool_and_integer_labels(arrays: Arrays) -> None:
    s = arrays([[0.3, -1.0, 2.0]], np.float32)
    t = np.array([[1, 0, 1]])
    for loss in (nc.zlpr, nc.soft_zlpr, nc.binary_cross_entropy, nc.unified):
        expected = to_numpy(loss(s, arrays(t, np.float32)))
        assert np.array_equal(to_numpy(loss(s, arrays(t, np.int32))), expected)
        assert np.array_equal(to_numpy(loss(s, arrays(t, bool))), expected)


def test_soft_zlpr_is_stationary_at_its_probabilities(arrays: Arrays) -> None:
    s = arrays(np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32))
    gradient = nc.soft_zlpr.value_and_grad(s, nc.soft_zlpr.probabilities(s))[1]
    assert float(np.max(np.abs(to_numpy(gradient)))) < 5e-7


def test_probabilities(arrays: Arrays) -> None:
    s = arrays([[-100.0, 0.5, 30.0, -math.inf, -3e38]], np.float32)
    x = np.array([-100.0, 0.5, 30.0])
    cases = (
        (nc.binary_cross_entropy.probabilities(s), x),
        (nc.zlpr.probabilities(s), 2 * x),
        (nc.ZLPR(threshold=0.1).probabilities(s), 2 * (x - 0.1)),
        (nc.Unified(scale=1.3).probabilities(s, threshold=0.1), 2.6 * (x - 0.1)),
        (nc.unified.probabilities(s, threshold=0.0), 2 * x),
    )
    for got, exponent in cases:
        expected = 1 / (1 + np.exp(-exponent))
        assert np.allclose(to_numpy(got)[0, :3], expected, rtol=4e-7, atol=1e-37)
        assert np.array_equal(to_numpy(got)[0, 3:], [0, 0])
    p = to_numpy(nc.softmax_cross_entropy.probabilities(s))
    assert np.allclose(p, [[0, np.exp(-29.5), 1, 0, 0]], rtol=4e-7, atol=1e-37)


def test_predict(arrays: Arrays) -> None:
    s = arrays([[1.0, 3.0, -2.0, 3.0]], np.float32)
    assert to_numpy(nc.softmax_cross_entropy.predict(s)).tolist() == [1]
    above = [[True, True, False, True]]
    for loss in (nc.zlpr, nc.soft_zlpr, nc.binary_cross_entropy):
        assert to_numpy(loss.predict(s)).tolist() == above
    assert to_numpy(nc.ZLPR(threshold=2.0).predict(s)).tolist() == [[False, True, False, True]]
    assert to_numpy(nc.unified.predict(s, threshold=0.0)).tolist() == above
    assert to_numpy(nc.unified.predict(s, k=1)).tolist() == [[False, True, False, False]]
    assert to_numpy(nc.unified.predict(s, k=3)).tolist() == above
    column = nc.unified.predict(arrays(np.array([[1.0], [3.0]], np.float32)), k=1, axis=0)
    assert to_numpy(column).tolist() == [[False], [True]]


def test_huge_finite_scores_give_finite_results(arrays: Arrays) -> None:
    big = 3.4e38
    s = arrays([[big, -big, 1.0], [1.0, big, -big]], np.float32)
    t = arrays([[1, 0, 0], [1, 0, 0]], np.float32)
    for loss in (
        nc.softmax_cross_entropy,
        nc.zlpr,
        nc.soft_zlpr,
        nc.unified,
        nc.binary_cross_entropy,
        nc.ZLPR(threshold=0.3),
    ):
        value, gradient = loss.value_and_grad(s, t)
        assert np.all(np.isfinite(to_numpy(value)))
        assert np.all(np.isfinite(to_numpy(gradient)))
        assert np.all(np.isfinite(to_numpy(loss.hvp(s, t, arrays(np.ones((2, 3), np.float32))))))
        assert math.isclose(float(value[1]), big, rel_tol=1e-6)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-300, 300), st.floats(0, 1)), min_size=2, max_size=6))
def test_laws_of_the_losses(pairs: list[tuple[float, float]]) -> None:
    s, t = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    order = np.argsort(np.sin(np.arange(len(s)) + 1.0))
    for loss in (nc.soft_zlpr, nc.unified, nc.binary_cross_entropy):
        value, gradient = loss.value_and_grad(s, t)
        assert value >= 0
        permuted, permuted_gradient = loss.value_and_grad(s[order], t[order])
        assert np.isclose(permuted, value, rtol=1e-14, atol=0)
        assert np.allclose(permuted_gradient, gradient[order], rtol=1e-13, atol=1e-15)
        assert np.all(np.isfinite(gradient)) and np.all(np.abs(gradient) <= 1 + 1e-15)
    # the unified loss sees differences of scores only
    assert abs(np.sum(nc.unified.value_and_grad(s, t)[1])) < 1e-14


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.integers(-200, 200), min_size=1, max_size=6), st.integers(-50, 50))
def test_laws_of_softmax(scores: list[int], shift: int) -> None:
    s = np.array(scores, dtype=float)
    t = np.eye(len(s))[0]
    value, gradient = nc.softmax_cross_entropy.value_and_grad(s, t)
    shifted, shifted_gradient = nc.softmax_cross_entropy.value_and_grad(s + shift, t)
    # no maximum is subtracted from NumPy rows: two results, each within 4 ulp of the truth
    assert abs(shifted - value) <= 8 * np.spacing(value)
    assert np.all(abs(shifted_gradient - gradient) <= 8 * np.spacing(abs(gradient)))
    assert abs(np.sum(gradient)) < 1e-15
    constant = nc.softmax_cross_entropy.hvp(s, t, np.full(len(s), 3.7))
    assert not np.any(constant)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.integers(-200, 200), min_size=1, max_size=6), st.integers(-50, 50))
def test_a_shift_of_integers_changes_no_bit(scores: list[int], shift: int) -> None:
    """Of the version of all array libraries, which sees s - max(s) only."""
    arrays = Arrays(Backend.STRICT)
    s, t = np.array(scores, dtype=float), arrays(np.eye(len(scores))[0])
    results = (nc.softmax_cross_entropy.value_and_grad(arrays(x), t) for x in (s, s + float(shift)))
    (value, gradient), (shifted, shifted_gradient) = results
    assert float(shifted) == float(value)
    assert np.array_equal(to_numpy(shifted_gradient), to_numpy(gradient))
    assert abs(np.sum(to_numpy(gradient))) < 1e-15


def test_backends_agree_with_numpy(arrays: Arrays) -> None:
    if arrays.backend is Backend.NUMPY:
        pytest.skip("NumPy is what the others are compared with")
    if arrays.backend is Backend.JAX:
        pytest.skip("long rows in JAX, which take long to compile, are in test_accuracy")
    for _, loss, kind in LOSSES:
        s, t, v = rows(kind, (4, 300), np.float32, seed=4)
        got = (*loss.value_and_grad(arrays(s), arrays(t)), loss.hvp(*map(arrays, (s, t, v))))
        expected = (*loss.value_and_grad(s, t), loss.hvp(s, t, v))
        for a, b in zip(got, expected, strict=True):
            assert np.allclose(to_numpy(a), b, rtol=2e-6, atol=1e-7)
