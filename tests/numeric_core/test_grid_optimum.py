"""SciPy's optimisers, which know nothing of the results, end where the results say.

    truncated   scores of grid.solve, log D, minimum -2 sum_j log y_j
    pairwise    t = softmax(2 s), minimum 2 sum_{j<k} log(1 + G_jk)
    mirrored    t = softmax(2 s), minimum sum_j log(1 + sum_{k != j} G_jk)
    centered    t = softmax(s),   minimum m log(1 + sum_i prod_j t_ij^{1/m})

with G_jk = sum_i sqrt(t_ij t_ik).  The losses are written down in `plain_grid`, and the public ones
are minimised beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from plain_grid import PlainGrid

import numeric_core as nc
from numeric_core import grid

optimize = pytest.importorskip("scipy.optimize")
linear = pytest.importorskip("scipy.sparse.linalg")

NEAR = 1e-9
"""How near the minimum must be, in scores and relative in the loss (1e-14 is what comes out)."""

LOSSES = ("truncated", "pairwise", "mirrored", "centered")
SIZES = ((1, 3), (2, 2), (6, 3), (40, 8))


@dataclass
class Found:
    """A minimum: scores with row mean 0, and the loss there."""

    scores: Any
    value: float
    gradient: float


def minimised(
    shape: tuple[int, int],
    value: Callable[[Any], float],
    gradient: Callable[[Any], Any],
    product: Callable[[Any, Any], Any],
) -> Found:
    """SciPy's trust-region Newton method from s = 0, then Newton steps by its conjugate gradients.

    The first one stops where the value cannot tell two points apart, some 1e-8 from the minimum.
    The last score of a row stays 0: the losses do not see a shift of a row.
    """
    n, m = shape

    def full(x: Any) -> Any:
        return np.pad(np.reshape(np.asarray(x, float), (n, m - 1)), ((0, 0), (0, 1)))

    def slope(x: Any) -> Any:
        return np.asarray(gradient(full(x)))[:, :-1].ravel()

    def along(x: Any, v: Any) -> Any:
        return np.asarray(product(full(x), full(v)))[:, :-1].ravel()

    rough = optimize.minimize(
        lambda x: float(value(full(x))),
        np.zeros(n * (m - 1)),
        jac=slope,
        hessp=along,
        method="trust-ncg",
        options={"gtol": 1e-7},
    )
    x = polished(slope, along, rough.x)
    scores = full(x)
    centred = scores - scores.mean(axis=1, keepdims=True)
    return Found(centred, float(value(scores)), float(np.abs(slope(x)).max()))


def polished(slope: Callable[[Any], Any], along: Callable[[Any, Any], Any], x: Any) -> Any:
    """Newton steps by SciPy's conjugate gradients."""
    for _ in range(3):
        operator = linear.LinearOperator((x.size, x.size), matvec=lambda v, at=x: along(at, v))
        step, _ = linear.cg(operator, -slope(x), rtol=1e-8, atol=0.0, maxiter=20 * x.size)
        x = x + step
    return x


def soft_rows(n: int, m: int) -> Any:
    return np.random.default_rng([12, n, m]).dirichlet(np.ones(m), n)


def predicted(loss: str, labels: Any) -> tuple[Any, float]:
    """Scores with row mean 0, and the minimum."""
    if loss == "truncated":
        found = grid.solve(labels)
        return found.scores, float(found.minimum)
    logs, roots = np.log(labels), np.sqrt(labels)
    scores = logs if loss == "centered" else 0.5 * logs
    off = (roots.T @ roots) * (1 - np.eye(labels.shape[1]))
    minimum = {
        "pairwise": np.log1p(off).sum(),
        "mirrored": np.log1p(off.sum(axis=1)).sum(),
        "centered": labels.shape[1] * np.log1p(np.exp(logs.mean(axis=1)).sum()),
    }[loss]
    return scores - scores.mean(axis=1, keepdims=True), float(minimum)


def meets(found: Found, loss: str, labels: Any) -> None:
    scores, minimum = predicted(loss, labels)
    np.testing.assert_allclose(found.scores, scores, rtol=0, atol=NEAR)
    assert found.value == pytest.approx(minimum, rel=NEAR)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "m"), [*SIZES, (200, 20)])
def test_the_plain_loss_is_least_where_predicted(loss: str, n: int, m: int) -> None:
    labels = soft_rows(n, m)
    plain = PlainGrid(loss, labels)
    found = minimised((n, m), plain.value, plain.gradient, plain.product)
    meets(found, loss, labels)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_the_public_loss_is_least_where_predicted(loss: str, n: int, m: int) -> None:
    labels = soft_rows(n, m)
    public = getattr(nc, f"grid_{loss}")
    found = minimised(
        (n, m),
        lambda s: public(s, labels),
        lambda s: public.value_and_grad(s, labels)[1],
        lambda s, v: public.hvp(s, labels, v),
    )
    meets(found, loss, labels)


@pytest.mark.parametrize("loss", LOSSES)
def test_lbfgs_from_far_away(loss: str) -> None:
    """A first-order method, from a random start: as near as the value can tell, 1e-8 squared."""
    labels = soft_rows(15, 5)
    plain = PlainGrid(loss, labels)
    start = np.random.default_rng(13).normal(0, 2, labels.shape)
    found = optimize.minimize(
        lambda x: plain.value(x.reshape(labels.shape)),
        start.ravel(),
        jac=lambda x: plain.gradient(x.reshape(labels.shape)).ravel(),
        method="L-BFGS-B",
        options={"ftol": 0.0, "gtol": 1e-10, "maxiter": 20_000},
    )
    scores, minimum = predicted(loss, labels)
    assert found.fun == pytest.approx(minimum, rel=1e-12)
    rows = found.x.reshape(labels.shape)
    np.testing.assert_allclose(rows - rows.mean(axis=1, keepdims=True), scores, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_plain_derivatives_are_those_of_the_value(loss: str) -> None:
    rng = np.random.default_rng(14)
    labels, scores, v = soft_rows(5, 4), rng.normal(0, 1, (5, 4)), rng.normal(0, 1, (5, 4))
    plain, step = PlainGrid(loss, labels), 1e-5

    def slope(function: Callable[[Any], Any]) -> Any:
        return (function(scores + step * v) - function(scores - step * v)) / (2 * step)

    assert slope(plain.value) == pytest.approx((plain.gradient(scores) * v).sum(), rel=1e-8)
    np.testing.assert_allclose(slope(plain.gradient), plain.product(scores, v), atol=1e-8)


def test_softmax_of_twice_the_scores_is_not_the_minimum_of_loss_1() -> None:
    """m >= 3: where t = softmax(2 s), the gradient of the truncated loss is not 0."""
    labels = soft_rows(6, 3)
    assert np.abs(PlainGrid("truncated", labels).gradient(0.5 * np.log(labels))).max() > 1e-2
    assert np.abs(PlainGrid("pairwise", labels).gradient(0.5 * np.log(labels))).max() < 1e-15
