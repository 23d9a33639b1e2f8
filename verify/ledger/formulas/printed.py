"""The printed code in symbols, and at rows: where its value is right, and where it breaks."""

from __future__ import annotations

from functools import partial as with_mask

import numpy as np
from flint import arb
from sympy import Expr, S, Symbol, exp, log

from derive.axis import Index, total
from derive.calculus import map_entries
from derive.losses.symbols import k, s, y
from verify.accuracy import ulp_error
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d7359, d9064
from verify.ledger.printed import SNIPPETS, NumpyLibrary, Snippet
from verify.ledger.printed.snippets import hard
from verify.oracle import BallOracle

# Document 7359: M is the constant that masks ----------------------------------------------------

MASK = Symbol("M", positive=True)


def _sum(own: Expr) -> Expr:
    """``sum_i e^{(1 - 2 y_i) s_i - M own_i}``."""
    return total(exp((1 - 2 * y[k]) * s[k] - MASK * own), k)


CODE = log(1 + _sum(y[k])) + log(1 + _sum(1 - y[k]))
#: What it adds to the sums of eq. 11.
LEAK = exp(-MASK)
LEAKED = log(1 + d7359.NEGATIVES + LEAK * d7359.POSITIVES) + log(
    1 + d7359.POSITIVES + LEAK * d7359.NEGATIVES
)
#: e^code - e^l.
EXCESS = LEAK * (
    d7359.POSITIVES * (1 + d7359.POSITIVES)
    + d7359.NEGATIVES * (1 + d7359.NEGATIVES)
    + LEAK * d7359.POSITIVES * d7359.NEGATIVES
)
CODE_AT_HALF = map_entries(CODE, y, lambda _: S.Half)

# Document 9064: epsilon in (0, 1/2] as 1 / (2 + a) ------------------------------------------------

EPSILON = 1 / (2 + d9064.ALPHA)


def clipped(index: Index) -> Expr:
    """A label 0 or 1, clipped."""
    return EPSILON * (1 - y[index]) + (1 - EPSILON) * y[index]


#: sqrt(c (1 - c)) over the clipped labels, and what each of them is.
SPREADS = total((clipped(k) * (1 - clipped(k))) ** S.Half, k)
SPREAD = (EPSILON * (1 - EPSILON)) ** S.Half
#: The sums of the clipped labels, where one that is to take no part takes none.
KEPT = (
    total(y[k] * clipped(k) * exp(-s[k]), k),
    total((1 - y[k]) * (1 - clipped(k)) * exp(s[k]), k),
)

# Rows ---------------------------------------------------------------------------------------------


def _run(snippet: str, scores: list[float], labels: list[float], dtype: str) -> float:
    value, _ = NumpyLibrary().run(SNIPPETS[snippet], labels, scores, dtype)
    return float(value)


def _fit(score: float) -> arb:
    return (-arb(score)).exp().log1p()


def value_vanishes() -> list[Enclosure]:
    """One label fitted by a score: the last float of a format for which a 1 hears it."""
    found = []
    for dtype, kept, gone in (("float32", 16.63, 16.64), ("float64", 36.73, 36.74)):
        names = ("the printed code", "a millionth of the loss")
        for score, relation in ((kept, ">"), (gone, "<")):
            value, bound = arb(_run("7359 code", [score], [1], dtype)), _fit(score) / 10**6
            found.append(Enclosure(f"{dtype}, y = 1, s = {score}", value, relation, bound, names))
    return found


def four_ulp() -> list[Enclosure]:
    """One label fitted by a score: the error of the code in ulp."""
    found = []
    for dtype, near, far in (("float32", 1.0, 4.0), ("float64", 1.0, 4.0)):
        for score, relation in ((near, "<"), (far, ">")):
            error = _ulps("7359 code", [score], [1], dtype)
            where, names = f"{dtype}, y = 1, s = {score}", ("error in ulp", "the contract")
            found.append(Enclosure(where, arb(error), relation, arb(4), names))
    return found


def _ulps(snippet: str, scores: list[float], labels: list[float], dtype: str) -> float:
    truth = BallOracle("soft_zlpr")(scores, labels).value
    return ulp_error(_run(snippet, scores, labels, dtype), truth, abs(truth), dtype)


#: A row that is nothing special.
ROW, ROW_LABELS = [1.5, -0.5, -2.0], [1.0, 0.0, 0.0]
# The largest power of ten that is a float16; e^-1e4 is 0 in each format.
SMALL_MASK = 1e4


def smaller_mask() -> list[Enclosure]:
    """The code with the constant 1e4 in float16, where 1e12 is infinite."""
    code = Snippet("7359 code", "", "soft_zlpr", with_mask(hard, mask=SMALL_MASK))
    truth = BallOracle("soft_zlpr")(ROW, ROW_LABELS).value
    found = []
    for dtype in ("float16", "float32", "float64"):
        value, _ = NumpyLibrary().run(code, ROW_LABELS, ROW, dtype)
        error = arb(ulp_error(float(value), truth, truth, dtype))
        where = f"{dtype}, scores (1.5, -0.5, -2), labels (1, 0, 0)"
        names = ("error in ulp with the mask 1e4", "the contract")
        found.append(Enclosure(where, error, "<", arb(4), names))
    return found


def masks_collide() -> list[Enclosure]:
    """The code with labels asked before the clip, where it subtracts its mask from a mask."""
    rest = _true_rest()
    found = []
    for mask, relation, bound in ((-1e7, "<", rest + arb("1e-6")), (-1e12, ">", arb(4000))):
        value = arb(_run("9064 asked", [2.0, -1.0, mask], [1, 0, 0], "float64"))
        where = f"float64, scores (2, -1, {mask:g}), labels (1, 0, 0)"
        names = ("labels asked before the clip", "bound")
        found.append(Enclosure(where, value, relation, bound, names))
    infinite = _run("9064 asked", [2.0, -1.0, -np.inf], [1, 0, 0], "float64")
    where, names = "float64, scores (2, -1, -inf), labels (1, 0, 0)", ("the same", "bound")
    return [*found, Enclosure(where, arb(infinite), ">", arb(10) ** 300, names)]


def _true_rest() -> arb:
    return (-arb(2)).exp().log1p() + (-arb(1)).exp().log1p()


def masks_set() -> list[Enclosure]:
    """Masks set in place of subtracted, as the text says: relative error below 1e-7."""
    found = []
    for mask in (-1e7, -1e12, -np.inf):
        value = _run("9064 text", [2.0, -1.0, mask], [1, 0, 0], "float64")
        error = abs(arb(value) / _true_rest() - 1)
        where = f"float64, scores (2, -1, {mask:g}), labels (1, 0, 0)"
        names = ("relative error", "epsilon")
        found.append(Enclosure(where, error, "<", arb("1e-7"), names))
    return found


def floor_of_code() -> list[Enclosure]:
    """1000 hard labels at the best scores of the code, and 2 further out and in."""
    best = float(np.log((1 - 1e-7) / 1e-7) / 2)
    labels = [1.0] + [0.0] * 999
    found = []
    for score, bound in ((best, "0.5492"), (best + 2, "1.2"), (best - 2, "1.2")):
        value = _run("9064 code", [score] + [-score] * 999, labels, "float64")
        where = f"float64, 1000 hard labels, each right by {score:.3f}"
        found.append(Enclosure(where, arb(value), ">", arb(bound), ("the printed code", "bound")))
    where, names = "10 000 hard labels", ("2 log(1 + n sqrt(eps (1 - eps)))", "bound")
    epsilon = arb("1e-7")
    most = 2 * (10**4 * (epsilon * (1 - epsilon)).sqrt()).log1p()
    return [*found, Enclosure(where, most, ">", arb("2.85"), names)]


def newton_loses() -> list[Enclosure]:
    """Scores (a, 0, 0, 0), k = 3: loss ``log(3 + e^-a)``, by eq. 3."""
    found = []
    names = ("relative error by eq. 3", "bound")
    table = {
        "float32": ((2.0, "<", "1e-5"), (8.0, ">", "0.1")),
        "float64": ((2.0, "<", "1e-14"), (18.0, ">", "0.01"), (20.0, ">", "0.1")),
    }
    for dtype, rows in table.items():
        for lead, relation, bound in rows:
            value = arb(_run("7359 eq. 3", [lead, 0, 0, 0], [1, 1, 1, 0], dtype))
            truth = (3 + (-arb(lead)).exp()).log()
            where = f"{dtype}, scores ({lead:g}, 0, 0, 0), k = 3"
            found.append(Enclosure(where, abs(value / truth - 1), relation, arb(bound), names))
    return found
