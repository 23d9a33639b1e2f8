"""Document 9064: what its remarks up to section 10 say, in symbols and at examples."""

from __future__ import annotations

import numpy as np
from flint import arb
from sympy import Expr, S, Symbol, exp, log

from derive.axis import array, total
from derive.calculus import map_entries, resolve
from derive.losses.symbols import i, j, k, s, t, y
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d7359
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas.d9064_code import MASKED, code_at

#: Counts of positives and negatives.
COUNTS = total(y[k], k), total(1 - y[k], k)
#: Epsilon in (0, 1/2] as 1 / (2 + a), and a label below it and one above 1 - epsilon.
EPSILON = 1 / (2 + of.ALPHA)
BELOW, ABOVE = EPSILON * t[i], 1 - EPSILON * t[i]
#: One over the temperature of a teacher, and its labels.
COLD = Symbol("beta", positive=True)


def teacher(index: Symbol) -> Expr:
    """``softmax(beta s)``, with ``beta = 1/T``."""
    return exp(COLD * s[index]) / total(exp(COLD * s[k]), k)


def at_zero(expression: Expr) -> Expr:
    """With all scores 0."""
    return map_entries(expression, s, lambda _: S.Zero)


#: Pulls of positives and negatives in ZLPR, all scores 0.
PULLS_AT_ZERO = tuple(at_zero(resolve(pull)) for pull in d7359.ZLPR_PULLS)
#: Eq. 8 by its sets: indicators of the positive set and of the negative one.
IN_POSITIVE, IN_NEGATIVE = array("u"), array("v")
_SETS = (
    1 + total(IN_POSITIVE[k] * exp(-s[k]), k),
    1 + total(IN_NEGATIVE[k] * exp(s[k]), k),
)
OF_SETS = log(_SETS[0]) + log(_SETS[1])
SLOPE_OF_SETS = IN_NEGATIVE[i] * exp(s[i]) / _SETS[1] - IN_POSITIVE[i] * exp(-s[i]) / _SETS[0]
#: Logs of the numbers of terms.
LOG_TERMS = COUNTS[0] * log(S(2)), COUNTS[1] * log(S(2))
MIXED = (t[i] + of.ALPHA * t[j]) / (1 + of.ALPHA)


def mixture_of_hard_losses() -> list[Enclosure]:
    """``0.3 l(1) + 0.7 l(0)`` of one label, at ``s = logit(0.3)`` and at 0."""
    share = arb("0.3")
    best = (share / (1 - share)).log()
    names = ("0.3 l(y=1) + 0.7 l(y=0) at logit(0.3)", "at 0")
    found = (_mixture(share, best), _mixture(share, arb(0)))
    return [Enclosure("n = 1, labels mixed at 0.3", found[0], "<", found[1], names)]


def _mixture(share: arb, score: arb) -> arb:
    return share * (-score).exp().log1p() + (1 - share) * score.exp().log1p()


def parts_differ() -> list[Enclosure]:
    """The two logs of the hard loss with one positive and one negative label, both at 5."""
    parts = (arb(5).exp().log1p(), (-arb(5)).exp().log1p())
    names = ("log of the negatives", "700 times that of the positives")
    return [Enclosure("n = 2, y = (1, 0), s = (5, 5)", parts[0], ">", 700 * parts[1], names)]


def high_orders_vanish() -> list[Enclosure]:
    """100 negatives with scores -10: the product less its first order."""
    one = (-arb(10)).exp()
    first = 100 * one
    rest = (1 + one) ** 100 - 1 - first
    names = ("the high orders", "1/100 of the first order")
    return [Enclosure("100 negatives, s = -10", rest, "<", first / 100, names)]


def score_of_half_label() -> list[Enclosure]:
    """Eq. 16 and the right side of eq. 7 of the original at one label 1/2 and score 0."""
    loss, label = 2 * arb(1.5).log(), 1 / (1 + (-arb(0)).exp())
    names = ("eq. 16", "sigma(2s), eq. 7 of the original")
    return [Enclosure("n = 1, t = 1/2, s = 0", loss, ">", label, names)]


def cross_entropy_off_two() -> list[Enclosure]:
    """The slope of binary cross-entropy, ``sigma(s) - t``, where ``sigma(2s) = t = 0.7``."""
    label = arb("0.7")
    score = (label / (1 - label)).log() / 2
    slope = 1 / (1 + (-score).exp()) - label
    names = ("slope of binary cross-entropy", "bound")
    return [Enclosure("n = 1, t = 0.7 = sigma(2s)", slope, "<", arb("-0.09"), names)]


def masked_positive_costs() -> list[Enclosure]:
    """The code with both rules at a masked position of label 1."""
    value = code_at(1.0, MASKED, True)
    names = ("the code with both rules", "bound")
    return [Enclosure("float64, t = 1, s = -1e7 (masked)", value, ">", arb("9.9e6"), names)]


def _unclipped(labels: np.ndarray, scores: np.ndarray) -> float:
    """Eq. 39 in NumPy as it is, with ``log 0 = -inf``."""
    with np.errstate(divide="ignore"):
        logs = np.log(labels), np.log(1 - labels)
    parts = (np.logaddexp.reduce(np.r_[0.0, x]) for x in (logs[0] - scores, logs[1] + scores))
    return float(sum(parts))


def infinities_are_handled() -> list[Enclosure]:
    """Eq. 39 in NumPy without a clip, against its value in balls."""
    value = arb(_unclipped(np.asarray([1.0, 0.0]), np.asarray([1.0, -2.0])))
    exact = (-arb(1)).exp().log1p() + (-arb(2)).exp().log1p()
    masked = arb(_unclipped(np.asarray([0.0]), np.asarray([MASKED])))
    where = "float64, t = (1, 0), s = (1, -2)"
    names = ("NumPy with log 0 = -inf", "the value, 1e-15 off")
    return [
        Enclosure(where, value, "<", exact + arb("1e-15"), names),
        Enclosure(where, value, ">", exact - arb("1e-15"), names),
        Enclosure("float64, t = 0, s = -1e7", masked, "<", arb("1e-300"), names),
    ]
