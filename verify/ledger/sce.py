"""The derivation of multi-class cross-entropy: each statement with a verdict, in its order.

Section 1 and 2 define the layer and the loss, section 3 takes the gradient through the Jacobian of
softmax. Vectors are rows.
"""

from __future__ import annotations

from functools import partial as with_place

from sympy import KroneckerDelta, S, exp, log

from derive.axis import total
from derive.calculus import partial
from derive.facts import distribution, hard_rows, rows
from derive.losses.softmax import JACOBIAN, VALUE, Z, p
from derive.losses.symbols import at_index, c, i, j, k, s, t, v
from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Decided, Derived, IllPosed
from verify.ledger.formulas import sce as of
from verify.ledger.statement import equation

__all__ = ["ENTRIES"]

_at = with_place(entry_at, "SCE")
_derived = with_place(Derived, "softmax_cross_entropy")
P_J = at_index(p, j)

DEFINITIONS = (
    _at(
        "whole text",
        "0",
        "the formulas as printed in the text layer of the document",
        r"\frac{\partial \ln \hat y_j}{\partial \hat y_j} = 1 \hat y_j, \quad"
        r" \frac{\partial \hat y}{\partial z} = \begin{bmatrix} \hat y_1 (\hat y_1)^2"
        r" & \hat y_1 \hat y_2 & \cdots \\ \hat y_2 \hat y_1 & \hat y_2 (\hat y_2)^2 & \cdots"
        r" \end{bmatrix}, \quad \frac{\partial L}{\partial z} = \hat y y",
        Verdict.REFUTED,
        All(
            Decided(equation(partial(-of.LOSS_OF_TARGET, s[i]), p * of.TARGET)),
            Decided(equation(partial(log(of.Q[c]), of.Q[i]), of.TARGET * of.Q[c])),
            Decided(
                equation(
                    partial(p, s[j]),
                    KroneckerDelta(i, j) * p * p**2 + (1 - KroneckerDelta(i, j)) * p * P_J,
                )
            ),
            Decided(equation(total(of.one_hot(k) * log(of.Q[k]), k), log(of.Q[c]))),
            IllPosed("dk=1, 1NNi=1", "eq. 2 and 3 have lost the sign of the sum and 1/N its bar"),
            IllPosed(
                "L(i)w, y(i)z(i)",
                "eq. 7 and 8 have lost the bars of their fractions: nothing says what is derived",
            ),
        ),
        correction="own-sce-printed",
        note="Of the text layer all minus signs, sums and fraction bars are gone. As they stand, "
        "eq. 9, 10 and 11 are wrong, eq. 2, 3, 7 and 8 have no meaning, eq. 4 is the loss with its "
        "sign turned, which sends the target's probability to 0; eq. 5 and the chain of eq. 6 "
        "hold. The other entries of this document are about the formulas with their signs.",
    ),
    _at(
        "head",
        "a",
        "row vectors do not differ essentially from column vectors",
        r"z = x W, \; z^\top = V x^\top \;(V = W^\top): \quad \frac{\partial L}{\partial V_{ia}}"
        r" = x_a (\hat y_i - y_i) = \frac{\partial L}{\partial W_{ai}}, \quad"
        r" \frac{\partial \hat y_i}{\partial z_j} = \frac{\partial \hat y_j}{\partial z_i}",
        Verdict.PROVED,
        Decided(
            equation(of.GRADIENTS[0], of.X[of.a] * of.RESIDUALS[0], distribution(t)),
            equation(of.GRADIENTS[1], of.X[of.a] * of.RESIDUALS[1], distribution(t)),
            equation(partial(p, s[j]), partial(P_J, s[i])),
        ),
        distribution(t).describe(),
        note="Entry by entry the same; the arrays are transposed: x^T (yhat - y) in rows, "
        "(yhat - y)^T x in columns. The Jacobian of softmax is symmetric, so that its transpose "
        "need not be seen; the order of the factors of a layer must be (SCE-1).",
    ),
    _at(
        "eq.1",
        "1",
        "the scores are z = W x",
        r"z = W x, \quad W: (d_{in}, d), \; x: (1, d_{in})",
        Verdict.ILL_POSED,
        IllPosed(
            "W x",
            "W has d columns and x one row: the product has no meaning but for d = 1. With rows "
            "z = x W is meant, as the document itself says below",
        ),
    ),
    _at(
        "eq.1",
        "1b",
        "softmax keeps the dimension: d scores give a distribution over d classes",
        r"\hat y_i = \frac{e^{z_i}}{\sum_k e^{z_k}} > 0, \quad \sum_i \hat y_i = 1",
        Verdict.PROVED,
        All(
            _derived("definition", "take Z out of the sum", "each entry"),
            Decided(equation(p, exp(s[i] - log(Z)))),
        ),
        note="The d probabilities have d - 1 degrees of freedom: a shift of all scores is lost.",
    ),
    _at(
        "eq.2",
        "2",
        "the loss of a sample",
        r"L = -\sum_k y_k \ln \hat y_k = \mathrm{LSE}(z) - \sum_k y_k z_k",
        Verdict.PROVED,
        _derived("value", "open the logarithm", "divide by the own exponential"),
        distribution(t).describe(),
        note="The definition; what is decided are the two forms in which it is computed.",
    ),
    _at(
        "eq.3",
        "3",
        "the mean over N samples is no problem whatsoever: only eq. 2 need be derived",
        r"\frac{\partial}{\partial z_{ri}} \frac1N \sum_q L_q = \frac1N (\hat y_{ri} - y_{ri})",
        Verdict.PROVED,
        Decided(equation(of.MEAN_SLOPE, of.RESIDUAL_OF_ONE / of.SAMPLES.size, rows(of.LABELS))),
        rows(of.LABELS).describe(),
        note="The 1/N is not in the gradients that follow. It is undefined for N = 0 (all samples "
        "masked), and a mean of the means of parts is the mean only if the parts are equally "
        "large, which matters where gradients are accumulated.",
    ),
    _at(
        "s2",
        "b",
        "a label vector has exactly one 1",
        r"y_k \in \{0, 1\}, \; \sum_k y_k = 1: \quad \sum_k y_k^2 = 1, \;"
        r" \sum_{i \ne j} y_i y_j = 0",
        Verdict.PROVED,
        Decided(
            equation(total(of.LABELS[of.r, k] ** 2, k), S.One, hard_rows(of.LABELS)),
            equation(of.TWO_ONES, S.Zero, hard_rows(of.LABELS)),
        ),
        hard_rows(of.LABELS).describe(),
        note="For classes that exclude each other and labels that are certain. Label smoothing, "
        "mixup and distillation break it: eq. 2, 7, 8, 10 and 11 need the sum 1 only, eq. 4, 5, 6 "
        "and 9 need the one 1.",
    ),
    _at(
        "eq.5",
        "5",
        "the label as a one-hot vector",
        r"y_k = \delta_{kj}, \quad \sum_k y_k f_k = f_j",
        Verdict.PROVED,
        Decided(
            equation(total(of.one_hot(k), k), S.One),
            equation(total(of.one_hot(k) * of.Q[k], k), of.Q[c]),
        ),
    ),
    _at(
        "eq.6",
        "6",
        "one term of the sum is left",
        r"-\sum_k y_k \ln \hat y_k = -y_j \ln \hat y_j = -\ln \hat y_j",
        Verdict.PROVED,
        All(
            _derived("one-hot", "one term is left"),
            Decided(equation(total(of.one_hot(k) * log(of.Q[k]), k), log(of.Q[c]))),
        ),
        (r"y_k = \delta_{kj}",),
    ),
    _at(
        "eq.4",
        "4",
        "the usual form, the log of one component",
        r"L = -\ln \hat y_j = \ln \sum_k e^{z_k} - z_j",
        Verdict.PROVED,
        _derived("one-hot", "score and log-sum-exp", "pairwise differences"),
        (r"y_k = \delta_{kj}",),
        note="Printed without the index j, it looks like a log of the vector; the text says so.",
    ),
)

CHAIN_RULE = (
    _at(
        "eq.7",
        "7",
        "the chain rule to the weights has three factors",
        r"\frac{\partial L}{\partial w} = \frac{\partial L}{\partial \hat y}"
        r" \frac{\partial \hat y}{\partial z} \frac{\partial z}{\partial w}",
        Verdict.PROVED,
        All(
            _derived("chain-rule", "times the Jacobian, at q = p"),
            Decided(
                equation(
                    of.SLOPE_OF_LOSS, total((at_index(p, k) - t[k]) * v[k], k), distribution(t)
                )
            ),
        ),
        distribution(t).describe(),
        note="Decided for one weight w at a time, v_k = dz_k / dw. By the matrix W the last factor "
        "has three indices and the product is a sum over the middle one (SCE-d).",
    ),
    _at(
        "eq.8",
        "8",
        "the chain rule to the scores has two",
        r"\frac{\partial L}{\partial z_i} = \sum_k \frac{\partial L}{\partial \hat y_k}"
        r" \frac{\partial \hat y_k}{\partial z_i}",
        Verdict.PROVED,
        _derived("chain-rule", "times the Jacobian, at q = p"),
        distribution(t).describe(),
    ),
    _at(
        "s3.1",
        "d",
        "for the linear layer dz/dw = x",
        r"\frac{\partial z_k}{\partial W_{ai}} = x_a",
        Verdict.REFUTED,
        Decided(equation(of.SLOPE_OF_LAYER, of.X[of.a])),
        correction="own-sce-layer",
        note="True of one class's column of W and the score of that class. In eq. 7 z is the whole "
        "row: (1, d) times (1, d_in) has no meaning but for d = 1, and the gradient is the outer "
        "product.",
    ),
    _at(
        "s3.1",
        "e",
        "dz/dw depends on the layer and is no part of the loss",
        r"\frac{dL}{dw} = \sum_k (\hat y_k - y_k) \frac{dz_k}{dw} \text{ for every layer } z(w)",
        Verdict.PROVED,
        Decided(
            equation(of.SLOPE_OF_LOSS, total((at_index(p, k) - t[k]) * v[k], k), distribution(t))
        ),
        (*distribution(t).describe(), r"z_k(w) \text{ differentiable}"),
        note="The first factor has nothing of the layer, the second nothing of the loss.",
    ),
    _at(
        "s3.2",
        "f",
        "the shapes (1, d), (d, d) and their product (1, d) fit",
        r"\sum_{k} \underset{(1, d)}{g_k} \underset{(d, d)}{J_{ki}} = \underset{(1, d)}{h_i}",
        Verdict.PROVED,
        _derived(
            "chain-rule",
            "times the Jacobian, at q = p",
            "one-hot: only row c of the Jacobian is used",
        ),
        note="With rows J_ki is the derivative of yhat_k by z_i. The other convention transposes "
        "it, and nothing is seen of that here: this Jacobian is symmetric (SCE-a).",
    ),
)

GRADIENT = (
    _at(
        "eq.9",
        "9",
        "the gradient by the probabilities has one entry",
        r"\frac{\partial L}{\partial \hat y} = [0, \ldots, -1 / \hat y_j, \ldots, 0]",
        Verdict.PROVED,
        Decided(equation(partial(-log(of.Q[c]), of.Q[i]), -of.TARGET / of.Q[c])),
        (r"\hat y_i > 0",),
        note="With the probabilities as free variables: on the simplex only differences of its "
        "entries count. Of eq. 2 the entries are -y_i / yhat_i.",
    ),
    _at(
        "eq.10",
        "10",
        "the Jacobian of softmax",
        r"\frac{\partial \hat y}{\partial z} = \mathrm{diag}(\hat y) - \hat y^\top \hat y",
        Verdict.PROVED,
        All(
            _derived("jacobian", "collect", "off the diagonal", "on the diagonal"),
            Decided(equation(JACOBIAN, KroneckerDelta(i, j) * p - p * P_J)),
        ),
        note="Its rows sum to 0, so that it has no inverse.",
    ),
    _at(
        "s3.3",
        "h",
        "only row j of the Jacobian is used",
        r"\frac{\partial L}{\partial z_i} = -\frac{1}{\hat y_j}"
        r" \frac{\partial \hat y_j}{\partial z_i}",
        Verdict.PROVED,
        _derived("chain-rule", "one-hot: only row c of the Jacobian is used"),
        (r"y_k = \delta_{kj}",),
        note="So it is never formed: the gradient costs d operations, not d^2.",
    ),
    _at(
        "eq.11",
        "11",
        "the gradient by the scores",
        r"\frac{\partial L}{\partial z} = \hat y - y",
        Verdict.PROVED,
        All(
            _derived("gradient", "collect the terms"),
            Decided(equation(partial(of.LOSS_OF_TARGET, s[i]), p - of.TARGET)),
        ),
        note="For soft labels that sum to 1 as well. In floats the entry of the target is a "
        "difference of near numbers: -(1 - yhat_j), the sum of the others, keeps its digits.",
    ),
    _at(
        "end",
        "i",
        "the gradient is simple because softmax and the loss were designed for each other",
        r"L = F(z) - \sum_k y_k z_k, \; \hat y = \nabla F \; \Rightarrow \; \nabla L = \hat y - y;"
        r" \quad \nabla \tfrac12 |\hat y - y|^2 = (\hat y - y) J",
        Verdict.PROVED,
        Decided(
            equation(VALUE, log(Z) - total(t[k] * s[k], k), distribution(t)),
            equation(partial(log(Z), s[i]), p),
            equation(partial(of.SQUARED, s[i]), of.THROUGH_JACOBIAN),
        ),
        distribution(t).describe(),
        note="Read as: because they match. The loss is a convex F less the mean score, and softmax "
        "is the gradient of this F, log-sum-exp; a loss that does not match keeps the factor J, "
        "all of which is near 0 where softmax is sure, be it right or wrong. Every exponential "
        "family has such a pair with no design: its likelihood.",
    ),
)

ENTRIES = (*DEFINITIONS, *CHAIN_RULE, *GRADIENT)
