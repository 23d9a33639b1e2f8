"""The stable rewriting rules: one entry each, with domain, and points where it matters.

A rule ``left -> right`` is *sound* when both are equal where both are defined and ``right`` is
defined wherever ``left`` is (the definition of Herbie's rule set). Soundness is decided: the test
of this table proves each rule with :func:`derive.decide.equal`, for every length and every value
of the shifts. Whether a rule is *used* is measured: ``points`` holds scores and weights at which
the floats of one side fail. A sound rule whose right side is the one that fails is kept, as
rejected, with the point that shows it.

:func:`derive.stable.stable_form` turns the left side of each rule that is used into its right
side; the same test holds the two to each other, so the table cannot drift from the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, KroneckerDelta, exp, log

from derive.axis import array, labels_axis, total
from derive.coefficients import Z as z
from derive.coefficients import coefficient, order
from derive.nodes import (
    ArgLargest,
    Largest,
    Shift,
    difference,
    expm1,
    finite,
    gated,
    larger,
    log1p,
    off_top,
    quotient,
    sigmoid,
    softplus,
    weighted_exp,
)
from derive.recursion import log_coefficient, subset_mean
from derive.room import ROOM

AXIS = labels_axis()
i, j, l = AXIS.indices("i j l")
# Scores, weights in [0, 1], a direction, and an order.
x, w, v = array("x"), array("w"), array("v")
m = order("m")

Row = tuple[float, ...]


@dataclass(frozen=True)
class Rule:
    """``left -> right``; each point is a row of scores and a row of weights, at the order 2."""

    name: str
    left: Expr
    right: Expr
    domain: str
    points: tuple[tuple[Row, Row], ...]
    used: bool = True
    why: str = ""


_SUM = total(w[j] * exp(x[j]), j)
_EXPS = total(exp(x[j]), j)
_LIMITS = AXIS.limits(j)

# The largest exponent, of all entries and of those with a weight.
_TOP = Shift(Largest(x[j], _LIMITS))
_OPEN = Largest(gated(x[j], w[j]), _LIMITS)
_ABOVE_0 = Shift(larger(_OPEN, 0))
_ABOVE_ROOM = Shift(larger(_OPEN - ROOM, 0))
_OF_OPEN = Shift(finite(_OPEN))
_TOP_ABOVE_ROOM = Shift(larger(Largest(x[j], _LIMITS) - ROOM, 0))


def _shifted(shift: Shift) -> Expr:
    """``sum_j w_j e^{x_j - shift}``."""
    return total(weighted_exp(w[j], x[j] - shift), j)


def _member(shift: Shift) -> Expr:
    """``w_i e^{x_i - shift}``."""
    return weighted_exp(w[i], x[i] - shift)


# By how much a maximum that sees no weights is above the log of the sum, at most itself.
_EXCESS = Shift(larger(-larger(log(exp(-_ABOVE_ROOM) + _shifted(_ABOVE_ROOM)), -_ABOVE_ROOM), 0))
_LOWERED = difference(_ABOVE_ROOM, _EXCESS)

# The log of a coefficient is off by ulps of itself, its exponential by as many parts of 1: in the
# first row the logs are whole numbers.
# Subsets of m elements, and the same without one of them.
_ALL = AXIS.product(1 + exp(x[l]) * z, l)
_BUT_I = AXIS.product(1 + (1 - KroneckerDelta(i, l)) * exp(x[l]) * z, l)
_BUT_J = AXIS.product(1 + (1 - KroneckerDelta(j, l)) * exp(x[l]) * z, l)
_LOG_E = log_coefficient(_ALL, z, m)
_SUBSETS: tuple[tuple[Row, Row], ...] = (
    ((720.0, 0.0, -720.0), (1, 1, 1)),
    ((-720.0, -720.0, -720.0), (1, 1, 1)),
)

ONE: Row = (1.0,)

RULES: tuple[Rule, ...] = (
    Rule("log1p", log(1 + w[i]), log1p(w[i]), "w > -1", (((0.0,), (1e-20,)),)),
    Rule("softplus", log(1 + exp(x[i])), softplus(x[i]), "all x", (((800.0, -50.0), (1, 1)),)),
    Rule("sigmoid", 1 / (1 + exp(-x[i])), sigmoid(x[i]), "all x", (((-720.0,), ONE),)),
    Rule("rising sigmoid", exp(x[i]) / (1 + exp(x[i])), sigmoid(x[i]), "all x", (((800.0,), ONE),)),
    Rule(
        "slope of the sigmoid",
        exp(x[i]) / (1 + exp(x[i])) ** 2,
        sigmoid(x[i]) * sigmoid(-x[i]),
        "all x",
        (((400.0,), ONE),),
    ),
    Rule(
        "complement of the sigmoid",
        1 - 1 / (1 + exp(-x[i])),
        sigmoid(-x[i]),
        "all x",
        (((40.0,), ONE),),
    ),
    Rule(
        "log of the sigmoid",
        log(1 / (1 + exp(-x[i]))),
        -softplus(-x[i]),
        "all x",
        (((40.0, -800.0), (1, 1)),),
    ),
    Rule(
        "residual of the sigmoid",
        1 / (1 + exp(-x[i])) - w[i],
        (1 - w[i]) * sigmoid(x[i]) - w[i] * sigmoid(-x[i]),
        "all x, w",
        (((40.0,), ONE),),
    ),
    Rule(
        "log of a product",
        log(AXIS.product(1 + exp(x[j]), j)),
        total(softplus(x[j]), j),
        "positive factors",
        (((400.0, 400.0), (1, 1)), ((-50.0, -60.0), (1, 1))),
    ),
    Rule(
        "shift of log(1 + sum)",
        log(1 + _EXPS),
        _TOP_ABOVE_ROOM + log1p(expm1(-_TOP_ABOVE_ROOM) + total(exp(x[j] - _TOP_ABOVE_ROOM), j)),
        "all x",
        (((1e4, 3.0), (1, 1)), ((-50.0, -60.0), (1, 1)), ((60.5, 61.0), (1, 1))),
    ),
    Rule(
        "shift of log(1 + sum), by weight",
        log(1 + _SUM),
        _LOWERED + log1p(expm1(-_LOWERED) + exp(_EXCESS) * _shifted(_ABOVE_ROOM)),
        "w >= 0",
        (
            ((1e4, 3.0), (1, 1)),
            ((1e7, -40.0), (0, 1)),
            ((-50.0, -60.0), (1, 0.5)),
            ((50.0, 0.0), (1e-20, 0)),
            ((200.0, 0.0), (1.4e-174, 0)),
            ((420.0, 3.0), (1.4e-174, 0.25)),
            ((800.0, 700.0), (5e-324, 1e-300)),
        ),
    ),
    Rule(
        "the same shift for weights above e^-60",
        log(1 + _SUM),
        _ABOVE_ROOM + log1p(expm1(-_ABOVE_ROOM) + _shifted(_ABOVE_ROOM)),
        "w >= 0",
        (((200.0, 0.0), (1.4e-174, 0)),),
        used=False,
        why="a shift that sees no weights leaves w e^60 beside expm1(-m) = -1: log1p(-1)",
    ),
    Rule(
        "shift of log(sum)",
        log(_SUM),
        _OF_OPEN + log(_shifted(_OF_OPEN)),
        "w > 0 somewhere",
        (((-1e4, -1e4), (1, 0.5)), ((1e12, 900.0), (0, 1))),
    ),
    Rule(
        "largest term out",
        log(_EXPS),
        _TOP + log1p(total(off_top(exp(x[j] - _TOP), j, ArgLargest(x[j], _LIMITS)), j)),
        "all x",
        (((1e4, 3.0), (1, 1)), ((0.0, -40.0), (1, 1))),
    ),
    Rule(
        "shift of a quotient with 1",
        w[i] * exp(x[i]) / (1 + _SUM),
        quotient(_member(_ABOVE_0), exp(-_ABOVE_0) + _shifted(_ABOVE_0)),
        "w >= 0",
        (((1e4, 9999.0), (1, 0.5)), ((1e12, -30.0), (0, 1))),
    ),
    Rule(
        "shift of a quotient",
        exp(x[i]) / _EXPS,
        quotient(exp(x[i] - _TOP), total(exp(x[j] - _TOP), j)),
        "all x",
        (((1e4, 9999.0), (1, 1)), ((-1e4, -1e4), (1, 1))),
    ),
    Rule(
        "log-domain recursion",
        log(coefficient(_ALL, m)),
        _LOG_E,
        "x > -oo",
        _SUBSETS,
        why="by elements (combination_softmax.elements): log e_m <- logaddexp of the two terms",
    ),
    Rule(
        "recursion from a geometric series",
        log(coefficient(_ALL / (1 - z), m)),
        log_coefficient(_ALL / (1 - z), z, m),
        "x > -oo",
        (((800.0, 790.0, 3.0), (1, 1, 1)), ((-50.0, -60.0), (1, 1))),
        why="the recursion starts at 1/(1 - z): sums of coefficients are coefficients",
    ),
    Rule(
        "one element left out",
        exp(x[i]) * coefficient(_BUT_I, m - 1) / coefficient(_ALL, m),
        exp(x[i] + log_coefficient(_BUT_I, z, m - 1) - _LOG_E),
        "x > -oo",
        _SUBSETS[:1],
    ),
    Rule(
        "mean over subsets",
        total(v[j] * exp(x[j]) * coefficient(_BUT_J, m - 1), j) / coefficient(_ALL, m),
        subset_mean(total(v[j], j), _ALL, z, m),
        "x > -oo",
        _SUBSETS,
        why="E_j = E + pi (E_{j-1} + v - E) with pi = e^{x + log e_{j-1} - log e'_j} in [0, 1]",
    ),
    # --- sound, but worse in floats: kept with the point that shows it ---
    Rule(
        "log1p of the growing side",
        log(1 + exp(-x[i])),
        -x[i] + log1p(exp(x[i])),
        "all x",
        (((800.0,), ONE), ((40.0,), ONE)),
        used=False,
        why="e^800 is inf, and at 40 the two terms cancel (a rewriting that SymPy offers)",
    ),
    Rule(
        "one maximum for both sides",
        log(1 + total(exp(-x[j]), j)),
        _TOP + log(exp(-_TOP) + total(exp(-x[j] - _TOP), j)),
        "all x",
        (((900.0, 3.0), (1, 1)),),
        used=False,
        why="a maximum of x_j is no bound for the exponents -x_j: every term underflows, log 0",
    ),
    Rule(
        "mean score out of the sum",
        -total(w[j] * (x[j] - log(_EXPS)), j),
        log(_EXPS) * total(w[j], j) - total(w[j] * x[j], j),
        "all x, w",
        (((20.0, -20.0, -20.0), (1, 0, 0)),),
        used=False,
        why="the loss is the small difference of two numbers of the size of the scores",
    ),
)


def rule(name: str) -> Rule:
    """The rule of that name."""
    for entry in RULES:
        if entry.name == name:
            return entry
    raise ValueError(
        f"there is no rule {name!r}: choose one of {', '.join(entry.name for entry in RULES)}"
    )
