# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01. Softmax cross-entropy
#
# Every classifier is trained with it, and its gradient is on every slide: *probabilities minus
# labels*, $p - t$.
#
# **Is that true for every number of classes, what does it assume, and does the code that computes
# it still know it when the model is sure of its answer?**
#
# All formulas below hold for a symbolic number $n$ of classes. Each step of a derivation was
# decided by machine while this page was computed: a green mark is a proof, a red cross would be a
# counterexample, and `proved` would stop here. Afterwards the same formulas become numbers.

# %%
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from matplotlib_inline.backend_inline import set_matplotlib_formats

import lossproof
from derive.calculus import partial
from derive.decide import Proved, Refuted, equal
from derive.emit import compile_formula, emit
from derive.formulas import formula_of, proved
from derive.losses import LOSSES
from derive.losses.softmax import VALUE, p
from derive.losses.symbols import i, k, s, t, total
from verify.accuracy import ulp_error
from verify.mutation import try_derivation
from verify.oracle import BallOracle

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update({"svg.hashsalt": "lossproof", "font.size": 10, "axes.grid": True})
plt.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})

BLUE, LIGHT, AMBER, GREY = "#1f5fa8", "#9fc1e3", "#c26a00", "#555555"

softmax = LOSSES["softmax_cross_entropy"]

# %% [markdown]
# ## Softmax
#
# Scores $s_1, \dots, s_n$ become probabilities $p_i = e^{s_i} / Z$ with $Z = \sum_k e^{s_k}$.

# %%
proved(softmax, "definition")

# %% [markdown]
# The name misleads. Softmax is not a smooth maximum: it is a smooth *arg*max. The smooth maximum is
# $\log Z$, and softmax is its gradient.

# %%
proved(softmax, "logsumexp")

# %% [markdown]
# The Jacobian is $\operatorname{diag}(p) - p^\top p$. Textbooks write it as two cases, $i = j$ and
# $i \neq j$; with a Kronecker delta it is one formula, and the cases are lemmas.

# %%
proved(softmax, "jacobian")

# %% [markdown]
# ## The gradient, by two routes
#
# The loss is $l = -\sum_k t_k \log p_k$ for labels $t$ that sum to 1. The first route is the one of
# most derivations: by the probabilities first, then through the Jacobian.

# %%
by_chain_rule = proved(softmax, "chain-rule")
display(by_chain_rule)

# %% [markdown]
# The second route differentiates the loss by the scores at once. No Jacobian is needed.

# %%
directly = proved(softmax, "gradient")
display(directly)

# %% [markdown]
# Both arrive at the same expression, as documents 003 and 004 say.

# %%
through_jacobian = by_chain_rule.steps[1]
assert through_jacobian.rule == "times the Jacobian, at q = p"
assert through_jacobian.right == directly.result

# %% [markdown]
# ## What it assumes
#
# Labels must sum to 1. Forget that, and the machine answers with the smallest case it can find in
# which $p - t$ is wrong. Without the assumption the gradient is $T p_i - t_i$, $T = \sum_k t_k$.

# %%
anything = equal(partial(VALUE, s[i]), p - t[i])
assert isinstance(anything, Refuted)
print(anything)

with_mass = equal(partial(VALUE, s[i]), total(t[k], k) * p - t[i])
assert isinstance(with_mass, Proved)
print(with_mass)

# %% [markdown]
# ## Weights and biases of the last layer
#
# With $x$ a row vector the layer is $s = x W + b$. The gradient by the weights is the outer product
# of input and residual, $x^\top (p - t)$; the gradient by the biases is the residual itself.

# %%
proved(softmax, "linear-layer")

# %% [markdown]
# Document 003 fixes row vectors and then still writes $z = W x$ (eq. 1; it says itself that $x W$
# would be more fitting). With the shapes that it states, $(1, d)$ for $x$ and $(d, n)$ for $W$,
# the product $W x$ does not exist.

# %%
rng = np.random.default_rng(3)
d, n = 5, 3
x, W, b = rng.normal(size=(1, d)), rng.normal(size=(d, n)), rng.normal(size=n)
try:
    W @ x
except ValueError:
    print(f"W x: shapes {W.shape} and {x.shape} do not multiply")
print(f"x W: shape {(x @ W).shape}")

# %% [markdown]
# The slip is dangerous where it goes unnoticed: for $d = n$ the product $W x^\top$ exists and has
# the right number of entries. It holds other numbers.

# %%
square = rng.normal(size=(d, d))
print("x W  ", (x @ square).round(3))
print("W x^T", (square @ x.T).T.round(3))

# %% [markdown]
# The outer product, held against difference quotients of the loss:

# %%
label = np.array([[0.0, 1.0, 0.0]])
_, residual = lossproof.softmax_cross_entropy.value_and_grad(x @ W + b, label)
weight_gradient = x.T @ residual
assert weight_gradient.shape == W.shape

step = 1e-6
quotients = np.empty_like(W)
for place in np.ndindex(*W.shape):
    nudge = np.zeros_like(W)
    nudge[place] = step
    above = lossproof.softmax_cross_entropy(x @ (W + nudge) + b, label)
    below = lossproof.softmax_cross_entropy(x @ (W - nudge) + b, label)
    quotients[place] = (above - below)[0] / (2 * step)
print(f"largest difference: {np.abs(weight_gradient - quotients).max():.0e}")
assert np.allclose(weight_gradient, quotients, atol=1e-8)

# %% [markdown]
# ## One correct class: a loss of differences
#
# For a one-hot label of class $c$ only one term is left, and it depends on the *differences*
# $s_k - s_c$ alone. The last line reads: softplus of (smooth maximum of the others, less the
# target).

# %%
proved(softmax, "one-hot")

# %% [markdown]
# ## Where that comes from: four losses
#
# Document 004 walks to this formula from the wish that the target $c$ leads. Let $x_i = s_i - s_c$
# be the lead of another class over it.
#
# **1. Hinge:** $\sum_{i \neq c} \max(x_i, 0)$. Each class that leads is pushed down by 1, the
# target is pulled up by their number: with $n$ classes by anything up to $n - 1$.

# %%
proved(LOSSES["hinge"], "bounds")

# %% [markdown]
# **2. Max-hinge:** $\max(\max_{i \neq c} x_i, 0)$. To lead, it is enough to beat the best of them.
# It is never above the hinge, and its pull is 1 for any $n$. But only one class is told anything.

# %%
print(repr(proved(LOSSES["hinge"], "order")))
proved(LOSSES["max_hinge"], "bounds")

# %% [markdown]
# **3. LSE-hinge:** $\max(\log \sum_{i \neq c} e^{x_i}, 0)$. The inner maximum is smoothed, by at
# most $\log$ of the number of classes, and the pull is shared among all in proportion to $e^{s_i}$.
# With 9 equal rivals it asks for a lead of $\log 9$.

# %%
print(repr(proved(LOSSES["lse_hinge"], "smooth-maximum")))
proved(LOSSES["lse_hinge"], "bounds")

# %% [markdown]
# **4. Cross-entropy:** the outer maximum becomes softplus, by at most $\log 2$. Nothing has a kink
# any more, and no class is ever quite satisfied.

# %%
proved(LOSSES["lse_hinge"], "softplus")

# %%
chain = {
    "hinge": (lossproof.hinge, GREY),
    "max-hinge": (lossproof.max_hinge, AMBER),
    "LSE-hinge": (lossproof.lse_hinge, LIGHT),
    "cross-entropy": (lossproof.softmax_cross_entropy, BLUE),
}
lead, rivals = np.linspace(-4, 8, 241), 9
row = np.concatenate([lead[:, None], np.zeros((lead.size, rivals))], axis=1)
first = np.zeros(lead.size, dtype=np.int64)
values = {name: loss(row, first) for name, (loss, _) in chain.items()}
pulls = {name: -loss.value_and_grad(row, first)[1][:, 0] for name, (loss, _) in chain.items()}
assert np.allclose(values["cross-entropy"], np.log1p(np.exp(np.log(rivals) - lead)))
assert (values["max-hinge"] <= values["LSE-hinge"]).all()
assert (values["LSE-hinge"] <= values["cross-entropy"]).all()
assert pulls["hinge"].max() == 9 and max(pulls[name].max() for name in list(chain)[1:]) <= 1

figure, panels = plt.subplots(1, 2, figsize=(8.8, 3.5))
for axes, curves in zip(panels, (values, pulls), strict=True):
    for (name, (_, color)), width in zip(chain.items(), (1.6, 1.6, 3.2, 2.0), strict=True):
        axes.plot(lead, curves[name], label=name, color=color, lw=width)
    axes.axvline(np.log(rivals), color=GREY, lw=0.8, ls=":")
    axes.set_xlabel("lead of the target over 9 equal rivals")
panels[0].set(title="loss", ylim=(-0.2, 9))
panels[0].text(np.log(rivals) + 0.15, 6.2, "log 9")
panels[1].set(title="pull on the target", ylim=(-0.2, 9.4))
panels[1].legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# The same four for one row of unequal scores: what each class is told.

# %%
row, target = np.array([0.6, 1.6, 1.2, 0.9, 0.2, -0.6, -1.8]), np.array(0)
names = ["target", *(f"{score:g}" for score in row[1:])]

figure, panels = plt.subplots(1, 4, figsize=(8.8, 2.9), sharey=True)
for axes, (name, (loss, color)) in zip(panels, chain.items(), strict=True):
    gradient = loss.value_and_grad(row, target)[1]
    assert np.isclose(gradient.sum(), 0)
    axes.bar(range(row.size), gradient, color=color)
    axes.axhline(0, color="black", lw=0.6)
    axes.set_xticks(range(row.size), names, rotation=90, fontsize=8.5)
    axes.set_title(name, fontsize=10.5)
    axes.grid(axis="x", visible=False)
panels[0].set_ylabel("gradient by each score")
figure.tight_layout()

# %% [markdown]
# ## A common shift changes nothing
#
# Adding one constant to all scores cancels. Hence the gradient sums to zero, and the Hessian maps
# the constant vector to zero.

# %%
proved(softmax, "shift")

# %% [markdown]
# ## Curvature
#
# The Hessian does not contain the labels: it is the Jacobian of softmax, the covariance matrix of
# $p$. So the loss is convex, and the common shift is the *only* direction without curvature.

# %%
assert isinstance(equal(softmax.hessian, proved(softmax, "jacobian").start), Proved)
proved(softmax, "convexity")

# %% [markdown]
# How much curvature, how large a gradient? No entry of the gradient reaches beyond $[-1, 1]$, all
# entries together have absolute sum at most 2, and $H \preceq I / 2$. These bounds hold for every
# $n$ and every score: they are what a step size can be based on.

# %%
proved(softmax, "bounds")

# %% [markdown]
# The constant $1/2$ is the best one: two equal scores attain it.

# %%
tie = lossproof.softmax_cross_entropy.hessian(np.zeros(2), np.array([1.0, 0.0]))
print(tie, np.linalg.eigvalsh(tie).round(12))
assert np.isclose(np.linalg.eigvalsh(tie).max(), 0.5)

# %% [markdown]
# ## The minimum
#
# For positive labels the minimisers are $s = \log t + \text{constant}$, that is $t =
# \operatorname{softmax}(s)$, and the minimum is the entropy of the labels. A loss value that stops
# falling above zero may be just that entropy.

# %%
proved(softmax, "optimum")

# %% [markdown]
# ## From formula to code
#
# Nothing is emitted that is not proved. The emitter finds the reductions, shifts by the largest
# score, and takes the largest term out of the logarithm, so that `log1p` sees the small rest.

# %%
print(emit(formula_of("softmax_cross_entropy", "value"), "numpy"))

# %% [markdown]
# Now the model is sure: the target leads by 40. The usual stable formula, log-sum-exp with the
# maximum subtracted, returns exactly 0, and so does $p - t$ at the target. Both are wrong in every
# digit: an ulp is the distance to the next float, and 4503599627370496 of them are one power of
# two.
#
# The truth comes from ball arithmetic, a rigorous enclosure. `lossproof` has all digits, in the
# value and in the gradient.

# %%
emitted_value = compile_formula(formula_of("softmax_cross_entropy", "value"))
emitted_gradient = compile_formula(formula_of("softmax_cross_entropy", "gradient"))
oracle = BallOracle("softmax_cross_entropy")


def log_softmax(z):
    """As most libraries have it: subtract the maximum, then the log of the sum."""
    shifted = z - z.max()
    return shifted - np.log(np.exp(shifted).sum())


def routes(z, y):
    """Value and target gradient of one row, by each route."""
    value, gradient = lossproof.softmax_cross_entropy.value_and_grad(z, y)
    by_hand = log_softmax(z)
    return {
        "log_softmax by hand": (-by_hand[0], (np.exp(by_hand) - y)[0]),
        "emitted code": (emitted_value(z, y), emitted_gradient(z, y)[0]),
        "lossproof": (value, gradient[0]),
    }


def errors(z, y):
    """Errors in ulp of the true value, for each route: of the value, of the target gradient."""
    true = oracle(z.tolist(), y.tolist())
    gradient = true.gradient[0]
    return {
        name: (
            ulp_error(float(value), true.value, true.value, "float64"),
            ulp_error(float(slope), gradient, gradient, "float64"),
        )
        for name, (value, slope) in routes(z, y).items()
    }


z, y = np.array([40.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0])
print(f"true value            {float(oracle(z.tolist(), y.tolist()).value):.16e}\n")
print(f"{'route':21} {'value':>23} {'ulp':>8}   {'gradient of target':>23} {'ulp':>8}")
wrong = errors(z, y)
for name, (value, slope) in routes(z, y).items():
    in_value, in_slope = wrong[name]
    print(f"{name:21} {value:23.16e} {in_value:8.2g}   {slope:23.16e} {in_slope:8.2g}")

assert wrong["log_softmax by hand"][0] > 1e15
assert wrong["emitted code"][0] < 1 and max(wrong["lossproof"]) < 1

# %% [markdown]
# The emitted gradient computes what the formula says, $p - t$, and that difference has no digits
# left at the target. The numeric core never forms it: it sums the *other* probabilities. This is
# why the project keeps two routes to one number, and compares them.

# %%
gaps = np.arange(0.0, 60.5, 0.5)
measured = [errors(np.array([gap, 0.0, -1.0]), y) for gap in gaps]
looks = {
    "emitted code": {"color": "#f0a840", "lw": 4.5},
    "log_softmax by hand": {"color": "#b00020", "lw": 1.8},
    "lossproof": {"color": "#1f5fa8", "lw": 1.8},
}

figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True)
titles = ("value", "gradient of the target")
for column, (axes, title) in enumerate(zip(panels, titles, strict=True)):
    for name, look in looks.items():
        # An exact result has error 0; it is drawn at the bottom of the logarithmic axis.
        axes.plot(gaps, [max(row[name][column], 0.03) for row in measured], label=name, **look)
    axes.axhline(4, color="black", lw=0.8, ls=":")
    axes.text(59.5, 6, "4 ulp", ha="right")
    axes.set(yscale="log", xlabel="lead of the target (float64)", title=title, ylim=(0.02, 1e17))
panels[0].set_ylabel("error in ulp of the true value")
panels[0].legend(frameon=False, loc="upper left")
figure.tight_layout()

assert max(max(row["lossproof"]) for row in measured) <= 4

# %% [markdown]
# ## A wrong gradient is caught
#
# Here is a gradient with a slip that a test at one lucky point could miss: the label is squared. It
# is right for every one-hot label and wrong for soft ones.

# %%
slip = equal(partial(VALUE, s[i]), p - t[i] ** 2, softmax.facts)
assert isinstance(slip, Refuted)
Markdown(f"$p_i - t_i^2$ is **{slip}**")

# %% [markdown]
# The same is done to the formulas of this page: change one sign, factor, index or exponent, and
# ask again. Each mutant must be refuted, or be proved to say the same thing in other words.

# %%
print(f"{'derivation':14} {'mutants':>8} {'refuted':>8} {'still true':>11}")
for topic in ("jacobian", "chain-rule", "gradient", "hessian", "one-hot"):
    trials = try_derivation(softmax.derive(topic))
    refuted, same = sum(trial.caught for trial in trials), sum(trial.still_true for trial in trials)
    print(f"{topic:14} {len(trials):8} {refuted:8} {same:11}")
    assert refuted + same == len(trials) and refuted > 0

# %% [markdown]
# ## What to remember
#
# * $\nabla l = p - t$ for every number of classes, *if* the labels sum to 1; otherwise $T p - t$.
# * With row vectors the layer is $s = x W + b$ and the weight gradient is $x^\top (p - t)$.
# * With one correct class, $l = \log(1 + \sum_{k \neq c} e^{s_k - s_c})$: only differences count,
#   and `log1p` of the rest keeps every digit.
# * It is the hinge, smoothed twice: the pull on the target stays below 1 for any number of classes,
#   and every class has a share of it.
# * The Hessian is $\operatorname{diag}(p) - p^\top p$, between $0$ and $I/2$, flat along the common
#   shift only.
# * The floor of the loss is the entropy of the labels.
# * From a lead of about 37 on, the usual `log_softmax` and $p - t$ return 0 in float64.
#   `lossproof.softmax_cross_entropy` is within 4 ulp there, in the value and in the gradient.
