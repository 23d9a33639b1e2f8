"""LaTeX as MathML: every formula of the ledger, and what a reader would see of each kind."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from derive.losses import SUBJECTS
from derive.render import trace
from verify.derived import derivation_of
from verify.ledger import ENTRIES
from verify.report.formula import formula, mathml, pieces


def tags(latex: str, name: str) -> list[str]:
    """The texts of the elements of that name."""
    root = ElementTree.fromstring(str(mathml(latex)))
    return ["".join(node.itertext()) for node in root.iter(name)]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_statement_is_converted_whole(name: str):
    entry = ENTRIES[name]
    for latex in (entry.statement, *entry.assumptions):
        assert "\\" not in re.sub(r"\\$", "", str(formula(latex)))


@pytest.mark.parametrize("name", [name for name in SUBJECTS if "gradient" in SUBJECTS[name].topics])
def test_every_step_of_a_derivation_is_converted_whole(name: str):
    shown = trace(derivation_of(name, "gradient"))
    for latex in (*shown.given, *(one for line in shown.lines for one in line.formulas)):
        assert str(mathml(latex)).startswith("<math")


@pytest.mark.parametrize(
    ("latex", "name", "expected"),
    [
        (r"\mathrm{softmax}(s_i)", "mi", ["softmax", "s", "i"]),
        (r"\mathrm{d} s", "mi", ["d", "s"]),
        (r"\arg\min_s l", "mi", ["arg", "min", "s", "l"]),
        (r"a \iff b", "mo", ["⇔"]),
        (r"\nabla^2 l \succeq 0", "mo", ["∇", "⪰"]),
        (r"\sum_{i} t_i", "munder", ["∑i"]),
        (r"\left(\sum_{i=1}^{n} t_i\right)", "munderover", ["∑i=1n"]),
        (r"\text{mean of } k", "mtext", ["mean\xa0of\xa0"]),
    ],
)
def test_it_is_written_as_the_field_reads_it(latex: str, name: str, expected: list[str]):
    assert tags(latex, name) == expected


@pytest.mark.parametrize(
    ("latex", "spaces"),
    [(r"t \log x", 2), (r"\log x", 1), (r"\log(x)", 0), (r"- \log{\left(x\right)}", 0)],
)
def test_a_function_stands_off_its_neighbours_but_not_its_bracket(latex: str, spaces: int):
    assert len(tags(latex, "mspace")) == spaces


def test_lines_break_outside_of_brackets_only():
    assert pieces(r"a = b, \quad c = d") == ["a = b,", "c = d"]
    assert pieces(r"\{a, \; b\}, \; c") == [r"\{a,", r"b\},", "c"]
    assert pieces(r"\frac{a \; b}{c} \quad \left( x \; y \right)") == [
        r"\frac{a \; b}{c}",
        r"\left( x \; y \right)",
    ]


@pytest.mark.parametrize("latex", [r"\unheardof{x}", r"t_0_i", r"\left( x"])
def test_what_cannot_be_converted_is_an_error_that_repeats_it(latex: str):
    with pytest.raises(ValueError, match="no MathML of") as caught:
        mathml(latex)
    assert repr(latex) in str(caught.value)
