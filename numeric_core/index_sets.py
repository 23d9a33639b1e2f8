"""Index sets: which pairs (a, b) a loss of the lattice sums over, Q = sum_{(a,b) in I} V_a W_b.

    {a = b}           combination softmax
    {a - b <= D}      the padded one with room for D more labels; with W = 1 a truncation at order D

A set is a 0/1 matrix c.  It is asked for the two matrix products that value and derivatives need,
c W and V c, and for a tilt: e_a(v) = e^{c_v a + excess} V_a (`numeric_core.factors`), so that a
tilted set has the weights e^{c_v a + c_w b} in place of ones, scaled by the largest that matters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from array_api_compat import device

from numeric_core.factors import Side, Tilt, balanced_tilt, plain_reach
from numeric_core.namespace import Array, Namespace, exp, known, log

__all__ = ["All", "Band", "Columns", "Diagonal", "IndexSet"]


@dataclass(frozen=True)
class IndexSet(ABC):
    """I cut to a <= v_order, b <= w_order, and where its terms are seen from.

    Tilted by c_v and c_w, a term is e^{c_v a + c_w b - pivot} times what the tilted products give.
    """

    v_order: int
    w_order: int

    @property
    def origin(self) -> bool:
        """Whether (0, 0) belongs to I."""
        return True

    def near(self, xp: Namespace, side: Side, order: int) -> Array:
        """Rows of a side whose exponents may be taken as they are: (rows,) bool.

        Sets with the first orders, (1, 0), (0, 1) or (1, 1), lose nothing by underflow: where a
        term e_a(v) e_b(w) is too small for a float, one of these is larger by its whole range.
        """
        if side.a.shape[0] == 0:
            return xp.sum(side.a, axis=0) == 0
        reach = plain_reach(xp, side.a.dtype)
        if side.bound <= reach:
            return side.a[0, :] <= reach
        side = side.spread()
        size = xp.abs(side.a)
        if side.weights is not None:
            size = xp.where(side.weights > 0, size, xp.zeros_like(size))
        return xp.max(size, axis=0) <= reach

    def scale(self, xp: Namespace, v: Array, w: Array) -> Array | None:
        """A power of two for v, and its inverse for w, given their sums (rows,); None for 1."""
        return None

    @abstractmethod
    def tilted(self, xp: Namespace, v: Side, w: Side) -> tuple[IndexSet, Tilt, Tilt, Array]:
        """The set as it is seen from a tilt that suits it, c_v, c_w and the pivot (rows,)."""

    @abstractmethod
    def by_v(self, xp: Namespace, w: Array) -> Array:
        """sum_b c_ab W_b: (w_order + 1, rows) -> (v_order + 1, rows)."""

    @abstractmethod
    def by_w(self, xp: Namespace, v: Array) -> Array:
        """sum_a c_ab V_a: (v_order + 1, rows) -> (w_order + 1, rows)."""

    def first_row(self, xp: Namespace, w: Array) -> Array:
        """sum_{b > 0} c_0b W_b: what belongs to V_0 beside the constant term; (rows,)."""
        without = xp.concat([xp.zeros_like(w[:1, :]), w[1:, :]], axis=0)
        return self.by_v(xp, without)[0, :]

    @abstractmethod
    def at_origin(self, xp: Namespace, like: Array) -> Array:
        """The weight of the term (0, 0): (rows,)."""


@dataclass(frozen=True)
class Diagonal(IndexSet):
    """{a = b}: the combination softmax.  v e^-c and w e^c have the same terms for every c."""

    def scale(self, xp: Namespace, v: Array, w: Array) -> Array | None:
        """Near sqrt(sum w / sum v), which brings both sums to one size, where e_j <= sum^j is not
        small enough to need nothing."""
        one = xp.ones_like(v)
        largest = xp.where(v > w, v, w)
        growth = log(xp, xp.where(largest > one, largest, one)) * float(self.v_order)
        if known(xp.all(growth <= plain_reach(xp, v.dtype))) is True:
            return None
        both = (v > 0) & (w > 0)
        ratio = log(xp, xp.where(both, w, one)) - log(xp, xp.where(both, v, one))
        return xp.pow(2.0 * one, xp.round(ratio * (0.5 / math.log(2.0))))

    def tilted(self, xp: Namespace, v: Side, w: Side) -> tuple[IndexSet, Tilt, Tilt, Array]:
        """As many negatives are expected to be taken in as positives to be left out."""
        c = balanced_tilt(xp, v, w)
        return self, c, -c, xp.zeros_like(c.low)

    def by_v(self, xp: Namespace, w: Array) -> Array:
        """W_a."""
        return w

    def by_w(self, xp: Namespace, v: Array) -> Array:
        """V_b."""
        return v

    def at_origin(self, xp: Namespace, like: Array) -> Array:
        """1."""
        return xp.ones_like(like)


@dataclass(frozen=True)
class All(IndexSet):
    """Every (a, b): the labels are independent, Q = V(1) W(1), and no coefficient is needed."""

    v_order: int = 0
    w_order: int = 0

    def tilted(self, xp: Namespace, v: Side, w: Side) -> tuple[IndexSet, Tilt, Tilt, Array]:
        """From 0."""
        zero = xp.zeros_like(v.a[0, ...])
        none = Tilt(zero, zero)
        return self, none, none, zero

    def by_v(self, xp: Namespace, w: Array) -> Array:
        """W(1), of all coefficients."""
        return xp.sum(w, axis=0, keepdims=True)

    def by_w(self, xp: Namespace, v: Array) -> Array:
        """V(1), of all coefficients."""
        return xp.sum(v, axis=0, keepdims=True)

    def at_origin(self, xp: Namespace, like: Array) -> Array:
        """1."""
        return xp.ones_like(like)


class Columns(IndexSet):
    """An index set with a weight for every a and b, one b at a time."""

    @abstractmethod
    def column(self, xp: Namespace, b: int, like: Array) -> Array:
        """The weights of (0, b), ..., (v_order, b): (v_order + 1, rows or 1)."""

    def by_v(self, xp: Namespace, w: Array) -> Array:
        """sum_b c_ab W_b."""
        total = self.column(xp, 0, w) * w[:1, :]
        for b in range(1, self.w_order + 1):
            total = total + self.column(xp, b, w) * w[b : b + 1, :]
        return total

    def by_w(self, xp: Namespace, v: Array) -> Array:
        """sum_a c_ab V_a."""
        columns = (self.column(xp, b, v) for b in range(self.w_order + 1))
        return xp.stack([xp.sum(column * v, axis=0) for column in columns], axis=0)

    def at_origin(self, xp: Namespace, like: Array) -> Array:
        """The weight of (0, 0)."""
        return self.column(xp, 0, like[None, :])[0, :] * xp.ones_like(like)


@dataclass(frozen=True)
class Band(Columns):
    """{a - b <= width}, width >= 0 of each row's own: (rows,).

    The padded combination softmax, with width K - k.  Without positives it is {a <= width}: a
    truncation of one side.
    """

    width: Array
    c: Tilt | None = None

    def tilted(self, xp: Namespace, v: Side, w: Side) -> tuple[IndexSet, Tilt, Tilt, Array]:
        """From c >= 0: as many labels are expected as are allowed; from 0 if there are fewer."""
        c = balanced_tilt(xp, v, w, self.width)
        positive = c.high + c.low > 0
        zero = xp.zeros_like(c.low)
        c = Tilt(xp.where(positive, c.high, zero), xp.where(positive, c.low, zero))
        return replace(self, c=c), c, -c, (c.high + c.low) * self.width

    def column(self, xp: Namespace, b: int, like: Array) -> Array:
        """e^{c (a - b - width)} where a - b <= width."""
        a = xp.arange(self.v_order + 1, dtype=like.dtype, device=device(like))[:, None]
        beyond = a - (self.width + float(b))[None, :]
        inside = beyond <= 0
        if self.c is None:
            return xp.astype(inside, like.dtype)
        beyond = xp.where(inside, beyond, xp.zeros_like(beyond))
        weight = exp(xp, self.c.high * beyond + self.c.low * beyond)
        return xp.where(inside, weight, xp.zeros_like(weight))
