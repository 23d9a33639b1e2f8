"""The pages of the site, by file name: all of them made before any is written.

The overview; a page for each document; one for each loss and theory with its derivations and, where
it was measured, its accuracy; one for the code that the documents print; the report as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from derive.decide import SEED
from derive.losses import SUBJECTS
from derive.render import Trace
from verify.accuracy import Line
from verify.compare import Comparison
from verify.ledger import ENTRIES, Verdict
from verify.report import pictures
from verify.report.documents import DOCUMENTS
from verify.report.figures import (
    DTYPES,
    accuracy_rows,
    coverage_rows,
    error_in_words,
    plotted,
    subset_table,
)
from verify.report.formula import formula, mathml
from verify.report.programs import KINDS, LIBRARIES, programs
from verify.report.statements import Chapter, chapters, traces_of
from verify.run import Report, versions
from verify.soundness import Soundness

__all__ = ["MEANINGS", "SYMBOLS", "pages"]

#: A sign beside each verdict, so that colour is never all that tells them apart.
SYMBOLS = {
    Verdict.PROVED: "✓",
    Verdict.PROVED_FOR: "≤",
    Verdict.CONFIRMED: "≈",
    Verdict.REFUTED: "✗",
    Verdict.UNSUPPORTED: "!",
    Verdict.ILL_POSED: "?",
    Verdict.EMPIRICAL: "…",
    Verdict.UNDECIDED: "○",
}
#: What each verdict says.
MEANINGS = {
    Verdict.PROVED: "decided symbolically for every n",
    Verdict.PROVED_FOR: "decided exactly for stated sizes or numbers only",
    Verdict.CONFIRMED: "enclosed or sampled to stated digits; no proof",
    Verdict.REFUTED: "a counterexample with numbers, and what holds instead",
    Verdict.UNSUPPORTED: "the conclusion holds, the reason given for it does not",
    Verdict.ILL_POSED: "a symbol or an index has no meaning",
    Verdict.EMPIRICAL: "not decidable by mathematics; says what experiment would",
    Verdict.UNDECIDED: "neither proved nor refuted: a failure of ours",
}
_STATIC = ("style.css", "report.js")
# Longer traces are linked from the statements that rest on them, not repeated there: so many
# letters of LaTeX are about a screen.
MOST_IN_PLACE = 2500
#: The statements about the code that the documents print.
OF_PROGRAMS = "own-code-"
_ID = re.compile(r"\b(?:[A-Z]{3,6}|own|\d{4})-[A-Za-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Subject:
    """A loss or a theory: its formula, derivations with their mutants, and accuracy."""

    name: str
    formula: str
    derivations: tuple[tuple[Trace, Soundness | None], ...]
    lines: tuple[Line, ...]
    comparison: Comparison | None

    @property
    def page(self) -> str:
        """The file it is on."""
        return page_of(self.name)

    @property
    def steps(self) -> int:
        """Of all derivations."""
        return sum(len(shown.lines) for shown, _ in self.derivations)

    @property
    def proved(self) -> int:
        """How many of the steps are."""
        return sum(line.holds for shown, _ in self.derivations for line in shown.lines)


def page_of(subject: str) -> str:
    """The file of a loss or a theory."""
    return f"loss-{subject}.html"


def pages(report: Report) -> dict[str, str]:
    """Every file of the site by its name."""
    traces = traces_of(report.ledger, (outcome.trace for outcome in report.derivations))
    told = chapters(report.ledger, traces)
    subjects = _subjects(report, traces.values())
    run = programs() if any(j.id.startswith(OF_PROGRAMS) for j in report.ledger) else []
    common = {"report": report, "chapters": told, "subjects": subjects, "programs": run}
    environment = _environment(told, subjects)
    made = {"index.html": _overview(environment, common, report, told)}
    made["losses.html"] = environment.get_template("losses.html").render(common)
    if run:
        made["code.html"] = environment.get_template("code.html").render(common)
    for chapter in told:
        page = environment.get_template("document.html")
        made[chapter.document.page] = page.render(common, chapter=chapter)
    for subject in subjects:
        page = environment.get_template("loss.html")
        made[subject.page] = page.render(common, subject=subject)
    static = files("verify.report") / "static"
    made |= {name: (static / name).read_text(encoding="utf-8") for name in _STATIC}
    data = json.dumps(report.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    return {**made, "report.json": data + "\n"}


def _overview(
    environment: Environment,
    common: dict[str, object],
    report: Report,
    told: Sequence[Chapter],
) -> str:
    bars = [pictures.Bar(c.document.name, c.document.page, c.counts) for c in told]
    newton = next((subsets.newton for subsets in report.subsets if subsets.newton), None)
    return environment.get_template("index.html").render(
        common,
        bars=pictures.verdict_bars(bars) if bars else None,
        plot=pictures.error_plot(plotted(report)) if report.comparisons else None,
        newton=newton,
        newton_picture=pictures.newton_map(newton) if newton else None,
        mutants={kind: found for kind, found in report.soundness.items() if found.tried},
        accuracy=accuracy_rows(report),
        coverage=coverage_rows(report.comparisons),
        versions=versions(),
        seed=SEED,
        verdicts=[v for v in Verdict if any(v in c.counts for c in told)],
    )


def _subjects(report: Report, traces: Iterable[Trace]) -> list[Subject]:
    tried = {outcome.id: Soundness.of(outcome.trials) for outcome in report.derivations}
    shown: dict[str, list[Trace]] = {name: [] for name in SUBJECTS}
    for trace in traces:
        shown[trace.id.partition(".")[0]].append(trace)
    measured = {comparison.loss: comparison for comparison in report.comparisons}
    return [
        Subject(
            name,
            SUBJECTS[name].formula,
            tuple((t, tried.get(t.id)) for t in sorted(own, key=_place_of)),
            tuple(measured[name].table) if name in measured else (),
            measured.get(name),
        )
        for name, own in shown.items()
        if own or name in measured
    ]


def _place_of(trace: Trace) -> int:
    """Where its topic stands among those of the subject."""
    subject, _, topic = trace.id.partition(".")
    return list(SUBJECTS[subject].topics).index(topic)


def _environment(told: Sequence[Chapter], subjects: Sequence[Subject]) -> Environment:
    environment = Environment(
        loader=PackageLoader("verify.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "formula": formula,
        "math": mathml,
        "ulp": error_in_words,
        "linked": _Linker(told),
        "breakable": lambda name: escape(name).replace("_", Markup("_<wbr>")),
        "count": lambda number: f"{number:,}".replace(",", " "),
    }
    environment.globals |= {
        "symbols": SYMBOLS,
        "meanings": MEANINGS,
        "dtypes": DTYPES,
        "kinds": KINDS,
        "libraries": LIBRARIES,
        "documents": {document.name: document for document in DOCUMENTS},
        "page_of": page_of,
        "length_of": _length_of,
        "subset_table": subset_table,
        "most_in_place": MOST_IN_PLACE,
        "statements": len(ENTRIES),
        "href": _Places(told, subjects),
    }
    return environment


def _length_of(trace: Trace) -> int:
    """Letters of LaTeX."""
    return sum(len(latex) for line in trace.lines for latex in line.formulas)


class _Places:
    """Where a statement or a derivation is on this site; empty where it is not on it."""

    def __init__(self, told: Sequence[Chapter], subjects: Sequence[Subject]) -> None:
        self._of = {
            one.entry.id: f"{chapter.document.page}#{one.entry.id}"
            for chapter in told
            for one in chapter.shown
        }
        self._of |= {
            shown.id: f"{subject.page}#{shown.id.partition('.')[2]}"
            for subject in subjects
            for shown, _ in subject.derivations
        }

    def __call__(self, name: str) -> str:
        return self._of.get(name, "")


class _Linker:
    """Words in which each id of a statement leads to the statement."""

    def __init__(self, told: Sequence[Chapter]) -> None:
        self._place = _Places(told, ())

    def __call__(self, words: str) -> Markup:
        parts, start = [], 0
        for match in _ID.finditer(words):
            where = self._place(match[0])
            if where:
                link = f'<a href="{where}">{match[0]}</a>'
                parts += [escape(words[start : match.start()]), Markup(link)]
                start = match.end()
        return Markup("").join([*parts, escape(words[start:])])
