"""`numeric_core.lattice` for index sets of every shape, against the two products in Arb balls."""

from __future__ import annotations

import numpy as np
import pytest

import numeric_core
from verify.accuracy import SUBSET_BOUNDS, ulp_error, ulp_errors
from verify.oracle import LatticeOracle

SEED = 20200425
# Symmetric and not, with holes, bands, a half plane, finite lists, without a set on the diagonal.
INDEX_SETS = {
    "diagonal": lambda a, b: a == b,
    "square": lambda a, b: a <= 2 and b <= 2,
    "half-plane": lambda a, b: a - b <= 1,
    "triangle": lambda a, b: a + b <= 3,
    "band": lambda a, b: abs(a - b) <= 1,
    "even": lambda a, b: (a + b) % 2 == 0,
    "row": lambda a, b: b == 0,
    "all": lambda a, b: True,
    "pairs": frozenset({(0, 0), (1, 1), (2, 1), (3, 0)}),
}


def _member(index_set):
    return index_set if callable(index_set) else lambda a, b: (a, b) in index_set


def _rows(spread):
    rng = np.random.default_rng([SEED, int(spread * 10)])
    for n in (1, 2, 6, 15):
        scores = rng.normal(0, spread, n)
        vector = rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-3, 3, n)
        yield scores, (rng.random(n) < 0.4).astype(float), vector
        yield scores, rng.choice([0.0, 1e-9, 0.5, 1 - 2**-53, 1.0], n), vector
        yield scores, rng.random(n), vector


def _bound(scores):
    """1e-14; beyond plain sums e_a is known by its logarithm, and as well as that: 2 ulp of it."""
    return max(SUBSET_BOUNDS["float64"], 2 * (1 + float(np.abs(scores).sum())))


@pytest.mark.parametrize("name", list(INDEX_SETS))
@pytest.mark.parametrize("spread", [0.5, 10.0, 100.0])
def test_every_index_set_is_within_the_contract(name, spread):
    index_set = INDEX_SETS[name]
    loss, oracle = numeric_core.lattice(index_set), LatticeOracle(_member(index_set))
    for scores, labels, vector in _rows(spread):
        row = (scores.tolist(), labels.tolist(), vector.tolist())
        bound = _bound(scores)
        truth = oracle(*row)
        value, gradient = loss.value_and_grad(scores, labels)
        assert ulp_error(float(value), truth.value, abs(truth.value), "float64") <= bound, row
        assert float(loss(scores, labels)) == pytest.approx(float(value), rel=1e-14)
        slope = ulp_errors(gradient.tolist(), truth.gradient, truth.gradient_scale, "float64")
        assert max(slope) <= bound, row
        curve = loss.hvp(scores, labels, vector).tolist()
        assert max(ulp_errors(curve, truth.hvp, truth.hvp_scale, "float64")) <= bound, row


def test_a_set_without_the_origin_is_accurate_at_the_size_of_the_scores():
    loss, oracle = numeric_core.lattice({(1, 0), (0, 1)}), LatticeOracle(lambda a, b: a + b == 1)
    for scores, labels, _ in _rows(10.0):
        truth = oracle(scores.tolist(), labels.tolist())
        size = max(float(np.abs(scores).max()), 1.0)
        error = abs(float(loss(scores, labels)) - float(truth.value))
        assert error <= 1e-14 * size
