"""Which probability a score of ZLPR stands for, after soft labels and after hard ones."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import S, exp

from derive.calculus import partial
from derive.facts import hard, soft
from derive.losses.symbols import i, s, t, y
from verify.ledger.entry import Verdict, own_entry
from verify.ledger.evidence import All, Contrary, Decided, Derived, Witnessed
from verify.ledger.formulas import d9064
from verify.ledger.formulas import hard_training as of
from verify.ledger.statement import above, equation

__all__ = ["ENTRIES"]

RELATION = (
    "zlpr",
    "population",
    "present: pulled up by 1/A; absent: pushed down by 1/B",
    "the other outcomes",
    "odds less e^{2s} E[1/B | y_i = 0] / E[1/A | y_i = 1], zero where the slope is",
)
DRAWN = (r"y \text{ drawn in } \{0, 1\}^n \text{ from any distribution}, \; \eta_i = P(y_i = 1)",)
INDEPENDENT = (r"y_1, y_2 \text{ drawn in } \{0, 1\} \text{ independently}",)
PARENT = (
    r"y_0 = 1 \text{ with one of } n \text{ children, all alike, } y_0 = 0 \text{ with none}",
)
EXAMPLE = Witnessed(of.threshold_is_not_half)

PLACE = "what a score says"
_probability = with_topic(own_entry, "prob", PLACE)
_threshold = with_topic(own_entry, "threshold", PLACE)

PROBABILITY = (
    _probability(
        "soft",
        "after training on soft labels a score stands for sigma(2s), for any number of labels",
        r"\arg\min_s l: \; t_i = \sigma(2 s_i)",
        Derived(
            "soft_zlpr",
            "optimum",
            "Lagrange's identity",
            "which is a positive multiple of t - sigma(2s)",
            "so t = sigma(2s) is the only minimiser",
        ),
        soft(t).describe(),
        "Where the labels are the probabilities themselves, as those of a teacher.",
    ),
    _probability(
        "hard",
        "after training on labels drawn as 0 or 1: the exact relation, with what else is present",
        r"\frac{\eta_i}{1 - \eta_i} = e^{2 s_i}"
        r" \frac{E[1/B \mid y_i = 0]}{E[1/A \mid y_i = 1]},"
        r" \; A = 1 + \sum_k y_k e^{-s_k}, \; B = 1 + \sum_k (1 - y_k) e^{s_k}",
        Derived(*RELATION),
        DRAWN,
        "For every distribution of the labels given the input. s alone does not tell eta; "
        "calibrate on held-out data if probabilities are wanted.",
    ),
    _probability(
        "hard-one",
        "of one label it is sigma(s)",
        r"\partial_s (\eta \log(1 + e^{-s}) + (1 - \eta) \log(1 + e^s)) = \sigma(s) - \eta,"
        r" \quad \frac{1/B}{1/A} = e^{-s}",
        Decided(
            equation(partial(of.ONE_RISK, s[i]), of.ONE_SLOPE),
            equation((1 + exp(-s[i])) / (1 + exp(s[i])), exp(-s[i])),
        ),
        (r"n = 1, \; \eta \in (0, 1]",),
        "With n = 1 ZLPR is binary cross-entropy.",
    ),
    _probability(
        "sums",
        "at the best scores the constant term has the same mean share in both logs",
        r"\sum_i \partial_i E[l] = E[1/A] - E[1/B] = 0",
        Derived("zlpr", "population", "all slopes of an outcome"),
        DRAWN,
        "What can be checked on data without knowing any probability.",
    ),
    _probability(
        "range",
        "bounds of the odds by the scores alone, whatever the labels have to do with one another",
        r"\frac{e^{s_i} (1 + e^{s_i})}{1 + \sum_k e^{s_k}} \le \frac{\eta_i}{1 - \eta_i} \le"
        r" \frac{e^{2 s_i} (1 + \sum_k e^{-s_k})}{1 + e^{s_i}}",
        Derived(
            *RELATION,
            "absent: B holds the own term",
            "present: A holds the own term",
            "and others of B",
            "and others of A",
            "B holds no more than all",
            "A likewise",
        ),
        DRAWN,
        "1 + e^{s_i} <= B <= 1 + sum e^s where the label is absent, and likewise A. For n = 1 "
        "both are e^s.",
    ),
    _probability(
        "between",
        "a probability is between sigma(s) and sigma(2s), at least of independent labels",
        r"\eta_i \in [\sigma(s_i), \sigma(2 s_i)] \text{ or } [\sigma(2 s_i), \sigma(s_i)]",
        Contrary(
            "both readings are on one side of the probability",
            Witnessed(of.half_is_not_between),
        ),
        INDEPENDENT,
        verdict=Verdict.REFUTED,
        correction="own-prob-range",
    ),
    _probability(
        "sizes",
        "independent labels of one probability: neither reading is right, for 2 labels or 1000",
        r"\sigma(2s) < \eta < \sigma(s): \;"
        r" n = 2: 0.0132, 0.1, 0.1036; \; 20: 0.041, 0.1, 0.171; \; 80: 0.0883, 0.1, 0.237;"
        r" \; 1000: 0.0089, 0.01, 0.0863",
        Witnessed(of.sizes),
        (r"y_i \text{ independent, all } \eta_i = \eta",),
        "From sigma(s) of one label towards sigma(2s) of many. Labels that differ: see "
        "own-prob-between.",
        Verdict.PROVED_FOR,
    ),
)

THRESHOLD = (
    _threshold(
        "soft",
        "with soft labels the threshold 0 is the probability 1/2",
        r"s_i > 0 \Leftrightarrow t_i > \tfrac12: \quad t_i - \tfrac12 ="
        r" \frac{e^{2 s_i} - 1}{2 (e^{2 s_i} + 1)}",
        Decided(
            equation(
                d9064.sigmoid(2 * s[i]) - S.Half,
                (exp(2 * s[i]) - 1) / (2 * (exp(2 * s[i]) + 1)),
            ),
            above(exp(2 * s[i]) + 1),
        ),
        (r"t_i = \sigma(2 s_i)",),
    ),
    _threshold(
        "one",
        "of one hard label too",
        r"\partial_s E[l] |_{s = 0} = \tfrac12 - \eta",
        Decided(equation(of.ONE_SLOPE.xreplace({s[i]: S.Zero}), S.Half - of.ETA)),
        (r"n = 1",),
        "The loss is convex: the best score is above 0 exactly where the slope at 0 is negative.",
    ),
    _threshold(
        "hard",
        "with hard labels the threshold 0 is Bayes-consistent: a score is positive exactly where "
        "the label is more probable than not",
        r"s_i^* > 0 \Leftrightarrow \eta_i > \tfrac12",
        Contrary("two independent labels, seen from both sides", EXAMPLE),
        DRAWN,
        "Of two labels, the fewest that can do it; the scores are the zeros of the slopes, "
        "enclosed by Krawczyk's operator.",
        Verdict.REFUTED,
        "own-threshold-relation",
    ),
    _threshold(
        "relation",
        "what the sign of the best score says",
        r"s_i^* > 0 \Leftrightarrow \frac{\eta_i}{1 - \eta_i} >"
        r" \frac{E[1/B \mid y_i = 0]}{E[1/A \mid y_i = 1]} \text{ at } s^*",
        Derived(*RELATION),
        DRAWN,
        "Of one label the quotient is e^{-s}, which makes it 1/2.",
    ),
    _threshold(
        "two",
        "two independent labels: at probability 1/2 the other label decides the sign",
        r"\partial_1 E[l] |_{s_1 = 0} = \frac{x (1 - x)}{4 (1 + o)(1 + x)(1 + 2x)(2 + x) f}"
        r" \text{ where } \partial_2 E[l] = 0, \; x = e^{s_2} < 1 \Leftrightarrow \eta_2 <"
        r" \tfrac12",
        Derived(
            "zlpr",
            "two-labels",
            "the slope of the first label, at s_1 = 0",
            "the slope of the second, there",
            "by the slope of the second",
            "the slope of the second at s_2 = 0: s_2 < 0 exactly where eta_2 < 1/2",
            "for eta_2 < 1/2",
        ),
        (*INDEPENDENT, r"\eta_1 = \tfrac12, \; \eta_2 = \tfrac{o}{1 + o}"),
        "f = 1/(1 + x) + 1/(1 + 2x). A rare label beside it makes the score of an even one "
        "negative, a frequent one positive; so just beyond 1/2 some eta_1 are told wrong.",
    ),
    _threshold(
        "example",
        "two independent labels: eta = 0.495 with a positive score, 0.505 with a negative one",
        r"\eta = (0.495, 0.8): s_1^* > 0, \quad \eta = (0.505, 0.2): s_1^* < 0",
        EXAMPLE,
        INDEPENDENT,
        "A small effect: the largest that a search found for two independent labels is 0.507.",
        Verdict.PROVED_FOR,
    ),
    _threshold(
        "parent",
        "a parent and its children: no probability below 1 is safe",
        r"n = q^3, \; \eta_0 = \frac{q - 2}{q - 1} \Rightarrow s_0^* < 0"
        r" \text{ for every } q \ge 3",
        All(
            Derived(
                "zlpr",
                "parent",
                "the slope of the parent, at the score 0",
                "the slope of a child, there",
                "steeper down for a larger z",
                "of the children steeper up",
                "at z = q^-2 the children are to fall",
                "and there, so at their best too, the parent",
            ),
            Decided(equation(of.MIRRORED, d9064.HARD, hard(y))),
        ),
        PARENT,
        "z = e^s of the children, equal by symmetry. The mean loss is convex, so that a positive "
        "slope at s_0 = 0, the children at their best, puts the best s_0 below 0. With labels and "
        "signs turned round a label as improbable has a positive score. Labels in a hierarchy are "
        "like this: set each threshold on held-out data.",
    ),
    _threshold(
        "parent-sizes",
        "parents of 2, 10, 100, 1000 children, present with 59, 70, 82, 90 %, and negative scores",
        r"s_0^* < 0: \; (n, \eta_0) = (2, 0.59), \; (10, 0.7), \; (100, 0.82), \; (1000, 0.9)",
        Witnessed(of.probable_parents_are_negative),
        PARENT,
        note="For every n = q^3: own-threshold-parent.",
        verdict=Verdict.PROVED_FOR,
    ),
)

ENTRIES = (*PROBABILITY, *THRESHOLD)
