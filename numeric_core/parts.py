"""A sum over an index set, and what is computed of it: value, gradient, membership, product.

    Q = sum_{(a,b) in I} c_ab V_a W_b,   dQ/dV_a = sum_b c_ab W_b,   dQ/dW_b = sum_a c_ab V_a

A `Part` is one log Q as a loss states it, a `Form` the leaves that it is computed from.  Shares
q_i and p_i come down the product trees from the derivatives of Q (`numeric_core.lattice`).  Parts
are summed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from numeric_core.dual import Dual, Number, bilinear, leading, linear
from numeric_core.exact import accurate_sum
from numeric_core.factors import Halves, Side, coefficient_reach
from numeric_core.index_sets import All, IndexSet
from numeric_core.namespace import Array, Namespace, known, log, log1p
from numeric_core.orders import along
from numeric_core.sides import Places, label_first
from numeric_core.symmetric import Leaves, Product, coefficients

__all__ = [
    "Form",
    "OutOfRange",
    "Part",
    "gathered",
    "memberships",
    "products",
    "values",
    "values_and_gradients",
]


class Part(NamedTuple):
    """log of a sum over an index set.  places: of w, if it was gathered.

    sign: -1 where the v of the part are e^{-s}, so that its gradient is -q.
    """

    v: Side
    w: Side
    terms: IndexSet
    places: Places | None = None
    sign: float = 1.0


class Form(NamedTuple):
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


class OutOfRange(Exception):
    """Plain coefficients of some rows are too large; good: the other rows."""

    def __init__(self, good: Array) -> None:
        super().__init__("coefficients beyond the plain range")
        self.good = good


def _check_range(xp: Namespace, form: Form, v: Number, w: Number) -> None:
    """OutOfRange if products of plain coefficients might overflow.

    A node has no larger coefficients than the root, so if these are in range, all are.
    """
    if form.log_scale is not None:
        return
    bound = math.exp(coefficient_reach(xp, leading(v).dtype))
    good = [xp.max(leading(x), axis=0) <= bound for x in (v, w)]
    within = good[0] & good[1]
    if known(xp.all(within)) is not True:
        raise OutOfRange(within)


def values(xp: Namespace, parts: list[Part], forms: list[Form]) -> tuple[Array]:
    total = None
    for form in forms:
        value = _value(xp, form)
        total = value if total is None else total + value
    return (total,)


def values_and_gradients(
    xp: Namespace, parts: list[Part], forms: list[Form]
) -> tuple[Array, Array]:
    """The loss and its gradient, (rows,) and (rows, n)."""
    total = gradient = None
    for part, form in zip(parts, forms, strict=True):
        value, v, w = _shares(xp, form)
        slope = gathered(xp, part, v, w)
        total = value if total is None else total + value
        gradient = slope if gradient is None else gradient + slope
    return total, gradient


def memberships(xp: Namespace, parts: list[Part], forms: list[Form]) -> tuple[Array]:
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


def products(xp: Namespace, parts: list[Part], forms: list[Form], direction: Array) -> tuple[Array]:
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
        product = gathered(xp, part, v.tangent, w.tangent)
        total = product if total is None else total + product
    return (total,)


def _value(xp: Namespace, form: Form) -> Array:
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


def _sums(xp: Namespace, form: Form, v: Number, w: Number) -> _Sums:
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


def _log(xp: Namespace, form: Form, sums: _Sums, exponent: Array) -> Array:
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


def _shares(xp: Namespace, form: Form) -> tuple[Array, Number, Number]:
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


def _log_all(xp: Namespace, form: Form) -> Array:
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


def gathered(xp: Namespace, part: Part, v: Array, w: Array) -> Array:
    """sign (q - p) of all labels, (rows, n); in NumPy p is put where it was gathered from."""
    if part.w.a.shape[0] == 0:
        return part.sign * xp.permute_dims(v, (1, 0))
    if part.places is None:
        return part.sign * xp.permute_dims(v - w, (1, 0))
    return _placed(part.places, v, -w)


def _placed(places: Places, all_labels: Array, some: Array) -> Array:
    """NumPy: (n, rows) as (rows, n), with the gathered entries put where they come from."""
    out = np.ascontiguousarray(all_labels.T)
    label, row, here = places
    out[row[here], label[here]] = some[here]
    return out


def _directions(xp: Namespace, part: Part, direction: Array) -> tuple[Array, Array]:
    """d log v / d epsilon and d log w / d epsilon, label axis first."""
    u = label_first(xp, direction) * part.sign
    if part.places is not None:
        return u, -u[part.places.label, part.places.row]
    return u, -u[: part.w.a.shape[0], :]
