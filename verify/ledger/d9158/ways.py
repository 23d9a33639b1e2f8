"""Document 9158: loss 1 from softmax cross-entropy, and losses that have a given solution."""

from __future__ import annotations

from functools import partial as with_place

from sympy import Rational, S, log

from derive.axis import total
from derive.calculus import partial
from derive.facts import hard, hard_rows, soft
from derive.grid.sums import CLASSES, SOFT, STRICTLY_SOFT, i, j, mean_score, p, t
from derive.grid.sums import s as scores
from derive.losses.grid.common import FIRST, LABEL, SECOND, at_two_classes, soft_zlpr_of
from derive.series import first_order
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import (
    All,
    Contrary,
    Decided,
    Derived,
    IllPosed,
    Witnessed,
)
from verify.ledger.formulas import d9158 as of
from verify.ledger.own.grid import BLIND, CONSTANT_SUM, SOLUTION
from verify.ledger.statement import above, equation

__all__ = ["ENTRIES", "HARD_ROWS", "POSITIVE_ROWS", "RELIEVED", "ROWS", "TWO_CLASSES"]


_at = with_place(entry_at, "9158")
_intro, _eq1, _eq2 = (with_place(_at, place) for place in ("intro", "eq.1", "eq.2"))
_after = with_place(_at, "after eq.8")

ROWS, HARD_ROWS = SOFT.describe(), hard_rows(t).describe()
POSITIVE_ROWS = STRICTLY_SOFT.describe()

BALANCED = (
    equation(of.PULL_UP, 1 - 1 / of.POSITIVE, hard(of.y)),
    equation(of.PULL_DOWN, 1 - 1 / of.NEGATIVE, hard(of.y)),
    above(of.PULLS[0], of.PULLS[1] / 2),
)
#: Of two sums the larger pulls more, by less than its ratio to the other.
RELIEVED = above(of.PULL_RATIO, S.One), above(1 + of.MORE, of.PULL_RATIO)
HARD_SAFE = Derived("grid", "hard-labels", "D_j, one term apart", "at the label of the sample")
TWO_CLASSES = tuple(
    equation(at_two_classes(loss), soft_zlpr_of(scale * (FIRST[p] - SECOND[p])), soft(LABEL))
    for loss, scale in ((of.LOSS_1, S.One), (of.LOSS_3, Rational(1, 2)))
)

INTRODUCTION = (
    _intro(
        "a",
        'multi-label classification is "n 2-class problems"',
        r"\sum_i y_i \log(1 + e^{-x_i}) + (1 - y_i) \log(1 + e^{x_i})"
        r" = -\sum_i \log \mathrm{softmax}(x_i, 0)_{\text{class of } i}",
        Verdict.PROVED,
        Decided(equation(of.BCE, of.TWO_CLASSES, soft(of.y))),
        (r"y_i \in [0, 1]",),
        note="The task is that; of the losses only binary cross-entropy is a sum over the labels. "
        "ZLPR couples them, by one log for all positives and one for all negatives.",
    ),
    _intro(
        "b",
        "the multi-label loss adjusts the imbalance of positives and negatives by itself",
        r"-\sum_i y_i \, \partial_i l = \frac{P}{1 + P}, \; \sum_i (1 - y_i) \, \partial_i l ="
        r" \frac{N}{1 + N}, \quad 1 < \frac{N / (1 + N)}{P / (1 + P)} < \frac NP \text{ for } N >"
        r" P",
        Verdict.PROVED,
        Decided(*BALANCED, *RELIEVED),
        hard(of.y).describe(),
        note="N and P are the sums under the logs. At all scores the pulls are nearer to each "
        "other than the sums, and both below 1; at scores 0 they are within a factor 2. Adjusted, "
        "not balanced: where labels are fitted the ratio is that of the sums again, see 7359-o.",
    ),
)

FIRST_WAY = (
    _eq1(
        "1a",
        "softmax cross-entropy by differences of scores",
        r"-\sum_{ij} t_{ij} \log \mathrm{softmax}(s_{ij})"
        r" = \sum_{ij} t_{ij} \log(1 + \sum_{k \ne j} e^{s_{ik} - s_{ij}})",
        Verdict.PROVED,
        Decided(equation(of.CROSS_ENTROPY, of.AS_LOGS, SOFT)),
        ROWS,
    ),
    _eq1(
        "1b",
        "the sum over samples as the log of a product",
        r"\sum_{ij} t_{ij} \log(1 + \sum_{k \ne j} e^{s_{ik} - s_{ij}}) = \sum_j \log"
        r" \prod_i (1 + \sum_{k \ne j} e^{s_{ik} - s_{ij}})^{t_{ij}}",
        Verdict.PROVED,
        Decided(equation(of.AS_LOGS, of.AS_PRODUCTS, SOFT)),
        ROWS,
    ),
    _eq1(
        "1c",
        "the product to first order",
        r"\prod_i (1 + \sum_{k \ne j} e^{s_{ik} - s_{ij}})^{t_{ij}} = 1 + \sum_i t_{ij}"
        r" \sum_{k \ne j} e^{s_{ik} - s_{ij}} + \cdots",
        Verdict.PROVED,
        Decided(equation(first_order(of.GRADED), of.KEPT, SOFT)),
        ROWS,
        note="Order by order in the sums e^{s_ik - s_ij}; as a series it converges only where each "
        "of them is below 1. For soft labels the next order has terms t (t - 1)/2 x^2 <= 0.",
    ),
    _eq2(
        "2",
        "loss 1 is the natural generalisation of the multi-label loss",
        r"l = \sum_j \log(1 + \sum_{i, k \ne j} t_{ij} e^{-s_{ij} + s_{ik}}), \; l ="
        r" \mathrm{ZLPR} \text{ for } m = 2",
        Verdict.PROVED,
        Decided(equation(total(log(first_order(of.GRADED)), j), of.LOSS_1, SOFT), TWO_CLASSES[0]),
        ROWS,
        note="It is the truncation for every m, and soft ZLPR for m = 2. Other losses are soft "
        "ZLPR for m = 2 too: one log for each pair of classes, or the mean with the mirror image.",
    ),
    _eq2(
        "c",
        "with hard labels loss 1 has basically no problem",
        r"l < \log 2 \Rightarrow \arg\max_k s_{ik} = c_i \text{ for all } i",
        Verdict.PROVED,
        HARD_SAFE,
        HARD_ROWS,
        note="A small loss has every class right, and every other class is compared. That is so of "
        "labels that can be fitted; where those of one input differ, see 9158-q.",
    ),
    _eq2(
        "3",
        "the gradient of loss 1",
        r"\frac{\partial l}{\partial s_{ij}} = \frac{-t_{ij} e^{-s_{ij}} \sum_{k \ne j} e^{s_{ik}}}"
        r"{D_j} + \sum_{h \ne j} \frac{t_{ih} e^{-s_{ih}} e^{s_{ij}}}{D_h}",
        Verdict.PROVED,
        Decided(equation(partial(of.LOSS_1, scores[i, j]), of.GRADIENT_1, SOFT)),
        ROWS,
    ),
    _eq2(
        "d",
        "there is probably no simple explicit solution of a zero gradient",
        r"\frac{\partial l}{\partial s_{ij}} = 0 \text{ has no simple explicit solution}",
        Verdict.REFUTED,
        Contrary(
            "it has one, up to m numbers y_j that m equations give",
            Witnessed(of.solution_of_loss_1),
            SOLUTION,
        ),
        POSITIVE_ROWS,
        "own-grid-solution",
        "m = 2: s_i0 - s_i1 is log(t_i0 / t_i1) / 2. From three classes on the y are algebraic.",
    ),
)

SECOND_WAY = (
    _at(
        "before eq.4",
        "e",
        "the original loss and loss 1 both have the form of loss 2",
        r"l_1 = \sum_j \log(1 + \sum_i t_{ij} e^{-f_{ij}}), \; f_{ij} = -\log \sum_{k"
        r" \ne j} e^{s_{ik} - s_{ij}}",
        Verdict.PROVED,
        Decided(
            equation(of.with_f(of.LOG_LEAD), of.LOSS_1, SOFT),
            equation(at_two_classes(of.LOSS_1), soft_zlpr_of(FIRST[p] - SECOND[p]), soft(LABEL)),
        ),
        ROWS,
        note="With an f of the whole row of scores. The multi-label loss is the case m = 2.",
    ),
    _at(
        "eq.4 (loss-2)",
        "4",
        "the general form of the losses",
        r"l = \sum_j \log(1 + \sum_i t_{ij} e^{-f(s_{ij})})",
        Verdict.ILL_POSED,
        IllPosed(
            "f(s_ij)",
            "a function of one score has no derivative by another, which eq. 5 takes, and eq. 7 "
            "has the mean of the row in it: f_ij = f_j(s_i1, ..., s_im) is meant",
        ),
        correction="own-grid-general-form",
    ),
    _at(
        "eq.5",
        "5",
        "the gradient of loss 2",
        r"\frac{\partial l}{\partial s_{ik}} = \sum_j \frac{-t_{ij} e^{-f_{ij}}"
        r" \partial f_{ij} / \partial s_{ik}}{1 + \sum_i t_{ij} e^{-f_{ij}}}",
        Verdict.PROVED,
        Decided(equation(of.BY_CHAIN_RULE, of.GRADIENT_2, SOFT)),
        ROWS,
        note="The i of the sum in the denominator is another one than that of the numerator.",
    ),
    _at(
        "eq.6",
        "6",
        "the gradient of loss 2 at t = softmax(f)",
        r"\frac{\partial l}{\partial s_{ik}} = -\frac{(1/Z_i) \, \partial (\sum_j f_{ij}) /"
        r" \partial s_{ik}}{1 + \sum_i 1/Z_i} \text{ at } t_{ij} = e^{f_{ij}} / Z_i",
        Verdict.PROVED,
        Decided(equation(of.at_link(of.GRADIENT_2), of.AT_LINK)),
    ),
    _at(
        "after eq.6",
        "f",
        "it is enough that the sum of f over the classes is a constant independent of i and j",
        r"\sum_j f_{ij} = c \Rightarrow l \text{ is stationary at } t ="
        r" \mathrm{softmax}(f)",
        Verdict.PROVED,
        CONSTANT_SUM,
        POSITIVE_ROWS,
        "own-grid-constant-sum",
        "Stronger: the constant may depend on i, it is also needed, and the solution is a minimum.",
    ),
    _at(
        "eq.7",
        "7",
        "scores less the mean of their row sum to 0",
        r"f_{ij} = s_{ij} - \bar s_i, \; \bar s_i = \frac1m \sum_j s_{ij}"
        r" \Rightarrow \sum_j f_{ij} = 0",
        Verdict.PROVED,
        Decided(
            equation(total(of.CENTRED, j), S.Zero),
            equation(total(scores[p, j], j), CLASSES.size * mean_score(p)),
        ),
    ),
    _at(
        "eq.8 (loss-3)",
        "8",
        "loss 2 with centred scores",
        r"l = \sum_j \log(1 + \sum_i t_{ij} e^{-s_{ij} + \bar s_i})",
        Verdict.PROVED,
        Decided(equation(of.with_f(of.CENTRED), of.LOSS_3, SOFT)),
        ROWS,
    ),
)

LOSS_3 = (
    _after(
        "g",
        "the mean does not affect the normalisation, so loss 3 is least at t = softmax(s)",
        r"\mathrm{softmax}(s_i - \bar s_i) = \mathrm{softmax}(s_i), \;"
        r" \arg\min l \ni s : t = \mathrm{softmax}(s)",
        Verdict.PROVED,
        All(Decided(equation(*of.SOFTMAX_CENTRED)), CONSTANT_SUM),
        POSITIVE_ROWS,
        note="The least value is m log(1 + sum_i prod_j t_ij^(1/m)).",
    ),
    _after(
        "h",
        "the closer the labels are to hard ones, the worse loss 3 is",
        r"\partial_\varepsilon^2 l = \frac{g (1 + R)}{(1 + R + g)^2} \sum_j d_j^2 \le"
        r" g \sum_j d_j^2, \; g = \prod_j t_{ij}^{1/m} \text{ along } s_i + \varepsilon d",
        Verdict.PROVED,
        Decided(
            equation(of.CURVATURE, of.FLAT * total(of.d[j] ** 2, j)),
            equation(of.MEAN - of.FLAT, of.FLATTER),
            above(of.FLATTER),
            equation(*of.GEOMETRIC_TERM, STRICTLY_SOFT),
        ),
        (*POSITIVE_ROWS, r"\textstyle\sum_j d_j = 0"),
        note="At the minimum each class has the geometric mean g of the labels of a sample under "
        "its log (R is the rest of that sum). The curvature is at most g, which goes to 0 as the "
        "labels become hard: less and less holds the scores at the labels.",
    ),
    _after(
        "i",
        "loss 3 is near 0 wherever s_ij is far above the mean, which does not make it the largest",
        r"\exists s: l \to 0, \; c_i \ne \arg\max_j s_{ij} \quad (m \ge 3)",
        Verdict.PROVED,
        BLIND,
        HARD_ROWS,
    ),
)

ENTRIES = (*INTRODUCTION, *FIRST_WAY, *SECOND_WAY, *LOSS_3)
