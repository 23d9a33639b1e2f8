"""A loss of one's own as a symbolic expression: value and gradient are those of the oracle."""

from __future__ import annotations

import pytest
from sympy import Symbol, exp, log

from derive.axis import array, labels_axis, total
from derive.losses import LOSSES
from verify.check import Options, examine, specification_of

i = labels_axis().index("i")
s, t = array("s"), array("t")
BCE = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)
ROW = ([1.5, -0.25, 3.0], [0.0, 0.5, 1.0])


def test_an_expression_gives_what_the_oracle_gives():
    own, ours = (
        specification_of(BCE).truth(*ROW),
        specification_of("binary_cross_entropy").truth(*ROW),
    )
    assert own.value.overlaps(ours.value)
    assert all(a.overlaps(b) for a, b in zip(own.gradient, ours.gradient, strict=True))


def test_a_symbolic_loss_is_taken_with_its_facts():
    spec = specification_of(LOSSES["zlpr"])
    assert not spec.soft
    assert spec.value(*([2.0, -1.0], [1.0, 0.0])) == pytest.approx(
        specification_of("zlpr").value([2.0, -1.0], [1.0, 0.0]), abs=0, rel=1e-15
    )


def test_parameters_of_an_expression_must_be_given():
    scaled = BCE.xreplace({s[i]: Symbol("c", real=True) * s[i]})
    with pytest.raises(ValueError, match="has the parameter c"):
        specification_of(scaled)
    assert specification_of(scaled, {"c": 1.0}).value(*ROW) == pytest.approx(
        specification_of(BCE).value(*ROW)
    )


def test_scores_and_labels_must_be_told_apart():
    with pytest.raises(ValueError, match="expected one of scores and one of labels"):
        specification_of(total(s[i], i))
    with pytest.raises(ValueError, match="cannot hold anything against"):
        specification_of(7)


def test_code_is_held_against_an_expression_in_a_file(toys, tmp_path):
    path = tmp_path / "my_losses.py"
    path.write_text(
        "from sympy import exp, log\n"
        "from derive.axis import array, labels_axis, total\n"
        'i = labels_axis().index("i")\n'
        's, t = array("s"), array("t")\n'
        "spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)\n"
    )
    right = examine(toys.binary, f"{path}:spec", Options(budget=5))
    assert right.verdict == "equal"
    assert examine(toys.zlpr, f"{path}:spec", Options(budget=5)).verdict == "different"
