"""Elementary symmetric polynomials: the coefficients of a product of linear polynomials.

    prod_i (stay_i + take_i z) = c_0 + c_1 z + c_2 z^2 + ...      with stay_i = 1: c_a = e_a(take)

All numbers are >= 0, so nothing ever cancels.  The factors are multiplied pairwise, the products
pairwise again, in a tree of depth log2 n, each node cut off at the order asked for:

    c_m = sum_{i+j=m} a_i b_j

A relative error of c_m is then at most about (order + 1) half-ulps for each level of the tree, and
not one for each of the n labels.  Work: a node of degree d costs d^2 operations, all nodes of a
level n d, so about 3 n order in all.

Derivatives run down the same tree.  With c'_m the derivative of a function of the root by c_m,

    a'_i = sum_j c'_{i+j} b_j,    b'_j = sum_i c'_{i+j} a_i

again sums of products without a sign, if the root's derivatives are >= 0: a leave-one-out
coefficient is never got by dividing or subtracting.  The leaves' derivatives take'_i and stay'_i
give the share take_i take'_i of the terms that take label i and stay_i stay'_i of those that do
not.

Memory.  For derivatives every node is kept: n numbers at each level as long as the nodes grow
(degree 2^level at most), half of it at each level after that: n (log2(order) + 3) numbers, not
n order.  For the value alone the labels are taken CHUNK at a time and only the chunks' products are
kept: O(CHUNK log order + n order / CHUNK) numbers.

Range.  Leaves with stay = 1 for all labels (`unit`) are the fast way as long as the coefficients
are known to fit.  General leaves are expected at most 1 (stay and take), so that a coefficient of a
node of m labels is at most 2^m; from RESCALED_FROM labels on, a node is brought back by an exact
power of two, whose exponent is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.dual import Dual, Number, bilinear, leading, linear
from numeric_core.namespace import Array, Namespace
from numeric_core.nodes import (
    degree,
    descend,
    even,
    halves,
    ladder,
    multiply,
    ones,
    padded,
    rescaled_from,
    rows_of_degree,
    some_nodes,
)

__all__ = ["CHUNK", "Leaves", "Product", "coefficients"]

LOW = 5
"""Levels of a large tree that are computed piece by piece: a node then stands for 32 leaves."""

CHUNK = 1 << 16
"""Factors multiplied out at a time where no derivative is asked for: 512 KiB of float64, a quarter
of the second-level cache of current processors."""


class Leaves(NamedTuple):
    """The factors stay_i + take_i z, label axis first: (n, rows).  stay None stands for ones."""

    stay: Number
    take: Number


class _Tree:
    """Nodes multiplied pairwise until `until` of them are left (their number halves at each level).

    labels: how many labels a node that is given stands for.  top: the nodes that are left.
    """

    def __init__(
        self, xp: Namespace, nodes: Number, order: int, unit: bool, labels: int = 1, until: int = 1
    ) -> None:
        self._xp, self._order, self._unit, self._labels = xp, order, unit, labels
        self._levels = [nodes]
        self._factors: list[Array | None] = []
        self.exponent: Array | float = 0.0
        while leading(self._levels[-1]).shape[1] > until:
            self._grow()
        self.top = self._levels[-1]

    def down(self, adjoint: Number) -> Number:
        """The derivatives by the nodes that were given, from those by the top."""
        for level, factor in zip(self._levels[-2::-1], self._factors[::-1], strict=True):
            adjoint = descend(self._xp, adjoint, level, factor, self._unit)
        return adjoint

    def _grow(self) -> None:
        """One level up: half as many nodes of twice the degree."""
        xp, unit = self._xp, self._unit
        level = self._levels[-1] = even(xp, self._levels[-1], unit)
        shape = leading(level).shape
        half = shape[1] // 2
        total = rows_of_degree(2 * degree(shape[0], unit), self._order, unit)
        left, right = (some_nodes(level, part) for part in halves(half))
        node = bilinear(lambda a, b: multiply(xp, a, b, total, unit), left, right)
        factor = None if unit else self._rescale(node, self._labels << len(self._levels))
        self._factors.append(factor)
        self._levels.append(node if factor is None else linear(lambda x: x * factor, node))

    def _rescale(self, node: Number, labels: int) -> Array | None:
        """The powers of two, (nodes, rows), that bring nodes of so many labels back in range."""
        if labels < rescaled_from(self._xp, leading(node)):
            return None
        factor, exponent = ladder(self._xp, self._xp.max(leading(node), axis=0))
        self.exponent = self.exponent + self._xp.sum(exponent, axis=0)
        return factor


class _Forest:
    """A tree of many leaves in NumPy: its lowest levels a piece at a time, as the cache holds it.

    A level pairs the first half of its nodes with the second.  So after LOW levels, node i is made
    of the leaves i, i + m, i + 2 m, ..., m the number of nodes there; a piece is a range of i.
    """

    def __init__(self, xp: Namespace, leaves: Array, order: int, unit: bool) -> None:
        self._orders, self._count, self._rows = orders, count, _ = leaves.shape
        self._nodes = -(-count // (1 << LOW))
        planes = padded(leaves, self._nodes << LOW, unit)
        planes = planes.reshape(orders, 1 << LOW, self._nodes, self._rows)
        step = max(1, CHUNK // (self._rows << LOW))
        self._pieces = [slice(i, i + step) for i in range(0, self._nodes, step)]
        self._trees = []
        for piece in self._pieces:
            part = planes[:, :, piece, :]
            width = part.shape[2]
            part = part.reshape(orders, width << LOW, self._rows)
            self._trees.append(_Tree(xp, part, order, unit, until=width))
        top = np.concatenate([tree.top for tree in self._trees], axis=1)
        self._upper = _Tree(xp, top, order, unit, labels=1 << LOW)
        self.top, self.exponent = self._upper.top, self._upper.exponent

    def down(self, adjoint: Array) -> Array:
        """The derivatives by the leaves."""
        upper = self._upper.down(adjoint)
        shape = (self._orders, 1 << LOW, self._nodes, self._rows)
        out = np.empty(shape, dtype=upper.dtype)
        for piece, tree in zip(self._pieces, self._trees, strict=True):
            lower = tree.down(upper[:, piece, :])
            out[:, :, piece, :] = lower.reshape(self._orders, 1 << LOW, -1, self._rows)
        return out.reshape(self._orders, -1, self._rows)[:, : self._count, :]


class Product:
    """prod_i (stay_i + take_i z) to z^order, and its derivatives by the leaves.

    coefficients: (order + 1, rows); the true ones are coefficients * 2^exponent.
    exponent: (rows,), integers as floats; 0 for leaves without `stay`.

    Leaves may be `Dual`: then they need `stay`, the coefficients are Dual and so are derivatives.
    """

    def __init__(self, xp: Namespace, leaves: Leaves, order: int) -> None:
        self._xp, self._order = xp, order
        self._unit = leaves.stay is None
        take = leading(leaves.take)
        self._count = take.shape[0]
        nodes = _leaf_level(xp, leaves, order)
        large = is_numpy_array(nodes) and self._count > CHUNK and self._order > 0
        make = _Forest if large else _Tree
        self._tree = make(xp, nodes, order, self._unit)
        self.exponent = self._tree.exponent + _zero_exponent(xp, take)
        root = linear(lambda x: x[:, 0, :], self._tree.top)
        self.coefficients = linear(lambda x: _completed(xp, x, order, self._unit), root)

    def adjoint(self, root: Number) -> Leaves:
        """The derivatives by stay_i and take_i, (n, rows) each, of sum_m root_m coefficients_m.

        root: (order + 1, rows), derivatives by the coefficients as they are stored.  `stay` is None
        where the leaves' was.
        """
        first = 1 if self._unit else 0
        top = first + leading(self._tree.top).shape[0]
        if self._unit and self._order == 0:  # no term takes a label
            root = linear(lambda x: self._xp.zeros_like(x), root)
            first, top = 0, 1
        adjoint = self._tree.down(linear(lambda x: x[first:top, None, :], root))
        adjoint = linear(lambda x: x[:, : self._count, :], adjoint)
        return self._split(adjoint)

    def _split(self, adjoint: Number) -> Leaves:
        if self._unit:
            return Leaves(None, linear(lambda x: x[0, ...], adjoint))
        stay = linear(lambda x: x[0, ...], adjoint)
        if self._order == 0:
            return Leaves(stay, linear(self._xp.zeros_like, stay))
        return Leaves(stay, linear(lambda x: x[1, ...], adjoint))


def coefficients(xp: Namespace, leaves: Leaves, order: int) -> tuple[Array, Array]:
    """The coefficients (order + 1, rows) and their exponents (rows,), with little memory."""
    count, rows = leading(leaves.take).shape
    step = max(2 * order + 2, CHUNK // max(rows, 1))
    if count <= step:
        product = Product(xp, leaves, order)
        return product.coefficients, product.exponent
    parts, exponent = [], _zero_exponent(xp, leading(leaves.take))
    for start in range(0, count, step):
        part = Leaves(*(None if x is None else x[start : start + step, :] for x in leaves))
        product = Product(xp, part, order)
        parts.append(product.coefficients)
        exponent = exponent + product.exponent
    while len(parts) > 1:
        parts, shift = _merged(xp, parts, order, leaves.stay is None)
        exponent = exponent + shift
    return parts[0], exponent


def _merged(xp: Namespace, parts: list[Array], order: int, unit: bool) -> tuple[list[Array], Array]:
    """Polynomials multiplied pairwise, as far as there are two; those of unit leaves fit as is."""
    merged, shift = [], xp.zeros_like(parts[0][0, :])
    for a, b in zip(parts[::2], parts[1::2], strict=False):
        node = multiply(xp, a[:, None, :], b[:, None, :], order + 1, False)[:, 0, :]
        if unit:
            merged.append(node)
            continue
        factor, exponent = ladder(xp, xp.max(node, axis=0))
        merged.append(node if factor is None else node * factor)
        shift = shift + exponent
    return merged + parts[len(merged) * 2 :], shift


def _zero_exponent(xp: Namespace, take: Array) -> Array:
    return xp.zeros((take.shape[1],), dtype=take.dtype, device=device(take))


def _leaf_level(xp: Namespace, leaves: Leaves, order: int) -> Number:
    """The leaves as nodes: (1 or 2, n, rows); a product of nothing has one neutral leaf."""
    stay, take = leaves
    if leading(take).shape[0] == 0:
        take = linear(lambda x: xp.zeros((1, x.shape[1]), dtype=x.dtype, device=device(x)), take)
        stay = None if stay is None else ones(xp, take)
    if stay is None:
        return take[None, ...]
    if order == 0:
        return linear(lambda x: x[None, ...], stay)
    if isinstance(stay, Dual) and isinstance(take, Dual):
        return Dual(
            xp.stack([stay.value, take.value], axis=0),
            xp.stack([stay.tangent, take.tangent], axis=0),
        )
    return xp.stack([stay, take], axis=0)


def _completed(xp: Namespace, root: Array, order: int, unit: bool) -> Array:
    """The root with its order 0, and zeros for the orders that it does not reach."""
    parts = [xp.ones_like(root[:1, :])] if unit else []
    kept = root[: order + 1 - len(parts), :]
    parts.append(kept)
    missing = order + 1 - sum(x.shape[0] for x in parts)
    if missing:
        parts.append(xp.zeros((missing, root.shape[1]), dtype=root.dtype, device=device(root)))
    return xp.concat(parts, axis=0) if len(parts) > 1 else kept
