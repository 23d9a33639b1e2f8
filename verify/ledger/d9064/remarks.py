"""Document 9064: its remarks up to section 10, the original text and the derivations."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, log

from derive.axis import total
from derive.calculus import partial
from derive.losses.symbols import i, j, s, t
from verify.ledger.d9064.equations import (
    GIVEN,
    GIVEN_HARD,
    HARD,
    LEAST,
    OF_LINK,
    TO_HARD,
    UNIT,
)
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Contrary, Decided, Tried, Unsupported, Witnessed
from verify.ledger.experiments import rare_labels
from verify.ledger.formulas import d7359
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_remarks as remarks
from verify.ledger.own.soft import BCE_SLOPE, MIXED_HARD, NO_CLIP, PARTS_AT_ZERO, SAME_AS_EQ_5
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_orig, _impl = with_place(_at, "orig."), with_place(_at, "orig. impl.")
_two, _three, _seven, _eight = (with_place(_at, f"s{n}") for n in (2, 3, 7, 8))
_nine, _ten = with_place(_at, "s9"), with_place(_at, "s10")

MIXABLE = Contrary(
    "a mixture of hard losses has its minimum at the mixed label",
    Witnessed(remarks.mixture_of_hard_losses),
    MIXED_HARD,
)
CLIP = Decided(
    at_least(remarks.EPSILON - remarks.BELOW, S.Zero, UNIT),
    at_least(remarks.EPSILON, remarks.EPSILON - remarks.BELOW, UNIT),
    at_least(remarks.ABOVE, 1 - remarks.EPSILON, UNIT),
)
UNTRAINED = Decided(
    equation(d7359.UNTRAINED[0], d7359.COUNTS[0] / 2, HARD),
    equation(d7359.UNTRAINED[1], d7359.COUNTS[1] / 2, HARD),
)
#: ZLPR at scores 0.
UNTRAINED_FIRST = Decided(
    equation(remarks.PULLS_AT_ZERO[0], d7359.COUNTS[0] / (1 + d7359.COUNTS[0]), HARD),
    equation(remarks.PULLS_AT_ZERO[1], d7359.COUNTS[1] / (1 + d7359.COUNTS[1]), HARD),
)
_RATIO = log(remarks.teacher(i) / remarks.teacher(j))
OF_TEMPERATURE = Decided(
    equation(_RATIO, remarks.COLD * (s[i] - s[j])),
    equation(_RATIO / remarks.COLD, s[i] - s[j]),
)
RARE = Tried(
    "a linear model of 20 labels, each present once in 50 times, trained with Adam", rare_labels
)
IN_NEITHER_SET = Decided(equation(partial(remarks.OF_SETS, s[i]), remarks.SLOPE_OF_SETS))

ORIGINAL = (
    _at(
        "orig. eq.1",
        "a",
        "the hard loss works under imbalance",
        r"\text{F1 with } l > \text{F1 with BCE, where } |pos| \ll |neg|",
        Verdict.EMPIRICAL,
        RARE,
        note="The lead is that of the start, after many steps the two are close. What its gradient "
        "balances and what not: own-labels-pulls.",
    ),
    _orig(
        "b",
        "the hard loss fits hard labels only, so that smoothing and mixup cannot be used with it",
        r"\lambda y + (1 - \lambda) y' \notin \{0, 1\}^n \Rightarrow"
        r" \text{no loss for it is made of } l(s, y), \; l(s, y')",
        Verdict.REFUTED,
        MIXABLE,
        GIVEN,
        "own-soft-mixed-losses",
        "It does fit hard labels only, see 9064-41c. But the losses can be mixed in place of the "
        "labels, as code for mixup does, and smoothing is such a mixture too.",
    ),
    _orig(
        "e",
        "under imbalance the high orders weigh too much, hence bad results",
        r"\text{pulls at } s = 0: \; \tfrac12 |pos|, \; \tfrac12 |neg| \text{ with them}; \;"
        r" \frac{|pos|}{1 + |pos|}, \; \frac{|neg|}{1 + |neg|} \text{ without}",
        Verdict.EMPIRICAL,
        All(
            UNTRAINED,
            UNTRAINED_FIRST,
            RARE,
        ),
        GIVEN_HARD,
        note="That is proved: before training the pulls are as the counts with the high orders, "
        "and within a factor 2 without. Where labels are fitted nothing of it is left (9064-7b). "
        "In this experiment binary cross-entropy is far behind after few steps, and not after "
        "many.",
    ),
    _orig(
        "g",
        "sums linear in the classes keep the losses of positives and negatives close",
        r"\log(1 + \sum_{neg} e^{s_i}) \approx \log(1 + \sum_{pos} e^{-s_j})",
        Verdict.REFUTED,
        Contrary(
            "equal counts, and one log is 700 times the other",
            Witnessed(remarks.parts_differ),
            PARTS_AT_ZERO,
        ),
        GIVEN_HARD,
        "own-soft-parts",
        "It is the scores that set the sums; untrained scores have them close.",
    ),
    _at(
        "orig. box 3",
        "q",
        "at its minimum it still is several sigmoid problems, with another loss",
        r"\arg\min l: \; t_i = \sigma(2 s_i) \text{ for each } i",
        Verdict.PROVED,
        LEAST,
        GIVEN,
        note="The score at the minimum has nothing of the other labels. The loss is no sum over "
        "labels: off the minimum the gradients depend on each other.",
    ),
    _impl(
        "s",
        "frameworks cannot handle -inf directly, hence clip",
        r"\log(1 + e^{-s + \log 0}) \text{ has no value in a framework}",
        Verdict.REFUTED,
        Contrary("NumPy gives the value without a clip", NO_CLIP),
        correction="own-soft-no-clip",
    ),
    _at(
        "orig. eq.9",
        "t",
        "the clip of a label, which moves it by eps at most",
        r"0 \le \varepsilon - t \le \varepsilon \text{ for } t < \varepsilon",
        Verdict.PROVED,
        CLIP,
        (*GIVEN, r"\varepsilon \in (0, \tfrac12]"),
        note="A label 0 then has a term eps e^-s, which is large where the score is below log eps.",
    ),
)

SECTIONS = (
    _two(
        "6b",
        "the product has 2^|pos| terms, and 2^|neg| of the negatives",
        r"\prod_{pos} (1 + 1) = 2^{|pos|}",
        Verdict.PROVED,
        Decided(
            equation(log(remarks.at_zero(of.HARD_PRODUCTS[0])), remarks.LOG_TERMS[0], HARD),
            equation(log(remarks.at_zero(of.HARD_PRODUCTS[1])), remarks.LOG_TERMS[1], HARD),
        ),
        GIVEN_HARD,
        note="At scores 0 each term is 1.",
    ),
    _two(
        "7b",
        "with far fewer positives the high orders of the negatives dominate",
        r"\sum_{k \ge 2} \sum_{i_1 < \dots < i_k} e^{s_{i_1} + \dots + s_{i_k}} \gg \sum_i e^{s_i}",
        Verdict.REFUTED,
        Contrary(
            "fitted negatives leave the first order alone, and the slope of binary cross-entropy "
            "has nothing of the other labels",
            Witnessed(remarks.high_orders_vanish),
            BCE_SLOPE,
        ),
        GIVEN_HARD,
        "own-soft-bce-slope",
        "At scores 0 they do dominate, 2^n - 1 - n against n.",
    ),
    _two(
        "8b",
        "eq. 8 is eq. 1 of the original",
        r"\text{(8)} = \text{(1) of the original} = \log(1 + \sum_{neg} e^{s_i}) +"
        r" \log(1 + \sum_{pos} e^{-s_j})",
        Verdict.PROVED,
        Decided(equation(of.HARD, d7359.ZLPR, HARD)),
        GIVEN_HARD,
    ),
    _three(
        "16b",
        "eq. 16 is eq. 7 of the original",
        r"\text{(16)} = \text{(7)}",
        Verdict.REFUTED,
        Contrary(
            "eq. 7 is t = sigma(2s); it is eq. 5",
            Witnessed(remarks.score_of_half_label),
            SAME_AS_EQ_5,
        ),
        GIVEN,
        "own-soft-eq-5",
    ),
    _seven(
        "34",
        "the labels of a teacher with a temperature",
        r"t_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}, \; \sum_i t_i = 1",
        Verdict.PROVED,
        Decided(equation(total(remarks.teacher(i), i), S.One)),
        (r"T = 1 / \beta > 0",),
    ),
    _seven(
        "34b",
        "T > 1 makes them smoother, and how near the teacher has the classes is in them",
        r"\log \frac{t_i}{t_j} = \frac{z_i - z_j}T, \; T \log \frac{t_i}{t_j} = z_i - z_j",
        Verdict.PROVED,
        OF_TEMPERATURE,
        (r"T = 1 / \beta > 0",),
        note="All log ratios shrink by T, and give back the differences of the logits: these are "
        "in the labels at every T, 1 too. What a student makes of them is about data.",
    ),
    _seven(
        "35b",
        "the factor is 2 as labels are independent binaries without normalisation; from (19)",
        r"t e^{-s} = (1 - t) e^s \Rightarrow t = \sigma(2s)",
        Verdict.UNSUPPORTED,
        Unsupported(
            OF_LINK,
            Contrary(
                "binary cross-entropy has independent binaries too, and the factor 1",
                Witnessed(remarks.cross_entropy_off_two),
                MIXED_HARD,
            ),
        ),
        GIVEN,
        note="The factor comes from (19) alone.",
    ),
    _eight(
        "37b",
        "a label 0 is left out of the first sum, a label 1 out of the second",
        r"t_i = 0: \; t_i e^{-s_i} = 0, \; t_i = 1: \; (1 - t_i) e^{s_i} = 0",
        Verdict.PROVED,
        TO_HARD,
        GIVEN_HARD,
    ),
    _eight(
        "38",
        "the clip with eps = 1e-7",
        r"0 \le \varepsilon - t \le \varepsilon \text{ for } t < \varepsilon",
        Verdict.PROVED,
        CLIP,
        (*GIVEN, r"\varepsilon \in (0, \tfrac12]"),
    ),
    _nine(
        "39b",
        "the rules for t < eps and t > 1 - eps handle a masked position",
        r"\mathrm{code}(t, -10^7) \approx 0 \text{ for } t < \varepsilon \text{ and for"
        r" } t > 1 - \varepsilon",
        Verdict.REFUTED,
        Contrary(
            "for t > 1 - eps the rule acts on the sum that has nothing of the mask",
            Witnessed(remarks.masked_positive_costs),
        ),
        correction="own-labels-clip",
        note="They do where the masked label is 0.",
    ),
    _ten(
        "41",
        "a mixed label lies between the two",
        r"\tilde y - y' = \lambda (y - y'), \; \tilde y - y = (1 - \lambda)(y' - y)",
        Verdict.PROVED,
        Decided(
            equation(remarks.MIXED - t[j], (t[i] - t[j]) / (1 + of.ALPHA), UNIT),
            equation(remarks.MIXED - t[i], of.ALPHA * (t[j] - t[i]) / (1 + of.ALPHA), UNIT),
        ),
        (*GIVEN, r"\lambda = 1 / (1 + \alpha) \in (0, 1]"),
        note="A definition; how lambda is drawn plays no part.",
    ),
    _ten(
        "41c",
        "the hard loss cannot use mixed labels: one that is in neither set has no slope",
        r"\partial_i l = [i \in neg] \frac{e^{s_i}}B - [i \in pos] \frac{e^{-s_i}}A",
        Verdict.PROVED,
        IN_NEITHER_SET,
        note="Not as labels. With weights in place of the sets it is eq. 16; and the losses can be "
        "mixed in place of the labels, 9064-b.",
    ),
)

ENTRIES = (*ORIGINAL, *SECTIONS)
