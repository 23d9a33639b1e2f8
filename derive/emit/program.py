"""A formula as a straight line of array operations, each distinct one once.

After the axes are assigned an expression is a small graph. Each node has a *frame*, the indices
that it depends on, in the order of the array axes:

* ``None``      a number or a scalar argument
* ``()``        one value a row, shape ``(*batch, 1)``
* ``(i,)``      shape ``(*batch, n)``
* ``(i, j)``    shape ``(*batch, n, n)``, or ``(*batch, n, m)`` where j runs over another axis

Outputs come first, then the axes of the arrays in their order. What depends on one index of an axis
only is computed at the first, whichever index it is: ``exp(-s_i)`` and ``exp(-s_j)`` are one array,
lifted into ``(i, j)`` by new axes at its use, and so are ``exp(-s_ij)`` and ``exp(-s_ik)``.
Factors and terms of the same frame are combined before they are lifted, so that a Hessian does
its exponentials on vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Expr

from derive.axis import Axis, Index
from derive.emit.formula import Formula, Result

Frame = tuple[Index, ...] | None

# What has no operator in Python and is therefore called.
ON_ARRAYS = {"exp", "log", "log1p", "expm1", "abs", "tanh", "sqrt", "maximum", "clip"}


@dataclass(frozen=True)
class Op:
    """One operation: its kind, the numbers of its operands, what else it needs, and its frame."""

    kind: str
    operands: tuple[int, ...] = ()
    data: Any = None
    frame: Frame = None


def rank(frame: Frame) -> int:
    """The number of trailing array axes; rows keep one axis of length 1."""
    return 0 if frame is None else max(1, len(frame))


@dataclass
class Program:
    """The operations in an order in which they can be carried out.

    ``results`` are the numbers of the operations of kind ``result``, in the order of the results
    of the formula; nothing else stands on one of them.
    """

    formula: Formula
    target: str
    order: tuple[Index, ...]
    ops: list[Op] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    _numbers: dict[Op, int] = field(default_factory=dict)

    # --- building blocks ---

    def add(self, op: Op) -> int:
        """The number of the operation; an equal one is not repeated."""
        if op not in self._numbers:
            self._numbers[op] = len(self.ops)
            self.ops.append(op)
        return self._numbers[op]

    def conclude(self, number: int, result: Result) -> None:
        """The operation holds the values of the result."""
        self.results.append(self.add(Op("result", (number,), result.name, result.outputs)))

    def frame(self, number: int) -> Frame:
        """The frame of an operation."""
        return self.ops[number].frame

    def union(self, numbers: tuple[int, ...]) -> Frame:
        """The smallest frame that holds all of them."""
        frames = [frame for frame in map(self.frame, numbers) if frame is not None]
        if not frames:
            return None
        return tuple(index for index in self.order if any(index in frame for frame in frames))

    def lift(self, number: int, frame: Frame) -> int:
        """The same values with axes of length 1 for the indices of ``frame`` that are missing."""
        own = self.frame(number)
        if own is None or frame is None or rank(own) == rank(frame):
            return number
        where = own or frame[:1]
        return self.add(Op("lift", (number,), tuple(index in where for index in frame), frame))

    def rename(self, number: int, names: dict[Index, Index]) -> int:
        """The same values under other indices, the axes brought into their order."""
        frame = self.frame(number)
        if not frame or all(names[index] == index for index in frame):
            return number
        named = [names[index] for index in frame]
        ordered = tuple(index for index in self.order if index in named)
        places = tuple(named.index(index) for index in ordered)
        return self.add(Op("rename", (number,), places, ordered))

    def apply(self, kind: str, *numbers: int, data: Any = None) -> int:
        """An elementwise operation on operands brought to one frame."""
        frame = self.union(numbers)
        if frame is None and kind in ON_ARRAYS and self.formula.arrays:
            # Namespaces take arrays only; NumPy would take a number, and answer in float64.
            like = str(self.formula.arrays[0])
            numbers = tuple(self.add(Op("as_array", (number,), (like, 0))) for number in numbers)
        lifted = tuple(self.lift(number, frame) for number in numbers)
        return self.add(Op(kind, lifted, data, frame))

    def number(self, value: Expr) -> int:
        """A whole number, or a literal of the printer."""
        return self.add(Op("number", data=value))

    def place(self, axis: Axis) -> tuple[str, int]:
        """An array argument and the place of the axis in it, from the end."""
        return self.formula.sizes()[axis]

    # --- sums and products ---

    def combine(self, kind: str, numbers: list[int], signs: list[int] | None = None) -> int:
        """A sum or product of many, the operands of one frame first."""
        signs = signs or [1] * len(numbers)
        if len(numbers) == 1 and signs == [1]:
            return numbers[0]
        frames = sorted(set(map(self.frame, numbers)), key=self._extent)
        small_first = kind == "mul" or rank(self.union(tuple(numbers))) > 1
        if not small_first or len(frames) == 1:
            return self.apply(kind, *numbers, data=tuple(signs))
        if kind == "mul" and not frames[0] and sum(map(bool, frames)) > 1:
            return self._scaled_product(numbers, frames)
        parts = [self._part(kind, numbers, signs, frame) for frame in frames]
        parts.sort(key=lambda part: -part[0])
        data = tuple(sign for sign, _ in parts)
        return self.apply(kind, *(number for _, number in parts), data=data)

    def _extent(self, frame: Frame) -> tuple[int, tuple[int, ...]]:
        """Frames in the order of their size, then of their axes."""
        return rank(frame) + bool(frame), tuple(map(self.order.index, frame or ()))

    def _part(
        self, kind: str, numbers: list[int], signs: list[int], frame: Frame
    ) -> tuple[int, int]:
        """What has one frame, combined, and its sign in the whole."""
        group = [k for k, number in enumerate(numbers) if self.frame(number) == frame]
        sign = 1 if any(signs[k] > 0 for k in group) else -1
        return sign, self.combine(
            kind, [numbers[k] for k in group], [sign * signs[k] for k in group]
        )

    def _scaled_product(self, numbers: list[int], frames: list[Frame]) -> int:
        """One number a row scales the first vector, before anything grows to a matrix."""
        vector = next(frame for frame in frames if frame)
        small = [number for number in numbers if self.frame(number) in (None, (), vector)]
        large = [number for number in numbers if number not in small]
        return self.combine("mul", [self.combine("mul", small), *large])
