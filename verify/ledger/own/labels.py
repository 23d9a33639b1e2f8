"""One and several labels of a sample: what holds in place of what document 7359 says."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import KroneckerDelta, S, exp, log

from derive.axis import total
from derive.facts import hard, soft
from derive.losses.symbols import i, j, k, s, t, y
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import Decided, Derived, in_floats
from verify.ledger.formulas import d7359 as of
from verify.ledger.formulas import d9064, d9064_code
from verify.ledger.statement import at_least, equation

__all__ = ["ELEMENTS", "ENTRIES", "PADDED_BEST", "PAIR_SEEN", "PULLS", "RIVAL_SEEN", "SIGN_SEEN"]

HARD = hard(y)
ELEMENTS = Derived(
    "combination_softmax",
    "elements",
    "without the label, or with it",
    "the shares of both cases are 1",
)
PADDED_BEST = Derived(
    "padded_combination_softmax", "value", "a label instead of class 0", "the padding cancels"
)
RIVAL_SEEN = Decided(
    equation(exp(log(1 + of.RIVALS)) - 1 - of.ONE_RIVAL, of.OTHER_RIVALS),
    at_least(of.OTHER_RIVALS),
)
#: All pairs but one.
_OTHERS = total(
    total((1 - KroneckerDelta(i, k) * KroneckerDelta(j, of.q)) * of.one_pair(k, of.q), of.q), k
)
PAIR_SEEN = Decided(
    equation(of.PAIRS - of.one_pair(i, j), _OTHERS, HARD), at_least(_OTHERS, S.Zero, HARD)
)
_OTHER_POSITIVES = total((1 - KroneckerDelta(i, k)) * y[k] * exp(-s[k]), k)
_OTHER_NEGATIVES = total((1 - KroneckerDelta(i, k)) * (1 - y[k]) * exp(s[k]), k)
SIGN_SEEN = Decided(
    equation(of.POSITIVES - y[i] * exp(-s[i]), _OTHER_POSITIVES, HARD),
    at_least(_OTHER_POSITIVES, S.Zero, HARD),
    equation(of.NEGATIVES - (1 - y[i]) * exp(s[i]), _OTHER_NEGATIVES, HARD),
    at_least(_OTHER_NEGATIVES, S.Zero, HARD),
    equation(exp(of.ZLPR), (1 + of.POSITIVES) * (1 + of.NEGATIVES), HARD),
)
PULLS = Decided(
    equation(of.ZLPR_PULLS[0], 1 - 1 / (1 + of.POSITIVES), HARD),
    equation(of.ZLPR_PULLS[1], 1 - 1 / (1 + of.NEGATIVES), HARD),
)

_entry = with_topic(own_entry, "labels")

ENTRIES = (
    _entry(
        "for 7359-a",
        "maximum",
        "a loss below log 2 has the target above all other labels",
        r"e^l - 1 = \sum_{k \ne t} e^{s_k - s_t} \ge e^{s_i - s_t} \text{ for every } i \ne t",
        RIVAL_SEEN,
    ),
    _entry(
        "for 7359-h, 7359-C1",
        "elements",
        "a recursion over the labels, all terms of which are positive",
        r"Z_k = Z_k^{-i} + e^{s_i} Z_{k-1}^{-i}, \; P(i \in S) = e^{s_i} Z_{k-1}^{-i} / Z_k",
        ELEMENTS,
        note="Nothing is subtracted, so that the digits stay; and with the probability that a "
        "label is in the subset, label by label, k of n are drawn exactly.",
    ),
    _entry(
        "for 7359-j",
        "padded-best",
        "the best choice with padding is the labels above s_0, the largest K of them at most",
        r"\frac{e^{S + s_i}}{e^{S + s_0}} = e^{s_i - s_0}",
        PADDED_BEST,
    ),
    _entry(
        "for 7359-o",
        "pulls",
        "the pulls of positives and negatives in ZLPR",
        r"-\sum_{pos} \partial_i l = 1 - 1/A, \; \sum_{neg} \partial_i l = 1 - 1/B",
        PULLS,
        HARD.describe(),
        "A and B are the arguments of the logs. Both pulls are below 1 for any counts; where A and "
        "B are near 1 they are the sums of their terms, and so in the ratio of the counts again.",
    ),
    _entry(
        "for 7359-q",
        "one-positive",
        "ZLPR and the pairwise loss with one positive label",
        r"e^{\mathrm{ZLPR}} = e^{\mathrm{CE}} + e^{-s_t} + \sum_{i \ne t} e^{s_i}, \;"
        r" \log(1 + \sum_{ij} e^{s_i - s_j}) = \mathrm{CE}",
        Decided(
            equation(exp(of.ZLPR_OF_ONE), exp(of.CROSS_ENTROPY) + exp(-s[of.c]) + of.OTHERS),
            equation(of.PAIRS_OF_ONE, of.CROSS_ENTROPY),
        ),
    ),
    _entry(
        "for 7359-r, 7359-v",
        "code",
        "ZLPR of this library keeps the digits of a small loss",
        r"|\mathrm{fl}(l) - l| \le 4 \text{ ulp}",
        in_floats(of.core_keeps_small_losses),
        note="At this row; the bound for all rows tried is in the accuracy tables.",
        verdict=Verdict.PROVED_FOR,
    ),
    _entry(
        "for 7359-C2",
        "wrong-sign",
        "a positive label with a score -a costs log 2 and more, about a for large a",
        r"\log(1 + e^a) = \log 2 + \log(1 + \tfrac12 (e^a - 1)) \ge \log 2",
        Decided(
            equation(log(1 + exp(of.LEAD)), log(S(2)) + log(1 + (exp(of.LEAD) - 1) / 2)),
            at_least(log(1 + (exp(of.LEAD) - 1) / 2)),
        ),
        (r"a \ge 0",),
    ),
    _entry(
        "for 9064-31",
        "mixed",
        "the entries of the Hessian of soft ZLPR off the diagonal",
        r"\frac{\partial^2 L}{\partial s_i \partial s_j} = -\frac{t_i t_j e^{-s_i - s_j}}{A^2}"
        r" - \frac{(1 - t_i)(1 - t_j) e^{s_i + s_j}}{B^2}, \; i \ne j",
        Decided(equation(d9064.MIXED, d9064.MIXED_RIGHT, soft(t))),
        soft(t).describe(),
    ),
    _entry(
        "for 9064-39c, 9064-39d",
        "clip",
        "masks that ask the labels as they were before the clip do what they should",
        r"\mathrm{code}(0, -10^7) < 10^{-9}, \; \mathrm{code}(1, 20) < 3 \cdot 10^{-9}",
        in_floats(d9064_code.original_labels_asked),
        note="In float64, at these two labels. This library clips nothing.",
        verdict=Verdict.PROVED_FOR,
    ),
)
