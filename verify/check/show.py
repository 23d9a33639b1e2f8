r"""A result for the terminal: the verdict first, then what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from verify.check.causes import CAUSES
from verify.check.findings import VERDICTS, Finding, Findings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_text", "numbers", "show"]

# Longer rows are shown by their ends.
MOST_NUMBERS = 8
# Findings on the screen; the object of --json has all.
SHOWN = 4
_KINDS = {"probe": "small batch of ordinary rows", "search": "found by search"}
TEXT_WIDTH = 100
# Narrower screens break the lines themselves.
LEAST_WIDTH = 40


def show(result: Findings, console: Console) -> None:
    """What `lossproof check` prints; lines break between words, but those of code never."""
    for style, text in _parts(result, console.width):
        # the text may hold code, such as s[i] or :a:, and none of it is rich's
        console.print(text, style=style, soft_wrap=True, markup=False, highlight=False, emoji=False)


_BAD = ("different", "does-not-run", "value-wrong", "gradient-wrong")


def as_text(result: Findings, width: int = TEXT_WIDTH) -> str:
    """The same without colour."""
    return "".join(f"{text}\n" for _, text in _parts(result, width))


def _parts(result: Findings, width: int) -> Iterator[tuple[str, str]]:
    """Style and text, in order."""
    colour = "green" if result.equal else "red" if result.verdict in _BAD else "yellow"
    head = f"{VERDICTS[result.verdict]}: {result.target} against {result.against}"
    yield f"bold {colour}", _filled("", head, width)
    yield "", _filled("  ", result.equality or result.detail, width)
    if result.verdict != "does-not-run":
        yield from (("", text) for text in _facts(result, width))
        yield from (part for part in _findings(result, width))
    yield from _stories(result, width)
    if result.reproducer:
        yield "bold", "\nto reproduce"
        yield "", result.reproducer.rstrip()
    yield "dim", f"\n{result.rows} calls compared in {result.seconds:g} s"


def _facts(result: Findings, width: int) -> Iterator[str]:
    """Where it is right, how it is called, how near it comes."""
    if not result.equal:
        yield _filled("  right for  ", result.range, width)
    called = ", ".join(f"{name} {value}" for name, value in result.assumed.items())
    yield _filled("  called as  ", called or "nothing worked", width)
    if result.ulps:
        figures = ", ".join(f"{name} {x:g}" for name, x in result.ulps.items())
        yield _filled("  errors     ", f"{figures} {result.unit}, where it is right", width)


def _findings(result: Findings, width: int) -> Iterator[tuple[str, str]]:
    failures = [f for f in result.findings if f.severity == "failure"]
    for number, finding in enumerate(failures[:SHOWN], 1):
        yield from _finding(f"{number}.", finding, width)
    if len(failures) > SHOWN:
        rest = ", ".join(f.kind for f in failures[SHOWN:])
        yield "", _filled("", f"and {len(failures) - SHOWN} more, all in --json: {rest}", width)
    for finding in result.findings:
        if finding.severity == "note":
            yield from _finding("note", finding, width)


def _finding(mark: str, finding: Finding, width: int) -> Iterator[tuple[str, str]]:
    where = f" [{', '.join(finding.dtypes)}]" if finding.dtypes else ""
    kind = _KINDS.get(finding.kind, finding.kind)
    yield "bold", "\n" + _filled(f"{mark} ", f"{kind}{where}: {finding.words}", width)
    off = "" if finding.ulps is None else f"   {_ulps(finding.ulps)}"
    lines = {
        "scores": numbers(finding.scores) if len(finding.scores) else "",
        "labels": numbers(finding.labels) if len(finding.scores) else "",
        "got": f"{finding.got}{off}" if finding.got else "",
        "expected": finding.expected if finding.got else "",
        "violates": finding.claim,
    }
    for name, text in lines.items():
        if text:
            yield "", _filled(f"   {name:8}  ", text, width)


def _stories(result: Findings, width: int) -> Iterator[tuple[str, str]]:
    """Cause and cure, each once."""
    for cause, why, cure in dict.fromkeys((f.cause, f.why, f.cure) for f in result.findings):
        if cause:
            yield (
                "bold",
                "\n" + _filled("likely cause: ", f"{CAUSES[cause].title} ({cause})", width),
            )
            yield "", _filled("  ", why, width)
            yield "", _filled("  cure: ", cure, width)


def _filled(begin: str, text: str, width: int) -> str:
    """The text behind its beginning, broken at blanks, each line under the first."""
    return fill(
        text,
        max(width, LEAST_WIDTH),
        initial_indent=begin,
        subsequent_indent=" " * min(len(begin), LEAST_WIDTH // 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _ulps(error: float) -> str:
    return "no number near" if error == float("inf") else f"off by {error:.3g} ulp"


def numbers(row: Sequence[Any]) -> str:
    """A row of numbers, its middle left out if it is long."""
    if len(row) and isinstance(row[0], list | tuple):
        return "[" + ", ".join(numbers(one) for one in row) + "]"
    shown = [f"{x:.9g}" for x in row]
    if len(shown) > MOST_NUMBERS:
        half = MOST_NUMBERS // 2
        shown = [*shown[:half], f"... ({len(row)} in all)", *shown[-half:]]
    return f"({', '.join(shown)})"
