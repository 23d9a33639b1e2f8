"""The command line: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lossproof
from derive.losses import LOSSES, SUBJECTS
from lossproof import selection
from lossproof.cli import main
from verify import run


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is taken from what the user's own runs have found."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LOSSPROOF_CACHE", str(folder))
    return folder


@pytest.fixture
def short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of one derivation, so that the command itself is what is tested."""
    monkeypatch.setattr(run, "plan", lambda only, thorough: [run.Task("soft_zlpr", "gradient")])
    monkeypatch.setattr(selection, "ENTRIES", {})


@pytest.mark.usefixtures("short_run")
def test_verify_succeeds_and_writes_its_report(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = call("verify", "--jobs", "1", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "verified in" in result.output
    assert json.loads(file.read_text())["passed"] is True


@pytest.mark.usefixtures("short_run")
def test_verify_fails_when_a_formula_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LOSSES["soft_zlpr"]
    monkeypatch.setitem(SUBJECTS, "soft_zlpr", replace(loss, gradient=2 * loss.gradient))
    result = call("verify", "--jobs", "1")
    assert result.exit_code == 1
    assert "not verified" in result.output
    assert "soft_zlpr.gradient" in result.output


def test_verify_refuses_an_unknown_loss_and_a_missing_folder(tmp_path: Path) -> None:
    unknown = call("verify", "--only", "zplr")
    assert unknown.exit_code == 2
    assert "no statement, loss, family or document is named 'zplr': did you mean" in unknown.output
    nowhere = call("verify", "--json", str(tmp_path / "no" / "report.json"))
    assert nowhere.exit_code == 2
    assert "there is no folder" in nowhere.output


@pytest.mark.parametrize("form", ["text", "latex", "markdown"])
def test_derive_shows_a_topic_in_each_form(form: str) -> None:
    result = call("derive", "soft_zlpr", "optimum", "--format", form)
    assert result.exit_code == 0, result.output
    assert "soft_zlpr.optimum" in result.output


def test_derive_without_a_topic_shows_all() -> None:
    result = call("derive", "binary_cross_entropy")
    assert result.exit_code == 0
    for topic in LOSSES["binary_cross_entropy"].topics:
        assert f"binary_cross_entropy.{topic}:" in result.output


def test_derive_names_what_can_be_derived() -> None:
    result = call("derive", "zlpr", "optimum")
    assert result.exit_code == 2
    assert "zlpr has no derivation 'optimum': choose one of" in result.output


def test_emit_writes_a_file_that_runs(tmp_path: Path) -> None:
    file = tmp_path / "gradient.py"
    assert call("emit", "soft_zlpr", "gradient", "-o", str(file)).exit_code == 0
    program = (
        "import numpy as np; from gradient import soft_zlpr_gradient as g; "
        "print(g(np.zeros(3), np.array([1.0, 0.5, 0.0])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[-0.4", "0.", "0.4]"]


def test_emit_refuses_unknown_targets_and_quantities() -> None:
    assert (
        "there is no target 'fortran'"
        in call("emit", "zlpr", "value", "--target", "fortran").output
    )
    assert "no quantity 'jacobian'" in call("emit", "zlpr", "jacobian").output


def test_losses_lists_every_loss() -> None:
    result = call("losses")
    assert result.exit_code == 0
    assert all(name in result.output for name in ("unified", "soft_zlpr", "zlpr"))


def test_the_losses_are_importable_from_the_top() -> None:
    for name in LOSSES:
        assert callable(getattr(lossproof, name))
    assert lossproof.__version__ in call("--version").output


def test_help_is_quick_because_it_imports_no_sympy() -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom lossproof.cli import main\n"
        "CliRunner().invoke(main, ['--help'])\nprint('sympy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
