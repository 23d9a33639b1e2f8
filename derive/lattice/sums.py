"""The sums under the log of the lattice, and the symbols they are written in.

With ``v_j = (1 - t_j) e^{s_j}``, ``w_j = t_j e^{-s_j}``, ``V(z) = prod_j (1 + v_j z)`` and
``W(z) = prod_j (1 + w_j z)`` the elementary symmetric polynomials are coefficients,
``e_a(v) = [z^a] V`` and ``e_b(w) = [z^b] W``, and the loss of an index set I is
``log sum_{(a, b) in I} e_a(v) e_b(w)``. An index set is an array of weights ``c_ab``, 1 inside and
0 outside, over an axis of orders of any length: orders above n add nothing, for ``e_a = 0`` there.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, IndexedBase, KroneckerDelta, Mul, Symbol, exp

from derive.axis import Axis, Index, array, labels_axis, total
from derive.coefficients import Z, coefficient, order, order_sum

LABELS = labels_axis()
i, j, k, l, c = LABELS.indices("i j k l c")
s, t, y = array("s"), array("t"), array("y")

ORDERS = Axis("orders", Symbol("N", integer=True, positive=True), letters="abde")
a, b = ORDERS.indices("a b")
#: Weights of an index set; one of them is enough for its indicator.
I_SET, J_SET = array("c", nonnegative=True), array("d", nonnegative=True)
#: Orders that are bound by a sum over all of them.
p, q, r = order("p"), order("q"), order("r")

V_NAME, W_NAME, E_NAME = Symbol("V(z)"), Symbol("W(z)"), Symbol("E(z)")


def negatives(label: IndexedBase, *left_out: Index) -> Expr:
    """``V(z) = prod_j (1 + (1 - t_j) e^{s_j} z)`` over all labels but those left out."""
    return _product(lambda index: (1 - label[index]) * exp(s[index]), left_out)


def positives(label: IndexedBase, *left_out: Index) -> Expr:
    """``W(z) = prod_j (1 + t_j e^{-s_j} z)`` over all labels but those left out."""
    return _product(lambda index: label[index] * exp(-s[index]), left_out)


def _product(entry: Callable[[Index], Expr], left_out: tuple[Index, ...]) -> Expr:
    bound = next(index for index in (j, k, l) if index not in left_out)
    kept = Mul(*(1 - KroneckerDelta(index, bound) for index in left_out))
    return LABELS.product(1 + kept * entry(bound) * Z, bound)


def everything() -> Expr:
    """``E(z) = prod_j (1 + e^{s_j} z)``, whose coefficients count each label, whatever it is."""
    return LABELS.product(1 + exp(s[j]) * Z, j)


def over_orders(body: Expr) -> Expr:
    """``sum_a sum_b body``."""
    return total(total(body, b), a)


def weighted(weights: Expr, label: IndexedBase) -> Expr:
    """``sum_ab c_ab e_a(v) e_b(w)`` for weights written at ``a, b``."""
    return over_orders(
        weights * coefficient(negatives(label), a) * coefficient(positives(label), b)
    )


def positive_scores(label: IndexedBase) -> Expr:
    """``sum_j t_j s_j``: what the losses over subsets take away."""
    return total(label[j] * s[j], j)


def up_to(series: Expr, last: Expr) -> Expr:
    """``sum_{p <= last} [z^p] series``."""
    return order_sum(coefficient(series, p), p, 0, last)
