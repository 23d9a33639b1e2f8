"""Document 7359, eq. 6 to 11: comparisons of positive with negative scores, and ZLPR."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, exp, log

from derive.facts import hard
from derive.losses.symbols import y
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Contrary, Decided, Empirical, Witnessed
from verify.ledger.formulas import d7359 as of
from verify.ledger.own.labels import PAIR_SEEN, PULLS, RIVAL_SEEN
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "7359")
HARD = hard(y)
ARGUMENT = 1 + of.PAIRS
OF_EXPONENTIAL = equation(of.CROSS_ENTROPY, log(1 + of.RIVALS))

ENTRIES = (
    _at(
        "eq.6",
        "6",
        "softmax cross-entropy by differences to the target",
        r"-\log \frac{e^{s_t}}{\sum_i e^{s_i}} = \log(1 + \sum_{i \ne t} e^{s_i - s_t})",
        Verdict.PROVED,
        Decided(OF_EXPONENTIAL),
    ),
    _at(
        "eq.7",
        "7",
        "the log of a sum of exponentials is about the maximum",
        r"\max_j x_j \le \log(1 + \sum_{i \le n} e^{x_i}) \le \max_j x_j + \log(n + 1), \; x_0 = 0",
        Verdict.PROVED,
        Decided(
            equation((1 + of.LABELS.size) * (1 + of.TOP) - of.SUM_BELOW_TOP, of.ROOM),
            at_least(of.ROOM),
            equation(of.SUM_BELOW_TOP - 1, (1 + of.TOP) * of.SHARES),
        ),
        (r"e^{x_j} = (1 + A)/(1 + D_j), \; e^{\max} = 1 + A, \; D_j \ge 0",),
        note="Up to log(n + 1), with scores of any size. Where all differences are far below 0 the "
        "maximum is 0 and the loss is their sum: about equal in size, not in ratio.",
    ),
    _at(
        "after eq.7",
        "l",
        "with the largest difference below 0 the target is above every other label",
        r"e^l - 1 \ge e^{s_i - s_t} \text{ for every } i \ne t",
        Verdict.PROVED,
        RIVAL_SEEN,
        note="So l < log 2 puts the target above all others.",
    ),
    _at(
        "eq.8",
        "8",
        "the loss over all pairs of a negative and a positive label factors",
        r"\log(1 + \sum_{i \in neg, j \in pos} e^{s_i - s_j})"
        r" = \log(1 + \sum_{neg} e^{s_i} \sum_{pos} e^{-s_j})",
        Verdict.PROVED,
        Decided(equation(log(ARGUMENT), log(1 + of.NEGATIVES * of.POSITIVES), HARD)),
        HARD.describe(),
    ),
    _at(
        "eq.9",
        "9",
        "the same with scale and margin",
        r"\log(1 + \sum_{ij} e^{\gamma (s_i - s_j + m)})"
        r" = \log(1 + \sum_{neg} e^{\gamma (s_i + m)} \sum_{pos} e^{-\gamma s_j})",
        Verdict.PROVED,
        Decided(equation(log(1 + of.SCALED_PAIRS), log(1 + of.SCALED_SUMS), HARD)),
        (*HARD.describe(), r"\gamma > 0"),
        note="Eq. 1 of the Circle loss paper (arXiv:2002.10857), there of similarity scores.",
    ),
    _at(
        "after eq.9",
        "m",
        "eq. (1) of the Circle loss paper is not called Circle loss, its eq. (4) is",
        r"\text{Circle loss} = \text{eq. (4)}",
        Verdict.EMPIRICAL,
        Empirical("reading arXiv:2002.10857, where eq. (4) has weights of its own for each score"),
    ),
    _at(
        "next section",
        "n",
        "for a fixed k use eq. 8 and output the k largest scores",
        r"e^l - 1 \ge e^{s_i - s_j} \text{ for every } i \in neg, j \in pos",
        Verdict.PROVED,
        PAIR_SEEN,
        HARD.describe(),
        note="So l < log 2 has every positive above every negative: the k largest are the labels.",
    ),
    _at(
        "eq.10",
        "10",
        "with a threshold class the loss is a sum of two logs",
        r"\log(1 + \sum_{ij} e^{s_i - s_j} + \sum_{neg} e^{s_i - s_0} + \sum_{pos} e^{s_0 - s_j})"
        r" = \log(e^{s_0} + \sum_{neg} e^{s_i}) + \log(e^{-s_0} + \sum_{pos} e^{-s_j})",
        Verdict.PROVED,
        Decided(equation(log(of.WITH_THRESHOLD), log(of.FACTORS[0]) + log(of.FACTORS[1]), HARD)),
        HARD.describe(),
    ),
    _at(
        "eq.11",
        "11",
        "ZLPR: the threshold at 0",
        r"l = \log(1 + \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j})",
        Verdict.PROVED,
        Decided(equation(log(of.WITH_THRESHOLD.xreplace({of.S0: S.Zero})), of.ZLPR, HARD)),
        HARD.describe(),
    ),
    _at(
        "after eq.11",
        "o",
        "it has no class imbalance, the log-sum-exp balances the weights",
        r"-\sum_{pos} \partial_i l \approx \sum_{neg} \partial_i l",
        Verdict.REFUTED,
        Contrary("fitted labels count one by one again", Witnessed(of.fitted_pulls), PULLS),
        HARD.describe(),
        "own-labels-pulls",
        "At scores 0 the pulls are within a factor 2 of each other.",
    ),
    _at(
        "after eq.11",
        "p",
        "it is not several binary problems but comparisons of target and non-target scores",
        r"e^l = 1 + \sum_{ij} e^{s_i - s_j} + \sum_{neg} e^{s_i} + \sum_{pos} e^{-s_j}",
        Verdict.PROVED,
        Decided(
            equation(exp(of.ZLPR), 1 + of.PAIRS + of.NEGATIVES + of.POSITIVES, HARD),
        ),
        HARD.describe(),
        note="Each label is compared with every label of the other kind and with the threshold. "
        "What is balanced by it and what is not: 7359-o.",
    ),
    _at(
        "after eq.11",
        "q",
        "it is the natural generalisation of softmax and cross-entropy: that of one label is the "
        "case of one positive",
        r"\text{ZLPR} = -\log \mathrm{softmax}(s)_t \text{ for one label } t",
        Verdict.REFUTED,
        Decided(equation(of.ZLPR_OF_ONE, of.CROSS_ENTROPY)),
        (r"\text{one positive label } t",),
        "own-labels-one-positive",
        "With one positive, eq. 8 is softmax cross-entropy; eq. 11 has two terms more, for the "
        "threshold. What it is for any labels: two softmax cross-entropies, of the threshold among "
        "the negatives and, all scores negated, of the threshold among the positives.",
    ),
)
