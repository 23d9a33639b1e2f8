"""Runs in processes of their own: sources that change between them, Ctrl-C in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lossproof

ROOT = Path(lossproof.__file__).parents[1]
PACKAGES = ("derive", "numeric_core", "verify", "lossproof")
# Longer than the first judgements take on a busy machine.
PATIENCE = 120.0
# `python -m lossproof`.  A shell without job control makes what it starts with & deaf to Ctrl-C,
# and all that this starts in turn.
HEARING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("lossproof", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the packages, whose sources may be changed."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / "src" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path / "src"


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`lossproof verify` in the copy, in a process group of its own, with its own cache."""
    return subprocess.Popen(
        [sys.executable, "-c", HEARING, "verify", *arguments],
        cwd=folder,
        env={**os.environ, "LOSSPROOF_CACHE": str(folder.parent / "cache"), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    process = begin(folder, *arguments)
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


def test_a_changed_source_is_seen_and_another_is_not(checkout: Path) -> None:
    only = ("--only", "9158-m", "--jobs", "1")
    assert run(checkout, *only)[0] == 0
    other = checkout / "verify" / "ledger" / "sce.py"
    other.write_text(other.read_text() + "\n# Of no account.\n")
    code, output = run(checkout, *only)
    assert code == 0 and "1 of 1 unchanged" in output
    own = checkout / "verify" / "ledger" / "d9158" / "analysis.py"
    entry = own.read_text()
    at = entry.index("REFUTED", entry.index('"m",'))
    own.write_text(entry[:at] + "PROVED" + entry[at + len("REFUTED") :])
    code, output = run(checkout, *only)
    assert code == 1 and "unchanged" not in output
    assert "9158-m: recorded proved, computed refuted" in output


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_leaves_the_last_report(jobs: str, checkout: Path) -> None:
    report = checkout.parent / "report.json"
    report.write_text("the last report")
    process = begin(checkout, "--only", "9064", "--jobs", jobs, "--json", str(report))
    kept = checkout.parent / "cache" / "ledger"
    wait_for(lambda: kept.is_dir() and len(list(kept.glob("*.json"))) >= 3)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert "what was done is kept: run it again to go on" in output
    assert "Traceback" not in output
    assert report.read_text() == "the last report"
    assert [file.name for file in checkout.parent.glob("report*")] == ["report.json"]
    done = sorted(file.stem for file in kept.glob("*.json"))[:2]
    code, output = run(checkout, *(word for name in done for word in ("--only", name)))
    assert code == 0 and "2 of 2 unchanged" in output


def wait_for(condition: object) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
