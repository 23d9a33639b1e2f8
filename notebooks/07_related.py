# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07. The losses that ZLPR is compared with
#
# Document 001 sets its loss beside four others. Focal and asymmetric loss weight each label by how
# wrong the model is about it; soft focal loss does so for soft labels; Circle loss weights the
# pairs. All four were made to keep many easy negatives from drowning a few positives.
#
# **What does the weight do to the score: which probability does it stand for after training, where
# is the loss flat, and is its gradient the gradient of anything?**
#
# They are taken from their papers. The document's soft focal loss (eq. 50) names no label, and its
# Circle loss (eq. 59) is ZLPR with margins: `lossproof claims 9064-50`, `9064-59`.
#
# With $p = \sigma(s)$ and $q = 1 - p$:
#
# | | on | off |
# |---|---|---|
# | binary cross-entropy | $\log \frac1p$ | $\log \frac1q$ |
# | focal, $\gamma = 2$ | $q^\gamma \log \frac1p$ | $p^\gamma \log \frac1q$ |
# | asymmetric, $\gamma = 4$ | $\log \frac1p$ | $d^\gamma \log \frac1{1 - d}$ |
#
# Here $d = \max(p - m, 0)$, $m = 0.05$. Soft focal loss is cross-entropy with soft labels times
# $|p - t|^\beta$, $\beta = 2$.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import minimize_scalar

import lossproof
from derive.formulas import proved
from derive.losses import LOSSES
from verify.mutation import try_derivation

sys.path.append(str(Path("..", "docs").resolve()))
from look import BLUE, GREY, INK, RED, STYLE

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update(STYLE | {"font.size": 10, "axes.titlesize": 11.5})
AMBER = "#e9a23b"

focal, soft_focal, asymmetric, circle = (
    LOSSES[name] for name in ("focal", "soft_focal", "asymmetric", "circle")
)
kinds = {
    "cross-entropy": (lossproof.binary_cross_entropy, GREY),
    "focal": (lossproof.focal, BLUE),
    "asymmetric": (lossproof.asymmetric, RED),
}
scores = np.linspace(-6, 6, 241)


def pull(loss, label):
    """Minus the gradient of one label over the scores."""
    rows = scores[:, None]
    return -np.asarray(loss.value_and_grad(rows, np.full_like(rows, label))[1])[:, 0]


# %% [markdown]
# ## What the weight does
#
# The pull on a label: how much the model is told. Focal loss tells it less where it is right, and
# where it is wrong a little more. Asymmetric loss says of positives what cross-entropy says, and
# nothing at all of a negative below $\sigma(s) = m$, which is $s = -2.94$. A negative that is badly
# wrong it *forgives*: the push goes back to 0, so that such a label may stay where it is.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.6), sharey=True, layout="constrained")
for name, (loss, color) in kinds.items():
    left.plot(scores, pull(loss, 1.0), color=color, lw=2.2, label=name)
    right.plot(scores, -pull(loss, 0.0), color=color, lw=2.2)
left.set(xlabel="score of a label that is on", xlim=(-6, 6))
right.set(xlabel="score of a label that is off", xlim=(-6, 6))
left.set_title("pull up", pad=10)
right.set_title("push down", pad=10)
left.legend(frameon=False)
plt.show()
forgiven = -pull(lossproof.asymmetric, 0.0)
assert (forgiven[scores < -2.95] == 0).all() and forgiven[-1] < forgiven.max() / 10

# %%
proved(focal, "value")

# %%
proved(focal, "bounds")

# %%
proved(asymmetric, "value")

# %% [markdown]
# None of them is convex, as ZLPR is: a label that is badly wrong has negative curvature.

# %%
for loss in (focal, soft_focal, asymmetric, circle):
    print(repr(proved(loss, "convexity")))

# %% [markdown]
# ## What a score stands for
#
# A label is on with probability $\eta$. Where is the mean loss least? With cross-entropy at
# $\eta = \sigma(s)$. With a weight elsewhere: the loss trades a few large mistakes for many small
# ones.

# %%
proved(focal, "link")

# %% [markdown]
# A focal score of $\sigma(s) = 0.9$ stands for 0.9974. Asymmetric loss is worse to read: $s = 0$
# stands for 0.128, so that the threshold 0 calls out labels seven times rarer than their absence,
# and no finite score stands for more than 0.9638: above that the best score is $+\infty$.

# %%
proved(asymmetric, "link")

# %% [markdown]
# `probabilities` inverts the links. The dots are minima found without them.

# %%
etas = np.linspace(0.05, 0.95, 19)


def best_score(loss, eta):
    """argmin of the mean loss of a label that is on with probability eta."""

    def risk(s):
        row = np.array([s])
        return float(eta * loss(row, np.ones(1)) + (1 - eta) * loss(row, np.zeros(1)))

    return minimize_scalar(risk, bounds=(-30, 30), method="bounded", options={"xatol": 1e-10}).x


figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
for name, (loss, color) in kinds.items():
    axes.plot(scores, loss.probabilities(scores[:, None])[:, 0], color=color, lw=2.2, label=name)
    found = np.array([best_score(loss, eta) for eta in etas])
    axes.plot(found, etas, "o", color="white", mec=color, mew=1.4, ms=5)
    read = loss.probabilities(found[:, None])[:, 0]
    assert np.allclose(read, etas, atol=1e-5), name
axes.axhline(0.5, color=GREY, lw=0.6)
axes.set(xlim=(-6, 6), ylim=(0, 1), xlabel="score", ylabel="probability that it stands for")
axes.legend(frameon=False, loc="upper left")
plt.show()
at = np.array([np.log(9.0)])
print(f"focal, sigma(s) = 0.9: {lossproof.focal.probabilities(at)[0]:.5f}")
print(f"asymmetric, s = 0:     {lossproof.asymmetric.probabilities(np.zeros(1))[0]:.5f}")
print(f"asymmetric, s = 700:   {lossproof.asymmetric.probabilities(np.array([700.0]))[0]:.5f}")

# %% [markdown]
# ## Soft labels
#
# Soft focal loss (quality focal loss) is focal loss for labels 0 and 1, and for soft ones it has
# its minimum, which is 0, at $t = \sigma(s)$.

# %%
proved(soft_focal, "hard-labels")

# %%
proved(soft_focal, "optimum")

# %% [markdown]
# So two models that see the same frequency, one as a soft label $t = 0.9$, one as labels drawn with
# probability 0.9, end at different scores, as with ZLPR ([notebook 04](04_zlpr.ipynb)):

# %%
drawn, given = best_score(lossproof.focal, 0.9), np.log(9)
print(f"t = 0.9 given: s = {given:.4f}; labels drawn: s = {drawn:.4f}")
slope = lossproof.soft_focal.value_and_grad(np.array([given]), np.array([0.9]))[1]
assert abs(slope[0]) < 1e-15 and drawn < given / 1.5

# %% [markdown]
# ## One that is on among many that are off
#
# What they are for: the pull of 999 negatives over that of the one positive, each label right by
# the same margin. Cross-entropy and focal loss keep the ratio of the counts. ZLPR begins balanced
# and ends there. Asymmetric loss lets go of the negatives, of all of them.

# %%
margins = np.linspace(0, 8, 161)
rows = np.concatenate([margins[:, None], np.repeat(-margins[:, None], 999, axis=1)], axis=1)
labels = np.broadcast_to(np.eye(1, 1000), rows.shape)

figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for name, (loss, color) in {**kinds, "ZLPR": (lossproof.zlpr, AMBER)}.items():
    gradient = np.asarray(loss.value_and_grad(rows, labels)[1])
    ratio = gradient[:, 1:].sum(axis=1) / -gradient[:, 0]
    axes.plot(margins, ratio, color=color, lw=4 if name == "cross-entropy" else 2, label=name)
axes.set(yscale="log", xlim=(0, 8), ylim=(1e-3, 4e3), xlabel="every label is right by")
axes.set_ylabel("pull of 999 off over that of 1 on")
axes.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# ## Circle loss
#
# Circle loss is the unified loss of [notebook 03](03_unified_and_lattice.ipynb) with a weight on
# each score: $\log\big(1 + \sum_{i\ \mathrm{off}} e^{c\,\alpha_i (s_i - m)} \sum_{j\ \mathrm{on}}
# e^{-c\,\alpha_j (s_j - 1 + m)}\big)$ with $\alpha_i = \max(s_i + m, 0)$ and $\alpha_j = \max(1 + m
# - s_j, 0)$. The programs in use hold the weights fixed in the gradient (`detach_weights=True`).
# That is not a detail. With them held, a negative is pushed down to $-m$; the loss itself is least
# at 0 and *rises* below.

# %%
proved(circle, "value")

# %%
whole, held = lossproof.Circle(scale=8.0), lossproof.Circle(scale=8.0, detach_weights=True)
negative = np.linspace(-0.6, 0.7, 261)
pairs = np.stack([np.full(negative.size, 0.5), negative], axis=1)
one_on = np.broadcast_to([1.0, 0.0], pairs.shape)
value, gradient = whole.value_and_grad(pairs, one_on)
field = held.value_and_grad(pairs, one_on)[1]

figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.6), layout="constrained")
left.plot(negative, value, color=BLUE, lw=2.2)
left.set(xlabel="score of a label that is off", xlim=(-0.6, 0.7), ylim=(0, 4.5))
left.set_title("Circle loss, c = 8, m = 1/4", pad=10)
left.annotate("below −m: a constant", (-0.42, 1.70), (-0.55, 2.6), arrowprops={"arrowstyle": "-"})
right.axhline(0, color=INK, lw=0.8)
right.plot(negative, gradient[:, 1], color=BLUE, lw=2.2, label="its gradient")
right.plot(negative, field[:, 1], color=RED, lw=2.2, label="weights held fixed")
right.set(xlabel="score of a label that is off", xlim=(-0.6, 0.7), ylim=(-4, 11))
right.set_title("derivative by that score", pad=10)
right.legend(frameon=False)
plt.show()
between = (negative > -0.24) & (negative < -0.01)
assert (gradient[between, 1] < 0).all() and (field[between, 1] > 0).all()

# %% [markdown]
# The field with fixed weights is the gradient of nothing: for any two negatives above $-m$ with
# different scores its Jacobian is not symmetric (`lossproof derive circle detached`), and carried
# once around a circle it gains or loses. Whoever watches the loss fall, or hands it to a line
# search, watches another thing than the one that is trained.

# %%
print(repr(proved(circle, "detached")))
angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
around = np.stack([0.5 + 0.2 * np.cos(angles), 0.3 + 0.2 * np.sin(angles)], axis=1)
ahead = np.stack([-0.2 * np.sin(angles), 0.2 * np.cos(angles)], axis=1)
for name, loss in (("gradient", whole), ("weights held fixed", held)):
    slopes = loss.value_and_grad(around, np.broadcast_to([1.0, 0.0], around.shape))[1]
    work = (slopes * ahead).sum() * 2 * np.pi / angles.size
    print(f"{name:20} once around: {work:+.6f}")
    assert (abs(work) < 1e-12) == (loss is whole)

# %% [markdown]
# And a negative below $-m$ does not vanish from the sum, it stays as $e^0 = 1$: a mask by a large
# negative number, as 001 has it, does not mask here. $-\infty$ does in `lossproof`.

# %%
for mask in (-1e7, -np.inf):
    row, off = np.array([0.5, *[mask] * 50]), np.array([1.0, *[0.0] * 50])
    print(f"50 labels masked by {mask:g}: loss {lossproof.circle(row, off):.4f}")
assert lossproof.circle(row, off) == 0

# %% [markdown]
# ## Every slip would be seen

# %%
print(f"{'derivation':22} {'mutants':>8} {'refuted':>8} {'still true':>11}")
for loss, topic in ((focal, "gradient"), (focal, "link"), (soft_focal, "gradient")):
    trials = try_derivation(loss.derive(topic), most=8)
    refuted, same = sum(trial.caught for trial in trials), sum(trial.still_true for trial in trials)
    print(f"{loss.name + ' ' + topic:22} {len(trials):8} {refuted:8} {same:11}")
    assert refuted + same == len(trials) and refuted > 0

# %% [markdown]
# ## What to remember
#
# * A weight on the loss changes what a score stands for. Use `loss.probabilities(scores)`: a focal
#   $\sigma(s)$ of 0.9 is 0.997, an asymmetric $s = 0$ is 0.128.
# * Asymmetric loss has no gradient for easy negatives, next to none for hopeless ones, and no
#   finite best score for a label that is surer than 0.9638.
# * None of these is convex; ZLPR is.
# * Soft focal loss is 0 at $t = \sigma(s)$ for labels given as $t$, not for labels drawn with
#   probability $t$.
# * Circle loss as it is trained is no gradient of Circle loss, and only $-\infty$ masks a label.
