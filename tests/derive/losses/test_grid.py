"""The losses of n samples and m classes: what the document prints, and where it stops short.

Every derivation is decided in ``test_losses``; here the statements around them are held against
explicit numbers, and what is false of a loss is refuted.
"""

from __future__ import annotations

from itertools import product

import pytest
from sympy import KroneckerDelta, Rational, S, exp

from derive.axis import total
from derive.balls import Point, enclose
from derive.calculus import map_entries
from derive.decide import Proved, Refuted, equal, nonnegative, positive, sample_points
from derive.facts import hard_rows
from derive.grid.sums import CLASSES, SAMPLES, SOFT, i, j, k, own_class, s, t, v
from derive.inference import forces
from derive.losses import LOSSES
from derive.losses.grid import centered, common, origin, pairwise, truncated

GRID_LOSSES = {name: loss for name, loss in LOSSES.items() if loss.family == "grid"}
each_loss = pytest.mark.parametrize("loss", GRID_LOSSES.values(), ids=GRID_LOSSES)
BITS = 256


def grid_point(scores, labels, at=(0, 0)) -> Point:
    """Tables of scores and labels, and a place in them."""
    n, m = len(scores), len(scores[0])
    places = list(product(range(n), range(m)))
    entries = {("s", place): Rational(scores[place[0]][place[1]]) for place in places}
    entries |= {("t", place): Rational(labels[place[0]][place[1]]) for place in places}
    return Point({SAMPLES: n, CLASSES: m}, {i: at[0], j: at[1]}, entries)


def at(expression, scores, labels, place=(0, 0)) -> float:
    return float(enclose(expression, grid_point(scores, labels, place), BITS).mid())


# The document -------------------------------------------------------------------------------------

WHERE = {
    **dict.fromkeys(("9158-1a", "9158-1b", "9158-1c", "9158-2"), "grid_truncated.from-softmax"),
    "9158-3": "grid_truncated.gradient",
    "9158-4": "grid_truncated.general-form",
    "9158-e": "grid_truncated.general-form",
    "9158-7": "grid_centered.general-form",
    "9158-8": "grid_centered.general-form",
    "9158-g": "grid_centered.optimum",
    "9158-i": "grid_centered.hard-labels",
    "9158-k": "grid_centered.two-classes",
}


@pytest.mark.parametrize("claim", WHERE)
def test_claim_is_decided(claim: str):
    name, topic = WHERE[claim].split(".")
    derivation = LOSSES[name].derive(topic)
    assert claim in derivation.claims
    assert derivation.holds


def test_the_origin_shows_what_is_dropped_and_when_the_series_converges():
    derivation = truncated.LOSS.derive("from-softmax")
    cut = [step for step in derivation.steps if step.dropped is not None]
    assert len(cut) == 1
    assert derivation.result == truncated.VALUE
    assert any("u < 1" in step.note for step in derivation.steps)


def test_loss_1_is_below_the_cross_entropy_for_hard_labels():
    gap = origin.cross_entropy() - truncated.VALUE
    for point in sample_points((gap,), hard_rows(t), 12):
        assert not enclose(gap, point, BITS) < 0


def test_for_soft_labels_it_is_on_both_sides():
    gap = origin.cross_entropy() - truncated.VALUE
    assert isinstance(nonnegative(gap, SOFT), Refuted)
    assert isinstance(nonnegative(-gap, SOFT), Refuted)


def test_one_soft_sample_is_never_above():
    """Bernoulli's inequality: ``(1 + u)^t <= 1 + t u``."""
    gap = truncated.VALUE - origin.cross_entropy()
    for point in sample_points((gap,), SOFT, 12):
        if point.sizes[SAMPLES] == 1:
            assert not enclose(gap, point, BITS) < 0


def test_the_sum_of_f_of_loss_1_is_not_constant():
    change = LOSSES["grid_truncated"].derive("general-form").steps[-1].right
    assert isinstance(equal(change, S.Zero), Refuted)
    assert change.xreplace({origin.OTHERS.size: S.One}) == 0


# Two classes --------------------------------------------------------------------------------------


@each_loss
def test_two_classes_are_written_out_as_they_are(loss):
    """The written-out loss at ``t_i0`` is the loss on a grid of two classes."""
    scores, labels = [(1, "-1/2"), ("3/4", 2)], [("1/3", "2/3"), ("3/5", "2/5")]
    columns = {"s_0": (0, scores), "s_1": (1, scores), "t_0": (0, labels)}
    entries = {
        (name, (row,)): Rational(table[row][of])
        for name, (of, table) in columns.items()
        for row in range(2)
    }
    written = enclose(common.at_two_classes(loss.value), Point({SAMPLES: 2}, {}, entries), BITS)
    whole = enclose(loss.value, grid_point(scores, labels), BITS)
    assert written.overlaps(whole)
    assert whole.rad() < 1e-60


@pytest.mark.parametrize("scale", [S.One, S(2), Rational(1, 2)])
def test_the_scale_of_the_reparametrisation_is_the_only_one(scale):
    for name, loss in GRID_LOSSES.items():
        right = Rational(1, 2) if name == "grid_centered" else S.One
        assert common.derive_two_classes(loss, scale).holds is bool(scale == right)


# Bounds -------------------------------------------------------------------------------------------

# Lower and upper bound of the gradient at m = 3, from the docstrings.
AT_THREE = {
    "grid_truncated": (-1, 2),
    "grid_mirrored": (Rational(-3, 2), Rational(3, 2)),
    "grid_pairwise": (-2, 2),
    "grid_centered": (Rational(-2, 3), Rational(2, 3)),
}


@each_loss
@pytest.mark.parametrize("side", [0, 1], ids=["lower", "upper"])
def test_no_smaller_constant_will_do(loss, side: int):
    """Two samples of three classes, one score far away: within 1e-10 of the bound."""
    bound, far = AT_THREE[loss.name][side], (-100, 100)[side]
    soft = [("1/4", "1/4", "1/2"), ("1/3", "1/3", "1/3")]
    point = grid_point([(far, 0, 1), (0, "1/2", -1)], soft)
    distance = enclose((1 if side else -1) * (bound - loss.gradient), point, BITS)
    assert 0 < distance < 1e-10


@each_loss
def test_a_smaller_bound_is_refuted(loss):
    lower, upper = AT_THREE[loss.name]
    size = CLASSES.size
    constants = {
        "grid_truncated": (S.One, size - 1),
        "grid_mirrored": (size / 2, size / 2),
        "grid_pairwise": (size - 1, size - 1),
        "grid_centered": ((size - 1) / size, (size - 1) / size),
    }[loss.name]
    assert tuple(c.xreplace({size: S(3)}) for c in constants) == (-lower, upper)
    derivation = loss.derive("bounds")
    assert derivation.steps[0].left == constants[0] + loss.gradient
    assert isinstance(positive(Rational(1, 8) + loss.gradient, SOFT), Refuted)
    assert isinstance(positive(Rational(1, 8) - loss.gradient, SOFT), Refuted)


# Shifts and flat directions ---------------------------------------------------------------------


@each_loss
def test_a_shift_of_one_class_is_seen(loss):
    """Rows may be shifted, columns may not."""
    moved = map_entries(loss.value, s, lambda at, of: s[at, of] + v[SAMPLES.index("p"), of])
    moved = map_entries(moved, v, lambda _, of: common.SHIFT[of])
    assert isinstance(equal(moved, loss.value, SOFT), Refuted)


def test_zero_labels_leave_more_directions_flat():
    """With a label 0 the two classes need not move together: only the label's weight says so."""
    squares = pairwise.LOSS.squares
    assert not isinstance(forces(squares, v[i, k] - v[i, j], SOFT), Proved)


# Loss 3 -----------------------------------------------------------------------------------------


def test_loss_3_near_0_with_every_argmax_wrong():
    """Scores A at the label, B above it, -B elsewhere: about ``2 e^{-2A/3}`` for two samples."""
    scores, hard = [(40, 90, -90), (-90, 40, 90)], [(1, 0, 0), (0, 1, 0)]
    value = at(centered.VALUE, scores, hard)
    assert 0 < value < 1e-11
    assert value == pytest.approx(2 * float(exp(-40 * Rational(2, 3))), rel=1e-10)
    assert all(max(row) != row[label.index(1)] for row, label in zip(scores, hard, strict=True))


def test_loss_1_on_the_same_scores_is_large():
    scores, hard = [(40, 90, -90), (-90, 40, 90)], [(1, 0, 0), (0, 1, 0)]
    assert at(truncated.VALUE, scores, hard) > 99


def test_hard_labels_leave_rank_n():
    """The form of the Hessian of loss 3 at hard labels is zero where v at the label is the mean."""
    hard = [(1, 0, 0), (0, 1, 0)]
    base = grid_point([(1, 2, -1), (0, "1/2", 3)], hard)
    flat = [(0, 1, -1), ("1/2", 0, "-1/2")]
    steep = [(0, 1, 0), (0, 0, 0)]
    for vector, vanishes in ((flat, True), (steep, False)):
        entries = {("v", (a, b)): Rational(vector[a][b]) for a in range(2) for b in range(3)}
        point = Point(base.sizes, base.indices, {**base.entries, **entries})
        ball = enclose(centered.LOSS.squares, point, BITS)
        assert ball.overlaps(enclose(S.Zero, point, BITS)) is vanishes


def test_minimum_of_loss_3_is_at_the_log_of_the_labels():
    soft = [("1/4", "1/4", "1/2"), ("1/3", "1/6", "1/2")]
    point = grid_point([(0, 0, 0), (0, 0, 0)], soft)
    least = centered.LOSS.derive("optimum").steps[-1].right
    floor = enclose(least, point, BITS)
    for other in sample_points((centered.VALUE,), SOFT, 6):
        if other.sizes == point.sizes:
            moved = Point(point.sizes, {}, {**other.entries, **labels_of(point)})
            assert enclose(centered.VALUE, moved, BITS) > floor


def labels_of(point: Point) -> dict:
    return {entry: value for entry, value in point.entries.items() if entry[0] == "t"}


def test_a_term_is_one_of_its_class():
    """``D_j`` counts each other class of each sample once."""
    found = own_class(j).xreplace({j: k})
    written = 1 + total(total((1 - KroneckerDelta(k, j)) * t[i, k], j), i)
    at_zero = map_entries(found, s, lambda *_: S.Zero)
    assert isinstance(equal(at_zero, written, SOFT), Proved)
