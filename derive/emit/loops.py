"""The loop form: a program over one axis as passes over a row.

A reduction form is computed row by row. What each operation has to wait for is counted in passes::

    ready(reduction of x) = ready(x) + 1          everything else: the latest of its operands

So pass p evaluates, entry by entry, what is ready after p passes and is reduced or stored then, and
between the passes the numbers of the row are computed. Soft ZLPR has three passes: maxima, sums of
exponentials, the gradient. Entries are evaluated anew in each pass that needs them: the row is in
cache by then, and only the row's numbers are carried on.

A reduction is associative (``max``, ``min``, ``+``, ``*``), so a row can be cut into pieces whose
partial results are merged; merged in a fixed order they do not depend on who computed them. The
place of the first largest entry is ``min {j : x_j = max x}``, one pass after the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from sympy import S

from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.lowering import program
from derive.emit.program import Op, Program

REDUCTIONS = {"sum", "prod", "max", "first"}
# What has another text in a loop, or none at all: an operand of the same value, the place itself.
ALIASES = {"lift", "rename", "as_array"}
UNSUPPORTED = {"eye", "loop"}


@dataclass(frozen=True)
class Pass:
    """One run over the row: operations evaluated at each entry, then reductions and results."""

    entries: tuple[int, ...]
    reductions: tuple[int, ...]
    stores: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True)
class LoopForm:
    """The passes of a formula; numbers are those of ``ops``.

    ``before`` are the numbers that are known without the row, ``values`` and ``vectors`` the
    operations of kind ``result`` that hold one number a row, or one an entry.
    """

    formula: Formula
    ops: tuple[Op, ...]
    before: tuple[int, ...]
    passes: tuple[Pass, ...]
    results: tuple[int, ...]

    def is_entry(self, number: int) -> bool:
        """Whether the operation has a value for each entry of the row."""
        return bool(self.ops[number].frame)

    @property
    def values(self) -> tuple[int, ...]:
        """The results that are one number a row."""
        return tuple(number for number in self.results if not self.ops[number].frame)

    @property
    def vectors(self) -> tuple[int, ...]:
        """The results with a number for each entry."""
        return tuple(number for number in self.results if self.ops[number].frame)

    def output(self, result: int) -> str:
        """The name of the array that a result is stored in."""
        return "result" if len(self.results) == 1 else str(self.ops[result].data)

    @cached_property
    def shifts(self) -> frozenset[int]:
        """Numbers of the row that entries are shifted by: rounded once, as the entries see them.

        A sum holds for every shift, but for one and the same shift only.
        """
        found = set()
        for op in self.ops:
            if op.frame and op.kind in ("add", "off_peak", "at_peak"):
                found |= {number for number in op.operands if self.ops[number].frame == ()}
        return frozenset(found)

    def row_values(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """The numbers of the row that the given operations use, literals left aside."""
        used = {
            operand
            for number in numbers
            for operand in self.ops[number].operands
            if not self.is_entry(operand) and self.ops[operand].kind != "number"
        }
        return tuple(sorted(used))


def loop_form(formula: Formula, target: str, work: Program | None = None) -> LoopForm:
    """The passes of a formula over one axis; ``work`` is its program where there is one already.

    Raises :class:`UnsupportedNode` where an operation has two indices (a Hessian), where a
    coefficient is asked for, or where two axes occur.
    """
    ops = weighed(_without_argmax(_plain_ops(work or program(formula, target), target)), formula)
    ready = _ready(ops)
    results = tuple(number for number, op in enumerate(ops) if op.kind == "result")
    needed = _closure(ops, results)
    reductions = [number for number in needed if ops[number].kind in REDUCTIONS]
    stored = [ready[number] + 1 for number in results if ops[number].frame]
    count = max([ready[number] for number in reductions] + stored, default=0)
    rows = [n for n in needed if not ops[n].frame and ops[n].kind not in REDUCTIONS | {"result"}]
    passes = []
    for place in range(count):
        own = tuple(n for n in reductions if ready[n] == place + 1)
        stores = tuple(n for n in results if ops[n].frame and ready[n] == place)
        sources = tuple(operand for n in (*own, *stores) for operand in ops[n].operands)
        entries = tuple(n for n in _closure(ops, sources, entries=True) if ops[n].frame)
        after = tuple(n for n in rows if ready[n] == place + 1)
        passes.append(Pass(entries, own, stores, after))
    before = tuple(n for n in rows if ready[n] == 0)
    return LoopForm(formula, tuple(ops), before, tuple(passes), results)


def _plain_ops(work: Program, target: str) -> list[Op]:
    """The operations of the program with each alias replaced by what it stands for."""
    names: list[int] = []
    ops: list[Op] = []
    for op in work.ops:
        if op.kind in UNSUPPORTED or len(op.frame or ()) > 1:
            raise UnsupportedNode(op, target)
        operands = tuple(names[number] for number in op.operands)
        if op.kind in ALIASES:
            names.append(operands[0])
            continue
        names.append(len(ops))
        # A number and a scalar are numbers of the row.
        ops.append(replace(op, operands=operands, frame=op.frame or ()))
    axes = {index.axis for op in ops for index in op.frame or ()}
    places = {work.place(axis) for axis in axes} | {op.data for op in ops if op.kind == "size"}
    if len(axes) > 1 or len(places) > 1:
        raise UnsupportedNode(work.formula.expression, target)
    return ops


def _without_argmax(ops: list[Op]) -> list[Op]:
    """Places of a maximum as reductions that run in vectors.

    ``sum_{j != top} e^{x_j - m}`` with ``m = x_top`` becomes the sum of what is below the maximum,
    and the number of ties, whose terms are 1, less one. Any other place is the first one where
    ``x_j = m``.
    """
    found: list[Op] = []
    names: list[int] = []

    def add(kind: str, *operands: int, data: object = None, like: Op) -> int:
        op = Op(kind, operands, data, like.frame)
        if op not in found:
            found.append(op)
        return found.index(op)

    for op in ops:
        operands = tuple(names[number] for number in op.operands)
        leader = _leader(found, operands) if op.kind == "sum" else None
        if leader is not None:
            exponent, peak, term = leader
            entry = found[operands[0]]
            below = add("off_peak", exponent, peak, term, like=entry)
            tie = add("at_peak", exponent, peak, like=entry)
            sums = [add("sum", number, data=op.data, like=op) for number in (below, tie)]
            one = add("number", data=S.One, like=op)
            names.append(add("add", *sums, one, data=(1, 1, -1), like=op))
        elif op.kind == "argmax":
            peak = add("max", *operands, data=op.data, like=op)
            names.append(add("first", *operands, peak, data=op.data, like=op))
        else:
            names.append(add(op.kind, *operands, data=op.data, like=op))
    return found


def weighed(ops: list[Op], formula: Formula) -> list[Op]:
    """Products with a label as gates: 0 where the label is 0, also times the score ``-inf``.

    A masked label has that score, and ``t s`` is 0 there, as every limit of it says. The
    exponentials have such a gate already.
    """
    labels = str(formula.arrays[1]) if len(formula.arrays) > 1 else None
    found: list[Op] = []
    names: list[int] = []
    for op in ops:
        operands = tuple(names[number] for number in op.operands)
        weights = [n for n in operands if _is_weight(found, n, labels)]
        rest = tuple(n for n in operands if n not in weights[:1])
        plain = op.kind != "mul" or not weights or all(found[n].kind == "exp" for n in rest)
        if plain or not any(found[n].frame for n in rest):
            found.append(replace(op, operands=operands))
        else:
            if len(rest) > 1:
                found.append(Op("mul", rest, (1,) * len(rest), op.frame))
                rest = (len(found) - 1,)
            found.append(Op("weigh", (weights[0], *rest), None, op.frame))
        names.append(len(found) - 1)
    return found


def _is_weight(ops: list[Op], number: int, labels: str | None) -> bool:
    """A label, or 1 less a label."""
    op = ops[number]
    if op.kind == "array":
        return bool(op.data[0] == labels)
    one_less = op.kind == "add" and op.data == (1, -1) and ops[op.operands[0]].kind == "number"
    return one_less and _is_weight(ops, op.operands[1], labels)


def _leader(ops: list[Op], operands: tuple[int, ...]) -> tuple[int, int, int] | None:
    """``(x, m, e^{x - m})`` if the operand is that term without the first largest ``x``."""
    left_out = ops[operands[0]]
    if left_out.kind != "off_top":
        return None
    top, term = ops[left_out.operands[1]], left_out.operands[2]
    if ops[term].kind != "exp" or top.kind != "first":
        return None
    shifted = ops[ops[term].operands[0]]
    if shifted.kind != "add" or shifted.data != (1, -1):
        return None
    exponent, peak = shifted.operands
    return (exponent, peak, term) if top.operands == (exponent, peak) else None


def _ready(ops: list[Op]) -> list[int]:
    """How many passes must be over before each operation."""
    ready: list[int] = []
    for op in ops:
        latest = max((ready[number] for number in op.operands), default=0)
        ready.append(latest + (op.kind in REDUCTIONS))
    return ready


def _closure(ops: list[Op], roots: tuple[int, ...], entries: bool = False) -> list[int]:
    """The roots and what they need, in order; of ``entries`` no further than numbers of the row."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            stops = entries and not ops[number].frame
            waiting += () if stops else ops[number].operands
    return sorted(found)
