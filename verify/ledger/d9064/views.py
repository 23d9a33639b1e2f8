"""Document 9064, sections 12 to 15, 19 and 20: GlobalPointer, cost, advice, other losses."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, exp

from derive.axis import total
from derive.calculus import partial
from derive.losses.symbols import c, i, j, k, s, t
from verify.ledger.d9064.equations import (
    CONVEX,
    GIVEN,
    GIVEN_HARD,
    GRADIENT,
    HARD,
    LEAST,
    OF_LINK,
    SUMS,
    TRUNCATED,
    UNIT,
)
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import (
    All,
    Contrary,
    Decided,
    Derived,
    Empirical,
    IllPosed,
    Witnessed,
    in_floats,
)
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_views as views
from verify.ledger.own.soft import (
    FLOW,
    ITS_PRODUCT,
    LINEAR,
    MIXED_HARD,
    NO_CLIP,
)
from verify.ledger.statement import equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_twelve, _thirteen, _fourteen = (with_place(_at, f"s{n}") for n in (12, 13, 14))
_fifteen, _nineteen = with_place(_at, "s15"), with_place(_at, "s19")

POINTER = (
    _twelve(
        "S12a",
        "soft labels suit partial annotation and distant supervision",
        r"\text{F1 with } t_{ij} \in (0, 1) > \text{F1 with } t_{ij} \in \{0, 1\}",
        Verdict.EMPIRICAL,
        Empirical("F1 with hard and with soft labels on data with annotations left out"),
    ),
    _twelve(
        "46",
        "the scores of GlobalPointer",
        r"s_{ij} = q_i^\top k_j, \; \partial s_{ij} / \partial q_i = k_j",
        Verdict.PROVED,
        Decided(equation(partial(views.PRODUCT, views.QUERY[i, views.g]), views.KEY[j, views.g])),
        note="A definition: linear in each of both. GlobalPointer has one such score for each type "
        "of entity, its q and k turned by their places: own-around-spans-relative.",
    ),
    _twelve(
        "S12b",
        "an invalid pair gets -inf, in practice -1e7",
        r"e^{-10^7} < 2^{-1075}",
        Verdict.PROVED_FOR,
        in_floats(views.mask_in_floats),
        note="In float64, with a label 0. In half precision -1e7 is -inf.",
    ),
    _twelve(
        "47",
        "the soft loss over all pairs",
        r"L = \log(1 + \sum_{ij} t_{ij} e^{-s_{ij}}) + \log(1 + \sum_{ij} (1 - t_{ij})"
        r" e^{s_{ij}})",
        Verdict.PROVED,
        Decided(equation(partial(views.OVER_PAIRS, s[k, c]), views.PAIR_GRADIENT, UNIT)),
        GIVEN,
        note="Eq. 16 with the pairs as labels; so is its gradient.",
    ),
    _twelve(
        "48",
        "the probability of a pair",
        r"p_{ij} = \sigma(2 s_{ij})",
        Verdict.PROVED,
        All(OF_LINK, LEAST),
        GIVEN,
        note="Of soft labels, at the minimum, as 9064-p.",
    ),
)

COMPARED = (
    _thirteen(
        "49",
        "focal loss, and its slope for a label 1",
        r"L = -(1 - p)^\gamma \log p, \; \frac{dL}{ds} = (1 - p)^\gamma (\gamma p \log"
        r" p - (1 - p))",
        Verdict.PROVED,
        All(
            Decided(equation(partial(views.FOCAL, s[i]), views.FOCAL_SLOPE)),
            Derived("focal", "value", "open the sigmoids"),
        ),
        (r"p = \sigma(s), \; \gamma > 0",),
        note="A definition, that of arXiv:1708.02002; alpha is a factor of it.",
    ),
    _at(
        "s13 table",
        "S13a",
        "focal loss is for single labels and detection",
        r"\text{focal loss: one label for each input}",
        Verdict.EMPIRICAL,
        Empirical("reading arXiv:1708.02002, where each class of a detector has its own sigmoid"),
    ),
    _at(
        "s13 table",
        "S13b",
        "ours drops the high orders and keeps sums linear in the exponentials",
        r"\prod_i (1 + e^{-s_i})^{t_i} = 1 + \sum_i t_i e^{-s_i} + \cdots",
        Verdict.PROVED,
        TRUNCATED,
        GIVEN,
    ),
    _thirteen(
        "50",
        "a soft focal loss",
        r"(1 - p_i)^\gamma (\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}))",
        Verdict.ILL_POSED,
        IllPosed("p_i", "i is bound in both sums and free before them: no label is named there"),
    ),
    _fourteen(
        "S14a",
        "forward and backward in O(n)",
        r"\partial_i L = -t_i e^{-s_i} / A + (1 - t_i) e^{s_i} / B",
        Verdict.PROVED,
        GRADIENT,
        (*GIVEN, *SUMS),
        note="With both sums at hand a fixed number of operations for each label.",
    ),
    _fourteen(
        "S14b",
        "both sums in O(1), all in O(n)",
        r"\sum_k e^{s_k - M_2} = e^{M - M_2} \sum_k e^{s_k - M}",
        Verdict.PROVED,
        Decided(
            equation(
                total(exp(s[k] - views.SHIFTS[1]), k),
                exp(views.SHIFTS[0] - views.SHIFTS[1]) * total(exp(s[k] - views.SHIFTS[0]), k),
            )
        ),
        note="A shift that changes on the way rescales the sum: one sum and one shift are kept. "
        "Automatic differentiation keeps all exponentials, O(n).",
    ),
    _fourteen(
        "S14c",
        "exactly the complexity of the hard version, nothing on top",
        r"\#\{t_i \ne 0\} + \#\{t_i \ne 1\} = n",
        Verdict.REFUTED,
        Contrary("a soft label is in both sums", Witnessed(views.terms_counted), LINEAR),
        GIVEN,
        "own-soft-terms",
        "The order is the same.",
    ),
)

ADVICE = (
    _fifteen(
        "S15a",
        "eps in [1e-8, 1e-6]",
        r"\log(1 - (1 - \varepsilon)) > -\infty \text{ for } \varepsilon \in [10^{-8},"
        r" 10^{-6}]",
        Verdict.REFUTED,
        Contrary(
            "in float32, the type of the pseudo-code, 1 - 1e-8 is 1: the log is -inf again",
            Witnessed(views.epsilon_is_lost),
            NO_CLIP,
        ),
        correction="own-soft-no-clip",
        note="No eps is needed.",
    ),
    _fifteen(
        "S15b",
        "ranges for the rate, label smoothing and mixup",
        r"\eta \approx 10^{-4}, \; \alpha \in [0.05, 0.2], \; \alpha \in [0.2, 0.4]",
        Verdict.EMPIRICAL,
        Empirical("a search over the three on the data at hand"),
    ),
    _fifteen(
        "S15c",
        "the loss should decrease monotonically",
        r"L(s - \eta g) \le L(s)",
        Verdict.REFUTED,
        Contrary("a step that is too long raises it", Witnessed(views.long_step), FLOW),
        correction="own-soft-flow",
        note="Nor does it with gradients of a part of the data.",
    ),
    _fifteen(
        "S15d",
        "check sigma(2s) = t on validation data",
        r"\sigma(2 s_i) \approx t_i",
        Verdict.EMPIRICAL,
        Empirical("the check itself"),
        note="It is so at the minimum for labels that the input determines. For labels 0 and 1 at "
        "random the minimum of the mean loss is elsewhere: of one label at sigma(s).",
    ),
)

OTHERS = (
    _nineteen(
        "58",
        "asymmetric loss; without exponents it is binary cross-entropy",
        r"L = -\sum_{pos} (1 - p_i)^{\gamma_+} \log p_i - \sum_{neg} p_i^{\gamma_-}"
        r" \log(1 - p_i), \; L = \mathrm{BCE} \text{ for } \gamma_\pm = 0",
        Verdict.PROVED,
        All(
            Decided(
                equation(
                    views.ASYMMETRIC.xreplace({views.GAMMA: S.Zero, views.BETA: S.Zero}),
                    of.HARD_BCE,
                    HARD,
                )
            ),
            Derived("asymmetric", "value", "without exponents and margin"),
        ),
        (*GIVEN_HARD, r"m = 0"),
        note="A definition: the loss of arXiv:2009.14119 at its margin m = 0. The paper takes "
        "max(p - m, 0) for p in the terms of the negatives, and recommends m = 0.05.",
    ),
    _nineteen(
        "59",
        "Circle loss",
        r"\mathrm{Circle} = \log(1 + \sum_{neg} e^{\gamma (s_i - \Delta_n)}) + \log(1 +"
        r" \sum_{pos} e^{\gamma (\Delta_p - s_j)})",
        Verdict.REFUTED,
        Contrary(
            "Circle loss (arXiv:2002.10857, eq. 4) is log(1 + N P), with weights for each score",
            Witnessed(views.circle_of_two),
            ITS_PRODUCT,
            Derived("circle", "value", "the double sum factors"),
        ),
        GIVEN_HARD,
        "own-soft-two-logs",
        "Even with all weights 1 the two differ: eq. 59 has N + P more, each score compared with a "
        "threshold. It is ZLPR of scaled scores with margins.",
    ),
    _at(
        "s19 table",
        "S19a",
        "binary cross-entropy takes soft labels, gives them back, in O(n)",
        r"\partial_i \mathrm{BCE} = \sigma(s_i) - t_i",
        Verdict.PROVED,
        MIXED_HARD,
        GIVEN,
        note="Linear in the labels, so that labels at random give their mean: Fisher consistent.",
    ),
    _at(
        "s19 table",
        "S19b",
        "the hard version is convex, in O(n)",
        r"\nabla^2 l \succeq 0",
        Verdict.PROVED,
        Derived("zlpr", "convexity", "complete the squares"),
        GIVEN_HARD,
        note="Its formula takes labels 0 and 1 only; for mixtures see 9064-41c.",
    ),
    _at(
        "s19 table",
        "S19c",
        "the soft version is convex and gives the labels back, in O(n)",
        r"\nabla^2 L \succeq 0, \; \arg\min L: t = \sigma(2s)",
        Verdict.PROVED,
        All(CONVEX, LEAST, GRADIENT),
        GIVEN,
    ),
    _at(
        "s19 table",
        "S19d",
        "asymmetric loss takes soft labels in part, and works",
        r"\text{mAP with ASL} > \text{mAP with BCE}",
        Verdict.EMPIRICAL,
        Empirical("mean average precision on MS-COCO with it and with binary cross-entropy"),
    ),
    _at(
        "s19 table",
        "S19e",
        "Circle loss, as eq. 59, takes no soft labels, in O(n)",
        r"\partial_i (59) = \gamma [i \in neg] \frac{e^{\gamma (s_i - \Delta_n)}}B"
        r" - \gamma [i \in pos] \frac{e^{\gamma (\Delta_p - s_i)}}A",
        Verdict.PROVED,
        Decided(equation(partial(views.OF_SETS, s[i]), views.SLOPE_OF_SETS)),
        note="As it is printed: a label in neither set has no slope. With labels as weights of its "
        "terms, the step from eq. 8 to eq. 16, it gives them back: own-soft-circle.",
    ),
    _at(
        "s20 Q1",
        "S20a",
        "is more known than that it is convex? its minimum is",
        r"\min L = 2 \log(1 + \sum_i \sqrt{t_i (1 - t_i)})",
        Verdict.PROVED,
        LEAST,
        GIVEN,
        note="And its gradient is bounded by 1. Each score is determined by its own label.",
    ),
    _at(
        "s20 Q2",
        "S20b",
        "is the factor 2 the best, or sigma(beta s)? beta is the unit of the scores",
        r"t e^{-\beta s / 2} = (1 - t) e^{\beta s / 2} \Leftrightarrow t = \sigma(\beta s)",
        Verdict.PROVED,
        Decided(
            equation(
                t[i] * exp(-views.BETA * s[i] / 2) - (1 - t[i]) * exp(views.BETA * s[i] / 2),
                (exp(-views.BETA * s[i] / 2) + exp(views.BETA * s[i] / 2))
                * (t[i] - of.sigmoid(views.BETA * s[i])),
                UNIT,
            )
        ),
        GIVEN,
        note="For L(beta s / 2). For L itself 2 is the only one.",
    ),
    _at(
        "refs",
        "REF",
        "five references",
        r"\text{Lin 2017, Zhang 2018, Sun 2020, Ridnik 2021, Hinton 2014}",
        Verdict.EMPIRICAL,
        Empirical("looking the five papers up in the proceedings named"),
    ),
)

ENTRIES = (*POINTER, *COMPARED, *ADVICE, *OTHERS)
