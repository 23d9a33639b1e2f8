"""The theory of the n x m losses: every topic proved, and the theorems against numbers.

The id of a test is the id of the derivation, so that a red test names the mathematics.
"""

from __future__ import annotations

import pytest

from derive.decide import Proved
from derive.grid import GRID


@pytest.mark.parametrize("topic", GRID.topics, ids=[f"grid.{n}" for n in GRID.topics])
def test_derivation_holds(topic: str):
    derivation = GRID.derive(topic)
    assert derivation.id == f"grid.{topic}"
    assert derivation.steps
    for step in derivation.steps:
        assert isinstance(step.decision, Proved), f"{step.rule}: {step.decision}"
    assert derivation.holds
    assert not derivation.to("one too many", derivation.result + 1).holds
