"""The statements as the pages show them: each entry beside its judgement, in its document's order.

A line of evidence that has the text of a formula is shown with the formula; a line that repeats a
step of a derivation is dropped where the derivation itself follows, and the step is marked there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from re import sub

from derive.render import Trace, stated, trace
from verify.derived import derivation_of
from verify.ledger import ENTRIES, Entry, Verdict, entry_named, module_of
from verify.ledger.entry import Evidence
from verify.ledger.evidence import All, Contrary, Decided, Unsupported
from verify.ledger.judge import Judgement
from verify.ledger.statement import Statement
from verify.report.documents import DOCUMENTS, Document

__all__ = ["Chapter", "EvidenceLine", "Section", "Shown", "chapters", "traces_of"]


# How the evidence of an empirical statement begins.
EXPERIMENT = "would be decided by: "


@dataclass(frozen=True)
class EvidenceLine:
    """A line of evidence: words, the formula in LaTeX if there is one, words."""

    before: str
    latex: str = ""
    after: str = ""


@dataclass(frozen=True)
class Shown:
    """One statement on a page: the entry, its judgement, the derivations it rests on."""

    entry: Entry
    judgement: Judgement
    traces: tuple[Trace, ...]

    @property
    def verdict(self) -> Verdict:
        """What was computed now."""
        return self.judgement.computed

    @property
    def correction(self) -> Entry | None:
        """The entry that says what holds instead."""
        return ENTRIES.get(self.entry.correction)

    @property
    def evidence(self) -> list[EvidenceLine]:
        """The lines of the judgement without what the traces show."""
        formulas = {s.describe(): s for s in _decided(self.entry.evidence)}
        shown = {trace.id for trace in self.traces} | self._rules
        told = [line for line in self.judgement.lines if not _begins(line, shown)]
        return [_with_formula(line, formulas) for line in told]

    @property
    def reason(self) -> tuple[str, str] | None:
        """Of what mathematics cannot decide: what the line is about, and the line."""
        lines = self.judgement.lines
        if self.verdict not in (Verdict.ILL_POSED, Verdict.EMPIRICAL) or not lines:
            return None
        if self.verdict is Verdict.ILL_POSED:
            return "What has no meaning", lines[-1]
        asked = [line for line in lines if line.startswith(EXPERIMENT)]
        if asked:
            return "What would decide it", asked[0].removeprefix(EXPERIMENT)
        return "What was tried", lines[-1]

    @property
    def rests_on(self) -> set[str]:
        """The rules of the steps that state what the entry states."""
        lines = self.judgement.lines
        return {rule for rule in self._rules if any(_begins(line, (rule,)) for line in lines)}

    @property
    def _rules(self) -> set[str]:
        return {line.rule for trace in self.traces for line in trace.lines}

    @property
    def words(self) -> str:
        """What a search looks at."""
        entry = self.entry
        parts = (entry.id, entry.place, entry.says, entry.note, entry.statement)
        return " ".join(parts).casefold()


def _begins(line: str, names: Iterable[str]) -> bool:
    """Whether the line is about one of these, whichever part of the evidence it is in."""
    told = sub(r"^(conclusion|reason) \([a-z-]+\): ", "", line)
    return any(told.startswith(f"{name}: ") for name in names)


def _decided(evidence: Evidence) -> Iterator[Statement]:
    """The statements in symbols among the evidence."""
    if isinstance(evidence, Decided):
        yield from evidence.statements
    parts: Iterable[Evidence] = ()
    if isinstance(evidence, All):
        parts = evidence.parts
    elif isinstance(evidence, Contrary):
        parts = evidence.shown
    elif isinstance(evidence, Unsupported):
        parts = (evidence.conclusion, evidence.reason)
    for part in parts:
        yield from _decided(part)


def _with_formula(line: str, formulas: Mapping[str, Statement]) -> EvidenceLine:
    for text in sorted(formulas, key=len, reverse=True):
        before, found, after = line.partition(text)
        if found:
            statement = formulas[text]
            latex = stated(statement.left, statement.relation, statement.right)
            return EvidenceLine(before, latex, after.removeprefix(": "))
    return EvidenceLine(line)


@dataclass(frozen=True)
class Section:
    """Statements under one heading, which may be empty."""

    title: str
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Chapter:
    """A document with its statements."""

    document: Document
    sections: tuple[Section, ...]

    @property
    def shown(self) -> list[Shown]:
        """All statements."""
        return [shown for section in self.sections for shown in section.shown]

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many there are of each verdict, in the order of the verdicts."""
        found = Counter(shown.verdict for shown in self.shown)
        return {verdict: found[verdict] for verdict in Verdict if found[verdict]}


def chapters(judgements: Sequence[Judgement], traces: Mapping[str, Trace]) -> list[Chapter]:
    """The documents that have a judgement, their statements in the order of the ledger."""
    judged = {judgement.id: judgement for judgement in judgements}
    found: dict[str, list[Shown]] = {}
    for entry in ENTRIES.values():
        if entry.id in judged:
            own = tuple(traces[name] for name in names_of(entry))
            found.setdefault(entry.document, []).append(Shown(entry, judged[entry.id], own))
    return [
        Chapter(document, tuple(_sections(document, found[document.name])))
        for document in DOCUMENTS
        if document.name in found
    ]


def _sections(document: Document, shown: list[Shown]) -> Iterator[Section]:
    """One section; of our own results one a module, which its docstring names."""
    if document.name != "own":
        yield Section("", tuple(shown))
        return
    for module in dict.fromkeys(module_of(one.entry.id) for one in shown):
        title = (import_module(module).__doc__ or module).splitlines()[0].rstrip(".")
        yield Section(title, tuple(one for one in shown if module_of(one.entry.id) == module))


def names_of(entry: Entry) -> list[str]:
    """The derivations that it rests on, ``loss.topic``."""
    return [f"{subject}.{topic}" for subject, topic in entry.evidence.derivations]


def traces_of(judgements: Iterable[Judgement], known: Iterable[Trace]) -> dict[str, Trace]:
    """The derivations by name: those that are known, and those that the statements rest on."""
    traces = {shown.id: shown for shown in known}
    for judgement in judgements:
        for subject, topic in entry_named(judgement.id).evidence.derivations:
            if f"{subject}.{topic}" not in traces:
                traces[f"{subject}.{topic}"] = trace(derivation_of(subject, topic))
    return traces
