"""What is stated around a loss, in symbols and at examples: smoothed labels, a teacher's labels."""

from __future__ import annotations

from flint import arb
from sympy import Expr, Symbol, exp

from derive.axis import total
from derive.losses.symbols import LABELS, k, s, t, v, y
from verify.ledger.balls import Enclosure

#: eps in (0, 1) as ``1 / (1 + a)``, as in the derivations, and what n - 1 of n classes have of it.
ODDS = Symbol("a", positive=True)
RATE = (1 - 1 / LABELS.size) / (1 + ODDS)

#: The negatives' sums of two heads; what is under the log in one row of both, and what is not.
FIRST = total((1 - y[k]) * exp(s[k]), k)
SECOND = total((1 - t[k]) * exp(v[k]), k)
IN_ONE_ROW, CROSSED = 1 + total((1 - y[k]) * exp(s[k]) + (1 - t[k]) * exp(v[k]), k), FIRST * SECOND


def among_others(label: Expr) -> Expr:
    """``(1 - delta) y + (1 - y) delta / (n - 1)``, with ``delta / (n - 1) = eps / n``."""
    return (1 - RATE) * label + (1 - label) / (1 + ODDS) / LABELS.size


def gaps_of_smoothed_labels() -> list[Enclosure]:
    """``log(1 + n (1 - eps) / eps)`` with eps = 0.1 among 10, 1000 and 30 000 classes."""
    names, found = ("gap at the least loss", "bound"), []
    for classes, ends in ((10, (4.5, 4.55)), (1000, (9.1, 9.15)), (30000, (12.5, 12.55))):
        gap, where = (1 + arb(classes) * 9).log(), f"eps = 0.1, n = {classes}"
        found += [
            Enclosure(where, gap, sign, arb(end), names)
            for sign, end in zip("><", ends, strict=True)
        ]
    return found


def temperature_squared_is_a_limit() -> list[Enclosure]:
    """T^2 times the size of the gradient by the first score: 5/2 in the limit of large T."""
    bounds = {1: ("<", "0.5"), 4: ("<", "1.7"), 100: (">", "2.49")}
    names, who = ("T^2 |gradient|", "bound"), "student (0, 0), teacher (10, 0)"
    return [
        Enclosure(f"{who}, T = {heat}", _scaled(heat), sign, arb(b), names)
        for heat, (sign, b) in bounds.items()
    ]


def _scaled(temperature: int) -> arb:
    """``T^2 (sigma(10/T) - 1/2) / T``."""
    share = 1 / (1 + (-arb(10) / temperature).exp())
    return temperature * (share - arb(1) / 2)
