"""The smallest counterexample: shorter axes and plainer numbers as long as the sides stay apart.

A refutation is found at whatever point was drawn. From there the last entry of an axis is left out,
and entries become 0, 1, -1 and so on, rows of labels one class or all alike, whenever the balls of
the two sides still do not meet at the new point. What is left is what a reader can follow by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from flint import arb
from sympy import Indexed, IndexedBase, Rational, Symbol

from derive.axis import Axis, array
from derive.balls import Entry, OutsideDomain, Point, enclose
from derive.decide import Counterexample
from derive.derivation import Relation
from derive.facts import Facts
from verify.ledger.statement import Statement

__all__ = ["smallest"]

# Plainest first; an entry moves to the first of them that keeps the sides apart.
PLAIN = tuple(Rational(n) for n in (0, 1, -1, 2, -2))
# Bits in which a smaller point is examined: enough to separate sides that differ by 1e-50.
BITS = 192

Changed = dict[Entry, Rational]


def smallest(statement: Statement, found: Counterexample) -> Counterexample:
    """A counterexample from which no entry can be left out and none made plainer."""
    best = found
    while True:
        smaller = next(_smaller(statement, best), None)
        if smaller is None:
            return best
        best = smaller


def _smaller(statement: Statement, found: Counterexample) -> Iterator[Counterexample]:
    for point in _candidates(found.point, statement):
        left, right = _side(statement, point, True), _side(statement, point, False)
        if left is not None and right is not None and _apart(statement.relation, left, right):
            yield Counterexample(point, left, right)


def _side(statement: Statement, point: Point, left: bool) -> arb | None:
    try:
        return enclose(statement.left if left else statement.right, point, BITS)
    except (OutsideDomain, KeyError, IndexError):
        return None


def _apart(relation: Relation, left: arb, right: arb) -> bool:
    if relation is Relation.EQUAL:
        return not left.overlaps(right)
    return bool(left <= right) if relation is Relation.POSITIVE else bool(left < right)


def _candidates(point: Point, statement: Statement) -> Iterator[Point]:
    facts = statement.facts
    yield from _shorter(point, statement)
    yield from _plainer_entries(point, statement)
    yield from _plainer_rows(point, facts)
    yield from _plainer_scalars(point, facts)


def _shorter(point: Point, statement: Statement) -> Iterator[Point]:
    """One value of an axis left out, if no free index has it and no row of labels needs it."""
    axes = {
        str(entry.base): tuple(index.axis for index in entry.indices)
        for entry in _entries(statement)
    }
    for axis, size in point.sizes.items():
        for gone in range(size) if size > 1 else ():
            shorter = _without(point, axis, gone, axes)
            if shorter is not None and _rows_are_whole(shorter, statement.facts):
                yield shorter


def _entries(statement: Statement) -> set[Indexed]:
    found: set[Indexed] = statement.left.atoms(Indexed) | statement.right.atoms(Indexed)
    return found


def _without(
    point: Point, axis: Axis, gone: int, axes: Mapping[str, tuple[Axis, ...]]
) -> Point | None:
    if any(i.axis == axis and value == gone for i, value in point.indices.items()):
        return None
    entries: Changed = {}
    for (name, where), value in point.entries.items():
        pairs = list(zip(axes[name], where, strict=True))
        if not any(own == axis and place == gone for own, place in pairs):
            moved = tuple(place - (own == axis and place > gone) for own, place in pairs)
            entries[name, moved] = value
    indices = {i: v - (i.axis == axis and v > gone) for i, v in point.indices.items()}
    sizes = {own: size - (own == axis) for own, size in point.sizes.items()}
    return Point(sizes, indices, entries, point.scalars)


def _rows_are_whole(point: Point, facts: Facts) -> bool:
    """Every distribution still sums to 1."""
    sums: dict[tuple[str, tuple[int, ...]], Rational] = {}
    for (name, where), value in point.entries.items():
        if facts.sums_to_one(array(name)):
            row = where[:-1] if facts.has_rows(array(name)) else ()
            sums[name, row] = sums.get((name, row), Rational(0)) + value
    return all(total == 1 for total in sums.values())


def _plainer_entries(point: Point, statement: Statement) -> Iterator[Point]:
    arrays = {str(entry.base): entry for entry in _entries(statement)}
    for (name, where), value in point.entries.items():
        for plain in _below(value, _plain_values(arrays[name], statement.facts)):
            yield replace(point, entries={**point.entries, (name, where): plain})


def _below(value: Rational, plain: tuple[Rational, ...] = PLAIN) -> tuple[Rational, ...]:
    """The plain numbers before this one."""
    return plain[: plain.index(value)] if value in plain else plain


def _plain_values(entry: Indexed, facts: Facts) -> tuple[Rational, ...]:
    """What an entry may become by itself: an entry of a distribution nothing."""
    base = entry.base
    if facts.sums_to_one(base):
        return ()
    if facts.is_hard(base):
        return PLAIN[:2]
    if facts.inside_unit_interval(base):
        return (Rational(1, 2),)
    if facts.in_unit_interval(base):
        return (*PLAIN[:2], Rational(1, 2))
    return tuple(plain for plain in PLAIN if _allows(entry, plain))


def _plainer_rows(point: Point, facts: Facts) -> Iterator[Point]:
    """A row of labels with all weight on one class, or the same on all."""
    rows: dict[tuple[str, tuple[int, ...]], list[Entry]] = {}
    for name, where in point.entries:
        if facts.has_rows(array(name)):
            rows.setdefault((name, where[:-1]), []).append((name, where))
    for (name, _), places in rows.items():
        now = [point.entries[place] for place in places]
        plain = list(_plain_rows(len(places), array(name), facts))
        for values in plain[: plain.index(now)] if now in plain else plain:
            changed: Changed = dict(zip(places, values, strict=True))
            yield replace(point, entries={**point.entries, **changed})


def _plain_rows(length: int, base: IndexedBase, facts: Facts) -> Iterator[list[Rational]]:
    if base not in facts.open_rows:
        for target in range(length):
            yield [Rational(int(place == target)) for place in range(length)]
    if not facts.is_hard(base):
        yield [Rational(1, length)] * length


def _plainer_scalars(point: Point, facts: Facts) -> Iterator[Point]:
    for symbol, value in point.scalars.items():
        for plain in _below(value):
            if symbol not in facts.orders and _allows(symbol, plain):
                yield replace(point, scalars={**point.scalars, symbol: plain})


def _allows(symbol: Symbol | Indexed, value: Rational) -> bool:
    """The assumptions on the sign are kept."""
    sign_kept = not symbol.is_positive or value > 0
    return sign_kept and (not symbol.is_nonnegative or value >= 0)
