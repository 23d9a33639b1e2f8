"""Reduction form: a few sums over an axis, then an elementwise map of them.

Each loss here, its gradient and its Hessian-vector product have this shape::

    A   = 1 + sum_j t_j e^{-s_j}          reductions, each over one axis
    g_i = F(A, ..., s_i, t_i)             one elementwise line

It is found by three moves that hold for every length: what does not depend on the bound index
leaves the sum (also out of an exponent, ``e^{s_i - s_j} = e^{s_i} e^{-s_j}``), sums over nothing
are ``n``, and a sum whose terms share no such factor is split where the split separates indices.
Two more hold where there are several axes: a factor leaves a sum only if that frees the sum of an
index, and a sum over all indices but some, ``sum_k (1 - delta_jk) f_k``, is never the difference of
``sum_k f_k`` and ``f_j``, which may agree in every digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    KroneckerDelta,
    Mul,
    Pow,
    Product,
    S,
    Sum,
    Symbol,
    expand,
)
from sympy import exp as exponential
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.axis import KEPT, Index
from derive.branches import has_delta, with_arguments
from derive.calculus import entry, free_indices, opened, over, replace_index, resolve, sift
from derive.coefficients import Coefficient
from derive.nodes import Sealed


def reduction_form(expression: Expr) -> Expr:
    """The expression with nothing left under a sum that does not depend on its index."""
    return _reduced(_sifted(resolve(expression)))


def _sifted(expression: Expr) -> Expr:
    """Sifted, except that no bracket ``1 - delta_ij`` that leaves an index out is opened.

    Beside a coefficient it is the meaning that would be lost: the elements i and j are left out of
    such a coefficient, which has none for ``i = j``. Elsewhere it is digits.
    """
    if not has_delta(expression):
        return expression
    if isinstance(expression, Coefficient):
        series, z, order = expression.args
        return Coefficient(series, z, sift(order))
    if not isinstance(expression, Sum):
        if not expression.args or isinstance(expression, Indexed | KroneckerDelta):
            return expression
        return with_arguments(expression, (_sifted(argument) for argument in expression.args))
    index, body = opened(expression)
    return Add(*(_sifted_term(term, index) for term in Add.make_args(_sifted(body))))


def _sifted_term(term: Expr, index: Index) -> Expr:
    if not _has_delta(term, index):
        return index.axis.sum(term, index)
    for factor in Mul.make_args(term):
        if isinstance(factor, KroneckerDelta) and index in factor.args:
            other = next(argument for argument in factor.args if argument != index)
            return replace_index(term / factor, index, other)
    kept = term.has(Coefficient) or left_out(term, index)
    return index.axis.sum(term, index) if kept else sift(index.axis.sum(term, index))


def _has_delta(term: Expr, index: Index) -> bool:
    """Whether a delta of the index is a factor, or a factor of a term of a factor."""
    if isinstance(term, KroneckerDelta):
        return index in term.args
    return isinstance(term, Add | Mul | Pow) and any(_has_delta(a, index) for a in term.args)


def left_out(term: Expr, index: Index) -> list[Expr]:
    """The factors ``1 - delta_jk`` of a product that leave out one value of the index each."""
    return [factor for factor in Mul.make_args(term) if index in _ends(factor)]


def _ends(factor: Expr) -> tuple[Expr, ...]:
    """``(j, k)`` for the bracket ``1 - delta_jk``."""
    if not (isinstance(factor, Add) and len(factor.args) == 2 and S.One in factor.args):
        return ()
    number, delta = next(term for term in factor.args if term != 1).as_coeff_Mul()
    return delta.args if number == -1 and isinstance(delta, KroneckerDelta) else ()


def _reduced(expression: Expr) -> Expr:
    if not expression.args or isinstance(expression, Indexed | KroneckerDelta | Sealed):
        return expression
    if isinstance(expression, Coefficient):
        series, z, order = expression.args
        return Coefficient(series, z, _reduced(order))
    if isinstance(expression, Sum):
        index, body = opened(expression)
        return _reduced_sum(_reduced(body), index)
    if isinstance(expression, Product):
        index, body = opened(expression)
        return over(expression, index, _reduced(body))
    return with_arguments(expression, (_reduced(argument) for argument in expression.args))


def _reduced_sum(body: Expr, index: Index) -> Expr:
    if index not in free_indices(body):
        return index.axis.size * body
    outside: dict[Expr, list[Expr]] = {}
    for term in Add.make_args(_separable(body, index)):
        outer, inner = _freed(term, index)
        outside.setdefault(outer, []).append(inner)
    return Add(*(_product(outer, Add(*inner), index) for outer, inner in outside.items()))


def _freed(term: Expr, index: Index) -> tuple[Expr, Expr]:
    """The term split, an exponential only where that frees the inner factor of a symbol.

    With an exponential that stays whole stays what has its indices: the weight of an exponential
    is what tells that it may be out of range.
    """
    apart = split_factor(term, index)
    factors = Mul.make_args(term)
    inside = [factor for factor in factors if index in free_indices(factor)]
    if _reach(apart[1]) < _reach(Mul(*inside)):
        return apart
    mixed = (split_sum(f.args[0], index)[0] for f in inside if isinstance(f, exponential))
    whole = free_indices(Add(*mixed))
    kept = [f for f in factors if f in inside or free_indices(f) & whole]
    return Mul(*(f for f in factors if f not in kept)), Mul(*kept)


def _reach(factor: Expr) -> set[Symbol]:
    """The symbols that a product depends on, its brackets ``1 - delta_jk`` left aside."""
    parts = (part for part in Mul.make_args(factor) if not _ends(part))
    return {symbol for part in parts for symbol in part.free_symbols if isinstance(symbol, Symbol)}


def _product(outer: Expr, body: Expr, index: Index) -> Expr:
    if index not in free_indices(body):
        return outer * index.axis.size * body
    # A delta may have come to stand beside its index only now that inner sums are open.
    return outer * _sifted(index.axis.sum(body, index))


def _separable(body: Expr, index: Index) -> Expr:
    """The body multiplied out, where that frees it of every other index; else as it is.

    Never multiplied out without need: ``sum_j t_j (s_j - L)`` is more accurate than the
    difference of ``sum_j t_j s_j`` and ``L sum_j t_j``.
    """
    if _is_separated(body, index):
        return body
    terms = Add(*(_opened_factors(term, index) for term in Add.make_args(body)))
    return terms if _is_separated(terms, index) else body


def _is_separated(body: Expr, index: Index) -> bool:
    return not any(_foreign(_freed(term, index)[1], index) for term in Add.make_args(body))


def _foreign(expression: Expr, index: Index) -> bool:
    """Whether an entry, or a sum that has free indices, occurs that does not have this one."""
    if _ends(expression):
        return False
    if isinstance(expression, Indexed | KroneckerDelta | ExprWithLimits):
        found = free_indices(expression)
        return bool(found) and index not in found
    return any(_foreign(argument, index) for argument in expression.args)


def _opened_factors(term: Expr, index: Index) -> Expr:
    """The product, multiplied out over its factors that mix ``index`` with other indices."""
    mixed = [f for f in Mul.make_args(term) if isinstance(f, Add) and _mixes(f, index)]
    if not mixed:
        return term
    factor, rest = mixed[0], Mul(*(f for f in Mul.make_args(term) if f != mixed[0]))
    return Add(*(_opened_factors(rest * part, index) for part in factor.args))


def _mixes(factor: Expr, index: Index) -> bool:
    return not _ends(factor) and index in free_indices(factor) and _foreign(factor, index)


def split_factor(term: Expr, index: Index) -> tuple[Expr, Expr]:
    """``term = outer * inner`` with everything that does not depend on ``index`` in ``outer``."""
    outer, inner = [], []
    for factor in Mul.make_args(term):
        if isinstance(factor, exponential):
            rest, own = split_sum(factor.args[0], index)
            outer.append(exponential(rest))
            inner.append(exponential(own))
        else:
            (inner if index in free_indices(factor) else outer).append(factor)
    return Mul(*outer), Mul(*inner)


def split_sum(expression: Expr, index: Index) -> tuple[Expr, Expr]:
    """``expression = rest + own`` with ``own`` the terms that depend on ``index``."""
    terms = Add.make_args(expand(expression, deep=False, func=False))
    own = [term for term in terms if index in free_indices(term)]
    return Add(*(term for term in terms if index not in free_indices(term))), Add(*own)


# --- axes ---


@dataclass(frozen=True)
class Frame:
    """The indices that arrays are laid out by: the outputs first, then what sums need besides."""

    outputs: tuple[Index, ...]
    extra: tuple[Index, ...] = ()

    @property
    def order(self) -> tuple[Index, ...]:
        """Every index, in the order of the array axes."""
        return self.outputs + self.extra


def assign_axes(
    expression: Expr, outputs: tuple[Index, ...], others: tuple[Index, ...] = ()
) -> tuple[Expr, Frame]:
    """The expression with each bound index renamed to the first index of its axis that is free.

    The outputs come first, then the others, then what is needed besides. Equal summands are then
    the same object wherever they stand, ``sum_j t_j e^{-s_j}`` in a gradient at ``i`` becomes
    ``sum_i t_i e^{-s_i}``, and what an array holds is written once.
    """
    slots = (*outputs, *(index for index in others if index not in outputs))
    renamed, slots = _assign(expression, tuple((index, index) for index in outputs), slots)
    return renamed, Frame(outputs, slots[len(outputs) :])


def assign_together(
    results: Sequence[tuple[Expr, tuple[Index, ...]]],
) -> tuple[list[Expr], tuple[Index, ...]]:
    """Several expressions with their outputs on the same axes, and the order of these.

    What two of them share is then the same object in both.
    """
    order = tuple(dict.fromkeys(index for _, outputs in results for index in outputs))
    assigned = []
    for expression, outputs in results:
        others = tuple(index for index in order if index not in outputs)
        renamed, frame = assign_axes(expression, outputs, others)
        assigned.append(renamed)
        order += tuple(index for index in frame.order if index not in order)
    return assigned, order


_Slots = tuple[Index, ...]


# Whatever holds an expression assigns its axes again, branch by branch.
@lru_cache(maxsize=KEPT)
def _assign(
    expression: Expr, names: tuple[tuple[Index, Index], ...], slots: _Slots
) -> tuple[Expr, _Slots]:
    """The expression, its free indices under their names, and the indices that it takes."""
    if isinstance(expression, ExprWithLimits):
        index, body = opened(expression)
        inner = [(old, new) for old, new in names if old != index]
        used = {new for old, new in inner if old in free_indices(body)}
        slot, slots = _first_free(index, used, slots)
        assigned, slots = _assign_within(body, (*inner, (index, slot)), slots)
        return over(expression, slot, assigned), slots
    if isinstance(expression, Index):
        return dict(names)[expression], slots
    if not expression.args or isinstance(expression, IndexedBase):
        return expression, slots
    arguments = []
    for argument in expression.args:
        assigned, slots = _assign_within(argument, names, slots)
        arguments.append(assigned)
    same = all(new is old for new, old in zip(arguments, expression.args, strict=True))
    if same:
        return expression, slots
    rebuilt = entry if isinstance(expression, Indexed) else expression.func
    return rebuilt(*arguments), slots


def _assign_within(
    part: Expr, names: Iterable[tuple[Index, Index]], slots: _Slots
) -> tuple[Expr, _Slots]:
    free = free_indices(part)
    return _assign(part, tuple(pair for pair in names if pair[0] in free), slots)


def _first_free(index: Index, used: set[Index], slots: _Slots) -> tuple[Index, _Slots]:
    for slot in slots:
        if slot.axis == index.axis and slot not in used:
            return slot, slots
    # A bound index keeps its own name where that is free.
    slot = index if index not in slots else index.axis.fresh(slots)
    return slot, (*slots, slot)


def is_reciprocal(factor: Expr) -> bool:
    """A power with a negative whole exponent."""
    return isinstance(factor, Pow) and factor.exp.is_Integer and bool(factor.exp < 0)
