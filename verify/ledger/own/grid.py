"""Losses of n samples and m classes: what holds in place of what document 9158 says."""

from __future__ import annotations

from functools import partial as with_topic

from sympy import Expr, Rational, S, exp

from derive.axis import Index, array, total
from derive.facts import hard_rows, soft
from derive.grid.sums import SOFT, STRICTLY_SOFT, h, i, j, k, l, p, s, t
from derive.losses.grid.common import FIRST, LABEL, SECOND, at_two_classes, soft_zlpr_of
from verify.ledger.entry import own_entry
from verify.ledger.evidence import All, Decided, Derived
from verify.ledger.formulas import d9158 as of
from verify.ledger.statement import equation

__all__ = ["BLIND", "CONSTANT_SUM", "ENTRIES", "MIRRORED", "PLAIN_SHARE", "SOLUTION"]

POSITIVE_ROWS, ROWS = STRICTLY_SOFT.describe(), SOFT.describe()

_entry = with_topic(own_entry, "grid")

# Samples that share their scores: weights of any sum in place of labels ---------------------------

D, weight = array("D", positive=True), array("w", positive=True)


def _linked(own: Index) -> Expr:
    """``c_ij = w_i softmax_j(2 s_ij + log D_j)``."""
    whole = total(D[h] * exp(2 * s[i, h]), h)
    return weight[i] * D[own] * exp(2 * s[i, own]) / whole


def _pull(own: Index) -> Expr:
    """``c_ij e^{-s_ij} / D_j``."""
    return _linked(own) * exp(-s[i, own]) / D[own]


GRADIENT_AT_LINK = exp(s[i, j]) * total(_pull(k), k) - _pull(j) * total(exp(s[i, l]), l)

SOLUTION = All(
    Derived(
        "grid",
        "truncated-link",
        "at t = softmax(2s + log D) it vanishes, whatever the D_j > 0 are",
        "elsewhere it does not: the difference is a combination of gradients",
    ),
    Derived(
        "grid",
        "truncated-solution",
        "so D_j = 1 / y_j^2 exactly where y_j (K y)_j = 1",
        "the minimum",
    ),
    Derived("grid", "class-constants", "its Hessian, as squares"),
    Derived("grid", "truncated-minimum", "in sum"),
)
CONSTANT_SUM = All(
    Derived(
        "grid",
        "constant-sum",
        "at t = softmax(f) (eq. 6)",
        "zero only where the sum of f is stationary",
    ),
    Derived("grid", "constant-sum-minimum", "there softmax(f) is t"),
)
BLIND = Derived(
    "grid",
    "constant-sum-hard",
    "f = A at the labels, anything elsewhere",
    "n e^-A less the loss",
    "A at the label, 2A at a wrong class, the rest shared by the other m - 2: the sum is C",
)
PLAIN_SHARE = Derived("grid", "balance-value", "of the plain sum, untrained: the count")
MIRRORED = Derived("grid", "mirrored-optimum", "Lagrange's identity", "there the gap closes")

ENTRIES = (
    _entry(
        "for 9158-d, 9158-j2",
        "solution",
        "the scores that minimise loss 1 for soft labels",
        r"t_{ij} = \mathrm{softmax}_j(2 s_{ij} + \log D_j), \;"
        r" s_{ij} = \tfrac12 \log t_{ij} + \log y_j + c_i, \; y_j (K y)_j = 1,"
        r" \; \min l = -2 \sum_j \log y_j",
        SOLUTION,
        POSITIVE_ROWS,
        "K has 1 on its diagonal and sum_i sqrt(t_ij t_ik) elsewhere; there is exactly one y > 0. "
        "The other way, from scores to labels, is not unique: 34 samples of 3 classes have three "
        "arrays of labels for which the same scores are optimal.",
    ),
    _entry(
        "for 9158-4",
        "general-form",
        "the general form, with an f of the whole row",
        r"l = \sum_j \log(1 + \sum_i t_{ij} e^{-f_j(s_{i1}, \dots, s_{im})})",
        Decided(
            equation(of.with_f(of.LOG_LEAD), of.LOSS_1, SOFT),
            equation(of.with_f(of.CENTRED), of.LOSS_3, SOFT),
            equation(
                at_two_classes(of.with_f(of.CENTRED)),
                soft_zlpr_of(Rational(1, 2) * (FIRST[p] - SECOND[p])),
                soft(LABEL),
            ),
        ),
        ROWS,
        "f_ij = -log sum_{k != j} e^(s_ik - s_ij) is loss 1, the centred score loss 3.",
    ),
    _entry(
        "for 9158-f",
        "constant-sum",
        "t = softmax(f) is stationary, and then a minimum, exactly where the sum of f is constant",
        r"t = \mathrm{softmax}(f) \text{ minimises loss 2 } \Leftrightarrow"
        r" \textstyle\sum_j f_{ij} = c_i",
        CONSTANT_SUM,
        POSITIVE_ROWS,
        "The constant may depend on the sample. The sum over the classes of log(1 + sum_i e^-x_ij) "
        "is at least m log(1 + sum_i e^-xbar_i), whatever f is.",
    ),
    _entry(
        "for 9158-j1",
        "centred-blind",
        "with hard labels no loss with a constant sum of f tells the other classes apart",
        r"l = \sum_j \log(1 + e^{-A} n_j) \le n e^{-A} \text{ for } f_{i c_i} = A"
        r" \text{ and any other } f_{ij}",
        BLIND,
        hard_rows(t).describe(),
        "From three classes on a wrong class leads at no cost.",
    ),
    _entry(
        "for 9158-m",
        "plain-share",
        "the share of a class in the plain sum is its count times its mean loss",
        r"\sum_i t_{ij} \log m = n_j \log m \text{ for equal scores}",
        PLAIN_SHARE,
        ROWS,
        "Proportional to the count where the classes have equal mean losses, as at the start.",
    ),
    _entry(
        "for 9158-n, 9158-o",
        "load",
        "share and pull of a class in loss 1, by its load N_j = sum_i t_ij u_ij",
        r"\frac{N_j}{1 + N_j} \le \log(1 + N_j) \le N_j, \;"
        r" 0 \le \log(1 + N_j) - \log N_j \le 1/N_j",
        Derived(
            "grid",
            "balance-value",
            "the load of class j",
            "of the log, untrained",
            "which differ by less than N^2: small loads count",
            "a large load counts by its log",
        ),
        ROWS,
        "The log of the count for large loads, as at the start, where N_j = (m - 1) n_j; the count "
        "itself for small ones, where the labels are fitted.",
    ),
    _entry(
        "for 9158-p",
        "mirrored",
        "a loss with one log a class and a known minimum",
        r"l = \tfrac12 \sum_j \log D_j + \tfrac12 \sum_k \log E_k \ge"
        r" \sum_j \log(1 + \sum_{k \ne j} G_{jk}),"
        r" \text{ equality exactly at } t = \mathrm{softmax}(2s)",
        MIRRORED,
        POSITIVE_ROWS,
        "At that minimum it has the frequencies of the labels, as every loss with this link: it "
        "balances on the way there.",
    ),
    _entry(
        "for 9158-q",
        "decoding",
        "what loss 1 estimates is softmax(2s + log D), with labels that are counts too",
        r"\nabla l = 0 \text{ where } c_{ij} = w_i \, \mathrm{softmax}_j(2 s_{ij} + \log D_j)",
        Decided(equation(GRADIENT_AT_LINK, S.Zero)),
        (r"w_i > 0",),
        "c_ij counts the labels j at input i; argmax of s alone leaves the D out.",
    ),
)
