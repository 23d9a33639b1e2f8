"""Every statement of the finished documents is in the ledger and stands; an id is a test id."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import mean

import pytest
from survivors import false_survivors

from verify.ledger import DOCUMENTS, ENTRIES, select
from verify.ledger.entry import DEMANDED_MUTANTS, TRUE, Verdict
from verify.ledger.evidence import OF_FLOATS
from verify.ledger.judge import judge

FINISHED = ("7359", "9064", "9158", "SCE", "SURVEY")


@pytest.mark.parametrize("document", FINISHED)
def test_every_statement_of_the_document_is_in_the_ledger_in_its_order(document: str) -> None:
    listed = Path(__file__).with_name(f"ids_{document}.txt").read_text().split()
    assert [entry.id for entry in select([document])] == listed
    assert document in DOCUMENTS


@pytest.mark.parametrize("name", ENTRIES)
def test_statement(name: str) -> None:
    entry = ENTRIES[name]
    judgement = judge(entry)
    assert judgement.problems == []
    assert false_survivors(entry.evidence, judgement) == []
    if entry.verdict in TRUE:
        assert len(judgement.trials) >= DEMANDED_MUTANTS
    if entry.verdict is Verdict.REFUTED:
        assert any(letter.isdigit() for letter in judgement.counterexample)
    if entry.verdict is Verdict.PROVED_FOR:
        why = [line for line in judgement.lines if line.startswith("decided ")]
        assert why, "says at which inputs, and not why not for every n"
        rounded = r"\mathrm{fl}" in entry.statement or r"\mathrm{code}" in entry.statement
        assert not rounded or f"decided {OF_FLOATS}" in why


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.correction])
def test_a_correction_is_a_true_statement_of_its_own(name: str) -> None:
    correction = ENTRIES[ENTRIES[name].correction]
    assert correction.verdict in TRUE
    assert correction.document == "own"


def test_9158_l_has_the_figures_of_the_benchmark() -> None:
    root = Path(__file__).parents[3]
    runs = json.loads((root / "benchmarks" / "digits.json").read_text())
    told = [float(figure) for figure in re.findall(r"(?<!\d)\.\d{3}", ENTRIES["9158-l"].note)]
    found = []
    for measure in ("balanced", "as trained"):
        for model in ("linear", "one hidden layer"):
            for loss in ("truncated, argmax s", "cross-entropy"):
                key = (model, loss, "hard")
                mine = [r[measure] for r in runs if (r["model"], r["loss"], r["labels"]) == key]
                assert len(mine) == 12
                found.append(mean(mine))
    # Three digits: .8815 may be told as either of its neighbours.
    assert told == pytest.approx(found, abs=5.1e-4)


def test_texts_are_whole_and_statements_are_latex_with_closed_braces() -> None:
    for entry in ENTRIES.values():
        assert entry.says and entry.place and entry.statement, entry.id
        for formula in (entry.statement, *entry.assumptions):
            assert formula.count("{") == formula.count("}"), entry.id
            assert "$" not in formula, entry.id
