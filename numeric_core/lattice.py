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
from typing import NamedTuple, TypeAlias

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.exact import accurate_sum
from numeric_core.factors import Halves, Side, coefficient_reach
from numeric_core.index_sets import All, IndexSet
from numeric_core.loss import Loss, Rows
from numeric_core.namespace import Array, Namespace, known, log, log1p
from numeric_core.orders import Table, along, expanded
from numeric_core.sides import Places, label_first
from numeric_core.symmetric import (
    Dual,
    Leaves,
    Number,
    Product,
    bilinear,
    coefficients,
    leading,
    linear,
)

__all__ = ["LatticeLoss", "Part", "memberships", "products", "values_and_gradients"]


class Part(NamedTuple):
    """log of a sum over an index set.  places: of w, if it was gathered.

    sign: -1 where the v of the part are e^{-s}, so that its gradient is -q.
    """

    v: Side
    w: Side
    terms: IndexSet
    places: Places | None = None
    sign: float = 1.0


class _Form(NamedTuple):
    """Leaves of both sides: Q = e^log_scale (constant + rest); log_scale None stands for 0.

    halves: of tilted leaves, what the smaller of stay and take is made of: a large direction shows
    digits of it that a subnormal number lacks.
    drift: of Dual leaves, the rate at which the constant term grows, as a share of it.
    """

    v: Leaves
    w: Leaves
    terms: IndexSet
    log_scale: Array | None
    drift: Array | None = None
    halves: tuple[Halves, Halves] | None = None


_Task: TypeAlias = Callable[..., tuple[Array, ...]]
"""(xp, parts, forms, *directions) -> results with the rows first."""


class LatticeLoss(Loss):
    """A loss that is a sum of parts.  Rows are computed plainly where they can be, else tilted."""

    block = 1 << 16

    @abstractmethod
    def _parts(self, rows: Rows) -> list[Part]:
        """The parts of flat rows, (rows, n)."""

    def _value(self, rows: Rows) -> Array:
        (value,) = self._by_form(rows, _values)
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
            except _OutOfRange as rows_within:
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
        return (_gathered(xp, part, v.tangent, w.tangent),)
    return (value,) if task is _values else (value, _gathered(xp, part, v, w))


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


class _OutOfRange(Exception):
    """Plain coefficients of some rows are too large; good: the other rows."""

    def __init__(self, good: Array) -> None:
        super().__init__("coefficients beyond the plain range")
        self.good = good


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


def _check_range(xp: Namespace, form: _Form, v: Number, w: Number) -> None:
    """_OutOfRange if products of plain coefficients might overflow.

    A node has no larger coefficients than the root, so if these are in range, all are.
    """
    if form.log_scale is not None:
        return
    bound = math.exp(coefficient_reach(xp, leading(v).dtype))
    good = [xp.max(leading(x), axis=0) <= bound for x in (v, w)]
    within = good[0] & good[1]
    if known(xp.all(within)) is not True:
        raise _OutOfRange(within)


def _plain_form(xp: Namespace, part: Part) -> _Form:
    v, w = part.v.plain(), part.w.plain()
    scale = part.terms.scale(xp, xp.sum(v, axis=0), xp.sum(w, axis=0))
    if scale is not None:
        v, w = v * scale, w / scale
    return _Form(Leaves(None, v), Leaves(None, w), part.terms, None)


def _tilted_form(xp: Namespace, part: Part) -> _Form:
    sides = part.v.spread(), part.w.spread()
    index, c_v, c_w, pivot = part.terms.tilted(xp, *sides)
    (v, v_excess), (w, w_excess) = sides[0].tilted(c_v), sides[1].tilted(c_w)
    halves = sides[0].halves(c_v), sides[1].halves(c_w)
    return _Form(v, w, index, v_excess + w_excess + pivot, halves=halves)


# What is computed of a list of parts.  Parts are summed.


def _values(xp: Namespace, parts: list[Part], forms: list[_Form]) -> tuple[Array]:
    total = None
    for form in forms:
        value = _value(xp, form)
        total = value if total is None else total + value
    return (total,)


def values_and_gradients(
    xp: Namespace, parts: list[Part], forms: list[_Form]
) -> tuple[Array, Array]:
    """The loss and its gradient, (rows,) and (rows, n)."""
    total = gradient = None
    for part, form in zip(parts, forms, strict=True):
        value, v, w = _shares(xp, form)
        slope = _gathered(xp, part, v, w)
        total = value if total is None else total + value
        gradient = slope if gradient is None else gradient + slope
    return total, gradient


def memberships(xp: Namespace, parts: list[Part], forms: list[_Form]) -> tuple[Array]:
    """P(i in S), (rows, n), for one part with 0/1 labels: taken in, or not left out."""
    (part,), (form,) = parts, forms  # one sum, not several: S is one random set
    form = form._replace(v=_explicit(xp, form.v), w=_explicit(xp, form.w))
    products = [
        Product(xp, leaves, order)
        for leaves, order in ((form.v, form.terms.v_order), (form.w, form.terms.w_order))
    ]
    v, w = (product.coefficients for product in products)
    _check_range(xp, form, v, w)
    sums = _sums(xp, form, v, w)
    norm = 1.0 / (sums.rest + sums.constant)
    taken = form.v.take * products[0].adjoint(sums.by_v * norm).take
    kept = form.w.stay * products[1].adjoint(sums.by_w * norm).stay
    if part.places is None:
        positive = part.w.present()
        return (xp.permute_dims(xp.where(positive, kept, taken), (1, 0)),)
    return (_placed(part.places, taken, kept),)


def _explicit(xp: Namespace, leaves: Leaves) -> Leaves:
    return leaves if leaves.stay is not None else Leaves(xp.ones_like(leaves.take), leaves.take)


def products(
    xp: Namespace, parts: list[Part], forms: list[_Form], direction: Array
) -> tuple[Array]:
    """The Hessian times a direction, (rows, n): the derivative of the gradient along it."""
    total = None
    for part, form in zip(parts, forms, strict=True):
        along_v, along_w = _directions(xp, part, direction)
        _, q, p = _shares(xp, form)
        v_halves, w_halves = (None, None) if form.halves is None else form.halves
        v, v_drift = along(xp, form.v, along_v, q, v_halves)
        w, w_drift = along(xp, form.w, along_w, p, w_halves)
        dual = form._replace(v=v, w=w, drift=v_drift + w_drift)
        _, v, w = _shares(xp, dual)
        product = _gathered(xp, part, v.tangent, w.tangent)
        total = product if total is None else total + product
    return (total,)


def _value(xp: Namespace, form: _Form) -> Array:
    """log Q, without keeping what its derivatives would need."""
    if isinstance(form.terms, All):
        return _log_all(xp, form)
    v, v_exponent = coefficients(xp, form.v, form.terms.v_order)
    w, w_exponent = coefficients(xp, form.w, form.terms.w_order)
    _check_range(xp, form, v, w)
    exponent = v_exponent + w_exponent
    return _log(xp, form, _sums(xp, form, v, w), exponent)


class _Sums(NamedTuple):
    """constant + rest = Q, dQ/dV_a and dQ/dW_b."""

    constant: Number
    rest: Number
    by_v: Number
    by_w: Number


def _sums(xp: Namespace, form: _Form, v: Number, w: Number) -> _Sums:
    index = form.terms
    by_v = linear(lambda x: index.by_v(xp, x), w)
    by_w = linear(lambda x: index.by_w(xp, x), v)
    higher = bilinear(lambda a, b: xp.sum(a[1:, :] * b[1:, :], axis=0), v, by_v)
    first = linear(lambda x: index.first_row(xp, x), w)
    beside = bilinear(lambda a, b: a[0, :] * b, v, first)
    rest = _plus(higher, beside)
    origin: Number = leading(v)[0, :] * leading(w)[0, :] * index.at_origin(xp, leading(v)[0, :])
    if form.drift is not None:
        origin = Dual(origin, origin * form.drift)
    return _Sums(origin, rest, by_v, by_w)


def _plus(a: Number, b: Number) -> Number:
    if isinstance(a, Dual) and isinstance(b, Dual):
        return Dual(a.value + b.value, a.tangent + b.tangent)
    return a + b


def _log(xp: Namespace, form: _Form, sums: _Sums, exponent: Array) -> Array:
    """log Q, as log1p(rest / constant) where the constant counts."""
    rest, origin = leading(sums.rest), leading(sums.constant)
    if form.log_scale is None and form.terms.origin:
        return log1p(xp, rest)
    total = rest + origin
    counts = origin > total * _least_constant(xp, total)
    ratio = xp.where(counts, rest, xp.zeros_like(rest)) / xp.where(
        counts, origin, xp.ones_like(rest)
    )
    reached = total > 0
    beyond = log(xp, xp.where(reached, total, xp.ones_like(total)))
    if form.log_scale is not None:
        beyond = form.log_scale + (beyond + exponent * math.log(2.0))
    beyond = xp.where(reached, beyond, xp.full_like(beyond, -math.inf))
    return xp.where(counts, log1p(xp, ratio), beyond)


def _least_constant(xp: Namespace, like: Array) -> float:
    """Above e^230 (float32: e^34) the rest is taken by itself: all that is added to it is then of
    its sign but log(n + 1), and the constant is still a normal number."""
    return 1e-100 if like.dtype == xp.float64 else 1e-15


def _shares(xp: Namespace, form: _Form) -> tuple[Array, Number, Number]:
    """log Q, q_i and p_i; of Dual leaves q_i and p_i are Dual."""
    if isinstance(form.terms, All):
        return _log_all(xp, form), _share_alone(form.v), _share_alone(form.w)
    v_product = Product(xp, form.v, form.terms.v_order)
    w_product = Product(xp, form.w, form.terms.w_order)
    _check_range(xp, form, v_product.coefficients, w_product.coefficients)
    exponent = v_product.exponent + w_product.exponent
    sums = _sums(xp, form, v_product.coefficients, w_product.coefficients)
    value = _log(xp, form, sums, exponent)
    total = leading(sums.rest) + leading(sums.constant)
    norm = 1.0 / xp.where(total > 0, total, xp.ones_like(total))
    v_slope, w_slope = (
        product.adjoint(linear(lambda x: x * norm, root)).take
        for product, root in ((v_product, sums.by_v), (w_product, sums.by_w))
    )
    if not isinstance(sums.rest, Dual):
        return value, form.v.take * v_slope, form.w.take * w_slope
    growth = (sums.rest.tangent + sums.constant.tangent) * norm
    v_halves, w_halves = (None, None) if form.halves is None else form.halves
    v = _dual_share(xp, form.v.take, v_slope, growth, v_halves)
    return value, v, _dual_share(xp, form.w.take, w_slope, growth, w_halves)


def _dual_share(
    xp: Namespace, take: Dual, slope: Dual, growth: Array, halves: Halves | None
) -> Dual:
    """take_i dQ/dtake_i / Q and its derivative, the growth of Q taken off."""
    amount = slope.tangent - slope.value * growth
    product = take.value * amount
    if halves is not None:
        product = halves.times(xp, take.value, product, amount)
    return Dual(take.value * slope.value, take.tangent * slope.value + product)


def _log_all(xp: Namespace, form: _Form) -> Array:
    """log of V(1) W(1): sum_i log(1 + x_i); of stay and take the larger is 1."""
    total = form.log_scale
    for leaves in (form.v, form.w):
        stay, take = leading(leaves.stay), leading(leaves.take)
        if take.shape[0] > 0:
            terms = log1p(xp, xp.where(stay < take, stay, take))
            total = total + accurate_sum(xp, xp.permute_dims(terms, (1, 0)))[..., 0]
    return total


def _share_alone(leaves: Leaves) -> Number:
    """take / (stay + take): what a label has of its own factor, whatever the others do."""
    stay, take = leading(leaves.stay), leading(leaves.take)
    total = stay + take
    if not isinstance(leaves.take, Dual):
        return take / total
    slope = leaves.take.tangent * stay - take * leaves.stay.tangent
    return Dual(take / total, slope / total / total)


def _gathered(xp: Namespace, part: Part, v: Array, w: Array) -> Array:
    """sign (q - p) of all labels, (rows, n); in NumPy p is put where it was gathered from."""
    if part.w.a.shape[0] == 0:
        return part.sign * xp.permute_dims(v, (1, 0))
    if part.places is None:
        return part.sign * xp.permute_dims(v - w, (1, 0))
    return _placed(part.places, v, -w)


def _placed(places: Places, all_labels: Array, gathered: Array) -> Array:
    """NumPy: (n, rows) as (rows, n), with the gathered entries put where they come from."""
    out = np.ascontiguousarray(all_labels.T)
    label, row, here = places
    out[row[here], label[here]] = gathered[here]
    return out


def _directions(xp: Namespace, part: Part, direction: Array) -> tuple[Array, Array]:
    """d log v / d epsilon and d log w / d epsilon, label axis first."""
    u = label_first(xp, direction) * part.sign
    if part.places is not None:
        return u, -u[part.places.label, part.places.row]
    return u, -u[: part.w.a.shape[0], :]


def _unit(xp: Namespace, like: Array, i: int) -> Array:
    """The i-th unit vector (n,)."""
    index = xp.arange(like.shape[-1], device=device(like))
    return xp.astype(index == i, like.dtype)
