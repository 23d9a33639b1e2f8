"""The first picture: what the usual code loses, and what a score means.

digits       correct digits of a small loss: the usual log-sum-exp code, and lossproof; the
             truth from mpmath
probability  the score that minimises soft ZLPR for a label t, found without using the link,
             between sigma(2s) and sigma(s)
"""

from __future__ import annotations

import mpmath
import numpy as np
from look import BLUE, GREY, INK, RED
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numeric_core import soft_zlpr, zlpr

# 256 steps a unit: every gap is exact in float32, and so is its negative.
GAPS = np.arange(0, 60 * 256 + 1, 64) / 256
LABELS = (1.0, 0.0, 0.0)
# One row of labels for n = 5, and single labels for n = 1, none of them on another.
SINGLE = (0.10, 0.35, 0.65, 0.90)
ROW = (0.04, 0.22, 0.50, 0.80, 0.97)


def scores(gap: float) -> tuple[float, float, float]:
    """A confident, right prediction for the labels (1, 0, 0)."""
    return gap, -gap, -gap


def exact_loss(gap: float) -> mpmath.mpf:
    """log(1 + e^-gap) + log(1 + 2 e^-gap) to 40 digits."""
    with mpmath.workdps(40):
        small = mpmath.exp(-mpmath.mpf(gap))
        return mpmath.log1p(small) + mpmath.log1p(2 * small)


def usual_loss(gap: float, dtype: type[np.floating]) -> np.floating:
    """ZLPR as it is usually written: logsumexp of (0, -s_pos) plus logsumexp of (0, s_neg)."""

    def logsumexp(terms: list[float]) -> np.floating:
        x = np.asarray(terms, dtype=dtype)
        return x.max() + np.log(np.exp(x - x.max()).sum())

    return logsumexp([0.0, -gap]) + logsumexp([0.0, -gap, -gap])


def our_loss(gap: float, dtype: type[np.floating]) -> np.floating:
    """The same loss from the numeric core."""
    return zlpr(np.asarray(scores(gap), dtype=dtype), np.asarray(LABELS, dtype=dtype))


def correct_digits(value: np.floating, truth: mpmath.mpf, dtype: type[np.floating]) -> float:
    """-log10 of the relative error, between 0 and what half an ulp of the dtype allows."""
    error = abs(mpmath.mpf(float(value)) - truth) / truth
    most = -np.log10(float(np.finfo(dtype).eps) / 2)
    return most if error == 0 else float(np.clip(-mpmath.log10(error), 0.0, most))


def minimising_scores(labels: tuple[float, ...]) -> np.ndarray:
    """argmin over s of soft_zlpr(s, labels), by Newton's method from s = 0."""
    t = np.asarray(labels)
    s = np.zeros_like(t)
    for _ in range(100):
        value, gradient = soft_zlpr.value_and_grad(s, t)
        step = np.linalg.solve(soft_zlpr.hessian(s, t), gradient)
        length = 1.0
        while length > 1e-6 and soft_zlpr(s - length * step, t) > value:
            length /= 2
        s = s - length * step
    if np.abs(soft_zlpr.value_and_grad(s, t)[1]).max() > 1e-12:
        raise ArithmeticError(f"no minimum found for the labels {labels}, stopped at {s}")
    return s


def draw_digits(axes: Axes) -> None:
    """Correct digits of the loss over the logit gap, usual code and ours, in both formats."""
    truth = [exact_loss(gap) for gap in GAPS.tolist()]
    for dtype, width in ((np.float64, 2.0), (np.float32, 1.4)):
        for loss, colour in ((usual_loss, RED), (our_loss, BLUE)):
            digits = [
                correct_digits(loss(gap, dtype), true, dtype)
                for gap, true in zip(GAPS.tolist(), truth, strict=True)
            ]
            axes.plot(GAPS, digits, color=colour, linewidth=width, clip_on=False)
    axes.text(59, 14.7, "lossproof, float64", color=BLUE, ha="right")
    axes.text(59, 6.1, "lossproof, float32", color=BLUE, ha="right")
    axes.text(21.5, 9.6, "usual log-sum-exp,\nfloat64", color=RED)
    axes.text(13.2, 4.4, "the same,\nfloat32", color=RED)
    axes.annotate(
        "no digit left:\nthe loss is 0.0",
        xy=(37.8, 0.15),
        xytext=(43, 2.2),
        arrowprops={"arrowstyle": "-", "color": GREY},
    )
    axes.set(xlim=(0, 60), ylim=(0, 17), xticks=range(0, 61, 10), yticks=range(0, 17, 4))
    axes.set_title("Correct digits of a small loss", pad=12)
    axes.set_xlabel("gap g:  scores (g, \N{MINUS SIGN}g, \N{MINUS SIGN}g), labels (1, 0, 0)")
    axes.set_ylabel("correct digits of ZLPR")


def draw_probability(axes: Axes) -> None:
    """sigma(2s) and sigma(s), with the loss-minimising scores of some labels."""
    x = np.linspace(-3, 3, 601)
    axes.plot(x, 1 / (1 + np.exp(-2 * x)), color=BLUE, linewidth=2.0)
    axes.plot(x, 1 / (1 + np.exp(-x)), color=RED, linewidth=1.4, linestyle=(0, (5, 2)))
    single = [minimising_scores((t,))[0] for t in SINGLE]
    axes.plot(single, SINGLE, "o", color="white", mec=INK, mew=1.4, ms=7, label="argmin, n = 1")
    row = minimising_scores(ROW)
    axes.plot(row, ROW, "D", color=INK, ms=5.5, label="argmin, n = 5")
    axes.text(0.62, 0.93, "σ(2s)", color=BLUE, ha="right", fontsize=12)
    axes.text(2.0, 0.80, "σ(s)", color=RED, fontsize=12)
    axes.legend(loc="upper left", frameon=False, handletextpad=0.2)
    _mark_misreading(axes, float(row[3]), ROW[3])
    axes.set(xlim=(-3, 3), ylim=(0, 1), xticks=range(-3, 4), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_title("The probability that a score stands for", pad=12)
    axes.set_xlabel("score s that minimises soft ZLPR")
    axes.set_ylabel("label t")


def _mark_misreading(axes: Axes, score: float, label: float) -> None:
    """What is read off sigma(s) at the score that was learnt for the label."""
    misread = 1 / (1 + np.exp(-score))
    axes.vlines(score, misread, label, color=RED, linewidth=1.2)
    axes.annotate(
        f"learnt from t = {label:.2f},\nσ(s) reads {misread:.2f}",
        xy=(score + 0.02, misread),
        xytext=(1.05, 0.42),
        arrowprops={"arrowstyle": "-", "color": GREY},
    )


def first() -> Figure:
    """Both, side by side."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    draw_digits(left)
    draw_probability(right)
    return figure
