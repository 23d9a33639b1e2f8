# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02. Combination softmax: from $C(n, k)$ terms to a stable recursion
#
# Exactly $k$ of $n$ labels are right. Score a *set* of $k$ labels by the sum of their scores, let
# all $C(n, k)$ sets compete, and take the softmax: document 002, eq. 2,
#
# $$l = \log Z_k - (s_{t_1} + \dots + s_{t_k}), \qquad
# Z_k = \sum_{i_1 < \dots < i_k} e^{s_{i_1} + \dots + s_{i_k}}.$$
#
# It asks for 4 of 16384 as an example: $3 \cdot 10^{15}$ sets.
#
# **How is $Z_k$ computed without writing the sets down, how many of the digits survive, what is the
# gradient, and how does one draw a set?**
#
# The document answers the first question with Newton's identities and, in its comments, the last
# one with "softmax, take one, remove it, repeat". The identities are right, for every $n$ and every
# $k$: the machine proves it below. As a program they lose every digit on ordinary scores. And the
# sampler draws from another distribution.

# %%
from fractions import Fraction
from itertools import combinations, permutations
from math import comb

import matplotlib.pyplot as plt
import mpmath
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats

import lossproof
from derive.formulas import proved
from derive.losses import LOSSES
from lossproof import subset
from verify.mutation import try_derivation
from verify.newton import newton_map

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update({"svg.hashsalt": "lossproof", "font.size": 10, "axes.grid": True})
plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
BLUE, ORANGE, RED, GREY = "#1f5fa8", "#c26a00", "#b00020", "#555555"

combination, padded = LOSSES["combination_softmax"], LOSSES["padded_combination_softmax"]

# %% [markdown]
# ## All sets, written down
#
# For eight labels, three of them right, there are 56 sets. Their softmax cross-entropy is the
# combination softmax: "one of $C(n, k)$", as the document says.

# %%
rng = np.random.default_rng(2)
n, k = 8, 3
s = rng.normal(0, 2, n)
y = np.zeros(n)
y[[1, 4, 6]] = 1

sets = list(combinations(range(n), k))
of_sets = np.array([s[list(chosen)].sum() for chosen in sets])
right = sets.index((1, 4, 6))
written_down = lossproof.softmax_cross_entropy(of_sets, np.array(right))
print(f"{len(sets)} sets: {written_down:.15f}")
print(f"lossproof: {lossproof.combination_softmax(s, y):.15f}")
print(f"sets of 4 out of 16384: {comb(16384, 4):.2e}")
assert np.isclose(lossproof.combination_softmax(s, y), written_down, rtol=1e-14)

# %% [markdown]
# ## Newton's identities
#
# $Z_k$ is an elementary symmetric polynomial: the coefficient of $z^k$ in $E(z) = \prod_i (1 + x_i
# z)$ with $x_i = e^{s_i}$. The power sums $S_m = \sum_i x_i^m$ are the coefficients of $z E'(z) /
# E(z)$, up to signs. Compare coefficients in $z E' = E \cdot (z E' / E)$, and eq. 3 of the document
# appears, for every $k$ at once.

# %%
proved(combination, "newton")

# %% [markdown]
# As a program it has $k$ steps, and on tame scores it is right.


# %%
def newton(s, k):
    """Z_1, ..., Z_k as document 002 prints it (eq. 3), in the precision of s."""
    powers = [np.sum(np.exp(m * s)) for m in range(1, k + 1)]
    z = [np.ones((), s.dtype)]
    for order in range(1, k + 1):
        terms = [(-1) ** (m - 1) * z[order - m] * powers[m - 1] for m in range(1, order + 1)]
        z.append(sum(terms) / order)
    return z[1:]


print(newton(s, k)[-1], np.exp(of_sets).sum())
assert np.isclose(newton(s, k)[-1], np.exp(of_sets).sum(), rtol=1e-12)

# %% [markdown]
# ## Where the digits go
#
# Every second term is subtracted. One score that stands out is enough: with $x_1$ large, $Z_1 S_1$
# and $S_2$ are both about $x_1^2$, and what should remain of their difference, $2 Z_2$, is about
# $x_1$. The larger $x_1$, the fewer digits are left of $Z_2$. A trained model makes scores stand
# out: that is what it is trained for.


# %%
def true_partitions(s, k):
    """Z_0, ..., Z_k to 60 digits, one label after the other: sums of positive terms."""
    with mpmath.workdps(60):
        z = [mpmath.mpf(1)] + [mpmath.mpf(0)] * k
        for score in s:
            x = mpmath.exp(mpmath.mpf(float(score)))
            for order in range(k, 0, -1):
                z[order] += x * z[order - 1]
        return z


print(f"{'lead':>5} {'Newton, log Z_2':>22} {'lossproof':>22} {'true':>22}")
for lead in (0.0, 10.0, 20.0, 30.0, 36.0, 40.0):
    row = np.array([lead, 0.0, -1.0, 0.5, -0.5])
    with np.errstate(all="ignore"):
        by_newton = np.log(newton(row, 2)[-1])
    stable = subset.log_partition(row, 2)
    true = mpmath.log(true_partitions(row, 2)[2])
    print(f"{lead:5.0f} {by_newton:22.15f} {stable:22.15f} {mpmath.nstr(true, 17):>22}")
    assert abs(stable / true - 1) < 1e-14
assert not np.isclose(by_newton, float(true), rtol=0.01)

# %% [markdown]
# The map shows how it gets worse with the spread of the scores and with $k$: 64 normal scores times
# a spread, all $k$, the truth in balls. Dark is right to the last digit, bright has no digit left.
# Along the white line the error is $10^{-14}$: beyond it the recursion has failed for certain, not
# by an estimate. The right panel is the default method of `lossproof` on the same scores.

# %%
chart = newton_map(n=64, spreads=tuple(np.arange(49) / 4), orders=range(1, 65))
failed = np.array(chart.certified[1e-14]).T
figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True, layout="constrained")
for axes, (title, lines) in zip(
    panels, {"Newton's recursion": chart.newton, "lossproof": chart.stable}.items(), strict=True
):
    shades = np.log10(np.clip(lines, 1e-17, 1)).T
    picture = axes.pcolormesh(
        chart.spreads, chart.orders, shades, vmin=-16, vmax=0, cmap="magma", rasterized=True
    )
    axes.set(title=title, xlabel="standard deviation of the scores")
    axes.grid(visible=False)
panels[0].contour(chart.spreads, chart.orders, failed, levels=[0.5], colors="white", linewidths=1)
panels[0].set_ylabel("k of n = 64")
bar = figure.colorbar(picture, ax=panels, label="relative error of log Z_k, float64")
bar.set_ticks([-16, -12, -8, -4, 0], labels=["1e-16", "1e-12", "1e-8", "1e-4", "no digit"])

for level, marks in chart.certified.items():
    print(f"Newton is off by more than {level:g} for certain on {np.mean(marks):.0%} of the map")
print(f"lossproof is off by at most {np.max(chart.stable):.0e}")
assert np.max(chart.stable) < 1e-14 and failed.mean() > 0.5

# %% [markdown]
# ## Only sums of positive numbers
#
# There is another recursion: take the labels one by one. Either label $i$ is in the set or it is
# not.

# %%
proved(combination, "elements")

# %% [markdown]
# Nothing is subtracted, so nothing cancels: with $u$ the rounding error of one operation the
# relative error of a sum of positive products grows by at most $2 u$ a step. Nor need the chain
# have $n$ steps. Split the labels into two halves, multiply the two polynomials, and do the same in
# the halves: a tree has $\log_2 n$ levels.
#
# Two questions remain. Products of large numbers overflow: all scores are shifted by a common $c$,
# chosen such that $Z_k e^{-k c}$ is the large coefficient in the middle of its polynomial (then it
# is, up to a factor, the probability of $k$ successes in $n$ trials with $p_i = \sigma(s_i - c)$,
# $\sum p_i = k$). And a loss that is nearly zero is $\log(1 + \text{rest})$, with a rest that is
# summed without the 1.
#
# (The identities are not useless. On labels that are *light*, so that in the printed recursion each
# term is at most a quarter of the one before, next to nothing cancels. The few heavy labels go
# through the tree, the many light ones through power sums, and the result is held against a bound
# of what was lost. That is how `combination_softmax` takes large batches in NumPy.)

# %%
print(f"{'lead of the right set':>22} {'log Z_k - sum, in float64':>26} {'lossproof':>24}")
for lead in (5.0, 20.0, 40.0, 300.0):
    row = np.where(y == 1, lead, 0.0)
    plain = float(mpmath.log(true_partitions(row, k)[k])) - row[y == 1].sum()
    value = lossproof.combination_softmax(row, y)
    with mpmath.workdps(400):
        x = mpmath.exp(-lead)
        true = mpmath.log(mpmath.fsum(comb(k, a) * comb(n - k, a) * x**a for a in range(k + 1)))
        assert abs(value / true - 1) < 1e-14
    print(f"{lead:22.0f} {plain:26.16e} {value:24.16e}")

# %% [markdown]
# The middle column even starts from a $Z_k$ with 60 digits. Rounding it to a float is enough.
#
# ## The gradient is a probability
#
# Differentiate $\log Z_k$ by $s_i$: what remains in the numerator are the sets that contain $i$. So
# the derivative is the probability $P(i \in S)$ that a random set $S$, drawn with probability
# $e^{\text{its score}} / Z_k$, contains $i$. The gradient of the loss is *inclusion probability
# minus label*.

# %%
proved(combination, "inclusion")

# %%
chances = np.exp(of_sets - of_sets.max())
chances /= chances.sum()
member = np.array([[i in chosen for i in range(n)] for chosen in sets], dtype=float)
by_counting = chances @ member

inclusion = subset.inclusion_probabilities(s, k)
_, gradient = lossproof.combination_softmax.value_and_grad(s, y)
print("inclusion", inclusion.round(4), "sum", inclusion.sum().round(12))
print("gradient ", gradient.round(4))
assert np.allclose(inclusion, by_counting, rtol=1e-13) and np.isclose(inclusion.sum(), k)
assert np.allclose(gradient, by_counting - y, atol=1e-14)

# %% [markdown]
# The last step above says that the Hessian is the covariance of the memberships, $P(i, j \in S) -
# P(i \in S) P(j \in S)$.

# %%
together = subset.pairwise_inclusion(s, k)
curvature = lossproof.combination_softmax.hessian(s, y)
assert np.allclose(together, (member * chances[:, None]).T @ member, rtol=1e-12)
assert np.allclose(curvature, together - np.outer(inclusion, inclusion), atol=1e-14)
print("eigenvalues of the Hessian", np.linalg.eigvalsh(curvature).round(4))

# %% [markdown]
# A covariance is positive semidefinite, so the loss is convex. One eigenvalue is 0: a common shift
# of all scores changes no competition between sets of the same size. And two labels never attract
# each other: no entry off the diagonal is positive. A set has $k$ places, and who is in takes one.
# (Newton again, his inequality this time: $A_{k-1}^2 \ge A_k A_{k-2}$.)

# %%
proved(combination, "correlation")

# %%
off_diagonal = curvature[~np.eye(n, dtype=bool)]
assert (off_diagonal < 0).all() and np.allclose(curvature.sum(axis=1), 0, atol=1e-15)

# %% [markdown]
# ## The number of labels unknown: the padding class
#
# When $k$ differs from sample to sample, the document fills every set up to $K$ places with a class
# 0 that may be taken more than once: $\overline{Z}_K = Z_K + e^{s_0} \overline{Z}_{K-1}$ (eq. 5).

# %%
proved(padded, "recursion")

# %% [markdown]
# Unrolled it says: all sets of *at most* $K$ labels compete, each label with its lead $s_i - s_0$
# over the threshold.

# %%
proved(padded, "unrolled")

# %% [markdown]
# Without a limit, $K \ge n$, every set competes with every other, the sum factors, and the loss is
# binary cross-entropy of $s - s_0$. With a limit it is smaller, and it grows with $K$.

# %%
proved(padded, "bce")

# %%
threshold = 0.3
print("   K   padded loss")
losses = []
for most in range(3, n + 1):
    loss = lossproof.PaddedCombinationSoftmax(max_labels=most, threshold=threshold)
    lead_of = [
        sum(s[list(c)] - threshold) for m in range(most + 1) for c in combinations(range(n), m)
    ]
    counted = np.log(np.sum(np.exp(lead_of))) - (s - threshold)[y == 1].sum()
    losses.append(loss(s, y))
    assert np.isclose(losses[-1], counted, rtol=1e-13)
    print(f"{most:4} {losses[-1]:13.9f}")
cross_entropy = lossproof.binary_cross_entropy(s - threshold, y)
print(f" BCE {cross_entropy:13.9f}")
assert (np.diff(losses) > 0).all() and np.isclose(losses[-1], cross_entropy, rtol=1e-14)

# %% [markdown]
# **A word on prediction.** "Output the best $K$, where 0 may repeat" is, as the document says, the
# same as "output all scores above $s_0$", if no more than $K$ scores are above $s_0$. With more
# than $K$ the best allowed set has $K$ labels, and the threshold would give too many.

# %%
crowded = np.array([2.0, 1.0, 0.5, 0.1, -1.0])
at_most_two = [c for m in range(3) for c in combinations(range(5), m)]
best = max(at_most_two, key=lambda chosen: sum(crowded[list(chosen)]))
print("best set of at most 2:", best, "  above the threshold:", np.flatnonzero(crowded > 0))
assert best == (0, 1) and (crowded > 0).sum() == 4

# %% [markdown]
# ## Drawing a set
#
# A reader of document 002 asks how to *sample* 4 of 16384 labels, as softmax does for one. The
# answer in the comments: softmax, draw one, remove it, softmax of the rest, repeat. This is the
# Plackett-Luce model. It is a distribution over sets, but not the one of this loss. Three labels
# with weights 4, 1, 1 and $k = 2$ are enough to see it, in exact fractions:

# %%
weights = [Fraction(4), Fraction(1), Fraction(1)]


def one_after_the_other(chosen, weights):
    """Probability of a set under: draw one, remove it, repeat."""
    total = Fraction(0)
    for order in permutations(chosen):
        chance, left = Fraction(1), sum(weights)
        for i in order:
            chance, left = chance * weights[i] / left, left - weights[i]
        total += chance
    return total


pairs = list(combinations(range(3), 2))
z2 = sum(weights[i] * weights[j] for i, j in pairs)
print("set      softmax of sets    one after the other")
for i, j in pairs:
    exact, sequential = weights[i] * weights[j] / z2, one_after_the_other((i, j), weights)
    print(f"{(i, j)}   {exact!s:>15} {sequential!s:>22}")
assert one_after_the_other((1, 2), weights) == Fraction(1, 15) != 1 / z2 == Fraction(1, 9)

# %% [markdown]
# When one label leads by $D$, a set without it has probability of order $e^{-D}$ in the softmax of
# sets. One after the other it must be missed twice, and the probability is of order $e^{-2 D}$.
#
# `subset.sample` draws exactly. The polynomials of the halves are known, so the number of places
# that go to the left half is drawn first, with probability $L_j R_{k-j} / Z_k$; then the same in
# each half. It never rejects and it never looks at more than $k$ branches a level.


# %%
def plackett_luce(scores, k, size, rng):
    """Softmax, take one, remove it, repeat: (size, k), ascending."""
    left, chosen = np.tile(np.exp(scores - scores.max()), (size, 1)), np.empty((size, k), int)
    for place in range(k):
        edges = left.cumsum(axis=1)
        chosen[:, place] = (rng.random((size, 1)) * edges[:, -1:] >= edges).sum(axis=1)
        left[np.arange(size), chosen[:, place]] = 0
    return np.sort(chosen, axis=1)


def chi_square(counts, expected):
    """Pearson's statistic, its degrees of freedom, and the probability to see a larger one."""
    rare = expected < 5  # too few counts each for the statistic: one class together
    counts, expected = (np.append(x[~rare], x[rare].sum()) for x in (counts, expected))
    statistic, degrees = ((counts - expected) ** 2 / expected).sum(), len(counts) - 1
    tail = mpmath.gammainc(degrees / 2, statistic / 2, mpmath.inf, regularized=True)
    return statistic, degrees, float(tail)


draws = 20_000
places = {chosen: at for at, chosen in enumerate(sets)}
print(f"{'20000 draws of 3 of 8':24} {'chi-square':>11} {'degrees':>8} {'p-value':>9}")
p_value, frequency = {}, {}
for name, sample in (("subset.sample", subset.sample), ("one after the other", plackett_luce)):
    drawn = sample(s, k, draws, np.random.default_rng(1))
    counts = np.bincount([places[tuple(row)] for row in drawn.tolist()], minlength=len(sets))
    frequency[name] = counts @ member / draws
    statistic, degrees, p_value[name] = chi_square(counts, draws * chances)
    print(f"{name:24} {statistic:11.1f} {degrees:8} {p_value[name]:9.2g}")
assert p_value["subset.sample"] > 0.01 and p_value["one after the other"] < 1e-9
assert np.allclose(np.exp(subset.log_prob(s, np.array(sets[7]))), chances[7], rtol=1e-13)

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.4))
axes.axhline(1, color=GREY, lw=0.8)
marks = {"subset.sample": ("o", BLUE), "one after the other": ("x", RED)}
for name, (mark, color) in marks.items():
    axes.plot(inclusion, frequency[name] / inclusion, mark, color=color, ms=6, label=name)
axes.set(xscale="log", xlabel="inclusion probability", ylabel="frequency / probability")
axes.set(ylim=(0, 1.4), title="how often each of 8 labels is among the 3 drawn")
axes.legend(frameon=False, loc="lower right")
figure.tight_layout()

# %% [markdown]
# Now the reader's own case, 4 of 16384. Which of the three best labels are in the set? Eight cases,
# each with a known probability: $x_A Z_{4 - |A|}(\text{the others}) / Z_4$.

# %%
many = rng.normal(0, 2, 16_384)
best_three = np.argsort(many)[-3:]
others = np.delete(many, best_three)
log_z4, of_others = subset.log_partition(many, 4), subset.log_partitions(others, 4)
cases = [chosen for m in range(4) for chosen in combinations(range(3), m)]
expected = np.exp([many[best_three[list(c)]].sum() + of_others[4 - len(c)] - log_z4 for c in cases])
assert np.isclose(expected.sum(), 1, rtol=1e-12)

drawn = subset.sample(many, 4, draws, np.random.default_rng(6))
inside = (drawn[:, :, None] == best_three).any(axis=1)
found = [tuple(np.flatnonzero(row).tolist()) for row in inside]
counts = np.array([found.count(case) for case in cases])
statistic, degrees, chance = chi_square(counts, draws * expected)
print(
    f"drawn: {drawn.shape}, chi-square {statistic:.1f} with {degrees} degrees, p-value {chance:.2f}"
)
assert chance > 0.01 and (np.diff(drawn, axis=1) > 0).all()

# %% [markdown]
# `lossproof bench --only sample` measures how fast it is: thousands of such sets a second.
#
# ## Bad input is told
#
# A set of $k$ labels needs $k$ labels to choose from.

# %%
for call in (
    lambda: subset.log_partition(s, 9),
    lambda: subset.log_partition(s, -1),
    lambda: subset.log_partition(np.array([1.0, -np.inf, -np.inf]), 2),
    lambda: lossproof.CombinationSoftmax(k=2)(s, y),
    lambda: lossproof.PaddedCombinationSoftmax(max_labels=2)(s, y),
):
    try:
        call()
    except ValueError as error:
        print("ValueError:", error)
    else:
        raise AssertionError("this should not pass")

# %% [markdown]
# ## Every slip would be seen
#
# One sign, factor, index, exponent or order is changed, everywhere it can be. Each mutant must be
# refuted by a counterexample, or be proved to say the same in other words.

# %%
print(f"{'derivation':14} {'mutants':>8} {'refuted':>8} {'still true':>11}")
for topic in ("newton", "elements", "inclusion"):
    trials = try_derivation(combination.derive(topic))
    refuted, same = sum(trial.caught for trial in trials), sum(trial.still_true for trial in trials)
    print(f"{topic:14} {len(trials):8} {refuted:8} {same:11}")
    assert refuted + same == len(trials) and refuted > 0

# %% [markdown]
# ## What to remember
#
# * The combination softmax is softmax cross-entropy over all $C(n, k)$ sets. $Z_k$ is the
#   coefficient of $z^k$ in $\prod_i (1 + e^{s_i} z)$.
# * Newton's identities are true and numerically lost: they subtract numbers that are nearly equal.
#   One score that leads by 36, or $k = 20$ of 64 scores over a range of 20, and no digit is left.
# * Sums and products of positive numbers, in a tree, keep all digits. Take the right set out before
#   you sum, and tiny losses are exact too.
# * Gradient = inclusion probability - label; Hessian = covariance of memberships; convex.
# * With a padding class all sets of at most $K$ labels compete, around the threshold $s_0$. Without
#   a limit it is binary cross-entropy.
# * To draw a set use `lossproof.subset.sample(scores, k, size, rng)`. Softmax, take one, remove,
#   repeat is another distribution.
