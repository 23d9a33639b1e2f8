"""Focal, soft focal, asymmetric and Circle loss: what is special to each."""

from __future__ import annotations

import math

import numpy as np
import pytest

import numeric_core as nc
from verify.accuracy import ulp_errors
from verify.oracle import BallOracle

SEED = 9064
BY_LABEL = (nc.focal, nc.soft_focal, nc.asymmetric)


def rows(n: int = 12, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    return rng.normal(0, scale, (4, n)), (rng.random((4, n)) < 0.4).astype(float)


def test_focal_without_focusing_is_binary_cross_entropy():
    s, y = rows()
    for loss in (nc.Focal(gamma=0.0), nc.Asymmetric(0.0, 0.0, 0.0)):
        expected = nc.binary_cross_entropy.value_and_grad(s, y)
        for got, true in zip(loss.value_and_grad(s, y), expected, strict=True):
            np.testing.assert_allclose(got, true, rtol=1e-15, atol=0)


def test_soft_focal_with_hard_labels_is_focal_bit_by_bit():
    s, y = rows()
    for exponent in (2.0, 3.5):
        soft, hard = nc.SoftFocal(exponent), nc.Focal(exponent)
        for a, b in zip(soft.value_and_grad(s, y), hard.value_and_grad(s, y), strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(soft.hvp(s, y, s), hard.hvp(s, y, s))


def test_soft_focal_is_least_at_the_logit():
    t = np.array([[0.1, 0.5, 0.93]])
    value, gradient = nc.soft_focal.value_and_grad(np.log(t / (1 - t)), t)
    assert value < 1e-30 and np.abs(gradient).max() < 1e-15
    np.testing.assert_allclose(nc.soft_focal.probabilities(np.log(t / (1 - t))), t, rtol=1e-15)


def test_soft_focal_at_a_power_that_is_not_whole():
    rng = np.random.default_rng(SEED)
    s, t, v = rng.normal(0, 3, 200), rng.random(200), rng.normal(0, 1, 200)
    loss, oracle = nc.SoftFocal(2.7), BallOracle("soft_focal", beta=2.7)
    truth = oracle(s.tolist(), t.tolist(), v.tolist())
    value, gradient = loss.value_and_grad(s, t)
    assert ulp_errors([float(value)], [truth.value], [truth.value], "float64")[0] <= 4
    for got, true, scale in (
        (gradient, truth.gradient, truth.gradient_scale),
        (loss.hvp(s, t, v), truth.hvp, truth.hvp_scale),
    ):
        assert max(ulp_errors(got.tolist(), true, scale, "float64")) <= 4


@pytest.mark.parametrize("loss", [nc.focal, nc.Focal(1.3, 0.25), nc.asymmetric])
def test_the_mean_loss_of_a_label_is_stationary_at_its_probability(loss):
    s = np.array([[-2.5], [-1.0], [0.0], [0.7], [3.0]])
    eta = loss.probabilities(s)
    pull = loss.value_and_grad(s, np.ones_like(s))[1]
    push = loss.value_and_grad(s, np.zeros_like(s))[1]
    # 1 - eta is 5e-4 at s = 3: that many digits it has lost
    np.testing.assert_allclose(eta * pull, -(1 - eta) * push, rtol=1e-12, atol=0)


def test_what_scores_stand_for():
    """sigma(s) = 0.9 of focal: odds 81 (9 + 2 log 10) / (1 + 18 log(10 / 9))."""
    odds = 81 * (9 + 2 * math.log(10)) / (1 + 18 * math.log(10 / 9))
    at = nc.focal.probabilities(np.array([math.log(9.0)]))
    np.testing.assert_allclose(at, odds / (1 + odds), rtol=1e-14)
    odds = 0.45**3 * (4 * math.log(20 / 11) + 9 / 11) / 2
    at = nc.asymmetric.probabilities(np.array([0.0]))
    np.testing.assert_allclose(at, odds / (1 + odds), rtol=1e-14)


def test_asymmetric_stays_below_its_largest_probability():
    """s -> inf: G' / w -> 0.95^3 (4 log 20 + 19) and -F' / q -> 1."""
    odds = 0.95**3 * (4 * math.log(20) + 19)
    at = nc.asymmetric.probabilities(np.array([40.0, 80.0, 1e6]))
    np.testing.assert_allclose(at, odds / (1 + odds), rtol=1e-14)
    assert nc.asymmetric.probabilities(np.array([-3.0, -math.inf])).tolist() == [0.0, 0.0]


def test_a_negative_of_asymmetric_costs_nothing_below_the_margin_and_little_far_above():
    s = np.array([[-2.95, 700.0]])
    value, gradient = nc.asymmetric.value_and_grad(s, np.zeros_like(s))
    np.testing.assert_allclose(value, 0.95**4 * math.log(20), rtol=1e-15)
    assert gradient[0, 0] == 0 and 0 < gradient[0, 1] < 1e-300


def test_circle_is_the_unified_loss_of_its_energies():
    s, y = rows(scale=0.4)
    u = np.where(y > 0, 1 - s, s)
    energy = 256.0 * np.maximum(u + 0.25, 0) * (u - 0.25)
    expected = nc.unified(np.where(y > 0, -energy, energy), y)
    np.testing.assert_allclose(nc.circle(s, y), expected, rtol=1e-12)


def test_circle_with_fixed_weights_is_the_field_of_the_paper():
    s, y = rows(scale=0.4)
    value, gradient = nc.circle.value_and_grad(s, y)
    detached = nc.Circle(detach_weights=True)
    same, field = detached.value_and_grad(s, y)
    assert np.array_equal(value, same)
    u = np.where(y > 0, 1 - s, s)
    inside = (u > -0.25) & (u != 0)
    ratio = (u + 0.25) / (2 * u)
    np.testing.assert_allclose(field[inside], (gradient * ratio)[inside], rtol=1e-12, atol=1e-300)
    for call in (lambda: detached.hvp(s, y, s), lambda: detached.hessian(s, y)):
        with pytest.raises(ValueError, match="gradient of no function"):
            call()


def test_the_field_of_fixed_weights_leads_up_the_loss():
    s, y = np.array([[0.5, -0.1]]), np.array([[1.0, 0.0]])
    _, field = nc.Circle(detach_weights=True).value_and_grad(s, y)
    step = np.array([[0.0, -0.05 * np.sign(field[0, 1])]])
    assert field[0, 1] > 0 and nc.circle(s + step, y) > nc.circle(s, y)


def test_a_finite_mask_is_none_to_circle():
    y = np.array([1.0, 0.0, 0.0])
    at = [float(nc.circle(np.array([0.5, 0.25, m]), y)) for m in (-math.inf, -1e7, -0.25)]
    assert at[1] == at[2]
    assert math.isclose(at[1] - at[0], math.log(2), rel_tol=1e-12)


def test_circle_of_huge_scores():
    y = np.array([[1.0, 0.0, 0.0]])
    s = np.array([[0.5, 1e150, 3.0], [0.5, 1e300, 1e299], [-1e150, 2.0, 1e100]])
    y = np.repeat(y, 3, axis=0)
    value, gradient = nc.circle.value_and_grad(s, y, masked_positives="value")
    assert math.isclose(value[0], 256e300, rel_tol=1e-15) and value[1] == math.inf
    assert math.isclose(value[2], 256e300, rel_tol=1e-15)
    np.testing.assert_allclose(gradient[:, 1], [512e150, 512e300, 0], rtol=1e-14)
    product = nc.circle.hvp(s, y, np.ones_like(s), masked_positives="value")
    assert not np.isnan(product).any()


@pytest.mark.parametrize("loss", [nc.focal, nc.asymmetric, nc.circle])
def test_soft_labels_are_answered_with_the_loss_for_them(loss):
    with pytest.raises(ValueError, match=r"must be 0 or 1, got 0\.3; .* use (soft_focal|unified)"):
        loss(np.zeros(2), np.array([0.3, 0.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nc.Focal(gamma=-1.0), "gamma must be at least 0, got -1.0"),
        (lambda: nc.Focal(alpha=1.0), r"alpha must lie in \(0, 1\), got 1.0"),
        (lambda: nc.SoftFocal(beta=1.5), "beta must be at least 2, got 1.5"),
        (lambda: nc.Asymmetric(margin=1.0), r"margin must lie in \[0, 1\), got 1.0"),
        (lambda: nc.Asymmetric(gamma_negative=0.5), "gamma_negative must be at least 1"),
        (lambda: nc.Circle(scale=0.0), "scale must be positive"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("loss", [*BY_LABEL, nc.circle])
def test_masks_and_empty_rows(loss):
    y = np.array([1.0, 0.0, 0.0])
    masked = loss.value_and_grad(np.array([0.5, -math.inf, 0.2]), y)
    plain = loss.value_and_grad(np.array([0.5, 0.2]), y[:2])
    assert masked[0] == plain[0] and masked[1].tolist() == [plain[1][0], 0.0, plain[1][1]]
    assert loss(np.zeros((2, 0)), np.zeros((2, 0))).tolist() == [0.0, 0.0]
    infinite = loss(np.array([-math.inf, 0.2]), y[:2], masked_positives="value")
    assert infinite == math.inf
