"""A statement with its verdict, as data; and the evidence that computes the verdict when weighed.

The recorded verdict says what is known, the evidence finds it out again: an entry stands where the
two agree. They are written apart, so that a changed formula, a broken proof or a wrong record each
make them differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from verify.mutation import Trial

__all__ = ["DEMANDED_MUTANTS", "TRUE", "Entry", "Evidence", "Finding", "Verdict"]
__all__ += ["entry_at", "own_entry", "weakest"]

# Every true statement is changed in so many places at least, each change refuted or proved to be
# true as well.
DEMANDED_MUTANTS = 5


class Verdict(StrEnum):
    """What is known of a statement."""

    PROVED = "proved"
    PROVED_FOR = "proved-for"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNSUPPORTED = "unsupported"
    ILL_POSED = "ill-posed"
    EMPIRICAL = "empirical"
    #: Never recorded: neither proved nor refuted is a failure of ours.
    UNDECIDED = "undecided"


#: The verdicts that say that the statement holds, the strongest first.
TRUE = (Verdict.PROVED, Verdict.PROVED_FOR, Verdict.CONFIRMED)


def weakest(verdicts: list[Verdict]) -> Verdict:
    """That of a statement which is made of several: one refuted part refutes it."""
    order = (*TRUE, Verdict.EMPIRICAL, Verdict.ILL_POSED, Verdict.UNDECIDED, Verdict.REFUTED)
    return max(verdicts, key=order.index)


@dataclass(frozen=True)
class Finding:
    """What came of weighing: the verdict, how it was reached in lines, and the mutants tried.

    ``counterexample`` is one line with numbers, empty where there is none; ``bounds`` say why what
    was weighed is decided at some inputs only.
    """

    verdict: Verdict
    lines: tuple[str, ...]
    counterexample: str = ""
    trials: tuple[Trial, ...] = ()
    bounds: tuple[str, ...] = ()


class Evidence(Protocol):
    """A way of deciding a statement."""

    @property
    def derivations(self) -> tuple[tuple[str, str], ...]:
        """The derivations it rests on, by subject and topic."""

    def weigh(self, most: int | None) -> Finding:
        """Decide the statement now, with at most so many mutants of each of its formulas."""


@dataclass(frozen=True)
class Entry:
    """One statement of a document, or of ours.

    ``says`` is the statement in words, ``statement`` in LaTeX, ``assumptions`` in LaTeX too;
    ``correction`` is the id of the entry that says what holds instead, ``note`` what the reader
    should know beside the verdict.
    """

    id: str
    document: str
    place: str
    says: str
    statement: str
    verdict: Verdict
    evidence: Evidence
    assumptions: tuple[str, ...] = ()
    correction: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """An entry that could not be weighed is refused as it is written."""
        if self.verdict is Verdict.UNDECIDED:
            raise ValueError(f"{self.id}: 'undecided' is no verdict to record: decide it")
        if self.verdict is Verdict.REFUTED and not self.correction:
            raise ValueError(f"{self.id} is refuted: name the entry that says what holds instead")


def entry_at(
    document: str,
    place: str,
    number: str,
    says: str,
    statement: str,
    verdict: Verdict,
    evidence: Evidence,
    assumptions: tuple[str, ...] = (),
    correction: str = "",
    note: str = "",
) -> Entry:
    """An entry in the order in which it is read, its id ``document-number``."""
    rest = (verdict, evidence, assumptions, correction, note)
    return Entry(f"{document}-{number}", document, place, says, statement, *rest)


def own_entry(
    topic: str,
    place: str,
    number: str,
    says: str,
    statement: str,
    evidence: Evidence,
    assumptions: tuple[str, ...] = (),
    note: str = "",
    verdict: Verdict = Verdict.PROVED,
    correction: str = "",
) -> Entry:
    """A result of our own, its id ``own-topic-number``; most of them are proved."""
    rest = (verdict, evidence, assumptions, correction, note)
    return entry_at("own", place, f"{topic}-{number}", says, statement, *rest)
