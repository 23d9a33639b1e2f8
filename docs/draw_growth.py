"""Growth of the times over n and k, from the run that benchmarks/measured.json stores."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from look import BLUE, GREY, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import ORDERS, ROWS
from benchmarks.run import Row
from benchmarks.stored import rows_of

MEASURED = Path(__file__).resolve().parents[1] / "benchmarks" / "measured.json"
SUBSETS = "combination_softmax"
LOSSES = ("softmax_cross_entropy", "zlpr", "soft_zlpr")
# Colour and width of each line.
OF_SUBSETS = {
    "lossproof": (BLUE, 2.8),
    "recursion, autograd": (RED, 1.5),
    "scan, autograd": ("#c26a00", 1.5),
    "divide and conquer": ("#6a4c93", 1.5),
    "poisson_binom, value": ("#3a7d44", 1.5),
    "Newton": (GREY, 1.5),
}
OF_ROWS = {
    "lossproof fast, out=": (BLUE, 2.8),
    "lossproof fast": ("#4f86c0", 1.5),
    "lossproof": ("#9dc0e3", 2.8),
    "NumPy by hand": ("#22262b", 1.5),
    "jax.jit": ("#3a7d44", 1.5),
    "torch.compile": ("#c26a00", 1.5),
    "torch eager": (RED, 1.5),
    "SciPy": (GREY, 1.5),
}


def growth() -> Figure:
    """The combination softmax: seconds for 16 rows, over n and over k."""
    rows = [row for row in _rows() if row.loss == SUBSETS]
    k = _most(row.k for row in rows)
    n = _most(row.shape[1] for row in rows if row.k in ORDERS)
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True, layout="constrained")
    _lines(panels[0], [row for row in rows if row.k == k], "n", OF_SUBSETS)
    over_k = [row for row in rows if row.shape[1] == n and row.k in ORDERS]
    _lines(panels[1], over_k, "k", OF_SUBSETS)
    panels[0].set(xlabel=f"n labels, k = {k}", ylabel=f"seconds for {ROWS} rows")
    panels[1].set(xlabel=f"k, n = {n} labels")
    panels[0].set_title("Combination softmax: value and gradient, float64", pad=10)
    panels[0].legend(frameon=False, fontsize=9.5)
    return figure


def lengths() -> Figure:
    """Losses of rows: nanoseconds a score over n."""
    rows = _rows()
    figure, panels = plt.subplots(
        1, len(LOSSES), figsize=(11, 4.2), sharey=True, layout="constrained"
    )
    for axes, loss in zip(panels, LOSSES, strict=True):
        _lines(axes, [row for row in rows if row.loss == loss], "n", OF_ROWS)
        axes.set_title(loss, pad=10)
        axes.set_xlabel(f"n labels, {ROWS} rows, float32")
    panels[0].set_ylabel("ns a score, value and gradient")
    handles = {line.get_label(): line for axes in panels for line in axes.lines}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def _rows() -> list[Row]:
    """What was measured for pictures such as these."""
    found = rows_of(json.loads(MEASURED.read_text(encoding="utf-8")))
    rows = [row for row in found if row.shape[:1] == (ROWS,)]
    if not rows:
        wanted = "expected what lossproof bench --growth --json writes"
        raise LookupError(f"{MEASURED} holds no growth: {wanted}")
    return rows


def _most(values: Iterable[int]) -> int:
    """What stays while the other grows: the most frequent."""
    return Counter(values).most_common(1)[0][0]


def _lines(
    axes: Axes, rows: Sequence[Row], over: str, looks: Mapping[str, tuple[str, float]]
) -> None:
    """A line for each contender: of losses of rows, the time of a score."""
    for name, (colour, width) in looks.items():
        own = [row for row in rows if row.contender == name]
        line = sorted((row.shape[1] if over == "n" else row.k, _figure(row)) for row in own)
        if line:
            axes.plot(*zip(*line, strict=True), "o-", ms=3.5, color=colour, lw=width, label=name)
    axes.set(yscale="log")
    axes.set_xscale("log", base=2)


def _figure(row: Row) -> float:
    return row.seconds if row.k else 1e9 * row.seconds / (row.shape[0] * row.shape[1])
