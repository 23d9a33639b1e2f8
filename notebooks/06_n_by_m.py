# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06. n samples × m classes
#
# ZLPR puts the sum over many yes-or-no questions inside two logarithms, and so keeps a thousand
# labels that are off from drowning the one that is on. Document 000 ("an unsuccessful attempt")
# asks for the same with $m$ answers instead of two: a loss over a whole table of $n$ samples and
# $m$ classes,
#
# 1. with the **sum over the samples inside a logarithm**, so that frequent classes do not drown
#    rare ones, and
# 2. with a **closed form for soft labels**: which scores $s$ minimise the loss for given
#    probabilities $t$?
#
# Its author found a loss that he could not solve, then one that he could solve but that does not
# classify, and ended: *"for soft labels I am at my wits' end; interested readers are welcome to
# think along."*
#
# **Here is the thinking along: what his first loss is after all, why his second had to fail, two
# losses with both properties, and what the first property is worth.**
#
# Scores are $s_{ij}$, labels $t_{ij}$: samples $i$, classes $j$, each row of $t$ sums to 1.
# Everything that `proved` shows is decided for symbolic $n$ and $m$.

# %%
import json
import sys
from itertools import pairwise, product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import minimize

import lossproof
from derive.formulas import proved
from derive.losses import LOSSES, SUBJECTS
from lossproof import grid, grid_centered, grid_mirrored, grid_pairwise, grid_truncated
from verify.grid.solutions import SHARED

sys.path += [str(Path("..", folder).resolve()) for folder in ("docs", "benchmarks")]
import digits as experiment
from draw_balance import balance, pulls
from draw_digits import digits
from look import STYLE

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update({"svg.hashsalt": "lossproof"})
np.set_printoptions(precision=4, suppress=True)

truncated, centered, pairwise_loss, mirrored, theory = (
    *(LOSSES[f"grid_{name}"] for name in ("truncated", "centered", "pairwise", "mirrored")),
    SUBJECTS["grid"],
)
rng = np.random.default_rng(6)


def softmax(scores):
    return np.asarray(lossproof.softmax_cross_entropy.probabilities(scores))


def soft_rows(samples, m):
    """Random positive labels: (samples, m)."""
    return softmax(rng.normal(0, 1.5, size=(*np.atleast_1d(samples), m)))


# %% [markdown]
# ## Loss 1: cut inside the logarithm
#
# The way from binary cross-entropy to ZLPR, taken from softmax cross-entropy (eq. 1): a sum of logs
# is the log of a product, and of the product the first order is kept (eq. 2),
#
# $$l_1 = \sum_j \log D_j, \qquad D_j = 1 + \sum_i \sum_{k \neq j} a_{ijk}, \qquad
# a_{ijk} = t_{ij}\, e^{s_{ik} - s_{ij}}.$$
#
# So sample $i$ has one term $a_{ijk}$ for each ordered pair of classes, and the log of class $j$
# collects those of its own labels.

# %%
proved(truncated, "from-softmax")

# %% [markdown]
# Nothing negative is dropped for hard labels, so loss 1 is then never larger than cross-entropy.
# For soft labels the remainder may have either sign.

# %%
print(repr(proved(truncated, "remainder")))
s, soft = rng.normal(0, 2, size=(2000, 6, 4)), soft_rows((2000, 6), 4)
hard = np.eye(4)[rng.integers(0, 4, size=(2000, 6))]
for name, labels in (("hard", hard), ("soft", soft)):
    whole = lossproof.softmax_cross_entropy(s, labels).sum(axis=-1)
    larger = grid_truncated(s, labels) > whole
    print(f"{name} labels: loss 1 is the larger one in {larger.sum()} of 2000 tables")
    assert larger.any() == (name == "soft") and not larger.all()

# %% [markdown]
# The gradient (eq. 3), as the document prints it:

# %%
proved(truncated, "gradient")

# %% [markdown]
# With two classes it is soft ZLPR of the difference of the two scores. So are the two losses that
# come below, and the centered one is soft ZLPR of half the difference. The generalisation is one.

# %%
proved(truncated, "two-classes")

# %%
proved(centered, "two-classes")

# %%
s, t = rng.normal(0, 2, size=(50, 2)), soft_rows(50, 2)
x, on = s[:, 0] - s[:, 1], t[:, 0]
for loss, scale in (
    (grid_truncated, 1),
    (grid_pairwise, 1),
    (grid_mirrored, 1),
    (grid_centered, 0.5),
):
    two, one = loss(s, t), lossproof.soft_zlpr(scale * x, on)
    print(f"{type(loss).__name__:15} {two:.15f}   soft ZLPR {one:.15f}")
    assert np.isclose(two, one, rtol=1e-14)

# %% [markdown]
# ## Loss 1 does have a solution for soft labels
#
# The document sets the gradient to zero, tries "for several days", and guesses that there is
# probably no simple solution. There is one, if one does not ask for a formula of the scores alone.
# Multiply out, with $\rho_{ij} = t_{ij} e^{-s_{ij}} / D_j$: the gradient is
# $e^{s_{ij}} \sum_k \rho_{ik} - \rho_{ij} \sum_k e^{s_{ik}}$. It vanishes iff the $\rho_{ij}$ are
# proportional to $e^{s_{ij}}$, that is iff
#
# $$t_{ij} = \operatorname{softmax}_j(2 s_{ij} + \log D_j).$$
#
# The link is a softmax, of twice the scores, with a constant for each class that the whole table
# shares.

# %%
proved(theory, "truncated-link")

# %% [markdown]
# From $t$ to $s$: insert $s_{ij} = \tfrac12 \log t_{ij} + \log y_j + \text{const}_i$. All $n m$
# equations become $m$ equations for $y$, in which the labels occur only by the overlaps
# $G_{jk} = \sum_i \sqrt{t_{ij} t_{ik}}$ of the classes.

# %%
proved(theory, "truncated-solution")

# %% [markdown]
# These $m$ equations, $y_j (K y)_j = 1$ with $K = I + \operatorname{offdiag}(G)$, have exactly one
# positive solution: with $y = e^z$ they say that a strictly convex function of $z$ is stationary.

# %%
proved(theory, "class-constants")

# %% [markdown]
# And this is the minimum, with the value $-2 \sum_j \log y_j$. `lossproof.grid.solve` finds it
# in a few Newton steps; a general optimiser that knows nothing of all this ends up in the same
# place.


# %%
def minimised(loss, labels):
    """argmin of a loss by SciPy's trust region method and two Newton steps, rows with mean 0."""
    shape = labels.shape

    def slope(x):
        value, gradient = loss.value_and_grad(x.reshape(shape), labels)
        return float(value), gradient.ravel()

    def curve(x, v):
        return loss.hvp(x.reshape(shape), labels, v.reshape(shape)).ravel()

    start = rng.normal(size=labels.size)
    x = minimize(slope, start, jac=True, hessp=curve, method="trust-ncg").x
    for _ in range(2):
        matrix = loss.hessian(x.reshape(shape), labels).reshape(x.size, x.size)
        x = x - np.linalg.lstsq(matrix, slope(x)[1])[0]
    scores = x.reshape(shape)
    return scores - scores.mean(axis=1, keepdims=True), slope(x)[0]


t = soft_rows(60, 7)
solution = grid.solve(t)
scores, value = minimised(grid_truncated, t)
print(f"minimum: solved {solution.minimum:.12f}, SciPy {value:.12f}")
print(f"scores: largest difference {np.abs(solution.scores - scores).max():.0e}")
assert np.isclose(solution.minimum, value, rtol=1e-12)
assert np.allclose(solution.scores, scores, atol=1e-12)
again = grid_truncated.probabilities(scores, log_constants=solution.log_constants)
assert np.allclose(again, t, atol=1e-12)

# %% [markdown]
# A million scores take it some ten milliseconds (`lossproof bench --only grid`), of which most is
# the matrix $G$.

# %%
t = soft_rows(10_000, 100)
solution = grid.solve(t)
gradient = grid_truncated.value_and_grad(solution.scores, t)[1]
print(f"a million scores: residual {solution.residual:.0e}, gradient {np.abs(gradient).max():.0e}")
assert solution.residual < 1e-12 and np.abs(gradient).max() < 1e-12

# %% [markdown]
# ## What it costs: the class constants
#
# The scores alone do not tell the labels. Without the constants the largest score need not even
# belong to the largest label. Two samples and three classes are enough:

# %%
t = np.array([[0.40, 0.35, 0.25], [0.50, 0.01, 0.49]])
solution = grid.solve(t)
print("labels          scores                    class constants D")
for labels, row in zip(t, solution.scores, strict=True):
    print(labels, row, np.exp(solution.log_constants))
    assert labels.argmax() != row.argmax()

# %% [markdown]
# And the constants cannot be had from the scores. One set of scores may minimise the loss for
# several tables of labels. These 34 samples do it for three; the balls of `verify` enclose each of
# them and do not meet, so this is no rounding.

# %%
kinds, counts = np.array([[-8, 2, 0], [2, -8, 0], [0.5, 0.5, 0]]), (13, 13, 8)
s = np.repeat(kinds, counts, axis=0)
print("log D                      labels of the last kind of row    gradient")
found = []
for start in ([1.95, 1.95, 2.9], [1.74, 1.74, 3.5], [1.3, 1.3, 4.3]):
    decoded = grid.soft_labels(s, start=np.array(start))
    gradient = np.abs(grid_truncated.value_and_grad(s, decoded.labels)[1]).max()
    print(decoded.log_constants, "  ", decoded.labels[-1], f"         {gradient:.0e}")
    assert gradient < 1e-13
    found.append(decoded.labels[-1])
assert min(np.abs(one - other).max() for one, other in pairwise(found)) > 0.05
assert SHARED.distinct == 3

# %% [markdown]
# ## Loss 2 and 3: a dead end, and why
#
# The document then turns round: it takes $l_2 = \sum_j \log(1 + \sum_i t_{ij} e^{-f_{ij}})$ with
# any function $f_i$ of the scores of the row, *wants* $t = \operatorname{softmax}(f)$ to be
# stationary, and finds that this asks for a constant $\sum_j f_{ij}$ (eq. 4 to 6). Indeed it does,
# with one correction: the constant may differ between samples.

# %%
proved(theory, "constant-sum")

# %% [markdown]
# Loss 1 is of the general form too, with $f_{ij} = s_{ij} - \log \sum_{k \neq j} e^{s_{ik}}$. Its
# sum over the classes is not constant, so $\operatorname{softmax}(f)$ was not to be had.

# %%
proved(truncated, "general-form")

# %% [markdown]
# Stationary is not minimal, and the document leaves it there. But here it is enough: the loss is
# convex in $f$, and $f$ cannot leave the plane $\sum_j f_{ij} = \text{const}$.

# %%
proved(theory, "constant-sum-minimum")

# %% [markdown]
# So loss 3, with $f_{ij} = s_{ij} - \bar s_i$ (eq. 7, 8), has its minimum at $t =
# \operatorname{softmax}(s)$, and at no other scores but shifted ones:

# %%
proved(centered, "optimum")

# %% [markdown]
# Why then does it not work on hard labels? The document blames the optimisers. They are innocent.
# For a hard label the loss wants $f$ large at the label, and since the sum is constant, any class
# may be larger still if a third one pays for it. That needs three classes and nothing else: *no*
# choice of $f$ helps.

# %%
proved(theory, "constant-sum-hard")

# %%
target = np.array([[1.0, 0.0, 0.0]])
print("  A    scores           loss 3        loss 1   pairwise   argmax")
for A in (1, 5, 10, 20):
    s = A * np.array([[1.0, 2.0, -3.0]])
    values = [float(loss(s, target)) for loss in (grid_centered, grid_truncated, grid_pairwise)]
    print(f"{A:3}  {s[0]}   {values[0]:.2e}   {values[1]:8.3f}   {values[2]:8.3f}   {s.argmax()}")
    assert s.argmax() == 1 and values[0] < np.exp(-A) * 1.001 and min(values[1:]) > A

# %% [markdown]
# The loss goes to 0 while the answer stays wrong. Its Hessian shows the same: at a hard label it
# has rank one in each row, and does not see the other $m - 1$ directions at all.

# %%
proved(centered, "hard-labels")

# %%
s, t = rng.normal(size=(4, 5)), np.eye(5)[[0, 2, 2, 4]]
for loss in (grid_centered, grid_truncated, grid_pairwise):
    curvature = np.asarray(loss.hessian(s, t)).reshape(20, 20)
    rank = np.linalg.matrix_rank(curvature, tol=1e-10)
    print(f"{type(loss).__name__:15} 4 rows of 5 classes: rank {rank} of the Hessian")
    assert rank == (4 if loss is grid_centered else 16)

# %% [markdown]
# ## An answer: a log for each pair of classes
#
# What fails in loss 1 is that the log of a class mixes its rivals. Give each *ordered pair* of
# classes a log of its own:
#
# $$l = \sum_{j \neq k} \log\Big(1 + \sum_i t_{ij}\, e^{s_{ik} - s_{ij}}\Big).$$
#
# The sum over samples is inside. And now the closed form is there: the two logs of a pair, $(j, k)$
# and $(k, j)$, have terms whose products $a_{ijk}\, a_{ikj} = t_{ij} t_{ik}$ do not depend on the
# scores. By Cauchy and Schwarz the product of their arguments is at least $(1 + G_{jk})^2$, with
# equality iff $t = \operatorname{softmax}(2 s)$, sample by sample. No class constants are left.

# %%
proved(theory, "pairwise-optimum")

# %%
t = soft_rows(60, 7)
scores, value = minimised(grid_pairwise, t)
roots = np.sqrt(t)
G = roots.T @ roots
floor = 2 * np.log1p(G[np.triu_indices(7, 1)]).sum()
print(f"minimum: SciPy {value:.12f}, 2 sum log(1 + G) {floor:.12f}")
print(f"softmax(2s) - t: {np.abs(softmax(2 * scores) - t).max():.0e}")
assert np.isclose(value, floor, rtol=1e-12) and np.allclose(softmax(2 * scores), t, atol=1e-12)

# %% [markdown]
# It is smooth as well: its curvature is at most $m / 2$ in any direction, whatever the number of
# samples, and this is the best constant.

# %%
proved(theory, "pairwise-smooth")

# %% [markdown]
# Hard labels are safe: a sample whose largest score is not at its label has a term of at least 1,
# so below $\log 2$ there is none.

# %%
proved(theory, "hard-labels")

# %%
s = rng.normal(0, 6, size=(20_000, 3, 4))
t = np.eye(4)[rng.integers(0, 4, size=(20_000, 3))]
wrong = (s.argmax(axis=-1) != t.argmax(axis=-1)).any(axis=-1)
values = {
    "pairwise": grid_pairwise(s, t),
    "mirrored": grid_mirrored(s, t),
    "truncated": grid_truncated(s, t),
    "centered": grid_centered(s, t),
}
for name, value in values.items():
    print(f"{name:10} least loss with a wrong answer: {value[wrong].min():.4f}")
    assert (value[wrong].min() > np.log(2)) == (name != "centered")

# %% [markdown]
# ## One log for each class, after all
#
# $m (m - 1)$ logs are many. What made the proof work was that a log and its mirror image are both
# there. So give loss 1 its mirror: let $E_k = 1 + \sum_i \sum_{j \neq k} a_{ijk}$ collect the terms
# by the *other* class, and take half of each,
#
# $$l = \tfrac12 \sum_j \log D_j + \tfrac12 \sum_k \log E_k.$$
#
# This costs as little as loss 1, $O(n m)$, and is solved by the same $t =
# \operatorname{softmax}(2 s)$.

# %%
proved(theory, "mirrored-optimum")

# %%
t = soft_rows(60, 7)
scores, value = minimised(grid_mirrored, t)
roots = np.sqrt(t)
floor = np.log1p((roots.T @ roots).sum(axis=1) - t.sum(axis=0)).sum()
print(f"minimum: SciPy {value:.12f}, sum log(1 + sum G) {floor:.12f}")
print(f"softmax(2s) - t: {np.abs(softmax(2 * scores) - t).max():.0e}")
assert np.isclose(value, floor, rtol=1e-12) and np.allclose(softmax(2 * scores), t, atol=1e-12)

# %% [markdown]
# ## Why 2
#
# At $t = \operatorname{softmax}(2 s)$ the terms are $a_{ijk} = e^{s_{ij} + s_{ik}} / Z_i$:
# *symmetric in the two classes*. If a smooth function $F$ of the whole table of terms does not
# change when all pairs are turned round, its derivatives are symmetric there too, and the gradient
# $\sum_k (F_{ikj}\, a_{ikj} - F_{ijk}\, a_{ijk})$ cancels. So every such $F$ is stationary there,
# and has its minimum there if it is convex. Soft ZLPR and the order-$r$ losses are members for two
# classes; pairwise and mirrored are two members for $m$.

# %%
proved(theory, "why-two")

# %%
proved(theory, "symmetric-losses")

# %% [markdown]
# Loss 1 is not one of them: it lacks its mirror image. That is the whole reason why it resisted. At
# $t = \operatorname{softmax}(2 s)$ its gradient vanishes only in the case that all class constants
# are equal.

# %%
proved(theory, "truncated-asymmetry")


# %%
def terms(s, t):
    """a_ijk, 0 at j = k: (n, m, m)."""
    a = t[:, :, None] * np.exp(s[:, None, :] - s[:, :, None])
    a[:, range(s.shape[1]), range(s.shape[1])] = 0
    return a


def stationary_part(weights, s, t):
    """Gradient by s of F(a) = sum_q sqrt(1 + <weights_q, a>), any weights (q, n, m, m)."""
    a = terms(s, t)
    slopes = 0.5 / np.sqrt(1 + np.tensordot(weights, a, 3))
    flow = np.tensordot(slopes, weights, 1) * a
    return flow.sum(axis=1) - flow.sum(axis=2)


s = rng.normal(size=(8, 5))
weights = rng.uniform(size=(3, 8, 5, 5))
for name, w in (("symmetric", weights + weights.swapaxes(2, 3)), ("not symmetric", weights)):
    gradient = np.abs(stationary_part(w, s, softmax(2 * s))).max()
    print(f"some F that nobody would train with, {name:14}: gradient {gradient:.0e}")
    assert (gradient < 1e-14) == (name == "symmetric")

# %% [markdown]
# ## How much does a log for each class balance?
#
# The document: with a plain sum the share of a class in the loss is about its count; with the sum
# inside the log it is about the *log* of its count, which relieves the imbalance. Let $N_j = D_j -
# 1$. In loss 1 class $j$ has the share $\log(1 + N_j)$ of the value, and pulls with $N_j / (1 +
# N_j) < 1$. So the statement is right where $N_j \gg 1$, as at scores 0, where $N_j = (m - 1)
# \times$ count; then the pulls are even *equal*. Where $N_j \ll 1$, both are $N_j$, and the count
# is back.

# %%
proved(theory, "balance-value")

# %%
proved(theory, "balance-gradient")

# %% [markdown]
# In that limit there is not even a difference between the losses left. With hard labels each of
# them, and cross-entropy too, lies between $S / (1 + S)$ and $S$, where $S = \sum a_{ijk}$ is one
# and the same sum.

# %%
classes = rng.integers(0, 4, size=30)
right = np.eye(4)[classes]
print("       S   1 - loss / S: cross-entropy   truncated   pairwise   mirrored")
for gap in (4, 8, 16):
    s = gap * right + rng.normal(size=right.shape)
    S = terms(s, right).sum()
    values = np.array(
        [lossproof.softmax_cross_entropy(s, right).sum()]
        + [loss(s, right) for loss in (grid_truncated, grid_pairwise, grid_mirrored)]
    )
    print(f"{S:8.1e}" + " " * 15 + " ".join(f"{x:11.1e}" for x in 1 - values / S))
    assert (values <= S * (1 + 1e-14)).all() and (values >= S / (1 + S)).all()

# %% [markdown]
# Between the two, in training: handwritten digits, ten classes with 100 samples down to 4, linear
# scores. The pull of a class is half the sum of $|g_{ij}|$ over its samples.

# %%
with plt.rc_context(STYLE):
    balance()

# %% [markdown]
# Left: at scores 0 the classes pull alike in loss 1 and in the pairwise loss, by their counts in
# cross-entropy. The mirrored loss lies between: its half with $E_k$ sums over the labels of all
# classes, and there the counts matter. Right: what this is good for. After three steps loss 1 and
# the pairwise loss recognise the rare classes, of which cross-entropy has not found one. Then it
# catches up, and the balance is gone (middle): what pulls now is what is still wrong.
#
# Smoothing the labels evens out the loads $N_j$, and yet it takes part of the balance away: much of
# the load of a rare class is now made of samples of the others. Here, with 0.1, a hundredth of each
# of 312 samples weighs on a class of 4.

# %%
proved(theory, "balance-smoothing")

# %% [markdown]
# The last step says what this does to the pairwise loss: at its minimum the load of a pair is
# $G_{jk}$, in which samples of neither class have a part. For the rarest pair it is the larger one.

# %%
number, low, high = experiment.counts(), 0.01, 0.91
for name, (j, k) in (("two most frequent", (0, 1)), ("two rarest", (8, 9))):
    own = (number[j] + number[k]) * np.sqrt(high * low)
    others = (number.sum() - number[j] - number[k]) * low
    part = others / (own + others)
    print(f"{name:18} G = {own + others:6.2f}, samples of neither class: {part:.0%}")
assert others > 3 * own

# %%
number = experiment.counts()
hard = np.repeat(np.eye(10), number, axis=0)
print("pull at scores 0, most frequent / rarest class    hard   smoothed")
ratios = {}
for name in ("cross-entropy", "mirrored", "pairwise", "truncated, argmax s"):
    objective = experiment.objectives()[name]
    found = [pulls(objective, np.zeros_like(hard), x) for x in (hard, 0.9 * hard + 0.01)]
    ratios[name] = [x[0] / x[-1] for x in found]
    print(f"{name:48} {ratios[name][0]:5.2f}   {ratios[name][1]:8.2f}")
assert np.allclose(ratios["cross-entropy"], 25) and ratios["pairwise"][0] < 1.3

# %% [markdown]
# ## The two wishes do not go together
#
# Put the counts $c$ of hard labels at one and the same input, so that all samples share their
# scores. Inside the log their labels add up to one soft label. A loss with the link $t =
# \operatorname{softmax}(2 s)$ then says $\operatorname{softmax}(2 s) = c / n$: it gives the
# frequencies, as cross-entropy does, and there is nothing balanced about them.

# %%
proved(theory, "frequencies-pairwise")

# %% [markdown]
# Loss 1 is the opposite. Its scores forget the counts, the more so the larger these are, for they
# have moved into its class constants.

# %%
proved(theory, "frequencies-truncated")

# %%
c = np.array([1000, 100, 10])
t = np.tile(c / c.sum(), (c.sum(), 1))
solution = grid.solve(t)
half_logs = 0.5 * np.log(t)
print("frequencies            ", t[0])
print("loss 1, softmax(2s)    ", softmax(2 * solution.scores)[0])
print("  with its constants   ", softmax(2 * solution.scores + solution.log_constants)[0])
print("pairwise, softmax(2s)  ", softmax(2 * half_logs)[0])
assert np.abs(grid_pairwise.value_and_grad(half_logs, t)[1]).max() < 1e-15
assert np.ptp(softmax(2 * solution.scores)[0]) < 0.11

# %% [markdown]
# So a loss of this kind that has the second property cannot keep the first at its minimum. It is
# balanced on the way there. Whoever wants balanced answers at the end must leave the
# frequencies out of the scores. Loss 1 read without its constants does this by itself; *logit
# adjustment*, cross-entropy of $s_j + \log c_j$, does it openly.
#
# ## Does it help? Digits
#
# Ten classes with 100, 70, 49, 34, 24, 17, 12, 8, 6 and 4 training samples, 50 test samples of
# each; linear scores and one hidden layer; the same optimiser and budget for each loss, the weight
# decay chosen by validation for each; 12 repeats with new samples and a new order of the classes
# (`benchmarks/digits.py`, some five minutes).

# %%
rows = json.loads(experiment.FIGURES_FILE.read_text())
experiment.show(experiment.summary(rows))

# %%
with plt.rc_context(STYLE):
    digits()


# %% [markdown]
# All losses saw the same samples, so they may be compared repeat by repeat:


# %%
def advantage(figure, one, other, model, kind):
    """Mean and standard error of the difference over the repeats."""
    x = {
        name: [
            row[figure]
            for row in rows
            if (row["loss"], row["model"], row["labels"]) == (name, model, kind)
        ]
        for name in (one, other)
    }
    difference = np.subtract(x[one], x[other])
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


plain, loss1 = "cross-entropy", "truncated, argmax s"
head = ("linear, hard", "smoothed", "hidden, hard", "smoothed")
print("recall of the three rarest classes".ljust(44) + "".join(f"{name:>15}" for name in head))
for one, other in (
    ("pairwise", plain),
    ("mirrored", plain),
    ("truncated, with constants", plain),
    (loss1, plain),
    ("logit adjustment", loss1),
    ("centered", plain),
):
    places = product(experiment.MODELS, experiment.SMOOTHING)
    cells = [advantage("rare", one, other, *place) for place in places]
    print(f"{one} - {other}".ljust(44) + "".join(f"{a:+8.3f} ±{b:.3f}" for a, b in cells))
assert abs(advantage("rare", "pairwise", plain, "linear", "hard")[0]) < 0.02

# %% [markdown]
# **Cross-entropy is hard to beat.** With hard labels the pairwise and the mirrored loss recognise
# the rare classes as well as cross-entropy does, to within the error, and their log-loss is worse.
# With smoothed labels they recognise fewer. Their theorem says why one should not have hoped for
# more: they are as faithful to the frequencies as cross-entropy is. What helps the rare classes is
# to leave the frequencies out. Loss 1 without its constants does, and logit adjustment, which is
# simpler, does it better. Loss 3 fails on hard labels as predicted; smoothing keeps the labels off
# the hard corners, and with a hidden layer it is then as good as the pairwise loss.
#
# ## What to remember
#
# * Loss 1 is convex and has a solution for soft labels: $t_{ij} = \operatorname{softmax}_j(2 s_{ij}
#   + \log D_j)$, found from $m$ equations with one positive solution. Its scores mean nothing
#   without its class constants: labels for given scores are not unique, and the largest score may
#   sit at the wrong class.
# * Loss 2 with a softmax for soft labels forces $\sum_j f_{ij}$ to be constant in each sample, and
#   then hard labels fail from three classes on. No optimiser is to blame.
# * A log for each ordered pair of classes, $\sum_{j \neq k} \log(1 + \sum_i t_{ij} e^{s_{ik} -
#   s_{ij}})$, or half a log for each class and half for its mirror image, has both properties: the
#   sum over samples is inside, and $t = \operatorname{softmax}(2 s)$ for every soft table. Hard
#   labels are safe.
# * The 2 comes from a symmetry: at $t = \operatorname{softmax}(2 s)$ a term and its mirror image
#   are equal. Every smooth $F$ that does not tell them apart is stationary there.
# * A log for each class balances the start of training, where its argument is large. It speeds the
#   rare classes up. At the minimum a loss with the link reproduces the frequencies.
