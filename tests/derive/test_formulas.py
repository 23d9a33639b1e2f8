"""What is emitted is what is proved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from derive.emit import TARGETS, emit
from derive.formulas import QUANTITIES, NotProved, formula_of, proved
from derive.losses import LOSSES


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", LOSSES)
def test_every_quantity_of_every_loss_is_emitted_for_every_target(name: str, quantity: str) -> None:
    formula = formula_of(name, quantity)
    assert formula.claims[0] == f"{name}.{quantity}"
    for target in TARGETS:
        assert formula.claims[0] in emit(formula, target)


def test_the_expression_is_the_result_of_the_derivation() -> None:
    loss = LOSSES["soft_zlpr"]
    assert formula_of("soft_zlpr", "gradient").expression == loss.derive("gradient").result


def test_nothing_rests_on_a_derivation_that_does_not_hold() -> None:
    loss = LOSSES["soft_zlpr"]
    with pytest.raises(NotProved, match=r"soft_zlpr\.gradient: step .* is refuted"):
        proved(replace(loss, gradient=2 * loss.gradient), "gradient")


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no loss is named 'bce': choose one of softmax_cross"):
        formula_of("bce", "value")
    with pytest.raises(ValueError, match=r"no quantity 'jacobian': choose one of value, gradient"):
        formula_of("zlpr", "jacobian")
