"""``lossproof verify --report DIR``: what is written when, and what is refused before the work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lossproof.cli import main
from verify import ledger
from verify.ledger.entry import Verdict


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken from what the user's own runs have found."""
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path_factory.mktemp("cache")))


def verify(folder: Path, name: str = "9158-m") -> Result:
    """The command on one statement."""
    arguments = ["verify", "--only", name, "--jobs", "1", "--report", str(folder)]
    return CliRunner().invoke(main, arguments)


def test_the_site_is_written_and_its_place_is_told(tmp_path: Path) -> None:
    result = verify(tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "report" / "index.html") in result.output.replace("\n", "")
    assert "9158-m" in (tmp_path / "report" / "9158.html").read_text()
    again = verify(tmp_path / "report", "9158-4")
    assert again.exit_code == 0, again.output
    assert 'id="9158-m"' not in (tmp_path / "report" / "9158.html").read_text()


def test_a_run_that_fails_has_its_report_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(ledger.ENTRIES["9158-m"], verdict=Verdict.PROVED)
    monkeypatch.setitem(ledger.ENTRIES, "9158-m", wrong)
    assert verify(tmp_path / "report").exit_code == 1
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["problems"] == ["9158-m: recorded proved, computed refuted"]
    assert ": recorded proved, computed refuted" in (tmp_path / "report" / "index.html").read_text()


def test_a_foreign_folder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    monkeypatch.setattr("verify.run.verify", lambda *_: pytest.fail("the work was begun"))
    result = verify(tmp_path)
    assert result.exit_code == 2
    assert "thesis.tex, which no report has" in result.output.replace("\n", " ")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_correction_that_there_is_not_breaks_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(ledger.ENTRIES["9158-m"], correction="own-nothing")
    monkeypatch.setitem(ledger.ENTRIES, "9158-m", wrong)
    assert verify(tmp_path / "report").exit_code == 0
