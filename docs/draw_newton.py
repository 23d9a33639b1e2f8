"""Where Newton's recursion loses log Z_k: its relative error over the spread of the scores and k.

    k Z_k = sum_{m=1}^k (-1)^(m-1) Z_{k-m} S_m,    S_m = sum_i e^{m s_i}    (document 002, eq. 3)

in float64, next to `lossproof.subset.log_partitions` on the same scores; the truth is the product
prod (1 + e^{s_i} z) in Arb balls.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, arb_poly, ctx
from look import GREY
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from numeric_core.subset import log_partitions

N = 64
# Steps of 1/2: exact, so that the scores in float64 are the scores in Arb.
SPREADS = np.arange(0, 81) / 2
# No sum of 64 products of exponentials between e^-20 and e^40 needs more bits.
BITS = 500
# What is drawn for an exact result and for a result without any digit.
BEST, WORST = 1e-17, 1.0

Scores = Callable[[float], np.ndarray]


def evenly(spread: float) -> np.ndarray:
    """N scores at equal distances over the spread."""
    return spread * (np.arange(N) / (N - 1) - 0.5)


def trained(spread: float) -> np.ndarray:
    """Four scores lead by the spread over the others, which lie within 1."""
    scores = np.arange(N) / N - 0.5
    scores[:4] += spread
    return scores


def true_logs(scores: np.ndarray) -> list[arb]:
    """log Z_1, ..., log Z_N as balls."""
    product = arb_poly([1])
    for score in scores.tolist():
        product *= arb_poly([1, arb(score).exp()])
    return [product[k].log() for k in range(1, N + 1)]


def newton_logs(scores: np.ndarray) -> np.ndarray:
    """log Z_1, ..., log Z_N by the recursion as printed; nan or inf where it gives no log."""
    with np.errstate(all="ignore"):
        sums = [np.exp(m * scores).sum() for m in range(1, N + 1)]
        z = [np.float64(1)]
        for k in range(1, N + 1):
            terms = [(-1) ** (m - 1) * z[k - m] * sums[m - 1] for m in range(1, k + 1)]
            z.append(np.sum(terms) / k)
        return np.log(z[1:])


def relative(found: float, true: arb) -> float:
    """|found / true - 1|; all is wrong where there is no number."""
    if not np.isfinite(found):
        return WORST
    return 0.0 if found == true else float(abs(arb(found) / true - 1).mid())


def errors(logs: Callable[[np.ndarray], np.ndarray], scores_of: Scores) -> np.ndarray:
    """Relative errors between BEST and WORST: (N, len(SPREADS))."""
    columns = []
    for spread in SPREADS.tolist():
        scores = scores_of(spread)
        found, truth = logs(scores), true_logs(scores)
        wrong = [relative(*pair) for pair in zip(found.tolist(), truth, strict=True)]
        columns.append(np.clip(wrong, BEST, WORST))
    return np.array(columns).T


def newton() -> Figure:
    """Two maps of Newton's recursion, and the worst of the stable method on the same scores."""
    ctx.prec = BITS
    maps = {
        "Newton, scores evenly spread": errors(newton_logs, evenly),
        "Newton, 4 scores lead": errors(newton_logs, trained),
        "lossproof, the worse of both": np.maximum(
            errors(_stable, evenly), errors(_stable, trained)
        ),
    }
    figure, panels = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
    for axes, (title, table) in zip(panels, maps.items(), strict=True):
        picture = axes.pcolormesh(
            SPREADS,
            np.arange(1, N + 1),
            np.log10(table),
            vmin=-16,
            vmax=0,
            cmap="magma",
            rasterized=True,
        )
        axes.set_title(title, fontsize=11.5, pad=10)
    largest = f"largest error {maps['lossproof, the worse of both'].max():.0e}"
    panels[2].text(20, N / 2, largest, color="white", ha="center")
    names = ("largest − smallest score", "lead of the 4", "spread, or lead")
    for axes, name in zip(panels, names, strict=True):
        axes.set_xlabel(name)
    panels[0].set_ylabel(f"k of n = {N}")
    bar = figure.colorbar(picture, ax=panels, pad=0.01, aspect=30)
    bar.set_ticks([-16, -12, -8, -4, 0], labels=["1e-16", "1e-12", "1e-8", "1e-4", "no digit"])
    bar.set_label("relative error of log Z_k, float64")
    bar.outline.set_edgecolor(GREY)
    return figure


def _stable(scores: np.ndarray) -> np.ndarray:
    return np.asarray(log_partitions(scores, N))[1:]
