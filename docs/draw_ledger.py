"""The ledger at a glance: a tile for each statement, in the order of its document.

The colour and the sign of a tile are its recorded verdict, which `lossproof verify` holds against
the computed one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from verify.ledger import ENTRIES
from verify.ledger.entry import TRUE, Entry, Verdict
from verify.report.documents import DOCUMENTS

# The tiles of the longest document fill three lines.
COLUMNS = 45
# Inches, as the other pictures have it.
WIDTH = 11.0
# What is true is blue, the surer the darker; the rest has a sign too.
LOOKS = {
    Verdict.PROVED: (BLUE, ""),
    Verdict.PROVED_FOR: ("#6d9fd0", "n"),
    Verdict.CONFIRMED: ("#b4cfe8", "≈"),
    Verdict.REFUTED: (RED, "×"),
    Verdict.UNSUPPORTED: ("#e9a23b", "!"),
    Verdict.ILL_POSED: ("#7a4fa3", "?"),
    Verdict.EMPIRICAL: ("#cfd3d8", "…"),
}
DARK_ON = ("#b4cfe8", "#cfd3d8", "#e9a23b")


def tile(axes: Axes, x: float, y: float, verdict: Verdict, size: float = 0.84) -> None:
    """One tile with its sign, its centre at (x, y)."""
    colour, sign = LOOKS[verdict]
    rounded = f"round,pad=0,rounding_size={size / 6}"
    corner = (x - size / 2, y - size / 2)
    axes.add_patch(FancyBboxPatch(corner, size, size, boxstyle=rounded, fc=colour, ec="none"))
    ink = INK if colour in DARK_ON else "white"
    axes.text(x, y, sign, color=ink, ha="center", va="center_baseline", fontsize=7.5, weight="bold")


def in_words(entries: Sequence[Entry]) -> str:
    """How many there are, and how many do not hold as stated."""
    verdicts = Counter(entry.verdict for entry in entries)
    told = [f"{verdicts[kind]} {kind}" for kind in LOOKS if kind not in TRUE and verdicts[kind]]
    return ", ".join([f"{sum(verdicts[kind] for kind in TRUE)} hold", *told])


def _draw_document(axes: Axes, top: float, title: str, entries: Sequence[Entry]) -> float:
    """The tiles of one document below its title; where the next one begins."""
    axes.text(-0.42, top, title, weight="bold", va="baseline")
    axes.text(COLUMNS - 0.58, top, in_words(entries), ha="right", va="baseline", fontsize=9.5)
    for place, entry in enumerate(entries):
        line, column = divmod(place, COLUMNS)
        tile(axes, column, top + 0.95 + line, entry.verdict)
    return top + 0.95 + (len(entries) - 1) // COLUMNS + 2.15


def _draw_key(axes: Axes, y: float) -> None:
    """Every verdict with its tile and its number."""
    verdicts = Counter(entry.verdict for entry in ENTRIES.values())
    for place, kind in enumerate(LOOKS):
        x = place * (COLUMNS + 1) / len(LOOKS)
        tile(axes, x, y, kind)
        axes.text(x + 0.75, y, f"{kind} {verdicts[kind]}", va="center_baseline", fontsize=9.5)
    axes.plot([-0.42, COLUMNS - 0.58], [y + 1.0, y + 1.0], color=GREY, linewidth=0.6)


def ledger() -> Figure:
    """All documents, one below the other, under a key of the verdicts."""
    figure, axes = plt.subplots()
    _draw_key(axes, 0)
    top = 2.4
    for document in DOCUMENTS:
        entries = [entry for entry in ENTRIES.values() if entry.document == document.name]
        name = document.title if document.name == "own" else f"{document.name}  {document.title}"
        top = _draw_document(axes, top, name, entries)
    sides, ends = (-0.9, COLUMNS - 0.1), (top - 1.1, -0.9)
    axes.set(xlim=sides, ylim=ends)
    axes.axis("off")
    # Square tiles: the figure has the proportions of its contents.
    height = WIDTH * (ends[0] - ends[1]) / (sides[1] - sides[0])
    figure.set_size_inches(WIDTH, height)
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
    return figure
