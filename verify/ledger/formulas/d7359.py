"""Document 7359 in symbols: softmax, choice of k labels, pairwise losses, ZLPR, and its code.

Scores ``s`` of n labels, hard labels ``y``, one target ``c``; ``s_0`` is the threshold class.
"""

from __future__ import annotations

import numpy as np
from flint import arb
from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial, resolve
from derive.facts import Facts
from derive.losses.symbols import LABELS, c, i, j, k, s, y
from derive.losses.unified import GAMMA, MARGIN
from derive.losses.zlpr import S0
from numeric_core import zlpr
from verify.ledger.balls import Enclosure
from verify.ledger.printed import SNIPPETS, NumpyLibrary

# Softmax cross-entropy ---------------------------------------------------------------------------

PARTITION = total(exp(s[k]), k)
CROSS_ENTROPY = -log(exp(s[c]) / PARTITION)
#: The terms of all labels but the target, and of all but the target and one more.
RIVALS = total((1 - KroneckerDelta(k, c)) * exp(s[k] - s[c]), k)
OTHER_RIVALS = total((1 - KroneckerDelta(k, c)) * (1 - KroneckerDelta(k, i)) * exp(s[k] - s[c]), k)
ONE_RIVAL = (1 - KroneckerDelta(i, c)) * exp(s[i] - s[c])
#: The pull on the target, and on all others together.
ON_TARGET = -partial(CROSS_ENTROPY, s[c])
ON_OTHERS = total((1 - KroneckerDelta(k, c)) * exp(s[k]), k) / PARTITION
#: A lead of the target by -a, that is a wrong label that leads by a.
LEAD = Symbol("a", nonnegative=True)

# The smooth maximum: e^{x_j} = (1 + A) / (1 + D_j), with the maximum log(1 + A) and D_j >= 0 ------

q = LABELS.index("q")
TOP, BELOW = Symbol("A", nonnegative=True), array("D", nonnegative=True)
SUM_BELOW_TOP = 1 + total((1 + TOP) / (1 + BELOW[j]), j)
#: e^{x_j} as a share of e^max.
SHARES = total(1 / (1 + BELOW[j]), j)
ROOM = TOP + (1 + TOP) * total(BELOW[j] / (1 + BELOW[j]), j)

# Binary cross-entropy: pulls at scores 0 ----------------------------------------------------------

BCE = total(y[k] * log(1 + exp(-s[k])) + (1 - y[k]) * log(1 + exp(s[k])), k)
PULL_UP = -total(y[i] * partial(BCE, s[i]), i)
PULL_DOWN = total((1 - y[i]) * partial(BCE, s[i]), i)
#: Both at scores 0: half of the counts.
UNTRAINED = tuple(map_entries(resolve(pull), s, lambda _: S.Zero) for pull in (PULL_UP, PULL_DOWN))
COUNTS = total(y[k], k), total(1 - y[k], k)

# Pairs of labels ----------------------------------------------------------------------------------

NEGATIVES = total((1 - y[k]) * exp(s[k]), k)
POSITIVES = total(y[k] * exp(-s[k]), k)
PAIRS = total(total((1 - y[i]) * y[j] * exp(s[i] - s[j]), j), i)
SCALED_PAIRS = total(total((1 - y[i]) * y[j] * exp(GAMMA * (s[i] - s[j] + MARGIN)), j), i)
SCALED_SUMS = total((1 - y[k]) * exp(GAMMA * (s[k] + MARGIN)), k) * total(
    y[k] * exp(-GAMMA * s[k]), k
)
WITH_THRESHOLD = 1 + PAIRS + NEGATIVES * exp(-S0) + POSITIVES * exp(S0)
FACTORS = (exp(S0) + NEGATIVES), (exp(-S0) + POSITIVES)
ZLPR = log(1 + NEGATIVES) + log(1 + POSITIVES)
#: The pulls of ZLPR on the positive scores and on the negative ones.
ZLPR_PULLS = (
    -total(y[i] * partial(ZLPR, s[i]), i),
    total((1 - y[i]) * partial(ZLPR, s[i]), i),
)
#: ZLPR and eq. 8 where the target is the one positive label.
ZLPR_OF_ONE, PAIRS_OF_ONE = (
    map_entries(loss, y, lambda index: KroneckerDelta(index, c)) for loss in (ZLPR, log(1 + PAIRS))
)
OTHERS = total((1 - KroneckerDelta(k, c)) * exp(s[k]), k)
#: What the negatives add beyond their number, and scores that went through a sigmoid.
ABOVE_COUNT = total((1 - y[k]) * (exp(s[k]) - 1), k)
SQUASHED = Facts(hard=frozenset({y}), open_unit=frozenset({s}))


def one_pair(first: Index, second: Index) -> Expr:
    """``e^{s_i - s_j}`` of a negative i and a positive j."""
    return (1 - y[first]) * y[second] * exp(s[first] - s[second])


# The code of the document -------------------------------------------------------------------------


def printed_code(labels: list[float], scores: list[float], dtype: str = "float64") -> float:
    """The Keras function on NumPy."""
    value, _ = NumpyLibrary().run(SNIPPETS["7359 code"], labels, scores, dtype)
    return float(value)


def _zlpr(scores: list[float], labels: list[float]) -> arb:
    negative = sum((arb(x).exp() for x, t in zip(scores, labels, strict=True) if not t), arb(0))
    positive = sum((arb(-x).exp() for x, t in zip(scores, labels, strict=True) if t), arb(0))
    return negative.log1p() + positive.log1p()


ROW, ROW_LABELS = [20.0, -20.0, -20.0], [1.0, 0.0, 0.0]
WHERE = "scores (20, -20, -20), labels (1, 0, 0)"


def code_loses_small_losses() -> list[Enclosure]:
    """At scores (20, -20, -20) in float32 the code returns 0."""
    value = printed_code(ROW_LABELS, ROW, "float32")
    names = ("the printed code", "a millionth of eq. 11")
    bound = _zlpr(ROW, ROW_LABELS) / 10**6
    return [
        Enclosure("float32, scores (20, -20, -20), labels (1, 0, 0)", arb(value), "<", bound, names)
    ]


def core_keeps_small_losses() -> list[Enclosure]:
    """The same row by `numeric_core`: off by less than 4 ulp, which are 2^-21 of the value."""
    value = zlpr(np.asarray(ROW, dtype=np.float32), np.asarray(ROW_LABELS, dtype=np.float32))
    truth = _zlpr(ROW, ROW_LABELS)
    error = abs(arb(float(value)) / truth - 1)
    names = ("relative error of lossproof", "4 ulp")
    return [Enclosure(f"float32, {WHERE}", error, "<", arb(2) ** -21, names)]


def constant_in_half_precision() -> list[Enclosure]:
    """1e12 is no float16: 0 times infinity."""
    value = printed_code([0, 1, 0], [12, -3, -2], "float16")
    where = f"float16, scores (12, -3, -2), labels (0, 1, 0), where the code gives {value}"
    names = ("the constant", "the largest number of the format")
    return [Enclosure(where, arb(10) ** 12, ">", arb(65504), names)]


def masked_scores_in_code() -> list[Enclosure]:
    """A masked negative takes no part, by -inf or by -1e12."""
    whole = printed_code([0, 1], [0.5, 2.0])
    found = []
    for mask in (-np.inf, -1e12):
        value = printed_code([0, 1, 0], [0.5, 2.0, mask])
        where = f"float64, scores (1/2, 2, {mask:g}), labels (0, 1, 0)"
        names = ("the printed code", "without the masked label")
        found.append(Enclosure(where, arb(value), "=", arb(whole), names))
    return found


# Numbers ------------------------------------------------------------------------------------------


def newton_in_floats() -> list[Enclosure]:
    """``3 Z_3 = Z_2 S_1 - Z_1 S_2 + S_3`` in float64 at scores (20, 0, 0)."""
    x = [float(np.exp(20.0)), 1.0, 1.0]
    first, second, third = (sum(v**power for v in x) for power in (1, 2, 3))
    z_2 = (first * first - second) / 2
    z_3 = (z_2 * first - first * second + third) / 3
    error = abs(arb(z_3) / arb(20).exp() - 1)
    where = f"float64, scores (20, 0, 0), k = 3: Z_3 = {z_3:.6g} by eq. 3, truth e^20 = 4.85165e8"
    return [Enclosure(where, error, ">", arb("0.1"), ("relative error", "bound"))]


def draws_one_by_one() -> list[Enclosure]:
    """Three labels with e^s = 2, 1, 1, two of them drawn: how often the last two."""
    where = "n = 3, k = 2, e^s = (2, 1, 1), the second and the third label"
    one_by_one = arb(1) / 4 * (arb(1) / 3) * 2
    names = ("drawn one by one", "share of their e^{s_i + s_j} in Z_2")
    return [Enclosure(where, one_by_one, "<", arb(1) / 5, names)]


def more_labels_than_room() -> list[Enclosure]:
    """Two scores above the threshold, K = 1."""
    where = "n = 2, K = 1, s = (2, 1), s_0 = 0: the top K are one label"
    return [Enclosure(where, arb(2), ">", arb(1), ("labels above s_0", "labels that are output"))]


def fitted_pulls() -> list[Enclosure]:
    """One positive and 1000 negatives, each right by 10."""
    term = arb(-10).exp()
    down, up = (1000 * term / (1 + 1000 * term)), term / (1 + term)
    where = "1 positive and 1000 negatives, each right by 10"
    return [
        Enclosure(
            where, down / up, ">", arb(900), ("pull of the negatives over the other", "bound")
        )
    ]


def wrong_and_cheap() -> list[Enclosure]:
    """One positive label at the score -0.01."""
    loss = arb("0.01").exp().log1p()
    return [Enclosure("n = 1, y = 1, s = -0.01", loss, "<", arb("0.7"), ("ZLPR", "bound"))]
