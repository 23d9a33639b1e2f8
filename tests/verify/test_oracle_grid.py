"""The oracle over grids against its second and third computation, known values, and its limits."""

from __future__ import annotations

import math
import random

import pytest
from flint import arb, ctx

from verify.oracle import AGREEMENT_BITS, BallOracle
from verify.oracle.grid import GRIDS, GridOracle
from verify.oracle.grid_definitions import GRID_DEFINITIONS, grid_by_differences, grid_by_series

SEED = 9158


@pytest.fixture(autouse=True)
def _working_precision():
    with ctx.workprec(256):
        yield


def _random_grid(rng, n, m, spread, *, masks=False):
    scores = [[rng.gauss(0, spread) for _ in range(m)] for _ in range(n)]
    vector = [[rng.choice([-1, 1]) * 10 ** rng.uniform(-3, 3) for _ in range(m)] for _ in range(n)]
    labels = []
    for i in range(n):
        if masks and rng.random() < 0.5:
            scores[i][rng.randrange(m)] = -math.inf
        row = [rng.choice([0.0, 1e-9, 0.5, 1 - 2**-53, 1.0, rng.random()]) for _ in range(m)]
        labels.append([t if s > -math.inf else 0.0 for s, t in zip(scores[i], row, strict=True)])
    return scores, labels, vector


def _numbers(answer):
    return [answer.value, *answer.gradient, *answer.hvp]


def _scales(reference):
    return [abs(reference.value), *reference.gradient_scale, *reference.hvp_scale]


def test_formulas_and_definitions_are_of_the_same_losses():
    assert set(GRIDS) == set(GRID_DEFINITIONS)


def _agree(grid, reference, other):
    numbers = zip(_numbers(reference), _scales(reference), _numbers(other), strict=True)
    for closed, scale, found in numbers:
        slack = scale * arb((1, 4 - AGREEMENT_BITS)) + arb((1, -1090))
        assert closed.rad() <= slack and found.rad() <= slack, grid
        assert abs(closed - found) <= slack, (grid, closed, found)


# Two difference quotients of a number below 2^-256 are both 0, and agree: with scores that differ
# by several hundred there are such products, and only the series judge them.
@pytest.mark.parametrize("spread", [0.5, 5.0, 30.0, 120.0])
@pytest.mark.parametrize("loss", GRIDS)
def test_three_computations_of_the_same_numbers_agree(loss, spread):
    rng = random.Random(f"{SEED} {loss} {spread}")
    for n, m in ((1, 1), (1, 2), (2, 2), (2, 3), (1, 4)):
        grid = _random_grid(rng, n, m, spread, masks=m > 2)
        reference, series = GridOracle(loss)(*grid), grid_by_series(loss, *grid)
        assert all(
            a.overlaps(b) for a, b in zip(_numbers(reference), _numbers(series), strict=True)
        )
        _agree(grid, reference, series)
        if spread <= 30:
            _agree(grid, reference, grid_by_differences(loss, *grid))


@pytest.mark.parametrize("loss", GRIDS)
def test_balls_are_compared_by_a_measure_that_sees_a_wrong_sign_or_factor(loss):
    grid = ([[1.0, -2.0, 0.5]], [[0.5, 0.25, 0.25]], [[1.0, 2.0, -1.0]])
    numbers = zip(
        _numbers(GridOracle(loss)(*grid)), _numbers(grid_by_series(loss, *grid)), strict=True
    )
    for closed, ball in numbers:
        assert not closed.overlaps(-ball)
        assert not closed.overlaps(ball * (1 + arb((1, -70))))


@pytest.mark.parametrize(
    ("loss", "factor"),
    [("grid_truncated", 1), ("grid_mirrored", 1), ("grid_pairwise", 1), ("grid_centered", 2)],
)
def test_9158_k_with_two_classes_each_is_soft_zlpr_of_half_or_all_of_the_difference(loss, factor):
    """t_i = t_i0, x_i = s_i0 - s_i1, or half of that for the centered scores."""
    scores = [[0.5, -1.25], [3.0, 2.5], [-40.0, 17.0]]
    labels = [[0.75, 0.25], [0.0, 1.0], [0.5, 0.5]]
    x = [(a - b) / factor for a, b in scores]
    expected = BallOracle("soft_zlpr")(x, [t for t, _ in labels])
    found = GridOracle(loss)(scores, labels)
    assert found.value.overlaps(expected.value)
    for i, slope in enumerate(expected.gradient):
        assert found.gradient[2 * i].overlaps(slope / factor)
        assert found.gradient[2 * i + 1].overlaps(-slope / factor)


def test_one_hard_sample_of_the_truncated_loss_is_softmax_cross_entropy():
    scores, labels = [3.0, -1.0, 41.5, 0.25], [0.0, 1.0, 0.0, 0.0]
    vector = [1.0, -2.0, 0.5, 3.0]
    expected = BallOracle("softmax_cross_entropy")(scores, labels, vector)
    found = GridOracle("grid_truncated")([scores], [labels], [vector])
    for a, b in zip(_numbers(found), _numbers(expected), strict=True):
        assert a.overlaps(b)


@pytest.mark.parametrize("loss", GRIDS)
def test_a_sample_without_labels_and_a_class_at_minus_infinity_count_nothing(loss):
    scores, labels = [[1.0, 0.5, -2.0]], [[0.25, 0.0, 0.75]]
    plain = GridOracle(loss)(scores, labels, [[1.0, 2.0, 3.0]])
    more = GridOracle(loss)(
        [[1.0, -math.inf, 0.5, -2.0], [7.0, 8.0, 900.0, 1e30]],
        [[0.25, 0.0, 0.0, 0.75], [0.0] * 4],
        [[1.0, 1e9, 2.0, 3.0], [5.0] * 4],
    )
    assert plain.value.overlaps(more.value)
    for short, long in ((plain.gradient, more.gradient), (plain.hvp, more.hvp)):
        kept = [long[0], long[2], long[3]]
        assert all(a.overlaps(b) for a, b in zip(short, kept, strict=True))
        assert all(x.is_zero() for x in (long[1], *long[4:]))


@pytest.mark.parametrize("loss", GRIDS)
def test_scores_beyond_the_range_of_exp_are_enclosed(loss):
    found = GridOracle(loss)(
        [[1e30, 0.0], [-1e30, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0]] * 2
    )
    expected = arb(10) ** 30 / (2 if loss == "grid_centered" else 1)
    assert abs(found.value - expected) < 1e15  # 1e30 is no float64 exactly
    assert all(x.is_finite() for x in _numbers(found))


@pytest.mark.parametrize("loss", GRIDS)
@pytest.mark.parametrize("gap", [-50.0, 50.0])
def test_a_product_of_one_term_is_its_own_scale(loss, gap):
    """log(1 + e^x): p (1 - p) d has one sign, however near p is to 0 or 1."""
    found = GridOracle(loss)([[0.0, gap]], [[1.0, 0.0]], [[3.0, -2.0]])
    for product, scale in zip(found.hvp, found.hvp_scale, strict=True):
        assert abs(product).overlaps(scale) and scale > 0


@pytest.mark.parametrize("loss", GRIDS)
def test_the_scale_of_a_product_does_not_see_a_shift_of_a_sample(loss):
    scores, labels, vector = _random_grid(random.Random(SEED), 3, 4, 2.0)
    vector = [[round(8 * math.tanh(v)) / 8 for v in row] for row in vector]
    shifted = [[v + 1024.0 for v in row] for row in vector]
    plain, moved = (GridOracle(loss)(scores, labels, v) for v in (vector, shifted))
    for a, b in zip(
        _numbers(plain) + plain.hvp_scale, _numbers(moved) + moved.hvp_scale, strict=True
    ):
        assert a.overlaps(b)


def test_only_the_components_asked_for_are_given():
    scores, labels, vector = _random_grid(random.Random(SEED), 3, 4, 2.0)
    for loss in GRIDS:
        whole, some = (GridOracle(loss)(scores, labels, vector, c) for c in (None, [7, 2]))
        assert list(some.components) == [7, 2] and len(some.gradient) == 2
        for at, place in enumerate(some.components):
            assert some.gradient[at].overlaps(whole.gradient[place])
            assert some.hvp[at].overlaps(whole.hvp[place])
            assert some.hvp_scale[at].overlaps(whole.hvp_scale[place])


def test_a_shift_of_a_sample_is_flat_exactly():
    """d_e = 0 for v_ij = c_i, exactly: the product is 0 and no noise."""
    scores, labels, _ = _random_grid(random.Random(SEED), 3, 4, 2.0)
    for loss in GRIDS:
        shifted = [[float(i) + 0.1] * 4 for i in range(3)]
        assert all(x.is_zero() for x in GridOracle(loss)(scores, labels, shifted).hvp)


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([[0.0, 1.0], [0.0]], [[0.5, 0.5], [1.0]], "one number of classes"),
        ([[0.0, 1.0]], [[1.0]], "one shape"),
        ([[0.0, math.nan]], [[1.0, 0.0]], "finite or -inf, got nan"),
        ([[0.0, 1.0]], [[1.5, 0.0]], "labels must lie in"),
        ([[0.0, -math.inf]], [[0.0, 1.0]], "score -inf must have label 0"),
    ],
)
def test_what_is_no_grid_is_refused(scores, labels, words):
    with pytest.raises(ValueError, match=words):
        GridOracle("grid_truncated")(scores, labels)


def test_an_unknown_loss_and_an_infinite_vector_are_refused():
    with pytest.raises(ValueError, match="unknown loss 'grid'"):
        GridOracle("grid")
    with pytest.raises(ValueError, match="the vector must be finite"):
        GridOracle("grid_pairwise")([[0.0]], [[1.0]], [[math.inf]])
