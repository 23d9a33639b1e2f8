"""Recursion by elements: coefficients of a product over an axis, as logs that cannot overflow.

With ``E(z) = prod_j (1 + x_j z)`` and ``e_m = [z^m] E``, one more element changes the coefficients
by ``e_m <- e_m + x_i e_{m-1}`` (claim ``combination_softmax.elements``). In logs this is
``log e_m <- logaddexp(log e_m, log x_i + log e_{m-1})``, which neither overflows nor cancels. A
factor ``1/(1 - a z)`` is one more start of the same recursion. Every coefficient of a formula is
brought here to such products, some elements left out, by four moves that hold for every length::

    [z^m] sum_j c_j F_j(z)                =  sum_j c_j [z^m] F_j
    [z^m] z F(z)                          =  [z^{m-1}] F
    [z^m] E(z) / (1 + x_i z)              =  [z^m] E_{without i}
    sum_j u_j x_j [z^{m-1}] E_{without j} =  e_m  mean of sum_{j in S} u_j

The mean is over the subsets S of m elements, with probability ``prod_S x / e_m``. It has a
recursion of its own, with weights in [0, 1]; that is what a Hessian-vector product is made of.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sympy import Add, Expr, KroneckerDelta, Mul, Pow, Product, S, Sum, Symbol, expand
from sympy import exp as exponential
from sympy import log as logarithm

from derive.axis import Index, total
from derive.branches import name_of
from derive.calculus import free_indices, opened, replace_index, resolve
from derive.coefficients import Coefficient, OrderSum
from derive.generating import closed
from derive.nodes import Sealed
from derive.reduction import split_factor


@dataclass(frozen=True)
class Elements:
    """``prod (1 + weight z)`` over all elements but those left out, divided by ``1 - ratio z``."""

    index: Index
    weight: Expr
    left_out: tuple[Index, ...] = ()
    ratio: Expr | None = None

    def series(self, z: Symbol) -> Expr:
        """The series; a left-out element has the weight 0, and the bound index a name by rule."""
        free = {*self.left_out, *(free_indices(self.weight) - {self.index})}
        index = self.index.axis.fresh(free)
        kept = Mul(*(1 - KroneckerDelta(other, index) for other in self.left_out))
        product = index.axis.product(1 + kept * self.at(index) * z, index)
        return product if self.ratio is None else product / (1 - self.ratio * z)

    def without(self, *others: Index) -> Elements:
        """The same elements but for those."""
        left_out = tuple(sorted({*self.left_out, *others}, key=name_of))
        return Elements(self.index, self.weight, left_out, self.ratio)

    def at(self, other: Index) -> Expr:
        """The weight of an element that is not left out."""
        return replace_index(self.weight, self.index, other)

    def including(self, other: Index) -> Elements:
        """The same elements, and one that was left out."""
        left_out = tuple(index for index in self.left_out if index != other)
        return Elements(self.index, self.weight, left_out, self.ratio)


class OfElements(Sealed):
    """A node about ``[z^order] series``, the series that of :class:`Elements`."""

    @property
    def elements(self) -> Elements:
        """The product, read."""
        series, z = self.args[-3:-1]
        found = elements_of(series, z)
        if found is None:
            raise ValueError(f"{series} is no product of 1 + x {z} over an axis")
        return found

    @property
    def order(self) -> Expr:
        """The order of the coefficient."""
        return self.args[-1]

    @property
    def coefficient(self) -> Expr:
        """``[z^order] series``."""
        return Coefficient(*self.args[-3:])


class log_coefficient(OfElements):
    """``log [z^order] series``, and ``-inf`` where the coefficient is 0; arguments as there."""

    nargs = 3
    is_extended_real = True

    def __new__(cls, series: Expr, z: Symbol, order: Expr) -> log_coefficient:
        """One series has one form, however it was expanded on the way."""
        return Expr.__new__(cls, _canonical(series, z), z, order)

    def meaning(self) -> Expr:
        return logarithm(self.coefficient)

    @property
    def free_symbols(self) -> set[Symbol]:
        """The variable of the series is bound."""
        return self.coefficient.free_symbols


class subset_mean(OfElements):
    """``E sum_{j in S} u_j`` over the subsets of ``order`` elements; 0 where there is none.

    Arguments ``sum_j u_j``, series, z, order.
    """

    nargs = 4
    is_extended_real = True

    def __new__(cls, summed: Expr, series: Expr, z: Symbol, order: Expr) -> subset_mean:
        """One series has one form, however it was expanded on the way."""
        return Expr.__new__(cls, summed, _canonical(series, z), z, order)

    def meaning(self) -> Expr:
        index, direction = opened(self.args[0], free_indices(self.args[1]))
        z, left = self.args[2], self.elements.without(index)
        kept = Mul(*(1 - KroneckerDelta(other, index) for other in self.elements.left_out))
        numerator = (
            kept * direction * left.at(index) * Coefficient(left.series(z), z, self.order - 1)
        )
        return total(numerator, index) / self.coefficient

    @property
    def free_symbols(self) -> set[Symbol]:
        """The variable of the series and the index of the sum are bound."""
        return self.coefficient.free_symbols | self.args[0].free_symbols


def left_out_weights(expression: Expr) -> list[Expr]:
    """The factors ``w_i`` of the weights ``w_i e^{x_i}`` of elements that are left out in it."""
    nodes = sorted(expression.atoms(log_coefficient), key=name_of)
    elements = [(node.elements, index) for node in nodes for index in node.elements.left_out]
    weights = [factor for own, index in elements for factor in Mul.make_args(own.at(index))]
    return [factor for factor in weights if not isinstance(factor, exponential)]


# --- reading a series ---


def elements_of(series: Expr, z: Symbol) -> Elements | None:
    """The series as elements, or None if it is not of that form."""
    products = [factor for factor in Mul.make_args(series) if isinstance(factor, Product)]
    if len(products) != 1:
        return None
    found = _read_product(products[0], z)
    for factor in Mul.make_args(series):
        if found is None or factor == products[0]:
            continue
        found = _divided(found, factor, z)
    return found


def _read_product(product: Product, z: Symbol) -> Elements | None:
    index, body = opened(product)
    slope = expand((body - 1) / z)
    if z in slope.free_symbols or slope == 0:
        return None
    others = {a for delta in slope.atoms(KroneckerDelta) for a in delta.args} - {index}
    deltas = [KroneckerDelta(index, other) for other in others]
    weight = slope.xreplace(dict.fromkeys(deltas, S.Zero))
    kept = expand(Mul(*(1 - delta for delta in deltas)) * weight)
    if expand(kept - _contracted(slope)) != 0:
        return None
    return Elements(index, _factored(weight), tuple(sorted(others, key=name_of)))


def _contracted(expression: Expr) -> Expr:
    """``delta^2 = delta``."""
    powers = [p for p in expression.atoms(Pow) if isinstance(p.base, KroneckerDelta)]
    return expression.xreplace({power: power.base for power in powers})


def _factored(weight: Expr) -> Expr:
    """``e^x (1 - t)`` for ``e^x - t e^x``."""
    terms = Add.make_args(weight)
    common = [f for f in Mul.make_args(terms[0]) if all(f in Mul.make_args(t) for t in terms)]
    return Mul(*common, Add(*(term / Mul(*common) for term in terms)))


def _divided(elements: Elements, factor: Expr, z: Symbol) -> Elements | None:
    """The elements with one factor ``1/(1 + x_i z)`` or ``1/(1 - a z)`` more; None for others."""
    if not (isinstance(factor, Pow) and factor.exp == -1):
        return None
    slope = expand((factor.base - 1) / z)
    if z in slope.free_symbols:
        return None
    for index in sorted(free_indices(slope), key=name_of):
        if _may_leave_out(elements, index) and expand(elements.at(index) - slope) == 0:
            return elements.without(index)
    if elements.ratio is None and not free_indices(slope):
        return Elements(elements.index, elements.weight, elements.left_out, -slope)
    return None


def _may_leave_out(elements: Elements, index: Index) -> bool:
    """Only the first: ``E_{-j} / (1 + x_i z)`` leaves two out where i and j differ, only there."""
    return index.axis == elements.index.axis and not elements.left_out


def _canonical(series: Expr, z: Symbol) -> Expr:
    found = elements_of(series, z)
    return series if found is None else found.series(z)


# --- the moves ---


def recursion_form(expression: Expr) -> Expr:
    """Every coefficient as ``e^{log_coefficient}``, sums over left-out elements as means.

    A coefficient of another form is left as it is. ``derive.nodes.plain`` of the result is equal
    to the expression.
    """
    if not expression.has(Coefficient, OrderSum):
        return expression
    moved = _moved(resolve(expression))
    return moved.replace(Coefficient, _logarithmic)


def _logarithmic(series: Expr, z: Symbol, order: Expr) -> Expr:
    if elements_of(series, z) is None:
        return Coefficient(series, z, order)
    return exponential(log_coefficient(series, z, order))


def _moved(expression: Expr) -> Expr:
    if not expression.args or not expression.has(Coefficient, OrderSum):
        return expression
    if isinstance(expression, OrderSum):
        whole = closed(expression)
        return expression if whole is None else _moved(whole)
    if isinstance(expression, Coefficient):
        series, z, order = expression.args
        return _linear(S.One, list(Mul.make_args(series)), z, order)
    if isinstance(expression, Sum):
        index, body = opened(expression)
        return Add(*(_sum_of(term, index) for term in _terms(_moved(body))))
    return expression.func(*(_moved(argument) for argument in expression.args))


def _linear(outside: Expr, factors: list[Expr], z: Symbol, order: Expr) -> Expr:
    """``outside [z^order] prod factors``, opened over the sums among the factors."""
    kept: list[Expr] = []
    for place, factor in enumerate(factors):
        rest = factors[place + 1 :]
        base, power = factor.as_base_exp()
        if z not in factor.free_symbols:
            outside *= factor
        elif base == z:
            order -= power
        elif isinstance(factor, Sum):
            index, body = opened(factor, free_indices(Mul(*factors, outside)))
            term = _linear(S.One, [*kept, *Mul.make_args(body), *rest], z, order)
            return outside * Add(*(_sum_of(part, index) for part in _terms(term)))
        elif isinstance(factor, Add):
            opened_terms = (
                _linear(outside, [*kept, *Mul.make_args(term), *rest], z, order)
                for term in factor.args
            )
            return Add(*opened_terms)
        else:
            kept.append(factor)
    return outside * _coefficient(Mul(*kept), z, order)


def _coefficient(series: Expr, z: Symbol, order: Expr) -> Expr:
    """The coefficient, its series in the one form."""
    found = elements_of(series, z)
    return Coefficient(series if found is None else found.series(z), z, expand(order))


def _terms(body: Expr) -> list[Expr]:
    """The terms, with only those brackets opened that hide a coefficient."""
    if isinstance(body, Add):
        return [term for argument in body.args for term in _terms(argument)]
    for factor in Mul.make_args(body):
        if isinstance(factor, Add) and factor.has(Coefficient):
            return [term for part in factor.args for term in _terms(body / factor * part)]
    return [body]


def _sum_of(term: Expr, index: Index) -> Expr:
    """``sum_index term``, as a mean where the term leaves the element ``index`` out."""
    for factor in Mul.make_args(term):
        if isinstance(factor, KroneckerDelta) and index in factor.args:
            other = next(argument for argument in factor.args if argument != index)
            return replace_index(term / factor, index, other)
    found = [f for f in Mul.make_args(term) if isinstance(f, Coefficient) and _holds(f, index)]
    if len(found) == 1 and not _holds(Mul(*_without(term, found[0])), index, Coefficient):
        mean = _as_mean(_without(term, found[0]), found[0], index)
        if mean is not None:
            return mean
    return total(term, index)


def _holds(expression: Expr, index: Index, kind: type[Expr] = Coefficient) -> bool:
    return any(index in free_indices(node) for node in expression.atoms(kind))


def _without(term: Expr, factor: Expr) -> list[Expr]:
    return [other for other in Mul.make_args(term) if other != factor]


def _as_mean(factors: Collection[Expr], coefficient: Expr, index: Index) -> Expr | None:
    series, z, order = coefficient.args
    found = elements_of(series, z)
    if found is None or index not in found.left_out or index in order.free_symbols:
        return None
    kept = found.including(index)
    if index in free_indices(kept.series(z)):  # other weights depend on it too
        return None
    gates = Mul(*(1 - KroneckerDelta(other, index) for other in kept.left_out))
    outer, direction = split_factor(Mul(*factors) / (kept.at(index) * gates), index)
    if direction.has(KroneckerDelta):  # an element is left out of the product, not of the sum
        return None
    return outer * _mean(direction, kept, z, order + 1, index)


def _mean(direction: Expr, kept: Elements, z: Symbol, order: Expr, index: Index) -> Expr:
    series = kept.series(z)
    return subset_mean(total(direction, index), series, z, order) * Coefficient(series, z, order)
