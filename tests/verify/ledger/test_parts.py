"""The parts of the ledger: smallest counterexamples, balls, sources, the selection of entries."""

from __future__ import annotations

from pathlib import Path

import ledger_toys as toys
import pytest
from flint import arb, ctx
from sympy import exp, log

from derive.axis import array, total
from derive.decide import Refuted
from derive.facts import hard_rows, strictly_soft
from derive.grid.sums import CLASSES, SAMPLES, j, p, s, t
from derive.losses import subset
from verify.cache import Cache, cache_folder
from verify.ledger import DOCUMENTS, select
from verify.ledger.balls import BITS, Enclosure
from verify.ledger.entry import Verdict
from verify.ledger.smallest import smallest
from verify.ledger.statement import above, equation
from verify.sources import digest_of, reached_from


def shrunk(statement: object) -> dict[str, str]:
    decision = statement.decide()
    assert isinstance(decision, Refuted)
    return smallest(statement, decision.counterexample).point.describe()


def test_the_square_of_a_sum_needs_two_entries_of_one() -> None:
    point = shrunk(equation(toys.SQUARES, toys.SQUARE))
    assert point == {"n": "2", "s[0]": "1", "s[1]": "1"}


def test_a_false_inequality_is_refuted_at_a_plain_number() -> None:
    assert shrunk(above(toys.SQUARES)) == {"n": "1", "s[0]": "0"}


def test_entries_keep_their_sign_and_their_interval() -> None:
    positive = array("p", positive=True)
    point = shrunk(equation(total(positive[toys.i], toys.i), positive[toys.j]))
    assert point == {"n": "2", "j": point["j"], "p[0]": "1", "p[1]": "1"}
    label = array("u")
    open_label = shrunk(equation(label[toys.i], label[toys.i] ** 2, strictly_soft(label)))
    assert open_label == {"n": "1", "i": "0", "u[0]": "1/2"}


def test_rows_of_labels_stay_rows() -> None:
    entropy = total(total(t[p, j] * log(total(exp(s[p, j]), j)), j), p)
    point = shrunk(equation(entropy, SAMPLES.size * log(CLASSES.size), hard_rows(t)))
    assert point["n"] == point["m"] == "1"
    assert point["t[0, 0]"] == "1" and point["s[0, 0]"] in ("1", "-1")


def test_a_counterexample_has_sides_that_do_not_meet() -> None:
    statement = equation(toys.SQUARES, toys.SQUARE)
    found = smallest(statement, statement.decide().counterexample)
    assert not found.left.overlaps(found.right)


def test_assumptions_are_taken_away_where_the_statement_has_a_meaning_without_them() -> None:
    changed = {change for change, _ in equation(toys.SQUARES, toys.SQUARE, hard_rows(t)).mutants()}
    assert "without the assumptions" in changed
    of_subsets = subset.COMBINATION.value
    counted = equation(of_subsets, of_subsets, subset.COMBINATION.facts)
    assert "without the assumptions" not in {change for change, _ in counted.mutants()}


# Balls -------------------------------------------------------------------------------------------


def test_each_mutant_of_an_enclosure_is_decided() -> None:
    for relation, right in (("=", "0.5"), ("<", "0.75"), (">", "0.25")):
        with ctx.workprec(BITS):
            enclosure = Enclosure("toy", arb("0.5"), relation, arb(right))
            assert enclosure.holds and not enclosure.fails
            found = list(enclosure.mutants())
            assert len(found) >= 5
            assert all(mutant.holds or mutant.fails for _, mutant in found)
            assert any(mutant.fails for _, mutant in found)


# Sources -----------------------------------------------------------------------------------------


def test_imports_are_followed_inside_the_project_alone() -> None:
    found = reached_from("verify.ledger.d9158")
    assert {"derive.normal_form", "verify.mutation", "derive.grid.pairs"} <= set(found)
    assert {name.split(".")[0] for name in found} == {"derive", "numeric_core", "verify"}
    assert {"verify.run", "verify.ledger", "verify.ledger.d7359"}.isdisjoint(found)
    assert "verify.ledger.evidence" in found and "derive.losses" in found


def test_a_digest_depends_on_what_is_reached() -> None:
    assert digest_of("verify.ledger.d9158") == digest_of("verify.ledger.d9158")
    assert digest_of("verify.ledger.d9158") != digest_of("verify.ledger.balls")


def test_the_folder_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert Cache().folder == tmp_path


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file in its place")
    cache = Cache(tmp_path)
    cache.put("ledger/a", "key", {"x": 1})
    assert cache.get("ledger/a", "key") is None


# Selection ---------------------------------------------------------------------------------------


def test_entries_are_selected_by_document_and_verdict() -> None:
    refuted = select(["9158"], ["refuted"])
    assert {entry.verdict for entry in refuted} == {Verdict.REFUTED}
    assert {entry.document for entry in refuted} == {"9158"}
    assert len(select()) == sum(len(select([document])) for document in DOCUMENTS)


def test_unknown_documents_and_verdicts_are_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="no document 9: the documents are 7359, 9064, 9158, SCE, SURVEY"
    ):
        select(["9"])
    with pytest.raises(ValueError, match="no verdict 'true': choose one of proved, proved-for"):
        select((), ["true"])
