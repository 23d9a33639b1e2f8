"""The distribution over k-subsets against its definition, in 60 digits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, Backend, to_numpy
from mpmath import mpf

from numeric_core import combination_softmax, subset
from numeric_core.newton import newton_recursion

BOUND = {np.float64: 1e-14, np.float32: 1e-6}
"""The accuracy contract: relative to the true value."""

RNG = np.random.default_rng(2)
N = 24
REGIMES = {
    "normal": RNG.normal(size=N),
    "ties": np.full(N, -1.25),
    "spread": 40.0 * RNG.normal(size=N),
    "20 above": RNG.normal(size=N) + np.where(np.arange(N) < 3, 20.0, 0.0),
    "100 above": RNG.normal(size=N) + np.where(np.arange(N) % 5 == 0, 100.0, 0.0),
    "10000": 1e4 * RNG.uniform(-1, 1, size=N),
}
ROWS = np.stack([row.astype(np.float32) for row in REGIMES.values()])
"""Numbers of float32, so that every dtype has the same truth."""


def products(x: list[mpf]) -> list[list[mpf]]:
    """prod_{j < i} (1 + x_j z) for i = 0..n."""
    rows = [[mpf(1)]]
    for value in x:
        last = rows[-1]
        rows.append([a + value * b for a, b in zip([*last, 0], [0, *last], strict=True)])
    return rows


def truth(scores: Any, k: int) -> tuple[mpf, list[mpf]]:
    """log Z_k and P(i in S), from the products before and after each label."""
    with mpmath.workdps(60):
        x = [mpmath.exp(mpf(float(s))) for s in scores]
        before, after = products(x), products(x[::-1])[::-1]
        z = before[-1][k]
        inside = []
        for i, value in enumerate(x):
            a, b = before[i], after[i + 1]
            split = (a[j] * b[k - 1 - j] for j in range(k) if j < len(a) and k - 1 - j < len(b))
            inside.append(value * mpmath.fsum(split) / z)
        return mpmath.log(z), inside


def relative(got: Any, true: mpf) -> float:
    with mpmath.workdps(60):
        return float(abs(mpf(float(got)) - true) / abs(true)) if true else abs(float(got))


def orders(arrays: Arrays) -> tuple[int, ...]:
    """JAX compiles every operation for every shape that it meets."""
    return (3,) if arrays.backend is Backend.JAX else (0, 1, 2, 3, 12, 20, 23, 24)


def test_log_partition_and_inclusion(arrays: Arrays) -> None:
    for dtype, k in itertools.product(arrays.dtypes, orders(arrays)):
        scores = arrays(ROWS, dtype)
        log_z = to_numpy(subset.log_partition(scores, k))
        inside = to_numpy(subset.inclusion_probabilities(scores, k))
        assert (log_z.dtype, inside.dtype) == (dtype, dtype)
        assert (log_z.shape, inside.shape) == (ROWS.shape[:1], ROWS.shape)
        for row, got_z, got in zip(ROWS, log_z, inside, strict=True):
            true_z, true = truth(row, k)
            assert relative(got_z, true_z) <= BOUND[dtype]
            for a, b in zip(got, true, strict=True):
                # below the normal numbers a float has no relative accuracy
                assert relative(a, b) <= BOUND[dtype] or b < np.finfo(dtype).tiny


def test_log_partitions(arrays: Arrays) -> None:
    most = 3 if arrays.backend is Backend.JAX else N
    for dtype in arrays.dtypes:
        got = to_numpy(subset.log_partitions(arrays(ROWS, dtype), most))
        assert got.shape == (len(ROWS), most + 1)
        assert np.all(got[:, 0] == 0.0)
        for row, values in zip(ROWS, got, strict=True):
            for k in range(1, most + 1):
                assert relative(values[k], truth(row, k)[0]) <= BOUND[dtype]


SMALL_DIFFERENCES = {
    "log-probabilities": lambda s: s - np.log(np.exp(s).sum()),
    "log Z_5 near 0": lambda s: s - float(truth(s, 5)[0]) / 5,
    "log Z_23 near 0": lambda s: s - float(truth(s, 23)[0]) / 23,
    "tiny, T = 0": lambda s: np.where(np.arange(N) < 5, 0.0, s - 700.0),
    "tiny, sum of scores 0": lambda s: np.concatenate([[3.0, -3.0], np.full(N - 2, -60.0)]),
}


@pytest.mark.parametrize("name", SMALL_DIFFERENCES)
def test_where_log_partition_is_a_small_difference(name: str) -> None:
    scores = SMALL_DIFFERENCES[name](RNG.normal(size=N))
    every = subset.log_partitions(scores, N)
    for k in range(1, N + 1):
        true, _ = truth(scores, k)
        assert relative(subset.log_partition(scores, k), true) <= 1e-14
        assert relative(every[k], true) <= 1e-14


def test_rows_far_apart_share_a_batch() -> None:
    """Each row has its own tilt: the bits do not depend on the other rows."""
    together = subset.inclusion_probabilities(ROWS.astype(np.float64), 5)
    alone = [subset.inclusion_probabilities(row.astype(np.float64), 5) for row in ROWS]
    assert np.all(together == np.stack(alone))


def test_poisson_binomial() -> None:
    """log Z_k = k c + log P(k successes with p_i = sigma(s_i - c)) - sum_i log(1 - p_i)."""
    stats = pytest.importorskip("scipy.stats")
    scores, k, c = np.random.default_rng(0).normal(size=500), 40, 2.5
    p = 1.0 / (1.0 + np.exp(c - scores))
    other = k * c + stats.poisson_binom.logpmf(k, p) - np.log1p(-p).sum()
    assert math.isclose(subset.log_partition(scores, k), other, rel_tol=1e-11)


@pytest.mark.parametrize(("n", "k"), [(40, 7), (1000, 500), (10_000, 1000), (100_000, 4)])
def test_the_gradient_of_the_loss_is_inclusion_less_the_label(n: int, k: int) -> None:
    """7359: dl/ds_i = P(i in S) - y_i; the two sides come from other products and other tilts."""
    rng = np.random.default_rng(n)
    scores = rng.normal(size=(2, n))
    labels = np.zeros((2, n))
    labels[:, rng.permutation(n)[:k]] = 1.0
    value, gradient = combination_softmax.value_and_grad(scores, labels)
    inside = subset.inclusion_probabilities(scores, k)
    np.testing.assert_allclose(gradient[labels == 0], inside[labels == 0], rtol=1e-14)
    np.testing.assert_allclose(gradient[labels == 1], inside[labels == 1] - 1.0, atol=1e-15)
    total = subset.log_partition(scores, k) - (labels * scores).sum(axis=-1)
    np.testing.assert_allclose(value, total, rtol=1e-13)


@pytest.mark.parametrize(("n", "k"), [(10_000, 1000), (1_000_000, 4)])
def test_long_rows_sum_to_k(n: int, k: int) -> None:
    """sum_i P(i in S) = k; sum_i s_i P(i in S) is the derivative of log Z by a common scale."""
    scores = np.random.default_rng(1).normal(size=n)
    inside = subset.inclusion_probabilities(scores, k)
    assert math.isclose(math.fsum(inside), k, rel_tol=1e-14)
    step = 1e-4
    above, below = (subset.log_partition(scores * (1 + h), k) for h in (step, -step))
    assert math.isclose((above - below) / (2 * step), math.fsum(inside * scores), rel_tol=1e-6)


def test_one_of_n_is_softmax() -> None:
    scores = ROWS[0].astype(np.float64)
    weights = np.exp(scores)
    np.testing.assert_allclose(subset.log_partition(scores, 1), np.log(weights.sum()), rtol=1e-15)
    got = subset.inclusion_probabilities(scores, 1)
    np.testing.assert_allclose(got, weights / weights.sum(), rtol=1e-14)


def test_limits() -> None:
    scores = np.array([2.0, -1.0, 0.5])
    assert subset.log_partition(scores, 0) == 0.0
    assert subset.log_partition(scores, 3) == 1.5
    assert np.all(subset.inclusion_probabilities(scores, 0) == 0.0)
    assert np.all(subset.inclusion_probabilities(scores, 3) == 1.0)
    assert subset.log_partition(np.zeros((2, 0)), 0).shape == (2,)
    assert subset.inclusion_probabilities(np.zeros((2, 0)), 0).shape == (2, 0)
    assert subset.log_partitions(np.zeros((0, 4)), 2).shape == (0, 3)
    assert subset.pairwise_inclusion(np.zeros((2, 0)), 0).shape == (2, 0, 0)


def test_axis() -> None:
    scores = np.random.default_rng(4).normal(size=(2, 5, 3))
    last = np.moveaxis(scores, 1, -1)
    k = 2
    got = subset.log_partition(scores, k, axis=1)
    assert np.all(got == subset.log_partition(last, k))
    inside = subset.inclusion_probabilities(scores, k, axis=1)
    assert np.all(inside == np.moveaxis(subset.inclusion_probabilities(last, k), -1, 1))
    assert np.all(subset.predict(scores, k=k, axis=1).sum(axis=1) == k)
    assert subset.log_partitions(scores, k, axis=1).shape == (2, 3, k + 1)
    assert subset.pairwise_inclusion(scores, k, axis=1).shape == (2, 3, 5, 5)
    index = subset.sample(scores, k, 1, np.random.default_rng(0), axis=1)[0]
    assert subset.log_prob(scores, index, axis=1).shape == (2, 3)


EVERY: dict[str, tuple[Callable[[Any, Any], Any], float]] = {
    "log_prob": (subset.log_prob, 1e-6),
    "top k": (lambda s, _: subset.predict(s, k=3), 0.0),
    "above": (lambda s, _: subset.predict(s, threshold=0.5), 0.0),
    "pairs": (lambda s, _: subset.pairwise_inclusion(s[:1, :4], 3), 1e-6),
    "newton": (lambda s, _: subset.log_partition(0.25 * s[:1, ...], 3, method="newton"), 1e-5),
    "nothing": (lambda s, _: subset.log_partition(s, 0), 0.0),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_library(arrays: Arrays, name: str) -> None:
    """Rows whose shape the accuracy tests have compiled already."""
    function, tolerance = EVERY[name]
    index = np.argsort(ROWS, axis=-1)[:, [-2, -5, -9]]
    for dtype in arrays.dtypes:
        got = function(arrays(ROWS, dtype), arrays(index))
        expected = function(ROWS.astype(dtype), index)
        assert type(got) is type(arrays(ROWS))
        np.testing.assert_allclose(to_numpy(got), expected, rtol=tolerance)


def test_half_precision_is_rounded_once() -> None:
    scores = ROWS[:3].astype(np.float16)
    wide = scores.astype(np.float64)
    for function in (subset.log_partition, subset.inclusion_probabilities):
        got = function(scores, 3)
        assert got.dtype == np.float16
        assert np.all(got == function(wide, 3).astype(np.float16))


# Masks


@pytest.mark.parametrize("mask", [-math.inf, -1e7, -3e30])
def test_masked_labels_might_as_well_not_be_there(mask: float) -> None:
    kept = np.array([0.3, -2.0, 1.0, 4.0])
    scores = np.array([0.3, mask, -2.0, 1.0, mask, 4.0])
    places = [0, 2, 3, 5]
    for k in range(5):
        assert subset.log_partition(scores, k) == subset.log_partition(kept, k)
        inside = subset.inclusion_probabilities(scores, k)
        assert np.all(inside[[1, 4]] == 0.0)
        expected = subset.inclusion_probabilities(kept, k)
        np.testing.assert_allclose(inside[places], expected, rtol=4e-16)
        both = subset.pairwise_inclusion(scores, k)
        np.testing.assert_allclose(
            both[np.ix_(places, places)], subset.pairwise_inclusion(kept, k), rtol=1e-15
        )
    assert np.all(subset.inclusion_probabilities(scores, 4)[places] == 1.0)


# Pairs


def enumerated(scores: Any, k: int) -> Any:
    """P(i and j in S) from all subsets."""
    both = np.zeros((len(scores), len(scores)))
    subsets = [list(s) for s in itertools.combinations(range(len(scores)), k)]
    weights = np.exp([scores[s].sum() for s in subsets])
    for s, p in zip(subsets, weights / weights.sum(), strict=True):
        both[np.ix_(s, s)] += p
    return both


@pytest.mark.parametrize("k", range(7))
def test_pairwise_inclusion(k: int) -> None:
    scores = np.random.default_rng(k).normal(size=(2, 6)).astype(np.float32)
    expected = np.stack([enumerated(row, k) for row in scores.astype(np.float64)])
    for dtype, bound in BOUND.items():
        got = subset.pairwise_inclusion(scores.astype(dtype), k)
        np.testing.assert_allclose(got, expected, rtol=bound, atol=0)
        assert np.all(got == np.swapaxes(got, -1, -2))
        inside = subset.inclusion_probabilities(scores.astype(dtype), k)
        assert np.all(np.diagonal(got, axis1=-2, axis2=-1) == inside)


def test_pairs_keep_their_digits_in_the_trained_regime() -> None:
    """P(i and j in S) of two labels far below: some e^-80 of the whole."""
    scores = REGIMES["20 above"][:10] + np.where(np.arange(10) < 3, 20.0, 0.0)
    got = subset.pairwise_inclusion(scores, 3)
    with mpmath.workdps(60):
        x = [mpmath.exp(mpf(float(s))) for s in scores]
        z = mpmath.fsum(mpmath.fprod(s) for s in itertools.combinations(x, 3))
        for i, j in itertools.combinations(range(10), 2):
            rest = mpmath.fsum(v for m, v in enumerate(x) if m not in (i, j))
            assert relative(got[i, j], x[i] * x[j] * rest / z) <= 1e-14


# Single subsets


def test_log_prob_of_all_subsets_sums_to_one() -> None:
    scores = np.random.default_rng(9).normal(size=6)
    every = np.array(list(itertools.combinations(range(6), 3)))
    rows = np.broadcast_to(scores, (len(every), 6))
    got = subset.log_prob(rows, every)
    assert math.isclose(np.exp(got).sum(), 1.0, rel_tol=1e-15)
    assert np.all(got == subset.log_prob(rows, every[:, ::-1]))


@pytest.mark.parametrize("gap", [5.0, 50.0, 300.0])
def test_log_prob_near_one(gap: float) -> None:
    """log P = -log1p(rest): with one exchange for rest, k (n - k) e^-gap."""
    scores = np.where(np.arange(N) < 4, gap, 0.0)
    got = subset.log_prob(scores, np.array([2, 0, 3, 1]))
    with mpmath.workdps(60):
        terms = (
            math.comb(4, a) * math.comb(N - 4, a) * mpmath.exp(-mpf(gap) * a) for a in range(5)
        )
        assert relative(got, -mpmath.log(mpmath.fsum(terms))) <= 1e-14


def test_log_prob_of_nothing_and_everything() -> None:
    scores = np.array([[0.5, 2.0], [3.0, -4.0]])
    assert np.all(subset.log_prob(scores, np.zeros((2, 0), np.int64)) == 0.0)
    assert np.all(subset.log_prob(scores, np.array([[0, 1], [1, 0]])) == 0.0)


# Prediction


def test_predict(arrays: Arrays) -> None:
    scores = arrays(np.array([[0.5, 2.0, 2.0, -1.0, 2.0], [1.0, -1.0, 0.0, 0.1, -0.1]], np.float32))
    top = to_numpy(subset.predict(scores, k=2))
    assert top.tolist() == [[False, True, True, False, False], [True, False, False, True, False]]
    above = to_numpy(subset.predict(scores, threshold=0.0))
    assert above.tolist() == [[True, True, True, False, True], [True, False, False, True, False]]
    assert not to_numpy(subset.predict(scores, k=0)).any()
    assert to_numpy(subset.predict(scores, k=5)).all()


def test_the_prediction_is_the_likeliest_subset() -> None:
    scores = np.random.default_rng(3).normal(size=7)
    every = np.array(list(itertools.combinations(range(7), 3)))
    best = every[np.argmax(subset.log_prob(np.broadcast_to(scores, (len(every), 7)), every))]
    assert best.tolist() == np.nonzero(subset.predict(scores, k=3))[0].tolist()


# Newton


def test_newton_is_the_printed_recursion() -> None:
    """7359-3: 3 Z_3 = Z_2 S_1 - Z_1 S_2 + S_3 and so on, in integers."""
    x = [1, 2, 3, 5]
    sums = np.array([[float(sum(v**m for v in x)) for m in range(1, 5)]])
    expected = [sum(math.prod(s) for s in itertools.combinations(x, k)) for k in range(5)]
    assert newton_recursion(np, sums)[0].tolist() == expected


def test_newton_agrees_where_nothing_dominates() -> None:
    scores = 0.25 * ROWS[:1].astype(np.float64)
    newton = subset.log_partitions(scores, 3, method="newton")
    np.testing.assert_allclose(newton, subset.log_partitions(scores, 3), rtol=1e-14)
    assert subset.log_partition(scores, 3, method="newton") == newton[..., 3]


def test_newton_fails_where_a_few_scores_dominate() -> None:
    """One score 40 above 99 equal ones, k = 2: S_1^2 - S_2 has no digit left."""
    scores = np.where(np.arange(100) == 0, 40.0, 0.0)
    true = 40.0 + math.log(99) + math.log1p(49 * math.exp(-40))
    assert math.isclose(subset.log_partition(scores, 2), true, rel_tol=1e-15)
    assert not abs(subset.log_partition(scores, 2, method="newton") - true) < 0.1
    assert math.isnan(subset.log_partition(scores, 3, method="newton"))


def test_newton_cancels_all_digits_at_k_equal_n() -> None:
    """Equal scores, n = k = 100: Z_100 = 1 is the difference of numbers of 29 digits."""
    sums = [Fraction(100)] * 100
    z = [Fraction(1)]
    for m in range(1, 101):
        z.append(sum((-1) ** (j - 1) * z[m - j] * sums[j - 1] for j in range(1, m + 1)) / m)
    assert z[100] == 1
    assert max(z) > 10**28
    got = subset.log_partition(np.zeros(100), 100, method="newton")
    assert not abs(got) < 1.0


# Tracing


def test_under_jit() -> None:
    jax = pytest.importorskip("jax")
    scores = np.array([[0.3, -1.0, 2.0, 0.5, 1.1]], np.float32)

    def check(function: Callable[[Any], Any]) -> None:
        got = jax.jit(function)(jax.numpy.asarray(scores))
        np.testing.assert_allclose(np.asarray(got), function(scores), rtol=1e-6)

    check(lambda s: subset.log_partition(s, 2))
    check(lambda s: subset.log_partitions(s, 2))
    check(lambda s: subset.inclusion_probabilities(s, 2))
    check(lambda s: subset.log_partition(s, 2, method="newton"))
    check(lambda s: 1.0 * subset.predict(s, k=2))


def test_torch_differentiates_log_partition() -> None:
    """Also through the rows that are computed again on the host."""
    torch = pytest.importorskip("torch")
    plain = np.random.default_rng(0).normal(size=(2, 9))
    scores = torch.tensor(plain, requires_grad=True)
    for k in (1, 4):
        shifted = scores - subset.log_partition(scores, k)[:, None].detach() / k
        value = subset.log_partition(shifted, k)
        assert float(value.detach().abs().max()) < 1e-14
        (gradient,) = torch.autograd.grad(value.sum(), scores)
        expected = subset.inclusion_probabilities(plain, k)
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-13)


# Errors

S = np.zeros((2, 5))
HALF_MASKED = np.array([[0.5, -math.inf, -1e7, 1.0, -math.inf], [1.0, 2.0, 3.0, 4.0, 5.0]])
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log_partition": subset.log_partition,
    "newton": lambda s, k: subset.log_partition(s, k, method="newton"),
    "inclusion_probabilities": subset.inclusion_probabilities,
    "pairwise_inclusion": subset.pairwise_inclusion,
    "sample": lambda s, k: subset.sample(s, k, 3, np.random.default_rng(0)),
    "predict": lambda s, k: subset.predict(s, k=k),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("scores", "k", "error", "message"),
    [
        (S, -1, ValueError, r"k must lie in 0..5 for 5 labels, got -1"),
        (S, 6, ValueError, r"k must lie in 0..5 for 5 labels, got 6"),
        (S, 2.0, TypeError, r"k must be an integer, got 2\.0"),
        (S, True, TypeError, r"k must be an integer, got True"),
        (S, "2", TypeError, r"k must be an integer, got '2'"),
        (HALF_MASKED, 3, ValueError, r"at least k unmasked scores, got k=3 and a row with 2.*-inf"),
        (S * math.nan, 2, ValueError, "scores must not be nan"),
        (S + math.inf, 2, ValueError, r"got \+inf"),
        (S.astype(int), 2, TypeError, "scores must be float16.*int64"),
        ([0.0, 1.0], 1, TypeError, "scores must be an array.*got list"),
        (np.asarray(0.0), 0, ValueError, "must have a label axis"),
    ],
)
def test_errors(name: str, scores: Any, k: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FUNCTIONS[name](scores, k)


def test_numpy_integers_are_integers() -> None:
    assert subset.log_partition(S, np.int64(5)).tolist() == [0.0, 0.0]


def test_errors_of_all_orders() -> None:
    with pytest.raises(ValueError, match=r"max_k must lie in 0..5 for 5 labels, got 6"):
        subset.log_partitions(S, 6)
    with pytest.raises(ValueError, match=r"at least max_k unmasked scores, got max_k=3"):
        subset.log_partitions(HALF_MASKED, 3)
    with pytest.raises(ValueError, match=r'"stable" or "newton", got \'exact\''):
        subset.log_partition(S, 2, method="exact")


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([[0, 1], [2, 5]], ValueError, r"must lie in 0..4 for 5 labels, got indices from 0 to 5"),
        ([[0, -1], [2, 3]], ValueError, r"got indices from -1 to 3"),
        ([[0, 1], [2, 2]], ValueError, r"the 2 indices .* distinct, .* with 1 different"),
        ([[0.0, 1.0], [2.0, 3.0]], TypeError, "integer indices, got dtype float64"),
        ([0, 1], ValueError, r"the shape \(2, 'k'\) for scores of shape \(2, 5\).*got \(2,\)"),
        ([[0, 1]], ValueError, r"got \(1, 2\); for many subsets broadcast"),
        ([[0, 1, 2, 3, 4, 4]] * 2, ValueError, r"k must lie in 0..5 for 5 labels, got 6"),
    ],
)
def test_errors_of_subsets(index: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        subset.log_prob(S, np.array(index))


def test_a_subset_of_masked_labels() -> None:
    with pytest.raises(ValueError, match=r"unmasked labels, got one whose score is a mask"):
        subset.log_prob(HALF_MASKED, np.array([[0, 2], [0, 1]]))


def test_predict_wants_one_of_two() -> None:
    with pytest.raises(ValueError, match=r"either k= or threshold=, got k=None, threshold=None"):
        subset.predict(S)
    with pytest.raises(ValueError, match=r"got k=2, threshold=0\.5"):
        subset.predict(S, k=2, threshold=0.5)
    with pytest.raises(TypeError, match="threshold must be a number, got '0'"):
        subset.predict(S, threshold="0")  # type: ignore[arg-type]


def test_without_checks_nothing_is_read() -> None:
    assert subset.log_partition(S, 2, check=False).shape == (2,)
    with pytest.raises(ValueError, match="k must lie in"):
        subset.log_partition(S, 7, check=False)
