"""Document 9158 in symbols: its formulas as printed, in the symbols of :mod:`derive.grid.sums`.

Labels ``y`` and scores ``x`` of n labels stand for the loss that the document starts from; ``f`` is
its general function of the scores, ``J`` the derivatives of f.
"""

from __future__ import annotations

from flint import arb, fmpq
from sympy import Expr, Symbol, exp, log

from derive.axis import Index, array, labels_axis, total
from derive.calculus import map_entries, partial, replace_index
from derive.grid.sums import CLASSES, SAMPLES, apart, h, i, j, k, l, mean_score, p, s, t
from derive.series import GRADE, second_order
from verify.grid.solutions import FLIP, Flip
from verify.ledger.balls import Enclosure

M = CLASSES.size

# Introduction: n labels ---------------------------------------------------------------------------

LABELS = labels_axis()
a, b = LABELS.indices("a b")
x, y = array("x"), array("y")
POSITIVE = 1 + total(y[b] * exp(-x[b]), b)
NEGATIVE = 1 + total((1 - y[b]) * exp(x[b]), b)
ZLPR = log(POSITIVE) + log(NEGATIVE)
BCE = total(y[a] * log(1 + exp(-x[a])) + (1 - y[a]) * log(1 + exp(x[a])), a)
#: Cross-entropy of a softmax over the two scores x and 0.
TWO_CLASSES = -total(
    y[a] * log(exp(x[a]) / (exp(x[a]) + 1)) + (1 - y[a]) * log(1 / (exp(x[a]) + 1)), a
)
#: What pulls the positive scores up together, and the negative ones down.
PULL_UP = -total(y[a] * partial(ZLPR, x[a]), a)
PULL_DOWN = total((1 - y[a]) * partial(ZLPR, x[a]), a)
#: Both pulls at scores 0, of 1 + P and of 1 + Q labels.
P, Q = Symbol("P", nonnegative=True), Symbol("Q", nonnegative=True)
PULLS = (1 + P) / (2 + P), (1 + Q) / (2 + Q)

# Equations 1 to 3: from softmax cross-entropy to loss 1 -------------------------------------------


def rivals(sample: Index, own: Index) -> Expr:
    """``sum_{k != j} e^{s_ik - s_ij}``."""
    return total(apart(own, h) * exp(s[sample, h] - s[sample, own]), h)


CROSS_ENTROPY = -total(total(t[p, j] * log(exp(s[p, j]) / total(exp(s[p, l]), l)), j), p)
AS_LOGS = total(total(t[p, j] * log(1 + rivals(p, j)), j), p)
AS_PRODUCTS = total(log(SAMPLES.product((1 + rivals(p, j)) ** t[p, j], p)), j)
#: A product of eq. 1, each of its sums of e^{s_ik - s_ij} with a grade.
GRADED = SAMPLES.product((1 + GRADE * rivals(p, j)) ** t[p, j], p)
KEPT = 1 + total(t[p, j] * rivals(p, j), p)


def own_class(own: Index) -> Expr:
    """What is under the log of a class in eq. 2."""
    return 1 + total(total(apart(own, h) * t[p, own] * exp(-s[p, own] + s[p, h]), h), p)


LOSS_1 = total(log(own_class(j)), j)
GRADIENT_1 = -t[i, j] * exp(-s[i, j]) * total(apart(j, k) * exp(s[i, k]), k) / own_class(j)
GRADIENT_1 += total(apart(j, k) * t[i, k] * exp(-s[i, k]) * exp(s[i, j]) / own_class(k), k)

# Equations 4 to 8: losses with a given solution ---------------------------------------------------

f, slope = array("f"), array("J")


def general(own: Index) -> Expr:
    """What is under the log of a class in eq. 4."""
    return 1 + total(t[p, own] * exp(-f[p, own]), p)


LOSS_2 = total(log(general(j)), j)
#: Chain rule: every f_ij of the sample depends on s_ik, with the derivative J_ijk.
BY_CHAIN_RULE = total(partial(LOSS_2, f[i, j]) * slope[i, j, k], j)
GRADIENT_2 = total(-t[i, j] * exp(-f[i, j]) * slope[i, j, k] / general(j), j)


def partition(sample: Index) -> Expr:
    """``Z_i = sum_j e^{f_ij}``."""
    return total(exp(f[sample, h]), h)


def at_link(expression: Expr) -> Expr:
    """With the labels ``t_ij = e^{f_ij} / Z_i``."""
    return map_entries(expression, t, lambda of, own: exp(f[of, own]) / partition(of))


AT_LINK = -total(slope[i, j, k], j) / partition(i) / (1 + total(1 / partition(p), p))
LOSS_3 = total(log(1 + total(t[p, j] * exp(-s[p, j] + mean_score(p)), p)), j)


def with_f(value: Expr) -> Expr:
    """Loss 2 at ``f_ij`` given at the indices p, j."""

    def image(sample: Index, own: Index) -> Expr:
        return replace_index(replace_index(value, p, sample), j, own)

    return map_entries(LOSS_2, f, image)


CENTRED = s[p, j] - mean_score(p)
LOG_LEAD = -log(rivals(p, j))

#: Softmax of centred scores, and of the scores themselves.
SOFTMAX_CENTRED = (
    exp(s[i, j] - mean_score(i)) / total(exp(s[i, h] - mean_score(i)), h),
    exp(s[i, j]) / total(exp(s[i, h]), h),
)
#: What each class has of a sample at s = log t, and the geometric mean of the labels.
GEOMETRIC_TERM = (
    map_entries(t[i, j] * exp(-s[i, j] + mean_score(i)), s, lambda *at: log(t[at])),
    CLASSES.product(t[i, l] ** (1 / M), l),
)

# Towards hard labels: one direction within a sample -----------------------------------------------

d = array("d")
REST, MEAN = Symbol("R", nonnegative=True), Symbol("g", positive=True)
#: Loss 3 at its optimum, where each class has the same term g of the sample and the same rest R.
ALONG = total(log(1 + REST + MEAN * exp(-GRADE * d[j])), j)
CURVATURE = 2 * second_order(ALONG)
FLAT = MEAN * (1 + REST) / (1 + REST + MEAN) ** 2
#: By how much that is less than g.
FLATTER = MEAN * (REST + REST**2 + 2 * MEAN * (1 + REST) + MEAN**2) / (1 + REST + MEAN) ** 2

# Shares of the classes ----------------------------------------------------------------------------

#: What class j has of the plain sum, and how many samples.
SHARE = total(t[p, j] * log(1 + rivals(p, j)), p)
COUNT = total(t[p, j], p)
OTHER_SHARE = total(t[p, k] * log(1 + rivals(p, k)), p)
OTHER_COUNT = total(t[p, k], p)
LOAD, MORE = Symbol("N", positive=True), Symbol("kappa", positive=True)
#: The pull of a class with 1 + kappa times the samples, over that of the class.
PULL_RATIO = (1 + MORE) * LOAD / (1 + (1 + MORE) * LOAD) / (LOAD / (1 + LOAD))

# Counterexamples in numbers -----------------------------------------------------------------------


def wrong_and_small() -> list[Enclosure]:
    """Loss 3 of one sample of class 0 with scores (A, 2A, -3A): as small as one likes."""
    where = "n = 1, m = 3, label 0, scores (40, 80, -120), mean 0"
    loss = arb(-40).exp().log1p()
    return [
        Enclosure(where, loss, "<", arb("1e-17"), ("loss 3", "bound")),
        Enclosure(where, arb(40), "<", arb(80), ("score of the label", "score of class 1")),
    ]


def well_fitted_shares() -> list[Enclosure]:
    """Shares of two classes whose samples are right by 10: ``log(1 + count e^-10)``."""
    many, few = ((count * arb(-10).exp()).log1p() for count in (1000, 10))
    logs = arb(1000).log() / arb(10).log()
    where = "m = 2, 1000 and 10 samples, each right by 10"
    shares, counts = "ratio of the shares in loss 1", "ratio of the logs of the counts"
    return [
        Enclosure(where, many / few, ">", arb(90), (shares, "bound")),
        Enclosure(where, logs, "<", arb("3.01"), (counts, "bound")),
    ]


def rare_class_leads() -> list[Enclosure]:
    """Samples of one class right by 3, one of another wrong by 1: ``log(1 + e^x)``."""
    found = []
    for count, bound in ((1, "0.96"), (9, "0.75")):
        many, few = count * arb(-3).exp().log1p(), arb(1).exp().log1p()
        where = f"m = 2, n = {count + 1}, {count} right by 3 and 1 of the other class wrong by 1"
        names = ("share of the one", "bound")
        found.append(Enclosure(where, few / (many + few), ">", arb(bound), names))
    return found


#: Hard labels of 11 samples at two inputs, counted: class 0 is the most frequent at both. The start
#: is the solution to three digits; no smaller number of samples was found by trying all counts.
COUNTED = Flip(
    labels=((fmpq(2), fmpq(1), fmpq(1)), (fmpq(4), fmpq(1), fmpq(2))),
    start=(0.299, 0.425, 0.374),
)


def frequencies_lost() -> list[Enclosure]:
    """Where loss 1 is least for these samples, class 1 leads at the first input."""
    first, _ = COUNTED.scores
    where = "m = 3, samples of classes 0, 1, 2: (2, 1, 1) at one input, (4, 1, 2) at another"
    names = ("least loss 1, first input: score of class 0", "score of class 1")
    return [Enclosure(where, first[0], "<", first[1], names)]


def frequencies_kept() -> list[Enclosure]:
    """With the class constants added the same scores have class 0 first."""
    first, _ = COUNTED.scores
    half = [-y.log() for y in COUNTED.balance]
    odds = [(2 * (score + constant)).exp() for score, constant in zip(first, half, strict=True)]
    where = "the same samples, first input"
    names = ("softmax(2s + log D) of class 0", "its frequency")
    whole = odds[0] + odds[1] + odds[2]
    return [Enclosure(where, odds[0] / whole, "=", arb(2) / 4, names)]


def solution_of_loss_1() -> list[Enclosure]:
    """Where the gradient of loss 1 vanishes, for two samples of three classes with soft labels."""
    scores, y = FLIP.scores, FLIP.balance
    labels = [[arb(label) for label in row] for row in FLIP.labels]
    constants = [1 / root**2 for root in y]
    raised = sum((_term(labels[0], scores[0], k, 0) / constants[k] for k in (1, 2)), arb(0))
    lowered = sum((_term(labels[0], scores[0], 0, k) for k in (1, 2)), arb(0)) / constants[0]
    where = "n = 2, m = 3, labels (.40, .35, .25) and (.50, .01, .49)"
    names = ("terms that raise s_00, s = log(t)/2 + log y", "terms that lower it")
    return [Enclosure(where, raised, "=", lowered, names)]


def _term(labels: list[arb], scores: list[arb], own: int, other: int) -> arb:
    """``t_ij e^{s_ik - s_ij}``."""
    return labels[own] * (scores[other] - scores[own]).exp()


def minimum_of_mirrored() -> list[Enclosure]:
    """Its value at ``s = log(t)/2`` and its closed minimum, for one sample of three classes."""
    labels = [arb(1) / 2, arb(1) / 4, arb(1) / 4]
    scores = [label.log() / 2 for label in labels]
    value, least = arb(0), arb(0)
    for own, others in ((0, (1, 2)), (1, (2, 0)), (2, (0, 1))):
        arguments = (
            sum((_term(labels, scores, own, other) for other in others), arb(1)),
            sum((_term(labels, scores, other, own) for other in others), arb(1)),
        )
        value += sum((argument.log() for argument in arguments), arb(0)) / 2
        least += sum(((labels[own] * labels[other]).sqrt() for other in others), arb(1)).log()
    where = "n = 1, m = 3, labels (1/2, 1/4, 1/4), scores log(t)/2"
    return [Enclosure(where, value, "=", least, ("mirrored loss", "its closed minimum"))]
