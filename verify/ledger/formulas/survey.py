"""The survey of softmax losses in symbols: scores ``s`` of n classes, target ``c``.

With ``R = sum_{k != c} e^{s_k - s_c}`` the target's probability is ``1 / (1 + R)``.
"""

from __future__ import annotations

import numpy as np
from flint import arb
from sympy import Expr, KroneckerDelta, Symbol, exp, log

from derive.axis import array, total
from derive.losses.softmax import Z, p
from derive.losses.symbols import LABELS, at_index, c, i, k, s
from derive.losses.unified import GAMMA
from derive.ramps import ramp, step
from numeric_core import Hinge
from verify.ledger.balls import Enclosure

# Shares and probabilities -------------------------------------------------------------------------

P_TARGET = at_index(p, c)
#: All classes but i: their sum, their mass, the sum in units of the own exponential.
REST = total((1 - KroneckerDelta(i, k)) * exp(s[k]), k)
OTHER_MASS = REST / Z
REST_BY_OWN = total((1 - KroneckerDelta(i, k)) * exp(s[k] - s[i]), k)
NOT_TARGET = 1 - KroneckerDelta(k, c)
RIVALS = total(NOT_TARGET * exp(s[k] - s[c]), k)
#: The same with inverse temperature gamma.
SHARP_SUM = total(exp(GAMMA * s[k]), k)
SHARP = exp(GAMMA * s[c]) / SHARP_SUM
SHARP_RIVALS = total(NOT_TARGET * exp(GAMMA * (s[k] - s[c])), k)

#: Odds of the target and the sum of all other scores.
ODDS, SUM = Symbol("o", positive=True), Symbol("B", positive=True)
#: Probabilities as variables of their own.
Q = array("q", positive=True)
#: A feature and the weight of a class.
X, W = array("x"), array("w")
DOT = total(X[k] * W[k], k)
SQUARED_DISTANCE = total((X[k] - W[k]) ** 2, k)
SQUARED_NORMS = total(X[k] ** 2, k) + total(W[k] ** 2, k)

# Smooth maxima ------------------------------------------------------------------------------------

OTHERS = total(NOT_TARGET * exp(s[k]), k)
#: log-sum-exp of the non-targets less the target, and again for n non-targets with scores s and
#: one target with score z, so that there is a non-target at every length.
GAP = log(OTHERS) - s[c]
TARGET_SCORE, LEAD = Symbol("z", real=True), Symbol("a", positive=True)
APART = log(Z) - TARGET_SCORE
#: A largest score M and others below it, by ``D_k >= 0``; a target above it, by a.
TOP, BELOW = Symbol("M", real=True), array("D", nonnegative=True)
#: With ``e^{gamma D_k} = 1 + E_k``: all exponentials, and what they lack of the largest each.
GROWN = array("E", nonnegative=True)
OF_BELOW = total(exp(GAMMA * TOP) / (1 + GROWN[k]), k)
SHORT_OF_ALL = total(GROWN[k] / (1 + GROWN[k]), k)
CLASSES = LABELS.size
SHARP_OTHERS = total((1 - KroneckerDelta(i, k)) * exp(GAMMA * s[k]), k)
#: A number, a distance, and the number ``log(1 + E) >= 0``.
NUMBER, DISTANCE = Symbol("x", real=True), Symbol("d", nonnegative=True)
EXCESS = Symbol("E", nonnegative=True)


def softplus(x: Expr) -> Expr:
    """``log(1 + e^x)``."""
    return log(1 + exp(x))


# Ramps --------------------------------------------------------------------------------------------

#: Hinge as first written, without a margin: n other classes with scores s, the target with score z.
WITHOUT_MARGIN = total(ramp(s[k] - TARGET_SCORE), k)
PULL = step(s[i] - TARGET_SCORE)
PULLS = total(step(s[k] - TARGET_SCORE), k)
#: The steps of the derivation that tells where hinge is 0.
ZERO_LOSS = (
    "no loss: each other class has none",
    "without it the lead is",
    "not positive: s_i + m <= s_c",
    "and where each stands behind by m + d_i, it is 0",
)


def pull_at_the_start() -> list[Enclosure]:
    """Equal scores, m = 1: the pull of the target among C classes, as the numeric core has it."""
    found = []
    for classes in (10, 1000, 100_000):
        pull = Hinge(margin=1.0).value_and_grad(np.zeros(classes), np.asarray(0))[1]
        names = ("pull of the target", "-(C - 1)")
        where = f"{classes} classes of equal scores, m = 1"
        found.append(Enclosure(where, arb(float(pull[0])), "=", arb(1 - classes), names))
    return found


# Numbers of the survey ----------------------------------------------------------------------------


def _softmax(scores: tuple[str, ...]) -> arb:
    first, *rest = (arb(score) for score in scores)
    return 1 / (1 + sum(((score - first).exp() for score in rest), arb(0)))


def share_of_ten() -> list[Enclosure]:
    """The score 10 among 10, 5, 5."""
    share = arb(10) / (arb(10) + arb(5) + arb(5))
    return [Enclosure("scores (10, 5, 5)", share, "=", arb(1) / 2, ("share of the sum", "half"))]


def score_for_that_share() -> list[Enclosure]:
    """The score that has among 5, 5 the share that softmax gives to 10."""
    probability = _softmax(("10", "5", "5"))
    needed = 10 * probability / (1 - probability)
    names = ("score with that share of the sum", "bound")
    where = "softmax(10, 5, 5) against x / (x + 5 + 5)"
    return [Enclosure(where, needed, ">", arb(742), names)]


def softmax_of_ten() -> list[Enclosure]:
    """``e^10 / (e^10 + 2 e^5)`` between the ends of what rounds to 98.7 %."""
    value, names = _softmax(("10", "5", "5")), ("probability", "bound")
    ends = ((">", "0.9865"), ("<", "0.9875"))
    return [Enclosure("scores (10, 5, 5)", value, sign, arb(end), names) for sign, end in ends]


def tiny_difference() -> list[Enclosure]:
    """Scores that differ by 0.01 have probabilities that differ by less."""
    first = _softmax(("0.01", "0"))
    difference, names = first - (1 - first), ("difference of probabilities", "of the scores")
    return [Enclosure("scores (0.01, 0)", difference, "<", arb("0.01"), names)]
