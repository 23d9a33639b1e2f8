# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03. The unified loss, and one lattice for all of them
#
# Document 002 arrives at ZLPR by way of three other losses: the combination softmax, its padded
# form, and the "unified" loss of pairwise differences. Document 001 arrives at it from binary
# cross-entropy. They look like five ideas.
#
# **Are they? What do these losses have in common, which of two is the larger, and which of their
# properties hold for all of them at once?**
#
# They are one formula with five index sets. Every statement below is proved for a symbolic number
# $n$ of labels, and then computed by one function, `lossproof.lattice(I)`.

# %%
from itertools import combinations, pairwise, product
from math import comb

import matplotlib.pyplot as plt
import mpmath
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats

import lossproof
from derive.formulas import proved
from derive.losses import LOSSES, SUBJECTS
from lossproof import lattice
from verify.mutation import try_derivation

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update({"svg.hashsalt": "lossproof", "font.size": 10, "axes.grid": True})
plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
BLUE, ORANGE, RED, GREY = "#1f5fa8", "#c26a00", "#b00020", "#555555"

unified, order_r, theory = LOSSES["unified"], LOSSES["order_r"], SUBJECTS["lattice"]

# %% [markdown]
# ## Pairs instead of labels
#
# With one right label $t$, softmax cross-entropy is $\log(1 + \sum_{i \neq t} e^{s_i - s_t})$:
# write $e^{\text{difference}}$ for every score that should stay below another, add 1, take the log.
# With several right labels do the same for every pair of one that is off and one that is on
# (document 002, eq. 8; with scale $\gamma$ and margin $m$, eq. 9):
#
# $$l = \log\Big(1 + \sum_{i\ \mathrm{off},\ j\ \mathrm{on}} e^{s_i - s_j}\Big).$$

# %%
proved(unified, "value")

# %% [markdown]
# With one label on it is softmax cross-entropy again, and a common shift of all scores changes
# nothing: the loss knows an order of the labels, but no threshold.

# %%
proved(unified, "one-positive")

# %%
proved(unified, "shift")

# %% [markdown]
# ## The threshold is a class
#
# To get a threshold, put an extra class with score $s_0$ between the two groups: it must stay below
# every label that is on and above every label that is off. The sum of pairs then factors, and ZLPR
# appears (eq. 10 and 11).

# %%
proved(LOSSES["zlpr"], "threshold")

# %% [markdown]
# ## Which mistakes does a loss count?
#
# Compare a wrong answer with the right one. It has $a$ labels too many and misses $b$. Its score
# less the score of the right answer is the sum of the $a$ scores that came in, less the sum of the
# $b$ scores that went out. So with $v = e^{s}$ on the labels that are off and $w = e^{-s}$ on those
# that are on, all answers with the numbers $(a, b)$ together have the weight $e_a(v)\, e_b(w)$,
# where $e_a$ is the elementary symmetric polynomial, the sum of all products of $a$ different
# ones. The right answer itself is $(0, 0)$ and has weight 1. A loss of the form
#
# $$l_I = \log \sum_{(a, b) \in I} e_a(v)\, e_b(w)$$
#
# is therefore $-\log$ of the probability of the right answer, if only the answers in $I$ may
# compete. Each of the losses is of this form:

# %%
INDEX_SETS = {
    "unified": lambda a, b: a == b <= 1,
    "combination softmax": lambda a, b: a == b,
    "padded, K - k = 1": lambda a, b: a - b <= 1,
    "ZLPR": lambda a, b: max(a, b) <= 1,
    "order r = 2": lambda a, b: max(a, b) <= 2,
    "binary cross-entropy": lambda a, b: True,
}
OFF, ON = 5, 3
figure, panels = plt.subplots(2, 3, figsize=(8.4, 4.6), layout="constrained")
for axes, (name, holds) in zip(panels.flat, INDEX_SETS.items(), strict=True):
    answers = 0
    for a, b in product(range(OFF + 1), range(ON + 1)):
        count, inside = comb(OFF, a) * comb(ON, b), holds(a, b)
        answers += count * inside
        color = ("#22262b" if a == b == 0 else BLUE) if inside else "#eceef1"
        axes.add_patch(plt.Rectangle((a - 0.44, b - 0.44), 0.88, 0.88, color=color))
        shade = "white" if inside else "#b0b6be"
        axes.text(a, b, count, color=shade, ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.6, OFF + 0.6), ylim=(-0.6, ON + 0.6), aspect="equal", xticks=range(OFF + 1))
    axes.set(yticks=range(ON + 1), title=f"{name}: {answers} answers")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.title.set_fontsize(10)
for axes in panels[:, 0]:
    axes.set_ylabel("b missed")
for axes in panels[1]:
    axes.set_xlabel("a too many")

# %% [markdown]
# That they are, for every $n$: the proofs read the losses as coefficients of products. Put $V(z) =
# \prod (1 + v_i z)$ and $W(z) = \prod (1 + w_i z)$. All pairs together are $V(1) W(1)$, which is
# binary cross-entropy; the diagonal is the coefficient of $z^0$ in $V(z) W(1/z)$, which is the
# combination softmax.

# %%
proved(theory, "combination")

# %%
proved(theory, "padded")

# %%
proved(theory, "bce")

# %% [markdown]
# ## One function for all
#
# `lossproof.lattice(I)` takes an index set, as pairs or as a rule, and is a loss like the others:
# value, gradient, Hessian-vector product. The special losses have programs of their own, which are
# faster. Both must agree.

# %%
rng = np.random.default_rng(3)
scores = rng.normal(0, 2, size=(200, OFF + ON))
labels = (rng.permuted(np.tile(np.arange(OFF + ON), (200, 1)), axis=1) < ON).astype(float)
special = {
    "unified": lossproof.unified,
    "combination softmax": lossproof.combination_softmax,
    "padded, K - k = 1": lossproof.PaddedCombinationSoftmax(max_labels=ON + 1),
    "ZLPR": lossproof.zlpr,
    "order r = 2": lossproof.OrderR(2),
    "binary cross-entropy": lossproof.binary_cross_entropy,
}
direction = rng.normal(size=scores.shape)
print(f"{'largest difference':22} {'value':>9} {'gradient':>9} {'hvp':>9}")
for name, loss in special.items():
    general = lattice(INDEX_SETS[name])
    value, gradient = loss.value_and_grad(scores, labels)
    value_too, gradient_too = general.value_and_grad(scores, labels)
    product_too = general.hvp(scores, labels, direction)
    gaps = (
        np.abs(value_too / value - 1).max(),
        np.abs(gradient_too - gradient).max(),
        np.abs(product_too - loss.hvp(scores, labels, direction)).max(),
    )
    print(f"{name:22} " + " ".join(f"{gap:9.0e}" for gap in gaps))
    assert max(gaps) < 1e-13

# %% [markdown]
# And both must agree with the answers written down, one by one.


# %%
def written_down(s, y, holds):
    """log of the sum over all answers in I of e^{score - score of the right answer}."""
    n, total = len(s), mpmath.mpf(0)
    for size in range(n + 1):
        for answer in map(list, combinations(range(n), size)):
            x = np.zeros(n)
            x[answer] = 1
            if holds(int((x > y).sum()), int((x < y).sum())):
                total += mpmath.exp(mpmath.mpf(float((x - y) @ s)))
    return mpmath.log(total)


for holds in INDEX_SETS.values():
    by_hand = written_down(scores[0], labels[0], holds)
    assert abs(lattice(holds)(scores[0], labels[0]) / by_hand - 1) < 1e-13

# %% [markdown]
# A set of your own is as good. Here one or two exchanges count, and one label missed, but never a
# label too many by itself:

# %%
pairs = {(0, 0), (1, 1), (2, 2), (0, 1)}
value, gradient = lattice(pairs).value_and_grad(scores[0], labels[0])
print(value, gradient.round(3))
by_hand = written_down(scores[0], labels[0], lambda a, b: (a, b) in pairs)
assert abs(value / by_hand - 1) < 1e-13

# %% [markdown]
# ## Smaller set, smaller loss
#
# All terms are positive. So whatever the scores, dropping mistakes from $I$ makes the loss smaller,
# and the inclusions in the picture are inequalities between losses.

# %%
proved(theory, "smaller-set")

# %%
values = {name: lattice(holds)(scores, labels) for name, holds in INDEX_SETS.items()}
chains = (
    ("unified", "combination softmax", "padded, K - k = 1", "binary cross-entropy"),
    ("unified", "ZLPR", "order r = 2", "binary cross-entropy"),
)
for chain in chains:
    means = "  <=  ".join(f"{name} {values[name].mean():.3f}" for name in chain)
    print(means)
    for smaller, larger in pairwise(chain):
        assert (values[smaller] <= values[larger]).all()

# %% [markdown]
# Neither of combination softmax and ZLPR contains the other, and indeed either may be the larger.

# %%
difference = values["combination softmax"] - values["ZLPR"]
print(f"combination softmax is the larger one in {(difference > 0).sum()} of 200 rows")
assert (difference > 0).any() and (difference < 0).any()

# %% [markdown]
# ## Convex, whatever the set
#
# Each term $e_a(v)\, e_b(w)$ is a sum of exponentials of linear functions of the scores. The log of
# such a sum is convex. No property of $I$ is used, so this covers every loss above, and every set
# that anyone may think of.

# %%
proved(theory, "convexity")

# %% [markdown]
# ## Soft labels: which symmetry puts the minimum at $\sigma(2 s)$
#
# A label between 0 and 1 is partly off and partly on: $v_i = (1 - t_i) e^{s_i}$ and $w_i = t_i
# e^{-s_i}$, both over all labels. At $t_i = \sigma(2 s_i)$ the two are equal, $v = w$. Then too
# many and too few are exchanged by a symmetric $I$ without any change, and the gradient cancels.

# %%
proved(theory, "stationarity")

# %% [markdown]
# At that point $v_i = w_i = \sqrt{t_i (1 - t_i)}$, and by convexity it is the minimum:
#
# $$\min_s l_I = \log \sum_{(a, b) \in I} e_a(h)\, e_b(h), \qquad h_i = \sqrt{t_i (1 - t_i)}.$$

# %%
proved(theory, "minimum")


# %%
def symmetric_polynomials(h):
    """e_0, ..., e_n."""
    coefficients = np.ones(1)
    for x in h:
        coefficients = np.append(coefficients, 0) + x * np.append(0, coefficients)
    return coefficients


t = np.array([0.9, 0.6, 0.25, 0.1, 0.03])
at_half_logit = np.log(t / (1 - t)) / 2
e = symmetric_polynomials(np.sqrt(t * (1 - t)))
symmetric = {
    "{a = b}": lambda a, b: a == b,
    "{0, 1}^2": lambda a, b: max(a, b) <= 1,
    "{a, b <= 3}": lambda a, b: max(a, b) <= 3,
    "a cross: a b = 0": lambda a, b: a * b == 0,
    "|a - b| <= 1": lambda a, b: abs(a - b) <= 1,
    "not symmetric: a <= b": lambda a, b: a <= b,
}
print(f"{'index set':24} {'largest gradient entry':>22} {'loss':>12} {'formula':>12}")
for name, holds in symmetric.items():
    value, gradient = lattice(holds).value_and_grad(at_half_logit, t)
    grid = product(range(len(t) + 1), repeat=2)
    floor = np.log(sum(e[a] * e[b] for a, b in grid if holds(a, b)))
    print(f"{name:24} {np.abs(gradient).max():22.1e} {value:12.8f} {floor:12.8f}")
    assert np.isclose(value, floor, rtol=1e-13)
    assert (np.abs(gradient).max() < 1e-15) == (not name.startswith("not"))

# %% [markdown]
# Is the minimiser the only one? Not for a set on the diagonal $a = b$: those losses see differences
# of scores alone, and a common shift is free. They can rank, but they have no threshold. One pair
# off the diagonal ends the freedom (if the set is not so small, or so large, that only $a, b \in
# \{0, n\}$ occur in it).

# %%
proved(theory, "uniqueness")

# %%
for name in ("{a = b}", "{0, 1}^2"):
    curvature = lattice(symmetric[name]).hessian(at_half_logit, t)
    least = np.linalg.eigvalsh(curvature)[0]
    shifted = lattice(symmetric[name])(at_half_logit + 0.7, t) - lattice(symmetric[name])(
        at_half_logit, t
    )
    print(f"{name:10} least eigenvalue {least:10.2e}, all scores + 0.7: {shifted:+.6f}")
    assert (abs(least) < 1e-15) == (abs(shifted) < 1e-14) == (name == "{a = b}")

# %% [markdown]
# ## From ZLPR to cross-entropy, one order at a time
#
# Document 001 gets ZLPR by cutting two products after the first order. Why the first? Cut after
# order $r$ and there is a family: $r = 1$ is ZLPR, and from $r = n$ on nothing is cut: binary
# cross-entropy. All are convex, the loss grows with $r$, and for soft labels all have their minimum
# at $t = \sigma(2 s)$.

# %%
proved(order_r, "optimum")

# %%
orders = range(1, OFF + 2)
by_order = np.array([lossproof.OrderR(r)(scores, labels) for r in orders])
assert (np.diff(by_order[:OFF], axis=0) > 0).all()
assert np.allclose(by_order[0], lossproof.zlpr(scores, labels), rtol=1e-14)
assert np.allclose(by_order[-1], lossproof.binary_cross_entropy(scores, labels), rtol=1e-14)
print("mean loss at r = 1, 2, ...:", by_order.mean(axis=1).round(4))

# %% [markdown]
# For soft labels one has to look twice at what is cut. The soft cross-entropy is made of powers,
# $\prod (1 + e^{-s_i})^{t_i}$, and its series, cut after the second order, has the term $-\tfrac{t
# (1 - t)}{2} e^{-2 s}$: negative. From $e^{-s} = 2 (1 + 1/t) / (1 - t)$ on, at the latest, the
# "sum" is below zero and has no logarithm. The lattice has $e_2(t e^{-s})$ in its place, which is
# never negative.

# %%
proved(order_r, "truncated-binomial")

# %%
label, grid = 0.5, np.linspace(-6, 3, 181)
x = np.exp(-grid)
series = 1 + label * x - label * (1 - label) / 2 * x**2
edge = -np.log(2 * (1 + 1 / label) / (1 - label))
pair = np.stack([grid, np.zeros_like(grid)], axis=-1)
valid = lossproof.OrderR(2)(pair, np.full_like(pair, label))
assert (series[grid <= edge] < 0).all() and (valid > 0).all()
assert np.argmin(valid) == np.argmin(np.abs(grid))  # sigma(2 s) = 1/2 at s = 0

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
left.plot(grid, series, color=RED)
left.axhline(0, color=GREY, lw=0.8)
left.axvline(edge, color=GREY, lw=0.8, ls=":")
left.set(ylim=(-8, 4), xlabel="score of a label t = 1/2", title="binomial series, cut at order 2")
right.plot(grid, valid, color=BLUE)
right.set(xlabel="score of one of two labels t = 1/2", title="order_r, r = 2", ylabel="loss")

# %% [markdown]
# ## What a score means when labels are drawn
#
# The theorem is about soft labels as they are given. When hard labels are drawn at random, each on
# with probability $\eta$, the model minimises the *mean* of hard losses. What the other labels do
# enters by one number on each side, $\rho = P_{r-1} / P_r$, the share that stays below order $r$.
# At order $n$ it is 1, and the loss is cross-entropy: $\sigma(s) = \eta$. At low orders and many
# labels it is small, and $\sigma(2 s) = \eta$ comes back. In between lies a family of links. The
# threshold, $\eta = 1/2$ at $s = 0$, is kept wherever both sides have the same $\rho$.

# %%
proved(order_r, "population")


# %%
def cut(x, m, r):
    """e_0 + ... + e_r of m equal numbers x."""
    return sum(comb(max(m, 0), a) * x**a for a in range(r + 1))


def mean_slope(score, n, eta, r):
    """d/ds of the mean of the order-r loss over n labels, each on with probability eta."""
    up, down = np.exp(score), np.exp(-score)
    total = 0.0
    for k in range(n + 1):
        chance = comb(n, k) * eta**k * (1 - eta) ** (n - k)
        pull = (n - k) * up * cut(up, n - k - 1, r - 1) / cut(up, n - k, r)
        push = k * down * cut(down, k - 1, r - 1) / cut(down, k, r)
        total += chance * (pull - push)
    return total


def trained(n, eta, r):
    """The score at which that slope is 0."""
    low, high = -8.0, 8.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_slope(middle, n, eta, r) < 0 else (low, middle)
    return low


eta, n = 0.2, 40
print(f"{n} labels, on with probability {eta}")
print("    r   trained score   sigma(s)   sigma(2s)")
for r in (1, 2, 4, 8, 16, 40):
    score = trained(n, eta, r)
    print(
        f"{r:5} {score:15.4f} {1 / (1 + np.exp(-score)):10.4f} {1 / (1 + np.exp(-2 * score)):11.4f}"
    )
assert abs(1 / (1 + np.exp(-trained(n, eta, n))) - eta) < 1e-9
assert abs(trained(n, 0.5, 3)) < 1e-9

# %% [markdown]
# ## Every slip would be seen

# %%
print(f"{'derivation':28} {'mutants':>8} {'refuted':>8} {'still true':>11}")
for subject, topic in ((unified, "gradient"), (theory, "smaller-set"), (order_r, "gradient")):
    trials = try_derivation(subject.derive(topic), most=6)
    refuted, same = sum(trial.caught for trial in trials), sum(trial.still_true for trial in trials)
    print(f"{subject.name + '.' + topic:28} {len(trials):8} {refuted:8} {same:11}")
    assert refuted + same == len(trials) and refuted > 0

# %% [markdown]
# ## What to remember
#
# * Every multi-label loss of the documents is $\log \sum_{(a, b) \in I} e_a(v)\, e_b(w)$: the right
#   answer against the answers with $a$ labels too many and $b$ missed, $(a, b) \in I$.
# * A smaller $I$ gives a smaller loss, for every score. Every $I$ gives a convex loss.
# * For soft labels every symmetric $I$ has its minimum at $t = \sigma(2 s)$, with the value $\log
#   \sum_I e_a(h) e_b(h)$, $h = \sqrt{t (1 - t)}$. On the diagonal the minimiser is free up to a
#   common shift.
# * Orders $r = 1, \dots, n$ lead from ZLPR to binary cross-entropy. With hard labels drawn at
#   random the meaning of a score moves along: from about $\sigma(2 s)$ to $\sigma(s)$.
# * `lossproof.lattice(I)` computes any of them, exactly also where the loss is tiny.
