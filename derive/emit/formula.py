"""What is emitted: one derived expression, its layout, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from sympy import Expr, Indexed, IndexedBase, Symbol

from derive.axis import Axis, Index
from derive.branches import nodes_of

Argument: TypeAlias = "IndexedBase | Symbol"


class UnsupportedNode(TypeError):
    """A target has no text for a node of the expression."""

    def __init__(self, node: object, target: str) -> None:
        super().__init__(
            f"the target {target!r} has no text for the node {type(node).__name__}: {node}. "
            "Rewrite the formula without it, or add the node to the printer of that target"
        )


@dataclass(frozen=True)
class Result:
    """One of the results of a formula: its name, its expression, and its output indices."""

    name: str
    expression: Expr
    outputs: tuple[Index, ...]


@dataclass(frozen=True)
class Formula:
    """An expression with its free indices in the order of the output axes.

    ``outputs`` is ``()`` for a value, ``(i,)`` for a gradient or a Hessian-vector product and
    ``(i, j)`` for a Hessian. ``arguments`` are arrays and scalars in call order, ``defaults``
    the values of scalars that need not be given (None for a largest order: then it is the length
    of the row), ``claims`` the ids that the formula rests on.
    With ``rewrite=False`` array targets evaluate the expression as it stands, which is how the
    gain of a rule is measured.

    ``also`` are further results of the same arguments, returned after the first in a tuple: what
    they share is computed once. ``along`` gives how the last of them changes along a vector, the
    Hessian-vector product that belongs to a value and its gradient: targets that take part in
    automatic differentiation ask for it.
    """

    name: str
    expression: Expr
    outputs: tuple[Index, ...]
    arguments: tuple[Argument, ...]
    defaults: Mapping[str, float | None] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    doc: str = ""
    rewrite: bool = True
    also: tuple[Result, ...] = ()
    along: Callable[[], Formula] | None = None

    def __post_init__(self) -> None:
        """Every array, scalar and free index must be announced."""
        for result in self.results:
            free = {s for s in result.expression.free_symbols if isinstance(s, Index)}
            unknown = sorted(str(index) for index in free - set(result.outputs))
            if unknown:
                raise ValueError(
                    f"{self.name}: the expression has the free indices {', '.join(unknown)} "
                    f"besides the outputs {result.outputs}: sum over them or name them as outputs"
                )
        missing = sorted(self._used() - {str(argument) for argument in self.arguments})
        if missing:
            raise ValueError(
                f"{self.name}: {', '.join(missing)} occur in the expression but not in the "
                f"arguments {tuple(map(str, self.arguments))}: add them there"
            )

    @property
    def results(self) -> tuple[Result, ...]:
        """Every result; where there are several the first is the value."""
        first = Result("value" if self.also else self.name, self.expression, self.outputs)
        return (first, *self.also)

    def atoms(self, kind: Any) -> set[Expr]:
        """What is of a kind in the expression of any result."""
        return {atom for result in self.results for atom in nodes_of(result.expression, kind)}

    def _used(self) -> set[str]:
        entries = {str(entry.base) for entry in self.atoms(Indexed)}
        sizes = {index.axis.size for index in self.atoms(Index)}
        labels = {entry.base.label for entry in self.atoms(Indexed)}
        symbols = {
            str(symbol)
            for result in self.results
            for symbol in result.expression.free_symbols
            if isinstance(symbol, Symbol)
            and not isinstance(symbol, Index)
            and symbol not in sizes | labels
        }
        return entries | symbols

    @property
    def arrays(self) -> tuple[IndexedBase, ...]:
        """The array arguments."""
        return tuple(a for a in self.arguments if isinstance(a, IndexedBase))

    @property
    def indices(self) -> tuple[Index, ...]:
        """The output indices of all results."""
        return tuple(dict.fromkeys(i for result in self.results for i in result.outputs))

    def entries(self) -> tuple[Indexed, ...]:
        """The array entries that occur, in the order of the arguments."""
        return self._entries

    @cached_property
    def _entries(self) -> tuple[Indexed, ...]:
        order = {str(array): position for position, array in enumerate(self.arrays)}
        found = self.atoms(Indexed)
        return tuple(sorted(found, key=lambda entry: (order[str(entry.base)], str(entry))))

    def sizes(self) -> dict[Axis, tuple[str, int]]:
        """For each axis, an array argument and the place of the axis among its last ones.

        The place counts from the end: -1 is the last axis of the array.
        """
        return dict(self._sizes)

    @cached_property
    def _sizes(self) -> dict[Axis, tuple[str, int]]:
        found: dict[Axis, tuple[str, int]] = {}
        for entry in self.entries():
            for place, index in enumerate(entry.indices):
                if isinstance(index, Index):
                    found.setdefault(index.axis, (str(entry.base), place - len(entry.indices)))
        # A result without entries, such as a Hessian that is 0, still has the size of a row.
        for index in self.indices:
            found.setdefault(index.axis, (str(self.arrays[0]), -1))
        return found

    def limits(self, length: str) -> list[str]:
        """Lines that give a largest order that is not given: no more can be chosen than there are.

        ``length`` is the text of a length, with places for an array and for the place of the axis.
        """
        (array, place), *_ = (*self.sizes().values(), ("", 0))
        size = length.format(array=array, place=place)
        names = (name for name, default in self.defaults.items() if default is None)
        return [f"{name} = {size} if {name} is None else {name}" for name in names]

    def signature(self) -> str:
        """The parameters, as they stand between the parentheses of a function definition."""
        return ", ".join(
            f"{argument}={self.defaults[str(argument)]!r}"
            if str(argument) in self.defaults
            else str(argument)
            for argument in self.arguments
        )
