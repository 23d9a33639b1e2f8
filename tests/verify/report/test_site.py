"""The site without a browser: well-formed, whole, and with nothing to fetch from anywhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from verify.ledger import DOCUMENTS, ENTRIES, Verdict, entry_named
from verify.ledger.printed import Kind
from verify.report import documents
from verify.report.programs import KINDS, programs
from verify.report.site import MEANINGS, SYMBOLS, pages
from verify.run import Report, versions

VOID = {"meta", "link", "input", "br", "wbr", "img", "hr"}
#: Elements that make a browser fetch what they name.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Every element with its attributes; `errors` has tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.errors: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.errors += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.errors.append(f"</{tag}> at {self.getpos()}")

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of the elements of that name."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        """All of them."""
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def site_pages(site: Path) -> dict[str, Page]:
    """Every page, parsed."""
    return {path.name: Page(path) for path in site.glob("*.html")}


def links(page: Page) -> Iterator[str]:
    """Where its links lead, those in pictures too."""
    yield from (attributes["href"] for attributes in page.of("a"))


def test_every_page_is_well_formed(site_pages: dict[str, Page]):
    assert {name: page.errors for name, page in site_pages.items() if page.errors} == {}
    for page in site_pages.values():
        assert [n for n, times in Counter(page.ids).items() if times > 1] == []
        assert (len(page.of("h1")), len(page.of("main")), len(page.of("footer"))) == (1, 1, 1)


def test_every_link_leads_somewhere(site: Path, site_pages: dict[str, Page]):
    for name, page in site_pages.items():
        for link in links(page):
            if link.startswith("https://"):
                continue  # a source, for the reader to follow
            file, _, anchor = link.partition("#")
            file = file.partition("?")[0] or name
            assert (site / file).is_file(), f"{name} leads to {link}"
            assert not anchor or anchor in site_pages[file].ids, f"{name} leads to {link}"


def test_nothing_is_fetched_from_elsewhere(site: Path, site_pages: dict[str, Page]):
    for page in site_pages.values():
        sources = [a[where] for tag, where in FETCHED.items() for a in page.of(tag) if where in a]
        assert set(sources) == {"data:,", "style.css", "report.js"}
        styles = [a for _, attributes in page.elements for a in attributes.values()]
        assert not any("url(" in style for style in styles)
    assert not re.search(r"https?:|url\(|@import", (site / "style.css").read_text())
    assert not re.search(r"https?:|fetch\(|import ", (site / "report.js").read_text())


def test_the_json_is_the_report(site: Path, report: Report):
    assert json.loads((site / "report.json").read_text()) == json.loads(
        json.dumps(report.as_dict())
    )


def test_every_statement_is_on_the_page_of_its_document_in_order(
    site_pages: dict[str, Page], report: Report
):
    judged = {judgement.id for judgement in report.ledger}
    for document in {entry_named(name).document for name in judged}:
        shown = [a["id"] for a in site_pages[f"{document}.html"].of("article")]
        ordered = [n for n, e in ENTRIES.items() if e.document == document and n in judged]
        assert sorted(shown) == sorted(ordered)
        assert document == "own" or shown == ordered


def test_a_statement_has_its_verdict_formula_counterexample_and_correction(
    site: Path, report: Report
):
    text = (site / "9158.html").read_text()
    article = text[text.index('id="9158-m"') : text.index('id="9158-n"')]
    entry = entry_named("9158-m")
    (against,) = (j.counterexample for j in report.ledger if j.id == "9158-m")
    assert re.search(r"\d\.\d{6}", against)
    for shown in (entry.says, "refuted", escape(against, quote=False), entry.correction):
        assert shown in article
    assert article.count("<math") >= 3  # the statement, what is assumed, how it was decided


def test_what_cannot_be_decided_says_why(site: Path):
    text = (site / "9158.html").read_text()
    for name, words in (("9158-4", "What has no meaning"), ("9158-l", "What was tried")):
        article = text.partition(f'id="{name}"')[2].partition("<details")[0]
        (reason,) = re.findall(rf"<strong>{words}</strong> (.*)</p>", article)
        assert len(reason) > 40 and "would be decided by" not in reason


def test_a_trace_has_every_step_and_marks_what_the_statement_rests_on(site: Path, report: Report):
    text = (site / "loss-soft_zlpr.html").read_text()
    (shown,) = (o.trace for o in report.derivations if o.id == "soft_zlpr.optimum")
    assert text.count('<span class="rule">') == len(shown.lines)
    article = (site / "9064.html").read_text().partition('id="9064-m"')[2].partition("</article")[0]
    assert '<li class="named">' in article and "loss-soft_zlpr.html#optimum" in article


def test_a_correction_that_was_not_judged_is_no_broken_link(report: Report):
    few = replace_ledger(report, "9158-n")
    made = pages(few)
    assert "own.html" not in made
    assert entry_named("9158-n").correction in made["9158.html"]
    assert 'href="own.html' not in made["9158.html"]


def replace_ledger(report: Report, *names: str) -> Report:
    """The report with these statements only."""
    return replace(report, ledger=[j for j in report.ledger if j.id in names])


def test_a_wrong_verdict_and_an_escaped_mutant_are_shown_as_problems(report: Report):
    (judgement,) = replace_ledger(report, "9064-m").ledger
    trial = replace(judgement.trials[0], caught=False, still_true=False)
    broken = replace(judgement, recorded=Verdict.REFUTED, trials=(trial, *judgement.trials[1:]))
    made = pages(replace(report, ledger=[broken]))
    assert "recorded refuted, computed proved" in made["index.html"]
    assert "recorded refuted, computed proved" in made["9064.html"]
    assert "All of it holds" not in made["index.html"]
    assert "1 escaped" in made["9064.html"]


def test_an_undecided_statement_is_shown_as_our_failure(report: Report):
    (judgement,) = replace_ledger(report, "9064-m").ledger
    made = pages(replace(report, ledger=[replace(judgement, computed=Verdict.UNDECIDED)]))
    assert 'class="badge v-undecided"' in made["9064.html"]
    assert MEANINGS[Verdict.UNDECIDED] in made["index.html"]


def test_a_run_of_nothing_is_no_pass():
    made = pages(Report())
    assert set(made) == {"index.html", "losses.html", "style.css", "report.js", "report.json"}
    assert "Nothing was done in this run" in made["index.html"]


def test_the_overview_has_the_figures_of_the_run(site: Path, report: Report):
    text = (site / "index.html").read_text()
    counts = Counter(judgement.computed for judgement in report.ledger)
    for verdict, count in counts.items():
        assert f"{verdict}" in text and f">{count}<" in text
    for name, number in versions().items():
        assert name in text and number in text
    for soundness in report.soundness.values():
        assert f"{soundness.refuted:,}".replace(",", " ") in text
    assert "3.50" in text and "float64/ties/soft/unit[0]" in text


def test_what_the_evidence_says_is_escaped(report: Report):
    (judgement,) = replace_ledger(report, "9158-4").ledger
    made = pages(replace(report, ledger=[replace(judgement, lines=("<b>1</b> < 2 & 9158-4",))]))
    link = '<a href="9158.html#9158-4">9158-4</a>'
    assert f"&lt;b&gt;1&lt;/b&gt; &lt; 2 &amp; {link}" in made["9158.html"]


def test_every_document_and_every_verdict_has_its_words():
    assert {document.name for document in documents.DOCUMENTS} == set(DOCUMENTS)
    assert set(SYMBOLS) == set(MEANINGS) == set(Verdict)
    assert len(set(SYMBOLS.values())) == len(Verdict)


def test_every_run_of_the_printed_code_has_its_mark_and_its_numbers(site: Path):
    page, found = (site / "code.html").read_text(), programs()
    cells = [cell for program in found for _, row in program.rows for cell in row]
    gradients = sum(cell.gradient is not None for cell in cells)
    assert page.count('<td><span class="') == len(cells)
    assert page.count('title="value: ') == len(cells)
    assert page.count('title="gradient: ') == gradients
    assert set(KINDS) == set(Kind)
    assert len({look.sign for look in KINDS.values()}) == len(Kind)
