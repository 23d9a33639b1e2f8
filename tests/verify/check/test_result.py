"""A result as data, as text, as a page, and as an assertion."""

from __future__ import annotations

import json

import pytest

from verify.check import VERDICTS, Mismatch, Options, Result, examine
from verify.check.page import page_of
from verify.check.show import as_text


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
    assert "equal only in a stated range" in page
    assert "<script" not in page and 'rel="stylesheet"' not in page
    escaped = page_of(Result("<b>", "zlpr", "does-not-run", "nothing", detail="<i>"))
    assert "<b>" not in escaped.split("<body>")[1].split("</h1>")[1].split("<dl>")[0]


def test_assert_matches(wrong):
    with pytest.raises(Mismatch, match="equal only in a stated range"):
        wrong.assert_matches()
    wrong.assert_matches(allow=["limited-range"])
