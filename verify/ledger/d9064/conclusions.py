"""Document 9064: definitions, remarks and conclusions around its formulas."""

from __future__ import annotations

from functools import partial as with_place

from sympy import Rational, S, exp, log

from derive.axis import total
from derive.losses.symbols import i, k, s, t, y
from derive.series import GRADE, first_order, second_order
from verify.ledger.d9064.equations import (
    CONVEX,
    GIVEN,
    GIVEN_HARD,
    GIVEN_OPEN,
    GRADIENT,
    HARD,
    LEAST,
    LINKED,
    OPEN,
    SUMS,
    TRUNCATED,
    UNIT,
)
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import (
    Contrary,
    Decided,
    Derived,
    IllPosed,
    Unsupported,
    Witnessed,
    in_floats,
)
from verify.ledger.formulas import d9064 as of
from verify.ledger.formulas import d9064_code as code
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_one, _two, _three, _four, _five, _six = (with_place(_at, f"s{n}") for n in range(1, 7))
_seven, _eight, _nine = (with_place(_at, f"s{n}") for n in (7, 8, 9))
_ten, _eleven = (with_place(_at, f"s{n}") for n in (10, 11))

SYMMETRY = Decided(equation(of.at_link(of.POSITIVE), of.at_link(of.NEGATIVE)))
BOUNDED = Derived(
    "soft_zlpr", "bounds", "1 - q_i is the mass of the others", "likewise", "hence grad_i < 1"
)
NOT_ENOUGH = Contrary(
    "a positive diagonal does not make a matrix positive", Witnessed(of.positive_diagonal)
)
EXPONENTIAL = GRADE * exp(-s[i])
BINOMIAL = Decided(
    equation(first_order(of.BINOMIAL), 1 + t[i] * exp(-s[i]), UNIT),
    equation(second_order(of.BINOMIAL), t[i] * (t[i] - 1) / 2 * exp(-2 * s[i]), UNIT),
)

FIRST_SECTIONS = (
    _one(
        "1",
        "the probability of a label",
        r"p = \sigma(s) = \frac1{1 + e^{-s}}",
        Verdict.PROVED,
        Decided(
            equation(of.sigmoid(s[i]), exp(s[i]) / (1 + exp(s[i]))),
            equation(of.sigmoid(s[i]) + of.sigmoid(-s[i]), S.One),
        ),
        note="What binary cross-entropy makes of a score.",
    ),
    _one(
        "2",
        "hard binary cross-entropy",
        r"\mathrm{BCE} = -\sum_{pos} \log \sigma(s_j) - \sum_{neg} \log(1 - \sigma(s_i))",
        Verdict.PROVED,
        Decided(equation(of.HARD_BCE, of.HARD_SOFTPLUS, HARD)),
        GIVEN_HARD,
    ),
    _two(
        "6",
        "the product by orders",
        r"\prod_{pos} (1 + e^{-s_j}) = 1 + \sum_j e^{-s_j} + \sum_{j_1 < j_2}"
        r" e^{-s_{j_1} - s_{j_2}} + \cdots",
        Verdict.PROVED,
        Decided(
            equation(first_order(of.GRADED_HARD), 1 + total(y[k] * exp(-s[k]), k), HARD),
            equation(of.HARD_SECOND, of.PAIRS_OF_POSITIVES, HARD),
        ),
        GIVEN_HARD,
    ),
    _two(
        "7",
        "the terms of order k",
        r"\prod_{neg} (1 + z e^{s_i}) = \sum_k z^k \sum_{i_1 < \dots < i_k} e^{s_{i_1}"
        r" + \dots + s_{i_k}}",
        Verdict.PROVED,
        Derived(
            "combination_softmax",
            "value",
            "Z_2 is the sum over all pairs",
            "the number of subsets",
        ),
    ),
    _two(
        "8",
        "ZLPR is what is left to first order",
        r"l = \log(1 + \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j})",
        Verdict.PROVED,
        Derived("zlpr", "from-bce", "first order, positive side", "first order, negative side"),
        GIVEN_HARD,
    ),
    _three(
        "9",
        "soft binary cross-entropy",
        r"-t \log \sigma(s) - (1 - t) \log(1 - \sigma(s)) = t \log(1 + e^{-s}) + (1 -"
        r" t) \log(1 + e^s)",
        Verdict.PROVED,
        Decided(equation(of.SOFT_BCE, of.SOFTPLUS, UNIT)),
        GIVEN,
    ),
    _three(
        "13",
        "the binomial series",
        r"(1 + x)^t = 1 + t x + \tfrac12 t (t - 1) x^2 + \cdots",
        Verdict.PROVED,
        BINOMIAL,
        GIVEN,
        note="Order by order, at x = e^-s > 0; the series converges for x < 1.",
    ),
    _three(
        "14",
        "the binomial series at e^-s",
        r"(1 + e^{-s})^t = 1 + t e^{-s} + \tfrac12 t (t - 1) e^{-2s} + \cdots",
        Verdict.PROVED,
        BINOMIAL,
        GIVEN,
        note="It converges for s > 0 only. The remainder of the cut is an integral for every s.",
    ),
    _three(
        "16",
        "the soft loss",
        r"L = \log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i})",
        Verdict.PROVED,
        TRUNCATED,
        GIVEN,
    ),
)

LINK = (
    _four(
        "18",
        "the equation of a stationary point",
        r"\frac{\partial L}{\partial s_i} = 0 \Leftrightarrow \frac{t_i e^{-s_i}}{A} ="
        r" \frac{(1 - t_i) e^{s_i}}{B}",
        Verdict.PROVED,
        GRADIENT,
        assumptions=SUMS,
    ),
    _four(
        "19",
        "the key",
        r"t_i e^{-s_i} = (1 - t_i) e^{s_i} \text{ at } t_i = \sigma(2 s_i)",
        Verdict.PROVED,
        SYMMETRY,
    ),
    _five(
        "27",
        "the symmetry",
        r"t e^{-s} = (1 - t) e^s \text{ at } t = \sigma(2s)",
        Verdict.PROVED,
        SYMMETRY,
    ),
    _five(
        "25",
        "the logit",
        r"\mathrm{logit}(t) = \log \frac t{1 - t}",
        Verdict.PROVED,
        Decided(equation(log(of.ODDS), log(t[i]) - log(1 - t[i]), OPEN)),
        GIVEN_OPEN,
    ),
    _five(
        "26b",
        "a score is doubled to give back the label",
        r"\sigma(2 \cdot \tfrac12 \mathrm{logit}(t)) = t",
        Verdict.PROVED,
        Decided(equation(of.sigmoid(2 * of.SCORE_OF_LABEL), t[i], OPEN)),
        GIVEN_OPEN,
    ),
    _five(
        "28b",
        "so the odds ratio is e^{2s}",
        r"\frac t{1 - t} = e^{2s}",
        Verdict.ILL_POSED,
        IllPosed("odds ratio", "the quotient of two odds; t / (1 - t) is the odds, see 9064-28"),
    ),
    _six(
        "30b",
        "the diagonal is positive, hence the loss is convex",
        r"\forall i: \partial_i^2 L > 0 \Rightarrow \nabla^2 L \succeq 0",
        Verdict.UNSUPPORTED,
        Unsupported(CONVEX, NOT_ENOUGH),
        GIVEN,
        note="The form is a sum of squares: a variance for each log.",
    ),
    _six(
        "32",
        "the diagonal at the minimum, with Z = A = B",
        r"\partial_i^2 L = \frac{2 w (Z - w)}{Z^2}, \; A = B = Z, \; w = t_i e^{-s_i} ="
        r" (1 - t_i) e^{s_i}",
        Verdict.PROVED,
        Decided(
            equation(of.at_link(of.A), of.at_link(of.B)),
            equation(of.at_link(of.EQUATION_29), of.EQUATION_33),
        ),
        assumptions=LINKED,
    ),
    _six(
        "33b",
        "this guarantees a local minimum",
        r"\partial_i^2 L > 0 \Rightarrow \text{a minimum}",
        Verdict.UNSUPPORTED,
        Unsupported(LEAST, NOT_ENOUGH),
        GIVEN,
        note="It is the minimum, of the whole loss, by convexity or by Lagrange's identity.",
    ),
)

LATER = (
    _seven(
        "35",
        "an implicit temperature of one half",
        r"t = \sigma(s / 0.5)",
        Verdict.PROVED,
        Decided(equation(of.at_link(t[i]), of.sigmoid(s[i] / Rational(1, 2)))),
        assumptions=LINKED,
    ),
    _eight(
        "36",
        "the shifted log-sum-exp",
        r"\log(1 + \sum_i e^{x_i}) = M + \log(e^{-M} + \sum_i e^{x_i - M})",
        Verdict.PROVED,
        Decided(equation(of.LOG_SUM, of.SHIFTED)),
        note="For every M. With M the largest x alone, as printed, e^-M overflows where all x are "
        "far below 0: the maximum is to be taken with 0.",
    ),
    _eight(
        "36b",
        "for large scores e^s overflows and e^-s underflows",
        r"e^{750} > 2^{1024}, \; e^{-750} < 2^{-1075}",
        Verdict.PROVED_FOR,
        in_floats(of.exponentials_in_floats),
    ),
    _eight(
        "37",
        "the labels in the exponents",
        r"\log(1 + \sum_i t_i e^{-s_i}) = \log(1 + \sum_i e^{\log t_i - s_i})",
        Verdict.PROVED,
        Decided(equation(of.SOFT, of.IN_EXPONENTS, OPEN)),
        GIVEN_OPEN,
    ),
    _nine(
        "39",
        "the soft loss with the labels in the exponents",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}) = \log(1 +"
        r" \sum_i e^{-s_i + \log t_i}) + \log(1 + \sum_i e^{s_i + \log(1 - t_i)})",
        Verdict.PROVED,
        Decided(equation(of.SOFT, of.IN_EXPONENTS, OPEN)),
        GIVEN_OPEN,
    ),
    _nine(
        "39c",
        "the pseudo-code handles labels below epsilon and above 1 - epsilon by its masks",
        r"t < \varepsilon \Rightarrow \text{the label takes no part in the first sum}",
        Verdict.REFUTED,
        Contrary(
            "the masks ask the labels after the clip, when none of them is below epsilon",
            Witnessed(code.masks_never_act),
        ),
        correction="own-labels-clip",
    ),
    _nine(
        "39d",
        "the pseudo-code computes eq. 39 for its inputs",
        r"\mathrm{code}(t, s) = \log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i})",
        Verdict.REFUTED,
        Contrary(
            "a clipped label 1 leaves eps e^s in the other sum",
            Witnessed(code.confident_positive_costs),
        ),
        correction="own-labels-clip",
        note="n labels 0 or 1 cost 2 log(1 + n sqrt(eps (1 - eps))) at least: own-code-floor. Its "
        "axis 1 is all labels of a matrix only, not of spans (batch, n, n); its masks are float32, "
        "which TensorFlow subtracts from nothing else.",
    ),
    _ten(
        "40",
        "smoothed labels",
        r"t = (1 - \alpha) y + \alpha / 2 \in [0, 1]",
        Verdict.PROVED,
        Decided(at_least(of.SMOOTHED, S.Zero, HARD), at_least(1 - of.SMOOTHED, S.Zero, HARD)),
        (*GIVEN_HARD, r"\alpha \in [0, 1)"),
    ),
    _ten(
        "41b",
        "mixed labels are in [0, 1] and can be used",
        r"\lambda t + (1 - \lambda) t' \in [0, 1]",
        Verdict.PROVED,
        Decided(
            at_least(of.MIXED_LABELS, S.Zero, UNIT), at_least(1 - of.MIXED_LABELS, S.Zero, UNIT)
        ),
        (*GIVEN, r"\lambda \in (0, 1]"),
    ),
    _eleven(
        "42",
        "the loss is convex, as the diagonal of the Hessian shows",
        r"\nabla^2 L \succeq 0, \text{ see (29) to (33)}",
        Verdict.UNSUPPORTED,
        Unsupported(CONVEX, NOT_ENOUGH),
        GIVEN,
    ),
    _eleven(
        "45",
        "the gradient is bounded for labels off 0 and 1 and bounded scores",
        r"|\partial_i L| < 1",
        Verdict.PROVED,
        BOUNDED,
        GIVEN,
        note="By 1, the best constant, for all labels and scores: neither assumption is needed.",
    ),
    _eleven(
        "45b",
        "so gradients do not explode",
        r"|\partial_i L| < 1",
        Verdict.PROVED,
        BOUNDED,
        GIVEN,
        note="Those by the scores; what a network makes of them is another matter.",
    ),
)

ENTRIES = (*FIRST_SECTIONS, *LINK, *LATER)
