"""Draws of k-subsets follow P(S) = e^{sum_S s} / Z_k, and draws by sequential softmax do not.

A statistic f(S) with values in R^m has a mean and a covariance under P, by enumeration.  For N
draws the Wald statistic N (mean f - E f)^T Cov(f)^+ (mean f - E f) is chi-square with rank(Cov)
degrees of freedom in the limit; f are the indicators of labels, of pairs, or of all subsets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from core_reference import Arrays, to_numpy

from numeric_core import subset

scipy_stats = pytest.importorskip("scipy.stats")

DRAWS = 40_000
LIKELY = 1e-3
"""Seeds are fixed: a p-value below this was one of a thousand, or the sampler is wrong."""

IMPOSSIBLE = 1e-12

ROWS = {
    "normal": (np.array([0.3, -1.1, 2.0, 0.8, -0.4, 1.5, 0.1, -2.2]), 3),
    "ties": (np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), 3),
    "half": (np.array([0.5, -0.5, 1.0, -1.0, 0.2, -0.2, 2.0, 0.0]), 4),
    "spread 40": (np.array([40.0, 39.0, 0.5, 0.0, -0.3, 41.0, -40.0, 1.0]), 4),
    "all but one": (np.array([1.0, -2.0, 0.0, 3.0, -1.0]), 4),
    "one": (np.array([1.0, -2.0, 0.0, 3.0, -1.0]), 1),
    "huge": (np.array([1e300, 1e300, -1e300, 1e300, 1e300]), 2),
}


def indicators(subsets: Any, n: int) -> Any:
    """(draws, k) indices -> (draws, n) zeros and ones."""
    rows = np.zeros((len(subsets), n))
    np.put_along_axis(rows, np.asarray(subsets), 1.0, axis=-1)
    return rows


def singles(rows: Any) -> Any:
    return rows


def pairs(rows: Any) -> Any:
    i, j = np.triu_indices(rows.shape[-1], 1)
    return rows[:, i] * rows[:, j]


def enumerated(scores: Any, k: int) -> tuple[Any, Any]:
    """All subsets (m, k), and their probabilities."""
    subsets = np.array(list(itertools.combinations(range(len(scores)), k)))
    top = np.sort(scores)[::-1][:k]
    # against the heaviest subset, label by label: scores of 1e300 cancel exactly
    logs = (np.sort(scores[subsets], axis=-1)[:, ::-1] - top).sum(axis=-1)
    weights = np.exp(logs)
    return subsets, weights / weights.sum()


def wald(drawn: Any, scores: Any, k: int, statistic: Callable[[Any], Any]) -> float:
    """The p-value of draws (N, k)."""
    subsets, p = enumerated(scores, k)
    values = statistic(indicators(subsets, len(scores)))
    mean = p @ values
    covariance = (values * p[:, None]).T @ values - np.outer(mean, mean)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    # directions in which fewer than 10 draws are expected to differ are no normal variables
    kept = eigenvalues > 10.0 / len(drawn)
    difference = statistic(indicators(drawn, len(scores))).mean(axis=0) - mean
    scaled = (vectors.T @ difference)[kept] ** 2 / eigenvalues[kept]
    return float(scipy_stats.chi2.sf(len(drawn) * scaled.sum(), max(int(kept.sum()), 1)))


def all_subsets(drawn: Any, scores: Any, k: int) -> float:
    """Pearson's chi-square over all subsets; those expected less than 5 times are one class."""
    subsets, p = enumerated(scores, k)
    code = 2 ** np.arange(len(scores))
    place = {int(code[list(s)].sum()): i for i, s in enumerate(subsets)}
    seen = np.bincount([place[c] for c in code[drawn].sum(axis=-1)], minlength=len(p))
    expected = len(drawn) * p
    # in rising order, the first class takes in what is expected less than 5 times
    order = np.argsort(expected)
    first = int(np.searchsorted(np.cumsum(expected[order]), 5.0))
    starts = np.append(0, np.arange(first + 1, len(p)))
    seen, expected = (np.add.reduceat(x[order], starts) for x in (seen, expected))
    statistic = ((seen - expected) ** 2 / expected).sum()
    return float(scipy_stats.chi2.sf(statistic, max(len(expected) - 1, 1)))


def sequential_softmax(scores: Any, k: int, size: int, rng: np.random.Generator) -> Any:
    """Plackett-Luce: take one by softmax, remove it, repeat; by the Gumbel trick."""
    noisy = scores + rng.gumbel(size=(size, len(scores)))
    return np.sort(np.argsort(-noisy, axis=-1)[:, :k], axis=-1)


@pytest.mark.parametrize("name", ROWS)
def test_draws_follow_the_distribution(name: str) -> None:
    scores, k = ROWS[name]
    drawn = subset.sample(scores, k, DRAWS, np.random.default_rng(7))
    assert wald(drawn, scores, k, singles) > LIKELY
    assert wald(drawn, scores, k, pairs) > LIKELY
    assert all_subsets(drawn, scores, k) > LIKELY


@pytest.mark.parametrize("name", ["normal", "ties", "half"])
def test_sequential_softmax_is_another_distribution(name: str) -> None:
    scores, k = ROWS[name]
    drawn = sequential_softmax(scores, k, DRAWS, np.random.default_rng(7))
    assert wald(drawn, scores, k, singles) < IMPOSSIBLE
    assert wald(drawn, scores, k, pairs) < IMPOSSIBLE
    assert all_subsets(drawn, scores, k) < IMPOSSIBLE


def test_one_of_n_is_softmax_either_way() -> None:
    scores, k = ROWS["one"]
    drawn = sequential_softmax(scores, k, DRAWS, np.random.default_rng(7))
    assert all_subsets(drawn, scores, k) > LIKELY


def smallest_index(scores: Any, k: int) -> Any:
    """P(the smallest index drawn is i) = x_i e_{k-1}(x_{i+1}, ..., x_n) / Z_k."""
    x = np.exp(scores)
    e = np.zeros(k + 1)
    e[0] = 1.0
    weights = np.zeros(len(x))
    for i in range(len(x) - 1, -1, -1):
        weights[i] = x[i] * e[k - 1]
        e[1:] += x[i] * e[:-1]
    return weights / e[k]


def binned(p: Any, count: int) -> tuple[Any, Any]:
    """Places where a distribution is cut into about `count` classes, and their probabilities."""
    cuts = np.searchsorted(np.cumsum(p), np.linspace(0, 1, count, endpoint=False)[1:])
    starts = np.unique(np.append(0, cuts))
    return starts, np.add.reduceat(p, starts)


def test_four_of_16384() -> None:
    """The question of the comments (7359): 4 of 16384, and the answer given there."""
    n, k, size = 16384, 4, 50_000
    rng = np.random.default_rng(3)
    scores = rng.normal(size=n)
    scores[:: n // 8] += 10.0
    starts, classes = binned(smallest_index(scores, k), 50)

    def p_value(drawn: Any) -> float:
        place = np.searchsorted(starts, drawn.min(axis=-1), side="right") - 1
        seen = np.bincount(place, minlength=len(starts))
        return float(scipy_stats.chisquare(seen, classes * len(drawn)).pvalue)

    drawn = subset.sample(scores, k, size, rng)
    assert np.all(np.diff(drawn, axis=-1) > 0)
    assert p_value(drawn) > LIKELY
    parts = [sequential_softmax(scores, k, 500, rng) for _ in range(10)]
    assert p_value(np.concatenate(parts)) < IMPOSSIBLE


def test_masked_labels_are_never_drawn() -> None:
    scores = np.array([0.5, -np.inf, 1.0, -1e7, -0.3, -np.inf, 0.2, -3e7])
    drawn = subset.sample(scores, 2, 20_000, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 2, 4, 6}
    kept = np.searchsorted([0, 2, 4, 6], drawn)
    assert all_subsets(kept, scores[[0, 2, 4, 6]], 2) > LIKELY
    assert np.all(subset.sample(scores, 4, 5, np.random.default_rng(0)) == [0, 2, 4, 6])


def test_none_and_all() -> None:
    rng = np.random.default_rng(0)
    scores = np.array([[3.0, -800.0, 1e6], [0.0, 0.0, 0.0]])
    assert subset.sample(scores, 0, 5, rng).shape == (5, 2, 0)
    assert np.all(subset.sample(scores, 3, 5, rng) == [0, 1, 2])
    assert subset.sample(scores, 2, 0, rng).shape == (0, 2, 2)
    assert subset.sample(scores[:0], 2, 4, rng).shape == (4, 0, 2)
    assert np.all(subset.sample(np.array([2.0]), 1, 3, rng) == 0)


def test_rows_of_a_batch_are_drawn_each_by_its_own_scores() -> None:
    names = ("normal", "ties", "half", "spread 40")
    scores = np.stack([ROWS[name][0] for name in names]).reshape(2, 2, 8)
    drawn = subset.sample(scores, 3, DRAWS, np.random.default_rng(11))
    assert drawn.shape == (DRAWS, 2, 2, 3)
    for a, b in itertools.product(range(2), range(2)):
        assert all_subsets(drawn[:, a, b], scores[a, b], 3) > LIKELY


def test_a_seed_repeats_its_draws(arrays: Arrays) -> None:
    scores = np.random.default_rng(0).normal(size=(2, 33, 3)).astype(np.float32)
    rng = np.random.default_rng(5)
    first = subset.sample(arrays(scores), 4, 6, rng, axis=1)
    again = subset.sample(arrays(scores), 4, 6, np.random.default_rng(5), axis=1)
    other = subset.sample(arrays(scores), 4, 6, rng, axis=1)
    assert tuple(first.shape) == (6, 2, 3, 4)
    assert type(first) is type(arrays(scores))
    assert np.all(to_numpy(first) == to_numpy(again))
    assert np.any(to_numpy(first) != to_numpy(other))
    assert np.all(np.diff(to_numpy(first), axis=-1) > 0)
    plain = subset.sample(scores, 4, 6, np.random.default_rng(5), axis=1)
    assert np.all(to_numpy(first) == plain)


@pytest.mark.parametrize(
    ("size", "rng", "error", "message"),
    [
        (-1, np.random.default_rng(0), ValueError, "size must be at least 0, got -1"),
        (2.0, np.random.default_rng(0), TypeError, r"size must be an integer, got 2\.0"),
        (True, np.random.default_rng(0), TypeError, "size must be an integer, got True"),
        (3, 0, TypeError, r"numpy.random.Generator, got int; make one.*default_rng\(seed\)"),
        (3, np.random, TypeError, "numpy.random.Generator, got module"),
    ],
)
def test_errors(size: Any, rng: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        subset.sample(np.zeros(5), 2, size, rng)
