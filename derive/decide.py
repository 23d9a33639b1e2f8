"""Are two expressions equal, for every length? Three answers, and no fourth.

:class:`Proved` comes from the normal form (equality) or the sign rules (inequality) only.
:class:`Refuted` carries a point at which ball arithmetic separates the sides. Everything else is
:class:`Undecided`. Every statement is examined at points before it is proved, so that an unsound
rule of the prover would have to agree with ball arithmetic to go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from random import Random

from flint import arb
from sympy import Expr, Indexed, Rational, S, Symbol

from derive.axis import Axis, Index
from derive.balls import Entry, OutsideDomain, Point, enclose
from derive.branches import name_of
from derive.calculus import free_indices
from derive.coefficients import Bound, Coefficient
from derive.facts import NOTHING_ASSUMED, Facts
from derive.normal_form import vanishes
from derive.pointwise import Unclear, enclose_pointwise
from derive.ramps import Largest, TwoValued, ramp
from derive.sign import is_nonnegative, is_positive

# Bits of the balls in which the sides are compared, first try to last.
PRECISIONS = (64, 192, 512)
# Lengths that counterexamples are looked for at, smallest first, and the points tried at each.
LENGTHS = (1, 2, 3)
POINTS_A_LENGTH = 24
# Two labels left out of four leave an e_k e_{k-2} that is not zero: the length at which a false
# statement about coefficients can need to be looked at, once no shorter one refutes it.
LONGER = (4,)
# What a step or a leader decides shows where two numbers are in another order, at few points: all
# of the points above are examined before the prover is asked, which takes up to 20 s to fail on a
# false formula of Circle loss, and 240 in the end.
PIECEWISE = (TwoValued, ramp, Largest)
POINTS_OF_STEPS = 240
# Orders beyond the length are tried too: e_k = 0 for k > n.
LARGEST_ORDER = LENGTHS[-1] + 1
# Points at which every statement is examined before it is proved, at each length. With hard labels
# half of the terms vanish at a point; at 2 points a length a false statement about them reaches the
# prover, which takes seconds to fail, four times as often as at 4.
EXAMINATIONS = 4
# A step of a derivation is written down to be true, and its proof seldom fails: what is examined
# before is there for an unsound rule of the prover, whose errors are no matter of the last digits,
# and the search after a proof that fails is the same. At length 2 indices are equal or apart
# already, and the shapes of two axes have length 1 as well; written out at length 3 the terms take
# longer than their proof.
BELIEVED_LENGTHS = (2,)
BELIEVED_PRECISIONS = PRECISIONS[:1]
# Python's Random with this seed draws the points, so that a counterexample is the same each run.
SEED = 7359


@dataclass(frozen=True)
class Counterexample:
    """A point, and the two sides enclosed there in balls that do not meet.

    ``None`` stands for a side that certainly has no real value at the point.
    """

    point: Point
    left: arb | None
    right: arb | None

    def describe(self) -> str:
        """One line: the point and the digits of both sides."""
        where = ", ".join(f"{name} = {value}" for name, value in self.point.describe().items())
        return f"{where}: left {_digits(self.left)}, right {_digits(self.right)}"


def _digits(ball: arb | None) -> str:
    return "undefined" if ball is None else str(ball.str(12, radius=False))


@dataclass(frozen=True)
class Proved:
    """Decided for every length."""

    how: str

    def __str__(self) -> str:
        return f"proved ({self.how})"


@dataclass(frozen=True)
class Refuted:
    """Decided by a point that separates the sides."""

    counterexample: Counterexample

    def __str__(self) -> str:
        return f"refuted at {self.counterexample.describe()}"


@dataclass(frozen=True)
class Undecided:
    """Neither proved nor refuted; says what was tried."""

    tried: str

    def __str__(self) -> str:
        return f"undecided (tried: {self.tried})"


Decision = Proved | Refuted | Undecided
Separates = Callable[[arb, arb], bool]


def equal(
    left: Expr,
    right: Expr,
    facts: Facts = NOTHING_ASSUMED,
    believed: bool = False,
    general: tuple[Expr, Expr] | None = None,
) -> Decision:
    """Is ``left = right`` for every length and every value that the facts allow?

    What is ``believed`` is examined at fewer points before it is proved. ``general`` are the sides
    of an equation that this one is an instance of: where that is proved, so is this.
    """

    def prove() -> bool:
        known = general is not None and vanishes(general[0] - general[1], facts)
        return known or vanishes(left - right, facts)

    return _decide(left, right, facts, _differ, "normal form", prove, believed)


def nonnegative(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> Decision:
    """Is ``expression >= 0`` for every length and every value that the facts allow?"""
    prove = partial(is_nonnegative, expression, facts)
    return _decide(expression, S.Zero, facts, _below, "sign rules", prove)


def positive(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> Decision:
    """Is ``expression > 0`` for every length and every value that the facts allow?"""
    prove = partial(is_positive, expression, facts)
    return _decide(expression, S.Zero, facts, _not_above, "sign rules", prove)


def _differ(left: arb, right: arb) -> bool:
    return not left.overlaps(right)


def _below(left: arb, right: arb) -> bool:
    return bool(left < right)


def _not_above(left: arb, right: arb) -> bool:
    return bool(left <= right)


def _decide(
    left: Expr,
    right: Expr,
    facts: Facts,
    separates: Separates,
    how: str,
    prove: Callable[[], bool],
    believed: bool = False,
) -> Decision:
    """Examine at a few points, prove, and only then search long for a counterexample."""
    in_pieces = left.has(*PIECEWISE) or right.has(*PIECEWISE)
    axes = len(_unknowns((left, right)).axes)
    examinations = POINTS_A_LENGTH if in_pieces else EXAMINATIONS * max(axes, 1)
    if believed:
        examinations = EXAMINATIONS
    kept = (BELIEVED_LENGTHS, BELIEVED_PRECISIONS) if believed else (LENGTHS, PRECISIONS)
    found = _separating_point(left, right, facts, examinations, separates, *kept)
    if found is None and prove():
        return Proved(how)
    points = POINTS_OF_STEPS if in_pieces else POINTS_A_LENGTH
    if found is None or believed:  # of several counterexamples the shortest is shown
        found = _separating_point(left, right, facts, points, separates) or found
    if found is None and left.has(Coefficient):
        found = _separating_point(left, right, facts, POINTS_A_LENGTH, separates, LONGER)
    if found:
        return Refuted(found)
    tried = f"{how}; {POINTS_A_LENGTH} points at each length {LENGTHS} up to {PRECISIONS[-1]} bits"
    return Undecided(tried)


def _separating_point(
    left: Expr,
    right: Expr,
    facts: Facts,
    points: int,
    separates: Separates,
    lengths: tuple[int, ...] = LENGTHS,
    precisions: tuple[int, ...] = PRECISIONS,
) -> Counterexample | None:
    for point in sample_points((left, right), facts, points, lengths=lengths):
        for precision in precisions:
            seen = _certain_sides(left, right, point, precision)
            if seen and not separates(*seen):
                if separates is not _differ and seen[0] > seen[1]:
                    break  # true here, and more digits do not change that
                continue
            a, b = _enclose(left, point, precision), _enclose(right, point, precision)
            if a is None and b is None:
                break  # both undefined here, such as log 0: no verdict from this point
            if a is not None and b is not None:
                if separates(a, b):
                    return Counterexample(point, a, b)
            elif any(side is not None and side.is_finite() for side in (a, b)):
                return Counterexample(point, a, b)  # else there may be no value on either side
    return None


def _certain_sides(left: Expr, right: Expr, point: Point, precision: int) -> tuple[arb, arb] | None:
    """Both sides, where they have a value for certain."""
    try:
        sides = (enclose_pointwise(side, point, precision) for side in (left, right))
        return next(sides), next(sides)
    except Unclear:
        return None


def _enclose(expression: Expr, point: Point, precision: int) -> arb | None:
    try:
        return enclose(expression, point, precision)
    except OutsideDomain:
        return None


@dataclass(frozen=True)
class _Unknowns:
    """What a point gives values to: free indices, parameters, arrays, and the axes of these."""

    axes: list[Axis]
    free: list[Index]
    scalars: list[Symbol]
    arrays: list[Indexed]


def sample_points(
    expressions: tuple[Expr, ...],
    facts: Facts,
    count: int,
    seed: int = SEED,
    lengths: tuple[int, ...] = LENGTHS,
) -> Iterator[Point]:
    """Rational points that obey the facts, at each length in turn, the same ones for a seed."""
    random = Random(seed)
    unknowns = _unknowns(expressions)
    for length in lengths:
        shapes = _shapes(len(unknowns.axes), length)
        for number in range(count):
            sizes = dict(zip(unknowns.axes, shapes[number % len(shapes)], strict=True))
            yield _point(unknowns, facts, sizes, random, number)


def _shapes(axes: int, longest: int) -> list[tuple[int, ...]]:
    """Lengths of several axes, the longest as given: what holds on a square may fail elsewhere.

    Nearly square ones come first.
    """
    shapes = product(range(longest, 0, -1), repeat=axes)
    return sorted((shape for shape in shapes if longest in shape), key=min, reverse=True) or [()]


def _unknowns(expressions: tuple[Expr, ...]) -> _Unknowns:
    leaves = set().union(*(_leaves(e) for e in expressions))
    indices = {leaf for leaf in leaves if isinstance(leaf, Index)}
    free = {index for e in expressions for index in free_indices(e)}
    arrays = _arrays(leaf for leaf in leaves if isinstance(leaf, Indexed))
    axes = {index.axis for index in indices}
    taken = {axis.size for axis in axes} | {entry.base.label for entry in arrays} | indices
    scalars = {leaf for leaf in leaves if isinstance(leaf, Symbol)} - taken
    return _Unknowns(
        sorted(axes, key=name_of),
        sorted(free, key=lambda index: (index.name, str(index.axis))),
        sorted(scalars, key=name_of),
        arrays,
    )


@lru_cache(maxsize=1 << 16)
def _leaves(expression: Expr) -> frozenset[Expr]:
    """The symbols and entries that occur; kept, for mutants share most of their branches."""
    own = frozenset((expression,)) if isinstance(expression, Symbol | Indexed) else frozenset()
    found = own.union(*(_leaves(argument) for argument in expression.args))
    return found - {expression.bound} if isinstance(expression, Bound) else found


def _arrays(entries: Iterable[Indexed]) -> list[Indexed]:
    """One entry of each array that occurs: it tells the name and the axes."""
    by_name = {name_of(entry.base): entry for entry in sorted(entries, key=name_of)}
    return [by_name[name] for name in sorted(by_name)]


def _point(
    unknowns: _Unknowns, facts: Facts, sizes: dict[Axis, int], random: Random, number: int
) -> Point:
    indices = _index_values(unknowns.free, sizes, random, number)
    scalars = {symbol: _scalar(symbol, facts, sizes, random) for symbol in unknowns.scalars}
    entries: dict[Entry, Rational] = {}
    for array in unknowns.arrays:
        entries |= _entries(array, facts, sizes, random)
    return Point(sizes, indices, entries, scalars)


def _index_values(
    free: list[Index], sizes: dict[Axis, int], random: Random, number: int
) -> dict[Index, int]:
    """Values of the free indices; distinct ones at every other point, where there are enough.

    With several axes each has its own turn, so that the points go through all combinations: terms
    of one sample and two classes tell other things than those of two samples. At the first round
    of the rest all indices of an axis are equal.
    """
    values: dict[Index, int] = {}
    for place, axis in enumerate(sizes):
        own = [index for index in free if index.axis == axis]
        if not number >> place & 1 and len(own) <= sizes[axis]:
            drawn = random.sample(range(sizes[axis]), len(own))
        elif len(sizes) > 1 and number < 2 * EXAMINATIONS:
            drawn = [random.randrange(sizes[axis])] * len(own)
        else:
            drawn = [random.randrange(sizes[axis]) for _ in own]
        values |= dict(zip(own, drawn, strict=True))
    return values


def _scalar(symbol: Symbol, facts: Facts, sizes: dict[Axis, int], random: Random) -> Rational:
    if symbol in facts.fractions:
        # Below 1/2: what is compared with sigma(s) is then on either side of it as often.
        return Rational(random.randint(1, 7), 16)
    if symbol in facts.orders:
        return Rational(random.randint(0, min(sizes.values(), default=LARGEST_ORDER)))
    if symbol.is_integer and not symbol.is_positive:
        return Rational(random.randint(0, LARGEST_ORDER))
    # A length that no index runs over is an integer; other parameters are quarters.
    quarters = 4 * random.randint(1, 3) if symbol.is_integer else random.randint(-6, 6)
    return _within(symbol, Rational(quarters, 4))


def _within(unknown: Symbol | Indexed, value: Rational) -> Rational:
    """The value, moved to where the SymPy assumptions of the unknown allow it."""
    if unknown.is_positive:
        return abs(value) if unknown.is_integer else abs(value) + Rational(1, 4)
    return abs(value) if unknown.is_nonnegative else value


def _entries(
    array: Indexed, facts: Facts, sizes: dict[Axis, int], random: Random
) -> dict[Entry, Rational]:
    shape = [range(sizes[index.axis]) for index in array.indices]
    places = list(product(*shape))
    if facts.sums_to_one(array.base):
        length = len(shape[-1]) if facts.has_rows(array.base) else len(places)
        drawn = (_row(array, facts, random, length) for _ in places[::length])
        values = [value for row in drawn for value in row]
    else:
        values = [_value(array, facts, random) for _ in places]
    return {
        (name_of(array.base), place): value for place, value in zip(places, values, strict=True)
    }


def _row(array: Indexed, facts: Facts, random: Random, length: int) -> list[Rational]:
    """Entries that sum to 1: one class, weights that may be 0, or positive weights."""
    if facts.is_hard(array.base):
        target = random.randrange(length)
        return [Rational(int(place == target)) for place in range(length)]
    least = 0 if array.base in facts.rows else 1
    weights = [random.randint(least, 5) for _ in range(length)]
    weights = weights if any(weights) else [1] * length
    return [Rational(weight, sum(weights)) for weight in weights]


def _value(array: Indexed, facts: Facts, random: Random) -> Rational:
    if facts.is_hard(array.base):
        return Rational(random.randint(0, 1))
    if facts.inside_unit_interval(array.base):
        return Rational(random.randint(1, 7), 8)
    if facts.in_unit_interval(array.base):
        return Rational(random.randint(0, 8), 8)
    return _of_sign(array, Rational(random.randint(-12, 12), 4))


def _of_sign(symbol: Expr, value: Rational) -> Rational:
    """The value, or one near it that the symbol's own assumption on its sign allows."""
    if symbol.is_positive:
        return abs(value) + Rational(1, 4)
    return abs(value) if symbol.is_nonnegative else value
