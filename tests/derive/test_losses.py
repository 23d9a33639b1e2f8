"""Every loss and topic: each step proved, and the closed forms against plain SymPy.

The id of a test is the id of the derivation, so that a red test names the mathematics.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from itertools import product

import pytest
from sympy import diff

from derive.balls import OutsideDomain, Point, enclose, write_out
from derive.calculus import free_indices
from derive.decide import Proved, sample_points
from derive.losses import LOSSES, loss_named
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import s, v
from derive.ramps import TwoValued

TOPICS = [(name, topic) for name, loss in LOSSES.items() for topic in loss.topics]
CLAIM = re.compile(r"(9158|9064|7359|SCE|SURVEY)-\w+")
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
# The others show their convexity without squares, as a log of a sum of exponentials.
WITH_SQUARES = {name: loss for name, loss in LOSSES.items() if loss.squares is not None}
LINEAR_BY_PIECES = ("hinge", "max_hinge")
SEED = 9064


@pytest.mark.parametrize(("name", "topic"), TOPICS, ids=[f"{n}.{t}" for n, t in TOPICS])
def test_derivation_holds(name: str, topic: str):
    derivation = LOSSES[name].derive(topic)
    assert derivation.id == f"{name}.{topic}"
    assert derivation.steps
    for step in derivation.steps:
        assert isinstance(step.decision, Proved), f"{step.rule}: {step.decision}"
    assert derivation.holds


@pytest.mark.parametrize(("name", "topic"), TOPICS, ids=[f"{n}.{t}" for n, t in TOPICS])
def test_a_changed_result_does_not_hold(name: str, topic: str):
    """The last word of every derivation is decided, not only shown."""
    derivation = LOSSES[name].derive(topic)
    assert not derivation.to("one too many", derivation.result + 1).holds


@each_loss
def test_claims_are_ids_of_the_documents(loss: SymbolicLoss):
    assert set(loss.claims) <= set(loss.topics)
    for claims in loss.claims.values():
        assert len(set(claims)) == len(claims)
        assert all(CLAIM.fullmatch(claim) for claim in claims), claims


@each_loss
def test_has_value_gradient_hessian_and_product(loss: SymbolicLoss):
    assert {"gradient", "hessian", "hvp", "convexity"} <= set(loss.topics)
    assert free_indices(loss.value) == frozenset()
    assert free_indices(loss.gradient) == set(loss.indices)
    if loss.name in LINEAR_BY_PIECES:
        assert loss.hessian == loss.hvp == 0
        return
    assert free_indices(loss.hessian) == {*loss.indices, *loss.others}
    assert free_indices(loss.hvp) == set(loss.indices)
    assert loss.squares is None or free_indices(loss.squares) == frozenset()


@each_loss
def test_gradient_is_that_of_the_written_out_loss(loss: SymbolicLoss):
    for point in sample_points((loss.value, loss.score), loss.facts, 4, SEED):
        plain = diff(write_out(loss.value, point), write_out(loss.score, point))
        assert_meet(loss.gradient, plain, point)


@each_loss
def test_hessian_is_that_of_the_written_out_loss(loss: SymbolicLoss):
    for point in sample_points((loss.value, loss.score, loss.other_score), loss.facts, 3, SEED):
        entries = write_out(loss.score, point), write_out(loss.other_score, point)
        assert_meet(loss.hessian, diff(write_out(loss.value, point), *entries), point)


@each_loss
def test_product_is_the_hessian_times_the_vector(loss: SymbolicLoss):
    entries = loss.value, loss.score, v[loss.others]
    for point in sample_points(entries, loss.facts, 2, SEED):
        row = diff(write_out(loss.value, point), write_out(loss.score, point))
        at = everywhere(loss, point)
        plain = sum(diff(row, write_out(loss.score, q)) * write_out(v[loss.indices], q) for q in at)
        assert_meet(loss.hvp, plain, point)


@pytest.mark.parametrize("loss", WITH_SQUARES.values(), ids=WITH_SQUARES)
def test_squares_are_the_quadratic_form(loss: SymbolicLoss):
    """``sum_ij H_ij v_i v_j``: SymPy's Hessian of the written-out loss on both sides of it."""
    for point in sample_points((loss.value, v[loss.indices]), loss.facts, 1, SEED):
        value, at = write_out(loss.value, point), everywhere(loss, point)
        scores, vector = ([write_out(base[loss.indices], q) for q in at] for base in (s, v))
        plain = sum(
            diff(value, a, b) * x * z
            for a, x in zip(scores, vector, strict=True)
            for b, z in zip(scores, vector, strict=True)
        )
        assert_meet(loss.squares, plain, point)


def everywhere(loss: SymbolicLoss, point: Point) -> list[Point]:
    """The point at the place of each score."""
    places = product(*(range(point.sizes[index.axis]) for index in loss.indices))
    return [replace(point, indices=dict(zip(loss.indices, at, strict=True))) for at in places]


def assert_meet(ours, plain, point):
    left, right = enclosed(ours, point), enclosed(plain, point)
    if left is None:
        # The log-sum-exp of the other classes where there is no other.
        assert right is None and set(point.sizes.values()) == {1}
        return
    assert left.overlaps(right), f"seed {SEED}, {point.describe()}: {left} and {right}"
    # On a kink a step is anything from 0 to 1: tests/derive/test_ramps.py looks beside it.
    assert left.rad() < 1e-30 or ours.has(TwoValued)


def enclosed(expression, point):
    try:
        return enclose(expression, point, 192)
    except OutsideDomain:
        return None


def test_names_of_the_losses():
    assert set(LOSSES) == {
        "softmax_cross_entropy",
        "hinge",
        "max_hinge",
        "lse_hinge",
        "binary_cross_entropy",
        "zlpr",
        "soft_zlpr",
        "unified",
        "combination_softmax",
        "padded_combination_softmax",
        "order_r",
        "focal",
        "soft_focal",
        "asymmetric",
        "circle",
        "grid_truncated",
        "grid_mirrored",
        "grid_pairwise",
        "grid_centered",
    }
    assert all(loss_named(name).name == name for name in LOSSES)


def test_an_unknown_loss_or_topic_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'hinge_of_fate'.*softmax_cross_entropy.*unified"):
        loss_named("hinge_of_fate")
    with pytest.raises(ValueError, match=r"zlpr has no derivation 'colour'.*gradient"):
        LOSSES["zlpr"].derive("colour")


@pytest.mark.parametrize(
    ("name", "others"), [("zlpr", "hinge unified grid"), ("grid_pairwise", "grid.mirrored zlpr")]
)
def test_a_loss_is_imported_without_the_others(name: str, others: str):
    """What a loss is made of takes longer to write down than most files take to emit."""
    code = (
        f"import sys; from derive.losses import LOSSES; LOSSES[{name!r}]; "
        f"print([n for n in {others.split()!r} if f'derive.losses.{{n}}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
