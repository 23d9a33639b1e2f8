"""Smoothing, clipping, mixing and reducing around ZLPR: in symbols and at examples in balls."""

from __future__ import annotations

from flint import arb
from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import Axis, Index, array, total
from derive.calculus import map_entries, partial, resolve
from derive.losses.symbols import LABELS, c, i, k, s, t
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas.d9064_code import code_at
from verify.ledger.formulas.rows import Kind, loss, pull, slope, sums

# Smoothing ----------------------------------------------------------------------------------------

#: ``e`` in (0, 1), as ``1 / (1 + a)``: the label of the negatives, and 1 - e of the one positive c.
E = 1 / (1 + Symbol("a", positive=True))


def _one_positive(index: Index, low: Expr, high: Expr) -> Expr:
    return low + (high - low) * KroneckerDelta(index, c)


def smoothed(expression: Expr, low: Expr, high: Expr) -> Expr:
    """The expression with the label ``high`` at c and ``low`` at all others."""
    return map_entries(expression, t, lambda index: _one_positive(index, low, high))


OTHERS = total((1 - KroneckerDelta(c, k)) * exp(-s[k]), k)
_OWN = exp(-s[c])
HARD_PULL = _OWN / (1 + _OWN)
SMOOTH_PULL = (1 - E) * _OWN / (1 + (1 - E) * _OWN + E * OTHERS)
ONE_SIDED_PULL = (1 - E) * _OWN / (1 + (1 - E) * _OWN)
#: By how much smoothing divides the pull.
LOST = 1 + E * (1 + OTHERS) / ((1 - E) * (1 + _OWN))
#: The slope of the log of A, which is the pull with a minus.
SLOPE_OF_A = resolve(partial(log(of.A), s[c]))
BCE_SLOPE = resolve(partial(of.SOFTPLUS, s[c]))

_N = 9999
#: Where the negatives of label 0.05 are best: half its logit.
_BEST = "-1.4722194895832201"


def _lost(label: str, negatives: str) -> arb:
    """Hard pull over smoothed pull of one positive with score 0 among 10 000 labels."""
    low = (1 - arb(label)).str(20, radius=False)
    own = Kind(label, "0")
    return arb(0.5) / pull(own, (own, Kind(low, negatives, _N)))


def smoothing_loses() -> list[Enclosure]:
    """The factor at the start, where the smoothed negatives are best, and beyond."""
    names = ("hard pull / smoothed pull", "bound")
    where = "10 000 labels, smoothed to 0.95 and 0.05, s_c = 0, other scores {}"
    found = (("0", "264"), (_BEST, "1147"), ("-5", "39000"))
    return [
        Enclosure(where.format(score), _lost("0.95", score), ">", arb(bound), names)
        for score, bound in found
    ]


# Clipping -----------------------------------------------------------------------------------------


def clipped(expression: Expr) -> Expr:
    """With the label e at i, and any others elsewhere."""
    return map_entries(expression, t, lambda own: E + (t[own] - E) * (1 - KroneckerDelta(own, i)))


CLIPPED, _A, _B = (clipped(expression) for expression in (of.GRADIENT, of.A, of.B))
#: The same, so written that its sign is seen.
CLIPPED_SIGN = exp(-s[i]) * (1 - E) / _B * (exp(2 * s[i]) - E / (1 - E) * _B / _A)
_CLIP = "1e-7"


def clip_turns_the_gradient() -> list[Enclosure]:
    """One confident negative, its label clipped to 1e-7; 9999 of them and a positive."""
    alone = tuple(Kind(_CLIP, score) for score in ("-20", "-9", "-8"))
    names = ("slope by the score of the negative", "bound")
    found = [slope(kind, (kind,)) for kind in alone]
    where = "n = 1, t = 0 clipped to 1e-7, s = {}"
    return [
        Enclosure(where.format(-20), found[0], "<", arb("-0.97"), names),
        Enclosure(where.format(-9), found[1], "<", arb("-0.0006"), names),
        Enclosure(where.format(-8), found[2], ">", arb("0.00003"), names),
    ]


def clip_drowns_the_positive() -> list[Enclosure]:
    """9999 negatives at -12, one positive at 0: the pull that is left, and the value."""
    own, crowd = Kind("0.9999999", "0"), Kind(_CLIP, "-12", _N)
    row, hard = (own, crowd), (Kind("1", "0"), Kind("0", "-12", _N))
    where = "9999 negatives at -12 and a positive at 0, labels clipped to 1e-7"
    return [
        Enclosure(where, pull(hard[0], hard), ">", 80 * pull(own, row), ("pull", "80 x clipped")),
        Enclosure(where, loss(row), ">", loss(hard) + 4, ("clipped loss", "loss + 4")),
    ]


def printed_code_turns() -> list[Enclosure]:
    """The mean slope of the printed code between two scores, in float64."""
    ends = [_printed(score) for score in (-20.01, -19.99)]
    names = ("mean slope of the printed code", "bound")
    where = "float64, t = 0, s from -20.01 to -19.99"
    return [Enclosure(where, (ends[1] - ends[0]) / arb("0.02"), "<", arb("-0.97"), names)]


def _printed(score: float) -> arb:
    return code_at(0.0, score, False)


# Mixing -------------------------------------------------------------------------------------------

MIX = Symbol("lambda", real=True)
_V = array("u")
#: Labels ``t + tau d`` along a segment.
TAU, D = Symbol("tau", real=True), array("d")


def with_labels(expression: Expr, labels: Expr) -> Expr:
    """The expression with other labels, given at i."""
    return map_entries(expression, t, lambda index: labels.xreplace({i: index}))


_ALONG = partial(with_labels(of.SOFT, t[i] + TAU * D[i]), TAU, TAU)
#: The second derivative along d, at the labels t, which may be any.
SECOND = resolve(_ALONG).xreplace({TAU: S.Zero})
TURNS = total(D[k] * exp(-s[k]), k), total(D[k] * exp(s[k]), k)
BENT = (TURNS[0] / of.A) ** 2 + (TURNS[1] / of.B) ** 2

EVEN = with_labels(of.SOFT, (t[i] + _V[i]) / 2)
OTHER = with_labels(of.SOFT, _V[i])
_DIFFERENCE = total((t[k] - _V[k]) * exp(-s[k]), k), total((_V[k] - t[k]) * exp(s[k]), k)
_BOTH = tuple(side * with_labels(side, _V[i]) for side in (of.A, of.B))
EVEN_GAP = sum(
    log(1 + difference**2 / (4 * both)) / 2
    for difference, both in zip(_DIFFERENCE, _BOTH, strict=True)
)
V_LABELS = _V
MIXED_BCE = with_labels(of.SOFTPLUS, MIX * t[i] + (1 - MIX) * _V[i])
BCE_OF_MIX = MIX * of.SOFTPLUS + (1 - MIX) * with_labels(of.SOFTPLUS, _V[i])


def mixing_example() -> list[Enclosure]:
    """Two hard rows mixed evenly: their labels, and their losses."""
    rows = [(Kind(a, "3"), Kind(b, "-3")) for a, b in (("1", "0"), ("0", "1"), ("0.5", "0.5"))]
    first, second, mixed = (loss(row) for row in rows)
    names = ("loss of the mixed labels", "mixed losses + 1.7")
    where = "s = (3, -3), labels (1, 0) and (0, 1)"
    return [Enclosure(where, mixed, ">", (first + second) / 2 + arb("1.7"), names)]


# Reducing -----------------------------------------------------------------------------------------

ROWS = Axis("rows", Symbol("b", integer=True, positive=True), letters="pqr")
p, q = ROWS.indices("p q")


def _row(row: Index) -> Expr:
    return total(t[row, k] * exp(-s[row, k]), k)


#: One sum over a whole batch, in place of one for each row.
FLAT_A, ROW_A = 1 + total(_row(q), q), 1 + _row(p)
FLAT_SLOPE = partial(log(FLAT_A), s[p, i])
ROW_SLOPE = partial(total(log(1 + _row(q)), q), s[p, i])
OTHER_ROWS = total((1 - KroneckerDelta(p, q)) * _row(q), q)
ROW_TERM = t[p, i] * exp(-s[p, i])
#: The mean in place of the sum inside of each log.
MEAN_A, MEAN_B = (1 + (side - 1) / LABELS.size for side in (of.A, of.B))
MEAN_SLOPE = partial(log(MEAN_A) + log(MEAN_B), s[i])
MEAN_GRADIENT = of.NEGATIVE / (LABELS.size + of.B - 1) - of.POSITIVE / (LABELS.size + of.A - 1)


def flattened_batch() -> list[Enclosure]:
    """256 rows with one positive each, all scores of positives 0: each pull, and one for all."""
    alone, flat = sums((Kind("1", "0"),))[0], sums((Kind("1", "0", 256),))[0]
    names = ("pull in its row / pull in the flat batch", "bound")
    return [Enclosure("256 rows, a positive at 0 in each", flat / alone, ">", arb(128), names)]


def mean_inside() -> list[Enclosure]:
    """One positive at 0 among 10 000 labels."""
    pulled = arb(1) / 2, arb(1) / 10001
    names = ("pull / pull with the mean inside", "bound")
    where = "one positive at 0 among 10 000 labels"
    return [Enclosure(where, pulled[0] / pulled[1], ">", arb(5000), names)]
