# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04. ZLPR, hard and soft
#
# A text, a picture, a pair of words may carry many labels at once, out of thousands, and most are
# off. ZLPR is a loss for this case:
#
# $$\log\Big(1 + \sum_{i\ \mathrm{off}} e^{s_i}\Big) + \log\Big(1 + \sum_{j\ \mathrm{on}}
# e^{-s_j}\Big).$$
#
# **Where does it come from, what does a score mean once it is trained, how small can the loss get,
# and where does code that computes it go wrong?**
#
# The documents 001 and 002 answer with formulas. Every formula here is decided by machine for a
# symbolic number $n$ of labels; `proved` stops at the first step that is not. Five statements of
# the documents do not survive as printed, and are put right.

# %%
from math import comb, log, sqrt

import matplotlib.pyplot as plt
import mpmath
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sympy import KroneckerDelta

import lossproof
from derive.calculus import partial
from derive.decide import Proved, Refuted, equal
from derive.formulas import proved
from derive.losses import LOSSES
from derive.losses.symbols import at_index, i, j, s, t
from derive.losses.zlpr import weights
from verify.mutation import try_derivation
from verify.oracle import BallOracle

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update({"svg.hashsalt": "lossproof", "font.size": 10, "axes.grid": True})
plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
BLUE, ORANGE, RED, GREY = "#1f5fa8", "#c26a00", "#b00020", "#555555"

hard, soft = LOSSES["zlpr"], LOSSES["soft_zlpr"]

# %% [markdown]
# ## From binary cross-entropy, by cutting inside the logarithm
#
# With one sigmoid a label, cross-entropy is a sum of logs. Sums of logs are logs of products. Open
# a product, $\prod_j (1 + x_j) = 1 + \sum_j x_j + \sum_{j<k} x_j x_k + \dots$, and keep the first
# order: that is ZLPR. What is dropped stands in the trace.

# %%
proved(hard, "from-bce")

# %% [markdown]
# For hard labels nothing negative is dropped, so ZLPR is never larger than binary cross-entropy.
# The proof gives the product a grade $z$, $P(z) = \prod_j (1 + z x_j)$, and shows that its second
# derivative is nowhere negative. The remainder is $\int_0^1 (1 - z) \frac{d^2 P}{dz^2}\,dz$.

# %%
print(repr(proved(hard, "remainder")))
rng = np.random.default_rng(7)
scores, labels = 4 * rng.normal(size=(1000, 6)), rng.integers(0, 2, size=(1000, 6))
assert (lossproof.zlpr(scores, labels) <= lossproof.binary_cross_entropy(scores, labels)).all()

# %% [markdown]
# What the cut is good for: let $n$ labels be off, all at the score $s$. Their pull on the model
# grows like $n$ in cross-entropy. In ZLPR all of them together pull with less than 1, whatever $n$
# is, so a thousand labels that are off cannot drown the one that is on.

# %%
common = np.linspace(-12, 4, 161)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4))
for n, style in ((10, "--"), (1000, "-")):
    row = np.repeat(common[:, None], n, axis=1)
    for loss, name, color in (
        (lossproof.binary_cross_entropy, "BCE", RED),
        (lossproof.zlpr, "ZLPR", BLUE),
    ):
        value, gradient = loss.value_and_grad(row, np.zeros_like(row))
        left.plot(common, value, style, color=color, label=f"{name}, n = {n}")
        right.plot(common, gradient.sum(axis=1), style, color=color)
shared = {"yscale": "log", "xlabel": "common score of n labels that are off"}
left.set(title="loss", xticks=range(-12, 5, 4), **shared)
right.set(title="sum of the gradient", xticks=range(-12, 5, 4), **shared)
left.legend(frameon=False, loc="lower right")
right.axhline(1, color="black", lw=0.8, ls=":")
right.text(-11.8, 1.3, "1")
figure.tight_layout()

# %% [markdown]
# ## Soft labels
#
# Label smoothing and mixup need labels $t$ between 0 and 1. The same cut works, with the binomial
# series $(1 + x)^t = 1 + t x + \tfrac{t (t - 1)}{2} x^2 + \dots$

# %%
proved(soft, "from-bce")

# %% [markdown]
# **Correction 1.** Document 001 (eq. 14) writes both products as binomial series. For $0 < t < 1$
# such a series needs $x \le 1$. Here $x = e^{-s}$ on one side and $x = e^{s}$ on the other:
# $e^{-s} < 1$ and $e^{s} < 1$ cannot both hold. Unless $s = 0$, one of the two series diverges.


# %%
def partial_sums(x, t, orders):
    """The binomial series of (1 + x)^t, cut after each of the orders."""
    return [float(sum(mpmath.binomial(t, k) * x**k for k in range(m + 1))) for m in orders]


score, label, orders = 1.5, 0.3, (1, 5, 20, 80)
for side, x, power in (("e^-s", np.exp(-score), label), ("e^s", np.exp(score), 1 - label)):
    series = "  ".join(f"{value:11.4g}" for value in partial_sums(x, power, orders))
    print(f"x = {side:5} = {x:.3f}   sums {series}   true {(1 + x) ** power:.4f}")

# %% [markdown]
# The cut itself is sound all the same. It is not the series that is cut but the function $P(z) =
# \prod_j (1 + z x_j)^{t_j}$ of a grade $z$, at first order around $z = 0$. Its remainder is the
# same integral as above, and it exists for every score. (Now it may have either sign.)

# %%
x, soft_labels = mpmath.matrix([0.2, 4.5, 30]), (0.3, 0.9, 0.5)


def product(z):
    """P(z) = prod_j (1 + z x_j)^t_j."""
    return mpmath.fprod((1 + z * xj) ** tj for xj, tj in zip(x, soft_labels, strict=True))


kept = 1 + mpmath.fsum(tj * xj for xj, tj in zip(x, soft_labels, strict=True))
remainder = mpmath.quad(lambda z: (1 - z) * mpmath.diff(product, z, 2), [0, 0.02, 0.2, 1])
print(f"kept {mpmath.nstr(kept, 8)}  +  remainder {mpmath.nstr(remainder, 8)}")
print(f"whole product        {mpmath.nstr(product(1), 8)}")
assert mpmath.almosteq(kept + remainder, product(1), rel_eps=1e-6)

# %% [markdown]
# At labels 0 and 1 the soft loss is the hard one, since then each label has weight in one sum only.

# %%
proved(soft, "hard-labels")

# %%
row = rng.normal(size=8).astype(np.float32)
on = np.array([1, 0, 0, 1, 0, 0, 0, 1], dtype=np.float32)
assert lossproof.soft_zlpr(row, on) == lossproof.zlpr(row, on)  # to the last bit

# %% [markdown]
# ## The threshold is a class
#
# There is a second way to ZLPR. Ask that every label that is on beats every label that is off, and
# that an extra class with the score $s_0$ stands between them. Write $e^{\text{difference}}$ for
# each wish. The double sum factors, and the two logarithms appear.

# %%
proved(hard, "threshold")

# %% [markdown]
# So a label is predicted when its score is above $s_0$, by default 0. With soft labels, as given,
# that is where $t > 1/2$. With hard labels it need not be where a label is likelier than not: there
# thresholds are set on held-out data ([notebook 05](05_errors.ipynb)).
#
# ## Gradient and Hessian
#
# With $p_i = t_i e^{-s_i} / A$ and $q_i = (1 - t_i) e^{s_i} / B$ the gradient is $q - p$.

# %%
proved(soft, "gradient")

# %%
proved(soft, "hessian")

# %% [markdown]
# **Correction 2.** Document 001 prints the off-diagonal entries (eq. 31) as $+p_i p_j - q_i q_j$.
# The first sign is wrong.

# %%
p, q = weights(t)
p_j, q_j = at_index(p, j), at_index(q, j)
off_diagonal = 1 - KroneckerDelta(i, j)
truth = off_diagonal * partial(soft.value, s[i], s[j])

as_printed = equal(truth, off_diagonal * (p * p_j - q * q_j), soft.facts)
corrected = equal(truth, off_diagonal * (-p * p_j - q * q_j), soft.facts)
assert isinstance(as_printed, Refuted) and isinstance(corrected, Proved)
print("+ p p - q q:", as_printed)
print("- p p - q q:", corrected)

# %% [markdown]
# **Correction 3.** The document shows that the diagonal of the Hessian is positive (eq. 30) and
# concludes that the loss is convex. The diagonal is positive indeed. The conclusion does not
# follow: here is a function with a positive diagonal and a saddle.

# %%
print(repr(proved(soft, "diagonal")))
saddle = np.array([[1.0, 2.0], [2.0, 1.0]])  # the Hessian of x^2/2 + y^2/2 + 2 x y
print("diagonal", np.diag(saddle), " eigenvalues", np.linalg.eigvalsh(saddle))
assert np.linalg.eigvalsh(saddle).min() < 0 < np.diag(saddle).min()

# %% [markdown]
# The loss is convex for another reason: its quadratic form is a sum of squares. The sum vanishes
# only for $v = 0$, so the loss is even strictly convex, and a minimiser is the only one.

# %%
proved(soft, "convexity")

# %% [markdown]
# **Correction 4.** Document 001 bounds the gradient (eq. 45) by some constant, if labels keep away
# from 0 and 1 and scores are bounded. No condition is needed and the constant is 1, for every label
# in $[0, 1]$ and every score. No smaller constant will do.

# %%
proved(soft, "bounds")

# %%
falling = np.array([[-5.0, 0.0], [-20.0, 0.0], [-1e6, 0.0]])
_, gradient = lossproof.soft_zlpr.value_and_grad(falling, np.full((3, 2), 0.3))
print("gradient at s_1 = -5, -20, -1e6:", gradient[:, 0], " (the last one rounds to -1)")

# %% [markdown]
# ## What a score means
#
# The document notes that the gradient vanishes where $t = \sigma(2 s)$, and says that this "should
# be" the optimum. It is, and it is the only one. The proof does not even use the gradient.
# Lagrange's identity writes the gap $A B - (1 + \sum \sqrt{t (1 - t)})^2$ as a sum of squares; the
# squares vanish together exactly where $t_i = \sigma(2 s_i)$ for every label.

# %%
proved(soft, "optimum")

# %% [markdown]
# Newton's method finds that point from $s = 0$, with the Hessian of `lossproof`. The sign of eq. 31
# matters here: with it, the same iteration creeps.

# %%
wanted = np.linspace(0.02, 0.98, 25)
closed_form = np.log(wanted / (1 - wanted)) / 2


def newton(sign_of_eq_31, most=60):
    """The minimiser, and the largest gradient entry before each step."""
    at, sizes = np.zeros(wanted.size), []
    for _ in range(most):
        _, slope = lossproof.soft_zlpr.value_and_grad(at, wanted)
        sizes.append(np.abs(slope).max())
        if sizes[-1] < 1e-14:
            break
        curvature = lossproof.soft_zlpr.hessian(at, wanted)
        if sign_of_eq_31:
            pull = wanted * np.exp(-at) / (1 + (wanted * np.exp(-at)).sum())
            curvature = curvature + 2 * (np.outer(pull, pull) - np.diag(pull**2))
        at = at - np.linalg.solve(curvature, slope)
    return at, sizes


found, sizes = newton(sign_of_eq_31=False)
_, creeping = newton(sign_of_eq_31=True)
print("largest gradient entry after 4 steps:")
print(f"  right Hessian       {sizes[4]:.0e}")
print(f"  with sign of eq. 31 {creeping[4]:.0e}, and after 50 steps {creeping[50]:.0e}")
floor = 2 * log(1 + np.sqrt(wanted * (1 - wanted)).sum())
print(f"loss there {lossproof.soft_zlpr(found, wanted):.12f}, formula {floor:.12f}")
assert np.allclose(found, closed_form, atol=1e-12)
assert abs(lossproof.soft_zlpr(found, wanted) - floor) < 1e-12
assert np.allclose(lossproof.soft_zlpr.probabilities(found), wanted, atol=1e-12)
assert sizes[4] < 1e-14 < creeping[50]

# %% [markdown]
# Reading a trained score by the usual $\sigma(s)$ pulls every probability towards one half.

# %%
across = np.linspace(-2.2, 3.2, 109)
first, second = np.meshgrid(across, across)
pair = np.array([0.9, 0.3])
plane = np.stack([first, second], axis=-1)
values = lossproof.soft_zlpr(plane, np.broadcast_to(pair, plane.shape))
best = np.log(pair / (1 - pair)) / 2

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
lines = left.contour(first, second, values, levels=12, cmap="viridis", linewidths=1)
left.plot(*best, "o", color=RED)
left.annotate("s = logit(t) / 2", best, (best[0] - 1.2, best[1] - 1.1), color=RED)
left.set(xlabel="score of t = 0.9", ylabel="score of t = 0.3", title="the loss: one minimum")
right.plot(wanted, 1 / (1 + np.exp(-2 * found)), "o", color=BLUE, ms=4, label="sigma(2 s)")
right.plot(wanted, 1 / (1 + np.exp(-found)), "o", color=ORANGE, ms=4, label="sigma(s)")
right.plot([0, 1], [0, 1], color=GREY, lw=0.8)
right.set(xlabel="label t", ylabel="probability read off", title="the trained score, read two ways")
right.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# A limit of this result: it is about soft labels *as given*. When hard labels are drawn at random,
# each on with probability $t$, the model minimises the *mean* of hard losses, and that is another
# function. For a single label it is cross-entropy, so the score means $\sigma(s)$. With many labels
# alike the sums settle, and $\sigma(2 s)$ returns. Labels that differ or hang together need not
# even lie between the two (`lossproof claims own-prob-between`, and notebook 05).


# %%
def mean_loss_slope(score, n, t):
    """d/ds of the mean of hard ZLPR over n labels, each on with probability t, all at score s."""
    total = 0.0
    for k in range(n + 1):
        chance = float(mpmath.mpf(comb(n, k)) * mpmath.mpf(t) ** k * mpmath.mpf(1 - t) ** (n - k))
        up, down = (n - k) * np.exp(score), k * np.exp(-score)
        total += chance * (up / (1 + up) - down / (1 + down))
    return total


print("    n   trained score   sigma(s)   sigma(2s)     (labels on with probability 0.2)")
for n in (1, 2, 5, 20, 100, 500):
    low, high = -3.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_loss_slope(middle, n, 0.2) < 0 else (low, middle)
    print(f"{n:5} {low:15.4f} {1 / (1 + np.exp(-low)):10.4f} {1 / (1 + np.exp(-2 * low)):11.4f}")

# %% [markdown]
# ## How small can the loss get?
#
# Not to zero, when labels are soft. The minimum is $2 \log\big(1 + \sum_i \sqrt{t_i (1 -
# t_i)}\big)$. Label smoothing with $\alpha$ gives every label $t = \alpha/2$ or $1 - \alpha/2$, so
# a *perfect* model ends at $2 \log(1 + n \sqrt{\tfrac{\alpha}{2} (1 - \tfrac{\alpha}{2})})$. A loss
# that stalls at 10 may be done.


# %%
def smoothed_floor(n, alpha):
    """The least value of soft ZLPR over n labels that are smoothed by alpha."""
    return 2 * np.log1p(n * sqrt(alpha / 2 * (1 - alpha / 2)))


alphas, counts = (0.01, 0.05, 0.1, 0.2), (10, 100, 1000, 10000)
print("label smoothing   " + "".join(f"{f'n = {n}':>12}" for n in counts))
for alpha in alphas:
    print(f"alpha = {alpha:<9} " + "".join(f"{smoothed_floor(n, alpha):12.2f}" for n in counts))

smoothed = np.where(np.arange(1000) < 3, 0.95, 0.05)
at_best = lossproof.soft_zlpr(np.log(smoothed / (1 - smoothed)) / 2, smoothed)
assert abs(at_best - smoothed_floor(1000, 0.1)) < 1e-9

# %%
many = np.geomspace(1, 1e4, 81)
figure, axes = plt.subplots(figsize=(6.4, 3.4))
for alpha, color in zip(alphas[::-1], (RED, ORANGE, BLUE, GREY), strict=True):
    axes.plot(many, smoothed_floor(many, alpha), color=color, label=f"alpha = {alpha}")
axes.set(xscale="log", xlabel="number of labels n", ylabel="loss of a perfect model")
axes.legend(frameon=False, title="label smoothing")
figure.tight_layout()

# %% [markdown]
# ## Where numbers go wrong
#
# Two programs are printed in the documents. Document 002 masks by subtracting $10^{12}$.
#
# **Correction 5.** The program of document 001, section 9, clips labels by $\varepsilon = 10^{-7}$
# and then looks for labels *below* $\varepsilon$. After the clip there are none: its masks never
# act. The text of the same document has it right: masks must come from the labels before the clip.


# %%
def logsumexp0(x):
    """log(1 + sum_i e^{x_i}), by the usual shift."""
    x = np.append(x, x.dtype.type(0))
    return x.max() + np.log(np.exp(x - x.max()).sum())


def of_document_002(s, y):
    """Its Keras code: hard labels, masks of 1e12."""
    huge = s.dtype.type(1e12)
    s = (1 - 2 * y) * s
    return logsumexp0(s - y * huge) + logsumexp0(s - (1 - y) * huge)


def of_document_001(s, t, mask_before_clip=False, eps=1e-7):
    """Its pseudo-code of section 9; or with the masks taken from the labels before the clip."""
    low, high, huge = (s.dtype.type(c) for c in (eps, 1 - eps, 1e12))
    clipped = np.clip(t, low, high)
    seen = t if mask_before_clip else clipped
    on = -s + np.log(clipped) - (seen < low) * huge
    off = s + np.log(1 - clipped) - (seen > high) * huge
    return logsumexp0(on) + logsumexp0(off)


# %%
programs = {
    "002": of_document_002,
    "001 s.9": of_document_001,
    "001 text": lambda s, t: of_document_001(s, t, mask_before_clip=True),
    "lossproof": lossproof.soft_zlpr,
}
rows = {
    "an ordinary row": ((1, -2, -1), (1, 0, 0), "float32"),
    "a masked label, -1e7": ((3, -2, -1e7), (1, 0, 0), "float32"),
    "a row that is right": ((20, -20, -20), (1, 0, 0), "float32"),
    "a row that is wrong": ((110, -3, -2), (0, 1, 0), "float32"),
    "half precision": ((1, -2, -1), (1, 0, 0), "float16"),
}
print(f"{'':21}" + "".join(f"{name:>13}" for name in (*programs, "true")))
results = {}
for name, (row, on, dtype) in rows.items():
    arrays = np.array(row, dtype), np.array(on, dtype)
    with np.errstate(all="ignore"):  # the programs overflow: that is the point
        results[name] = [float(program(*arrays)) for program in programs.values()]
    true = float(BallOracle("zlpr")([float(x) for x in row], on).value)
    print(f"{name:21}" + "".join(f"{value:13.6g}" for value in (*results[name], true)))

assert results["a masked label, -1e7"][1] > 9e6
assert results["a row that is right"][1] > 8 and results["a row that is right"][0] == 0
assert np.isnan(results["half precision"][:3]).all()

# %% [markdown]
# * The section-9 program reports a loss of ten million for a label that is masked and off.
# * On a row that is *right* it reports 8.66: the clip turns "off" into "on with weight $10^{-7}$",
#   and $10^{-7} e^{20}$ is not small. The more certain the model, the larger the error.
# * Both programs lose small losses: `log(1 + tiny)` is 0 in float32.
# * In half precision $10^{12}$ is infinite, and $0 \cdot \infty$ is nan.
#
# `lossproof` neither clips nor masks by a constant. Labels 0 and 1 are exact, a score of $-\infty$
# (or $-10^7$) under a label 0 adds nothing, and under a positive label it is an error.

# %%
masked = np.array([3.0, -2.0, -np.inf], dtype=np.float32)
value, gradient = lossproof.soft_zlpr.value_and_grad(masked, np.array([1.0, 0.0, 0.0], np.float32))
print(value, gradient)
try:
    lossproof.soft_zlpr(masked, np.array([1.0, 0.0, 0.5], np.float32))
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown]
# ## Every slip would be seen
#
# One sign, factor, index or exponent is changed, everywhere it can be (in the long steps of the
# optimum at six places each). A mutant is refuted by a counterexample, or proved to say the same in
# other words. None may escape.

# %%
print(f"{'derivation':14} {'mutants':>8} {'refuted':>8} {'still true':>11}")
for topic in ("from-bce", "hard-labels", "hessian", "optimum", "gradient"):
    trials = try_derivation(soft.derive(topic), most=6 if topic == "optimum" else None)
    refuted, same = sum(trial.caught for trial in trials), sum(trial.still_true for trial in trials)
    print(f"{topic:14} {len(trials):8} {refuted:8} {same:11}")
    assert refuted + same == len(trials) and refuted > 0
print("\nfor example:", trials[0].change, "->", trials[0].evidence)

# %% [markdown]
# ## What to remember
#
# * ZLPR is binary cross-entropy, cut after the first order inside each logarithm. For hard labels
#   it is never larger. The cut is sound for all scores; the binomial series is not.
# * Gradient $q - p$, each entry below 1 in absolute value, always. Hessian
#   $\operatorname{diag}(p) - p p^\top + \operatorname{diag}(q) - q q^\top$: both outer products
#   are subtracted.
# * The loss is strictly convex because a sum of squares says so, not because its diagonal is
#   positive.
# * With soft labels the one minimiser is $t = \sigma(2 s)$: use
#   `lossproof.soft_zlpr.probabilities(scores)`, and predict `scores > 0`. With hard labels that are
#   drawn at random a score stands for neither $\sigma(s)$ nor $\sigma(2 s)$: calibrate.
# * The floor is $2 \log(1 + \sum \sqrt{t (1 - t)})$. Compare a stalled loss with it before tuning.
# * Do not clip labels, and do not mask by $10^{12}$. `lossproof.soft_zlpr(scores, labels)` takes
#   labels 0 and 1 as they are and $-\infty$ for a masked label.
