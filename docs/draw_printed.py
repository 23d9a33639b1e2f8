"""The printed code as a table of cells: each row of scores, on each library, in each format.

The upper left half of a cell is the value, the lower right half the worst entry of the gradient;
NumPy has none, nor has an infinite loss. What PyTorch and JAX give is the ledger's record.
"""

from __future__ import annotations

from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verify.ledger.printed import CASES, SNIPPETS, Cell, Kind, Outcome, cells

LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
DTYPES = {"float16": "16", "float32": "32", "float64": "64"}
# Colour and sign of what a number is; dark signs on light colours.
LOOKS = {
    Kind.RIGHT: (BLUE, "", "white"),
    Kind.DIGITS: ("#b4cfe8", "~", INK),
    Kind.WRONG: ("#e9a23b", "×", INK),
    Kind.ZERO: ("#cfd3d8", "0", INK),
    Kind.SIGN: (RED, "±", "white"),
    Kind.INFINITE: ("#7a4fa3", "∞", "white"),
    Kind.NAN: (INK, "?", "white"),
}
# Between the libraries, and between the programs.
GAP, BREAK = 0.35, 1.5
SIZE, WIDTH = 0.92, 11.0


def _cell(axes: Axes, x: float, y: float, cell: Cell) -> None:
    """Two triangles; a square where there is nothing to tell apart."""
    value, gradient = cell.value, cell.gradient
    if cell.library == "numpy" or (gradient is not None and gradient.kind is value.kind):
        _square(axes, x, y, value.kind)
        return
    _half(axes, x, y, value, upper=True)
    if gradient is not None:
        _half(axes, x, y, gradient, upper=False)


def _square(axes: Axes, x: float, y: float, kind: Kind) -> None:
    colour, sign, ink = LOOKS[kind]
    axes.fill([x, x + SIZE, x + SIZE, x], [y, y, y + SIZE, y + SIZE], color=colour, linewidth=0)
    _sign(axes, x + SIZE / 2, y + SIZE / 2, sign, ink, 8)


def _half(axes: Axes, x: float, y: float, outcome: Outcome, upper: bool) -> None:
    """One of the two triangles of a cell whose corner is (x, y)."""
    colour, sign, ink = LOOKS[outcome.kind]
    corner = (x, y) if upper else (x + SIZE, y + SIZE)
    points = [(x, y + SIZE), corner, (x + SIZE, y)]
    axes.fill(*zip(*points, strict=True), color=colour, linewidth=0)
    shift = SIZE * (0.3 if upper else 0.7)
    _sign(axes, x + shift, y + shift, sign, ink, 6)


def _sign(axes: Axes, x: float, y: float, sign: str, ink: str, size: float) -> None:
    axes.text(x, y, sign, color=ink, fontsize=size, ha="center", va="center_baseline")


def _columns(snippets: list[str]) -> dict[tuple[str, str, str], float]:
    """Where each run is drawn."""
    places, x = {}, 0.0
    for snippet in snippets:
        for library in LIBRARIES:
            for dtype in DTYPES:
                places[snippet, library, dtype] = x
                x += 1
            x += GAP
        x += BREAK - GAP
    return places


def _headings(axes: Axes, places: dict[tuple[str, str, str], float], snippets: list[str]) -> None:
    for (_, _, dtype), x in places.items():
        axes.text(x + SIZE / 2, -0.25, DTYPES[dtype], ha="center", fontsize=7.5, color=GREY)
    for snippet in snippets:
        first = places[snippet, "numpy", "float16"]
        axes.text(first, -2.35, snippet, weight="bold", fontsize=11)
        for library, name in LIBRARIES.items():
            middle = places[snippet, library, "float32"] + SIZE / 2
            axes.text(middle, -1.2, name, ha="center", fontsize=9)


def _key(axes: Axes, y: float, first: float, last: float) -> None:
    for place, kind in enumerate(LOOKS):
        x = first + (last - first) * place / len(LOOKS)
        _square(axes, x, y, kind)
        axes.text(x + 1.3, y + SIZE / 2, kind, va="center_baseline", fontsize=9.5)


def printed(loss: str = "soft_zlpr") -> Figure:
    """All cells of the programs that are to compute that loss."""
    snippets = [name for name, snippet in SNIPPETS.items() if snippet.loss == loss]
    cases = [name for name, case in CASES.items() if case.loss == loss]
    places = _columns(snippets)
    figure, axes = plt.subplots()
    _headings(axes, places, snippets)
    for y, case in enumerate(cases):
        axes.text(-0.5, y + SIZE / 2, case, ha="right", va="center_baseline", fontsize=9.5)
    for cell in cells():
        place = places.get(cell.key[:3])
        if place is not None:
            _cell(axes, place, cases.index(cell.case), cell)
    sides, ends = (-11.2, max(places.values()) + 1.2), (len(cases) + 2.1, -3.4)
    _key(axes, len(cases) + 0.7, sides[0] + 0.3, sides[1])
    axes.set(xlim=sides, ylim=ends)
    axes.axis("off")
    # Square cells: the figure has the proportions of its contents.
    figure.set_size_inches(WIDTH, WIDTH * (ends[0] - ends[1]) / (sides[1] - sides[0]))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
    return figure
