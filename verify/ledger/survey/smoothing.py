"""Section 3: from a comparison of scores by two smoothings to softmax cross-entropy."""

from __future__ import annotations

from functools import partial as with_place

from sympy import S, diff, exp, log

from derive.axis import total
from derive.calculus import partial
from derive.losses.softmax import Z, p
from derive.losses.symbols import c, i, s, sigmoid
from derive.losses.unified import GAMMA
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Decided, Derived, Empirical, Witnessed
from verify.ledger.formulas import survey as of
from verify.ledger.statement import above, at_least, equation

__all__ = ["ENTRIES"]

_three = with_place(entry_at, "SURVEY", "s3")
_derived = with_place(Derived, "softmax_cross_entropy")

ENTRIES = (
    _three(
        "18",
        "to output a class number assumes that neighbouring integers are similar classes",
        r"(d + 1)^2 > d^2 \text{ for numbers that are } d \ge 0 \text{ apart}",
        Verdict.PROVED,
        Decided(
            equation((of.DISTANCE + 1) ** 2 - of.DISTANCE**2, 1 + 2 * of.DISTANCE),
            above(1 + 2 * of.DISTANCE),
        ),
        note="Said of the squared error: a class one number further off costs more.",
    ),
    _three(
        "19",
        "the goal: the target score above all others",
        r"z_y > z_j \text{ for all } j \ne y \iff \frac{a_y}{a_j} = e^{z_y - z_j} > 1",
        Verdict.PROVED,
        Decided(equation(of.P_TARGET / p, exp(s[c] - s[i]))),
        note="A goal is a choice; what is decided is that it is the most probable class.",
    ),
    _three(
        "20",
        "a sum of ramps stops to pull exactly where the target passes the other class",
        r"L = \sum_{i \ne y} \max(z_i - z_y, 0): \quad \frac{\partial L}{\partial z_j}"
        r" = [z_j > z_y] \; (j \ne y), \quad L = 0 \iff z_j \le z_y \text{ for all } j",
        Verdict.PROVED,
        All(
            Decided(
                equation(partial(of.WITHOUT_MARGIN, s[i]), of.PULL),
                equation(partial(of.WITHOUT_MARGIN, of.TARGET_SCORE), -of.PULLS),
            ),
            Derived("hinge", "margin", *of.ZERO_LOSS),
        ),
        (r"y \text{ one-hot}, \; z_j \ne z_y",),
        note="At z_j = z_y itself every pull from 0 to 1 is a subgradient; code takes 0.",
    ),
    _three(
        "21",
        "a loss that stops where the target passes the others generalises poorly",
        r"\text{test error of } \sum_i \max(z_i - z_y, 0)",
        Verdict.EMPIRICAL,
        Empirical("training the same model with margins 0 and m > 0, error on held data compared"),
    ),
    _three(
        "22",
        "hinge: with a margin the target must lead every other class by m",
        r"L = \sum_{i \ne y} \max(z_i - z_y + m, 0), \quad"
        r" L = 0 \iff z_y \ge z_i + m \text{ for all } i \ne y",
        Verdict.PROVED,
        All(
            Derived(
                "hinge",
                "definition",
                "a ramp is a number where it is positive",
                "every term is non-negative",
                "what a ramp leaves out is the other ramp",
            ),
            Derived("hinge", "margin", *of.ZERO_LOSS),
        ),
        (r"y \text{ one-hot}",),
    ),
    _three(
        "23",
        "with many classes the gradients of hinge are uneven and huge, and easily explode",
        r"\frac{\partial L}{\partial z_i} = [x_i > 0], \quad"
        r" \frac{\partial L}{\partial z_y} = -\#\{i : x_i > 0\} \ge -(C - 1), \quad"
        r" x_i = z_i - z_y + m",
        Verdict.EMPIRICAL,
        All(
            Derived(
                "hinge",
                "bounds",
                "at the target minus the count",
                "elsewhere a step",
                "the components sum to zero",
                "their sizes sum to twice the count",
                "which is n - 1 less the comparisons won",
                "hence at most n - 1",
            ),
            Witnessed(of.pull_at_the_start),
            Empirical(
                "training with C = 10, 100, ..., 10^5 classes and one step size, the norms of the "
                "weights and their steps recorded, against the mean over i in place of the sum"
            ),
        ),
        note="Uneven and huge are proved: at the start, with equal scores and m > 0, every class "
        "pulls by 1 and the target by C - 1. Exploding is another thing: no gradient by the "
        "scores is above C - 1, whatever the scores are, and a step size divided by C - 1 undoes "
        "the size. Whether a training explodes depends on its step and on the layers before.",
    ),
    _three(
        "24",
        "to be above the largest non-target is to be above all non-targets",
        r"z_y = M + a > M - D_k = z_k \text{ for every } k \ne y",
        Verdict.PROVED,
        Decided(above(of.TOP + of.LEAD, of.TOP - of.BELOW[i])),
        (r"M = \max_{k \ne y} z_k, \; a > 0, \; D_k \ge 0",),
        note="The other way round M is itself one of the non-targets.",
    ),
    _three(
        "25",
        "of the largest other class alone at most one gradient is +1 and one is -1",
        r"L = \max(\max_{i \ne y} z_i - z_y, 0): \quad \nabla L = e_k - e_y \text{ or } 0",
        Verdict.PROVED,
        All(
            Derived(
                "max_hinge",
                "bounds",
                "at the target",
                "elsewhere 1 only at the class that leads",
                "the components sum to zero",
                "their sizes sum to twice that of the target",
                "the target has -1 unless it leads itself",
                "hence at most 1",
            ),
            Derived(
                "max_hinge",
                "definition",
                "one entry leads",
                "it is at least each lead",
                "hence at least 0",
            ),
        ),
        (r"y \text{ one-hot}, \text{ one largest } z_k",),
        note="At a tie of the largest the one pull may be shared among them in any way.",
    ),
    _three(
        "26",
        "with two gradients a step, +1 and -1, training converges extremely slowly",
        r"\max(\max_{i \ne y} z_i - z_y, 0)",
        Verdict.EMPIRICAL,
        Empirical("counting the steps to a given training error against those of cross-entropy"),
    ),
    _three(
        "27",
        "softmax is the smooth one-hot vector of the maximum, not the smooth maximum",
        r"1 - \mathrm{softmax}(\gamma z)_c \le \sum_{k \ne c} e^{-\gamma (z_c - z_k)}",
        Verdict.PROVED,
        Decided(
            equation(1 - of.SHARP, of.SHARP_RIVALS / (1 + of.SHARP_RIVALS)),
            at_least(of.SHARP_RIVALS**2 / (1 + of.SHARP_RIVALS)),
        ),
        (r"\gamma > 0",),
        note="If z_c is the only largest score, each term goes to 0 as gamma grows.",
    ),
    _three(
        "28",
        "the true smooth maximum is log-sum-exp",
        r"M \le \tfrac{1}{\gamma} \log \sum_k e^{\gamma z_k} \le M + \tfrac{1}{\gamma} \log n, \;"
        r" z_k = M - D_k",
        Verdict.PROVED,
        Decided(
            equation(
                of.CLASSES * exp(GAMMA * of.TOP) - of.OF_BELOW,
                exp(GAMMA * of.TOP) * of.SHORT_OF_ALL,
            ),
            at_least(of.SHORT_OF_ALL),
            equation(of.SHARP_SUM - exp(GAMMA * s[i]), of.SHARP_OTHERS),
            at_least(of.SHARP_OTHERS),
        ),
        (r"e^{\gamma D_k} = 1 + E_k, \; E_k \ge 0, \; \gamma > 0",),
        note="The lower bound holds for every single score, the largest too.",
    ),
    _three(
        "29",
        "log-sum-exp in place of the maximum over the other classes",
        r"L = \max\left(\log \sum_{i \ne y} e^{z_i} - z_y, 0\right)"
        r" \ge \max(\max_{i \ne y} z_i - z_y, 0)",
        Verdict.PROVED,
        All(
            Derived(
                "lse_hinge",
                "definition",
                "one class and the rest",
                "the rest is non-negative: LSE >= s_i, so X >= x_i",
                "the lead of all over the lead of one, as exponentials",
                "hence at least the max-hinge",
            ),
            Derived("lse_hinge", "gradient", "differentiate"),
        ),
        (r"y \text{ one-hot}, \text{ at least one other class}",),
        note="0 only where e^{z_y} >= sum of the others, which asks the target to have half of "
        "the probability.",
    ),
    _three(
        "30",
        "the gradient of log-sum-exp is softmax, here over the non-targets",
        r"\frac{\partial}{\partial z_j} \log \sum_{i \ne y} e^{z_i}"
        r" = \frac{e^{z_j}}{\sum_{i \ne y} e^{z_i}}",
        Verdict.PROVED,
        Decided(equation(partial(of.APART, s[i]), p)),
        (r"j \ne y, \; \text{at least one non-target}",),
    ),
    _three(
        "31",
        "the gradients of the non-targets sum to 1, that of the target is -1: sum 0, absolute 2",
        r"\sum_{i \ne y} \partial_i L = 1, \quad \partial_y L = -1",
        Verdict.PROVED,
        Decided(
            equation(total(partial(of.APART, s[i]), i), S.One),
            equation(partial(of.APART, of.TARGET_SCORE), S.NegativeOne),
            above(p),
        ),
        (r"\mathrm{LSE}_{i \ne y} > z_y",),
        note="The non-target gradients are positive, so their absolute values sum to 1 as well. "
        "Where the loss is 0 all of them are 0.",
    ),
    _three(
        "32",
        "log-sum-exp is at least the maximum, equality needs very harsh conditions",
        r"\sum_k e^{z_k} - e^{z_i} = \sum_{k \ne i} e^{z_k} \ge 0 \text{ for every } i",
        Verdict.PROVED,
        Decided(equation(Z - exp(s[i]), of.REST), at_least(of.REST)),
        note="The rest is 0 with one score only, as for the one non-target of two classes: there "
        "always. With two finite scores or more, never.",
    ),
    _three(
        "33",
        "log-sum-exp in place of the maximum amounts to some margin m",
        r"\log \sum_k e^{z_k} = z_i + m, \quad m = \log(1 + \sum_{k \ne i} e^{z_k - z_i})",
        Verdict.PROVED,
        Decided(
            equation(log(Z), s[i] + log(1 + of.REST_BY_OWN)),
            at_least(log(1 + of.REST_BY_OWN)),
        ),
        note="With z_i the largest of n scores m is between 0 and log n (SURVEY-28): no constant, "
        "and near 0 where one score is far above the others.",
    ),
    _three(
        "34",
        "that margin is often not enough",
        r"m = \mathrm{LSE}_{i \ne y} - \max_{i \ne y} z_i",
        Verdict.EMPIRICAL,
        Empirical("training with log-sum-exp and added margins, error on held data compared"),
    ),
    _three(
        "35",
        "softplus is the smooth ReLU",
        r"0 \le \log(1 + e^x) - \max(x, 0) = \log(1 + e^{-|x|}) \le \log 2",
        Verdict.PROVED,
        Decided(
            equation(of.softplus(of.NUMBER) - of.NUMBER, of.softplus(-of.NUMBER)),
            equation(of.softplus(-log(1 + of.EXCESS)), log(1 + 1 / (1 + of.EXCESS))),
            at_least(log(1 + 1 / (1 + of.EXCESS))),
            equation(2 - (1 + 1 / (1 + of.EXCESS)), of.EXCESS / (1 + of.EXCESS)),
            at_least(of.EXCESS / (1 + of.EXCESS)),
        ),
        (r"|x| = \log(1 + E), \; E \ge 0",),
    ),
    _three(
        "36",
        "past the boundary a little gradient remains, which is a bit more margin",
        r"\frac{d}{dx} \log(1 + e^x) = \sigma(x) > 0",
        Verdict.PROVED,
        Decided(
            equation(diff(of.softplus(of.NUMBER), of.NUMBER), sigmoid(of.NUMBER)),
            above(sigmoid(of.NUMBER)),
        ),
    ),
    _three(
        "37",
        "softplus of log-sum-exp less the target is softmax cross-entropy",
        r"\log(1 + e^{\mathrm{LSE}_{i \ne y} - z_y}) = \log(1 + \sum_{i \ne y} e^{z_i} / e^{z_y})"
        r" = \log \sum_i e^{z_i} / e^{z_y} = -\log \mathrm{softmax}(z)_y",
        Verdict.PROVED,
        All(
            _derived("one-hot", "softplus of log-sum-exp of the others less the target"),
            Decided(
                equation(of.softplus(of.GAP), log(1 + of.OTHERS / exp(s[c]))),
                equation(log(1 + of.OTHERS / exp(s[c])), log(Z / exp(s[c]))),
                equation(log(Z / exp(s[c])), -log(of.P_TARGET)),
            ),
        ),
    ),
    _three(
        "38",
        "two smoothings make the function trainable, add a margin and improve generalisation",
        r"\max(\max_{i \ne y} z_i - z_y, 0) \to -\log \mathrm{softmax}(z)_y",
        Verdict.EMPIRICAL,
        Empirical(
            "training with the maximum, with one smoothing and with both: steps needed and error "
            "on held data; that both raise the loss is decided in SURVEY-33 and SURVEY-35"
        ),
    ),
)
