"""Where the pairwise and the mirrored loss have their minimum, and what it is.

A term and its mirror image have a product without scores, ``a_ijk a_ikj = t_ij t_ik``. With
``x = sqrt(a_ijk)`` and ``y = sqrt(a_ikj)`` Lagrange's identity reads, for one pair of classes,

    P_jk P_kj = (1 + G_jk)^2 + sum_i (x_i - y_i)^2 + 1/2 sum_ip (x_i y_p - x_p y_i)^2,

and, with the sums over samples and other classes, ``D_j E_j = (1 + sum_{k != j} G_jk)^2 + ...`` for
one class. So both losses have a lower bound without scores, which they meet where every
``x = y``: ``t_ij e^{-2 s_ij} = t_ik e^{-2 s_ik}``, which is ``t = softmax(2s)`` row by row.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, log, sqrt

from derive.axis import Index, array, total
from derive.derivation import Derivation
from derive.grid.sums import apart, h, i, j, k, l, other_class, own_class, p, pair, q, s, t
from derive.grid.theory import at_softmax2, begin, overlap, softmax2

# Names of what stands under the logs.
D_j, E_j, floor_j = (array(name, positive=True)[j] for name in "DEF")

#: Abbreviations in print.
PAIR_NAMES = (
    (Symbol("P_jk"), pair(j, k)),
    (Symbol("P_kj"), pair(k, j)),
    (Symbol("G_jk"), overlap(j, k)),
)
CLASS_NAMES = (
    (Symbol("D_j"), own_class(j)),
    (Symbol("E_j"), other_class(j)),
    (Symbol("G_jk"), overlap(j, k)),
)


def root(sample: Index, own: Index, other: Index) -> Expr:
    """``sqrt(a_ijk) = sqrt(t_ij) e^{(s_ik - s_ij)/2}``."""
    return sqrt(t[sample, own]) * exp((s[sample, other] - s[sample, own]) / 2)


def unequal(sample: Index, own: Index, other: Index) -> Expr:
    """``sqrt(a_ijk) - sqrt(a_ikj)``."""
    return root(sample, own, other) - root(sample, other, own)


def _cross(first: tuple[Index, Index, Index], second: tuple[Index, Index, Index]) -> Expr:
    """``x y' - x' y`` of two terms, each given by sample, class and other class."""
    (i1, j1, k1), (i2, j2, k2) = first, second
    return root(*first) * root(i2, k2, j2) - root(*second) * root(i1, k1, j1)


def gap_of_pair() -> Expr:
    """``P_jk P_kj - (1 + G_jk)^2`` as squares."""
    cross = _cross((p, j, k), (q, j, k)) ** 2
    return total(unequal(p, j, k) ** 2, p) + total(total(cross, q), p) / 2


def gap_of_class() -> Expr:
    """``D_j E_j - (1 + sum_{k != j} G_jk)^2`` as squares."""
    near = total(total(apart(j, h) * unequal(p, j, h) ** 2, h), p)
    cross = apart(j, h) * apart(j, l) * _cross((p, j, h), (q, j, l)) ** 2
    return near + total(total(total(total(cross, l), q), h), p) / 2


def over_pairs(body: Expr) -> Expr:
    """``sum_{j != k} body``."""
    return total(total(apart(j, k) * body, k), j)


def overlap_with_others() -> Expr:
    """``sum_{k != j} G_jk``."""
    return total(apart(j, k) * overlap(j, k), k)


def derive_pairwise_optimum() -> Derivation:
    """``sum_{j != k} log P_jk``: the minimum, and that it is met nowhere but at ``softmax(2s)``."""
    value, floor = over_pairs(log(pair(j, k))), 1 + overlap(j, k)
    least, gap = over_pairs(log(floor)), gap_of_pair()
    title = "The pairwise loss has its minimum at t = softmax(2s)"
    names = (*PAIR_NAMES, (Symbol("Q_jk"), gap))
    chain = begin("pairwise-optimum", title, value - least, claims=("9158-p",), names=names)
    both = pair(j, k) * pair(k, j)
    chain = chain.to("each pair with its mirror image", over_pairs(log(both / floor**2)) / 2)
    chain = chain.lemma("Lagrange's identity", both - floor**2, gap)
    excess = over_pairs(log(1 + gap / floor**2)) / 2
    chain = chain.rewrite("inserted", both / floor**2, 1 + gap / floor**2)
    chain = chain.nonnegative("so the loss is never below sum_{j != k} log(1 + G_jk)", excess)
    chain = chain.forces("it is met only where, for j != k", excess, apart(j, k) * gap)
    chain = chain.forces("which needs, for every sample,", gap, unequal(i, j, k))
    chain = _balanced_rows(chain)
    chain = chain.lemma("there the gap closes", at_softmax2(gap), S.Zero)
    return chain.lemma("the minimum", at_softmax2(value), at_softmax2(least))


def derive_mirrored_optimum() -> Derivation:
    """``1/2 sum_j log D_j + 1/2 sum_k log E_k``: one log a class, the same minimiser."""
    both, floor = own_class(j) * other_class(j), 1 + overlap_with_others()
    value, least = total(log(own_class(j)) + log(other_class(j)), j) / 2, total(log(floor), j)
    gap = gap_of_class()
    title = "The mirrored loss has its minimum at t = softmax(2s)"
    names = (*CLASS_NAMES, (Symbol("Q_j"), gap))
    chain = begin("mirrored-optimum", title, value - least, claims=("9158-p",), names=names)
    named = {own_class(j): D_j, other_class(j): E_j, floor: floor_j}
    chain = chain.generally("the two logs of a class", total(log(both / floor**2), j) / 2, named)
    chain = chain.lemma("Lagrange's identity", both - floor**2, gap)
    excess = total(log(1 + gap / floor**2), j) / 2
    chain = chain.rewrite("inserted", both / floor**2, 1 + gap / floor**2)
    rule = "so the loss is never below sum_j log(1 + sum_{k != j} G_jk)"
    chain = chain.nonnegative(rule, excess)
    chain = chain.forces("it is met only where", excess, gap)
    chain = chain.forces("which needs, for every sample,", gap, apart(j, k) * unequal(i, j, k))
    chain = _balanced_rows(chain)
    chain = chain.lemma("there the gap closes", at_softmax2(gap), S.Zero)
    return chain.lemma("the minimum", at_softmax2(value), at_softmax2(least))


def _balanced_rows(chain: Derivation) -> Derivation:
    """``x = y`` for every two classes of a sample: its labels are ``softmax(2s)``."""
    difference, conjugate = unequal(i, j, k), root(i, j, k) + root(i, k, j)
    chain = chain.positive("the conjugate is positive", conjugate)
    balance = t[i, j] * exp(-2 * s[i, j]) - t[i, k] * exp(-2 * s[i, k])
    product = difference * conjugate, exp(s[i, j] + s[i, k]) * balance
    chain = chain.lemma("difference times conjugate", *product)
    chain = chain.forces("so t e^{-2s} is one number for all classes", product[1], balance)
    balances = total(exp(2 * s[i, j] + 2 * s[i, k]) * balance, k)
    whole = total(exp(2 * s[i, h]), h)
    rule = "and as the row of labels sums to 1, t = softmax(2s)"
    return chain.lemma(rule, t[i, j] - softmax2(i, j), balances / whole)
