"""Gradient, curvature and step of soft ZLPR at inputs where the bounds are met, in balls."""

from __future__ import annotations

from flint import arb
from sympy import Expr, Symbol

from verify.ledger.balls import Enclosure
from verify.ledger.formulas.rows import Kind, slope

#: A step along the gradient, and its squared norm.
STEP, NORM = Symbol("h", nonnegative=True), Symbol("G", nonnegative=True)
#: The gain to first order, and the most that a curvature 1/2 takes back.
CHANGE: Expr = -STEP * NORM + STEP**2 * NORM / 4
# Far enough for nine digits: 1 - 1/(1 + e^-22) is 3e-10.
FAR = "22"


def _wrong() -> tuple[arb, arb]:
    """The gradient at a negative with a high score and a positive with a low one."""
    row = (Kind("0", FAR), Kind("1", f"-{FAR}"))
    up, down = (slope(kind, row) for kind in row)
    return up, down


def bounds_are_met() -> list[Enclosure]:
    """Entry, 1-norm and 2-norm within 1e-9 of 1, 2 and the root of 2."""
    up, down = _wrong()
    least, where = arb("1e-9"), "n = 2, t = (0, 1), s = (22, -22)"
    root = arb(2).sqrt()
    return [
        Enclosure(where, up, ">", 1 - least, ("g_1", "1 - 1e-9")),
        Enclosure(where, up - down, ">", 2 - least, ("|g|_1", "2 - 1e-9")),
        Enclosure(
            where, (up**2 + down**2).sqrt(), ">", root - least, ("|g|_2", "root of 2 - 1e-9")
        ),
    ]


def _moved(step: str) -> arb:
    """``s_1`` after a step from ``s = (1/10, -1/10)`` with both labels 1/2; ``s_2`` is ``-s_1``."""
    row = (Kind("0.5", "0.1"), Kind("0.5", "-0.1"))
    return arb("0.1") - arb(step) * slope(row[0], row)


def steps_about_four() -> list[Enclosure]:
    """The loss is even in ``s_1`` and rises with its size: the size says whether it rose."""
    where = "n = 2, t = (1/2, 1/2), s = (0.1, -0.1), step {}"
    names = ("|s_1| after the step", "before")
    return [
        Enclosure(where.format("4.1"), abs(_moved("4.1")), ">", arb("0.1"), names),
        Enclosure(where.format("3.9"), abs(_moved("3.9")), "<", arb("0.1"), names),
    ]
