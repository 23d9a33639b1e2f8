"""The command line: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flint import arb

import lossproof
from derive.losses import LOSSES, SUBJECTS
from lossproof import selection
from lossproof.cli import main
from lossproof.selection import Selection, selected
from verify import ledger, run
from verify.ledger.balls import Enclosure
from verify.ledger.entry import Verdict
from verify.ledger.evidence import Contrary, Witnessed


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


# What turns a run red, by name --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verdict"), [("9158-m", Verdict.PROVED), ("9158-4", Verdict.EMPIRICAL)]
)
def test_a_wrong_record_in_either_direction_turns_the_run_red(
    name: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("verify", "--only", name, "--jobs", "1").exit_code == 0
    right = ledger.ENTRIES[name]
    monkeypatch.setitem(ledger.ENTRIES, name, replace(right, verdict=verdict))
    result = call("verify", "--only", name, "--jobs", "1")
    assert result.exit_code == 1
    assert f"{name}: recorded {verdict}, computed {right.verdict}" in result.output


def test_a_true_statement_that_is_recorded_as_refuted_turns_the_run_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = replace(ledger.ENTRIES["9158-i"], verdict=Verdict.REFUTED, correction="own-grid")
    monkeypatch.setitem(ledger.ENTRIES, "9158-i", wrong)
    result = call("verify", "--only", "9158-i", "--jobs", "1")
    assert result.exit_code == 1
    assert "9158-i: recorded refuted, computed proved" in result.output


def test_a_broken_proof_turns_the_run_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """SCE-11 rests on the gradient of softmax cross-entropy, which is given a factor here."""
    loss = SUBJECTS["softmax_cross_entropy"]
    broken = replace(loss, gradient=2 * loss.gradient)
    monkeypatch.setitem(SUBJECTS, "softmax_cross_entropy", broken)
    result = call("verify", "--only", "SCE-11", "--jobs", "1")
    assert result.exit_code == 1
    assert "SCE-11: recorded proved, computed undecided" in result.output


def test_a_flaky_counterexample_turns_the_run_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balls that still overlap separate nothing, however far apart their midpoints are."""
    wide = [Enclosure("n = 1", arb(1, 0.5), "<", arb(1.2, 0.5))]
    flaky = replace(ledger.ENTRIES["9158-m"], evidence=Contrary("less", Witnessed(lambda: wide)))
    monkeypatch.setitem(ledger.ENTRIES, "9158-m", flaky)
    result = call("verify", "--only", "9158-m", "--jobs", "1")
    assert result.exit_code == 1
    assert "9158-m: recorded refuted, computed undecided" in result.output


# --only -------------------------------------------------------------------------------------------


def test_a_family_is_its_losses_and_the_statements_that_rest_on_them() -> None:
    chosen = selected(["zlpr"])
    assert set(chosen.subjects) == {n for n, loss in LOSSES.items() if loss.family == "zlpr"}
    assert {"zlpr", "soft_zlpr", "binary_cross_entropy"} <= set(chosen.subjects)
    assert chosen.ids
    for name in chosen.ids:
        resting = {subject for subject, _ in ledger.ENTRIES[name].evidence.derivations}
        assert resting & set(chosen.subjects)


def test_a_theory_goes_with_the_family_of_its_name() -> None:
    assert {"grid", "grid_truncated", "grid_pairwise"} <= set(selected(["grid"]).subjects)
    assert selected(["soft_zlpr"]).subjects == ("soft_zlpr",)
    assert selected(["lattice"]).subjects == ("lattice",)


def test_a_document_is_all_of_its_statements() -> None:
    chosen = selected(["9158", "7359-1"])
    of_document = {n for n, entry in ledger.ENTRIES.items() if entry.document == "9158"}
    assert set(chosen.ids) == of_document | {"7359-1"}
    assert chosen.subjects == ()


def test_without_a_name_all_is_selected() -> None:
    assert selected([]) == Selection(tuple(SUBJECTS), tuple(ledger.ENTRIES))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("softzlpr", "did you mean soft_zlpr"),
        ("9159", "did you mean 9158"),
        ("9158-mm", "no statement is named '9158-mm': did you mean 9158-m"),
        ("qqqq", "the families are softmax, "),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        selected([name])


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


def test_emit_finds_its_text_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    first = call("emit", "hinge", "value").output

    def never(*_: object) -> None:
        raise AssertionError("derived anew")

    monkeypatch.setattr("derive.formulas.formula_of", never)
    assert call("emit", "hinge", "value").output == first
    monkeypatch.setattr("lossproof.kept._digest", lambda: "other sources")
    again = call("emit", "hinge", "value")
    assert isinstance(again.exception, AssertionError), again.output


def test_emit_imports_what_it_needs() -> None:
    """A text that is found again needs no algebra, and one that is made anew no arrays."""
    code = (
        "import sys; from click.testing import CliRunner; from lossproof.cli import main\n"
        "for _ in range(2):\n"
        "    print(sorted({'sympy', 'numpy', 'torch', 'rich'} & set(sys.modules)))\n"
        "    assert CliRunner().invoke(main, ['emit', 'hinge', 'value']).exit_code == 0\n"
        "print(sorted({'sympy', 'numpy', 'torch', 'rich'} & set(sys.modules)))\n"
    )
    for expected in (["[]", "['sympy']", "['sympy']"], ["[]", "[]", "[]"]):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.split("\n")[:3] == expected, done.stderr


def test_emit_keeps_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    for _ in range(2):
        refused = call("emit", "zlpr", "value", "--target", "fortran")
        assert refused.exit_code == 2 and "there is no target 'fortran'" in refused.output
    assert not list(tmp_path.rglob("*.json"))


def test_emit_all_writes_every_target_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path / "cache"))
    given = ("emit", "--all", str(tmp_path / "out"), "--only", "hinge", "--only", "value")
    first = call(*given)
    assert first.exit_code == 0, first.output
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert {"numpy/hinge_value.py", "torch/hinge_value.py", "latex/hinge_value.tex"} <= files
    assert f"{len(files)} files written, 0 as they were" in first.output
    (tmp_path / "out/jax/hinge_value.py").write_text("changed by hand")
    assert f"1 files written, {len(files) - 1} as they were" in call(*given).output


def test_emit_all_says_what_it_does_not_take(tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    refused = call("emit", "--all", folder, "--only", "jacobian")
    assert refused.exit_code == 2
    assert "'jacobian' is neither a loss nor a quantity nor a target" in refused.output
    assert "restrict it with --only" in call("emit", "zlpr", "--all", folder).output
    assert "expected LOSS QUANTITY" in call("emit", "zlpr").output
    assert "--only goes with --all" in call("emit", "zlpr", "value", "--only", "jax").output
    assert not (tmp_path / "out").exists()


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
