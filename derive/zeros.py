"""Points at which an expression is exactly zero: what can show that a zero forces nothing.

A ball around zero proves no zero; the ball ``[0, 0]`` does, and so does SymPy where it is left with
0 once the numbers are put in. So points are drawn as everywhere, and then one or two of their
arrays are made constant: 0, 1/2 or 1, as far as the facts allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, islice

from flint import arb
from sympy import Expr, IndexedBase, Rational, S, Symbol

from derive.axis import Index
from derive.balls import OutsideDomain, Point, enclose, entry_symbol, write_out
from derive.calculus import free_indices
from derive.decide import Counterexample, sample_points
from derive.facts import Facts

__all__ = ["zero_without"]

# An exact zero is one at any number of bits.
BITS = 64
LENGTHS = (1, 2)
# Points drawn at each length, and zeros at it that are enough to tell roots apart.
POINTS, ENOUGH = 2, 8
CONSTANTS = (S.Zero, S.Half, S.One)


def zero_without(expression: Expr, root: Expr, facts: Facts) -> Counterexample | None:
    """A point at which the expression is exactly 0 and the root certainly is not, if one is found.

    The arrays and parameters of the root are looked for among those of the expression.
    """
    if not _unknowns(root) <= _unknowns(expression):
        return None
    indices = tuple(sorted(free_indices(expression) | free_indices(root), key=str))
    for point in _zeros(expression, indices, facts):
        found = _enclosed(root, point)
        if found is not None and not found.contains(0):
            return Counterexample(point, arb(0), found)
    return None


@lru_cache(maxsize=256)
def _zeros(expression: Expr, indices: tuple[Index, ...], facts: Facts) -> tuple[Point, ...]:
    """Some zeros, kept: the mutants of a root are tried at the same ones."""
    return tuple(
        point
        for length in LENGTHS
        for point in islice(_zeros_at(expression, indices, facts, length), ENOUGH)
    )


def _zeros_at(
    expression: Expr, indices: tuple[Index, ...], facts: Facts, length: int
) -> Iterator[Point]:
    points = sample_points((expression, *indices), facts, POINTS, lengths=(length,))
    special = (other for point in points for other in _made_constant(expression, point, facts))
    return (point for point in special if _vanishes(expression, point))


def _vanishes(expression: Expr, point: Point) -> bool:
    found = _enclosed(expression, point)
    if found is None or not found.contains(0):
        return False
    return bool(found.is_zero()) or _with_numbers(expression, point) == 0


def _with_numbers(expression: Expr, point: Point) -> Expr:
    """The expression at the point, as SymPy simplifies it by itself."""
    entries = {entry_symbol(*key): value for key, value in point.entries.items()}
    return write_out(expression, point).xreplace({**entries, **point.scalars})


def _enclosed(expression: Expr, point: Point) -> arb | None:
    try:
        return enclose(expression, point, BITS)
    except OutsideDomain:
        return None


def _made_constant(expression: Expr, point: Point, facts: Facts) -> Iterator[Point]:
    unknowns = sorted(_unknowns(expression), key=str)
    chosen = [(unknown, value) for unknown in unknowns for value in _allowed(unknown, facts)]
    yield from (_with(point, one) for one in chosen)
    for one, other in combinations(chosen, 2):
        if one[0] != other[0]:
            yield _with(_with(point, one), other)


def _with(point: Point, change: tuple[Expr, Rational]) -> Point:
    unknown, value = change
    if isinstance(unknown, Symbol):
        return replace(point, scalars={**point.scalars, unknown: value})
    entries = {key: value if key[0] == str(unknown) else old for key, old in point.entries.items()}
    return replace(point, entries=entries)


def _unknowns(expression: Expr) -> set[Expr]:
    """The arrays, and the parameters that may be any number."""
    bases: set[Expr] = set(expression.atoms(IndexedBase))
    labels = {base.label for base in bases}
    symbols = expression.atoms(Symbol) - labels
    return bases | {x for x in symbols if not isinstance(x, Index) and not x.is_integer}


def _allowed(unknown: Expr, facts: Facts) -> list[Rational]:
    """The constants that every entry may have."""
    if isinstance(unknown, IndexedBase) and facts.sums_to_one(unknown):
        return []
    least, most = (S.Half, S.Half) if _is_open(unknown, facts) else (S.Zero, S.One)
    fitting = [value for value in CONSTANTS if least <= value <= most]
    if isinstance(unknown, IndexedBase) and facts.is_hard(unknown):
        fitting = [S.Zero, S.One]
    return [value for value in fitting if value > 0 or not unknown.is_positive]


def _is_open(unknown: Expr, facts: Facts) -> bool:
    return isinstance(unknown, IndexedBase) and facts.inside_unit_interval(unknown)
