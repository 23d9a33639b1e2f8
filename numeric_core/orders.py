"""An index set of any shape, one order at a time.

Where plain sums do not reach, a set of pairs (a, b) has no single tilt from which all its terms
can be seen: two of them may be equal, and e_1 and e_2 of one side e^1000 apart.  So every order is
seen from its own tilt (`numeric_core.factors`),

    log e_a(v) = c_a a + excess + log [u^a] prod_i (stay_i + take_i u),
    P_a(i) = share of the terms of e_a(v) with label i,   m_a = sum_i u_i P_a(i) = d log e_a(v)

for a direction u, and likewise for w.  With pi_ab = e_a(v) e_b(w) / Q,

    q_i = sum_a pi_a P_a(i),    dq_i = sum_a pi_a dP_a(i) + sum_ab pi_ab (m_a + m_b - m) P_a(i),

pi_a the sum of pi_ab over b and m the mean of m_a + m_b.  It takes as many products as there are
orders: it is for rows that nothing else serves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from array_api_compat import device

from numeric_core.dual import Dual, Number, bilinear, leading
from numeric_core.factors import Halves, Side, Tilt, balanced_tilt, plain_reach
from numeric_core.index_sets import Columns, IndexSet
from numeric_core.namespace import Array, Namespace, exp, finfo_max, log, log1p
from numeric_core.symmetric import Leaves, Product

__all__ = ["Expanded", "Table", "along", "expanded"]


@dataclass(frozen=True)
class Table(Columns):
    """{(a, b): table[a][b]}, a NumPy array of booleans (v_order + 1, w_order + 1)."""

    table: np.ndarray

    @property
    def origin(self) -> bool:
        """Whether (0, 0) is in the table."""
        return bool(self.table[0, 0])

    def near(self, xp: Namespace, side: Side, order: int) -> Array:
        """Rows in which no e_a can underflow: e_a >= (least x_i)^a."""
        if side.a.shape[0] == 0:
            return xp.sum(side.a, axis=0) == 0
        logs = side.logs()
        present = logs > 0.5 * -finfo_max(xp, logs.dtype)
        size = xp.max(xp.where(present, xp.abs(logs), xp.zeros_like(logs)), axis=0)
        return super().near(xp, side, order) & (size * float(order) <= plain_reach(xp, logs.dtype))

    def tilted(self, xp: Namespace, v: Side, w: Side) -> tuple[IndexSet, Tilt, Tilt, Array]:
        """TypeError: a table has no tilt of its own; see `expanded`."""
        raise TypeError("an index table is expanded order by order, it has no tilt of its own")

    def column(self, xp: Namespace, b: int, like: Array) -> Array:
        """1 where (a, b) is in the table: (v_order + 1, 1)."""
        inside = xp.asarray(np.ascontiguousarray(self.table[:, b : b + 1]), device=device(like))
        return xp.astype(inside, like.dtype)


class Expanded(NamedTuple):
    """log Q (rows,), q and p (n, rows) each; Dual for a direction."""

    value: Array
    v: Number
    w: Number


class _Order(NamedTuple):
    """log e_a (rows,), -finfo.max / 4 where it is 0; P_a(i); with a direction dP_a(i) and m_a."""

    level: Array
    share: Number
    growth: Array


def expanded(xp: Namespace, table: np.ndarray, v: Side, w: Side, u: Array | None) -> Expanded:
    """log of the sum over a table, and its derivatives; u: the direction in the v, (n, rows)."""
    v_orders = [_order(xp, v, a, u) for a in range(table.shape[0])]
    w_orders = [_order(xp, w, b, None if u is None else -u) for b in range(table.shape[1])]
    levels = xp.stack([x.level for x in v_orders], axis=0)[:, None, :]
    levels = levels + xp.stack([x.level for x in w_orders], axis=0)[None, :, :]
    value, chances = _chances(xp, table, levels)
    growth = xp.stack([x.growth for x in v_orders], axis=0)[:, None, :]
    growth = growth + xp.stack([x.growth for x in w_orders], axis=0)[None, :, :]
    change = chances * (growth - xp.sum(chances * growth, axis=(0, 1)))
    return Expanded(
        value,
        _mixture(v_orders, xp.sum(chances, axis=1), xp.sum(change, axis=1)),
        _mixture(w_orders, xp.sum(chances, axis=0), xp.sum(change, axis=0)),
    )


def _chances(xp: Namespace, table: np.ndarray, levels: Array) -> tuple[Array, Array]:
    """log Q (rows,) and pi_ab; the constant term, which is 1, is left out of the sum."""
    floor = xp.full_like(levels, -finfo_max(xp, levels.dtype) / 4.0)
    inside = xp.asarray(table, device=device(levels))[:, :, None]
    levels = xp.where(inside, levels, floor)
    others = table.copy()
    others[0, 0] = False
    rest = xp.where(xp.asarray(others, device=device(levels))[:, :, None], levels, floor)
    top = xp.max(rest, axis=(0, 1))
    reached = top > 0.5 * floor[0, 0, :]
    shift = xp.where(reached, top, xp.zeros_like(top))
    total = xp.sum(exp(xp, rest - shift), axis=(0, 1))
    total = xp.where(reached, total, xp.zeros_like(total))
    value = _with_constant(xp, bool(table[0, 0]), shift, total)
    known_value = xp.where(value > -math.inf, value, xp.zeros_like(value))
    return value, exp(xp, levels - known_value)


def _with_constant(xp: Namespace, constant: bool, shift: Array, total: Array) -> Array:
    """log(1 + e^shift total), or shift + log(total); -inf for an empty sum."""
    some = xp.where(total > 0, total, xp.ones_like(total))
    alone = xp.where(total > 0, shift + log(xp, some), xp.full_like(total, -math.inf))
    if not constant:
        return alone
    low = xp.where(alone < 0, alone, xp.zeros_like(alone))
    high = xp.where(alone > 0, alone, xp.zeros_like(alone))
    return high + log1p(xp, exp(xp, low - high))


def _mixture(orders: list[_Order], chances: Array, change: Array) -> Number:
    """sum_a pi_a P_a(i), and its derivative."""
    value = sum(leading(x.share) * chances[a, :] for a, x in enumerate(orders))
    if not isinstance(orders[0].share, Dual):
        return value
    terms = (
        x.share.tangent * chances[a, :] + x.share.value * change[a, :] for a, x in enumerate(orders)
    )
    return Dual(value, sum(terms))


def _order(xp: Namespace, side: Side, a: int, u: Array | None) -> _Order:
    """One order of a side, from its own tilt."""
    count = xp.sum(xp.astype(side.present(), side.a.dtype), axis=0)
    zero = xp.zeros_like(count)
    if a == 0 or side.a.shape[0] == 0:
        nothing = xp.zeros_like(side.a)
        level = zero if a == 0 else xp.full_like(zero, _nowhere(xp, zero))
        return _Order(level, nothing if u is None else Dual(nothing, nothing), zero)
    reached = count >= a
    order = xp.where(reached, xp.full_like(count, float(a)), count)
    c = balanced_tilt(xp, side, side.emptied(), order)
    leaves, excess = side.tilted(c)
    exponent, coefficient, share = _chosen(xp, leaves, a)
    level = excess + (c.high * order + c.low * order)
    level = level + (log(xp, coefficient) + exponent * math.log(2.0))
    level = xp.where(reached, level, xp.full_like(level, _nowhere(xp, level)))
    share = xp.where(reached, share, xp.zeros_like(share))
    if u is None:
        return _Order(level, share, zero)
    dual = along(xp, leaves, u, share)[0]
    growth = xp.sum(u * share, axis=0)
    slope = xp.where(reached, _slope(xp, dual, a), xp.zeros_like(share))
    return _Order(level, Dual(share, slope), growth)


def _chosen(xp: Namespace, leaves: Leaves, a: int) -> tuple[Array, Array, Array]:
    """Exponent and coefficient of order a (1 where it is 0), and its shares."""
    product = Product(xp, leaves, a)
    coefficient = product.coefficients[a, :]
    coefficient = xp.where(coefficient > 0, coefficient, xp.ones_like(coefficient))
    adjoint = product.adjoint(_unit_root(xp, product.coefficients, a, coefficient))
    return product.exponent, coefficient, leaves.take * adjoint.take


def _slope(xp: Namespace, leaves: Leaves, a: int) -> Array:
    """The derivative of the shares of order a: (n, rows)."""
    product = Product(xp, leaves, a)
    value = product.coefficients.value[a, :]
    norm = xp.where(value > 0, value, xp.ones_like(value))
    root = _unit_root(xp, product.coefficients.value, a, norm)
    adjoint = product.adjoint(Dual(root, xp.zeros_like(root)))
    share = bilinear(lambda x, y: x * y, leaves.take, adjoint.take)
    return share.tangent - share.value * (product.coefficients.tangent[a, :] / norm)


def _unit_root(xp: Namespace, like: Array, a: int, norm: Array) -> Array:
    """1 / norm at order a, 0 below."""
    return xp.concat([xp.zeros_like(like[:a, :]), (1.0 / norm)[None, :]], axis=0)


def _nowhere(xp: Namespace, like: Array) -> float:
    """log of a coefficient that is 0; two of them can be added."""
    return -finfo_max(xp, like.dtype) / 4.0


def along(
    xp: Namespace, leaves: Leaves, u: Array, share: Array, halves: Halves | None = None
) -> tuple[Leaves, Array]:
    """Dual leaves whose ratio take / stay grows at the rate u, and the drift of their stays.

    Which of the two grows is a matter of scale.  It is the one with the smaller share of the sum:
    then nothing large cancels where a label is nearly always taken, or nearly never.
    """
    stay = xp.ones_like(leaves.take) if leaves.stay is None else leaves.stay
    zero, often = xp.zeros_like(stay), share > 0.5
    stays, takes = xp.where(often, -u, zero), xp.where(often, zero, u)
    slopes = stays * stay, takes * leaves.take
    if halves is not None:
        slopes = (
            halves.times(xp, stay, slopes[0], stays),
            halves.times(xp, leaves.take, slopes[1], takes),
        )
    dual = Leaves(Dual(stay, slopes[0]), Dual(leaves.take, slopes[1]))
    return dual, xp.sum(stays, axis=0)
