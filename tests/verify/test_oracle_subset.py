"""The truth about subsets, against enumeration, against SciPy, and against the lattice."""

from __future__ import annotations

import math
import random
from itertools import combinations

import numpy as np
import pytest
from flint import arb, ctx
from scipy import stats

from verify.oracle import BallOracle, LatticeOracle
from verify.oracle.distribution import distribution, log_partitions, pairwise, patterns
from verify.oracle.subset import Subsets

SEED = 20200425


@pytest.fixture(autouse=True)
def _working_precision():
    with ctx.workprec(192):
        yield


def _subsets(n, sizes):
    return [chosen for size in sizes for chosen in combinations(range(n), size)]


def _weight(powers, chosen):
    return math.prod((powers[i] for i in chosen), start=arb(1))


def _agree(got, expected, bits=100):
    assert got.overlaps(expected), (got, expected)
    assert got.rad() <= abs(expected) * arb((1, -bits)) + arb((1, -1000)), (got, expected)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0])
def test_every_subset_written_down(at_most, spread):
    rng = random.Random(f"{SEED} {at_most} {spread}")
    for n in (1, 2, 4, 6):
        for size in range(n + 1):
            x = [arb(rng.gauss(rng.choice([0, 4, -4]), spread)) for _ in range(n)]
            weights = [arb(rng.choice([1e-9, 0.5, 1.0])) for _ in range(n)]
            marks = [[arb(rng.random()) for _ in range(n)] for _ in range(2)]
            asked = rng.sample(range(n), rng.randrange(n + 1))
            got = Subsets(x, size, at_most=at_most, weights=weights, marks=marks, asked=asked)
            powers = [m * s.exp() for m, s in zip(weights, x, strict=True)]
            every = _subsets(n, range(size + 1) if at_most else [size])
            _check(got, powers, every, marks, asked)


def _check(got, powers, every, marks, asked):
    z = sum((_weight(powers, s) for s in every), arb(0))
    _agree(got.log_partition.exp(), z)
    counted = [{s: sum((mark[i] for i in s), arb(0)) for s in every} for mark in marks]
    for mean, count in zip(got.mean_marks, counted, strict=True):
        _agree(mean, sum((_weight(powers, s) * count[s] for s in every), arb(0)) / z)
    for i, member in zip(asked, got.membership(), strict=True):
        for inside in (True, False):
            these = [s for s in every if (i in s) == inside]
            share = member.inside if inside else member.outside
            _agree(share, sum((_weight(powers, s) for s in these), arb(0)) / z)
            seen = member.inside_marks if inside else member.outside_marks
            for mark, count in zip(seen, counted, strict=True):
                _agree(mark, sum((_weight(powers, s) * count[s] for s in these), arb(0)) / z)


def test_log_partition_inclusion_and_pairs_by_enumeration():
    rng = random.Random(SEED)
    scores = [rng.gauss(0, 6) for _ in range(7)]
    powers = [arb(s).exp() for s in scores]
    every = {k: _subsets(7, [k]) for k in range(8)}
    z = [sum((_weight(powers, s) for s in every[k]), arb(0)) for k in range(8)]
    for k, log_z in enumerate(log_partitions(scores, 7)):
        _agree(log_z, z[k].log(), bits=80)
        _agree(distribution(scores, k).log_partition, z[k].log(), bits=80)
    table = pairwise(scores, 3)
    for i in range(7):
        for j in range(7):
            both = [s for s in every[3] if i in s and j in s]
            _agree(table[i][j], sum((_weight(powers, s) for s in both), arb(0)) / z[3])


def test_patterns_are_the_joint_law_of_the_labels_watched():
    scores = [2.0, -1.0, 0.5, 0.0, 1.5]
    powers = [arb(s).exp() for s in scores]
    every = _subsets(5, [3])
    z = sum((_weight(powers, s) for s in every), arb(0))
    cells = patterns(scores, 3, [1, 4, 2])
    assert set(cells) == {a for size in range(4) for a in combinations((1, 2, 4), size)}
    for chosen, p in cells.items():
        these = [s for s in every if tuple(i for i in s if i in (1, 2, 4)) == chosen]
        _agree(p, sum((_weight(powers, s) for s in these), arb(0)) / z)


@pytest.mark.parametrize("n", [50, 400])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
def test_scipy_counts_the_same_by_the_poisson_binomial(n, share):
    """With odds p/(1-p) = e^{s-c} the chance of k successes is Z_k e^{-ck} prod (1-p)."""
    rng = np.random.default_rng(SEED)
    scores = rng.normal(0, 2, n)
    k = int(share * n)
    low, high = -60.0, 60.0
    for _ in range(60):  # the tilt at which k successes are expected
        c = (low + high) / 2
        low, high = (c, high) if (1 / (1 + np.exp(c - scores))).sum() > k else (low, c)
    p = 1 / (1 + np.exp(c - scores))
    expected = stats.poisson_binom.logpmf(k, p) + k * c - np.log1p(-p).sum()
    truth = distribution(scores.tolist(), k, [0, n - 1])
    assert float(truth.log_partition) == pytest.approx(expected, rel=1e-10)
    for i, inside in zip([0, n - 1], truth.inside, strict=True):
        others = stats.poisson_binom.pmf(k - 1, np.delete(p, i))
        assert float(inside) == pytest.approx(
            p[i] * others / stats.poisson_binom.pmf(k, p), rel=1e-8
        )


def test_a_thousand_of_ten_thousand_sum_to_a_thousand():
    rng = random.Random(SEED)
    scores = [rng.gauss(0, 10) for _ in range(10_000)]
    truth = distribution(scores, 1000)
    total = sum(truth.inside, arb(0))
    assert abs(total - 1000) < 1e-25 and total.rad() < 1e-25
    assert all(x.rel_accuracy_bits() > 80 for x in (*truth.inside, *truth.outside))


def test_log_partition_near_zero_keeps_its_digits():
    scores = [-0.5 * math.log(6)] * 4  # Z_2 = 6 e^{-log 6} up to the rounding of log 6
    log_z = distribution(scores, 2).log_partition
    assert abs(log_z) < 1e-15 and log_z.rel_accuracy_bits() >= 80


def test_masked_labels_are_never_drawn():
    truth = distribution([1.0, -math.inf, 0.0, 2.0], 2)
    plain = distribution([1.0, 0.0, 2.0], 2)
    assert truth.inside[1] == 0 and truth.outside[1] == 1
    assert truth.log_partition.overlaps(plain.log_partition)
    with pytest.raises(ValueError, match=r"0\.\.3, the number of scores above -inf, got 4"):
        distribution([1.0, -math.inf, 0.0, 2.0], 4)


LATTICE = {
    "combination_softmax": (lambda k: lambda a, b: a == b, {}),
    "padded_combination_softmax": (lambda k: lambda a, b: a - b <= 3 - k, {"max_labels": 3}),
    "unified": (lambda k: lambda a, b: a == b <= 1, {}),
    "zlpr": (lambda k: lambda a, b: a <= 1 and b <= 1, {}),
    "order_r": (lambda k: lambda a, b: a <= 2 and b <= 2, {}),
    "binary_cross_entropy": (lambda k: lambda a, b: True, {}),
}


@pytest.mark.parametrize("loss", list(LATTICE))
def test_every_loss_is_its_part_of_the_lattice(loss):
    index_set, parameters = LATTICE[loss]
    rng = random.Random(f"{SEED} {loss}")
    for spread in (0.5, 8.0):
        scores = [rng.gauss(0, spread) for _ in range(6)]
        labels = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0] if spread < 1 else [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        row = (scores, labels, [rng.gauss(0, 1) for _ in range(6)])
        own = BallOracle(loss, **parameters)(*row)
        common = LatticeOracle(index_set(int(sum(labels))))(*row)
        assert own.value.overlaps(common.value)
        pairs = zip(own.gradient + own.hvp, common.gradient + common.hvp, strict=True)
        for one, other in pairs:
            assert one.overlaps(other), (loss, one, other)


def test_the_lattice_of_soft_labels_is_order_r_and_stationary():
    scores = [0.5, -1.0, 2.0]
    labels = [0.2, 0.9, 0.5]
    own = BallOracle("order_r", order=2)(scores, labels, [1.0, -2.0, 0.5])
    common = LatticeOracle(lambda a, b: a <= 2 and b <= 2)(scores, labels, [1.0, -2.0, 0.5])
    for one, other in zip(own.gradient + own.hvp, common.gradient + common.hvp, strict=True):
        assert one.overlaps(other)
    half = LatticeOracle(lambda a, b: a + b <= 2)([0.0] * 3, [0.5] * 3)
    assert all(g.contains(0) and g.rad() < 1e-30 for g in half.gradient)


def test_gradients_of_trained_rows_keep_their_digits():
    """Each component is known to 80 bits of itself, though the loss is some e^-40."""
    row = ([40.0, 41.0, -40.0, -41.0], [1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 2.0, 0.5])
    for loss in ("combination_softmax", "padded_combination_softmax", "order_r"):
        reference = BallOracle(loss)(*row)
        assert reference.value < 1e-16
        for g, scale in zip(reference.gradient, reference.gradient_scale, strict=True):
            assert g.rel_accuracy_bits() >= 80 and abs(g).overlaps(scale)


@pytest.mark.parametrize(
    ("loss", "parameters", "row", "message"),
    [
        ("combination_softmax", {}, ([1.0], [0.5]), "combination_softmax takes labels 0 and 1"),
        (
            "combination_softmax",
            {},
            ([-math.inf, 1.0], [1.0, 1.0]),
            "2 positives but 1 scores above -inf",
        ),
        (
            "padded_combination_softmax",
            {"max_labels": 1},
            ([1.0, 2.0], [1.0, 1.0]),
            "at most 1 positives, got 2",
        ),
    ],
)
def test_rows_without_a_loss_are_refused_in_words(loss, parameters, row, message):
    with pytest.raises(ValueError, match=message):
        BallOracle(loss, **parameters)(*row)


@pytest.mark.parametrize(
    ("loss", "parameters"),
    [
        ("order_r", {"order": 0}),
        ("order_r", {"order": 1.5}),
        ("order_r", {"order": math.nan}),
        ("padded_combination_softmax", {"max_labels": -1}),
    ],
)
def test_counts_are_integers(loss, parameters):
    with pytest.raises(ValueError, match="is an integer from"):
        BallOracle(loss, **parameters)
