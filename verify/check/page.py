"""A result as one page that needs no network, in the style of the report."""

from __future__ import annotations

from importlib.resources import files
from math import inf
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verify.check.cases import CLASSES
from verify.check.causes import CAUSES
from verify.check.findings import VERDICTS, Finding, Findings
from verify.check.show import SHOWN, numbers

__all__ = ["page_of", "write_page"]

# The colours of the report's verdicts, by what a verdict means for a user.
_COLOURS = {"equal": "proved", "limited-range": "unsupported", "hard-labels-only": "unsupported"}
_COLOURS |= {"equal-up-to-constant": "proved-for", "equal-up-to-scale": "proved-for"}
_ROWS = {"probe": "a small batch of ordinary rows", "search": "found by search"}


def page_of(result: Findings) -> str:
    """The HTML of the page."""
    style = files("verify.report").joinpath("static/style.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("check.html")
        .render(
            result=result,
            verdict=VERDICTS[result.verdict],
            against=result.against,
            colour=_COLOURS.get(result.verdict, "refuted"),
            style=Markup(style),
            stories=_stories(result),
            failures=[one for one in result.findings if one.severity == "failure"],
            notes=[one for one in result.findings if one.severity == "note"],
            shown=SHOWN,
            inf=inf,
        )
    )


def write_page(result: Findings, path: Path) -> None:
    """The page in a file; errors of the system are raised."""
    path.write_text(page_of(result), encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("verify.check", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"numbers": numbers, "rows_in_words": _rows_in_words, "sentence": _sentence}
    return made


def _stories(result: Findings) -> list[tuple[str, str, str, str]]:
    """Title, id, why and cure of each cause, once."""
    told = dict.fromkeys((f.cause, f.why, f.cure) for f in result.findings if f.cause)
    titles = {cause: CAUSES[cause].title if cause in CAUSES else cause for cause, *_ in told}
    return [(titles[cause], cause, why, cure) for cause, why, cure in told]


def _rows_in_words(finding: Finding) -> str:
    """The class of the input: its name, and what that means."""
    kind = finding.kind
    return f"{kind}: {CLASSES[kind]}" if kind in CLASSES else _ROWS.get(kind, kind)


def _sentence(words: str) -> str:
    """With a capital letter at the beginning; formulas such as e^s keep theirs."""
    formula = words[1:2] in "^_( " and words[:1] not in "aA"
    return words if formula else words[:1].upper() + words[1:]
