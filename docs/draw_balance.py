"""How evenly the classes pull on a model, before and during training, and what it is good for.

A sample pulls on the model by its row of the gradient; its weight is half the sum of |g_ij| over
the row: with hard labels that is the pull on the score of its own class. The pull of a class is the
sum over its samples. `benchmarks/digits.py` gives data and training: 100 samples of the most
frequent class down to 4 of the rarest, hard labels, linear scores, little weight decay.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from digits import (
    CLASSES,
    MODELS,
    THIRD,
    Objective,
    counts,
    labels_of,
    objectives,
    recalls,
    split,
    train,
)

REPEATS, EVALUATIONS, DECAY = 10, 130, 1e-5
STEPS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
GREEN, ORANGE = "#3a7d44", "#c26a00"
SHOWN = {
    "cross-entropy": ("cross-entropy", RED),
    "mirrored": ("mirrored", ORANGE),
    "pairwise": ("pairwise", BLUE),
    "truncated, argmax s": ("truncated", GREEN),
}


def pulls(objective: Objective, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Half the sum of |g_ij| over the rows of each class: (m,)."""
    gradient = objective.slope(scores, labels, counts().astype(float))[1]
    return np.bincount(labels.argmax(axis=1), np.abs(gradient).sum(axis=1) / 2, CLASSES)


def course(objective: Objective, repeat: int) -> np.ndarray:
    """After STEPS steps: most frequent over rarest class in pull, and recall of the rare third."""
    data, model = split(repeat), MODELS["linear"]
    labels = labels_of(data.train, 0.0)
    visited = [model.start(repeat)]
    keep = {"evaluations": EVALUATIONS, "callback": lambda x: visited.append(x.copy())}
    train(model, objective, data.train, labels, DECAY, repeat, **keep)
    rows = []
    for step in STEPS:
        x = visited[min(step, len(visited) - 1)]
        seen, new = (model.layers(x, part.images)[-1] for part in (data.train, data.test))
        pull = pulls(objective, seen, labels)
        recall = recalls(new.argmax(axis=1) == data.test.classes, data.test.classes)
        rows.append((pull[0] / pull[-1], recall[-THIRD:].mean()))
    return np.array(rows)


def draw_untrained(axes: Axes) -> None:
    """Share of the whole pull that each class has at scores 0, over its number of samples."""
    table, number = objectives(), counts()
    labels = np.repeat(np.eye(CLASSES), number, axis=0)
    for name, (text, colour) in SHOWN.items():
        pull = pulls(table[name], np.zeros_like(labels), labels)
        axes.plot(number, pull / pull.sum(), "o-", color=colour, ms=4.5, label=text)
    value = np.log1p((CLASSES - 1) * number)
    share = value / value.sum()
    axes.plot(number, share, ":", color=GREEN, lw=1.6, label="truncated, of the value")
    axes.set(xscale="log", yscale="log", xlabel="samples of the class", ylabel="share of the class")
    axes.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_yticks([0.01, 0.03, 0.1, 0.3], ["1%", "3%", "10%", "30%"])
    axes.set_title("Pull of the classes at scores 0", pad=12)
    axes.legend(frameon=False, loc="lower right", fontsize=9.5)


def draw_ratio(axes: Axes, courses: dict[str, np.ndarray]) -> None:
    """The ratio of the pulls over the steps of training, the median of the repeats."""
    for name, (_, colour) in SHOWN.items():
        ratio = np.median(courses[name][..., 0], axis=0)
        axes.plot(range(len(STEPS)), ratio, "o-", color=colour, ms=4.5)
    for ratio, text in ((1, "equal"), (counts()[0] / counts()[-1], "as the counts")):
        axes.axhline(ratio, color=GREY, lw=0.8, ls=":")
        axes.text(len(STEPS) - 1, ratio * 1.08, text, ha="right", color=INK, fontsize=9)
    axes.set(yscale="log", ylim=(0.8, 120))
    axes.set_yticks([1, 2, 5, 10, 25, 100], ["1", "2", "5", "10", "25", "100"])
    axes.minorticks_off()
    axes.set_title("Pull, most frequent / rarest", pad=12)


def draw_recall(axes: Axes, courses: dict[str, np.ndarray]) -> None:
    """Recall of the three rarest classes on the test set: argmax s, mean and standard error."""
    for name, (_, colour) in SHOWN.items():
        recall = courses[name][..., 1]
        mean, error = recall.mean(axis=0), recall.std(axis=0, ddof=1) / np.sqrt(REPEATS)
        axes.plot(range(len(STEPS)), mean, "o-", color=colour, ms=4.5)
        axes.fill_between(range(len(STEPS)), mean - error, mean + error, color=colour, alpha=0.12)
    axes.set(ylim=(0, 1))
    axes.set_title("Recall of the three rarest classes", pad=12)


def balance() -> Figure:
    """Untrained, and two figures over the steps of training."""
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 4.1), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    courses = {
        name: np.array([course(objectives()[name], repeat) for repeat in range(REPEATS)])
        for name in SHOWN
    }
    draw_untrained(panels[0])
    for draw, axes in zip((draw_ratio, draw_recall), panels[1:], strict=True):
        draw(axes, courses)
        axes.set_xticks(range(len(STEPS)), STEPS)
        axes.set_xlabel("steps of L-BFGS, hard labels")
    return figure
