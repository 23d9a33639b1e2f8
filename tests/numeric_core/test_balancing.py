"""y_j (K y)_j = 1: found from everywhere, to the last digits, and refused where it is not found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numeric_core import balancing
from numeric_core.balancing import balance, excess, residual


def chain(size: int, coupling: float) -> Any:
    """Neighbours coupled strongly: H is nearly singular in the direction (1, -1, 1, ...)."""
    k = np.eye(size)
    for step in (-1, 1):
        k += coupling * np.eye(size, k=step)
    return k


def scattered(seed: int, size: int, spread: float) -> Any:
    """Couplings over many orders of magnitude, at most 1e12."""
    rng = np.random.default_rng(seed)
    k = np.minimum(np.exp(rng.normal(0, spread, (size, size))), 1e12)
    k = np.sqrt(k) * np.sqrt(k.T)
    np.fill_diagonal(k, 1.0)
    return k


MATRICES = {
    "one": np.eye(1),
    "identity": np.eye(5),
    "equal": np.ones((6, 6)),
    "two": np.array([[1.0, 7.0], [7.0, 1.0]]),
    "chain 1e2": chain(20, 1e2),
    "chain 1e6": chain(21, 1e6),
    "chain 1e12": chain(20, 1e12),
    "lopsided": np.array([[1.0, 1e12, 0.0], [1e12, 1.0, 1e-3], [0.0, 1e-3, 1.0]]),
    "scattered": scattered(1, 30, 20.0),
    "far scattered": scattered(2, 30, 100.0),
}


@pytest.mark.parametrize("name", MATRICES)
def test_the_equations_hold_to_the_last_digits(name: str) -> None:
    k = MATRICES[name][None]
    # y_j rounds to 2^-53 of itself: y_j (K y)_j is then off by up to 2 ulp of 1.
    y, left = balance(k)
    np.testing.assert_array_equal(left, residual(k, y))
    assert np.max(np.abs(left)) <= 2.0**-51


@pytest.mark.parametrize("name", MATRICES)
def test_the_excess_is_that_of_the_inverse_square(name: str) -> None:
    k = MATRICES[name][None]
    y, _ = balance(k)
    np.testing.assert_allclose(1 + excess(k, y), 1 / y**2, rtol=1e-12)


def test_two_classes_have_a_closed_form() -> None:
    g = np.array([0.0, 1e-300, 1e-9, 0.3, 5.0, 1e8])
    k = np.ones((len(g), 2, 2))
    k[:, 0, 1] = k[:, 1, 0] = g
    y, _ = balance(k)
    np.testing.assert_allclose(y, np.repeat(1 / np.sqrt(1 + g)[:, None], 2, axis=1), rtol=1e-15)
    np.testing.assert_allclose(excess(k, y), np.repeat(g[:, None], 2, axis=1), rtol=1e-15)


def test_every_step_lowers_the_function_as_much_as_promised() -> None:
    k = scattered(3, 12, 30.0)
    z = np.random.default_rng(3).normal(0, 5, 12)

    def function(z: Any) -> float:
        y = np.exp(z)
        return float(0.5 * y @ k @ y - z.sum())

    for _ in range(12):
        y = np.exp(z)
        weights = k * y[:, None] * y[None, :]
        hessian = weights + np.diag(weights.sum(axis=1))
        v = -np.linalg.solve(hessian, y * (k @ y) - 1)
        q, reach = v @ hessian @ v, 2 * np.max(np.abs(v))
        step = balancing._newton_step(k[None], y[None], (y * (k @ y) - 1)[None])[0]
        promised = q * ((1 + reach) * np.log1p(reach) - reach) / reach**2
        rounding = 1e-12 * abs(function(z))
        assert function(z + step) <= function(z) - promised + rounding
        z = z + step


def test_a_batch_is_solved_as_each_alone() -> None:
    k = np.stack([chain(6, 1e6), np.eye(6), scattered(4, 6, 20.0)])
    alone = [balance(one[None])[0][0] for one in k]
    np.testing.assert_allclose(balance(k)[0], alone, rtol=4e-16)


def test_too_few_steps_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancing, "STEPS", 1)
    with pytest.raises(RuntimeError, match=r"did not converge in 1 Newton steps.*expected at most"):
        balance(MATRICES["chain 1e6"][None])
