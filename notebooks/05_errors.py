# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05. What is wrong in the documents, and what it costs
#
# Five documents are behind this library. Each of their statements has a verdict in the ledger;
# most hold, for every number of labels. This page is about the others.
#
# **Which of them does somebody pay for who trains with what is printed, how much, and what holds
# instead?**
#
# Each section begins with the entry as the ledger has it. Its verdict is not looked up: `told`
# weighs the evidence now, and stops if it does not come to what is recorded. Then its price, in
# numbers. The most expensive come first: those that nobody sees.

# %%
import sys
from collections import Counter
from itertools import product
from math import comb
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import brentq, minimize

import lossproof
from verify.ledger import ENTRIES, Verdict, entry_named
from verify.ledger.entry import TRUE
from verify.ledger.judge import judge
from verify.ledger.printed import SNIPPETS, Kind, NumpyLibrary, cells

sys.path.append(str(Path("..", "docs").resolve()))
from draw_ledger import LOOKS, ledger
from draw_printed import LIBRARIES
from draw_printed import printed as table_of_printed_code
from look import BLUE, GREY, INK, RED, STYLE

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update(STYLE | {"font.size": 10, "axes.titlesize": 11.5})
AMBER, LIGHT = "#e9a23b", "#9fc1e3"


def judged(name):
    """The entry, weighed now: the recorded verdict, and what is true withstands its mutants."""
    entry = entry_named(name)
    found = judge(entry) if entry.verdict in TRUE else judge(entry, most=0)
    assert not found.problems, found.problems
    sign = LOOKS[found.computed][1]
    return entry, found, f"**{sign} {found.computed}**".replace("** ", "**")


def told(*names):
    """What is stated and where, the verdict, the counterexample, and what holds instead."""
    lines = []
    for name in names:
        entry, found, verdict = judged(name)
        lines += [f"> **{name}** ({entry.place}): {entry.says}: {verdict}", ">"]
        lines += [f"> $${entry.statement}$$", ">"]
        if found.counterexample:
            lines += [f"> *Numbers:* {found.counterexample}", ">"]
    for name in dict.fromkeys(entry_named(name).correction for name in names):
        if name:
            entry, found, verdict = judged(name)
            lines += [f"> *Holds instead,* **{name}**: {entry.says}: {verdict}", ">"]
            lines += [f"> $${entry.statement}$$", ">"]
    return Markdown("\n".join(lines))


def printed_code(labels, scores, name="9064 code"):
    """The program as the ledger runs it, on NumPy."""
    return SNIPPETS[name].run(NumpyLibrary(), labels, scores)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


# %% [markdown]
# ## 1. Masks that never act
#
# 9064 prints a program for soft labels. It clips them to $[\varepsilon, 1 - \varepsilon]$,
# $\varepsilon = 10^{-7}$, and *then* masks those that are below $\varepsilon$. After the clip none
# is.

# %%
told("9064-39d", "9064-39c", "own-code-floor-size")

# %% [markdown]
# So the program trains on the clipped labels. Nothing crashes. But a label that is *off* now wants
# the score $\tfrac12 \log \frac{\varepsilon}{1 - \varepsilon} = -8.06$ and not $-\infty$: whoever
# is surer is pushed back. And the loss of a perfect model is $2 \log(1 + n \sqrt{\varepsilon (1 -
# \varepsilon)})$ in place of 0.

# %%
EPSILON = 1e-7
edge = np.log((1 - EPSILON) / EPSILON) / 2
off = np.linspace(0, -24, 481)
printed = printed_code(np.zeros((off.size, 1)), off[:, None])
true = lossproof.soft_zlpr(off[:, None], np.zeros((off.size, 1)))
counts = np.geomspace(1, 1e6, 121)
floor = 2 * np.log1p(counts * np.sqrt(EPSILON * (1 - EPSILON)))
many = printed_code(np.zeros((1, 10_000)), np.full((1, 10_000), -edge))[0]
assert np.isclose(many, 2 * np.log1p(1e4 * np.sqrt(EPSILON * (1 - EPSILON))), rtol=1e-6)
assert abs(off[printed.argmin()] + edge) < 0.05 and printed[-1] > 7

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.7), layout="constrained")
left.plot(-off, printed, color=RED, lw=2.2)
left.plot(-off, true, color=BLUE, lw=2.2)
left.axvline(edge, color=GREY, lw=0.8, ls=":")
left.text(17.2, 3e-2, "printed code", color=RED)
left.text(14.2, 1.2e-6, "eq. 39, lossproof", color=BLUE)
left.text(edge + 0.4, 12, "from here on it\npushes back", va="top", fontsize=9)
left.set(
    yscale="log", ylim=(1e-11, 30), xlim=(0, 24), xlabel="score of a label that is off, negated"
)
left.set_title("the surer, the worse", pad=10)
right.plot(counts, floor, color=RED, lw=2.2)
right.plot(counts, 0 * counts, color=BLUE, lw=2.2, clip_on=False)
right.plot(1e4, many, "o", color=RED)
right.annotate(f"{many:.2f} at $10^4$", (1e4, many), (2e2, 4.4), arrowprops={"arrowstyle": "-"})
right.set(xscale="log", xlabel="number of hard labels", xlim=(1, 1e6), ylim=(0, 14))
right.set_title("loss of a perfect model", pad=10)
plt.show()

# %% [markdown]
# A mask of $-10^7$, as the same document uses it elsewhere, costs ten million. The remedy: set the
# masks by the labels as they were before the clip. `lossproof` clips nothing.

# %%
masked = np.array([[3.0, -2.0, -1e7]]), np.array([[1.0, 0.0, 0.0]])
for name, value in (
    ("as printed", printed_code(masked[1], masked[0])[0]),
    ("masks set before the clip", printed_code(masked[1], masked[0], "9064 text")[0]),
    ("lossproof", lossproof.soft_zlpr(*masked)[0]),
):
    print(f"{name:30} {value:.9g}")
assert printed_code(masked[1], masked[0])[0] > 9e6

# %% [markdown]
# ## 2. The constants
#
# 7359 masks by subtracting $10^{12}$; 9064 clips by an $\varepsilon$ in $[10^{-8}, 10^{-6}]$. Both
# have a format in mind, and do not say which.

# %%
told("7359-r", "7359-v", "9064-S15a", "own-code-zero")

# %% [markdown]
# The programs on sixteen rows, each on three libraries in float16, float32 and float64, against
# interval arithmetic: the value in the upper left half of a cell, the worst entry of the gradient
# in the lower right (NumPy has none). "9064 asked" is the program with the labels asked before the
# clip, "9064 text" sets the masks as the text of the document has it.

# %%
with plt.rc_context(STYLE):
    table_of_printed_code()

# %%
kinds = {cell.key: (cell.value.kind, cell.gradient and cell.gradient.kind) for cell in cells()}
ordinary = [kinds["7359 code", library, "float16", "ordinary"][0] for library in LIBRARIES]
assert ordinary == [Kind.NAN, Kind.RIGHT, Kind.NAN]
unlearning = [
    kinds["9064 code", library, dtype, f"fitted by {score}"][1]
    for library, dtype, score in product(("torch", "jax"), ("float32", "float64"), (12, 20, 40))
]
assert set(unlearning) == {Kind.SIGN}
masked_at = [
    kinds["9064 code", "torch", "float16", f"negative masked by {m}"] for m in ("-inf", "-1e7")
]
assert masked_at == [(Kind.INFINITE, Kind.NAN)] * 2
assert {kinds["7359 code", library, "float32", "soft"][0] for library in LIBRARIES} == {Kind.ZERO}

# %% [markdown]
# * The line of 7359 is nan in float16 with NumPy and JAX, on every row; with PyTorch, which keeps
#   the constant in a wider format, an ordinary row is right.
# * Where the model has learnt ("fitted by"), the loss loses its digits and then reads 0, and the
#   program of 9064 has a gradient that *unlearns*.
# * A mask of $-\infty$, the usual one, gives 9064 inf and nan; in float16 already $-10^7$ does.
#   With masks that are *set*, as its text has it, both work.
# * The program of 7359 is for hard labels. Given soft ones it does not fail; it returns 0.
#
# ## 3. Newton's identities in floats
#
# The partition function of all $k$-subsets, by eq. 3 of 7359: "the implementation poses no
# difficulty".

# %%
told("7359-h")

# %% [markdown]
# The identities are true. But they subtract, and where fewer than $k$ scores lead, nearly equal
# numbers. Take a model for one label that is sure of it, and train it on for $k = 4$ of 64 labels:
# at a lead of 10 the first step in float32 is nan, at 16 the second in float64.


# %%
def newton_loss(s, on, dtype):
    """Loss and gradient with k Z_k = sum_m (-1)^(m-1) Z_{k-m} S_m and its derivative."""
    s, k = (s - s.max()).astype(dtype), int(on.sum())
    powers = [np.exp(m * s) for m in range(1, k + 1)]
    z, slopes = [dtype(1)], [np.zeros_like(s)]
    for order in range(1, k + 1):
        value, slope = dtype(0), np.zeros_like(s)
        for m, power in zip(range(1, order + 1), powers, strict=False):
            sign, total = dtype((-1) ** (m - 1)), power.sum()
            value += sign * z[order - m] * total
            slope += sign * (slopes[order - m] * total + z[order - m] * dtype(m) * power)
        z.append(value / dtype(order))
        slopes.append(slope / dtype(order))
    return np.log(z[k]) - s[on > 0].sum(), slopes[k] / z[k] - on


def trained(lead, route):
    """The true loss before each step, until the scores are no numbers."""
    s, history = start + lead * (np.arange(64) == 3), []
    while len(history) < 200 and np.isfinite(s).all():
        history.append(float(lossproof.combination_softmax(s, on)))
        s = s - route(s, on)[1]
    return history


def by_newton(dtype):
    return lambda s, on: newton_loss(s, on, dtype)


start, on = np.random.default_rng(5).normal(size=64), np.zeros(64)
on[[3, 17, 31, 60]] = 1
leads, of_sets = np.arange(0, 20.25, 0.25), lossproof.combination_softmax.value_and_grad
with np.errstate(all="ignore"):
    wrong = {
        kind: [
            np.abs(
                newton_loss(s, on, kind)[1] - lossproof.combination_softmax.value_and_grad(s, on)[1]
            )
            for s in start + leads[:, None] * (np.arange(64) == 3)
        ]
        for kind in (np.float32, np.float64)
    }
    runs = {
        "lossproof, lead 16": trained(16, of_sets),
        "Newton, float32, lead 10": trained(10, by_newton(np.float32)),
        "Newton, float64, lead 16": trained(16, by_newton(np.float64)),
    }
for name, history in runs.items():
    print(f"{name:26} {len(history):3} steps, last loss {history[-1]:.4f}")
assert [len(history) for history in runs.values()] == [200, 1, 2]

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.7), layout="constrained")
for (kind, errors), color, at in zip(wrong.items(), (RED, AMBER), (2.2, 9.5), strict=True):
    worst = [float(error.max()) if np.isfinite(error).all() else np.inf for error in errors]
    ends = next(place for place, error in enumerate(worst) if error == np.inf)
    left.plot(leads[:ends], worst[:ends], color=color, lw=2.2)
    left.plot(leads[ends], 1, "x", color=color, ms=9, mew=2.4, clip_on=False)
    left.text(at, 1e-3, kind.__name__, color=color)
left.text(10.6, 4, "×  nan from here on", fontsize=9)
left.set(yscale="log", ylim=(1e-17, 30), xlim=(0, 20), xticks=range(0, 21, 4))
left.set_xlabel("lead of one score")
left.set_title("error of the gradient", pad=10)
for history, color in zip(runs.values(), (BLUE, RED, AMBER), strict=True):
    right.plot(history, color=color, lw=2.2)
    if len(history) < 200:
        right.plot(len(history) - 1, history[-1], "x", color=color, ms=9, mew=2.4, clip_on=False)
right.text(60, 0.12, "lossproof", color=BLUE)
right.text(8, 11.5, "Newton, float32: one step", color=RED, va="center")
right.text(8, 7.2, "Newton, float64: two", color=AMBER, va="center")
right.set(yscale="log", xlim=(-9, 200), xlabel="step", yticks=(0.01, 0.1, 1, 10))
right.set_title("training of 4 labels of 64", pad=10)
plt.show()

# %% [markdown]
# [Notebook 02](02_combination_softmax.ipynb) has the certified map of where the recursion ends, and
# the way round it.
#
# ## 4. The balance that training uses up
#
# Why ZLPR at all? "No class imbalance": a thousand labels that are off shall not drown the one that
# is on. Likewise 9158 for rare classes: inside the log a class counts by the log of its size.

# %%
told("7359-o", "9158-n")

# %% [markdown]
# Both are true of a model that knows nothing, and stop being true as it learns: what is inside the
# log becomes small, and $\log(1 + x) \approx x$. Where each label is right by 10 nothing of the
# balance is left. The sums inside balance the *start* of training, no more (what that is worth is
# in [notebook 06](06_n_by_m.ipynb)).

# %%
margin = np.linspace(0, 14, 113)
scores = np.concatenate([margin[:, None], np.repeat(-margin[:, None], 1000, axis=1)], axis=1)
labels = np.broadcast_to(np.eye(1, 1001), scores.shape)


def pulls(loss):
    """Pull of the 1000 negatives over that of the positive."""
    gradient = np.asarray(loss.value_and_grad(scores, labels)[1])
    return gradient[:, 1:].sum(axis=1) / -gradient[:, 0]


bce, zlpr = pulls(lossproof.binary_cross_entropy), pulls(lossproof.zlpr)
shares = np.log1p(1000 * np.exp(-margin)) / np.log1p(10 * np.exp(-margin))
assert np.allclose(bce, 1000) and zlpr[0] < 2 and zlpr[80] > 900 and shares[80] > 90

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.7), layout="constrained")
left.plot(margin, bce, color=GREY, lw=2.2)
left.plot(margin, zlpr, color=BLUE, lw=2.2)
left.text(0.3, 1250, "binary cross-entropy", color=GREY, va="bottom")
left.text(5.4, 60, "ZLPR", color=BLUE)
left.set_title("pull of 1000 off over that of 1 on", pad=10)
right.plot(margin, np.full(margin.size, 100), color=GREY, lw=2.2)
right.plot(margin, shares, color=BLUE, lw=2.2)
right.axhline(3, color=RED, lw=1.4, ls=(0, (5, 2)))
right.text(0.3, 115, "plain sum", color=GREY, va="bottom")
right.text(5.4, 13, "loss 1 of 9158", color=BLUE)
right.text(13.9, 3.2, "as 9158 has it: ratio of the logs, 3", color=RED, ha="right", va="bottom")
right.set_title("share of 1000 samples over that of 10", pad=10)
for axes, top in ((left, 3000), (right, 300)):
    axes.set(yscale="log", xlim=(0, 14), ylim=(1, top), xlabel="every label is right by")
plt.show()

# %% [markdown]
# ## 5. What a score stands for
#
# A score $s$ of soft ZLPR stands for $\sigma(2 s)$; 9064 finds that, but gives a reason that would
# give binary cross-entropy the factor 2 as well, and it has 1.

# %%
told("9064-35b")

# %% [markdown]
# The reason matters as soon as labels are hard. A model that sees each label *drawn*, on with
# probability $\eta$, minimises the mean of hard losses. Here for $n$ independent labels, all of one
# probability: $\sigma(s)$ is right of one label, $\sigma(2 s)$ nearly of many.


# %%
def slope_of_mean(score, n, eta):
    """d/ds of the mean of hard ZLPR; k of the n labels are on with the binomial chance."""
    k = np.arange(n + 1)
    chance = np.array([comb(n, j) * eta**j * (1 - eta) ** (n - j) for j in k])
    up, down = (n - k) * np.exp(score), k * np.exp(-score)
    return float((chance * (up / (1 + up) - down / (1 + down))).sum())


def learnt(n, eta):
    return brentq(slope_of_mean, -12, 12, args=(n, eta), xtol=1e-13)


etas = np.linspace(0.01, 0.99, 99)
learnt_scores = {n: np.array([learnt(n, eta) for eta in etas]) for n in (1, 2, 5, 20, 100)}
assert np.allclose(sigmoid(learnt_scores[1]), etas)
assert np.abs(sigmoid(2 * learnt_scores[100]) - etas)[10:-10].max() < 0.01

figure, panels = plt.subplots(1, 2, figsize=(8.8, 4.2), sharey=True, layout="constrained")
colors = (RED, "#dd7a4f", AMBER, "#7fa9d4", BLUE)
for factor, axes in zip((1, 2), panels, strict=True):
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    for (n, learned), color in zip(learnt_scores.items(), colors, strict=True):
        axes.plot(etas, sigmoid(factor * learned), color=color, lw=2, label=f"n = {n}")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability η of each label")
panels[0].set_title("read as σ(s)", pad=10)
panels[1].set_title("read as σ(2s)", pad=10)
panels[0].set_ylabel("probability read off")
panels[0].legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# Those are all alike. Of labels that differ not even this much holds: two independent ones are
# enough for both readings to err on the same side, and for the threshold 0 to err. No document
# says so; of hard labels they are silent.

# %%
told("own-prob-between", "own-threshold-hard")

# %% [markdown]
# Labels that depend on each other do worse. Let a parent label be on with probability $P$, and with
# it exactly one of its $n$ children, as in any hierarchy. Its best score is *negative* although it
# is on more often than not: with 1000 children up to $P = 0.90$.


# %%
def parent_risk(x, n, chance):
    """The mean of hard ZLPR for a parent with score x[0] and n children with x[1]."""
    up, down = np.exp(x), np.exp(-x)
    present = np.log1p(down.sum()) + np.log1p((n - 1) * up[1])
    return chance * present + (1 - chance) * np.log1p(up[0] + n * up[1])


chances = np.linspace(0.5, 0.98, 97)
parents = {n: [] for n in (2, 10, 100, 1000)}
for n, found in parents.items():
    at = np.array([0.0, -np.log(n)])
    for chance in chances:
        at = minimize(parent_risk, at, args=(n, chance), options={"gtol": 1e-8}).x
        found.append(at[0])
    turn = float(np.interp(0, found, chances))
    print(f"{n:5} children: the score of the parent is positive from P = {turn:.2f} on")
assert all(score < 0 for score in np.array(parents[1000])[chances <= 0.9])

figure, axes = plt.subplots(figsize=(6.4, 3.7), layout="constrained")
axes.axhline(0, color=INK, lw=0.8)
for (n, found), color in zip(parents.items(), (BLUE, LIGHT, AMBER, RED), strict=True):
    axes.plot(chances, found, color=color, lw=2.2, label=f"{n} children")
axes.fill_between([0.5, 0.98], -3.2, 0, color=RED, alpha=0.06, lw=0)
axes.text(0.97, -2.9, "not predicted, though on more often than not", color=RED, ha="right")
axes.set(xlim=(0.5, 0.98), ylim=(-3.2, 3), xlabel="probability P of the parent")
axes.set_ylabel("its best score")
axes.legend(frameon=False, loc="upper left")
plt.show()

# %%
told("own-threshold-parent")

# %% [markdown]
# So: set thresholds and read probabilities on held-out data when the labels were hard.
#
# ## 6. Label smoothing among ten thousand labels
#
# Nobody warns of it. Smoothed by $e$, every negative has the weight $e$ in the sum of the
# *positives*, where $e^{-s}$ is large for those that are right. One positive has to share its pull
# with all of them.

# %%
told("own-user-smoothing", "own-user-smoothing-one-sided")

# %%
e, many = 0.05, np.unique(np.geomspace(2, 1e4, 60).astype(int))
edge = np.log((1 - e) / e) / 2
ways = {
    "binary cross-entropy": (lossproof.binary_cross_entropy, e),
    "soft ZLPR, positives smoothed only": (lossproof.soft_zlpr, 0),
    "soft ZLPR": (lossproof.soft_zlpr, e),
}
kept = {name: [] for name in ways}
for n, (name, (loss, on_negatives)) in product(many.tolist(), ways.items()):
    # The positive is undecided, the negatives have the scores that their labels ask for.
    hard = np.eye(1, n)[0]
    s, smoothed = np.where(hard, 0, -edge), np.where(hard, 1 - e, on_negatives)
    kept[name].append(loss.value_and_grad(s, smoothed)[1][0] / loss.value_and_grad(s, hard)[1][0])
print(f"10 000 labels: of the gradient of the positive 1/{1 / kept['soft ZLPR'][-1]:.0f} is left")
assert kept["soft ZLPR"][-1] < 1 / 1147 < 0.89 < min(kept["binary cross-entropy"])
assert min(kept["soft ZLPR, positives smoothed only"]) > 0.89

figure, axes = plt.subplots(figsize=(6.4, 3.7), layout="constrained")
for (name, left_over), color in zip(kept.items(), (GREY, BLUE, RED), strict=True):
    axes.plot(many, left_over, color=color, lw=2.2, label=name)
axes.set(xscale="log", yscale="log", xlim=(2, 1e4), ylim=(5e-4, 2))
axes.set_xlabel("number of labels, one of them on, e = 0.05")
axes.set_ylabel("its gradient, smoothed over hard")
axes.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# ## 7. A loss that stalls may be done
#
# 9064 says that the loss is a negative log-likelihood, and that its minimum is the entropy of the
# labels. Whoever believes it takes a loss of 10 for a model that has not learnt, and compares
# models by likelihoods that are none.

# %%
told("9064-54", "9064-S16b")

# %% [markdown]
# Left: the least loss over $n$ labels that are smoothed by 0.1, and the entropy that it is said to
# be; first it is above, then far below. Right: what $e^{-L}$ adds up to over all $2^n$ answers, at
# scores 0. Of a likelihood that would be 1.

# %%
alpha = 0.05
counts = np.geomspace(1, 1e4, 121)
entropy = -alpha * np.log(alpha) - (1 - alpha) * np.log1p(-alpha)
least = 2 * np.log1p(counts * np.sqrt(alpha * (1 - alpha)))
smoothed = np.where(np.arange(1000) < 3, 1 - alpha, alpha)
at_best = lossproof.soft_zlpr(np.log(smoothed / (1 - smoothed)) / 2, smoothed)
assert np.isclose(at_best, 2 * np.log1p(1000 * np.sqrt(alpha * (1 - alpha))))
sizes = np.arange(1, 41)
mass = [sum(comb(n, k) / ((1 + k) * (1 + n - k)) for k in range(n + 1)) for n in sizes.tolist()]
assert np.isclose(mass[0], 1) and np.isclose(mass[1], 7 / 6)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.7), layout="constrained")
left.plot(counts, counts * entropy, color=RED, lw=2.2)
left.plot(counts, least, color=BLUE, lw=2.2)
left.text(45, 34, "n H(t)", color=RED, ha="right")
left.text(2e3, 3.6, "soft ZLPR\nof a perfect model", color=BLUE, ha="center", va="center")
left.set(xscale="log", yscale="log", xlim=(1, 1e4), xlabel="number of labels, smoothed by 0.1")
left.set_title("the least loss", pad=10)
right.plot(sizes, mass, "o-", color=RED, ms=3.5, lw=1.4)
right.axhline(1, color=BLUE, lw=2.2)
right.text(39.5, 1.6, "a likelihood", color=BLUE, ha="right", va="bottom")
right.text(22, 3e5, "$e^{-L}$", color=RED, ha="right")
right.set(yscale="log", xlim=(0, 40), xlabel="number of labels, scores 0")
right.set_title("sum over all answers", pad=10)
plt.show()

# %% [markdown]
# ## 8. Convex "by the diagonal", and a sign
#
# 9064 shows that the diagonal of the Hessian is positive and concludes three times that the loss is
# convex. The loss is; the conclusion is not: $\begin{pmatrix} 1 & 2 \\ 2 & 1 \end{pmatrix}$ has a
# positive diagonal and a saddle. And off the diagonal one sign is wrong.

# %%
told("9064-30b", "9064-31")

# %% [markdown]
# Who feeds the printed Hessian to Newton's method gets a method that creeps.

# %%
wanted = np.linspace(0.02, 0.98, 25)


def newton_method(as_printed, steps=30):
    """The largest gradient entry before each step; the sign of eq. 31 if as printed."""
    at, sizes = np.zeros(wanted.size), []
    for _ in range(steps):
        slope = lossproof.soft_zlpr.value_and_grad(at, wanted)[1]
        sizes.append(np.abs(slope).max())
        curvature = lossproof.soft_zlpr.hessian(at, wanted)
        if as_printed:
            pull = wanted * np.exp(-at) / (1 + (wanted * np.exp(-at)).sum())
            curvature = curvature + 2 * (np.outer(pull, pull) - np.diag(pull**2))
        at = at - np.linalg.solve(curvature, slope)
    return np.array(sizes)


right_sizes, printed_sizes = newton_method(False), newton_method(True)
assert right_sizes[5] < 1e-14 < 1e-3 < printed_sizes[5]

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9), layout="constrained")
x, y = np.meshgrid(np.linspace(-2, 2, 201), np.linspace(-2, 2, 201))
left.contour(x, y, (x**2 + y**2) / 2 + 2 * x * y, levels=17, colors=LIGHT, linewidths=1)
left.plot([-2, 2], [0, 0], color=BLUE, lw=2)
left.plot([0, 0], [-2, 2], color=BLUE, lw=2)
left.plot([-2, 2], [2, -2], color=RED, lw=2)
left.text(1.92, 0.12, "up", color=BLUE, ha="right")
left.text(0.1, 1.72, "up", color=BLUE)
left.text(-1.25, 1.45, "down", color=RED)
left.set(aspect="equal", xticks=(), yticks=())
left.set_title("a positive diagonal, and a saddle", pad=10)
right.plot(np.maximum(right_sizes, 1e-17)[:6], "o-", color=BLUE, ms=5, lw=2)
right.plot(printed_sizes, "o-", color=RED, ms=4, lw=1.4)
right.text(6, 1e-14, "right sign: done after 4 steps", color=BLUE, va="center")
right.text(29, 3e-2, "sign of eq. 31", color=RED, ha="right")
right.set(yscale="log", xlim=(0, 29.5), ylim=(1e-18, 3), xlabel="Newton step")
right.set_title("largest entry of the gradient", pad=10)
plt.show()

# %% [markdown]
# ## 9. n samples × m classes: what to blame
#
# 9158 ends with three conclusions about its two losses. Loss 1 has no explicit solution; for hard
# labels it should be enough; loss 3 does badly there since optimisers are limited.

# %%
told("9158-d", "9158-q", "9158-j1")

# %% [markdown]
# It has a solution. It is not enough: the solution has a constant for each class, which argmax
# leaves out, so that at the minimum the largest score need not be that of the most frequent label.
# And no optimiser helps loss 3: it falls to 0 along a ray on which the answer is wrong.

# %%
table = np.array([[40, 35, 25], [50, 1, 49]])
at_input = np.repeat([0, 1], table.sum(axis=1))
hard = np.eye(3)[np.repeat(np.tile(range(3), 2), table.ravel())]


def loss_1(x):
    """Value and gradient for 200 hard labels at two inputs, whose scores are x."""
    value, slope = lossproof.grid_truncated.value_and_grad(x.reshape(2, 3)[at_input], hard)
    return float(value), np.array([slope[at_input == k].sum(axis=0) for k in range(2)]).ravel()


best = minimize(loss_1, np.zeros(6), jac=True, options={"gtol": 1e-9}).x.reshape(2, 3)
best -= best.mean(axis=1, keepdims=True)
print(f"loss 1 at its minimum, largest gradient {np.abs(loss_1(best.ravel())[1]).max():.0e}")
for counts_of, scores_of in zip(table, best, strict=True):
    print(f"labels {counts_of}   scores {scores_of.round(3)}")
assert table.argmax(axis=1).tolist() == [0, 0] and best.argmax(axis=1).tolist() == [1, 2]

ray = np.linspace(0, 20, 161)
wrong = ray[:, None, None] * np.array([[1.0, 2.0, -3.0]])
answer = np.broadcast_to(np.eye(1, 3), wrong.shape)
along = {
    loss: getattr(lossproof, loss)(wrong, answer) for loss in ("grid_centered", "grid_pairwise")
}
assert along["grid_centered"][-1] < 1e-8 and along["grid_pairwise"][-1] > 19

figure, panels = plt.subplots(1, 3, figsize=(8.8, 3.6), layout="constrained")
for axes, counts_of, scores_of, title in zip(
    panels, table, best, ("input 1", "input 2"), strict=False
):
    axes.bar(np.arange(3) - 0.2, counts_of, 0.36, color=LIGHT)
    axes.set(xticks=range(3), xticklabels=("A", "B", "C"), xlabel="class", ylim=(0, 60))
    axes.set_title(title, pad=10)
    twin = axes.twinx()
    twin.spines[["right", "left"]].set_visible(False)
    twin.set(ylim=(-1.4, 0.8), yticks=())
    for place, score in enumerate(scores_of):
        twin.plot(place + 0.2, score, "D", color=RED if score == scores_of.max() else INK, ms=6)
panels[0].set_ylabel("labels (bars), score (diamonds)")
panels[2].plot(ray, along["grid_pairwise"], color=BLUE, lw=2.2)
panels[2].plot(ray, along["grid_centered"], color=RED, lw=2.2)
panels[2].text(1.0, 15, "pairwise loss", color=BLUE)
panels[2].text(8, 0.6, "loss 3", color=RED)
panels[2].set(xlabel="A:  label A,  scores A (1, 2, −3)", xlim=(0, 20), ylim=(0, 22))
panels[2].set_title("a wrong answer", pad=10)
plt.show()

# %% [markdown]
# ## 10. "The loss should decrease monotonically"
#
# 9064 advises to watch for it. Along the gradient it does; in steps, only if they are short enough.
# How short can be said: no curvature of soft ZLPR is above 1/2 and no smaller bound holds for all
# scores, so any rate up to 4 is safe for one row, whatever the number of labels.

# %%
told("9064-S15c", "own-steep-step-best")

# %%
halves, least = np.array([0.5, 0.5]), 2 * np.log(2)
descents = {}
for rate in (1.0, 3.5, 20.0):
    at, descents[rate] = np.array([1.0, -0.6]), []
    for _ in range(17):
        value, gradient = lossproof.soft_zlpr.value_and_grad(at, halves)
        descents[rate].append(float(value))
        at = at - rate * gradient
assert all((np.diff(descents[rate]) <= 0).all() for rate in (1.0, 3.5))
assert descents[20.0][1] > 3 * descents[20.0][0]

figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for (rate, values), color in zip(descents.items(), (LIGHT, BLUE, RED), strict=True):
    excess = np.array(values) - least
    axes.plot(excess, "o-", color=color, ms=4.5, lw=2, label=f"rate {rate:g}")
axes.set(xlabel="step", ylabel="loss less its least value", yscale="log", xlim=(0, 16.3))
axes.legend(frameon=False, loc="center right")
axes.set_title("two labels, t = 1/2", pad=10)
plt.show()

# %% [markdown]
# ## 11. k of n, one by one
#
# "Draw by softmax, remove, repeat" is quick to write. It draws from another distribution, the one
# of Plackett and Luce.

# %%
told("7359-C1")

# %%
weights = {"A": 2, "B": 1, "C": 1}
z1, z2 = 4, 2 * 1 + 2 * 1 + 1 * 1
for one, other in ("AB", "AC", "BC"):
    a, b = weights[one], weights[other]
    one_by_one = a / z1 * b / (z1 - a) + b / z1 * a / (z1 - b)
    print(f"{one}{other}   softmax over sets {a * b / z2:.4f}   one by one {one_by_one:.4f}")
sets = lossproof.subset.inclusion_probabilities(np.log([2.0, 1.0, 1.0]), 2)
assert np.allclose(sets, [0.8, 0.6, 0.6])

# %% [markdown]
# `lossproof.subset.sample` draws exactly, and as quickly.
#
# ## 12. Softmax "enlarges tiny differences"
#
# The survey says so, and warns of small perturbations. Softmax shrinks them: no step of the scores
# is more than half as long in the probabilities. What is large is the *ratio* of two probabilities
# whose scores are far apart.

# %%
told("SURVEY-4")

# %%
rng = np.random.default_rng(4)
bases = rng.normal(0, 3, size=(1000, 6)) * (rng.random((1000, 6)) < 0.5)
moves = rng.normal(size=(1000, 6)) * 10 ** rng.uniform(-4, 1, size=(1000, 1))
probabilities = lossproof.softmax_cross_entropy.probabilities
ends = probabilities(bases + moves) - probabilities(bases)
lengths, changes = np.linalg.norm(moves, axis=1), np.linalg.norm(ends, axis=1)
assert (changes <= lengths / 2).all()

figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
axes.plot(lengths, changes, ".", color=BLUE, ms=4, alpha=0.6)
axes.plot([1e-4, 40], [1e-4, 40], color=RED, lw=1.4, ls=(0, (5, 2)))
axes.plot([1e-4, 2.8], [5e-5, 1.4], color=INK, lw=1.4)
axes.text(4e-3, 1.6e-2, "as large as the step", color=RED, ha="right")
line = {"arrowstyle": "-", "color": GREY}
axes.annotate("half of it: the bound", (0.5, 0.25), (2e-3, 1.2), arrowprops=line, color=INK)
axes.set(xscale="log", yscale="log", xlim=(1e-4, 40), ylim=(1e-7, 4))
axes.set(xlabel="length of a step of the scores", ylabel="of the probabilities")
plt.show()

# %% [markdown]
# ## All of it
#
# What does not hold as it is stated, document by document. `lossproof claims ID` tells the whole
# story of one, with the proof of what holds instead; `lossproof verify --report DIR` makes pages of
# all.

# %%
doubtful = [entry for entry in ENTRIES.values() if entry.verdict not in TRUE]
doubtful = [entry for entry in doubtful if entry.verdict is not Verdict.EMPIRICAL]
lines = ["| | statement | | instead |", "|---|---|---|---|"]
for entry in doubtful:
    sign = LOOKS[entry.verdict][1]
    says = entry.says.replace("|", "\\|")
    lines.append(f"| {entry.id} | {says} | {sign} {entry.verdict} | {entry.correction} |")
Markdown("\n".join(lines).replace("_", "\\_"))

# %% [markdown]
# And all statements, a tile each, in the order of their documents. Nothing is undecided.

# %%
with plt.rc_context(STYLE):
    ledger()
verdicts = Counter(entry.verdict for entry in ENTRIES.values())
print(", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common()))
assert Verdict.UNDECIDED not in verdicts

# %% [markdown]
# ## What to remember
#
# * Run nobody's printed code on labels, masks and formats that it was not written for. Of the two
#   programs as printed one is for hard labels only, one fails on $-\infty$, both in float16.
# * A loss of 0.0, and a loss that stalls, say nothing before they are compared with the truth: a
#   few ulp, and the floor $2 \log(1 + \sum \sqrt{t (1 - t)})$.
# * Sums inside the log balance the start of training, not its end.
# * A score of ZLPR stands for $\sigma(2 s)$ when it was trained on soft labels; on hard labels for
#   no function of it, and its sign need not say what is likelier. Smooth the positives alone.
# * A formula that is true may be lost in floats (Newton), a conclusion that is true may have a
#   false reason (the diagonal), and a loss may be minimal where the answer is wrong (9158).
