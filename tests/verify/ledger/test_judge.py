"""A wrong record, a broken proof and a flaky counterexample each turn their entry red, by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ledger_toys as toys
import pytest
from flint import arb
from survivors import false_survivors
from sympy import S

from derive.losses import SUBJECTS
from verify import ledger
from verify.cache import Cache
from verify.ledger import ENTRIES, entry_named
from verify.ledger import judge as judging
from verify.ledger.balls import Enclosure
from verify.ledger.entry import Finding, Verdict
from verify.ledger.evidence import (
    OF_NUMBERS,
    All,
    Contrary,
    Decided,
    Derived,
    Empirical,
    IllPosed,
    Outcome,
    Tried,
    Unsupported,
    Witnessed,
)
from verify.ledger.judge import Judgement, judge, judge_all
from verify.ledger.statement import above, at_least, equation

TRUE = Decided(equation(toys.SPREAD, toys.SQUARES - toys.SQUARE / toys.LABELS.size))
FALSE = Decided(equation(toys.SQUARES, toys.SQUARE))
CHEAP = ("9158-4", "9158-q", "9158-m")


def computed(evidence: object) -> Verdict:
    return judge(toys.entry(Verdict.PROVED, evidence)).computed


def test_a_true_statement_stands() -> None:
    judgement = judge(toys.entry(Verdict.PROVED, TRUE))
    assert judgement.problems == []
    assert judgement.refuted >= 5
    assert not judgement.escaped


@pytest.mark.parametrize(
    ("recorded", "evidence", "found"),
    [
        (Verdict.PROVED, FALSE, Verdict.REFUTED),
        (Verdict.REFUTED, TRUE, Verdict.PROVED),
        (Verdict.EMPIRICAL, TRUE, Verdict.PROVED),
        (Verdict.PROVED_FOR, TRUE, Verdict.PROVED),
        (Verdict.PROVED, Empirical("a survey"), Verdict.EMPIRICAL),
        (Verdict.UNSUPPORTED, Unsupported(TRUE, TRUE), Verdict.PROVED),
    ],
)
def test_a_wrong_record_is_a_failure_in_either_direction(
    recorded: Verdict, evidence: object, found: Verdict
) -> None:
    judgement = judge(toys.entry(recorded, evidence))
    assert f"toy-a: recorded {recorded}, computed {found}" in judgement.problems


def test_a_recorded_verdict_that_is_changed_is_seen_in_every_entry() -> None:
    for name in CHEAP:
        entry = replace(ENTRIES[name], verdict=Verdict.CONFIRMED)
        assert any(name in problem for problem in judge(entry).problems)


def test_a_broken_proof_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = SUBJECTS["soft_zlpr"]
    monkeypatch.setitem(SUBJECTS, "soft_zlpr", replace(loss, gradient=2 * loss.gradient))
    judgement = judge(
        toys.entry(Verdict.PROVED, Derived("soft_zlpr", "gradient", "collect the terms"))
    )
    assert "toy-a: recorded proved, computed undecided" in judgement.problems
    assert any("refuted" in line for line in judgement.lines)


def test_a_step_that_is_gone_is_seen() -> None:
    judgement = judge(toys.entry(Verdict.PROVED, Derived("soft_zlpr", "gradient", "no such rule")))
    assert judgement.computed is Verdict.UNDECIDED
    assert "soft_zlpr.gradient has no step no such rule" in judgement.lines


def test_evidence_that_breaks_is_a_failure_of_its_entry() -> None:
    judgement = judge(toys.entry(Verdict.PROVED, Derived("no_loss", "gradient", "rule")))
    assert judgement.problems == [f"toy-a: {judgement.failure}"]
    assert "broke with ValueError: no loss is named 'no_loss'" in judgement.failure


def test_a_flaky_counterexample_is_seen() -> None:
    """Balls too wide to tell: the numbers are near, but they do not separate."""
    wide = [Enclosure("toy", arb(1, 0.5), "<", arb(1.2, 0.5))]
    judgement = judge(toys.entry(Verdict.REFUTED, Contrary("why", Witnessed(lambda: wide))))
    assert judgement.problems == ["toy-a: recorded refuted, computed undecided"]
    sharp = Witnessed(lambda: toys.numbers("1", "<", "1.2"))
    assert not judge(toys.entry(Verdict.REFUTED, Contrary("why", sharp))).problems


def test_a_decision_is_the_same_each_time() -> None:
    first, second = (judge(toys.entry(Verdict.REFUTED, FALSE)) for _ in range(2))
    assert first.counterexample == second.counterexample != ""


# Verdicts ----------------------------------------------------------------------------------------


def test_numbers_never_prove() -> None:
    near = Witnessed(lambda: toys.numbers("0.5", "=", "0.5"))
    assert computed(near) is Verdict.CONFIRMED
    assert computed(Witnessed(lambda: toys.numbers("1", "<", "2"))) is Verdict.PROVED_FOR
    assert computed(Witnessed(lambda: toys.numbers("2", "<", "1"))) is Verdict.REFUTED
    assert computed(Witnessed(lambda: toys.numbers("1", "=", "2"))) is Verdict.REFUTED
    few_digits = [Enclosure("toy", arb(1, 1e-8), "=", arb(1, 1e-8))]
    assert computed(Witnessed(lambda: few_digits)) is Verdict.UNDECIDED


def test_several_parts_are_as_weak_as_the_weakest() -> None:
    certain = Witnessed(lambda: toys.numbers("1", "<", "2"))
    assert computed(All(TRUE, certain)) is Verdict.PROVED_FOR
    assert computed(All(TRUE, FALSE, certain)) is Verdict.REFUTED
    weighed = judge(toys.entry(Verdict.PROVED_FOR, All(TRUE, certain)))
    assert weighed.lines[-1] == f"decided {OF_NUMBERS}"
    refuted = judge(toys.entry(Verdict.REFUTED, All(FALSE, certain)))
    assert not any(line.startswith("decided ") for line in refuted.lines)
    assert computed(All(TRUE, Empirical("try"))) is Verdict.EMPIRICAL


def test_unsupported_is_a_true_conclusion_with_a_refuted_reason() -> None:
    assert computed(Unsupported(TRUE, FALSE)) is Verdict.UNSUPPORTED
    assert computed(Unsupported(FALSE, FALSE)) is Verdict.REFUTED


def test_an_experiment_that_speaks_against_refutes() -> None:
    assert computed(Tried("toss", lambda: Outcome(True, "1 of 1"))) is Verdict.EMPIRICAL
    assert computed(Tried("toss", lambda: Outcome(False, "0 of 1"))) is Verdict.REFUTED
    assert computed(IllPosed("f", "has no meaning")) is Verdict.ILL_POSED


def test_undecided_is_no_verdict_to_record() -> None:
    with pytest.raises(ValueError, match="'undecided' is no verdict to record"):
        toys.entry(Verdict.UNDECIDED, TRUE)
    with pytest.raises(ValueError, match="toy-a is refuted: name the entry that says what holds"):
        replace(toys.entry(Verdict.REFUTED, FALSE), correction="")


# Soundness ---------------------------------------------------------------------------------------


def test_inequalities_are_mutated_too() -> None:
    spread = Decided(at_least(toys.SQUARES, toys.SQUARE / toys.LABELS.size))
    tight = Decided(above(1 + toys.SQUARES, S.Zero))
    for evidence in (spread, tight):
        judgement = judge(toys.entry(Verdict.PROVED, evidence))
        assert all(trial.caught or trial.still_true for trial in judgement.trials)


def test_a_prover_that_says_yes_to_everything_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from derive import decide

    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: True)
    monkeypatch.setattr(decide, "EXAMINATIONS", 0)
    judgement = judge(toys.entry(Verdict.PROVED, TRUE))
    assert "toy-a: no mutant was refuted" in judgement.problems


def test_a_mutant_that_is_called_true_and_is_false_is_found() -> None:
    """What the examination of survivors is worth: a false mutant marked as true is reported."""
    judgement = judge(toys.entry(Verdict.PROVED, TRUE))
    assert false_survivors(TRUE, judgement) == []
    wrong = replace(judgement.trials[0], caught=False, still_true=True)
    marked = replace(judgement, trials=(wrong, *judgement.trials[1:]))
    assert len(false_survivors(TRUE, marked)) == 1


def test_a_true_entry_with_few_mutants_does_not_stand() -> None:
    judgement = judge(toys.entry(Verdict.PROVED, TRUE), most=2)
    assert "toy-a: 2 mutants were tried, 5 are demanded" in judgement.problems


def test_a_mutant_that_escapes_is_a_problem() -> None:
    judgement = judge(toys.entry(Verdict.PROVED, TRUE))
    escaped = replace(judgement.trials[0], caught=False, still_true=False)
    changed = replace(judgement, trials=(escaped, *judgement.trials[1:]))
    assert len(changed.problems) == 1 and escaped.change in changed.problems[0]


# Running -----------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_decided_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    first = judge_all(CHEAP, cache=cache)
    assert not any(judgement.from_cache for judgement in first)
    monkeypatch.setattr(judging, "judge", lambda *arguments: pytest.fail("decided again"))
    second = judge_all(CHEAP, cache=cache)
    assert all(judgement.from_cache for judgement in second)
    assert [replace(judgement, from_cache=False) for judgement in second] == first


def test_fresh_decides_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    judge_all(CHEAP, cache=cache)
    assert not any(j.from_cache for j in judge_all(CHEAP, cache=cache, fresh=True))


def test_a_changed_record_is_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    judge_all(CHEAP, cache=cache)
    changed = replace(ENTRIES["9158-4"], verdict=Verdict.EMPIRICAL)
    monkeypatch.setitem(ledger.ENTRIES, "9158-4", changed)
    (judgement,) = judge_all(["9158-4"], cache=cache)
    assert judgement.problems == ["9158-4: recorded empirical, computed ill-posed"]


def test_a_changed_source_is_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    judge_all(CHEAP, cache=cache)
    monkeypatch.setattr(judging, "digest_of", lambda *modules, without: "of other sources")
    assert not any(judgement.from_cache for judgement in judge_all(CHEAP, cache=cache))


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def stop(judgement: Judgement) -> None:
        if judgement.id == CHEAP[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_all(CHEAP, cache=cache, progress=stop)
    kept = [judgement.from_cache for judgement in judge_all(CHEAP, cache=cache)]
    assert kept == [True, True, False]


def test_worker_processes_find_the_same(tmp_path: Path) -> None:
    alone = judge_all(CHEAP, cache=Cache(tmp_path / "a"))
    together = judge_all(CHEAP, jobs=2, cache=Cache(tmp_path / "b"))
    assert [replace(j, seconds=0.0) for j in alone] == [replace(j, seconds=0.0) for j in together]


def test_a_kept_file_that_cannot_be_read_is_decided_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    judge_all(CHEAP[:1], cache=cache)
    (tmp_path / "ledger" / f"{CHEAP[0]}.json").write_text("{")
    (judgement,) = judge_all(CHEAP[:1], cache=cache)
    assert not judgement.from_cache and not judgement.problems


def test_an_unknown_id_is_answered_with_near_ones() -> None:
    with pytest.raises(
        ValueError, match=r"no statement has the id '9158-3a': did you mean .*9158-3"
    ):
        entry_named("9158-3a")


def test_a_finding_is_plain() -> None:
    assert Finding(Verdict.PROVED, ()).trials == ()
