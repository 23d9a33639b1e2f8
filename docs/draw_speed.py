"""Value and gradient beside a = b + c, from the run that benchmarks/measured.json stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MEASURED = Path(__file__).resolve().parents[1] / "benchmarks" / "measured.json"
LOSSES = (
    "softmax_cross_entropy",
    "soft_zlpr",
    "zlpr",
    "binary_cross_entropy",
    "unified",
)
# A layer's worth: 16 MiB of float32.
SHAPE = [4096, 1024]
# Colour and marker of each contender, in the order of the legend.
LOOKS = {
    "lossproof fast, out=": (BLUE, "D"),
    "lossproof fast": ("#4f86c0", "d"),
    "lossproof": ("#9dc0e3", "d"),
    "NumPy by hand": (INK, "o"),
    "jax.jit": ("#3a7d44", "s"),
    "torch.compile": ("#c26a00", "^"),
    "torch eager": (RED, "v"),
    "SciPy": (GREY, "o"),
}


def speed() -> Figure:
    """A panel for each dtype, a line for each loss, a mark for each contender."""
    rows = [row for row in json.loads(MEASURED.read_text())["rows"] if _shown(row)]
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.1), sharey=True, layout="constrained")
    for axes, dtype in zip(panels, ("float32", "float64"), strict=True):
        _panel(axes, [row for row in rows if row["dtype"] == dtype])
        axes.set_title(f"{dtype}, {SHAPE[0]} rows of {SHAPE[1]} labels", pad=10)
    marks = {mark.get_label(): mark for axes in panels for mark in axes.collections}
    shown = {name: marks[name] for name in LOOKS if name in marks}
    columns = (len(shown) + 1) // 2
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=columns, frameon=False
    )
    return figure


def _shown(row: dict[str, Any]) -> bool:
    asked = row["loss"] in LOSSES and row["quantity"] == "value_and_grad"
    return asked and row["contender"] in LOOKS and row["shape"] == SHAPE


def _panel(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for place, loss in enumerate(LOSSES):
        own = {row["contender"]: row["ratio"] for row in rows if row["loss"] == loss}
        if own:
            axes.hlines(
                place, min(own.values()), max(own.values()), color="#e3e6e9", lw=5, zorder=0
            )
        for name, ratio in own.items():
            colour, marker = LOOKS[name]
            size = 70 if name.startswith("lossproof") else 42
            axes.scatter(ratio, place, size, color=colour, marker=marker, label=_once(axes, name))
    axes.axvline(1, color=GREY, lw=1, zorder=0)
    axes.set(xscale="log", xlabel="time of value and gradient, in times of a = b + c")
    axes.set_yticks(range(len(LOSSES)), LOSSES)
    axes.set_ylim(len(LOSSES) - 0.5, -0.5)
    axes.xaxis.set_major_formatter("{x:g}")


def _once(axes: Axes, name: str) -> str:
    """A label for the legend, the first time."""
    known = {handle.get_label() for handle in axes.collections}
    return f"_{name}" if name in known else name
