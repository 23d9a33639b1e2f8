"""Emitted code of the losses of n samples and m classes: in range, in O(n m), and right."""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

from derive.emit import compile_formula, emit
from derive.formulas import formula_of

SEED = 4
LOSSES = ("truncated", "mirrored", "pairwise", "centered")
QUANTITIES = ("value", "gradient", "hvp")
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_quantity = pytest.mark.parametrize("quantity", QUANTITIES)

Grid = dict[str, np.ndarray]


@cache
def compiled(loss: str, quantity: str, target: str = "numpy") -> Any:
    return compile_formula(formula_of(f"grid_{loss}", quantity), target)


def grids(dtype: Any) -> list[Grid]:
    """Scores that overflow, underflow or tie, shifted rows, masked classes and samples."""
    rng = np.random.default_rng(SEED)
    n, m = 3, 3
    hard = np.eye(m)[[2, 0, 2]]
    soft = rng.dirichlet(np.ones(m), n)
    masked = np.where(np.arange(m) == 2, -1e7, rng.normal(0, 3, (n, m)))
    masked_labels = rng.dirichlet(np.ones(2), n) @ np.eye(2, m)
    pairs = [
        (np.zeros((n, m)), soft),
        (40.0 * hard, hard),
        (-300 * hard, hard),
        (1e4 * np.array([[1, 0, -1]]), soft[:1]),
        (900 * rng.integers(-1, 2, (n, m)), soft),
        (rng.normal(0, 1, (n, m)) + np.array([[900], [-900], [0]]), hard),
        (rng.normal(0, 3, (n, m)), hard * np.array([[1], [0], [1]])),
        (masked, masked_labels),
        (rng.normal(0, 3, (1, 1)), np.ones((1, 1))),
        (rng.normal(0, 3, (5, 2)), rng.dirichlet(np.ones(2), 5)),
    ]
    return [
        {"s": s.astype(dtype), "t": t.astype(dtype), "v": rng.normal(0, 1, s.shape).astype(dtype)}
        for s, t in pairs
    ]


def chosen(grid: Grid, quantity: str) -> Grid:
    return grid if quantity == "hvp" else {"s": grid["s"], "t": grid["t"]}


def truth(loss: str, quantity: str, grid: Grid) -> np.ndarray:
    """The plain formula, at so many digits that nothing in it cancels or is lost."""
    finite = np.abs(grid["s"])[np.abs(grid["s"]) < 1e6]
    with mpmath.workdps(60 + int(finite.max(initial=0.0))):  # e^(2s), 2 log10(e) digits
        lists = {
            name: [[mpmath.mpf(float(x)) for x in row] for row in array]
            for name, array in chosen(grid, quantity).items()
        }
        return np.array(compiled(loss, quantity, "mpmath")(**lists), dtype=float)


@each_loss
@each_quantity
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_grids_without_a_warning(loss: str, quantity: str, dtype: Any) -> None:
    for grid in grids(dtype):
        scores, eps = grid["s"].astype(float), float(np.finfo(dtype).eps)
        if loss == "centered" and scores.min() < -1e6:
            continue  # the mean is over all classes: there is no mask
        result = compiled(loss, quantity)(**chosen(grid, quantity))
        expected = truth(loss, quantity, grid)
        assert result.dtype == dtype
        size = np.abs(grid["v"]).max() if quantity == "hvp" else 1.0
        # The mean of a row of scores is off by ulps of the largest one.
        drift = np.abs(scores).max() if loss == "centered" else 0.0
        atol = 8 * eps * (size + drift) if quantity != "value" else 2 * np.finfo(dtype).tiny
        np.testing.assert_allclose(result, expected, rtol=8 * eps * (1 + drift), atol=atol)


@pytest.mark.parametrize("loss", ["truncated", "mirrored", "pairwise"])
def test_a_tiny_loss_keeps_its_digits(loss: str) -> None:
    labels = np.eye(3)[[0, 1]]
    value = compiled(loss, "value")(40.0 * labels, labels)
    assert value == pytest.approx(4 * np.exp(-40.0), rel=1e-15)


@each_loss
@each_quantity
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_far_below_the_scores_that_they_weigh(loss: str, quantity: str, dtype: Any) -> None:
    """The largest exponent belongs to a label that leaves nothing of it, or all but nothing."""
    gap, tiny = (200.0, 1.4e-174) if dtype == np.float64 else (50.0, 1e-37)
    half = np.array([[gap / 2, -gap / 2]])
    labels = np.array([[1.0, tiny]])
    grids = [(half, labels), (4 * half, labels), (np.tile(half, (2, 1)), np.tile(labels, (2, 1)))]
    for scores, soft in grids:
        grid = {name: x.astype(dtype) for name, x in zip("stv", (scores, soft, half), strict=False)}
        grid["v"] = np.sign(grid["s"])
        size = np.finfo(dtype).eps * (1 + np.ptp(scores))
        result = compiled(loss, quantity)(**chosen(grid, quantity))
        expected = truth(loss, quantity, grid)
        np.testing.assert_allclose(result, expected, rtol=size, atol=size)


@each_loss
def test_hessian_times_vector(loss: str) -> None:
    rng = np.random.default_rng(SEED)
    s, v = rng.normal(0, 1, (2, 2, 3, 4))
    t = rng.dirichlet(np.ones(4), (2, 3))
    matrix = compile_formula(formula_of(f"grid_{loss}", "hessian"))(s, t)
    assert matrix.shape == (2, 3, 4, 3, 4)
    np.testing.assert_allclose(
        np.einsum("...ijpk,...pk->...ij", matrix, v),
        compiled(loss, "hvp")(s, t, v),
        rtol=1e-13,
        atol=1e-15,
    )


@pytest.mark.parametrize("loss", ["truncated", "mirrored", "centered"])
@each_quantity
def test_one_log_a_class_takes_no_array_of_pairs(loss: str, quantity: str) -> None:
    """O(n m): nothing is lifted beyond one axis of samples and one of classes."""
    source = emit(formula_of(f"grid_{loss}", quantity))
    lifted = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Subscript)]
    slots = [len(n.slice.elts) for n in lifted if isinstance(n.slice, ast.Tuple)]
    assert max(slots, default=1) <= 3  # the batch, a sample, a class


def test_truncated_gradient_reads_as_written_by_hand() -> None:
    """The sums over the other classes of e^s and of the shares, one log argument a class."""
    source = emit(formula_of("grid_truncated", "gradient"))
    body = source[source.index("def grid_truncated_gradient") :]
    assert body.count("sum_of_others(") == 2
    assert body.count("np.max(") == 2
    assert body.count("np.sum(") == 1
    # Rows by their maximum, terms of each log twice (with and without the sum inside), its 1.
    assert body.count("np.exp(") == 4


def test_pairwise_is_one_array_and_its_transpose() -> None:
    source = emit(formula_of("grid_pairwise", "gradient"))
    # The terms of all logs, and the 1 of each.
    assert source.count("np.exp(") == 2
    assert source.count("np.max(") == 1


@pytest.mark.parametrize("m", [1, 2, 3, 7, 64, 1000])
def test_sum_of_others_is_a_sum(m: int) -> None:
    """No difference: each result has the digits of its own terms, also beside 1e30."""
    namespace: dict[str, Any] = {}
    exec(emit(formula_of("grid_truncated", "value")), namespace)
    x = np.random.default_rng(SEED).uniform(0, 1, (2, m))
    x[:, 0] = 1e30
    expected = [[np.delete(row, j).sum() for j in range(m)] for row in x]
    np.testing.assert_allclose(namespace["sum_of_others"](x), expected, rtol=1e-15 * 4)
