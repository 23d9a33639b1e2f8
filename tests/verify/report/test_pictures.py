"""Pictures: what is long, far to the right or dark is what is large."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from markupsafe import Markup

from verify.accuracy import Line, Worst
from verify.ledger import Verdict
from verify.newton import NewtonMap
from verify.report.pictures import Bar, error_plot, newton_map, verdict_bars


def drawn(picture: Markup, kind: str) -> list[Element]:
    """The elements of that class."""
    root = ElementTree.fromstring(str(picture))
    return [node for node in root.iter() if kind in node.get("class", "").split()]


def line(error: float, quantity: str = "value", dtype: str = "float64") -> Line:
    """A line whose largest error is that."""
    worst = Worst(error, "sample", 0, 1.0, "1", "1", 2, "s = (0, 1)")
    return Line("zlpr", "core", quantity, dtype, 10, worst)


def test_a_part_is_as_long_as_there_are_statements():
    counts = {Verdict.PROVED: 30, Verdict.REFUTED: 10, Verdict.EMPIRICAL: 1}
    parts = drawn(verdict_bars([Bar("9064", "9064.html", counts)]), "part")
    proved, refuted, empirical = (float(part.get("width", "")) + 1.5 for part in parts)
    assert proved == pytest.approx(3 * refuted, abs=0.2)
    assert refuted == pytest.approx(10 * empirical, abs=1)
    ends = float(parts[-1].get("x", "")) + empirical
    assert ends < 720


def test_a_bar_leads_to_its_statements_and_is_put_in_words():
    bars = [Bar("9064", "9064.html", {Verdict.REFUTED: 21}), Bar("own", "own.html", {})]
    picture = verdict_bars(bars)
    assert 'href="9064.html?verdict=refuted"' in picture
    assert 'aria-label="Verdicts by document. 9064: 21 refuted; own: "' in picture
    assert [node.text for node in drawn(picture, "number")] == ["21"]


def test_a_larger_error_stands_further_right_and_the_largest_at_the_end():
    errors = (0.0, 0.01, 0.5, 1.0, 3.9, 50.0, 1e9, float("inf"))
    marks = [drawn(error_plot([line(error)]), "m-value")[0] for error in errors]
    places = [float(mark.get("cx", "")) for mark in marks]
    assert places == sorted(places)
    assert places[0] == places[1] and places[-1] == places[-2] <= 720
    assert places[3] < float(drawn(error_plot([line(1.0)]), "bound")[0].get("x", "")) < places[5]


def test_what_is_beyond_its_bound_is_marked():
    assert drawn(error_plot([line(3.9)]), "beyond") == []
    (beyond,) = drawn(error_plot([line(4.1, "hvp")]), "beyond")
    assert re.search(r"zlpr, hvp: 4\.1 ulp", "".join(beyond.itertext()))


def test_a_square_is_as_dark_as_digits_are_lost():
    errors = ((1e-16, 1e-8), (1.0, float("inf")))
    marks = {1.0: ((False, False), (False, True))}
    picture = newton_map(NewtonMap(8, (0.1, 30.0), (1, 4), errors, errors, marks))
    lost = [node.get("style", "") for node in drawn(picture, "heat")]
    assert lost == ["--lost:0.00", "--lost:0.50", "--lost:1.00", "--lost:1.00"]
    words = ["".join(node.itertext()) for node in drawn(picture, "heat")]
    assert words[0].startswith("spread 0.1, k = 1: 1.0e-16") and words[3].endswith("no number")
