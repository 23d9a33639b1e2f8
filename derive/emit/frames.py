"""The frame form: a program over several indices as nests of loops, one after another.

An operation with the frame ``(i, j)`` has a number for each i and j. It is either written where it
is used, or *kept*: computed once by a nest of loops over its frame, into an array. Kept are::

    reductions      a loop more inside:   a_i = sum_j f(i, j)
    coefficients    a function of a whole row:   log [z^m] prod_j (1 + e^(x_j) z)
    what is dear (an exponential, a quotient) or long, and used twice, or used in a larger frame
    numbers of the row

so that O(n m) numbers take O(n m) exponentials, also where they are summed up over pairs. It is
the form of what :mod:`derive.emit.loops` has no passes for: two axes, coefficients, Hessians.
Everything is computed in double and rounded once, when it is stored.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from string import ascii_lowercase

from derive.axis import Axis, Index
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.lines import LONG, NAMED, Text
from derive.emit.loops import weighed
from derive.emit.program import Op, Program
from derive.emit.recursions import OTHERS
from derive.emit.scalars import STEMS, Language, Spelling

REDUCED = {"sum", "prod", "max", "argmax"}
# The same numbers under other indices, or as they are.
SAME = {"lift", "rename", "as_array"}
LEAVES = {"number", "scalar", "array", "size", "arange", "eye"}
DEAR = {"exp", "log", "log1p", "expm1", "tanh", "sqrt", "pow", "div", "log_weights"}
# Calls of whole rows, and whether they give one for each place left out: how many indices.
CALLS = {
    "log_coefficient": 0,
    "log_coefficient_without": 1,
    "log_coefficient_without_two": 2,
    "subset_mean": 0,
    "subset_mean_without": 1,
    OTHERS: 1,
}
SIZES = {1: ("n",), 2: ("n", "m")}
Names = dict[Index, str]


@dataclass(frozen=True)
class Nest:
    """What fills one array, or one number of the row.

    ``kind`` is ``map``, a reduction over ``over``, ``call`` or ``store``; ``loops`` and ``over``
    are variables with their lengths, ``text`` what stands inside, ``arguments`` those of a call.
    """

    name: str
    kind: str
    loops: tuple[tuple[str, str], ...]
    text: str = ""
    over: tuple[str, str] | None = None
    function: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[str, ...]:
        """The lengths of the array; none for a number."""
        return tuple(length for _, length in self.loops)

    @property
    def place(self) -> str:
        """Where the innermost loop is in the array."""
        return place([name for name, _ in self.loops], list(self.lengths))


def place(indices: list[str], lengths: list[str]) -> str:
    """``(i * m + j)``: where an entry stands in an array whose last axis is dense."""
    source = indices[0] if indices else "0"
    for index, length in zip(indices[1:], lengths[1:], strict=True):
        source = f"({source})" if "+" in source else source
        source += f" * {length} + {index}"
    return source


@dataclass
class FrameForm(Spelling):
    """The nests of a formula in one language."""

    formula: Formula
    language: Language
    work: Program
    ops: list[Op] = field(init=False)
    results: tuple[int, ...] = field(init=False)
    kept: dict[int, str] = field(default_factory=dict)
    nests: list[Nest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ops = weighed(self.work.ops, self.formula)
        self.results = tuple(number for number, op in enumerate(self.ops) if op.kind == "result")
        self._check()
        self.variables = self._variables()
        self.uses, self.grown = self._counts()
        counts: Counter[str] = Counter()
        for number, op in enumerate(self.ops):
            if op.kind == "result":
                self._store(number)
            elif self._is_kept(number):
                stem = self._stem(op)
                counts[stem] += 1
                self._keep(number, f"{stem}_{counts[stem]}")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The lengths of the axes: n, or n and m."""
        return SIZES[self.rank]

    @property
    def rank(self) -> int:
        """How many axes the arrays have."""
        return max((-place for _, place in self.formula.sizes().values()), default=1)

    def length(self, axis: Axis) -> str:
        """The name of the length of an axis."""
        return self.sizes[self.formula.sizes()[axis][1]]

    def output(self, result: int) -> str:
        """The name of the array that a result is stored in."""
        return "result" if len(self.results) == 1 else str(self.ops[result].data)

    # --- what is kept ---

    def _check(self) -> None:
        """All arrays have all axes, and no axis takes the place of another."""
        places = [place for _, place in self.formula.sizes().values()]
        ranks = {len(op.data[1]) for op in self.ops if op.kind == "array"}
        if len(set(places)) < len(places) or self.rank not in SIZES or ranks - {self.rank}:
            raise UnsupportedNode(self.formula.expression, self.language.name)
        for op in self.ops:
            if op.kind == "loop" and op.data not in CALLS and op.data != "log_weights":
                raise UnsupportedNode(op, self.language.name)

    def _variables(self) -> Names:
        """A letter for each index of the program; those of arguments and lengths are taken."""
        taken = {*map(str, self.formula.arguments), *self.sizes}
        letters = ascii_lowercase[8:] + ascii_lowercase[:8]
        free = iter(letter for letter in letters if letter not in taken)
        return {index: next(free) for index in self.work.order}

    def _counts(self) -> tuple[Counter[int], set[int]]:
        """How often each number is used, whatever it is called then, and which in larger frames."""
        uses: Counter[int] = Counter()
        grown: set[int] = set()
        for op in self.ops:
            for operand in op.operands if op.kind not in SAME else ():
                number, lifted = operand, False
                while self.ops[number].kind in SAME:
                    lifted |= self.ops[number].kind == "lift"
                    (number,) = self.ops[number].operands
                uses[number] += 1
                if lifted or len(self.ops[number].frame or ()) < len(op.frame or ()):
                    grown.add(number)
        return uses, grown

    def _is_kept(self, number: int) -> bool:
        op = self.ops[number]
        if op.kind in REDUCED or (op.kind == "loop" and op.data in CALLS):
            return True
        if op.kind in SAME or op.kind in LEAVES or not self.uses[number]:
            return False
        if not op.frame:
            return True
        often = self.uses[number] > 1 or number in self.grown
        return often and (self._is_dear(number) or len(self._own(number).source) > LONG)

    def _is_dear(self, number: int) -> bool:
        """Whether anything dear is computed where the operation is written."""
        op = self.ops[number]
        if number in self.kept or op.kind in LEAVES:
            return False
        word = op.data if op.kind == "loop" else op.kind
        return word in DEAR or any(self._is_dear(operand) for operand in op.operands)

    def _stem(self, op: Op) -> str:
        if op.kind == "loop":
            return {OTHERS: "others"}.get(op.data, "by_elements")
        return NAMED.get(op.kind) or STEMS.get(op.kind, "term")

    # --- nests ---

    def _loops(self, frame: tuple[Index, ...]) -> tuple[tuple[str, str], ...]:
        return tuple((self.variables[index], self.length(index.axis)) for index in frame)

    def _keep(self, number: int, name: str) -> None:
        op, frame = self.ops[number], self.ops[number].frame or ()
        if op.kind == "loop" and op.data in CALLS:
            nest = self._call(op, name)
        elif op.kind in REDUCED:
            (operand,) = op.operands
            inside = self.ops[operand].frame or ()
            index = inside[len(inside) + op.data[0]]
            text = self.text(operand, self._names(inside)).source
            (over,) = self._loops((index,))
            nest = Nest(name, op.kind, self._loops(frame), text, over)
        else:
            nest = Nest(name, "map", self._loops(frame), self._own(number).source)
        self.nests.append(nest)
        self.kept[number] = name

    def _call(self, op: Op, name: str) -> Nest:
        """A function of rows: those that it takes are arrays of doubles."""
        arguments = []
        for operand in op.operands:
            frame = self.ops[operand].frame
            if not frame:
                arguments.append(self.text(operand, {}).source)
                continue
            if operand not in self.kept:
                row = f"{name}_of_{len(arguments) + 1}"
                text = self._own(operand).source
                self.nests.append(Nest(row, "map", self._loops(frame), text))
                self.kept[operand] = row
            arguments.append(self.kept[operand])
        return Nest(name, "call", self._loops(op.frame or ()), "", None, op.data, tuple(arguments))

    def _store(self, number: int) -> None:
        frame, (operand,) = self.ops[number].frame or (), self.ops[number].operands
        text = self.text(operand, self._names(frame)).source
        self.nests.append(Nest(self.output(number), "store", self._loops(frame), text))

    # --- text ---

    def _names(self, frame: tuple[Index, ...]) -> Names:
        return {index: self.variables[index] for index in frame}

    def _own(self, number: int) -> Text:
        return self.text(number, self._names(self.ops[number].frame or ()))

    def text(self, number: int, names: Names) -> Text:
        """An operation at the entry whose indices have these names."""
        op = self.ops[number]
        frame = op.frame or ()
        if number in self.kept:
            at = [names[index] for index in frame]
            name = self.kept[number]
            return Text(f"{name}[{place(at, self._lengths(frame))}]" if frame else name)
        if op.kind == "rename":
            (operand,) = op.operands
            own = self.ops[operand].frame or ()
            renamed = {own[at]: names[i] for at, i in zip(op.data, frame, strict=True)}
            return self.text(operand, renamed)
        if op.kind in SAME:
            return self.text(op.operands[0], names)
        if op.kind in LEAVES:
            return self._leaf(op, names)
        operands = [self.text(operand, names) for operand in op.operands]
        if op.kind == "loop":
            return self._log_weights(op, operands)
        return self.spelt(op, operands, bool(frame))

    def _lengths(self, frame: tuple[Index, ...]) -> list[str]:
        return [self.length(index.axis) for index in frame]

    def _leaf(self, op: Op, names: Names) -> Text:
        if op.kind == "number":
            return self.literal(op, entry=bool(names))
        if op.kind == "scalar":
            return Text(str(op.data))
        if op.kind == "size":
            return Text(self.language.counted(self.sizes[op.data[1]]))
        if op.kind == "arange":
            (index,) = op.frame or ()
            return Text(names[index])
        frame = op.frame or ()
        if op.kind == "eye":
            left, right = (names[index] for index in frame)
            return self._choice(f"{left} == {right}", self._one(op), self._zero(op))
        name, places = op.data
        at = {axis: names[index] for index, axis in zip(frame, places, strict=True)}
        indices = [at[axis] for axis in range(self.rank)]
        return Text(self.language.entry(f"{name}[{place(indices, list(self.sizes))}]"))

    def _log_weights(self, op: Op, operands: list[Text]) -> Text:
        """``x + log w``, and -inf where w is 0."""
        weight, exponent = operands
        entry = bool(op.frame)
        log = self.language.call("log", [weight.source], entry)
        nothing = Text(f"-{self.language.infinity(entry)}", exponent.binding)
        zero = self._zero(op).source
        source = f"{exponent.source} + {log}"
        return self._choice(f"{weight.source} > {zero}", Text(source, exponent.binding), nothing)
