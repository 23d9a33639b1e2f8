"""The loop form: passes over a row, and what they need."""

from __future__ import annotations

import pytest
from rows import LOSSES

from derive.emit import UnsupportedNode
from derive.emit.loops import loop_form
from derive.formulas import formula_of

QUANTITIES = ("value", "gradient", "value_and_grad", "hvp")


def kinds(loss: str, quantity: str) -> list[set[str]]:
    """What each pass reduces and stores."""
    form = loop_form(formula_of(loss, quantity), "c")
    return [
        {form.ops[number].kind for number in (*run.reductions, *run.stores)} for run in form.passes
    ]


@pytest.mark.parametrize("loss", ["soft_zlpr", "zlpr", "unified"])
def test_maxima_then_sums_then_the_gradient(loss: str) -> None:
    assert kinds(loss, "value_and_grad") == [{"max"}, {"sum"}, {"result"}]


def test_binary_cross_entropy_is_one_pass() -> None:
    assert kinds("binary_cross_entropy", "value_and_grad") == [{"sum", "result"}]


def test_value_and_gradient_of_softmax_share_the_last_pass() -> None:
    assert kinds("softmax_cross_entropy", "value_and_grad") == [{"max"}, {"sum"}, {"sum", "result"}]


def test_no_pass_looks_for_a_place_where_ties_can_be_counted() -> None:
    form = loop_form(formula_of("softmax_cross_entropy", "value"), "c")
    reduced = [form.ops[number].kind for run in form.passes for number in run.reductions]
    assert "first" not in reduced
    assert reduced.count("max") == 1


def test_the_place_of_the_largest_takes_a_pass_of_its_own() -> None:
    assert [kind for kind in kinds("max_hinge", "gradient") if "first" in kind] == [{"first"}]


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_is_used_before_it_is_known(loss: str, quantity: str) -> None:
    form = loop_form(formula_of(loss, quantity), "c")
    known = set(form.before)
    for run in form.passes:
        entries = set(run.entries)
        for number in run.entries:
            assert set(form.ops[number].operands) <= known | entries
        for number in (*run.reductions, *run.stores):
            assert set(form.ops[number].operands) <= known | entries
        known |= set(run.reductions)
        for number in run.after:
            assert set(form.ops[number].operands) <= known
            known.add(number)
    for number in form.values:
        assert set(form.ops[number].operands) <= known


@pytest.mark.parametrize(
    ("loss", "quantity"),
    [("soft_zlpr", "hessian"), ("order_r", "value"), ("grid_centered", "value")],
)
def test_what_is_no_loop_over_a_row_is_named(loss: str, quantity: str) -> None:
    with pytest.raises(UnsupportedNode, match="the target 'c' has no text for the node"):
        loop_form(formula_of(loss, quantity), "c")
