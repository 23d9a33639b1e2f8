"""Document 9064, sections 12 to 20: pairs of positions, other losses, information, likelihood."""

from __future__ import annotations

import numpy as np
from flint import arb
from sympy import Expr, Symbol, exp, log, symbols

from derive.axis import Axis, array, total
from derive.losses.symbols import c, i, j, k, s, t, y
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas.d9064_remarks import IN_NEGATIVE, IN_POSITIVE

_FEATURES = Axis("features", Symbol("d", integer=True, positive=True), "hgl")
h, g = _FEATURES.indices("h g")
#: Queries and keys of the positions, and their products.
QUERY, KEY = array("q"), array("k")
PRODUCT = total(QUERY[i, h] * KEY[j, h], h)
#: The two sums under the logs of the loss over pairs, and its gradient.
_P = 1 + total(total(t[i, j] * exp(-s[i, j]), j), i)
_N = 1 + total(total((1 - t[i, j]) * exp(s[i, j]), j), i)
OVER_PAIRS = log(_P) + log(_N)
PAIR_GRADIENT = -t[k, c] * exp(-s[k, c]) / _P + (1 - t[k, c]) * exp(s[k, c]) / _N

GAMMA, BETA = symbols("gamma beta", positive=True)
MARGINS = symbols("Delta_n Delta_p", real=True)
SHIFTS = symbols("M M_2", real=True)
#: The focal loss of a label 1, and its derivative as the paper on it has it.
_SURE = exp(-GAMMA * log(1 + exp(s[i])))
FOCAL = -_SURE * log(of.sigmoid(s[i]))
_P_I = of.sigmoid(s[i])
FOCAL_SLOPE = _SURE * (GAMMA * _P_I * log(_P_I) - (1 - _P_I))
#: Eq. 58 with both exponents.
_PULLED = y[k] * exp(-GAMMA * log(1 + exp(s[k]))) * log(of.sigmoid(s[k]))
_PUSHED = (1 - y[k]) * exp(-BETA * log(1 + exp(-s[k]))) * log(1 - of.sigmoid(s[k]))
ASYMMETRIC = -total(_PULLED, k) - total(_PUSHED, k)


def entropy(p: Expr) -> Expr:
    """``-p log p - (1 - p) log(1 - p)``."""
    return -p * log(p) - (1 - p) * log(1 - p)


#: Scores that take finitely many values with the weights w, and the labels at each.
WEIGHTS = array("w")
OVERALL = total(WEIGHTS[j] * t[j], j)
INFORMATION = entropy(OVERALL) - total(WEIGHTS[k] * entropy(t[k]), k)
_GAIN = t[k] * (log(t[k]) - log(OVERALL)) + (1 - t[k]) * (log(1 - t[k]) - log(1 - OVERALL))
MUTUAL = total(WEIGHTS[k] * _GAIN, k)
ONE_BCE = t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i]))
DIVERGENCE = t[i] * log(t[i] / _P_I) + (1 - t[i]) * log((1 - t[i]) / (1 - _P_I))

#: Likelihoods e^s_i of a label 1 and e^s_j of a label 0, with the prior t_i.
_SEEN = exp(s[i]) * t[i], exp(s[j]) * (1 - t[i])
POSTERIOR = _SEEN[0] / (_SEEN[0] + _SEEN[1])
#: A joint distribution of two variables, and its margins.
_ALL = total(total(exp(s[k, c]), c), k)
JOINT = exp(s[i, j]) / _ALL
OF_FIRST = total(exp(s[i, c]), c) / _ALL, exp(s[i, j]) / total(exp(s[i, c]), c)
OF_SECOND = total(exp(s[k, j]), k) / _ALL, exp(s[i, j]) / total(exp(s[k, j]), k)

_NEGATIVES = total((1 - y[k]) * exp(GAMMA * (s[k] - MARGINS[0])), k)
_POSITIVES = total(y[k] * exp(GAMMA * (MARGINS[1] - s[k])), k)
TWO_LOGS = log(1 + _NEGATIVES) + log(1 + _POSITIVES)
#: The same by its sets: indicators of the positive set and of the negative one.
_SETS = (
    1 + total(IN_POSITIVE[k] * exp(GAMMA * (MARGINS[1] - s[k])), k),
    1 + total(IN_NEGATIVE[k] * exp(GAMMA * (s[k] - MARGINS[0])), k),
)
OF_SETS = log(_SETS[0]) + log(_SETS[1])
SLOPE_OF_SETS = GAMMA * (
    IN_NEGATIVE[i] * exp(GAMMA * (s[i] - MARGINS[0])) / _SETS[1]
    - IN_POSITIVE[i] * exp(GAMMA * (MARGINS[1] - s[i])) / _SETS[0]
)
ITS_ARGUMENT = 1 + _NEGATIVES * _POSITIVES + _NEGATIVES + _POSITIVES
SLOPE_OF_LABEL = 2 * exp(-2 * s[i]) / (1 + exp(-2 * s[i])) ** 2
PUSH, PULL = exp(GAMMA * (s[i] - MARGINS[0])), exp(GAMMA * (MARGINS[1] - s[i]))
CENTRED = GAMMA * (2 * s[i] - MARGINS[0] - MARGINS[1])


def _soft(label: arb, score: arb) -> arb:
    """Eq. 16 of one label."""
    return (label * (-score).exp()).log1p() + ((1 - label) * score.exp()).log1p()


def _sigma(score: arb) -> arb:
    return 1 / (1 + (-score).exp())


def mask_in_floats() -> list[Enclosure]:
    """``e^-1e7`` against half the least number of float64."""
    names = ("e^s", "half the least number")
    found = (-(arb(10) ** 7)).exp()
    return [Enclosure("float64, s = -1e7", found, "<", arb(2) ** -1075, names)]


def terms_counted() -> list[Enclosure]:
    """Terms that are not zero under the logs, of one label 1/2 and of one label 1."""
    labels = np.asarray([0.5]), np.asarray([1.0])
    found = [arb(int(np.count_nonzero(x) + np.count_nonzero(1 - x))) for x in labels]
    return [Enclosure("n = 1", found[0], ">", found[1], ("terms at t = 1/2", "at t = 1"))]


def epsilon_is_lost() -> list[Enclosure]:
    """``1 - (1 - eps)`` in float32 at eps = 1e-8: the clipped label is 1 still."""
    left = arb(float(np.float32(1) - (np.float32(1) - np.float32(1e-8))))
    names = ("1 - (1 - eps)", "eps / 2")
    return [Enclosure("float32, eps = 1e-8", left, "<", arb("0.5e-8"), names)]


def long_step() -> list[Enclosure]:
    """The loss of one label 1/2 before and after a step of length 20 down its slope."""
    half, start = arb(0.5), arb(1)
    slope = _sigma(start - arb(2).log()) - _sigma(-start - arb(2).log())
    names = ("after the step", "before")
    found = _soft(half, start - 20 * slope), _soft(half, start)
    return [Enclosure("n = 1, t = 1/2, s = 1, rate 20", found[0], ">", found[1], names)]


def turned_scores() -> list[Enclosure]:
    """A fair label, scores 4 and -4: the loss with the signs right and all wrong."""
    right, wrong = (-arb(4)).exp().log1p(), arb(4).exp().log1p()
    where = "n = 1, labels 0 and 1, s = -4 and 4, then 4 and -4, I(T; S) = log 2 both times"
    return [Enclosure(where, right, "<", wrong / 200, ("the loss", "1/200 of that turned"))]


def divergences_differ() -> list[Enclosure]:
    """``L(s = 1) - L(s = 0)`` and the same of KL(1/2, sigma(2s))."""
    half = arb(0.5)
    loss = _soft(half, arb(1)) - _soft(half, arb(0))
    p = _sigma(arb(2))
    kl = -(4 * p * (1 - p)).log() / 2
    names = ("the loss grows by", "3/5 of what KL(t, sigma(2s)) grows by")
    return [Enclosure("n = 1, t = 1/2, s = 0 to 1", loss, "<", 3 * kl / 5, names)]


def least_and_entropy() -> list[Enclosure]:
    """The minimum of eq. 16 at one label 1/2, and its entropy log 2."""
    least = _soft(arb(0.5), arb(0))
    names = ("minimum of eq. 16", "H(t)")
    return [Enclosure("n = 1, t = 1/2", least, ">", arb(2).log(), names)]


def likelihood_of_two() -> list[Enclosure]:
    """``sum_y e^-L`` over the labels of n = 2 at scores 0, which is 7/6."""
    found = arb(0)
    for positives in (0, 1, 1, 2):
        found += 1 / (arb(1 + positives) * (3 - positives))
    return [Enclosure("n = 2, s = 0", found, ">", arb("1.16"), ("sum of e^-L", "bound"))]


def not_affine() -> list[Enclosure]:
    """``L(t, 1) - L(t, 0)`` at t = 1/2 and its mean over t = 0 and 1."""
    at = [_soft(arb(x), arb(1)) - _soft(arb(x), arb(0)) for x in (0, 0.5, 1)]
    names = ("D(t, 1) - D(t, 0) at t = 1/2", "the mean of it at t = 0 and t = 1")
    return [Enclosure("n = 1", at[1], ">", (at[0] + at[2]) / 2, names)]


def circle_of_two() -> list[Enclosure]:
    """Eq. 59 at one positive 1 and one negative 0, and Circle loss with its own weights."""
    margin = arb(0.25)
    printed = 2 * (-margin).exp().log1p()
    own = (-2 * margin * margin).exp().log1p()
    where = "gamma = 1, m = 1/4, s_p = 1, s_n = 0"
    return [Enclosure(where, printed, ">", own, ("eq. 59", "Circle loss, its eq. 4"))]
