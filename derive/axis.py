"""Axes of symbolic length, and the indices that run over them.

An axis ``A`` of size ``n`` stands for the index set ``{0, ..., n - 1}``, with ``n`` a symbol.
An :class:`Index` belongs to one axis, so that a sum can only be sifted by an index of the same
range: ``sum_j delta_ij f_j = f_i`` holds because ``i`` and ``j`` both run over ``A``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from string import ascii_lowercase
from typing import Any

import sympy
from sympy import Expr, IndexedBase, Product, S, Symbol, Tuple, sympify

# Objects that are kept to be found again: a derivation over two axes has some 10^4 of each kind.
KEPT = 1 << 16


class Index(Symbol):
    """An integer symbol that knows the axis it runs over."""

    __slots__ = ("axis",)
    axis: Axis

    def __new__(cls, name: str, axis: Axis) -> Index:
        """Two indices are equal when their names and their axes are."""
        return _index(name, axis)

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.axis.name, self.axis.size)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name, self.axis), {}


# SymPy keeps its symbols too: what is the same object is known to be equal without a look.
@lru_cache(maxsize=KEPT)
def _index(name: str, axis: Axis) -> Index:
    index: Index = Symbol.__xnew__(Index, name, integer=True, nonnegative=True)
    index.axis = axis
    return index


class Sum(sympy.Sum):
    """A sum over whole axes: SymPy's, without its work on limits that these axes never have.

    The length of an axis is a positive integer, so that no such sum is empty or a number, and
    nothing under it is a ``Piecewise``.
    """

    __slots__ = ()
    is_number = False
    has_empty_sequence = False
    has_finite_limits = True
    has_reversed_limits = False

    def __new__(cls, summand: Expr, *limits: Any) -> Expr:
        """Nested sums are one with several limits, the innermost first, as in SymPy."""
        summand = sympify(summand)
        limits = tuple(one if isinstance(one, Tuple) else Tuple(*one) for one in limits)
        while isinstance(summand, Sum):
            limits, summand = (*summand.limits, *limits), summand.function
        aggregate = Expr.__new__(cls, summand, *limits)
        aggregate.is_commutative = True
        return S.NaN if summand is S.NaN else aggregate

    @property
    def free_symbols(self) -> set[Symbol]:
        """Those of the summand without the indices, and the lengths."""
        return set(_free_symbols(self))


@lru_cache(maxsize=KEPT)
def _free_symbols(aggregate: Sum) -> frozenset[Symbol]:
    indices = {limits[0] for limits in aggregate.limits}
    lengths = (bound.free_symbols for limits in aggregate.limits for bound in limits[1:])
    return frozenset((aggregate.function.free_symbols - indices).union(*lengths))


@dataclass(frozen=True)
class Axis:
    """An index set ``{0, ..., size - 1}``; ``letters`` are the names its indices take.

    Letters tell no two axes apart, as they tell no two indices apart: SymPy keeps one object for
    equal indices, and the axis of either must be found under the other.
    """

    name: str
    size: Symbol
    letters: str = field(default="ijkl", compare=False)

    def index(self, name: str) -> Index:
        """The index of this axis with the given name."""
        return Index(name, self)

    def indices(self, names: str) -> tuple[Index, ...]:
        """Several indices at once, named as ``sympy.symbols`` names symbols."""
        return tuple(self.index(name) for name in names.replace(",", " ").split())

    def fresh(self, taken: Iterable[Symbol]) -> Index:
        """An index whose name no symbol in ``taken`` has: the capture-safe choice of a name."""
        used = {symbol.name for symbol in taken}
        return self.index(next(name for name in self._names() if name not in used))

    def _names(self) -> Iterator[str]:
        yield from self.letters
        yield from (c for c in ascii_lowercase if c not in self.letters)
        yield from (f"{self.letters[0]}_{k}" for k in count())

    def limits(self, index: Index) -> Tuple:
        """The limits ``(index, 0, size - 1)`` of a sum over the whole axis."""
        if index.axis != self:
            raise ValueError(
                f"index {index} runs over the axis {index.axis.name!r}, but the sum is over "
                f"{self.name!r}: take an index made by {self.name}.index(...)"
            )
        return _limits(index)

    def sum(self, summand: Expr, index: Index) -> Expr:
        """``sum_{index = 0}^{size - 1} summand``."""
        return Sum(summand, self.limits(index))

    def product(self, factor: Expr, index: Index) -> Expr:
        """``prod_{index = 0}^{size - 1} factor``."""
        return Product(factor, self.limits(index))


# Each sum that is opened is asked whether it runs over a whole axis.
@lru_cache(maxsize=KEPT)
def _limits(index: Index) -> Tuple:
    return Tuple(index, S.Zero, index.axis.size - 1)


def total(summand: Expr, index: Index) -> Expr:
    """The sum over the whole axis of ``index``."""
    return index.axis.sum(summand, index)


def labels_axis() -> Axis:
    """The axis of labels or classes, of symbolic length ``n``."""
    return Axis("labels", Symbol("n", integer=True, positive=True))


def array(name: str, **assumptions: bool) -> IndexedBase:
    """A symbolic array of real entries; further SymPy assumptions hold entry by entry."""
    return IndexedBase(name, real=True, **assumptions)
