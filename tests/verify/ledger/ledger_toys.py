"""Small entries on which the ledger itself is tried."""

from __future__ import annotations

from flint import arb
from sympy import Symbol

from derive.axis import array, labels_axis, total
from verify.ledger.balls import Enclosure
from verify.ledger.entry import Entry, Evidence, Verdict

LABELS = labels_axis()
i, j = LABELS.indices("i j")
s = array("s")
N = Symbol("n", integer=True, positive=True)
SQUARE = total(s[j], j) ** 2
SQUARES = total(s[j] ** 2, j)
MEAN = total(s[j], j) / LABELS.size
#: ``n sum s^2 - (sum s)^2``, as squares.
SPREAD = total((s[i] - MEAN) ** 2, i)


def entry(verdict: Verdict, evidence: Evidence, name: str = "toy-a") -> Entry:
    correction = "toy-b" if verdict is Verdict.REFUTED else ""
    return Entry(name, "toy", "here", "says", "a = b", verdict, evidence, correction=correction)


def numbers(left: str, relation: str, right: str) -> list[Enclosure]:
    return [Enclosure("toy", arb(left), relation, arb(right))]
