"""A result as data, as text, as a page, and as an assertion."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from verify.check import VERDICTS, Mismatch, Options, Result, examine
from verify.check.cases import CLASSES
from verify.check.causes import CAUSES
from verify.check.page import page_of
from verify.check.show import as_text, show


@pytest.fixture(scope="module")
def wrong(toys):
    return examine(toys.zlpr_of_exp, "zlpr", Options(budget=5))


def test_json_and_back(wrong):
    text = json.dumps(wrong.as_dict(), allow_nan=False)
    assert Result.from_dict(json.loads(text)) == wrong
    data = json.loads(text)
    assert {"verdict", "range", "findings", "assumed", "reproducer"} <= data.keys()
    assert data["verdict"] in VERDICTS


def test_text_says_verdict_range_and_input(wrong):
    text = as_text(wrong)
    assert text.startswith("equal only in a stated range")
    for words in ("right for", "called as", "scores", "expected", "to reproduce"):
        assert words in text


def test_the_screen_shows_the_same_text_and_code_as_it_is(wrong, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = replace(wrong, target="losses[i]:smile:[bold]", detail="[red]s[0][/red] 1.5")
    for colour in (None, "truecolor"):
        out = StringIO()
        show(result, Console(file=out, width=100, color_system=colour, force_terminal=True))
        assert re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) == as_text(result)
        assert ("\x1b[1;33m" in out.getvalue()) is (colour is not None)


def test_the_reproducer_runs_and_shows_the_fault(wrong, toys, monkeypatch, capsys):
    script = wrong.reproducer
    scope = {"zlpr_of_exp": toys.zlpr_of_exp}
    lines = [x for x in script.splitlines() if not x.startswith("from check_toys")]
    with pytest.warns(RuntimeWarning):
        exec("\n".join(lines), scope)
    got = wrong.findings[0].got
    assert got in capsys.readouterr().out


def test_the_page_stands_alone(wrong):
    page = page_of(wrong)
    assert "Equal only in a stated range" in page
    assert "<script" not in page and 'rel="stylesheet"' not in page and 'src="' not in page


def test_the_page_tells_cause_cure_input_and_what_the_rows_are(wrong):
    page = html.unescape(page_of(wrong))
    first = wrong.findings[0]
    cause = CAUSES[first.cause]
    assert cause.title[1:] in page and cause.why[1:] in page and cause.cure[1:] in page
    assert f"{first.kind}: {CLASSES[first.kind]}" in page
    assert f'<code class="got">{first.got}</code>' in page
    assert wrong.reproducer.splitlines()[-1] in page


def test_the_page_escapes_what_code_is_called():
    page = page_of(Result("<b>", "zlpr", "does-not-run", "nothing", detail="<i>"))
    assert "&lt;b&gt;" in page and "<b>" not in page.split("<h1>")[0] and "<i>" not in page


def test_assert_matches(wrong):
    # pytest's summary shows the first line
    with pytest.raises(Mismatch, match=r"^equal only in a stated range"):
        wrong.assert_matches()
    wrong.assert_matches(allow=["limited-range"])


def test_equality_says_to_how_much_of_what(toys):
    options = Options(excluding=("mask -inf",), budget=5)
    result = examine(toys.zlpr, "zlpr", options)
    assert result.equality.startswith("equal, to 0.") and "max(1, |loss|, |s|)" in result.equality
    assert result.equality.endswith(f"over {result.range}")
    assert result.equality in " ".join(as_text(result).split())
    assert result.as_dict()["unit"] == result.unit
    assert examine(toys.half_zlpr, "zlpr", options).equality == ""


def test_lines_break_between_words_and_code_never(wrong):
    lines = as_text(wrong, width=48).splitlines()
    code = wrong.reproducer.rstrip().splitlines()
    assert any(len(line) > 48 for line in code)
    assert all(line in lines for line in code)
    assert all(len(line) <= 48 for line in lines if line not in code)
    assert not any(line.endswith(" ") for line in lines)


def test_lost_digits_are_told_by_dtype(toys):
    def by_log(scores, labels):
        up, down = (
            np.exp(s).sum(-1, where=y > 0) for s, y in ((scores, 1 - labels), (-scores, labels))
        )
        return np.log((1 + up) * (1 + down))

    result = examine(
        by_log, "zlpr", Options(excluding=("large", "huge"), dtypes=["float64"], budget=5)
    )
    (note,) = (f for f in result.findings if f.words.startswith("small losses lose digits"))
    assert "all below" in note.words and "in float64" in note.words


def test_numbers_that_print_alike_are_told_apart(toys):
    def nearly(scores, labels):
        return toys.zlpr(scores, labels) * (1 + 3e-11)

    result = examine(nearly, "zlpr", Options(dtypes=["float64"], budget=5))
    assert all(f.got != f.expected for f in result.findings if f.severity == "failure")


def test_unknown_rows_and_dtypes_are_errors(toys):
    with pytest.raises(
        ValueError, match="unknown class of rows 'nosuch': expected one of ordinary"
    ):
        examine(toys.zlpr, "zlpr", Options(excluding=["nosuch"]))
    with pytest.raises(ValueError, match="unknown dtype 'fp16': expected one of float64"):
        examine(toys.zlpr, "zlpr", Options(dtypes=["fp16"]))
