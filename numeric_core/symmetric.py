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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.namespace import Array, Namespace, constant, known

__all__ = [
    "CHUNK",
    "Dual",
    "Leaves",
    "Number",
    "Product",
    "bilinear",
    "coefficients",
    "leading",
    "linear",
]

LOW = 5
"""Levels of a large tree that are computed piece by piece: a node then stands for 32 leaves."""

CHUNK = 1 << 16
"""Factors multiplied out at a time where no derivative is asked for: 512 KiB of float64, a quarter
of the second-level cache of current processors."""


@dataclass(frozen=True)
class Dual:
    """value + epsilon tangent, epsilon^2 = 0: a number and its derivative along one direction."""

    value: Array
    tangent: Array

    def map(self, function: Callable[[Array], Array]) -> Dual:
        """A linear function of both."""
        return Dual(function(self.value), function(self.tangent))


Number: TypeAlias = Any
"""An array or a `Dual`: all that is done to it is linear, or goes through `bilinear`."""


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
            adjoint = _descend(self._xp, adjoint, level, factor, self._unit)
        return adjoint

    def _grow(self) -> None:
        """One level up: half as many nodes of twice the degree."""
        xp, unit = self._xp, self._unit
        level = self._levels[-1] = _even(xp, self._levels[-1], unit)
        shape = leading(level).shape
        half = shape[1] // 2
        total = _rows_of_degree(2 * _degree(shape[0], unit), self._order, unit)
        left, right = (_nodes(level, part) for part in _halves(half))
        node = bilinear(lambda a, b: _multiply(xp, a, b, total, unit), left, right)
        factor = None if unit else self._rescale(node, self._labels << len(self._levels))
        self._factors.append(factor)
        self._levels.append(node if factor is None else linear(lambda x: x * factor, node))

    def _rescale(self, node: Number, labels: int) -> Array | None:
        """The powers of two, (nodes, rows), that bring nodes of so many labels back in range."""
        if labels < _rescaled_from(self._xp, leading(node)):
            return None
        factor, exponent = _ladder(self._xp, self._xp.max(leading(node), axis=0))
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
        planes = _padded(leaves, self._nodes << LOW, unit)
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
        node = _multiply(xp, a[:, None, :], b[:, None, :], order + 1, False)[:, 0, :]
        if unit:
            merged.append(node)
            continue
        factor, exponent = _ladder(xp, xp.max(node, axis=0))
        merged.append(node if factor is None else node * factor)
        shift = shift + exponent
    return merged + parts[len(merged) * 2 :], shift


# Nodes are arrays (orders, nodes, rows); a unit product leaves its order 0, which is 1, out.


def leading(x: Number) -> Array:
    """The value of a dual number, or the array."""
    return x.value if isinstance(x, Dual) else x


def linear(function: Callable[[Array], Array], x: Number) -> Number:
    """A linear function of a number, applied to what it is made of."""
    return x.map(function) if isinstance(x, Dual) else function(x)


def bilinear(function: Callable[[Array, Array], Array], a: Number, b: Number) -> Number:
    """A function that is linear in a and in b; both are arrays, or both are Dual."""
    if not isinstance(a, Dual) or not isinstance(b, Dual):
        return function(a, b)
    tangent = function(a.value, b.tangent) + function(a.tangent, b.value)
    return Dual(function(a.value, b.value), tangent)


def _nodes(level: Number, part: slice) -> Number:
    return linear(lambda x: x[:, part, :], level)


def _degree(rows: int, unit: bool) -> int:
    return rows if unit else rows - 1


def _rows_of_degree(degree: int, order: int, unit: bool) -> int:
    """How many coefficients a node of this degree keeps; never none."""
    kept = min(degree, order)
    return max(kept, 1) if unit else kept + 1


def _halves(half: int) -> tuple[slice, slice]:
    return slice(None, half), slice(half, 2 * half)


def _zero_exponent(xp: Namespace, take: Array) -> Array:
    return xp.zeros((take.shape[1],), dtype=take.dtype, device=device(take))


def _leaf_level(xp: Namespace, leaves: Leaves, order: int) -> Number:
    """The leaves as nodes: (1 or 2, n, rows); a product of nothing has one neutral leaf."""
    stay, take = leaves
    if leading(take).shape[0] == 0:
        take = linear(lambda x: xp.zeros((1, x.shape[1]), dtype=x.dtype, device=device(x)), take)
        stay = None if stay is None else _one(xp, take)
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


def _one(xp: Namespace, like: Number) -> Number:
    """1 + 0 epsilon in the shape of `like`."""
    if isinstance(like, Dual):
        return Dual(xp.ones_like(like.value), xp.zeros_like(like.tangent))
    return xp.ones_like(like)


def _completed(xp: Namespace, root: Array, order: int, unit: bool) -> Array:
    """The root with its order 0, and zeros for the orders that it does not reach."""
    parts = [xp.ones_like(root[:1, :])] if unit else []
    kept = root[: order + 1 - len(parts), :]
    parts.append(kept)
    missing = order + 1 - sum(x.shape[0] for x in parts)
    if missing:
        parts.append(xp.zeros((missing, root.shape[1]), dtype=root.dtype, device=device(root)))
    return xp.concat(parts, axis=0) if len(parts) > 1 else kept


def _padded(level: Array, count: int, unit: bool) -> Array:
    """NumPy: a level with neutral nodes, the polynomial 1, up to `count` of them."""
    missing = count - level.shape[1]
    if missing == 0:
        return level
    last = np.zeros((level.shape[0], missing, level.shape[2]), dtype=level.dtype)
    if not unit:
        last[0] = 1.0
    return np.concatenate([level, last], axis=1)


def _even(xp: Namespace, level: Number, unit: bool) -> Number:
    """A level with a neutral node, the polynomial 1, added to an odd number of them."""
    if leading(level).shape[1] % 2 == 0:
        return level
    last = linear(lambda x: xp.zeros_like(x[:, :1, :]), level)
    if not unit:
        last = _plus_one(xp, last)
    if isinstance(level, Dual) and isinstance(last, Dual):
        tangent = xp.concat([level.tangent, last.tangent], axis=1)
        return Dual(xp.concat([level.value, last.value], axis=1), tangent)
    return xp.concat([level, last], axis=1)


def _plus_one(xp: Namespace, zero: Number) -> Number:
    """The polynomial 1 made of zeros."""
    if isinstance(zero, Dual):
        return Dual(_plus_one(xp, zero.value), zero.tangent)
    return xp.concat([zero[:1, ...] + 1.0, zero[1:, ...]], axis=0)


def _descend(
    xp: Namespace, adjoint: Number, level: Number, factor: Array | None, unit: bool
) -> Number:
    """The derivatives by the nodes of a level from those by the nodes above."""
    rows, count, width = leading(level).shape
    half = count // 2
    adjoint = _nodes(adjoint, slice(None, half))  # without the neutral node, if one was added
    if factor is not None:
        adjoint = linear(lambda x: x * factor, adjoint)
    left, right = (_nodes(level, part) for part in _halves(half))

    def correlate(c: Array, b: Array) -> Array:
        return _correlate(xp, c, b, rows, unit)

    if isinstance(adjoint, Dual) or not is_numpy_array(level):
        parts = (bilinear(correlate, adjoint, other) for other in (right, left))
        return _joined(xp, *parts)
    below = np.empty((rows, count, width), dtype=level.dtype)
    _correlate_into(adjoint, right, below[:, :half, :], unit)
    _correlate_into(adjoint, left, below[:, half:, :], unit)
    return below


def _joined(xp: Namespace, left: Number, right: Number) -> Number:
    if isinstance(left, Dual) and isinstance(right, Dual):
        tangent = xp.concat([left.tangent, right.tangent], axis=1)
        return Dual(xp.concat([left.value, right.value], axis=1), tangent)
    return xp.concat([left, right], axis=1)


def _multiply(xp: Namespace, a: Array, b: Array, total: int, unit: bool) -> Array:
    """Products of nodes a and b of one degree, the first `total` coefficients of them."""
    if is_numpy_array(a):
        out = np.empty((total, *a.shape[1:]), dtype=a.dtype)
        _multiply_into(a, b, out, unit)
        return out
    if not unit:
        return _convolution(xp, a, b)[:total, ...]
    one = xp.ones_like(a[:1, ...])
    a, b = (xp.concat([one, x], axis=0) for x in (a, b))
    return _convolution(xp, a, b)[1 : total + 1, ...]


def _correlate(xp: Namespace, c: Array, b: Array, rows: int, unit: bool) -> Array:
    """sum_j c_{i+j} b_j for the first `rows` orders i of a node."""
    if is_numpy_array(c):
        out = np.empty((rows, *b.shape[1:]), dtype=b.dtype)
        _correlate_into(c, b, out, unit)
        return out
    if unit:
        b = xp.concat([xp.ones_like(b[:1, ...]), b], axis=0)
    last = b.shape[0] - 1
    length = last + rows
    missing = max(length - c.shape[0], 0)
    zeros = xp.zeros((missing, *c.shape[1:]), dtype=c.dtype, device=device(c))
    c = xp.concat([c, zeros], axis=0) if missing else c[:length, ...]
    flipped = xp.concat([xp.flip(b, axis=0), xp.zeros_like(c[: length - last - 1, ...])], axis=0)
    return _convolution(xp, flipped, c)[last : last + rows, ...]


def _convolution(xp: Namespace, a: Array, b: Array) -> Array:
    """All coefficients of products of nodes of one length d, without assignments to slices.

    The outer product a_i b_j with rows of length 2d - 1, written again with rows one shorter than
    they are, has i + j for its column.
    """
    d, rest = a.shape[0], a.shape[1:]
    width = 2 * d - 1
    zeros = xp.zeros((d, width + 1 - d, *rest), dtype=a.dtype, device=device(a))
    outer = xp.concat([a[:, None, ...] * b[None, ...], zeros], axis=1)
    skewed = xp.reshape(outer, (d * (width + 1), *rest))[: d * width, ...]
    return xp.sum(xp.reshape(skewed, (d, width, *rest)), axis=0)


def _multiply_into(a: Array, b: Array, out: Array, unit: bool) -> None:
    """NumPy: out = a b, order by order of a."""
    rows, total = a.shape[0], out.shape[0]
    filled = min(rows, total)
    if unit:
        np.add(a[:filled], b[:filled], out=out[:filled])
    else:
        np.multiply(a[0], b[:filled], out=out[:filled])
    scratch = np.empty_like(b)
    for i, factor in enumerate(a if unit else a[1:], 1):
        top = min(rows, total - i)
        if top <= 0:
            return
        keep = min(top, filled - i)
        if keep > 0:
            np.multiply(factor, b[:keep], out=scratch[:keep])
            out[i : i + keep] += scratch[:keep]
        keep = max(keep, 0)
        if keep < top:
            np.multiply(factor, b[keep:top], out=out[i + keep : i + top])
            filled = i + top


def _correlate_into(c: Array, b: Array, out: Array, unit: bool) -> None:
    """NumPy: out_i = sum_j c_{i+j} b_j, order by order of b."""
    rows, total = out.shape[0], c.shape[0]
    factors, first = (b, 1) if unit else (b[1:], 1)
    if not unit:
        np.multiply(c[:rows], b[0], out=out)
    elif total > rows:
        np.multiply(c[1 : rows + 1], b[0], out=out)
        out += c[:rows]
        factors, first = b[1:], 2
    else:
        out[...] = c[:rows]
    scratch = np.empty_like(out)
    for j, factor in enumerate(factors, first):
        top = min(rows, total - j)
        if top <= 0:
            return
        np.multiply(c[j : j + top], factor, out=scratch[:top])
        out[:top] += scratch[:top]


def _rescaled_from(xp: Namespace, like: Array) -> int:
    """Nodes of that many labels, with leaves up to 1, are at most 2^512 (float32: 2^64)."""
    return 512 if like.dtype == xp.float64 else 64


def _ladder(xp: Namespace, top: Array) -> tuple[Array | None, Array]:
    """2^-e and e with 2^-e top at most 2^256 (float32: 2^32); None where all are small already.

    top is a product of two nodes below 2^512 (2^64), or twice that with the orders that were added.
    Constants, not powers: they are exact in every library.
    """
    step = 256 if top.dtype == xp.float64 else 32
    factor, e = xp.ones_like(top), xp.zeros_like(top)
    if known(xp.any(top > constant(xp, 2.0**step, top))) is False:
        return None, e
    for multiple in (1, 2, 3):
        above = top > constant(xp, 2.0 ** (multiple * step), top)
        e = xp.where(above, xp.full_like(top, float(multiple * step)), e)
        factor = xp.where(above, xp.full_like(top, 2.0 ** (-multiple * step)), factor)
    return factor, e
