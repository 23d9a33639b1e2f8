# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07. Porting a loss without fear
#
# A multi-label loss is copied from a blog, translated for another library, and trained with. Its
# gradient check passes, and the training goes nowhere. `gradcheck` compares the code with itself;
# it cannot see that the code is not the loss.
#
# `lossproof check` holds any implementation against the formula. This notebook follows one port
# from its fault to its cure, walks through a museum of such faults, and ends with what the losses
# in other people's code, cross-entropy, focal, asymmetric and Circle, really ask of a model.

# %%
import os
import runpy
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import minimize_scalar

import lossproof
from derive.formulas import proved
from derive.losses import LOSSES
from verify.check.causes import CAUSES
from verify.museum import FAULTY, PIECES, RIGHT, tour

sys.path.append(str(Path("..", "docs").resolve()))
from look import BLUE, GREY, INK, RED, STYLE

set_matplotlib_formats("svg", metadata={"Date": None})
plt.rcParams.update(STYLE | {"font.size": 10, "axes.titlesize": 11.5})
AMBER = "#e9a23b"
# The files of this notebook are written to a folder of their own.
os.chdir(tempfile.mkdtemp())


def write(name, text):
    Path(name).write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")


def report(result):
    """What `lossproof check` prints, without the time it took."""
    print(str(result).rstrip().rpartition("\n")[0].rstrip())


# %% [markdown]
# ## A port
#
# ZLPR as blogs and repositories have it, translated to PyTorch: labels of the other side are taken
# away by a large number, and a 0 is appended for the threshold.

# %%
write(
    "port.py",
    """
    import torch

    def multilabel_loss(logits, targets):
        signed = (1 - 2 * targets) * logits
        zeros = torch.zeros_like(logits[..., :1])
        negative = torch.cat([signed - targets * 1e12, zeros], dim=-1)
        positive = torch.cat([signed - (1 - targets) * 1e12, zeros], dim=-1)
        return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)
    """,
)


def taken(address):
    """The function at file.py:function."""
    path, name = address.rsplit(":", 1)
    return runpy.run_path(path)[name]


port = taken("port.py:multilabel_loss")

# %% [markdown]
# It trains on labels 0 and 1. With the labels smoothed, as is usual, the loss is 0 from the first
# step to the last. The gradient check is content with both, for the gradient of 0 is 0.

# %%
generator = torch.Generator().manual_seed(0)
inputs = torch.randn(256, 8, generator=generator, dtype=torch.float64)
truth = torch.randn(8, 5, generator=generator, dtype=torch.float64)
hard = (inputs @ truth > 1).to(torch.float64)


def train(loss, labels, steps=60):
    """Loss and length of the gradient at the first and the last step of a linear model."""
    weights = torch.zeros(8, 5, dtype=torch.float64, requires_grad=True)
    seen = []
    for _ in range(steps):
        value = loss(inputs @ weights, labels).mean()
        (gradient,) = torch.autograd.grad(value, weights)
        weights = (weights - gradient).detach().requires_grad_()
        seen.append((float(value.detach()), float(gradient.norm())))
    return seen


for name, labels in (("labels 0 and 1", hard), ("smoothed by 0.1", 0.9 * hard + 0.05)):
    first, *_, last = train(port, labels)
    row = torch.randn(1, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    passed = torch.autograd.gradcheck(lambda s, t=labels[:1]: port(s, t), (row,))
    print(f"{name:16} loss {first[0]:.4f} -> {last[0]:.4f}, gradcheck passed: {passed}")
    assert passed and (last == (0.0, 0.0)) == (name != "labels 0 and 1")

# %% [markdown]
# ## What check says
#
# One line on the command line, `lossproof check port.py:multilabel_loss --against soft_zlpr`, or in
# Python. Which argument holds the scores, what form the labels have, what is summed: it finds out.

# %%
result = lossproof.check("port.py:multilabel_loss", against="soft_zlpr")
report(result)
assert result.verdict == "hard-labels-only" and result.cause == "hard-formula"

# %% [markdown]
# The lines at the end reproduce the fault:


# %%
def run(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


print(run("-c", result.reproducer).stdout)

# %% [markdown]
# The label in the picture is moved from 0 to 1. At both ends the port is right; between them the
# label has left both sums, and no training will ever hear of it.

# %%
places = np.linspace(0, 1, 401)
rows = np.broadcast_to([1.5, -1.0], (401, 2))
labels = np.stack([places, np.zeros(401)], axis=1)
figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
right = lossproof.soft_zlpr(rows, labels)
wrong = port(torch.tensor(rows), torch.tensor(labels)).numpy()
axes.plot(places, right, color=BLUE, lw=2.4, label="soft ZLPR")
axes.plot(places[1:-1], wrong[1:-1], color=RED, lw=2.4, label="the port")
axes.plot(places[[0, -1]], wrong[[0, -1]], "o", color=RED)
axes.set(xlabel="label t of a score 1.5", ylabel="loss", xlim=(-0.03, 1.03), ylim=(-0.1, 2.2))
axes.legend(frameon=False)
plt.show()
assert np.allclose(wrong[[0, -1]], right[[0, -1]]) and (wrong[1:-1] < 0.4).all()

# %% [markdown]
# ## The cure, twice
#
# The cure is to put the logs of the labels beside the scores. Done as it is said, it loses the
# masks: a masked score is $-\infty$, the log of a label 0 is $-\infty$ too, and their difference is
# no number.

# %%
write(
    "mended.py",
    """
    import torch

    def with_logs(scores, labels):
        zeros = torch.zeros_like(scores[..., :1])
        negative = torch.cat([scores + torch.log(1 - labels), zeros], dim=-1)
        positive = torch.cat([torch.log(labels) - scores, zeros], dim=-1)
        return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)

    def with_where(scores, labels):
        negative = torch.where(labels < 1, scores + torch.log1p(-labels), -torch.inf)
        positive = torch.where(labels > 0, torch.log(labels) - scores, -torch.inf)
        zeros = torch.zeros_like(scores[..., :1])
        sides = (torch.cat([side, zeros], dim=-1) for side in (negative, positive))
        return sum(torch.logsumexp(side, dim=-1) for side in sides)
    """,
)
result = lossproof.check("mended.py:with_logs", against="soft_zlpr")
report(result)
assert result.verdict == "limited-range" and result.cause == "infinity-less-infinity"

# %%
result = lossproof.check("mended.py:with_where", against="soft_zlpr")
report(result)
assert result.equal

# %% [markdown]
# Equal: to rounding, in every dtype that the library has, with and without masks, value and
# gradient. The note is honest about what a log-sum-exp cannot do: where all labels are right and
# sure, its digits are gone. `lossproof.soft_zlpr` keeps them, and `strict=True` asks for them.

# %%
first, *_, last = train(taken("mended.py:with_where"), 0.9 * hard + 0.05)
print(f"smoothed by 0.1, mended: loss {first[0]:.4f} -> {last[0]:.4f}")
assert last[0] < first[0]

# %% [markdown]
# ## The museum
#
# Every fault here was seen in public: in a question, an issue, a repository. The code is written
# anew, each with a card: what it is to be, what is wrong, where such code was seen. Beside it hangs
# a gallery of right code that looks like nothing else in the room. `lossproof museum` checks all of
# it and prints how many faults are found and rightly named, and how many false alarms there are.
# Here a few of each:

# %%
chosen = (
    *("numpy_plain_exp", "torch_detached_shift", "numpy_log2", "numpy_missing_minus"),
    *("torch_one_log_a_batch", "torch_sparse_clip", "numpy_sorted_rows", "torch_index_lists"),
    *("numpy_subset_dynamic", "python_softmax_differences"),
)
visits = tour(
    lambda piece: lossproof.check(piece.address, piece.against, parameters=piece.parameters),
    [piece for piece in PIECES if piece.name in chosen],
    jobs=2,
)
for visit in visits.visits:
    print(f"{visit.piece.name:28} {visit.verdict:18} {visit.cause}")
assert visits.perfect and len(visits.visits) == len(chosen)

# %% [markdown]
# All faults, as their cards have them:

# %%
lines = ["| for | verdict | what is wrong | seen |", "|---|---|---|---|"]
for piece in FAULTY:
    seen = f"[link]({piece.seen_at})" if piece.seen_at else ""
    title = CAUSES[piece.cause].title
    lines.append(f"| {piece.against} | {piece.verdict} | **{title}**: {piece.what} | {seen} |")
assert len(FAULTY) > 50 and len(RIGHT) > 35
Markdown("\n".join(lines))


# %% [markdown]
# ### The room of the large scores
#
# A model that is sure of itself has scores of 20, and of 100 in the first wild steps. The plain sum
# of exponentials is infinite beyond 88 in float32; with one maximum for both sides the smaller side
# underflows, and its log is $-\infty$; where the 1 is not shifted along with the rest it is another
# function everywhere.


# %%
def of(name):
    """The code of a piece, on rows of its library, back as numbers."""
    piece = next(piece for piece in PIECES if piece.name == name)
    code = taken(piece.address)
    code = code() if isinstance(code, type) else code

    def call(scores, labels):
        arrays = (np.asarray(scores), np.asarray(labels, dtype=np.asarray(scores).dtype))
        if piece.framework == "torch":
            arrays = map(torch.tensor, arrays)
        given = tuple(arrays)
        with np.errstate(all="ignore"):
            return np.asarray(code(*(given[::-1] if piece.takes.labels_first else given)))

    return call


gaps = np.linspace(0, 120, 241, dtype=np.float32)
rows = np.stack([gaps, np.full_like(gaps, -3), np.full_like(gaps, -2)], axis=1)
labels = np.broadcast_to(np.float32([0, 1, 0]), rows.shape)
figure, axes = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
axes.plot(gaps, lossproof.zlpr(rows, labels) - gaps, color=GREY, lw=6, alpha=0.5, label="ZLPR")
for name, color, label in (
    ("numpy_plain_exp", RED, "plain exp"),
    ("jax_shared_maximum", BLUE, "one maximum for two sums"),
    ("numpy_one_not_shifted", AMBER, "the 1 is not shifted"),
):
    value = of(name)(rows, labels)
    finite = np.isfinite(value)
    axes.plot(gaps[finite], (value - gaps)[finite], color=color, lw=1.8, label=label)
    if not finite.all():
        end = np.flatnonzero(finite)[-1]
        axes.plot(gaps[end], (value - gaps)[end], "X", color=color, ms=10, mec="white")
        print(f"{label}: {value[~finite][0]:g} from a score of {gaps[~finite][0]:g} on")
axes.set(xlabel="score of a label that is off, float32", ylabel="loss less that score")
axes.set(xlim=(0, 120), ylim=(0, 6))
axes.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# ### The room of the large numbers
#
# What is to count for nothing is given a score of -1e12. In float16 that is $-\infty$, and 0 times
# infinity is no number. With 1e4, which float16 has, scores beyond it leak to the other side.

# %%
scores, labels = np.array([[3.0, -1.0, 0.5]]), np.array([[1.0, 0.0, 0.0]])
for dtype in (np.float64, np.float32, np.float16):
    value = of("numpy_mask_1e12")(scores.astype(dtype), labels)
    print(f"1e12 in {np.dtype(dtype).name}: {float(value[0]):.4f}")
assert np.isnan(value).all()
leak = of("torch_mask_1e4")([[3e4, 0.0]], [[0.0, 1.0]])
print(f"1e4, a wrong score of 3e4: {float(leak):g}, and ZLPR is {30000.693:g}")

# %% [markdown]
# ### The room of the differences
#
# Lists of label indices invite a subtraction: the negatives are all classes less the positives.
# Where a row is right the difference is nearly 0, and in float32 it is noise. Clipped at 1e-7, the
# loss falls below 0, and then it *rises* the surer a right row is. Newton's identities, on the
# right, subtract power sums: for the sum over subsets of 8 scores, 5 of which stand out.

# %%
gaps = np.linspace(0, 25, 101)
rows = np.stack([gaps, -gaps], axis=1).astype(np.float32)
sparse = taken(next(p.address for p in FAULTY if p.name == "torch_sparse_clip"))
clipped = sparse(torch.tensor(rows), torch.zeros(len(rows), 1, dtype=torch.int64)).numpy()
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.5), layout="constrained")
exact = lossproof.zlpr(rows, np.broadcast_to(np.float32([1, 0]), rows.shape))
left.plot(gaps, exact, color=GREY, lw=6, alpha=0.5)
left.plot(gaps, clipped, color=RED, lw=1.8)
left.set(xlabel="every label is right by", ylabel="loss", xlim=(0, 25))
left.set_title("the negatives by subtraction, float32", pad=10)
base, on = np.random.default_rng(0).normal(size=40), np.float64(np.arange(40) < 8)[None]
errors = []
for gap in gaps:
    row = (base + gap * (np.arange(40) < 5))[None]
    difference = of("numpy_newton_identities")(row, on) - lossproof.combination_softmax(row, on)
    errors.append(abs(difference)[0])
right.semilogy(gaps, np.maximum(errors, 1e-16), ".", color=RED, ms=6)
right.set(xlabel="five of 40 scores stand out by", ylabel="error of the loss", xlim=(0, 25))
right.set_title("Newton's identities, float64", pad=10)
plt.show()
assert clipped.min() < -1 and clipped[-1] > 8 and np.nanmax(errors) > 20

# %% [markdown]
# ### The room of the soft labels
#
# Three ways to lose what lies between 0 and 1: the formula of hard labels, labels that are rounded,
# labels that are clipped so that their logs exist. The last is right between, and wrong for the
# labels that most rows have: the loss of a hard label has a floor, and surer rows are pulled back.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.5), layout="constrained")
rows = np.broadcast_to([1.5, -1.0], (401, 2))
labels = np.stack([places, np.full(401, 0.0)], axis=1)
left.plot(places, lossproof.soft_zlpr(rows, labels), color=GREY, lw=6, alpha=0.5)
for name, color, label in (
    ("torch_hard_formula", RED, "formula of hard labels"),
    ("jax_labels_rounded", AMBER, "rounded"),
    ("torch_labels_clipped", BLUE, "clipped at 1e-5"),
):
    left.plot(places, of(name)(rows, labels), color=color, lw=1.8, label=label)
left.set(xlabel="label t of a score 1.5", ylabel="loss", xlim=(-0.02, 1.02), ylim=(0.2, 2.6))
left.legend(frameon=False, loc="upper right")
sure = np.linspace(0, 14, 141)
rows = np.stack([sure, -sure], axis=1)
on = np.broadcast_to([1.0, 0.0], rows.shape)
right.semilogy(sure, lossproof.soft_zlpr(rows, on), color=GREY, lw=6, alpha=0.5)
floored = of("torch_labels_clipped")(rows, on)
right.semilogy(sure, floored, color=BLUE, lw=1.8)
right.set(xlabel="hard labels, right by", xlim=(0, 14), ylim=(1e-6, 10))
plt.show()
print(f"clipped: least, {floored.min():.4f}, where labels are right by {sure[floored.argmin()]:g}")
assert 5 < sure[floored.argmin()] < 7

# %% [markdown]
# ### The room of the batches
#
# A boolean mask flattens the batch: one log for all its rows. The loss of a row then hangs on its
# neighbours, and a batch of one shows nothing.

# %%
neighbour = np.linspace(-4, 6, 101)
other = [[0.5, 1.0, -1.0], [0.0, 0.0, 0.0]]
on = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def slope(loss):
    """Derivative of the loss of the batch by a score of its first row, over the second's."""
    found = []
    for s in neighbour:
        rows = torch.tensor(other, dtype=torch.float64)
        rows[1, 0] = s
        rows.requires_grad_()
        found.append(torch.autograd.grad(loss(rows, torch.tensor(on)).sum(), rows)[0][0, 1])
    return np.array(found)


flat = taken(next(p.address for p in FAULTY if p.name == "torch_one_log_a_batch"))
alone = taken("mended.py:with_where")
figure, axes = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
axes.plot(neighbour, slope(alone), color=BLUE, lw=2.2, label="row by row")
axes.plot(neighbour, slope(flat), color=RED, lw=2.2, label="one log for the batch")
axes.set(xlabel="a score in another row", ylabel="push on a label of this row", xlim=(-4, 6))
axes.set_ylim(0, 0.8)
axes.legend(frameon=False)
plt.show()
assert np.ptp(slope(alone)) < 1e-15 and np.ptp(slope(flat)) > 0.2

# %% [markdown]
# ### The room of the formulas
#
# A minus, a side, a 1 is missing. The code runs, the loss falls, and the model learns something
# else. Here the scores of one row, three labels on and five off, under 200 steps of descent.

# %%
row, on = np.zeros((1, 8)), np.float64(np.arange(8) < 3)[None]


def descend(loss, steps=200, rate=0.2, h=1e-6):
    """The mean score of the labels that are on, and of those that are off, step by step."""
    s, path = row.copy(), []
    for _ in range(steps):
        moved = s + h * np.concatenate([np.eye(8), -np.eye(8)])
        value = np.array([float(loss(one[None], on)[0]) for one in moved])
        s = s - rate * (value[:8] - value[8:]) / (2 * h)
        path.append((s[on > 0].mean(), s[on == 0].mean()))
    return np.array(path)


figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.5), sharey=True, layout="constrained")
for loss, color, label in (
    (lossproof.zlpr, GREY, "ZLPR"),
    (of("numpy_missing_minus"), RED, "a minus is missing"),
    (of("torch_one_left_out"), BLUE, "the 1 is missing"),
    (of("numpy_mean_inside_log"), AMBER, "means for sums"),
):
    path = descend(loss)
    wide = {"lw": 6, "alpha": 0.5} if label == "ZLPR" else {"lw": 1.8}
    left.plot(path[:, 0], color=color, label=label, **wide)
    right.plot(path[:, 1], color=color, **wide)
left.set(xlabel="step", ylabel="mean score", xlim=(0, 200))
left.set_title("labels that are on", pad=10)
for axes in (left, right):
    axes.axhline(0, color=INK, lw=0.6)
right.set(xlabel="step", xlim=(0, 200))
right.set_title("labels that are off", pad=10)
left.legend(frameon=False)
plt.show()

# %% [markdown]
# ### The room of the gradients
#
# The value is right, and the gradient is not its gradient. Here a gradient check does see it; but
# it was the value that was looked at. A shift that is subtracted with its gradient and added back
# without takes 1 from the component of the largest term, on each side.

# %%
rows = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64, requires_grad=True)
on = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
shifted = taken(next(p.address for p in FAULTY if p.name == "torch_detached_shift"))
value, gradient = lossproof.zlpr.value_and_grad(rows.detach().numpy(), on.numpy())
(slopes,) = torch.autograd.grad(shifted(rows, on).sum(), rows)
print("value   ", f"{float(shifted(rows, on).detach()[0]):.6f}, ZLPR {value[0]:.6f}")
print("gradient", slopes.numpy().round(4)[0], "ZLPR", gradient.round(4)[0])
assert abs(slopes.numpy() - gradient).max() > 0.9

# %% [markdown]
# ### Code that never ends
#
# Files run in a process of their own, with a limit on time and memory.

# %%
endless = next(piece for piece in FAULTY if piece.name == "python_never_ends")
result = lossproof.check(endless.address, "zlpr", time_limit=5)
print(f"{result.verdict}: {result.detail}")
assert result.verdict == "does-not-run" and result.cause == "never-ends"

# %% [markdown]
# ## A loss of your own
#
# Whatever can be written with sums over an axis can be a specification: here soft Dice loss, $1 -
# (2 \sum_i p_i t_i + 1) / (\sum_i p_i + \sum_i t_i + 1)$, $p = \sigma(s)$. The gradient is derived
# from it, and numbers are evaluated to any precision that is asked for. A popular port sums over
# the whole batch.

# %%
write(
    "my_losses.py",
    """
    from sympy import exp
    from derive.axis import array, labels_axis, total

    i = labels_axis().index("i")
    s, t = array("s"), array("t")
    p = 1 / (1 + exp(-s[i]))
    dice = 1 - (2 * total(p * t[i], i) + 1) / (total(p, i) + total(t[i], i) + 1)
    """,
)
write(
    "mine.py",
    """
    import torch

    def dice_loss(logits, targets):
        p = torch.sigmoid(logits)
        both, sizes = (p * targets).sum(), p.sum() + targets.sum()
        return 1 - (2 * both + 1) / (sizes + 1)

    def dice_of_rows(logits, targets):
        p = torch.sigmoid(logits)
        both, sizes = (p * targets).sum(-1), p.sum(-1) + targets.sum(-1)
        return (1 - (2 * both + 1) / (sizes + 1)).mean()
    """,
)
for name in ("dice_loss", "dice_of_rows"):
    result = lossproof.check(f"mine.py:{name}", against="my_losses.py:dice")
    print(f"{name:13} {result.verdict}: {result.detail}; {result.cause}")

# %% [markdown]
# ## In your own tests
#
# The fixture `assert_loss_matches` comes with the installation. From then on each change of the
# code is held to the formula.

# %%
write(
    "test_mine.py",
    """
    import mended
    import port

    def test_mended(assert_loss_matches):
        assert_loss_matches(mended.with_where, "soft_zlpr")

    def test_port(assert_loss_matches):
        assert_loss_matches(port.multilabel_loss, "zlpr")

    def test_port_of_soft_labels(assert_loss_matches):
        assert_loss_matches(port.multilabel_loss, "soft_zlpr")
    """,
)
outcome = run("-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "test_mine.py")
told = [line for line in outcome.stdout.splitlines() if line.startswith("E ")]
print(told[0])
assert outcome.returncode == 1 and outcome.stdout.count("FAILED") == 1

# %% [markdown]
# ## What other people's losses ask for
#
# A loss may be ported without a fault and still be another one than it is taken for:

# %%
result = lossproof.check("torch.nn.functional:multilabel_soft_margin_loss", against="zlpr")
print(f"{result.verdict}: {result.detail}")
assert result.verdict == "different" and result.nearest == "binary_cross_entropy"

# %% [markdown]
# Four losses are set beside ZLPR in document 001, and are in most repositories; with $p =
# \sigma(s)$, $q = 1 - p$, $d = \max(p - m, 0)$, $m = 0.05$:
#
# | | on | off |
# |---|---|---|
# | binary cross-entropy | $\log \frac1p$ | $\log \frac1q$ |
# | focal, $\gamma = 2$ | $q^\gamma \log \frac1p$ | $p^\gamma \log \frac1q$ |
# | asymmetric, $\gamma = 4$ | $\log \frac1p$ | $d^\gamma \log \frac1{1 - d}$ |
#
# Soft focal loss is cross-entropy with soft labels times $|p - t|^\beta$, $\beta = 2$; Circle loss
# weights the pairs. They are taken from their papers (what the document prints of two of them is
# another thing: `lossproof claims 9064-50`, `9064-59`).
#
# **What does the weight do: which probability does a score stand for after training, where is the
# loss flat, and is its gradient the gradient of anything?**

# %%
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
# The pull on a label is how much the model is told. Focal loss tells it less where it is right, and
# where it is wrong a little more. Asymmetric loss says nothing at all of a negative below
# $\sigma(s) = m$, which is $s = -2.94$, and a negative that is badly wrong it *forgives*: the push
# goes back to 0, so that such a label may stay where it is.

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

# %% [markdown]
# None of them is convex, as ZLPR is: a label that is badly wrong has negative curvature.

# %%
for loss in (focal, soft_focal, asymmetric, circle):
    print(repr(proved(loss, "convexity")))

# %% [markdown]
# ### What a score stands for
#
# A label is on with probability $\eta$. Where is the mean loss least? With cross-entropy at
# $\eta = \sigma(s)$. With a weight elsewhere: the loss trades a few large mistakes for many small
# ones.

# %%
proved(focal, "link")

# %% [markdown]
# A focal score of $\sigma(s) = 0.9$ stands for 0.9974. Asymmetric loss is worse to read: $s = 0$
# stands for 0.128, so that the threshold 0 calls out labels seven times rarer than their absence,
# and no finite score stands for more than 0.9638: above that the best score is $+\infty$
# (`lossproof derive asymmetric link`). `probabilities` inverts the links; the dots are minima found
# without them.

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
# Soft focal loss (quality focal loss) is focal loss for labels 0 and 1, and for soft ones it has
# its minimum, which is 0, at $t = \sigma(s)$. So two models that see the same frequency, one as a
# soft label $t = 0.9$, one as labels drawn with probability 0.9, end at different scores, as with
# ZLPR ([notebook 04](04_zlpr.ipynb)):

# %%
print(repr(proved(soft_focal, "hard-labels")))
print(repr(proved(soft_focal, "optimum")))
drawn, given = best_score(lossproof.focal, 0.9), np.log(9)
print(f"t = 0.9 given: s = {given:.4f}; labels drawn: s = {drawn:.4f}")
slope_there = lossproof.soft_focal.value_and_grad(np.array([given]), np.array([0.9]))[1]
assert abs(slope_there[0]) < 1e-15 and drawn < given / 1.5

# %% [markdown]
# ### One that is on among many that are off
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
# ### Circle loss
#
# Circle loss is the unified loss of [notebook 03](03_unified_and_lattice.ipynb) with a weight on
# each score: $\log\big(1 + \sum_{i\ \mathrm{off}} e^{c\,\alpha_i (s_i - m)} \sum_{j\ \mathrm{on}}
# e^{-c\,\alpha_j (s_j - 1 + m)}\big)$ with $\alpha_i = \max(s_i + m, 0)$ and $\alpha_j = \max(1 + m
# - s_j, 0)$. The programs in use hold the weights fixed in the gradient (`detach_weights=True`; the
# museum has one). That is not a detail. With them held, a negative is pushed down to $-m$; the loss
# itself is least at 0 and *rises* below.

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
# different scores its Jacobian is not symmetric, and carried once around a circle it gains or
# loses. Whoever watches the loss fall, or hands it to a line search, watches another thing than the
# one that is trained. And a negative below $-m$ does not vanish from the sum, it stays as $e^0 =
# 1$: a mask by a large negative number does not mask here. $-\infty$ does in `lossproof`.

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
for mask in (-1e7, -np.inf):
    row, off = np.array([0.5, *[mask] * 50]), np.array([1.0, *[0.0] * 50])
    print(f"50 labels masked by {mask:g}: loss {lossproof.circle(row, off):.4f}")
assert lossproof.circle(row, off) == 0

# %% [markdown]
# ## What to remember
#
# * A gradient check cannot see a wrong loss. `lossproof check` can: verdict, smallest failing
#   input, cause, cure.
# * Soft labels, masks, confident rows and batches are where ports break, in that order of silence.
# * `assert_loss_matches` keeps it so.
# * A weight on the loss changes what a score stands for. Use `loss.probabilities(scores)`: a focal
#   $\sigma(s)$ of 0.9 is 0.997, an asymmetric $s = 0$ is 0.128.
# * Asymmetric loss has no gradient for easy negatives, next to none for hopeless ones, and no
#   finite best score for a label that is surer than 0.9638.
# * Circle loss as it is trained is no gradient of Circle loss, and only $-\infty$ masks a label.
