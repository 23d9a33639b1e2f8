"""At the tilt k labels are expected, whatever the scores are; and s_i - c keeps its digits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from numeric_core.tilt import choices, ranked, tilted

RNG = np.random.default_rng(0)
ROWS = {
    "normal": RNG.normal(size=50),
    "ties": np.full(50, 3.7),
    "spread": 300.0 * RNG.normal(size=50),
    "two levels": np.where(np.arange(50) < 10, 1e4, -1e4),
    "huge": np.where(np.arange(50) < 25, 1e300, -1e300),
    "masked": np.where(np.arange(50) < 30, RNG.normal(size=50), -np.inf),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("k", [1, 2, 10, 25, 30])
def test_k_labels_are_expected(name: str, k: int) -> None:
    stay, take = choices(np, *tilted(np, ROWS[name][None, :], k))
    assert abs(take.sum() - k) <= 0.13
    np.testing.assert_allclose(stay + take, 1.0, rtol=3e-16)


@pytest.mark.parametrize("k", [49, 50])
def test_all_or_all_but_one(k: int) -> None:
    stay, _ = choices(np, *tilted(np, ROWS["normal"][None, :], k))
    assert abs(stay.sum() - (50 - k)) <= 0.13


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e15])
def test_differences_keep_their_digits(scale: float) -> None:
    """d_i + lack_i = s_i - c for one c of the row, exactly, however large the scores are."""
    scores = scale + RNG.normal(size=20)
    d, lack = tilted(np, scores[None, :], 4)
    c = {
        Fraction(s) - Fraction(a) - Fraction(b)
        for s, a, b in zip(scores.tolist(), d[0].tolist(), lack[0].tolist(), strict=True)
    }
    assert float(max(c) - min(c)) <= 2.0**-100 * scale


def test_a_row_does_not_depend_on_its_batch() -> None:
    scores = np.stack(list(ROWS.values()))
    together = tilted(np, scores, 10)
    for i, row in enumerate(scores):
        alone = tilted(np, row[None, :], 10)
        assert all(np.all(a[i] == b[0]) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize(("k", "expected"), [(1, (5.0, 4.0)), (3, (4.0, 1.0)), (4, (1.0, 1.0))])
def test_ranked(k: int, expected: Any) -> None:
    kth, following = ranked(np, np.array([[4.0, 1.0, 5.0, 4.0]]), k)
    assert (kth.item(), following.item()) == expected
