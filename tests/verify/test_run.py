"""A run passes only when everything holds: break one of each kind and it fails by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sympy import Rational

from derive.formulas import formula_of
from derive.losses import LOSSES, SUBJECTS
from verify import accuracy, compare, native, subset
from verify.accuracy import AccuracyTable
from verify.formats import format_of
from verify.grid import solutions
from verify.run import Report, Task, Weighing, plan, run_task, verify, write_atomically
from verify.soundness import Soundness

GRADIENT = Task("soft_zlpr", "gradient")


def test_plan_names_every_topic_of_every_subject() -> None:
    planned = {(task.loss, task.topic) for task in plan()}
    accurate = [*LOSSES, "subset", "solutions"]
    topics = {(name, topic) for name, subject in SUBJECTS.items() for topic in subject.topics}
    assert planned == topics | {(name, None) for name in accurate}


def test_the_distribution_over_subsets_goes_with_its_loss() -> None:
    assert Task("subset") in plan(["combination_softmax"])
    assert Task("subset") not in plan(["zlpr"])
    assert all(task.topic for task in plan(["lattice"]))


def test_the_certified_examples_go_with_their_loss() -> None:
    assert Task("solutions") in plan(["grid_truncated"])
    assert Task("solutions") not in plan(["grid_pairwise"])
    assert verify([Task("solutions")]).passed


def test_plan_refuses_a_loss_that_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"no loss is named 'zplr': choose one of .*zlpr"):
        plan(["zplr"])


def test_a_derivation_that_holds_passes() -> None:
    heard: list[Task] = []
    report = verify([GRADIENT], progress=heard.append)
    assert report.passed, report.problems
    assert heard == [GRADIENT]
    (outcome,) = report.derivations
    assert outcome.holds and outcome.trials and not outcome.escaped
    assert all(trial.caught or trial.still_true for trial in outcome.trials)


def test_an_empty_report_does_not_pass() -> None:
    assert not Report().passed


def test_a_broken_step_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LOSSES["soft_zlpr"]
    monkeypatch.setitem(SUBJECTS, "soft_zlpr", replace(loss, gradient=-loss.gradient))
    report = verify([GRADIENT])
    assert not report.passed
    assert any("soft_zlpr.gradient" in line and "refuted" in line for line in report.problems)


def test_code_that_rests_on_a_broken_step_is_reported_and_not_emitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = LOSSES["zlpr"]
    monkeypatch.setitem(LOSSES, "zlpr", replace(loss, gradient=2 * loss.gradient))
    formula_of.cache_clear()
    report = verify([Task("zlpr")])
    formula_of.cache_clear()
    assert not report.passed
    refused = sum("zlpr.gradient: step" in line for line in report.problems)
    assert refused == len(("mpmath", "numpy", *native.targets(long=False)))


def test_a_false_claim_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document's factor: with sigma(s) for sigma(2s) the squares no longer add up."""
    loss = LOSSES["soft_zlpr"]
    monkeypatch.setitem(SUBJECTS, "soft_zlpr", replace(loss, squares=loss.squares * Rational(1, 2)))
    report = verify([Task("soft_zlpr", "convexity")])
    assert not report.passed
    assert any("soft_zlpr.convexity" in line for line in report.problems)


def test_a_bound_that_is_passed_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "BOUNDS", {**accuracy.BOUNDS, "float64": 0.1})
    report = verify([Task("zlpr")])
    assert not report.passed
    assert any("float64 is off by" in line for line in report.problems)


def test_a_mutant_that_escapes_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_task(GRADIENT)
    escaped = [replace(trial, caught=False, still_true=False) for trial in outcome.trials[:1]]
    report = Report([replace(outcome, trials=tuple(escaped))])
    assert not report.passed
    assert "was not refuted" in report.problems[0]


def test_the_soundness_figure_counts_every_mutant_and_explains_the_true_ones() -> None:
    report = verify([Task("unified", "gradient"), Weighing("9158-i")])
    derived, stated = report.soundness["derivations"], report.soundness["ledger"]
    (outcome,), (judgement,) = report.derivations, report.ledger
    assert derived.tried == len(outcome.trials) and stated.tried == len(judgement.trials)
    for figure in (derived, stated, derived + stated):
        assert figure.refuted + len(figure.explained) + len(figure.escaped) == figure.tried
        assert figure.refuted > 0 and not figure.escaped
        assert all(trial.evidence.startswith("proved (") for trial in figure.explained)
        data = json.loads(json.dumps(figure.as_dict()))
        assert len(data["explained"]) == data["true_as_well"]
    assert (derived + stated).tried == derived.tried + stated.tried


def test_a_mutant_that_escapes_is_named_in_the_figure() -> None:
    outcome = run_task(GRADIENT)
    escaped = replace(outcome.trials[0], caught=False, still_true=False)
    figure = Soundness.of([escaped, *outcome.trials[1:]])
    assert figure.escaped == (escaped,)
    assert figure.describe().endswith("1 escaped")


def test_what_a_zero_forces_is_mutated_too() -> None:
    trials = run_task(Task("soft_zlpr", "convexity")).trials
    (shifted,) = [trial for trial in trials if trial.change == "root shifted by 1"]
    assert shifted.caught and "left 0" in shifted.evidence


def test_a_distribution_that_is_off_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [case for case in subset.cases(format_of("float64")) if case.name == "all-3.7"]
    monkeypatch.setattr(subset, "cases", lambda form, long: few)
    monkeypatch.setattr(subset, "check_draws", lambda size: [])
    assert verify([Task("subset")]).passed
    monkeypatch.setattr(subset, "BOUNDS", {"float64": 1e-18})
    report = verify([Task("subset")])
    assert not report.passed and not json.loads(json.dumps(report.as_dict()))["passed"]
    assert any("subset: inclusion of ties in float64 is off by" in x for x in report.problems)


def test_labels_that_are_not_certified_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    start = solutions.SHARED.starts[0]
    same = replace(solutions.SHARED, starts=(start, start))
    monkeypatch.setattr(solutions, "SHARED", same)
    report = verify([Task("solutions")])
    assert report.problems == ["solutions: 0 of 2 are distinct"]
    assert not json.loads(json.dumps(report.as_dict()))["passed"]


def test_worker_processes_find_the_same() -> None:
    tasks = [GRADIENT, Task("zlpr", "threshold")]
    alone, together = verify(tasks, jobs=1), verify(tasks, jobs=2)
    key = {o.id: (o.steps, o.trials) for o in alone.derivations}
    assert key == {o.id: (o.steps, o.trials) for o in together.derivations}


def test_the_report_is_plain_data() -> None:
    data = json.loads(json.dumps(verify([GRADIENT]).as_dict(), allow_nan=False))
    (derivation,) = data["derivations"]
    assert data["passed"] is True
    assert derivation["verdict"] == "proved"
    assert {"sympy", "numpy", "python-flint"} <= set(data["versions"])


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_atomically(target, {"passed": True})
    with pytest.raises(TypeError):
        write_atomically(target, {"passed": object()})
    assert json.loads(target.read_text()) == {"passed": True}
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_missing_coverage_is_a_problem_of_a_full_run_only() -> None:
    coverage = compare.Coverage()
    coverage.smallest_loss = "none above 0"
    found = [compare.Comparison(name, AccuracyTable(), coverage) for name in LOSSES]
    assert Report(comparisons=found).not_covered
    assert not Report(comparisons=found[:1]).not_covered
