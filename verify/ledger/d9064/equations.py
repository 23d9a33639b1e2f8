"""Document 9064: its formulas in their order, those of the original text and of the derivations."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, exp, log

from derive.calculus import partial
from derive.facts import hard, soft, strictly_soft
from derive.losses.symbols import i, s, t, y
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Decided, Derived
from verify.ledger.formulas import d9064 as of
from verify.ledger.statement import above, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "9064")
_one, _two, _three, _four, _five, _six = (with_place(_at, f"s{n}") for n in range(1, 7))
UNIT, OPEN, HARD = soft(t), strictly_soft(t), hard(y)
GIVEN, GIVEN_OPEN, GIVEN_HARD = UNIT.describe(), OPEN.describe(), HARD.describe()

LEAST = Derived(
    "soft_zlpr",
    "optimum",
    "Lagrange's identity",
    "difference times conjugate",
    "and there the gap closes",
)
CONVEX = Derived("soft_zlpr", "convexity", "complete the squares")
TRUNCATED = Decided(
    equation(of.FIRST_ORDERS[0], of.A, UNIT), equation(of.FIRST_ORDERS[1], of.B, UNIT)
)
TO_HARD = Decided(equation(of.at_hard(of.SOFT), of.HARD, HARD))
GRADIENT = Decided(equation(partial(of.SOFT, s[i]), of.GRADIENT, UNIT))
OF_LINK = Decided(
    equation(of.at_link(of.POSITIVE), of.at_link(of.NEGATIVE)),
    equation(
        of.POSITIVE - of.NEGATIVE,
        (exp(s[i]) + exp(-s[i])) * (t[i] - of.sigmoid(2 * s[i])),
        UNIT,
    ),
)
#: The arguments of the two logs, and where both are equal.
SUMS = (r"A = 1 + \sum_k t_k e^{-s_k}, \; B = 1 + \sum_k (1 - t_k) e^{s_k}",)
LINKED = (r"t_i e^{-s_i} = (1 - t_i) e^{s_i}",)
LOSS_BCE = r"-\sum_i t_i \log \sigma(s_i) - \sum_i (1 - t_i) \log(1 - \sigma(s_i))"
LOSS_SOFT = r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i})"

ORIGINAL = (
    _at(
        "orig. eq.2 lines 1-2",
        "c",
        "binary cross-entropy as two logs of products",
        r"-\sum_{pos} \log \sigma(s_j) - \sum_{neg} \log(1 - \sigma(s_i)) = \log"
        r" \prod_{pos} (1 + e^{-s_j}) + \log \prod_{neg} (1 + e^{s_i})",
        Verdict.PROVED,
        Decided(equation(of.HARD_BCE, log(of.HARD_PRODUCTS[0]) + log(of.HARD_PRODUCTS[1]), HARD)),
        GIVEN_HARD,
    ),
    _at(
        "orig. eq.2 line 3",
        "d",
        "to first order in each product it is ZLPR",
        r"\prod_{pos} (1 + e^{-s_j}) = 1 + \sum_{pos} e^{-s_j} + \cdots, \; \prod_{neg}"
        r" (1 + e^{s_i}) = 1 + \sum_{neg} e^{s_i} + \cdots",
        Verdict.PROVED,
        Derived("zlpr", "from-bce", "first order, positive side", "first order, negative side"),
        GIVEN_HARD,
    ),
    _at(
        "orig. eq.3",
        "h",
        "soft binary cross-entropy of one label",
        r"-t \log \sigma(s) - (1 - t) \log(1 - \sigma(s)) = t \log(1 + e^{-s}) + (1 - t)"
        r" \log(1 + e^s)",
        Verdict.PROVED,
        Decided(
            equation(
                -t[i] * log(of.sigmoid(s[i])) - (1 - t[i]) * log(1 - of.sigmoid(s[i])),
                t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])),
                UNIT,
            )
        ),
        GIVEN,
    ),
    _at(
        "orig. eq.4 lines 1-2",
        "i1",
        "the sum of soft binary cross-entropies as two logs of products",
        LOSS_BCE + r" = \log \prod_i (1 + e^{-s_i})^{t_i} + \log \prod_i (1 + e^{s_i})^{1 - t_i}",
        Verdict.PROVED,
        Decided(equation(of.SOFT_BCE, log(of.PRODUCTS[0]) + log(of.PRODUCTS[1]), UNIT)),
        GIVEN,
    ),
    _at(
        "orig. eq.4 lines 3-4",
        "i2",
        "the products to first order",
        r"\prod_i (1 + e^{-s_i})^{t_i} = 1 + \sum_i t_i e^{-s_i} + \cdots",
        Verdict.PROVED,
        TRUNCATED,
        GIVEN,
        note="Order by order; as a series it converges for |e^-s| < 1 only.",
    ),
    _at(
        "orig. eq.5",
        "j",
        "for labels 0 and 1 the soft loss is the hard one",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}) = \log(1 +"
        r" \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j}) \text{ for } t \in \{0,"
        r" 1\}^n",
        Verdict.PROVED,
        TO_HARD,
        GIVEN_HARD,
    ),
    _at(
        "orig. eq.6",
        "k",
        "the gradient of the soft loss",
        r"\frac{\partial l}{\partial s_i} = \frac{-t_i e^{-s_i}}{1 + \sum_k t_k e^{-s_k}}"
        r" + \frac{(1 - t_i) e^{s_i}}{1 + \sum_k (1 - t_k) e^{s_k}}",
        Verdict.PROVED,
        GRADIENT,
        GIVEN,
    ),
    _at(
        "orig.",
        "m",
        "t e^-s = (1 - t) e^s makes all derivatives vanish, so it should be the minimum",
        r"t_i e^{-s_i} = (1 - t_i) e^{s_i} \Rightarrow l \text{ is least}",
        Verdict.PROVED,
        All(Decided(equation(of.at_link(of.GRADIENT), S.Zero)), LEAST),
        GIVEN,
        note="The loss is convex, and 2 log(1 + sum sqrt(t (1 - t))) is its minimum.",
    ),
    _at(
        "orig. eq.7",
        "n",
        "solved for the label",
        r"t_i e^{-s_i} = (1 - t_i) e^{s_i} \Leftrightarrow t_i = \sigma(2 s_i)",
        Verdict.PROVED,
        OF_LINK,
    ),
    _at(
        "orig. eq.8",
        "r",
        "the soft loss with the labels in the exponents",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}) = \log(1 +"
        r" \sum_i e^{-s_i + \log t_i}) + \log(1 + \sum_i e^{s_i + \log(1 - t_i)})",
        Verdict.PROVED,
        Decided(equation(of.SOFT, of.IN_EXPONENTS, OPEN)),
        GIVEN_OPEN,
        note="At labels 0 and 1 with e^-inf = 0.",
    ),
)

EXPANSION = (
    _two(
        "3",
        "the logistic function",
        r"\sigma(s) = \frac{e^s}{1 + e^s}, \; 1 - \sigma(s) = \frac1{1 + e^s}",
        Verdict.PROVED,
        Decided(
            equation(of.sigmoid(s[i]), exp(s[i]) / (1 + exp(s[i]))),
            equation(1 - of.sigmoid(s[i]), 1 / (1 + exp(s[i]))),
        ),
    ),
    _two(
        "4",
        "binary cross-entropy by softplus",
        r"\mathrm{BCE} = \sum_{pos} \log(1 + e^{-s_j}) + \sum_{neg} \log(1 + e^{s_i})",
        Verdict.PROVED,
        Decided(equation(of.HARD_BCE, of.HARD_SOFTPLUS, HARD)),
        GIVEN_HARD,
    ),
    _two(
        "5",
        "binary cross-entropy as logs of products",
        r"\mathrm{BCE} = \log \prod_{pos} (1 + e^{-s_j}) + \log \prod_{neg} (1 +"
        r" e^{s_i})",
        Verdict.PROVED,
        Decided(
            equation(of.HARD_SOFTPLUS, log(of.HARD_PRODUCTS[0]) + log(of.HARD_PRODUCTS[1]), HARD)
        ),
        GIVEN_HARD,
    ),
    _three(
        "10",
        "the sum of soft binary cross-entropies",
        r"\mathrm{BCE} = -\sum_i t_i \log \sigma(s_i) - \sum_i (1 - t_i) \log(1 -"
        r" \sigma(s_i))",
        Verdict.PROVED,
        Decided(equation(of.SOFT_BCE, of.SOFTPLUS, UNIT)),
        GIVEN,
    ),
    _three(
        "11",
        "the same by softplus",
        r"\mathrm{BCE} = \sum_i t_i \log(1 + e^{-s_i}) + \sum_i (1 - t_i) \log(1 +"
        r" e^{s_i})",
        Verdict.PROVED,
        Decided(equation(of.SOFTPLUS, of.SOFT_BCE, UNIT)),
        GIVEN,
    ),
    _three(
        "12",
        "the same as products",
        r"\mathrm{BCE} = \log \prod_i (1 + e^{-s_i})^{t_i} + \log \prod_i (1 +"
        r" e^{s_i})^{1 - t_i}",
        Verdict.PROVED,
        Decided(equation(of.SOFTPLUS, log(of.PRODUCTS[0]) + log(of.PRODUCTS[1]), UNIT)),
        GIVEN,
    ),
    _three(
        "15",
        "the product to first order",
        r"\prod_i (1 + t_i e^{-s_i} + \cdots) = 1 + \sum_i t_i e^{-s_i} + \cdots",
        Verdict.PROVED,
        TRUNCATED,
        GIVEN,
    ),
    _three(
        "15b",
        "the terms of second order",
        r"\prod_i (1 + t_i e^{-s_i} + \cdots): \; \text{second order} = \sum_{i < j}"
        r" t_i t_j e^{-s_i - s_j} + \sum_i \tfrac12 t_i (t_i - 1) e^{-2 s_i}",
        Verdict.PROVED,
        Derived("soft_zlpr", "from-bce", "first of the dropped orders, positive side"),
        GIVEN,
    ),
    _three(
        "16c",
        "for labels 0 and 1 it is the hard loss",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}) = \log(1 +"
        r" \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j}) \text{ for } t \in \{0,"
        r" 1\}^n",
        Verdict.PROVED,
        TO_HARD,
        GIVEN_HARD,
    ),
)

LINK = (
    _four(
        "17",
        "the gradient of the soft loss",
        r"\frac{\partial L}{\partial s_i} = \frac{-t_i e^{-s_i}}{1 + \sum_j t_j"
        r" e^{-s_j}} + \frac{(1 - t_i) e^{s_i}}{1 + \sum_j (1 - t_j) e^{s_j}}",
        Verdict.PROVED,
        GRADIENT,
        GIVEN,
    ),
    _four(
        "20",
        "at t e^-s = (1 - t) e^s both sums are equal, and the derivatives vanish",
        r"\sum_j t_j e^{-s_j} = \sum_j (1 - t_j) e^{s_j}, \; \partial_i L = 0",
        Verdict.PROVED,
        Decided(
            equation(of.at_link(of.A), of.at_link(of.B)),
            equation(of.at_link(of.GRADIENT), S.Zero),
        ),
        assumptions=LINKED,
    ),
    _four(
        "21",
        "the odds",
        r"\frac{t_i}{1 - t_i} = e^{2 s_i}",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.ODDS), exp(2 * s[i]))),
        assumptions=LINKED,
    ),
    _four(
        "22",
        "the label",
        r"t_i = \frac{e^{2 s_i}}{1 + e^{2 s_i}}",
        Verdict.PROVED,
        Decided(equation(of.at_link(t[i]), exp(2 * s[i]) / (1 + exp(2 * s[i])))),
        assumptions=LINKED,
    ),
    _four(
        "23",
        "the label",
        r"t_i e^{-s_i} = (1 - t_i) e^{s_i} \Leftrightarrow t_i = \sigma(2 s_i)",
        Verdict.PROVED,
        OF_LINK,
    ),
    _five(
        "24",
        "the log of the odds",
        r"\log \frac{t_i}{1 - t_i} = 2 s_i",
        Verdict.PROVED,
        Decided(equation(of.at_link(log(of.ODDS)), 2 * s[i])),
        assumptions=LINKED,
    ),
    _five(
        "26",
        "half the logit",
        r"s_i = \tfrac12 \log \frac{t_i}{1 - t_i}",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.SCORE_OF_LABEL), s[i])),
        assumptions=LINKED,
    ),
    _five(
        "28",
        "the odds, from the symmetry",
        r"\frac{t}{1 - t} = e^{2 s}",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.ODDS), exp(2 * s[i]))),
        assumptions=LINKED,
    ),
)

CURVATURE = (
    _six(
        "29",
        "the diagonal of the Hessian",
        r"\frac{\partial^2 L}{\partial s_i^2} = \frac{t_i e^{-s_i} (1 + \sum_{j \ne i} t_j"
        r" e^{-s_j})}{A^2} + \frac{(1 - t_i) e^{s_i} (1 + \sum_{j \ne i} (1 - t_j) e^{s_j})}{B^2}",
        Verdict.PROVED,
        Decided(equation(of.DIAGONAL, of.EQUATION_29, UNIT)),
        (*GIVEN, *SUMS),
    ),
    _six(
        "30",
        "the diagonal is positive",
        r"\frac{\partial^2 L}{\partial s_i^2} > 0",
        Verdict.PROVED,
        Decided(equation(of.DIAGONAL, of.EQUATION_29, UNIT), above(of.EQUATION_29, S.Zero, UNIT)),
        GIVEN,
    ),
    _six(
        "31",
        "the other entries of the Hessian",
        r"\frac{\partial^2 L}{\partial s_i \partial s_j} = \frac{t_i t_j e^{-s_i - s_j}}{A^2}"
        r" - \frac{(1 - t_i)(1 - t_j) e^{s_i + s_j}}{B^2}, \; i \ne j",
        Verdict.REFUTED,
        Decided(equation(of.MIXED, of.EQUATION_31, UNIT)),
        (*GIVEN, *SUMS),
        "own-labels-mixed",
        "Both terms have a minus.",
    ),
    _six(
        "33",
        "the diagonal at the minimum",
        r"\partial_i^2 L = \frac{2 w (Z - w)}{Z^2}, \; w = t_i e^{-s_i}, \; Z = A = B",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.EQUATION_29), of.EQUATION_33)),
        assumptions=LINKED,
    ),
    _at(
        "s11",
        "43",
        "the minimum is where t = sigma(2s)",
        r"t = \sigma(2 s^*), \; s^* = \arg\min L",
        Verdict.PROVED,
        LEAST,
        GIVEN_OPEN,
        note="At labels 0 and 1 there is no minimum, s goes to infinity.",
    ),
    _at(
        "s11",
        "44",
        "for hard labels the soft loss is the hard one",
        r"\log(1 + \sum_i t_i e^{-s_i}) + \log(1 + \sum_i (1 - t_i) e^{s_i}) = \log(1 +"
        r" \sum_{neg} e^{s_i}) + \log(1 + \sum_{pos} e^{-s_j}) \text{ for } t \in \{0,"
        r" 1\}^n",
        Verdict.PROVED,
        TO_HARD,
        GIVEN_HARD,
    ),
)

ENTRIES = (*ORIGINAL, *EXPANSION, *LINK, *CURVATURE)
