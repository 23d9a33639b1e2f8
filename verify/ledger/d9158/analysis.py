"""Document 9158: what its losses do on hard labels and on classes of unequal counts."""

from __future__ import annotations

from functools import partial as with_place

from derive.facts import soft
from derive.losses.grid.common import LABEL
from verify.ledger.d9158.ways import HARD_ROWS, POSITIVE_ROWS, RELIEVED, ROWS, TWO_CLASSES
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import (
    Contrary,
    Decided,
    Tried,
    Unsupported,
    Witnessed,
)
from verify.ledger.experiments import clouds
from verify.ledger.formulas import d9158 as of
from verify.ledger.own.grid import BLIND, MIRRORED, PLAIN_SHARE, SOLUTION

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9158")
_analysis, _end = with_place(_at, "analysis"), with_place(_at, "end")

ANALYSIS = (
    _analysis(
        "j1",
        "loss 3 does badly on hard labels because of the limits of optimisation algorithms",
        r"\text{argmax wrong at } l \approx 0, \text{ as the algorithm is limited}",
        Verdict.UNSUPPORTED,
        Unsupported(
            BLIND,
            Contrary(
                "an exact algorithm is as content there: the loss goes to 0 with the argmax wrong",
                Witnessed(of.wrong_and_small),
            ),
        ),
        HARD_ROWS,
        "own-grid-centred-blind",
        "The loss itself does not see the scores of the other classes one by one.",
    ),
    _analysis(
        "j2",
        "loss 1 cannot be evaluated theoretically on soft labels, as it has no analytic solution",
        r"\arg\min_s l(s; t) \text{ is unknown}",
        Verdict.REFUTED,
        Contrary(
            "its solution is t = softmax(2s + log D)", Witnessed(of.solution_of_loss_1), SOLUTION
        ),
        POSITIVE_ROWS,
        "own-grid-solution",
    ),
    _analysis(
        "k",
        "for m = 2 loss 1 and loss 3 both become the multi-label cross-entropy",
        r"l_1 = \mathrm{ZLPR}(x), \; l_3 = \mathrm{ZLPR}(x/2), \; x_i = s_{i0} - s_{i1}",
        Verdict.PROVED,
        Decided(*TWO_CLASSES),
        (r"m = 2", *soft(LABEL).describe()),
        note="Loss 3 of half the scores: t = sigma(x) for loss 3, sigma(2x) for loss 1.",
    ),
    _analysis(
        "l",
        "loss 1 works rather well on hard labels",
        r"\text{accuracy of loss 1} \approx \text{that of cross-entropy}",
        Verdict.EMPIRICAL,
        Tried("a linear model on three overlapping clouds of 300, 100, 30 points", clouds),
        note="On handwritten digits, 100 of the most frequent class and 4 of the rarest, 12 "
        "repeats (benchmarks/digits.py), against cross-entropy: mean recall .884 to .864 with a "
        "linear model and .882 to .876 with a hidden layer; accuracy with the classes as frequent "
        "as in training .952 to .952 and .937 to .957. Proved is 9158-c; not to be expected, "
        "9158-q.",
    ),
    _analysis(
        "m",
        "in the plain sum the share of a class is proportional to its number of samples",
        r"\sum_i t_{ij} \log(1 + u_{ij}) \propto n_j = \sum_i t_{ij}",
        Verdict.REFUTED,
        Contrary(
            "a share is the count times the mean loss, and the means part with training: half "
            "or a tenth of the samples has most of the loss",
            Witnessed(of.rare_class_leads),
            PLAIN_SHARE,
        ),
        HARD_ROWS,
        "own-grid-plain-share",
        "For equal scores, before training, it is so exactly.",
    ),
    _analysis(
        "n",
        "with the sum inside the log the share of a class is roughly the log of its count",
        r"\log(1 + \sum_i t_{ij} u_{ij}) \approx \log n_j",
        Verdict.REFUTED,
        Contrary(
            "where the sums are small the log is linear, and the shares are as the counts",
            Witnessed(of.well_fitted_shares),
        ),
        ROWS,
        "own-grid-load",
    ),
    _analysis(
        "o",
        "hence the imbalance of the classes is relieved",
        r"1 < \frac{N'_j / (1 + N'_j)}{N_j / (1 + N_j)} < \frac{N'_j}{N_j} = 1 + \kappa",
        Verdict.UNSUPPORTED,
        Unsupported(
            Decided(*RELIEVED),
            Contrary("the share is not the log of the count", Witnessed(of.well_fitted_shares)),
        ),
        (r"N_j > 0, \; \kappa > 0",),
        "own-grid-load",
        "A class with 1 + kappa times the samples at the same scores pulls less than that much "
        "more: by the bound 1 of a pull, not by a log of the count.",
    ),
)

END = (
    _end(
        "p",
        "a generalisation with both properties, a log per class and a known minimum, is not found",
        r"\nexists \, l: \text{one log a class, closed form of } \arg\min_s l(s; t)",
        Verdict.REFUTED,
        Contrary(
            "the mean of loss 1 and its mirror image has both",
            Witnessed(of.minimum_of_mirrored),
            MIRRORED,
        ),
        POSITIVE_ROWS,
        "own-grid-mirrored",
    ),
    _end(
        "q",
        "for hard labels loss 1 should be enough",
        r"\arg\max_j s^*_{ij} \text{ is the most frequent label of input } i",
        Verdict.REFUTED,
        Contrary(
            "11 hard labels at two inputs, for which the least loss 1 decides against the majority",
            Witnessed(of.frequencies_lost),
        ),
        (r"s^* = \arg\min_s l_1",),
        "own-grid-decoding",
        "Where every input has one label it is enough (9158-c).",
    ),
)

ENTRIES = (*ANALYSIS, *END)
