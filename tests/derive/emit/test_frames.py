"""The frame form: what is kept, and in how many loops."""

from __future__ import annotations

from collections import Counter

import pytest

from derive.emit import UnsupportedNode
from derive.emit import coverage as cover
from derive.emit.c_language import PRECISIONS, C
from derive.emit.frames import FrameForm, Nest
from derive.emit.lowering import program
from derive.formulas import formula_of


def nests(loss: str, quantity: str = "value_and_grad") -> list[Nest]:
    """The nests of a formula, in C."""
    formula = formula_of(loss, quantity)
    return FrameForm(formula, C(PRECISIONS[1]), program(formula, "c")).nests


def depth(nest: Nest) -> int:
    """How many loops stand in one another."""
    return len(nest.loops) + (nest.over is not None)


@pytest.mark.parametrize("loss", ["grid_truncated", "grid_mirrored", "grid_centered"])
def test_losses_with_one_log_a_class_take_two_loops(loss: str) -> None:
    """O(n m) numbers: exponentials and logs are kept where a larger nest needs them."""
    assert max(map(depth, nests(loss))) == 2


def test_the_pairwise_loss_takes_three() -> None:
    assert max(map(depth, nests("grid_pairwise"))) == 3


def test_a_hessian_does_its_exponentials_on_vectors() -> None:
    inside = [nest for nest in nests("soft_zlpr", "hessian") if len(nest.loops) == 2]
    assert [nest.kind for nest in inside] == ["store"]
    assert "exp_float64(" not in inside[0].text


def test_each_coefficient_is_one_call() -> None:
    called = Counter(nest.function for nest in nests("order_r") if nest.kind == "call")
    assert called == {"log_coefficient": 2, "log_coefficient_without": 2}


def test_every_name_is_filled_once_and_before_it_is_used() -> None:
    known: set[str] = set()
    names = [nest.name for nest in nests("grid_mirrored", "hvp")]
    assert len(names) == len(set(names))
    for nest in nests("grid_mirrored", "hvp"):
        later = set(names) - known
        assert not any(f"{name}[" in nest.text for name in later)
        known.add(nest.name)


def test_arrays_of_different_numbers_of_axes_have_no_such_form() -> None:
    formula = next(each for each in cover.COVERAGE if each.name == "linear_softmax")
    with pytest.raises(UnsupportedNode, match="the target 'c' has no text for the node"):
        FrameForm(formula, C(PRECISIONS[1]), program(formula, "c"))
