"""The lattice: every multi-label loss here is log sum_{(a,b) in I} e_a(v) e_b(w).

    v_i = (1 - t_i) e^{s_i},   w_i = t_i e^{-s_i},   V(z) = prod_i (1 + v_i z),  W(z) likewise,
    Q = sum_{(a,b) in I} e_a(v) e_b(w),   l = log Q,

with e_a the elementary symmetric polynomials (`numeric_core.symmetric`).  Only the index set I
differs from loss to loss.  With 0/1 labels e_a(v) sums over the sets of a negatives that are taken
in, e_b(w) over the sets of b positives that are left out: the probability of such a mistake is its
term by Q.

    dl/ds_i = q_i - p_i,   q_i = v_i dQ/dv_i / Q,   p_i = w_i dQ/dw_i / Q

q_i is the probability that negative i is taken in, p_i that positive i is left out.  They come down
the product trees from dQ/dV_a = sum_b c_ab W_b and dQ/dW_b = sum_a c_ab V_a (c the indicator of I):
sums without a sign.  The Hessian times a vector is the derivative of that along the vector, taken
with `Dual` numbers.

The constant term (0, 0) is left out of the sum, Q = constant + rest, so that l = log1p(rest /
constant) keeps the digits of tiny losses.  Scores out of the reach of plain sums are seen from a
tilt (`numeric_core.factors`); then constant and rest are both scaled, and where the constant
underflows, beyond l = 230, l = log Q.

Index sets are written as bands, {a - b <= D} with a D of each row's own, as the diagonal {a = b},
or as a table.
"""

from __future__ import annotations

import functools
import math
import operator
from abc import abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.index_sets import All
from numeric_core.loss import Loss
from numeric_core.namespace import Array, Namespace, known
from numeric_core.orders import Table, expanded
from numeric_core.parts import (
    Form,
    OutOfRange,
    Part,
    gathered,
    products,
    values,
    values_and_gradients,
)
from numeric_core.rows import Rows
from numeric_core.sides import label_first
from numeric_core.symmetric import Leaves

__all__ = ["LatticeLoss"]

_Task: TypeAlias = Callable[..., tuple[Array, ...]]
"""(xp, parts, forms, *directions) -> results with the rows first."""


class LatticeLoss(Loss):
    """A loss that is a sum of parts.  Rows are computed plainly where they can be, else tilted."""

    block = 1 << 16

    @abstractmethod
    def _parts(self, rows: Rows) -> list[Part]:
        """The parts of flat rows, (rows, n)."""

    def _value(self, rows: Rows) -> Array:
        (value,) = self._by_form(rows, values)
        return self._marked(rows, value)

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        value, gradient = self._by_form(rows, values_and_gradients)
        if rows.exact:  # a component is at most 1: it needs no care when it is rounded
            gradient = rows.xp.astype(gradient, rows.dtype, copy=False)
        return self._marked(rows, value), gradient

    def _infinite(self, rows: Rows) -> Array:
        """Rows whose loss is inf: a label > 0 has a score of -inf; (*batch,)."""
        return rows.xp.any(rows.infinite, axis=-1)

    def _marked(self, rows: Rows, value: Array) -> Array:
        """inf where a positive at -inf, taken as -finfo.max so far, makes it so."""
        if rows.infinite is None:
            return value
        return rows.xp.where(self._infinite(rows), math.inf * rows.xp.ones_like(value), value)

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        (product,) = self._by_form(rows, products, vector)
        return product

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        """Column by column, and made symmetric."""
        xp = rows.xp
        columns: list[Array] = []
        for i in range(rows.scores.shape[-1]):
            unit = xp.zeros_like(rows.scores) + _unit(xp, rows.scores, i)
            columns += self._by_form(rows, products, unit)
        hessian = xp.stack(columns, axis=-1)
        hessian = 0.5 * (hessian + xp.matrix_transpose(hessian))
        return xp.linalg.diagonal(hessian), hessian

    def _by_form(self, rows: Rows, task: _Task, *directions: Array) -> tuple[Array, ...]:
        """The task on all rows, (*batch, n), each row by the form that it needs."""
        xp, batch = rows.xp, rows.scores.shape[:-1]
        wide = rows.widened().flat()
        flat = (xp.reshape(x, wide.scores.shape) for x in directions)
        results = self._run(wide, task, *(xp.astype(x, wide.scores.dtype) for x in flat))
        return tuple(xp.reshape(x, (*batch, *x.shape[1:])) for x in results)

    def _run(self, rows: Rows, task: _Task, *directions: Array) -> tuple[Array, ...]:
        """Plainly if all rows can be; in NumPy rows are taken apart; else all of them tilted."""
        xp, parts = rows.xp, self._parts(rows)
        plain = _near(xp, parts)
        if known(xp.all(plain)) is True:
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    return task(xp, parts, [_plain_form(xp, part) for part in parts], *directions)
            except OutOfRange as rows_within:
                plain = rows_within.good
        if not is_numpy_array(rows.scores) or not np.any(plain):
            return self._tilted(xp, parts, task, *directions)
        groups = (plain, ~plain)
        results = [
            self._run(rows.block(here), task, *(x[here, :] for x in directions)) for here in groups
        ]
        return _interleaved(groups, results)

    def _tilted(
        self, xp: Namespace, parts: list[Part], task: _Task, *directions: Array
    ) -> tuple[Array, ...]:
        """Each part from a tilt; a table, which has no single one, order by order."""
        if isinstance(parts[0].terms, Table):
            return _by_orders(xp, parts[0], parts[0].terms, task, *directions)
        with np.errstate(over="ignore"):  # a loss beyond finfo.max is inf
            return task(xp, parts, [_tilted_form(xp, part) for part in parts], *directions)


def _by_orders(
    xp: Namespace, part: Part, terms: Table, task: _Task, direction: Array | None = None
) -> tuple[Array, ...]:
    u = None if direction is None else label_first(xp, direction)
    value, v, w = expanded(xp, terms.table, part.v, part.w, u)
    if u is not None:
        return (gathered(xp, part, v.tangent, w.tangent),)
    return (value,) if task is values else (value, gathered(xp, part, v, w))


def _interleaved(
    groups: tuple[Array, Array], results: list[tuple[Array, ...]]
) -> tuple[Array, ...]:
    """NumPy: results of two groups of rows, each in its place."""
    joined = []
    for first, second in zip(*results, strict=True):
        out = np.empty((len(groups[0]), *first.shape[1:]), dtype=first.dtype)
        out[groups[0]], out[groups[1]] = first, second
        joined.append(out)
    return tuple(joined)


def _near(xp: Namespace, parts: list[Part]) -> Array:
    """Rows all of whose exponents can be taken as they are: (rows,) bool."""
    if any(isinstance(part.terms, All) for part in parts):
        return xp.zeros_like(parts[0].v.a[0, :]) > 0
    sides = [
        part.terms.near(xp, side, order)
        for part in parts
        for side, order in ((part.v, part.terms.v_order), (part.w, part.terms.w_order))
    ]
    return functools.reduce(operator.and_, sides)


def _plain_form(xp: Namespace, part: Part) -> Form:
    v, w = part.v.plain(), part.w.plain()
    scale = part.terms.scale(xp, xp.sum(v, axis=0), xp.sum(w, axis=0))
    if scale is not None:
        v, w = v * scale, w / scale
    return Form(Leaves(None, v), Leaves(None, w), part.terms, None)


def _tilted_form(xp: Namespace, part: Part) -> Form:
    sides = part.v.spread(), part.w.spread()
    index, c_v, c_w, pivot = part.terms.tilted(xp, *sides)
    (v, v_excess), (w, w_excess) = sides[0].tilted(c_v), sides[1].tilted(c_w)
    halves = sides[0].halves(c_v), sides[1].halves(c_w)
    return Form(v, w, index, v_excess + w_excess + pivot, halves=halves)


def _unit(xp: Namespace, like: Array, i: int) -> Array:
    """The i-th unit vector (n,)."""
    index = xp.arange(like.shape[-1], device=device(like))
    return xp.astype(index == i, like.dtype)
