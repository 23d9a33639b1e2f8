"""The losses on imbalanced digits, from the figures that benchmarks/digits.py stores."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from look import BLUE, GREY, INK
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from digits import FIGURES_FILE, MODELS, summary

PANELS = {
    "rare": "recall of the three rarest classes",
    "balanced": "mean recall of all classes",
    "log-loss": "log-loss",
}
KINDS = {"hard": (BLUE, BLUE, -0.13), "smoothed": ("white", INK, 0.13)}


def digits() -> Figure:
    """A row for each model, a column for each figure, a line for each loss."""
    lines = summary(json.loads(FIGURES_FILE.read_text()))
    losses = list(dict.fromkeys(line["loss"] for line in lines))
    figure, grid = plt.subplots(
        len(MODELS), len(PANELS), figsize=(11, 6.4), sharex="col", sharey=True, layout="constrained"
    )
    for row, model in zip(grid, MODELS, strict=True):
        for axes, name in zip(row, PANELS, strict=True):
            _draw(axes, [line for line in lines if line["model"] == model], losses, name)
        row[0].set_title(f"{model}", pad=10)
        row[0].set_yticks(range(len(losses)), losses)
    for axes, text in zip(grid[-1], PANELS.values(), strict=True):
        axes.set_xlabel(text)
    grid[0, 0].invert_yaxis()
    handles = grid[0, 0].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, loc="outside upper right", ncols=2)
    return figure


def _draw(axes: Axes, lines: list[dict[str, Any]], losses: list[str], name: str) -> None:
    """Mean and standard error of one figure for each loss, hard labels above smoothed ones."""
    for kind, (fill, edge, offset) in KINDS.items():
        chosen = [line for line in lines if line["labels"] == kind]
        places = [losses.index(line["loss"]) + offset for line in chosen]
        means, errors = zip(*(line[name] for line in chosen), strict=True)
        axes.errorbar(
            means,
            places,
            xerr=errors,
            fmt="o",
            ms=6,
            color=edge,
            mfc=fill,
            mec=edge,
            elinewidth=1.2,
            label=f"{kind} labels",
        )
    axes.grid(axis="y", color=GREY, alpha=0.25)
    axes.tick_params(axis="y", length=0)
