"""Operations on numbers as text: what stands inside a loop over the entries of a row.

One writer for all languages with loops. A language says how it spells a choice, a call and a
literal (:class:`Language`); the writer says what is named, and what stands where it is used.

Two precisions occur. Entries are computed in the precision of the arrays, numbers of the row in
``double``, rounded where entries use them; a shift is rounded at once, as scalars are before they
come here, so that every use of it sees the same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from derive.emit.formula import UnsupportedNode
from derive.emit.lines import ATOM, LONG, LOOSE, NAMES, PRODUCT, SUM, UNARY, Text
from derive.emit.loops import REDUCTIONS, LoopForm, Pass
from derive.emit.program import Op

# Spelt by a call in every language.
CALLED = {"exp", "log", "log1p", "expm1", "abs", "tanh", "sqrt", "pow"}
NEVER_NAMED = {"number", "scalar", "array", "arange", "result"}
STEMS = {
    **NAMES,
    "first": "top",
    "off_peak": "below",
    "at_peak": "tie",
    "clip": "term",
    "finite": "term",
}


class Language(Protocol):
    """How a language spells what differs between languages."""

    @property
    def name(self) -> str:
        """The target."""

    @property
    def index(self) -> str:
        """Where an array holds an entry."""

    @property
    def place(self) -> str:
        """The place of an entry in its row."""

    @property
    def length(self) -> str:
        """The length of a row, as a number of the row."""

    def number(self, value: int, entry: bool) -> str:
        """A whole number, in the precision of entries or of the row."""

    def infinity(self, entry: bool) -> str:
        """The literal."""

    def choice(self, condition: str, yes: str, no: str) -> str:
        """``yes`` where the condition holds, else ``no``."""

    def call(self, function: str, arguments: list[str], entry: bool) -> str:
        """A function of :data:`CALLED`."""

    def larger(self, left: str, right: str, entry: bool) -> str:
        """The larger one; the left one where it is nan."""

    def is_finite(self, argument: str) -> str:
        """Whether a number of the row is finite."""

    def counted(self, length: str) -> str:
        """A length as a number."""

    def entry(self, source: str) -> str:
        """An entry of an array in double."""

    def rounded(self, argument: str) -> str:
        """A number of the row in the precision of the entries, as a number of the row."""

    def line(self, name: str, text: str, entry: bool) -> str:
        """The definition of a constant."""


class Spelling:
    """The text of one operation, made from those of its operands."""

    language: Language

    def spelt(self, op: Op, operands: list[Text], entry: bool) -> Text:
        """The operation in the language; :class:`UnsupportedNode` where it has no text there."""
        if op.kind in CALLED:
            arguments = [text.source for text in operands]
            return Text(self.language.call(op.kind, arguments, entry))
        if op.kind not in SPELLINGS:
            raise UnsupportedNode(op, self.language.name)
        return SPELLINGS[op.kind](self, op, operands)

    def literal(self, op: Op, entry: bool) -> Text:
        """A whole number."""
        value = int(op.data)
        return Text(self.language.number(value, entry), ATOM if value >= 0 else UNARY)

    def _number(self, op: Op, operands: list[Text]) -> Text:
        return Text(self.language.number(int(op.data), entry=False))

    def _scalar(self, op: Op, operands: list[Text]) -> Text:
        return Text(str(op.data))

    def _neg(self, op: Op, operands: list[Text]) -> Text:
        return Text(f"-{operands[0].within(ATOM)}", UNARY)

    def _add(self, op: Op, operands: list[Text]) -> Text:
        source = ""
        for text, sign in zip(operands, op.data, strict=True):
            if source:
                source += f" {'+' if sign > 0 else '-'} {text.within(PRODUCT)}"
            else:
                source = text.within(PRODUCT) if sign > 0 else f"-{text.within(ATOM)}"
        return Text(source, SUM)

    def _mul(self, op: Op, operands: list[Text]) -> Text:
        first, *rest = operands
        factors = [first.within(PRODUCT), *(text.within(UNARY) for text in rest)]
        return Text(" * ".join(factors), PRODUCT)

    def _div(self, op: Op, operands: list[Text]) -> Text:
        above, below = operands
        return Text(f"{above.within(PRODUCT)} / {below.within(UNARY)}", PRODUCT)

    def _choice(self, condition: str, yes: Text, no: Text) -> Text:
        return Text(self.language.choice(condition, yes.within(SUM), no.within(SUM)), LOOSE)

    def _gate(self, op: Op, operands: list[Text]) -> Text:
        weight, exponent = operands
        nothing = Text(f"-{self.language.infinity(bool(op.frame))}", UNARY)
        return self._choice(f"{weight.within(SUM)} != {self._zero(op).source}", exponent, nothing)

    def _weigh(self, op: Op, operands: list[Text]) -> Text:
        weight, rest = operands
        zero = self._zero(op)
        product = Text(f"{weight.within(PRODUCT)} * {rest.within(UNARY)}", PRODUCT)
        return self._choice(f"{weight.within(SUM)} != {zero.source}", product, zero)

    def _zero(self, op: Op) -> Text:
        return Text(self.language.number(0, entry=bool(op.frame)))

    def _one(self, op: Op) -> Text:
        return Text(self.language.number(1, entry=bool(op.frame)))

    def _finite(self, op: Op, operands: list[Text]) -> Text:
        source = operands[0].source
        return self._choice(self.language.is_finite(source), operands[0], self._zero(op))

    def _clip(self, op: Op, operands: list[Text]) -> Text:
        return Text(self.language.larger(operands[0].source, self._zero(op).source, bool(op.frame)))

    def _maximum(self, op: Op, operands: list[Text]) -> Text:
        left, right = operands
        return Text(self.language.larger(left.source, right.source, bool(op.frame)))

    def _one_or(self, op: Op, operands: list[Text]) -> Text:
        argument, decay = operands
        condition = f"{argument.within(SUM)} {op.data} {self._zero(op).source}"
        return self._choice(condition, self._one(op), decay)

    def _off_top(self, op: Op, operands: list[Text]) -> Text:
        place, top, value = operands
        return self._choice(f"{place.source} == {top.source}", self._zero(op), value)

    def _at_top(self, op: Op, operands: list[Text]) -> Text:
        place, top, zero = operands
        return self._choice(f"{place.source} == {top.source}", self._one(op), zero)

    def _off_peak(self, op: Op, operands: list[Text]) -> Text:
        exponent, peak, value = operands
        return self._choice(f"{exponent.within(SUM)} < {peak.source}", value, self._zero(op))

    def _at_peak(self, op: Op, operands: list[Text]) -> Text:
        exponent, peak = operands
        zero, one = self._zero(op), self._one(op)
        return self._choice(f"{exponent.within(SUM)} < {peak.source}", zero, one)


SPELLINGS: dict[str, Callable[[Spelling, Op, list[Text]], Text]] = {
    "number": Spelling._number,
    "scalar": Spelling._scalar,
    "neg": Spelling._neg,
    "add": Spelling._add,
    "mul": Spelling._mul,
    "div": Spelling._div,
    "gate": Spelling._gate,
    "weigh": Spelling._weigh,
    "finite": Spelling._finite,
    "clip": Spelling._clip,
    "maximum": Spelling._maximum,
    "one_or": Spelling._one_or,
    "off_top": Spelling._off_top,
    "at_top": Spelling._at_top,
    "off_peak": Spelling._off_peak,
    "at_peak": Spelling._at_peak,
}


@dataclass
class Writer(Spelling):
    """The lines of one loop form in one language."""

    form: LoopForm
    language: Language
    names: dict[int, str] = field(default_factory=dict)
    texts: dict[int, Text] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = {str(argument) for argument in self.form.formula.arguments}
        counts: Counter[str] = Counter()
        for number, op in enumerate(self.form.ops):
            stem, name = self._stem(op), ""
            while op.kind not in NEVER_NAMED and (not name or name in taken):
                counts[stem] += 1
                name = f"{stem}_{counts[stem]}"
            self.names[number] = name or str(op.data)
        self.uses = Counter(operand for op in self.form.ops for operand in op.operands)
        for run in self.form.passes:
            # What a pass stores or reduces is used once more.
            self.uses.update(operand for n in run.stores for operand in self.form.ops[n].operands)
        self.seen_by_entries = set(
            self.form.row_values(tuple(n for n, op in enumerate(self.form.ops) if op.frame))
        )

    def before(self) -> list[str]:
        """The numbers that are known without the row."""
        return self._lines(self.form.before, entry=False)

    def after(self, run: Pass) -> list[str]:
        """The numbers of the row that a pass makes known."""
        return self._lines(run.after, entry=False)

    def entries(self, run: Pass) -> list[str]:
        """The body of the loop of a pass, up to its reductions and stores."""
        return self._lines(run.entries, entry=True)

    def operand(self, number: int) -> str:
        """What an operation reduces or stores, as text for an entry."""
        return self._use(self.form.ops[number].operands[0], entry=True).source

    def row_operand(self, number: int) -> str:
        """What a result of the row holds."""
        return self._use(self.form.ops[number].operands[0], entry=False).source

    def carried(self, run: Pass) -> tuple[int, ...]:
        """The numbers of the row that the entries of a pass use."""
        return self.form.row_values((*run.entries, *run.reductions, *run.stores))

    # --- lines ---

    def _lines(self, numbers: tuple[int, ...], entry: bool) -> list[str]:
        written = []
        for number in numbers:
            op = self.form.ops[number]
            if op.kind in REDUCTIONS or op.kind == "result":
                continue
            text = self._text(op, entry)
            if not entry and number in self.form.shifts and op.kind not in NEVER_NAMED:
                text = Text(self.language.rounded(text.source))
            if self._is_named(number, text, entry):
                written.append(self.language.line(self.names[number], text.source, entry))
                text = Text(self.names[number])
            self.texts[number] = text
        return written

    def _is_named(self, number: int, text: Text, entry: bool) -> bool:
        kind = self.form.ops[number].kind
        if kind in NEVER_NAMED:
            return False
        if not entry and number in self.seen_by_entries:
            return True
        return len(text.source) > LONG or (self.uses[number] > 1 and text.binding != ATOM + 1)

    def _stem(self, op: Op) -> str:
        inner = {self.form.ops[number].kind for number in op.operands}
        return "sum" if op.kind == "add" and "sum" in inner else STEMS.get(op.kind, "term")

    def _use(self, number: int, entry: bool) -> Text:
        """An operand where it is used; entries know a number of the row by its name."""
        op = self.form.ops[number]
        if op.kind == "number":
            return self.literal(op, entry)
        if op.kind in REDUCTIONS or (entry and not op.frame and op.kind not in NEVER_NAMED):
            return Text(self.names[number])
        return self.texts[number] if number in self.texts else self._text(op, entry)

    # --- one operation ---

    def _text(self, op: Op, entry: bool) -> Text:
        if op.kind == "array":
            return Text(f"{op.data[0]}[{self.language.index}]")
        if op.kind == "arange":
            return Text(self.language.place)
        if op.kind == "size":
            return Text(self.language.length)
        return self.spelt(op, [self._use(number, entry) for number in op.operands], entry)
