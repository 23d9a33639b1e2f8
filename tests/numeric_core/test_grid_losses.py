"""The losses of n samples x m classes: accuracy, masks, special sizes, and their several routes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_reference import Arrays, Backend, to_numpy
from grid_reference import LOSSES, draw_grid, worst_ulps

import numeric_core as nc
from numeric_core import grid_sums, grids, pairwise

LIMIT = 4.0
KINDS = pytest.mark.parametrize("kind", LOSSES)


def soft_grid(seed: int, n: int, m: int, size: float = 2.0) -> tuple[Any, Any, Any]:
    """Scores, positive labels and a vector."""
    rng = np.random.default_rng(seed)
    s, v = rng.normal(size=(2, n, m)) * [[[size]], [[1.0]]]
    t = np.exp(rng.normal(size=(n, m)))
    return s, t / t.sum(axis=1, keepdims=True), v


def no_jax(arrays: Arrays) -> None:
    """Skips JAX, which compiles each operation for each shape; test_under_jit is JAX's own."""
    if arrays.backend is Backend.JAX:
        pytest.skip("JAX compiles every shape")


@KINDS
def test_within_four_ulp(arrays: Arrays, kind: str) -> None:
    rng = np.random.default_rng(6)
    for dtype in arrays.dtypes:
        for _ in range(12):
            grid = draw_grid(rng, dtype, 3, 4)
            worst = worst_ulps(kind, grid, arrays)
            assert max(worst) <= LIMIT, (worst, [x.tolist() for x in grid])


@KINDS
@pytest.mark.parametrize(("n", "m"), [(1, 2), (1, 5), (6, 2), (2, 3), (4, 1)])
def test_sizes(kind: str, n: int, m: int) -> None:
    rng, numpy = np.random.default_rng(n + 10 * m), Arrays(Backend.NUMPY)
    for dtype in numpy.dtypes:
        for _ in range(8):
            grid = draw_grid(rng, dtype, n, m)
            worst = worst_ulps(kind, grid, numpy)
            assert max(worst) <= LIMIT, (worst, [x.tolist() for x in grid])


EXTREMES = {
    "ten thousand apart": ([[0.0, 1e4, -3e3], [9e3, 0.0, 8999.0]], [[1, 0, 0], [0, 0.5, 0.5]]),
    "one exponent below the least number": (
        [[962.8, 478.3, -178.1, 221.6], [-122.1, -397.9, 15.1, -155.4]],
        [[1, 0, 0, 0], [7e-120, 0, 1, 8e-149]],
    ),
    "labels as small as numbers are": ([[-147.0, -146.4, 175.0]], [[2e-280, 8e-281, 1]]),
    "subnormal": ([[0.0, -740.0, -741.0], [0.0, -744.0, -743.0]], [[1, 0, 0], [1, 0, 0]]),
    "a loss of 1e-300": ([[690.0, 0.0, -1.0]], [[1, 0, 0]]),
    "one sample hides another": ([[0.0, 800.0], [0.0, -400.0], [3.0, 1.0]], [[1, 0]] * 3),
}


@KINDS
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(kind: str, name: str) -> None:
    s, t = (np.asarray(x, np.float64) for x in EXTREMES[name])
    v = np.asarray(soft_grid(3, *s.shape)[2])
    for vector in (v, 1e6 * np.round(v) + v):
        assert max(worst_ulps(kind, (s, t, vector), Arrays(Backend.NUMPY))) <= LIMIT


@KINDS
def test_scores_as_large_as_numbers_are(arrays: Arrays, kind: str) -> None:
    for dtype in arrays.dtypes:
        top = float(np.finfo(dtype).max)
        s = arrays([[top, 0.0, 1.0, 2.0], [0.5 * top, top, -9e6, 0.0], [0.0, 1.0, 1e6, 0.0]], dtype)
        t = arrays([[1, 0, 0, 0], [0.5, 0.25, 0.25, 0], [0.5, 0.5, 0, 0]], dtype)
        value, gradient = LOSSES[kind].value_and_grad(s, t)
        hvp = LOSSES[kind].hvp(s, t, arrays(np.ones((3, 4)), dtype))
        assert not np.isnan(to_numpy(value))
        assert np.all(np.isfinite(to_numpy(gradient))) and np.all(np.isfinite(to_numpy(hvp)))


@KINDS
def test_half_precision_is_rounded_once(kind: str) -> None:
    s, t, _ = (x.astype(np.float16) for x in soft_grid(1, 5, 4))
    t = np.eye(4, dtype=np.float16)[[0, 1, 2, 3, 0]]
    wide = LOSSES[kind].value_and_grad(s.astype(np.float64), t.astype(np.float64))
    for got, true in zip(LOSSES[kind].value_and_grad(s, t), wide, strict=True):
        assert got.dtype == np.float16
        assert np.array_equal(got, true.astype(np.float16))


MASKS = (-1e7, -1e12, -3.4028234663852886e38, -math.inf)


def masked_grid(mask: float, dtype: Any) -> tuple[Any, Any, Any]:
    """Two masked classes, and a sample that is masked by its labels."""
    s = np.array([[3.0, mask, -1.0, 0.5], [100.0, 80.0, mask, -90.0], [1.0, 2.0, 3.0, 4.0]])
    t = np.array([[0.75, 0, 0.25, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    return s.astype(dtype), t.astype(dtype), np.arange(12.0).reshape(3, 4).astype(dtype)


@KINDS
def test_every_mask_gives_the_same_bits(arrays: Arrays, kind: str) -> None:
    loss = LOSSES[kind]
    for dtype in arrays.dtypes:
        results = []
        for mask in MASKS:
            s, t, v = (arrays(x) for x in masked_grid(mask, dtype))
            results.append([to_numpy(x) for x in (*loss.value_and_grad(s, t), loss.hvp(s, t, v))])
        for other in results[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
        for x in results[0][1:]:
            assert np.all(np.isfinite(x)) and not x[0, 1] and not x[1, 2]


@KINDS
def test_a_masked_sample_is_an_absent_sample(kind: str) -> None:
    s, t, v = masked_grid(-math.inf, np.float64)
    kept = [x[:2] for x in (s, t, v)]
    value, gradient = LOSSES[kind].value_and_grad(s, t)
    assert value == LOSSES[kind](*kept[:2])
    assert not np.any(gradient[2]) and not np.any(LOSSES[kind].hvp(s, t, v)[2])
    for nothing in (np.full((1, 4), -math.inf), np.zeros((1, 4))):
        more = np.concatenate([kept[0], nothing]), np.concatenate([kept[1], np.zeros((1, 4))])
        assert LOSSES[kind](*more) == value


@KINDS
def test_a_masked_class_is_an_absent_class(kind: str) -> None:
    s, t, v = soft_grid(4, 5, 3)
    hidden = np.insert(s, 1, -math.inf, axis=1), np.insert(t, 1, 0.0, axis=1)
    value, gradient = LOSSES[kind].value_and_grad(*hidden)
    absent, slope = LOSSES[kind].value_and_grad(s, t)
    assert np.allclose(value, absent, rtol=4e-16, atol=0)
    assert np.allclose(np.delete(gradient, 1, axis=1), slope, rtol=0, atol=1e-15)
    hvp = LOSSES[kind].hvp(*hidden, np.insert(v, 1, 7.0, axis=1))
    assert np.allclose(np.delete(hvp, 1, axis=1), LOSSES[kind].hvp(s, t, v), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", ["truncated", "mirrored", "pairwise"], ids="9158-k {}".format)
def test_two_classes_are_soft_zlpr_of_the_difference(kind: str) -> None:
    s, t, _ = soft_grid(5, 30, 2)
    value, slope = nc.soft_zlpr.value_and_grad(s[:, 0] - s[:, 1], t[:, 0])
    got, gradient = LOSSES[kind].value_and_grad(s, t)
    assert np.allclose(got, value, rtol=1e-14, atol=0)
    assert np.allclose(gradient, np.stack([slope, -slope], axis=1), rtol=0, atol=1e-14)


def test_9158_k_two_classes_centered_are_soft_zlpr_of_half_the_difference() -> None:
    s, t, _ = soft_grid(5, 30, 2)
    value, slope = nc.soft_zlpr.value_and_grad((s[:, 0] - s[:, 1]) / 2, t[:, 0])
    got, gradient = nc.grid_centered.value_and_grad(s, t)
    assert np.allclose(got, value, rtol=1e-14, atol=0)
    assert np.allclose(gradient[:, 0], slope / 2, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["mirrored", "pairwise", "centered"])
def test_probabilities_are_the_labels_of_least_loss(arrays: Arrays, kind: str) -> None:
    s = arrays(soft_grid(6, 3, 4)[0].astype(np.float32))
    t = LOSSES[kind].probabilities(s)
    assert np.allclose(to_numpy(t).sum(axis=1), 1, rtol=0, atol=1e-6)
    assert np.max(np.abs(to_numpy(LOSSES[kind].value_and_grad(s, t)[1]))) < 1e-6


def test_9158_d_truncated_is_decoded_with_its_class_constants() -> None:
    t = soft_grid(7, 20, 4)[1]
    found = nc.grid.solve(t)
    constants = nc.grid_truncated.log_constants(found.scores, t)
    assert np.allclose(constants, found.log_constants, rtol=1e-13, atol=0)
    again = nc.grid_truncated.probabilities(found.scores, log_constants=constants)
    assert np.allclose(again, t, rtol=1e-12, atol=0)
    assert np.max(np.abs(nc.grid_truncated.value_and_grad(found.scores, t)[1])) < 1e-13


def test_a_masked_class_has_no_probability() -> None:
    s = np.array([[1.0, -math.inf, 0.0], [-math.inf] * 3])
    for loss in (nc.grid_mirrored, nc.grid_centered):
        p = loss.probabilities(s)
        assert p[0, 1] == 0 and np.isclose(p[0].sum(), 1) and not np.any(p[1])
    assert nc.grid_pairwise.predict(s)[0] == 0


@KINDS
def test_hessian(arrays: Arrays, kind: str) -> None:
    no_jax(arrays)
    dtype = arrays.dtypes[-1]
    s, t, v = (x.astype(dtype) for x in soft_grid(8, 3, 3))
    hessian = to_numpy(LOSSES[kind].hessian(arrays(s), arrays(t)))
    assert np.array_equal(hessian, np.transpose(hessian, (2, 3, 0, 1)))
    product = to_numpy(LOSSES[kind].hvp(arrays(s), arrays(t), arrays(v)))
    assert np.allclose(np.tensordot(hessian, v), product, rtol=0, atol=8 * np.finfo(dtype).eps)


@KINDS
def test_a_batch_is_each_grid_alone(arrays: Arrays, kind: str) -> None:
    no_jax(arrays)
    dtype, loss = arrays.dtypes[-1], LOSSES[kind]
    grids_ = [soft_grid(seed, 4, 3, size) for seed, size in ((1, 1.0), (2, 30.0), (3, 300.0))]
    s, t, v = (arrays(np.stack(x).astype(dtype)) for x in zip(*grids_, strict=True))
    value, gradient = (to_numpy(x) for x in loss.value_and_grad(s, t))
    hvp = to_numpy(loss.hvp(s, t, v))
    for i in range(3):
        one = [x[i, ...] for x in (s, t, v)]
        alone = [to_numpy(x) for x in (*loss.value_and_grad(*one[:2]), loss.hvp(*one))]
        for got, true in zip((value[i], gradient[i], hvp[i]), alone, strict=True):
            size = np.max(np.abs(true))
            assert np.allclose(got, true, rtol=0, atol=4 * np.finfo(dtype).eps * size)


@KINDS
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 4, 3), (5, 0, 3), (0, 0)])
def test_nothing_costs_nothing(kind: str, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    value, gradient = LOSSES[kind].value_and_grad(x, x)
    assert value.shape == shape[:-2] and not np.any(value) and not np.any(LOSSES[kind](x, x))
    assert gradient.shape == LOSSES[kind].hvp(x, x, x).shape == shape
    assert LOSSES[kind].hessian(x, x).shape == (*shape, *shape[-2:])


@pytest.mark.parametrize("kind", ["truncated", "mirrored", "pairwise", "centered"])
@pytest.mark.parametrize("gap", [-600.0, -40.0, 40.0, 600.0])
def test_a_product_keeps_its_digits_where_one_term_holds_nearly_all_mass(
    kind: str, gap: float
) -> None:
    """One sample, two classes, label 0: l = log(1 + e^x), and H v = +-c^2 p (1 - p) d.

    With v = (1e3, -1e-3) and q = 1 - p = e^-|x|: p (1 - p) = q / (1 + q)^2.
    """
    s, t, v = ([[0.0, gap]], [[1.0, 0.0]], [[1e3, -1e-3]])
    share = 0.5 if kind == "centered" else 1.0
    q = math.exp(-abs(share * gap))
    size = share * share * (v[0][0] - v[0][1]) * q / (1.0 + q) ** 2
    hvp = LOSSES[kind].hvp(np.asarray(s), np.asarray(t), np.asarray(v))
    np.testing.assert_allclose(hvp, [[size, -size]], rtol=1e-15)


def test_products_of_matrices_and_single_elements_agree() -> None:
    s, t, v = soft_grid(9, 600, 30, 8.0)
    rows = grids.prepared(s, t, True)
    sums = pairwise.products(rows)
    assert sums is not None
    value, gradient = pairwise.element_gradient(rows)
    assert np.allclose(sums.value(), value, rtol=1e-15, atol=0)
    assert np.allclose(sums.gradient(), gradient, rtol=0, atol=4e-16 * np.max(np.abs(gradient)))
    true = pairwise.element_hvp(rows, v)
    rough = sums.rough_hvp(v)
    assert rough is not None
    for product in (sums.hvp(v), rough):
        assert np.allclose(product, true, rtol=0, atol=2e-15 * np.max(np.abs(true)))


def test_products_of_matrices_that_cancel_are_not_trusted() -> None:
    s = np.asarray([[1.0, 0.0, 0.0], [100.0, 0.0, 0.0]], np.float32)
    t = np.asarray([[0.0, 0.5, 0.5], [0.0, 0.5, 0.5]], np.float32)
    v = np.asarray([[0.0, 1e6, 1e6 + 1e-6], [0.0, 0.0, 0.0]])
    sums = pairwise.products(grids.prepared(s, t, True))
    assert sums is not None and sums.rough_hvp(v) is None


@pytest.mark.parametrize("kind", ["truncated", "mirrored"])
def test_blocks_of_samples_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s, t, v = soft_grid(10, 500, 4)
    loss = LOSSES[kind]
    whole = (*loss.value_and_grad(s, t), loss.hvp(s, t, v))
    monkeypatch.setattr(grid_sums, "BLOCK", 256)
    assert isinstance(grid_sums.own_class(grids.prepared(s, t, True)), grid_sums.SampleBlocks)
    blocks = (*loss.value_and_grad(s, t), loss.hvp(s, t, v))
    for a, b in zip(whole, blocks, strict=True):
        assert np.allclose(a, b, rtol=0, atol=2e-15 * np.max(np.abs(a)))


def test_blocks_that_need_a_shift_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    s, t, _ = soft_grid(11, 500, 4)
    s[:, 0], t[:] = 250.0, [1.0, 0.0, 0.0, 0.0]
    s[:, 1:] = -250.0 - np.abs(s[:, 1:])
    whole = nc.grid_truncated(s, t)
    monkeypatch.setattr(grid_sums, "BLOCK", 256)
    assert nc.grid_truncated(s, t) == whole > 0


@KINDS
def test_under_transformations(kind: str) -> None:
    torch = pytest.importorskip("torch")
    s, t, v = (torch.asarray(np.stack([x, x[::-1].copy()])) for x in soft_grid(12, 3, 4))
    loss = LOSSES[kind]
    for function, inputs in ((loss, (s, t)), (loss.hvp, (s, t, v))):
        mapped = torch.func.vmap(function)(*inputs)
        assert torch.allclose(mapped, function(*inputs), rtol=0, atol=1e-14)
    x = s.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss(x, t).sum(), x)
    assert torch.allclose(slope, loss.value_and_grad(s, t)[1], rtol=0, atol=1e-14)


@KINDS
def test_under_jit(kind: str) -> None:
    jax = pytest.importorskip("jax")
    s, t, v = (jax.numpy.asarray(x.astype(np.float32)) for x in soft_grid(13, 3, 4, 30.0))
    loss = LOSSES[kind]
    traced = jax.jit(loss.value_and_grad)(s, t)
    if kind in ("truncated", "pairwise"):  # the machinery of all four; XLA takes its time for each
        traced = (*traced, jax.jit(loss.hvp)(s, t, v))
    wide = [np.asarray(x, np.float64) for x in (s, t, v)]
    t64 = wide[1] / wide[1].sum(axis=1, keepdims=True)
    plain = (*loss.value_and_grad(wide[0], t64), loss.hvp(wide[0], t64, wide[2]))
    for got, true in zip(traced, plain, strict=False):
        assert np.allclose(got, true, rtol=0, atol=1e-6 * max(1.0, np.max(np.abs(true))))


GOOD = np.zeros((2, 3)), np.full((2, 3), 1 / 3)
BAD = {
    "one axis": (np.zeros(3), np.zeros(3), ValueError, "n samples, m classes"),
    "shapes": (GOOD[0], np.zeros((3, 3)), ValueError, r"labels must have the shape of scores"),
    "integers": (np.zeros((2, 3), int), GOOD[1], TypeError, "scores must be float16"),
    "nan": (np.full((2, 3), np.nan), GOOD[1], ValueError, "scores must not be nan"),
    "infinite": (np.full((2, 3), np.inf), GOOD[1], ValueError, "got \\+inf"),
    "labels beyond": (GOOD[0], GOOD[1] * 4, ValueError, r"labels must lie in \[0, 1\]"),
    "not a distribution": (GOOD[0], GOOD[1] * 0.9, ValueError, r"a row that sums to 0\.[89]"),
    "masked positive": (
        np.array([[-np.inf, 0.0, 0.0]] * 2),
        GOOD[1],
        ValueError,
        "2 masked labels .* marked positive",
    ),
}


@KINDS
@pytest.mark.parametrize("name", BAD)
def test_bad_input(kind: str, name: str) -> None:
    s, t, error, message = BAD[name]
    with pytest.raises(error, match=message):
        LOSSES[kind](s, t)


def test_bad_vectors_and_constants() -> None:
    with pytest.raises(ValueError, match="vector must have the shape of scores"):
        nc.grid_pairwise.hvp(*GOOD, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="vector must be finite"):
        nc.grid_pairwise.hvp(*GOOD, np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="grid_truncated needs log_constants="):
        nc.grid_truncated.probabilities(GOOD[0])
    with pytest.raises(
        ValueError, match=r"log_constants must have the shape \(\*batch, m\) = \(3,\)"
    ):
        nc.grid_truncated.probabilities(GOOD[0], log_constants=np.zeros(2))


def test_unchecked_input_is_taken_as_it_is() -> None:
    assert np.isfinite(nc.grid_pairwise(GOOD[0], GOOD[1] * 0.9, check=False))
