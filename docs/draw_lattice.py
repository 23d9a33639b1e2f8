"""The lattice: each loss as its set of index pairs (a, b).

With x_i = e^{s_i} every loss of the family is log sum_{(a, b) in I} e_a(x of the labels that are
off) e_b(1/x of the labels that are on).  A term of e_a e_b stands for one wrong answer: a labels
too many and b too few.  Its weight is e^{score of that answer - score of the right one}, and the
right answer itself, (0, 0), has weight 1.  So I says which mistakes the loss counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

# 5 labels are off and 3 are on: small enough to print every count, large enough for six shapes.
OFF, ON = 5, 3
GREEN, PALE = "#2f7d55", "#eceef1"


@dataclass(frozen=True)
class IndexSet:
    """A loss: its name, its set I in formulas, and whether I holds (a, b)."""

    name: str
    formula: str
    holds: Callable[[int, int], bool]
    colour: str

    @property
    def terms(self) -> int:
        """How many answers the loss weighs against each other."""
        return sum(comb(OFF, a) * comb(ON, b) for a, b in GRID if self.holds(a, b))


GRID = [(a, b) for a in range(OFF + 1) for b in range(ON + 1)]
# Each row of panels ascends: the set on the left lies in the set on its right.  At most K = 4
# labels with k = 3 on: K - k = 1.
SETS = (
    (
        IndexSet("unified", "a = b ≤ 1", lambda a, b: a == b <= 1, RED),
        IndexSet("combination softmax", "a = b", lambda a, b: a == b, RED),
        IndexSet("padded, at most K labels", "a − b ≤ K − k,  K = 4", lambda a, b: a - b <= 1, RED),
    ),
    (
        IndexSet("ZLPR", "a, b ≤ 1", lambda a, b: max(a, b) <= 1, BLUE),
        IndexSet("order r", "a, b ≤ r,  r = 2", lambda a, b: max(a, b) <= 2, BLUE),
        IndexSet("binary cross-entropy", "all (a, b)", lambda a, b: True, GREEN),
    ),
)


def draw_set(axes: Axes, chosen: IndexSet) -> None:
    """One grid: a cell for each (a, b), filled where I holds it, with its number of answers."""
    for a, b in GRID:
        inside = chosen.holds(a, b)
        colour = (INK if a == b == 0 else chosen.colour) if inside else PALE
        corner = (a - 0.42, b - 0.42)
        box = FancyBboxPatch(corner, 0.84, 0.84, "round,pad=0,rounding_size=0.16", fc=colour, lw=0)
        axes.add_patch(box)
        count = str(comb(OFF, a) * comb(ON, b))
        shade = "white" if inside else "#b9bec6"
        axes.text(a, b, count, ha="center", va="center", color=shade, fontsize=9.5)
    axes.set(xlim=(-0.5, OFF + 0.5), ylim=(-0.5, ON + 0.5), aspect="equal")
    axes.set_xticks(range(OFF + 1))
    axes.set_yticks(range(ON + 1))
    axes.tick_params(length=0, labelsize=9, labelcolor=GREY)
    axes.spines[:].set_visible(False)
    axes.text(-0.42, ON + 1.12, chosen.name, fontsize=12.5, fontweight="bold", color=INK)
    axes.text(-0.42, ON + 0.63, chosen.formula, fontsize=10.5, color=chosen.colour)
    total = f"{chosen.terms} answers"
    axes.text(OFF + 0.42, ON + 0.63, total, fontsize=10.5, color=INK, ha="right")


def lattice() -> Figure:
    """Six losses as six sets on one grid."""
    figure, panels = plt.subplots(2, 3, figsize=(11, 7.4))
    figure.subplots_adjust(left=0.055, right=0.985, top=0.755, bottom=0.075, wspace=0.2, hspace=0.5)
    for row, (line, sets) in enumerate(zip(panels, SETS, strict=True)):
        for column, (axes, chosen) in enumerate(zip(line, sets, strict=True)):
            draw_set(axes, chosen)
            axes.set_ylabel("b missed", color=GREY, fontsize=9.5) if column == 0 else None
            axes.set_xlabel("a too many", color=GREY, fontsize=9.5) if row == 1 else None
            if column < 2:
                axes.text(
                    OFF + 1.05, ON / 2, "⊂", fontsize=20, ha="center", va="center", color=GREY
                )
    for column in (0, 2):
        panels[0][column].text(
            OFF / 2, -1.02, "⊂", fontsize=20, ha="center", va="center", color=GREY, rotation=-90
        )
    figure.text(0.02, 0.95, "Which mistakes does a loss count?", fontsize=17, fontweight="bold")
    figure.text(
        0.02,
        0.9,
        r"loss  $=\ \log\ \sum_{(a,b)\,\in\,I}\ e_a(v)\,e_b(w)$"
        r"      $v = e^{s}$ of the labels that are off,  $w = e^{-s}$ of those that are on"
        f"  (here {OFF} off, {ON} on)",
        fontsize=11.5,
    )
    figure.text(
        0.02,
        0.845,
        "A term is a wrong answer, a labels too many and b missed, weighted by e to its lead over "
        "the right answer (black, weight 1).  Smaller set, smaller loss.",
        fontsize=10,
        color="#555b64",
    )
    return figure
