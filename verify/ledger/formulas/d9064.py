"""Document 9064 in symbols: soft labels ``t``, hard labels ``y``, scores ``s`` of n labels."""

from __future__ import annotations

from flint import arb
from sympy import Expr, KroneckerDelta, Symbol, exp, log

from derive.axis import Index, total
from derive.calculus import map_entries, partial
from derive.losses.symbols import LABELS, i, j, k, s, t, y
from derive.series import GRADE, first_order, second_order
from verify.ledger.balls import Enclosure


def sigmoid(x: Expr) -> Expr:
    """``1 / (1 + e^-x)``."""
    return 1 / (1 + exp(-x))


# Binary cross-entropy, hard and soft --------------------------------------------------------------

HARD_BCE = -total(y[k] * log(sigmoid(s[k])) + (1 - y[k]) * log(1 - sigmoid(s[k])), k)
HARD_SOFTPLUS = total(y[k] * log(1 + exp(-s[k])) + (1 - y[k]) * log(1 + exp(s[k])), k)
HARD_PRODUCTS = (
    LABELS.product((1 + exp(-s[k])) ** y[k], k),
    LABELS.product((1 + exp(s[k])) ** (1 - y[k]), k),
)
SOFT_BCE = -total(t[k] * log(sigmoid(s[k])), k) - total((1 - t[k]) * log(1 - sigmoid(s[k])), k)
SOFTPLUS = total(t[k] * log(1 + exp(-s[k])), k) + total((1 - t[k]) * log(1 + exp(s[k])), k)
PRODUCTS = (
    LABELS.product((1 + exp(-s[k])) ** t[k], k),
    LABELS.product((1 + exp(s[k])) ** (1 - t[k]), k),
)
#: The products, each exponential with a grade.
GRADED = (
    LABELS.product((1 + GRADE * exp(-s[k])) ** t[k], k),
    LABELS.product((1 + GRADE * exp(s[k])) ** (1 - t[k]), k),
)
GRADED_HARD = LABELS.product((1 + GRADE * exp(-s[k])) ** y[k], k)
FIRST_ORDERS = tuple(first_order(graded) for graded in GRADED)
SECOND_ORDER = second_order(GRADED[0])
BINOMIAL = (1 + GRADE * exp(-s[i])) ** t[i]

# Soft ZLPR ----------------------------------------------------------------------------------------

A, B = 1 + total(t[k] * exp(-s[k]), k), 1 + total((1 - t[k]) * exp(s[k]), k)
SOFT = log(A) + log(B)
HARD = log(1 + total((1 - y[k]) * exp(s[k]), k)) + log(1 + total(y[k] * exp(-s[k]), k))
POSITIVE, NEGATIVE = t[i] * exp(-s[i]), (1 - t[i]) * exp(s[i])
GRADIENT = -POSITIVE / A + NEGATIVE / B
IN_EXPONENTS = log(1 + total(exp(-s[k] + log(t[k])), k)) + log(
    1 + total(exp(s[k] + log(1 - t[k])), k)
)


def at_link(expression: Expr) -> Expr:
    """With the labels ``t_i = sigma(2 s_i)``."""
    return map_entries(expression, t, lambda index: sigmoid(2 * s[index]))


def at_hard(expression: Expr) -> Expr:
    """With the labels in {0, 1}."""
    return expression.xreplace({t: y})


ODDS = t[i] / (1 - t[i])
SCORE_OF_LABEL = log(ODDS) / 2

# Second derivatives -------------------------------------------------------------------------------


def _without(sample: Index, summand: Expr) -> Expr:
    return 1 + total((1 - KroneckerDelta(sample, k)) * summand, k)


DIAGONAL = partial(SOFT, s[i], s[i])
EQUATION_29 = POSITIVE * _without(i, t[k] * exp(-s[k])) / A**2
EQUATION_29 += NEGATIVE * _without(i, (1 - t[k]) * exp(s[k])) / B**2
APART = 1 - KroneckerDelta(i, j)
MIXED = APART * partial(SOFT, s[i], s[j])
_PAIR_A = t[i] * t[j] * exp(-s[i] - s[j]) / A**2
_PAIR_B = (1 - t[i]) * (1 - t[j]) * exp(s[i] + s[j]) / B**2
EQUATION_31 = APART * (_PAIR_A - _PAIR_B)
MIXED_RIGHT = -APART * (_PAIR_A + _PAIR_B)
W, Z = at_link(POSITIVE), at_link(A)
EQUATION_33 = 2 * W * (Z - W) / Z**2
#: Label smoothing and mixing.
ALPHA = Symbol("alpha", nonnegative=True)

# What the text says about them --------------------------------------------------------------------

PAIRS_OF_POSITIVES = (
    total(total((1 - KroneckerDelta(j, k)) * y[j] * y[k] * exp(-s[j] - s[k]), k), j) / 2
)
HARD_SECOND = second_order(GRADED_HARD)
SHIFT = Symbol("M", real=True)
SHIFTED = SHIFT + log(exp(-SHIFT) + total(exp(s[k] - SHIFT), k))
LOG_SUM = log(1 + total(exp(s[k]), k))
#: ``alpha = a / (1 + a)``, any number in [0, 1).
SMOOTHED = y[i] / (1 + ALPHA) + ALPHA / (1 + ALPHA) / 2
MIXED_LABELS = (t[i] + ALPHA * t[j]) / (1 + ALPHA)


def positive_diagonal() -> list[Enclosure]:
    """The matrix ((1, 2), (2, 1)) has a positive diagonal, and a negative form."""
    form = arb(1) - arb(2) - arb(2) + arb(1)
    where = "H = ((1, 2), (2, 1)), v = (1, -1)"
    return [Enclosure(where, form, "<", arb(0), ("v' H v", "zero"))]


def log_of_epsilon() -> list[Enclosure]:
    """``log 1e-7``."""
    value = (arb(10) ** -7).log()
    names = ("log eps", "bound")
    found = ((">", "-16.2"), ("<", "-16.1"))
    return [Enclosure("eps = 1e-7", value, relation, arb(end), names) for relation, end in found]


def clipped_mask() -> list[Enclosure]:
    """``-s + log eps`` at the masked score ``s = -1e7``."""
    value = arb(10) ** 7 + (arb(10) ** -7).log()
    names = ("-s + log eps", "bound")
    return [Enclosure("s = -1e7, eps = 1e-7", value, ">", arb("9.99e6"), names)]


def exponentials_in_floats() -> list[Enclosure]:
    """``e^s`` and ``e^-s`` at s = 750, and the range of float64."""
    largest, least = arb(2) ** 1024, arb(2) ** -1075
    power = arb(750).exp()
    where = "float64, s = 750"
    return [
        Enclosure(where, power, ">", largest, ("e^s", "beyond the largest number")),
        Enclosure(where, 1 / power, "<", least, ("e^-s", "half the least number")),
    ]
