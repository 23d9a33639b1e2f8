"""The museum at a glance: a tile for each cause of a fault, coloured by the verdict it leads to.

Causes and verdicts are those on the cards of the pieces, which `lossproof museum` holds a check to.
"""

from __future__ import annotations

from collections import Counter
from textwrap import fill

from look import INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from verify.check.causes import CAUSES
from verify.check.findings import VERDICTS
from verify.museum import FAULTY, Piece

COLUMNS = 6
# Inches: the width as the other pictures have it, and what two lines of text need.
WIDTH, HEIGHT = 11.0, 0.56
# Letters of a line in a tile.
LETTERS = 25
# The worse for a training that nobody watches, the darker.
LOOKS = {
    "limited-range": "#e9a23b",
    "hard-labels-only": "#f3cd8f",
    "different": RED,
    "gradient-wrong": "#7a4fa3",
    "value-wrong": "#b79bd0",
    "equal-up-to-scale": "#6d9fd0",
    "equal-up-to-constant": "#b4cfe8",
    "does-not-run": INK,
}
DARK_ON = ("#e9a23b", "#f3cd8f", "#b79bd0", "#b4cfe8")


def faults() -> list[Piece]:
    """One piece for each cause, with the gravest verdict; those of one verdict together."""
    order, grave = list(LOOKS), list(VERDICTS)
    worst = {p.cause: p for p in sorted(FAULTY, key=lambda p: grave.index(p.verdict))}
    return sorted(worst.values(), key=lambda p: order.index(p.verdict))


def tile(axes: Axes, place: int, piece: Piece) -> None:
    """What is wrong in such a piece, in words."""
    row, column = divmod(place, COLUMNS)
    colour = LOOKS[piece.verdict]
    shape = FancyBboxPatch(
        (column + 0.03, row + 0.07), 0.94, 0.86, boxstyle="round,pad=0,rounding_size=0.04"
    )
    shape.set(fc=colour, ec="none", mutation_aspect=WIDTH / COLUMNS / HEIGHT)
    axes.add_patch(shape)
    ink = INK if colour in DARK_ON else "white"
    words = fill(CAUSES[str(piece.cause)].title, LETTERS)
    axes.text(column + 0.5, row + 0.5, words, color=ink, ha="center", va="center", fontsize=8.2)


def _key(axes: Axes, y: float) -> None:
    """Every verdict with its colour and the number of pieces."""
    counts = Counter(piece.verdict for piece in FAULTY)
    for place, (verdict, colour) in enumerate(LOOKS.items()):
        row, column = divmod(place, 4)
        x, level = column * COLUMNS / 4 + 0.03, y + 0.5 * row
        shape = FancyBboxPatch((x, level), 0.12, 0.3, boxstyle="round,pad=0,rounding_size=0.02")
        axes.add_patch(shape)
        shape.set(fc=colour, ec="none", mutation_aspect=WIDTH / COLUMNS / HEIGHT)
        words = f"{VERDICTS[verdict]} {counts[verdict]}"
        axes.text(x + 0.17, level + 0.17, words, va="center_baseline", fontsize=9.5)


def museum() -> Figure:
    """The key, and the tiles below it."""
    figure, axes = plt.subplots()
    pieces = faults()
    _key(axes, -1.15)
    for place, piece in enumerate(pieces):
        tile(axes, place, piece)
    lines = -(-len(pieces) // COLUMNS)
    axes.set(xlim=(0, COLUMNS), ylim=(lines + 0.05, -1.3))
    axes.axis("off")
    figure.set_size_inches(WIDTH, HEIGHT * (lines + 1.35))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
    return figure
