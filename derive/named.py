"""The sums of a reduction form by name: what is computed first, then what is made of it.

A sum is taken once where it holds for a whole row, ``A = 1 + sum_j t_j e^{-s_j}``, and once for
each index where it occurs inside another sum: ``A_j = 1 + sum_i t_ij e^{-s_ij}`` in
``sum_j log A_j``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sympy import Add, Expr, Indexed, IndexedBase, Product, Sum, Symbol

from derive.axis import Index
from derive.calculus import free_indices, opened, over, replace_index
from derive.coefficients import Coefficient
from derive.reduction import assign_axes, assign_together, reduction_form

Name: TypeAlias = "Symbol | Indexed"


@dataclass(frozen=True)
class Reductions:
    """Named sums, inner ones first, and each elementwise expression in terms of them.

    The name of a sum that depends on indices is an array entry at these, ``A_j``.
    """

    sums: tuple[tuple[Name, Expr], ...]
    elementwise: tuple[Expr, ...]


def named_reductions(
    results: Iterable[tuple[Expr, tuple[Index, ...]]], names: Iterable[str]
) -> Reductions:
    """The sums that are taken once, under the given names, and what is made of them.

    A result is an expression and its output indices. A sum outside all others that depends on an
    output index stays where it is. ``1 + sum`` and ``sum`` are named alike: the name stands for
    the largest expression with no other free index.
    """
    assigned, _ = assign_together([(reduction_form(x), outputs) for x, outputs in results])
    inner = frozenset(sum_ for expression in assigned for sum_ in _inner_sums(expression))
    naming = _Naming(iter(names), inner)
    elementwise = tuple(map(naming.named, assigned))
    return Reductions(tuple((name, total) for total, name in naming.found.items()), elementwise)


def _inner_sums(expression: Expr, inside: bool = False) -> Iterator[Expr]:
    """The sums inside sums that depend on indices, each at the first indices of its axes."""
    if isinstance(expression, Indexed | Coefficient) or not expression.has(Sum):
        return
    if inside and _is_sum(expression) and free_indices(expression):
        yield _at_first(expression)[0]
    for argument in expression.args:
        yield from _inner_sums(argument, inside or isinstance(expression, Sum))


def _at_first(expression: Expr) -> tuple[Expr, dict[Index, Index]]:
    """The expression at the first indices of its axes, and the index that each stands for."""
    places = {
        index: place - len(entry.indices)
        for entry in sorted(expression.atoms(Indexed), key=str)
        for place, index in enumerate(entry.indices)
    }
    found = sorted(free_indices(expression), key=lambda index: (places.get(index, 0), str(index)))
    # By way of names that nothing has, since two may change places.
    apart = [index.axis.index(f"_{place}") for place, index in enumerate(found)]
    first: list[Index] = []
    for index in found:
        first.append(index.axis.fresh(first))
    for old, new in (*zip(found, apart, strict=True), *zip(apart, first, strict=True)):
        expression = replace_index(expression, old, new)
    renamed, _ = assign_axes(expression, tuple(first))
    return renamed, dict(zip(first, found, strict=True))


def _is_sum(expression: Expr) -> bool:
    """A sum, or a number plus sums; those of coefficients have no entries."""
    terms = Add.make_args(expression)
    whole = all(term.is_Number or isinstance(term, Sum) for term in terms)
    return whole and expression.has(Sum) and not expression.has(Coefficient)


def _is_row_sum(expression: Expr) -> bool:
    """A sum or a coefficient without free index, or a number plus such a sum."""
    if free_indices(expression):
        return False
    if isinstance(expression, Sum | Product | Coefficient):
        return True
    return isinstance(expression, Add) and all(
        term.is_Number or isinstance(term, Sum) for term in expression.args
    )


@dataclass
class _Naming:
    """Names being given: the supply, the sums that occur inside others, and what has a name."""

    supply: Iterator[str]
    inner: frozenset[Expr]
    found: dict[Expr, Name] = field(default_factory=dict)

    def named(self, expression: Expr) -> Expr:
        """The expression with its sums by name."""
        if not expression.has(Sum, Product) or isinstance(expression, Indexed):
            return expression
        if _is_row_sum(expression):
            return self._name(self._inside(expression), ())
        if isinstance(expression, Coefficient):
            return self._with_order_named(expression)
        if _is_sum(expression):
            first, stands_for = _at_first(expression)
            if first in self.inner:
                entry = self._name(self._inside(first), tuple(stands_for))
                return entry.xreplace(stands_for)
        return expression.func(*map(self.named, expression.args))

    def _inside(self, expression: Expr) -> Expr:
        """What is inside a sum is named first, so that later names may use it."""
        return Add(*map(self._opened, Add.make_args(expression)))

    def _opened(self, term: Expr) -> Expr:
        if isinstance(term, Coefficient):
            return self._with_order_named(term)
        if not isinstance(term, Sum | Product):
            return term
        index, body = opened(term)
        return over(term, index, self.named(body))

    def _with_order_named(self, node: Coefficient) -> Expr:
        """What stands in the series depends on its variable: only the order may have a name."""
        series, z, order = node.args
        return Coefficient(series, z, self.named(order))

    def _name(self, total: Expr, indices: tuple[Index, ...]) -> Name:
        if total not in self.found:
            symbol = Symbol(next(self.supply), positive=True)
            self.found[total] = IndexedBase(symbol)[indices] if indices else symbol
        return self.found[total]
