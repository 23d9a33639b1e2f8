"""The text of a program in a module of array functions, whatever it is called there.

An operation becomes a line of its own when it is used twice or when a person would name it (a
maximum, a long expression); everything else is written where it is used.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from derive.axis import Index
from derive.emit.formula import UnsupportedNode
from derive.emit.program import Op, Program, rank
from derive.emit.recursions import LOOPS, OTHERS, Dialect

# How tightly an expression binds, loosest first.
LOOSE, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)
# An expression longer than this gets a line of its own. Short ones stay where they are used, also
# because NumPy then reuses their memory, which a name would keep.
LONG = 48
# A line holds this much after its name; eight columns stand before it.
WIDTH = 84
# What a person names even when it is used once, and the name.
NAMED = {"max": "peak", "argmax": "top"}
NAMES = {
    **NAMED,
    "exp": "exp",
    "sum": "sum",
    "gate": "open",
    "log1p": "log",
    "log": "log",
    "div": "ratio",
    "loop": "by_elements",
}
# A bound of a maximum is written around it, on the same line and under the same name.
BOUNDS = {"clip", "finite"}
NOT_NAMED = {"number", "scalar", "array", "rename", "lift", "result"}
METHODS = {"exp", "log", "log1p", "expm1", "abs", "tanh", "sqrt", "maximum"}


# The method that writes each kind.
WRITERS = {
    "number": "_number",
    "scalar": "_scalar",
    "array": "_array",
    "rename": "_rename",
    "lift": "_lift",
    "neg": "_neg",
    "add": "_add",
    "mul": "_mul",
    "div": "_div",
    "pow": "_pow",
    "sum": "_reduction",
    "prod": "_reduction",
    "max": "_reduction",
    "argmax": "_reduction",
    "gate": "_gate",
    "finite": "_finite",
    "clip": "_clip",
    "one_or": "_one_or",
    "off_top": "_off_top",
    "at_top": "_at_top",
    "size": "_size",
    "eye": "_eye",
    "arange": "_arange",
    "as_array": "_as_array",
    "loop": "_loop",
    "result": "_result",
}


@dataclass(frozen=True)
class Text:
    """Source text, and how tightly it binds."""

    source: str
    binding: int = ATOM

    def within(self, binding: int) -> str:
        """The text as an operand of something that binds so tightly."""
        return self.source if self.binding >= binding else f"({self.source})"


@dataclass
class Lines:
    """The body of a function being written, operation by operation.

    What is ``pinned`` is used once more than the operations say.
    """

    work: Program
    dialect: Dialect
    written: list[str] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    loops: list[str] = field(default_factory=list)
    pinned: tuple[int, ...] = ()

    def write(self) -> list[str]:
        """Every line up to the return statement."""
        reachable = self._reachable()
        used = self._uses(reachable)
        # What nothing but a result stands on needs no name before it is returned.
        last = {
            operand
            for number in self.work.results
            for operand in self.work.ops[number].operands
            if used[operand] == 1 or len(self.work.results) == 1
        }
        for number, op in enumerate(self.work.ops):
            if number not in reachable:
                self.texts.append(Text(""))
                continue
            text = self._fitted(op)
            self.texts.append(text)
            if op.kind == "result" and len(self.work.results) > 1:
                self.texts[-1] = self._assign_result(op, text)
            elif number not in last and self._deserves_line(number, text, used[number]):
                self.texts[-1] = self._assign(op, text)
        return self.written

    @property
    def returned(self) -> str:
        """The text of the results."""
        return ", ".join(self.texts[number].source for number in self.work.results)

    def _assign_result(self, op: Op, text: Text) -> Text:
        self.written.append(f"{op.data} = {text.source}")
        return Text(op.data)

    def _fitted(self, op: Op) -> Text:
        """The text of an operation; what makes it too long for a line is written before it."""
        text = self._text(op)
        # An exponential last: without a name its memory is reused.
        for number in sorted(op.operands, key=lambda k: self.work.ops[k].kind == "exp"):
            if len(text.source) > WIDTH:
                self._shorten(number)
                text = self._text(op)
        return self._halved(op) if op.kind == "add" and len(text.source) > WIDTH else text

    def _halved(self, op: Op) -> Text:
        """A sum of so many names that they fill more than a line: the first half gets one."""
        half = len(op.operands) // 2
        first = Op("add", op.operands[:half], op.data[:half], op.frame)
        name = self._assign(first, self._text(first))
        rest = Op("add", op.operands[half:], op.data[half:], op.frame)
        return Text(self._signed_sum(name.source, rest), SUM)

    def _shorten(self, number: int) -> None:
        """Give an operand a name, or what is lifted in it."""
        op, own = self.work.ops[number], self.texts[number]
        if op.kind == "lift":
            self._shorten(op.operands[0])
            self.texts[number] = self._text(op)
        elif op.kind not in NOT_NAMED and not own.source.isidentifier():
            self.texts[number] = self._assign(op, own)

    def _reachable(self) -> set[int]:
        found, open_ = set(), list(self.work.results)
        while open_:
            number = open_.pop()
            if number not in found:
                found.add(number)
                open_ += self.work.ops[number].operands
        return found

    def _uses(self, reachable: set[int]) -> Counter[int]:
        """How often the text of each operation stands in others; lifted, it is still the same."""
        uses: Counter[int] = Counter(self.pinned)
        for number in sorted(reachable, reverse=True):
            op = self.work.ops[number]
            for operand in op.operands:
                uses[operand] += uses[number] if op.kind in {"lift", "rename"} else 1
        return uses

    def _deserves_line(self, number: int, text: Text, uses: int) -> bool:
        op = self.work.ops[number]
        if op.kind in NOT_NAMED or (text.binding == ATOM and text.source.isidentifier()):
            return False
        if op.kind == "max" and uses == 1 and self._is_bounded(number):
            return False
        if uses > 1:
            return op.kind not in {"neg", "size"} or len(text.source) > 8
        return op.kind in NAMED or len(text.source) > LONG

    def _is_bounded(self, number: int) -> bool:
        return any(op.operands == (number,) and op.kind in BOUNDS for op in self.work.ops)

    def _assign(self, op: Op, text: Text) -> Text:
        stem = self._stem(op)
        taken = {str(argument) for argument in self.work.formula.arguments}
        name = ""
        while not name or name in taken:
            self.counts[stem] += 1
            name = f"{stem}_{self.counts[stem]}"
        self.written.append(f"{name} = {text.source}")
        return Text(name)

    def _stem(self, op: Op) -> str:
        inner = {self.work.ops[number].kind for number in op.operands}
        if op.kind in BOUNDS:
            return "peak"
        if op.data == OTHERS:
            return "others"
        if op.kind == "add" and "sum" in inner:
            return "sum"
        return NAMES.get(op.kind, "term")

    # --- one operation ---

    def _operands(self, op: Op) -> list[Text]:
        return [self.texts[number] for number in op.operands]

    def _text(self, op: Op) -> Text:
        if op.kind in METHODS:
            return self._call(op.kind, *(text.source for text in self._operands(op)))
        if op.kind not in WRITERS:
            raise UnsupportedNode(op, self.work.target)
        text: Text = getattr(self, WRITERS[op.kind])(op)
        return text

    def _call(self, name: str, *arguments: str) -> Text:
        word = self.dialect.words.get(name, name)
        return Text(f"{self.dialect.module}.{word}({', '.join(arguments)})")

    def _number(self, op: Op) -> Text:
        value = int(op.data)
        return Text(str(value), ATOM if value >= 0 else UNARY)

    def _scalar(self, op: Op) -> Text:
        return Text(str(op.data))

    def _array(self, op: Op) -> Text:
        name, places = op.data
        return self._moved(Text(name), places)

    def _rename(self, op: Op) -> Text:
        return self._moved(self._operands(op)[0], op.data)

    def _moved(self, text: Text, places: tuple[int, ...]) -> Text:
        """The array with its last axes in another order, the first one first."""
        count = len(places)
        for target in range(count):
            source = places[target] + sum(later > places[target] for later in places[:target])
            if source != target:
                text = self._call("moveaxis", text.source, f"{source - count}", f"{target - count}")
        return text

    def _lift(self, op: Op) -> Text:
        (operand,) = self._operands(op)
        keep: tuple[bool, ...] = op.data
        own = self.work.frame(op.operands[0])
        slots = [":" if kept else "None" for kept in keep]
        if not own:
            slots = [":"] + ["None"] * (len(keep) - 1)
        return Text(f"{operand.within(ATOM)}[..., {', '.join(slots)}]")

    def _neg(self, op: Op) -> Text:
        return Text(f"-{self._operands(op)[0].within(UNARY)}", UNARY)

    def _add(self, op: Op) -> Text:
        return Text(self._signed_sum("", op), SUM)

    def _signed_sum(self, source: str, op: Op) -> str:
        """The operands added to what is written, or subtracted."""
        for text, sign in zip(self._operands(op), op.data, strict=True):
            # What is subtracted must not be a bare sum; a sum of a sum keeps its order too.
            operand = text.within(PRODUCT)
            if source:
                source += f" + {operand}" if sign > 0 else f" - {operand}"
            else:
                source = operand if sign > 0 else f"-{text.within(UNARY)}"
        return source

    def _mul(self, op: Op) -> Text:
        first, *rest = self._operands(op)
        factors = [first.within(PRODUCT), *(text.within(UNARY) for text in rest)]
        return Text(" * ".join(factors), PRODUCT)

    def _div(self, op: Op) -> Text:
        above, below = self._operands(op)
        return Text(f"{above.within(PRODUCT)} / {below.within(UNARY)}", PRODUCT)

    def _pow(self, op: Op) -> Text:
        base, exponent = self._operands(op)
        return Text(f"{base.within(ATOM)}**{exponent.within(ATOM)}", POWER)

    def _reduction(self, op: Op) -> Text:
        axis, keep = op.data
        arguments = [self._operands(op)[0].source, f"axis={axis}", *["keepdims=True"] * keep]
        return self._call(op.kind, *arguments)

    def _gate(self, op: Op) -> Text:
        weight, exponent = self._operands(op)
        condition = f"{weight.within(SUM)} != 0"
        return self._call("where", condition, exponent.source, f"-{self.dialect.module}.inf")

    def _finite(self, op: Op) -> Text:
        (operand,) = self._operands(op)
        return self._call(
            "where", f"{self.dialect.module}.isfinite({operand.source})", operand.source, "0"
        )

    def _clip(self, op: Op) -> Text:
        return self._call("clip", self._operands(op)[0].source, "0", "None")

    def _one_or(self, op: Op) -> Text:
        argument, decay = self._operands(op)
        return self._call("where", f"{argument.within(SUM)} {op.data} 0", "1", decay.source)

    def _off_top(self, op: Op) -> Text:
        position, top, value = self._operands(op)
        condition = f"{position.source} == {top.within(SUM)}"
        return self._call("where", condition, "0", value.source)

    def _at_top(self, op: Op) -> Text:
        position, top, zero = self._operands(op)
        return self._call("where", f"{position.source} == {top.within(SUM)}", "1", zero.source)

    def _size(self, op: Op) -> Text:
        name, place = op.data
        return Text(f"{name}.shape[{place}]")

    def _eye(self, op: Op) -> Text:
        return self._call("eye", self._size(op).source, f"dtype={op.data[0]}.dtype", *self._on(op))

    def _as_array(self, op: Op) -> Text:
        (operand,) = self._operands(op)
        dtype = f"dtype={op.data[0]}.dtype"
        return self._call("asarray", operand.source, dtype, *self._on(op))

    def _arange(self, op: Op) -> Text:
        return self._call("arange", self._size(op).source, *self._on(op))

    def _on(self, op: Op) -> list[str]:
        return [f"device={op.data[0]}.device"] if self.dialect.device else []

    def _loop(self, op: Op) -> Text:
        """A call of one of the functions that the file brings along."""
        self.loops.append(op.data)
        arguments = [text.source for text in self._operands(op)]
        missing = LOOPS[op.data].parameters.count(",") + 1 - len(arguments)
        namespace = ["xp"] if self.dialect.module == "xp" else []
        return Text(f"{op.data}({', '.join([*arguments, *['None'] * missing, *namespace])})")

    def _result(self, op: Op) -> Text:
        number = op.operands[0]
        text, own, wanted = self.texts[number], self.work.frame(number), op.frame or ()
        if own is None and wanted and self.work.formula.arrays:
            return self._constant(text, wanted)
        if own is None:
            raise ValueError(
                f"{self.work.formula.name}: the expression holds no array, so the result has no "
                "shape: use the number itself"
            )
        if not wanted:
            return Text(f"{text.within(ATOM)}[..., 0]")
        if own == wanted:
            return text
        return self._broadcast(text, own, op)

    def _constant(self, text: Text, wanted: tuple[Index, ...]) -> Text:
        """One number at every place; the batch is that of the first array."""
        like = str(self.work.formula.arrays[0])
        sizes = [f"{name}.shape[{at}]" for name, at in (self.work.place(i.axis) for i in wanted)]
        on = f", device={like}.device" if self.dialect.device else ""
        number = self._call("asarray", text.source, f"dtype={like}.dtype{on}")
        shape = f"(*{like}.shape[:-1], {', '.join(sizes)})"
        self.written.append(f"result = {number.source}")
        return self._call("broadcast_to", "result", shape)

    def _broadcast(self, text: Text, own: tuple[object, ...], op: Op) -> Text:
        """A result that does not depend on every output index, spread over all of them."""
        wanted = op.frame or ()
        lifted = self._lift(Op("lift", op.operands, tuple(index in own for index in wanted)))
        source = (
            lifted.source if rank(wanted) > rank(self.work.frame(op.operands[0])) else text.source
        )
        shape = [
            f"{name}.shape[{place}]"
            for name, place in (self.work.place(index.axis) for index in wanted)
        ]
        self.written.append(f"result = {source}")
        batch = f"*result.shape[:-{len(wanted)}]"
        return self._call("broadcast_to", "result", f"({batch}, {', '.join(shape)})")
