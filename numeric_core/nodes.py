"""Nodes of a product tree: polynomials multiplied level by level, and the way back down.

A level is an array (orders, nodes, rows), or a `Dual` of two.  A node multiplies two of the level
below,

    c_m = sum_{i+j=m} a_i b_j,    and back   a'_i = sum_j c'_{i+j} b_j,    b'_j = sum_i c'_{i+j} a_i

cut off at the order asked for.  Nodes of a `unit` product leave their order 0, which is 1, out.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.dual import Dual, Number, bilinear, leading, linear
from numeric_core.namespace import Array, Namespace, constant, known

__all__ = [
    "degree",
    "descend",
    "even",
    "halves",
    "ladder",
    "multiply",
    "ones",
    "padded",
    "rescaled_from",
    "rows_of_degree",
    "some_nodes",
]


def some_nodes(level: Number, part: slice) -> Number:
    return linear(lambda x: x[:, part, :], level)


def degree(rows: int, unit: bool) -> int:
    return rows if unit else rows - 1


def rows_of_degree(degree: int, order: int, unit: bool) -> int:
    """How many coefficients a node of this degree keeps; never none."""
    kept = min(degree, order)
    return max(kept, 1) if unit else kept + 1


def halves(half: int) -> tuple[slice, slice]:
    return slice(None, half), slice(half, 2 * half)


def ones(xp: Namespace, like: Number) -> Number:
    """1 + 0 epsilon in the shape of `like`."""
    if isinstance(like, Dual):
        return Dual(xp.ones_like(like.value), xp.zeros_like(like.tangent))
    return xp.ones_like(like)


def padded(level: Array, count: int, unit: bool) -> Array:
    """NumPy: a level with neutral nodes, the polynomial 1, up to `count` of them."""
    missing = count - level.shape[1]
    if missing == 0:
        return level
    last = np.zeros((level.shape[0], missing, level.shape[2]), dtype=level.dtype)
    if not unit:
        last[0] = 1.0
    return np.concatenate([level, last], axis=1)


def even(xp: Namespace, level: Number, unit: bool) -> Number:
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


def descend(
    xp: Namespace, adjoint: Number, level: Number, factor: Array | None, unit: bool
) -> Number:
    """The derivatives by the nodes of a level from those by the nodes above."""
    rows, count, width = leading(level).shape
    half = count // 2
    adjoint = some_nodes(adjoint, slice(None, half))  # without the neutral node, if one was added
    if factor is not None:
        adjoint = linear(lambda x: x * factor, adjoint)
    left, right = (some_nodes(level, part) for part in halves(half))

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


def multiply(xp: Namespace, a: Array, b: Array, total: int, unit: bool) -> Array:
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


def rescaled_from(xp: Namespace, like: Array) -> int:
    """Nodes of that many labels, with leaves up to 1, are at most 2^512 (float32: 2^64)."""
    return 512 if like.dtype == xp.float64 else 64


def ladder(xp: Namespace, top: Array) -> tuple[Array | None, Array]:
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
