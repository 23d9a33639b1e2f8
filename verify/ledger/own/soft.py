"""Soft labels: what holds in place of what document 9064 says in its remarks."""

from __future__ import annotations

from sympy import S, log

from derive.axis import total
from derive.calculus import partial
from derive.facts import hard, soft
from derive.losses.symbols import LABELS, at_index, i, k, s, t, y
from verify.ledger.entry import Entry, Evidence, Verdict, entry_at
from verify.ledger.evidence import Decided, Witnessed
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_remarks as remarks
from verify.ledger.statement import at_least, equation

__all__ = ["BCE_SLOPE", "ENTRIES", "MIXED_HARD", "NO_CLIP", "PARTS_AT_ZERO", "SAME_AS_EQ_5"]

UNIT, HARD = soft(t), hard(y)
POSITIVES, NEGATIVES = remarks.COUNTS
BCE_SLOPE = Decided(equation(partial(of.HARD_SOFTPLUS, s[i]), of.sigmoid(s[i]) - y[i], HARD))
#: Each label by itself, as eq. 8 is for one label.
MIXED_HARD = Decided(equation(partial(of.SOFTPLUS, s[i]), of.sigmoid(s[i]) - t[i], UNIT))
_ROOM = POSITIVES * (LABELS.size + 2)
PARTS_AT_ZERO = Decided(
    equation(remarks.at_zero(of.HARD), log(1 + POSITIVES) + log(1 + NEGATIVES), HARD),
    equation((1 + LABELS.size) * (1 + POSITIVES) - (1 + NEGATIVES), _ROOM, HARD),
    at_least(_ROOM, S.Zero, HARD),
)
#: Eq. 5 of the original, its sums from eq. 6.
_EQ_5 = log(1 + total(at_index(of.POSITIVE, k), k)) + log(1 + total(at_index(of.NEGATIVE, k), k))
SAME_AS_EQ_5 = Decided(equation(of.SOFT, _EQ_5, UNIT))
NO_CLIP = Witnessed(remarks.infinities_are_handled)


def _entry(
    number: str,
    place: str,
    says: str,
    statement: str,
    evidence: Evidence,
    verdict: Verdict = Verdict.PROVED,
    assumptions: tuple[str, ...] = (),
    note: str = "",
) -> Entry:
    return entry_at(
        "own", place, f"soft-{number}", says, statement, verdict, evidence, assumptions, "", note
    )


ENTRIES = (
    _entry(
        "mixed-losses",
        "for 9064-b, 9064-41c",
        "hard losses mixed with the weights of the labels: of one label the slope is that of "
        "binary cross-entropy, zero at sigma(s) = t",
        r"\partial_s (t \log(1 + e^{-s}) + (1 - t) \log(1 + e^s)) = \sigma(s) - t",
        MIXED_HARD,
        assumptions=UNIT.describe(),
        note="Of several labels the slopes are mixed too, but where they vanish has no closed form "
        "then.",
    ),
    _entry(
        "parts",
        "for 9064-g",
        "with scores 0 the two logs of ZLPR are those of the counts, at most log(n + 1) apart",
        r"\log(1 + |pos|), \; \log(1 + |neg|), \; 1 + |neg| \le (1 + n)(1 + |pos|)",
        PARTS_AT_ZERO,
        assumptions=HARD.describe(),
    ),
    _entry(
        "bce-slope",
        "for 9064-7b",
        "the slope of binary cross-entropy by a score has nothing of the other labels",
        r"\partial_i \mathrm{BCE} = \sigma(s_i) - y_i",
        BCE_SLOPE,
        assumptions=HARD.describe(),
    ),
    _entry(
        "eq-5",
        "for 9064-16b",
        "eq. 16 is eq. 5 of the original",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i})",
        SAME_AS_EQ_5,
        assumptions=UNIT.describe(),
    ),
    _entry(
        "no-clip",
        "for 9064-s, 9064-S15a",
        "eq. 39 with log 0 = -inf is computed as it is",
        r"|\mathrm{fl}(l) - l| < 10^{-15} \text{ at } t = (1, 0), \; s = (1, -2)",
        NO_CLIP,
        Verdict.PROVED_FOR,
        note="In float64, with the zero among the exponents: the largest is finite. A score "
        "-inf with a label 0 needs care: -s + log t is inf - inf.",
    ),
)
