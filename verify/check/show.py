r"""A result for the terminal: the verdict first, then what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from verify.check.result import VERDICTS, Finding, Result

__all__ = ["as_text", "render"]

# Longer rows are shown by their ends.
MOST_NUMBERS = 8
# Findings on the screen; the object of --json has all.
SHOWN = 4
_KINDS = {"probe": "small batch of ordinary rows", "search": "found by search"}
TEXT_WIDTH = 100


def render(result: Result) -> RenderableType:
    """What `lossproof check` prints."""
    colour = "green" if result.equal else "red" if result.verdict in _BAD else "yellow"
    head = Text.from_markup(
        f"[bold {colour}]{VERDICTS[result.verdict]}[/]  {escape(result.target)} against "
        f"[bold]{result.against}[/]"
    )
    parts: list[RenderableType] = [head, Text(f"  {result.detail}")]
    parts += [Text(f"  right for  {result.range}"), _assumed(result)]
    if result.ulps:
        figures = ", ".join(f"{name} {x:g}" for name, x in result.ulps.items())
        parts.append(Text(f"  largest error where it is right, in ulp  {figures}"))
    failures = [f for f in result.findings if f.severity == "failure"]
    for number, finding in enumerate(failures[:SHOWN], 1):
        parts.append(_finding(number, finding))
    if len(failures) > SHOWN:
        rest = ", ".join(f.kind for f in failures[SHOWN:])
        parts.append(Text(f"\nand {len(failures) - SHOWN} more, all in --json: {rest}"))
    parts += [_finding(0, f) for f in result.findings if f.severity == "note"]
    parts += _story(result)
    if result.reproducer:
        # one line of text a line of code: it is to be pasted
        code = Text(result.reproducer.rstrip(), no_wrap=True, overflow="ignore")
        parts += [Text("\nto reproduce", style="bold"), code]
    parts.append(Text(f"\n{result.rows} calls compared in {result.seconds:g} s", style="dim"))
    return Group(*parts)


_BAD = ("different", "does-not-run", "value-wrong", "gradient-wrong")


def as_text(result: Result, width: int = TEXT_WIDTH) -> str:
    """The same without colour."""
    out = StringIO()
    # In a notebook rich would write to the cell, whatever the file.
    made = Console(file=out, width=width, no_color=True, highlight=False, force_jupyter=False)
    made.print(render(result))
    return out.getvalue()


def _assumed(result: Result) -> Text:
    words = ", ".join(f"{name} {value}" for name, value in result.assumed.items())
    return Text(f"  called as  {words}") if words else Text("  called as  nothing worked")


def _finding(number: int, finding: Finding) -> RenderableType:
    mark = "note" if finding.severity == "note" else f"{number}."
    where = f" [{', '.join(finding.dtypes)}]" if finding.dtypes else ""
    lines = [
        Text(
            f"\n{mark} {_KINDS.get(finding.kind, finding.kind)}{where}: {finding.words}",
            style="bold",
        )
    ]
    if len(finding.scores):
        lines.append(Text(f"   scores    {numbers(finding.scores)}"))
        lines.append(Text(f"   labels    {numbers(finding.labels)}"))
    if finding.got:
        off = "" if finding.ulps is None else f"   {_ulps(finding.ulps)}"
        lines.append(Text(f"   got       {finding.got}{off}"))
        lines.append(Text(f"   expected  {finding.expected}"))
    if finding.claim:
        lines.append(Text(f"   violates  {finding.claim}"))
    return Group(*lines)


def _story(result: Result) -> list[RenderableType]:
    """Cause and cure, each once."""
    told = dict.fromkeys((f.cause, f.why, f.cure) for f in result.findings if f.cause)
    return [
        Group(
            Text(f"\nlikely cause: {cause}", style="bold"),
            Padding(Text(why), (0, 2)),
            Padding(Text(f"Cure: {cure}"), (0, 2)),
        )
        for cause, why, cure in told
    ]


def _ulps(error: float) -> str:
    if error == float("inf"):
        return "no number near"
    return f"off by {error:.3g} ulp"


def numbers(row: Sequence[Any]) -> str:
    """A row of numbers, its middle left out if it is long."""
    if len(row) and isinstance(row[0], list | tuple):
        return "[" + ", ".join(numbers(one) for one in row) + "]"
    shown = [f"{x:.9g}" for x in row]
    if len(shown) > MOST_NUMBERS:
        half = MOST_NUMBERS // 2
        shown = [*shown[:half], f"... ({len(row)} in all)", *shown[-half:]]
    return f"({', '.join(shown)})"
