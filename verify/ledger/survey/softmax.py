"""Sections 1 and 2: softmax, its cross-entropy and their gradient."""

from __future__ import annotations

from functools import partial as with_place

from sympy import KroneckerDelta, exp, log

from derive.calculus import partial
from derive.losses.softmax import Z, p
from derive.losses.symbols import c, i, s, sigmoid
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Contrary, Decided, Derived, Empirical, Witnessed
from verify.ledger.formulas import survey as of
from verify.ledger.own.softmax import SLOPE
from verify.ledger.statement import at_least, equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "SURVEY")
_one, _two = (with_place(_at, f"s{n}") for n in (1, 2))
_derived = with_place(Derived, "softmax_cross_entropy")
TARGET = KroneckerDelta(i, c)

DEFINITION = (
    _one(
        "1",
        "softmax gives values in [0, 1] that sum to 1",
        r"0 \le \frac{e^{z_i}}{\sum_c e^{z_c}} \le 1, \quad \sum_i \frac{e^{z_i}}{\sum_c e^{z_c}}"
        r" = 1",
        Verdict.PROVED,
        All(
            _derived("definition", "take Z out of the sum", "each entry"),
            Decided(equation(1 - p, of.OTHER_MASS), at_least(of.OTHER_MASS)),
        ),
    ),
    _one(
        "2",
        "the weight of a class can be regarded as a representative of all its samples",
        r"W_k \approx \text{mean of the features of class } k",
        Verdict.EMPIRICAL,
        Empirical(
            "training a classifier and comparing the angle of each W_k to the mean feature of its "
            "class with the angles to single features and to the means of other classes"
        ),
    ),
    _one(
        "3",
        "the logit is the dot product of feature and class weight, a similarity of the two",
        r"2 \langle x, w \rangle = |x|^2 + |w|^2 - |x - w|^2",
        Verdict.PROVED,
        Decided(equation(2 * of.DOT, of.SQUARED_NORMS - of.SQUARED_DISTANCE)),
        note="The logit is so by definition. It orders by nearness where all weights are of one "
        "length; else a long weight has a large logit without being near.",
    ),
    _one(
        "4",
        "softmax enlarges tiny differences of the logits and is very sensitive to them",
        r"|p - p'| > |z - z'| \text{ for small } |z - z'|",
        Verdict.REFUTED,
        Contrary("a step is at most halved", Witnessed(of.tiny_difference), SLOPE),
        correction="own-softmax-sensitivity",
        note="What grows is the ratio of two probabilities, e^d at a difference d: of (10, 5, 5) "
        "it is 148 in place of 2. At a tiny d it is only about 1 + d.",
    ),
    _one(
        "5",
        "of the scores 10, 5, 5 the correct class has only the share 1/2",
        r"\frac{10}{10 + 5 + 5} = \frac12",
        Verdict.CONFIRMED,
        Witnessed(of.share_of_ten),
    ),
    _one(
        "6",
        "without softmax a higher share needs a score far above the others",
        r"\frac{x}{x + B} = \frac{q}{1 + q} \text{ at } x = qB, \quad"
        r" \frac{e^x}{e^x + B} = \frac{q}{1 + q} \text{ at } x = \log q + \log B",
        Verdict.PROVED_FOR,
        All(
            Decided(
                equation(of.ODDS * of.SUM / (of.ODDS * of.SUM + of.SUM), of.ODDS / (1 + of.ODDS)),
                equation(
                    sigmoid(log(of.ODDS) + log(of.SUM) - log(of.SUM)), of.ODDS / (1 + of.ODDS)
                ),
            ),
            Witnessed(
                of.score_for_that_share,
                "at these numbers: the formulas hold for all q and B, how far above is differs",
            ),
        ),
        note="Above 742 in place of 10: the odds q multiply a score, under softmax their log is "
        "added to it.",
    ),
    _one(
        "7",
        "softmax gives the correct class 98.7 %",
        r"\frac{e^{10}}{e^{10} + e^5 + e^5} = 98.7\,\%",
        Verdict.PROVED_FOR,
        Witnessed(of.softmax_of_ten),
        note="The share of any scores by their leads: SURVEY-8.",
    ),
    _one(
        "8",
        "the exponential makes a probability near 1 much easier: the winner takes all",
        r"1 - p_c \le \sum_{k \ne c} e^{-(z_c - z_k)}",
        Verdict.PROVED,
        Decided(
            equation(1 - of.P_TARGET, of.RIVALS / (1 + of.RIVALS)),
            equation(of.RIVALS - of.RIVALS / (1 + of.RIVALS), of.RIVALS**2 / (1 + of.RIVALS)),
            at_least(of.RIVALS**2 / (1 + of.RIVALS)),
        ),
        note="It depends on the scale of the scores: of (1, 0, 0) softmax gives the first 0.58, "
        "a share of the sum 1.",
    ),
)

GRADIENT = (
    _two(
        "9",
        "scores, probabilities and labels are rows of n numbers, the loss is one number",
        r"\underset{(1, 1)}{L} = -\sum_{i=1}^{n} y_i \ln a_i, \quad"
        r" \underset{(1, n)}{\frac{\partial L}{\partial z}}"
        r" = \underset{(1, n)}{\frac{\partial L}{\partial a}}"
        r" \underset{(n, n)}{\frac{\partial a}{\partial z}}",
        Verdict.PROVED,
        All(
            _derived("value", "open the logarithm", "divide by the own exponential"),
            _derived("chain-rule", "times the Jacobian, at q = p"),
        ),
        note="In the value every index is summed over; in z_i, a_i, y_i and the gradient one is "
        "free. Of a batch of rows each has its own value.",
    ),
    _two(
        "10",
        "softmax",
        r"a_i = \frac{e^{z_i}}{\sum_k e^{z_k}}",
        Verdict.PROVED,
        All(
            _derived("definition", "take Z out of the sum", "each entry"),
            Decided(equation(p, exp(s[i] - log(Z)))),
        ),
        note="The definition: what is decided is that it is a distribution, and e^{z - LSE(z)}.",
    ),
    _two(
        "11",
        "for a one-hot label the loss is the log of one probability",
        r"-\sum_i y_i \ln a_i = -\ln a_j",
        Verdict.PROVED,
        _derived("one-hot", "one term is left"),
        (r"y_j = 1, \; y_i = 0 \; (i \ne j)",),
    ),
    _two(
        "12",
        "the chain rule through the probabilities",
        r"\frac{\partial L}{\partial z} = \frac{\partial L}{\partial a}"
        r" \frac{\partial a}{\partial z}",
        Verdict.PROVED,
        _derived("chain-rule", "times the Jacobian, at q = p"),
    ),
    _two(
        "13",
        "the gradient by the probabilities has one entry",
        r"\frac{\partial L}{\partial a} = [0, \ldots, -1 / a_j, \ldots, 0]",
        Verdict.PROVED,
        Decided(equation(partial(-log(of.Q[c]), of.Q[i]), -TARGET / of.Q[c])),
        (r"a_i > 0",),
    ),
    _two(
        "14",
        "row i of the Jacobian is the derivative of a_i; only row j is needed",
        r"\frac{\partial L}{\partial z_i} = -\frac{1}{a_j} \frac{\partial a_j}{\partial z_i}",
        Verdict.PROVED,
        _derived("chain-rule", "one-hot: only row c of the Jacobian is used"),
    ),
    _two(
        "15",
        "off the diagonal",
        r"i \ne j: \; \frac{\partial a_j}{\partial z_i} = -a_j a_i, \;"
        r" \frac{\partial L}{\partial z_i} = a_i",
        Verdict.PROVED,
        All(
            _derived("jacobian", "collect", "off the diagonal"),
            Decided(equation((1 - TARGET) * partial(-log(of.P_TARGET), s[i]), (1 - TARGET) * p)),
        ),
    ),
    _two(
        "16",
        "on the diagonal",
        r"\frac{\partial a_j}{\partial z_j} = a_j - a_j^2, \;"
        r" \frac{\partial L}{\partial z_j} = a_j - 1",
        Verdict.PROVED,
        All(
            _derived("jacobian", "collect", "on the diagonal"),
            Decided(equation(partial(-log(of.P_TARGET), s[c]), of.P_TARGET - 1)),
        ),
    ),
    _two(
        "17",
        "the gradient is the prediction less the one-hot label",
        r"\frac{\partial L}{\partial z} = a - y",
        Verdict.PROVED,
        All(
            _derived("gradient", "collect the terms"),
            Decided(equation(partial(-log(of.P_TARGET), s[i]), p - TARGET)),
        ),
        note="For soft labels that sum to 1 as well.",
    ),
)

ENTRIES = (*DEFINITION, *GRADIENT)
