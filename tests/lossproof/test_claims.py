"""The ledger on the command line: table, story, JSON, and its part in ``lossproof verify``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from lossproof.claims import show_table
from lossproof.cli import main
from verify import ledger
from verify.ledger import ENTRIES, select
from verify.ledger.entry import Verdict

KEYS = ("id", "document", "place", "statement", "assumptions", "verdict", "evidence")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    yield tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_claims_lists_every_statement_with_its_verdict() -> None:
    result = call("claims")
    assert result.exit_code == 0
    assert all(name in result.output for name in ENTRIES)
    assert f"{len(ENTRIES)} statements: " in result.output


def test_claims_by_document_and_verdict() -> None:
    output = call("claims", "--document", "9158", "--verdict", "refuted").output
    chosen = {entry.id for entry in select(["9158"], ["refuted"])}
    assert {line.split()[0] for line in output.splitlines() if line[:5] in ("9158-", " 9158")} == (
        chosen
    )


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_on_a_terminal_of_any_width_nothing_is_cut_off(width: int) -> None:
    console = Console(width=width, file=io.StringIO())
    entries = select(["9158"])
    show_table(console, entries)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    words = set(text.split())
    for entry in entries:
        assert {entry.id, str(entry.verdict)} <= words
        assert {word for word in entry.says.split() if len(word) < 12} <= words


def test_brackets_in_a_statement_are_shown() -> None:
    console = Console(width=120, file=io.StringIO())
    show_table(console, [replace(ENTRIES["9158-m"], says="labels in [0, 1] and [i = j]")])
    assert "labels in [0, 1] and [i = j]" in console.file.getvalue()


def test_claims_as_a_list_of_objects() -> None:
    result = call("claims", "9158-q", "--json")
    assert result.exit_code == 0
    (found,) = json.loads(result.output)
    assert set(KEYS) | {"counterexample", "correction"} <= set(found)
    assert found["verdict"] == found["computed"] == "refuted"
    assert "-0.854983135923" in found["counterexample"]
    assert found["correction"] == "own-grid-decoding"
    assert found["problems"] == []


def test_the_story_of_a_refuted_statement_has_numbers_and_what_holds_instead() -> None:
    output = call("claims", "9158-m").output
    assert "verdict: refuted" in output
    assert "counterexample: m = 2, n = 2" in output
    assert "what holds instead: " in output and "own-grid-plain-share, proved" in output


def test_the_story_of_a_proved_statement_has_its_derivation() -> None:
    output = call("claims", "9158-i").output
    assert "verdict: proved" in output
    assert "grid.constant-sum-hard:" in output and "steps proved for every n" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("claims", "9158-jj"), "no statement has the id '9158-jj': did you mean"),
        (("claims", "--document", "12"), "no document 12: the documents are"),
        (("claims", "--verdict", "right"), "no verdict 'right': choose one of proved"),
        (("verify", "--only", "9158-jj"), "no statement is named '9158-jj': did you mean"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(arguments: tuple[str, ...], told: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_verify_only_a_statement_and_then_not_again() -> None:
    first = call("verify", "--only", "9158-m", "--jobs", "1")
    assert first.exit_code == 0, first.output
    assert "ledger: 1 of 1 statements as recorded" in first.output
    assert "refuted" in first.output
    assert "unchanged" not in first.output
    assert "1 of 1 unchanged since an earlier run" in call("verify", "--only", "9158-m").output
    assert "unchanged" not in call("verify", "--only", "9158-m", "--fresh").output


def test_verify_fails_on_a_wrong_record(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(ENTRIES["9158-m"], verdict=Verdict.PROVED)
    monkeypatch.setitem(ledger.ENTRIES, "9158-m", wrong)
    result = call("verify", "--only", "9158-m", "--jobs", "1")
    assert result.exit_code == 1
    assert "9158-m: recorded proved, computed refuted" in result.output


def test_the_report_of_verify_has_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = call("verify", "--only", "9158-m", "--jobs", "1", "--json", str(file))
    assert result.exit_code == 0, result.output
    (judgement,) = json.loads(file.read_text())["ledger"]
    assert judgement["id"] == "9158-m" and judgement["computed"] == "refuted"
