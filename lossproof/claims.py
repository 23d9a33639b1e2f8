"""The ledger on the screen: a table of statements, the whole story of one, and plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from derive.losses import subject_named
from derive.render import render
from verify.ledger import Entry, Verdict, entry_named
from verify.ledger.judge import Judgement, Progress, judge_all

__all__ = ["as_objects", "show_table", "tell_story"]

COLOURS = {
    Verdict.PROVED: "green",
    Verdict.PROVED_FOR: "green",
    Verdict.CONFIRMED: "cyan",
    Verdict.REFUTED: "red",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.ILL_POSED: "magenta",
    Verdict.EMPIRICAL: "blue",
}

# Below so many letters a place leaves the statement no room.
PLACE_FROM = 64


def show_table(console: Console, entries: Sequence[Entry]) -> None:
    """Each statement on a line with its recorded verdict, and how many there are of each."""
    wide = console.width >= PLACE_FROM
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("id", "verdict"):
        table.add_column(name, no_wrap=True)
    if wide:
        table.add_column("place", max_width=14)
    table.add_column("statement", overflow="fold")
    for entry in entries:
        verdict = f"[{COLOURS[entry.verdict]}]{entry.verdict}[/]"
        place = [escape(entry.place)] if wide else []
        table.add_row(entry.id, verdict, *place, escape(entry.says))
    console.print(table, highlight=False)
    counts = Counter(str(entry.verdict) for entry in entries)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    console.print(f"{len(entries)} statements: {told}", highlight=False)


def as_objects(
    entries: Sequence[Entry], jobs: int = 1, progress: Progress | None = None
) -> list[dict[str, object]]:
    """The entries with the evidence that was found, as plain data."""
    judgements = judge_all([entry.id for entry in entries], jobs, progress=progress)
    return [_as_object(*pair) for pair in zip(entries, judgements, strict=True)]


def _as_object(entry: Entry, judgement: Judgement) -> dict[str, object]:
    return {
        "id": entry.id,
        "document": entry.document,
        "place": entry.place,
        "statement": entry.statement,
        "says": entry.says,
        "assumptions": list(entry.assumptions),
        "verdict": str(entry.verdict),
        "computed": str(judgement.computed),
        "evidence": list(judgement.lines),
        "derivations": [f"{subject}.{topic}" for subject, topic in entry.evidence.derivations],
        "counterexample": judgement.counterexample or None,
        "correction": entry.correction or None,
        "note": entry.note or None,
        "mutants": len(judgement.trials),
        "mutants_refuted": judgement.refuted,
        "mutants_still_true": judgement.still_true,
        "problems": judgement.problems,
    }


def tell_story(entry: Entry) -> str:
    """Statement, verdict, how it was reached, counterexample, correction, derivations."""
    (judgement,) = judge_all([entry.id])
    lines = [f"{entry.id} ({entry.document}, {entry.place}): {entry.says}", ""]
    lines += [f"  {entry.statement}"]
    lines += [f"  given {assumption}" for assumption in entry.assumptions]
    lines += ["", f"verdict: {entry.verdict}"]
    lines += [f"FAILED: {problem}" for problem in judgement.problems]
    lines += [f"note: {entry.note}"] if entry.note else []
    lines += ["", *(f"  {line}" for line in judgement.lines)]
    if judgement.counterexample:
        lines += ["", f"counterexample: {judgement.counterexample}"]
    if judgement.trials:
        lines += ["", _of_mutants(judgement)]
    if entry.correction:
        lines += ["", *_of_correction(entry_named(entry.correction))]
    for subject, topic in entry.evidence.derivations:
        lines += ["", render(subject_named(subject).derive(topic), "text")]
    return "\n".join(lines)


def _of_mutants(judgement: Judgement) -> str:
    words = f"mutants: {len(judgement.trials)} tried, {judgement.refuted} refuted"
    return words + f", {judgement.still_true} proved true as well"


def _of_correction(entry: Entry) -> list[str]:
    return [
        f"what holds instead: {entry.says} ({entry.id}, {entry.verdict})",
        f"  {entry.statement}",
        *([f"  {entry.note}"] if entry.note else []),
    ]
