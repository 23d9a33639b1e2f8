"""A report replaces a report whole, and nothing else ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from verify.report import folder as module
from verify.report.folder import LISTING, check_folder, replace_folder

FIRST = {"index.html": "one", "old.html": "gone later"}
SECOND = {"index.html": "two"}


def contents(folder: Path) -> dict[str, str]:
    """The files of a site but for its list of files."""
    return {p.name: p.read_text() for p in folder.iterdir() if p.name != LISTING}


def test_it_is_written_and_replaced_whole(tmp_path: Path):
    folder = tmp_path / "report"
    replace_folder(folder, FIRST)
    assert contents(folder) == FIRST
    replace_folder(folder, SECOND)
    assert contents(folder) == SECOND
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_an_empty_folder_and_a_link_to_one_are_taken(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    replace_folder(tmp_path / "link", FIRST)
    assert contents(tmp_path / "empty") == FIRST
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("beside", [{}, FIRST], ids=["alone", "in a report"])
def test_a_foreign_file_is_never_lost(tmp_path: Path, beside: dict[str, str]):
    folder = tmp_path / "report"
    if beside:
        replace_folder(folder, beside)
    folder.mkdir(exist_ok=True)
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"it holds thesis\.tex, which no report has"):
        replace_folder(folder, SECOND)
    assert contents(folder) == {**beside, "thesis.tex": "years of work"}


def test_a_list_of_somebody_else_makes_no_report(tmp_path: Path):
    (tmp_path / LISTING).write_text("thesis.tex\n")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="which no report has"):
        check_folder(tmp_path)


def test_a_file_and_a_folder_in_no_folder_are_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="it is a file, a folder is expected"):
        check_folder(tmp_path / "file")
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        check_folder(tmp_path / "nowhere" / "report")


def test_what_breaks_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "report"
    replace_folder(folder, FIRST)

    def fails(self: Path, target: Path) -> None:
        if target == folder.resolve() and "old" not in self.name:
            raise OSError("no space left on device")
        moved(self, target)

    moved = Path.rename
    monkeypatch.setattr(module.Path, "rename", fails)
    with pytest.raises(OSError, match="no space left"):
        replace_folder(folder, SECOND)
    assert contents(folder) == FIRST
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_others_may_read_it_as_they_may_read_any_new_folder(tmp_path: Path):
    replace_folder(tmp_path / "report", FIRST)
    (tmp_path / "new").mkdir()
    assert (tmp_path / "report").stat().st_mode == (tmp_path / "new").stat().st_mode
