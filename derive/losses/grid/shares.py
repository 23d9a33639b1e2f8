"""Gradient, Hessian and its products for logs of sums of ``a_ijk = t_ij e^{s_ik - s_ij}``.

A log of ``1 + sum of terms`` gives each of its terms a share: a_ijk over the argument of the log.
The term raises ``s_ik`` and lowers ``s_ij``, so that along v it has the slope ``v_ik - v_ij``, and
the Hessian is the covariance of these slopes under the shares, the constant term with slope 0.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, KroneckerDelta

from derive.axis import Index, total
from derive.grid.sums import apart, i, j, k, l, p, v

#: A share, or a mean over the shares of one log, at a sample and a class of the label and another.
Share = Callable[[Index, Index, Index], Expr]
Mean = Callable[[Index, Index], Expr]


def slope(sample: Index, own: Index, other: Index) -> Expr:
    """``v_ik - v_ij``: how fast the exponent of the term grows along v."""
    return v[sample, other] - v[sample, own]


def gradient(share: Share) -> Expr:
    """``sum_{k != j} (share_ikj - share_ijk)``: terms that raise ``s_ij`` less those that lower it.

    Written as two sums, neither of which has a minus.
    """
    raised = total(apart(j, k) * share(i, k, j), k)
    return raised - total(apart(j, k) * share(i, j, k), k)


def diagonal_blocks(share: Share) -> Expr:
    """``sum d d^T`` under the shares: within one sample, a graph Laplacian over the classes."""
    degree = total(apart(j, l) * (share(i, l, j) + share(i, j, l)), l)
    across = apart(j, k) * (share(i, j, k) + share(i, k, j))
    return KroneckerDelta(i, p) * (KroneckerDelta(j, k) * degree - across)


def product(share: Share, mean: Mean) -> Expr:
    """``sum_{k != j} share_ikj (v_ij - v_ik - M) - share_ijk (v_ik - v_ij - M)``.

    M is the mean slope in the log that the share belongs to.
    """
    raised = share(i, k, j) * (slope(i, k, j) - mean(k, j))
    lowered = share(i, j, k) * (slope(i, j, k) - mean(j, k))
    return total(apart(j, k) * (raised - lowered), k)
