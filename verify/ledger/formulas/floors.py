"""The least value of a loss over all scores, for given labels: in symbols and at examples."""

from __future__ import annotations

from flint import arb
from sympy import Expr, exp, log, sqrt

from derive.axis import total
from derive.calculus import replace_index
from derive.losses import unified
from derive.losses.symbols import i, j, k, s, t, y
from verify.ledger.balls import Enclosure
from verify.ledger.formulas import d9064_views as views
from verify.ledger.formulas.rows import Kind, floor, loss

ENTROPIES = total(replace_index(views.entropy(t[i]), i, k), k)
#: By how much label and probability, and their complements, lie over the tangent of the log.
_RATIOS = t[k] * (1 + exp(-s[k])), (1 - t[k]) * (1 + exp(s[k]))
DIVERGENCES = total(
    t[k] * (log(_RATIOS[0]) - 1 + 1 / _RATIOS[0])
    + (1 - t[k]) * (log(_RATIOS[1]) - 1 + 1 / _RATIOS[1]),
    k,
)

#: ``N`` of the unified loss with soft labels, and its part without scores.
SOFT_PAIRS: Expr = unified.N.xreplace({y: t})
OVERLAP = total(sqrt(t[k] * (1 - t[k])), k)
LEAST_PAIRS = 1 + unified.LIFT * OVERLAP**2
_GAMMA = unified.GAMMA


def _root(first: Expr, second: Expr) -> Expr:
    """``x_j y_k``: roots of the two kinds of terms."""
    return (
        sqrt(t[first])
        * exp(-_GAMMA * s[first] / 2)
        * sqrt(1 - t[second])
        * exp(_GAMMA * s[second] / 2)
    )


PAIR_SQUARES = unified.LIFT * total(total((_root(j, k) - _root(k, j)) ** 2, k), j) / 2

#: One positive among 10 000 labels, smoothed by 1/20, and what a perfect model says of them.
LABELS_SMOOTHED = (Kind("0.95", "0"), Kind("0.05", "0", 9999))
_BEST = "1.4722194895832201"
SMOOTHED_AT_BEST = (Kind("0.95", _BEST), Kind("0.05", f"-{_BEST}", 9999))


def _entropy(p: str) -> arb:
    share = arb(p)
    return -share * share.log() - (1 - share) * (1 - share).log()


def floors_of_smoothed_labels() -> list[Enclosure]:
    """Soft ZLPR and binary cross-entropy; ZLPR at the score at which the label is 0.95."""
    least, cross = floor(LABELS_SMOOTHED), 10000 * _entropy("0.05")
    where = "one positive among 10 000 labels, smoothed to 0.95 and 0.05"
    names = ("least soft ZLPR", "bound")
    cross_names = ("least binary cross-entropy", "bound")
    return [
        Enclosure(where, least, ">", arb("15.37"), names),
        Enclosure(where, least, "<", arb("15.38"), names),
        Enclosure(where, cross, ">", arb("1985.1"), cross_names),
        Enclosure(where, cross, "<", arb("1985.2"), cross_names),
    ]


def smoothed_loss_stalls() -> list[Enclosure]:
    """At the best scores, rounded, the loss is the floor; the hard loss there is not small."""
    excess = loss(SMOOTHED_AT_BEST) - floor(LABELS_SMOOTHED)
    hard = loss((Kind("1", "10"), Kind("0", "-20", 9999)))
    names = ("loss less its floor", "bound")
    return [
        Enclosure("10 000 smoothed labels, s = logit(t)/2", excess, "<", arb("1e-20"), names),
        Enclosure(
            "one hard positive at 10, 9999 negatives at -20",
            hard,
            "<",
            arb("7e-5"),
            ("loss", "bound"),
        ),
    ]
