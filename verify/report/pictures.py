"""Pictures as SVG inside the page: their colours are those of the page, light or dark.

Each is an image with a label for those who do not see it, and all its numbers stand in a table
beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from verify.accuracy import Line
from verify.ledger import Verdict
from verify.newton import NewtonMap

__all__ = ["Bar", "error_plot", "newton_map", "verdict_bars"]

# All lengths are in the units of the view box; the page scales it to its width.
_WIDTH, _ROW, _LABEL = 720, 34, 86
# A count is written into a part that is so wide.
_LEAST_WITH_NUMBER = 18


@dataclass(frozen=True)
class Bar:
    """One document: its name, the page that it leads to, how many statements of each verdict."""

    name: str
    page: str
    counts: Mapping[Verdict, int]

    @property
    def total(self) -> int:
        """All statements."""
        return sum(self.counts.values())


def verdict_bars(bars: Sequence[Bar]) -> Markup:
    """A row for each document, its parts as long as there are statements of that verdict."""
    most = max((bar.total for bar in bars), default=1)
    scale = (_WIDTH - _LABEL - 40) / most
    rows = "".join(_bar(place * _ROW, bar, scale) for place, bar in enumerate(bars))
    words = "; ".join(
        f"{bar.name}: " + ", ".join(f"{count} {verdict}" for verdict, count in bar.counts.items())
        for bar in bars
    )
    return _picture(_WIDTH, _ROW * len(bars), f"Verdicts by document. {words}", rows)


def _bar(top: float, bar: Bar, scale: float) -> str:
    middle, left = top + _ROW / 2, float(_LABEL)
    parts = [_text(_LABEL - 12, middle, bar.name, "label end")]
    for verdict, count in bar.counts.items():
        width = count * scale
        shape = _rectangle(left, top + 5, max(width - 1.5, 1), _ROW - 10, f"part v-{verdict}")
        number = _text(left + width / 2 - 0.75, middle, str(count), "number")
        inside = shape + (number if width >= _LEAST_WITH_NUMBER else "")
        hint = f"<title>{bar.name}: {count} {verdict}</title>"
        parts.append(f'<a href="{bar.page}?verdict={verdict}">{hint}{inside}</a>')
        left += width
    return "".join([*parts, _text(left + 8, middle, str(bar.total), "label")])


# Errors from a sixteenth of an ulp to 64 ulp, by factors of 2; smaller ones stand at the left end.
_FIRST, _LAST = -4, 6
_MARKS = ("value", "gradient", "hvp")


def error_plot(lines: Iterable[Line]) -> Markup:
    """The largest error of each loss and quantity beside its bound, in ulp, on a scale of twos."""
    rows: dict[str, list[Line]] = {}
    for line in lines:
        rows.setdefault(line.loss, []).append(line)
    height, label = 26, 236
    drawn = [_axis(label, height * len(rows))]
    for place, (loss, own) in enumerate(rows.items()):
        middle = height * (place + 0.5)
        drawn.append(_text(label - 14, middle, loss, "label end"))
        drawn.append(_rectangle(label, middle - 0.5, _WIDTH - label - 16, 1, "rule"))
        bound = _across(max(line.bound for line in own), label)
        drawn.append(_rectangle(bound - 1.5, middle - 8, 3, 16, "bound"))
        drawn += [_mark(line, _across(line.error, label), middle) for line in own]
    words = "Largest error in ulp by loss and quantity; the numbers are in the table"
    return _picture(_WIDTH, height * len(rows) + 30, words, "".join(drawn))


def _across(error: float, label: float) -> float:
    """Where an error stands; what is beyond the scale stands at its end."""
    power = math.log2(error) if 0 < error < math.inf else (_FIRST if error <= 0 else _LAST)
    share = (min(max(power, _FIRST), _LAST) - _FIRST) / (_LAST - _FIRST)
    return label + share * (_WIDTH - label - 16)


def _axis(label: float, height: float) -> str:
    drawn = ""
    for power in range(_FIRST, _LAST + 1, 2):
        at = _across(2.0**power, label)
        name = f"1/{2**-power}" if power < 0 else str(2**power)
        drawn += _rectangle(at, 0, 1, height + 6, "grid") + _text(at, height + 18, name, "tick")
    return drawn


def _mark(line: Line, x: float, y: float) -> str:
    hint = f"<title>{escape(f'{line.loss}, {line.quantity}: {line.error:.3g} ulp')}</title>"
    kind = f"mark m-{line.quantity}" + ("" if line.within else " beyond")
    if line.quantity == "value":
        return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5">{hint}</circle>'
    if line.quantity == "gradient":
        place = f'x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"'
        return f'<rect class="{kind}" {place}>{hint}</rect>'
    corners = f"M{x:.1f} {y - 6:.1f}l6 11h-12z"
    return f'<path class="{kind}" d="{corners}">{hint}</path>'


def newton_map(newton: NewtonMap) -> Markup:
    """The relative error of Newton's recursion over spread (across) and k (up), 1e-16 to 1."""
    columns, rows = len(newton.spreads), len(newton.orders)
    label, size = 46, min(26.0, (_WIDTH - 60) / max(columns, 1))
    cells = [
        _cell(label + a * size, (rows - 1 - b) * size, size, newton, (a, b))
        for a in range(columns)
        for b in range(rows)
    ]
    ticks = [
        _text(label - 8, (rows - 0.5 - b) * size, str(k), "tick end")
        for b, k in enumerate(newton.orders)
        if b % max(1, rows // 8) == 0
    ]
    ticks += [
        _text(label + (a + 0.5) * size, rows * size + 14, f"{spread:.2g}", "tick")
        for a, spread in enumerate(newton.spreads)
        if a % max(1, columns // 8) == 0
    ]
    words = "Relative error of Newton's recursion for log Z_k over the spread of the scores and k"
    return _picture(label + columns * size + 10, rows * size + 26, words, "".join(cells + ticks))


def _cell(x: float, y: float, size: float, newton: NewtonMap, place: tuple[int, int]) -> str:
    spread, k = newton.spreads[place[0]], newton.orders[place[1]]
    error = newton.newton[place[0]][place[1]]
    lost = (
        1.0 if not math.isfinite(error) else min(1.0, max(0.0, 1 + math.log10(error or 1e-17) / 16))
    )
    told = "no number" if not math.isfinite(error) else f"{error:.1e}"
    hint = f"<title>spread {spread:g}, k = {k}: {told}</title>"
    box = f'x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}"'
    return f'<rect class="heat" {box} style="--lost:{lost:.2f}">{hint}</rect>'


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}></rect>'


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" dy="0.35em">{escape(words)}</text>'


def _picture(width: float, height: float, words: str, drawn: str) -> Markup:
    box = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    return Markup(
        f'<svg class="picture" {box} role="group" aria-label="{escape(words)}">{drawn}</svg>'
    )
