"""Sums over the others, for each place of a row: sum_{k != j} z_k, from pairs or arrays alike.

    excluding_own  sum_{k != j} z_k, to an ulp of the sum of all |z_k|'s larger sign
    exclusive      sum_{k != j} z_k, z_j in no partial sum: where the others are far below z_j
    sum_apart      sum_{k != j} a_k (u_k - y_j) for weights a >= 0, relative to
                   sum_{k != j} a_k |u_k - y_j|: u and y are seen from u_t, a_t the largest a_k,
                   k != j, so that a term that dominates and has u_t = y_j leaves nothing behind

All sums run along the last axis.
"""

from __future__ import annotations

from typing import TypeAlias

from numeric_core.distribution import is_top
from numeric_core.exact import Pair, last_sum, leading, running_sum
from numeric_core.namespace import Array, Namespace

__all__ = [
    "Number",
    "as_like",
    "excluding_own",
    "exclusive",
    "ones",
    "only",
    "only_array",
    "only_pair",
    "scaled",
    "sum_apart",
    "transposed",
    "two_largest",
    "where",
    "zeros",
]

Number: TypeAlias = Array | Pair
"""Pairs where each rounding counts, else arrays; all formulas serve both."""


def excluding_own(xp: Namespace, z: Number, top: Array | None = None) -> Number:
    """sum_{k != j} z_k along the last axis: the total less the own, but for the largest z.

    The sum without the largest |z| is that one's; for all others the largest is a part of the
    result, so that the difference loses no more than an ulp of the larger sign's sum.
    """
    top = is_top(xp, xp.abs(leading(z))) if top is None else top
    rest = last_sum(xp, where(xp, top, zeros(xp, z), z))
    return where(xp, top, rest, only(xp, top, z) + (rest - z))


def only(xp: Namespace, here: Array, x: Number) -> Number:
    """The value at the one place of each sample, 0 where there is none: (*batch, n, 1)."""
    if isinstance(x, Pair):
        return Pair(xp, only_array(xp, here, x.high), only_array(xp, here, x.low))
    return only_array(xp, here, x)


def only_array(xp: Namespace, here: Array, x: Array) -> Array:
    """`only` of an array."""
    return xp.sum(xp.where(here, x, xp.zeros_like(x)), axis=-1, keepdims=True)


def sum_apart(xp: Namespace, a: Number, u: Pair, y: Pair, top: Array, following: Array) -> Number:
    """sum_{j != b} a_j (u_j - y_b) for all b, as seen from the largest a_j, j != b."""
    first, second = (only_pair(xp, here, u) for here in (top, following))
    rest = where(xp, top, zeros(xp, a), a)
    seen = exclusive(xp, a * as_like(a, u - first)) - exclusive(xp, a) * as_like(a, y - first)
    at_top = last_sum(xp, rest * as_like(a, u - second))
    at_top = at_top - last_sum(xp, rest) * as_like(a, y - second)
    return where(xp, top, at_top, seen)


def exclusive(xp: Namespace, z: Number) -> Number:
    """sum_{k != j} z_k, the own z_j in no partial sum."""
    forward = _before(xp, z)
    return as_like(z, forward + _flipped(xp, _before(xp, _flipped(xp, z))))


def _flipped(xp: Namespace, z: Number) -> Pair:
    pair = z if isinstance(z, Pair) else Pair.of(xp, z)
    return Pair(xp, xp.flip(pair.high, axis=-1), xp.flip(pair.low, axis=-1))


def _before(xp: Namespace, z: Number) -> Pair:
    """sum_{k < j} z_k."""
    total = running_sum(xp, z)
    parts = (
        xp.concat([xp.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)
        for x in (total.high, total.low)
    )
    return Pair(xp, *parts)


def two_largest(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """Where the largest of x >= 0 is, and where the next one."""
    top = is_top(xp, x)
    return top, is_top(xp, xp.where(top, -xp.ones_like(x), x))


def only_pair(xp: Namespace, here: Array, x: Pair) -> Pair:
    """`only` of a pair."""
    return Pair(xp, only_array(xp, here, x.high), only_array(xp, here, x.low))


def as_like(a: Number, x: Pair) -> Number:
    """x as a pair if a is one, else rounded."""
    return x if isinstance(a, Pair) else x.rounded()


def where(xp: Namespace, condition: Array, a: Number, b: Number) -> Number:
    """a where the condition holds, else b."""
    if isinstance(a, Pair) and isinstance(b, Pair):
        parts = (xp.where(condition, x, y) for x, y in ((a.high, b.high), (a.low, b.low)))
        return Pair(xp, *parts)
    return xp.where(condition, a, b)


def transposed(xp: Namespace, x: Number) -> Number:
    """The last two axes exchanged."""
    if isinstance(x, Pair):
        return Pair(xp, xp.matrix_transpose(x.high), xp.matrix_transpose(x.low))
    return xp.matrix_transpose(x)


def scaled(x: Number, factor: float) -> Number:
    """x times a power of two."""
    return Pair(x.xp, x.high * factor, x.low * factor) if isinstance(x, Pair) else x * factor


def ones(xp: Namespace, x: Number) -> Number:
    """1, of the kind and shape of x."""
    one = xp.ones_like(leading(x))
    return Pair.of(xp, one) if isinstance(x, Pair) else one


def zeros(xp: Namespace, x: Number) -> Number:
    """0, of the kind and shape of x."""
    zero = xp.zeros_like(leading(x))
    return Pair.of(xp, zero) if isinstance(x, Pair) else zero
