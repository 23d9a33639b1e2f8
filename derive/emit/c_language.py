"""C as text: constants, precisions and the pieces that emitted C and CUDA share."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from derive.emit.c_exp import DOUBLE, SINGLE, Exponential, exponential
from derive.emit.c_log1p import log1p, log1p_of
from derive.emit.formula import Formula
from derive.emit.loops import LoopForm
from derive.emit.text import WIDTH, equation, header


@dataclass(frozen=True)
class Precision:
    """A precision of the arrays: its name in the names of functions, its type, the exponential."""

    suffix: str
    real: str
    f: str
    exponential: Exponential


# The longest line of emitted C.
LINE = 98
FLOAT = Precision("float32", "float", "f", SINGLE)
PRECISIONS = (FLOAT, Precision("float64", "double", "", DOUBLE))
# What files bring along, so that loops over entries run in vectors.
OWN = ("exp", "log1p")


def own_functions(form: LoopForm, precision: Precision) -> list[str]:
    """The functions of :data:`OWN` that entries call, as C11."""
    called = {op.kind for op in form.ops if op.frame}
    kind, suffix = precision.exponential, precision.suffix
    texts = {
        "exp": exponential(f"exp_{suffix}", kind),
        "log1p": log1p(f"log1p_{suffix}", log1p_of(kind)),
    }
    return ["\n".join(texts[name]) for name in OWN if name in called]


@dataclass(frozen=True)
class C:
    """C as the writer of scalars needs it (:class:`derive.emit.scalars.Language`).

    Entries use the functions of :data:`OWN` that the file brings along, if ``own`` says so; all
    else is the library's.
    """

    precision: Precision
    own: bool = True
    name: str = "c"
    index: str = "j"
    place: str = "j"
    length: str = "(double)n"

    def number(self, value: int, entry: bool) -> str:
        """Whole in an entry, where it takes the type of what it meets."""
        return str(value) if entry else f"{value}.0"

    def infinity(self, entry: bool) -> str:
        """The macro of <math.h>."""
        return "INFINITY"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """The conditional operator."""
        return f"{condition} ? {yes} : {no}"

    def call(self, function: str, arguments: list[str], entry: bool) -> str:
        """A function of the precision of entries, or of doubles."""
        name = {"abs": "fabs"}.get(function, function)
        if entry and function in OWN and self.own:
            name = f"{function}_{self.precision.suffix}"
        elif entry:
            name += self.precision.f
        return f"{name}({', '.join(arguments)})"

    def larger(self, left: str, right: str, entry: bool) -> str:
        """A function of the file."""
        return f"larger_{self.precision.real if entry else 'double'}({left}, {right})"

    def is_finite(self, argument: str) -> str:
        """The macro of <math.h>."""
        return f"isfinite({argument})"

    def counted(self, length: str) -> str:
        """A length as a number."""
        return f"(double){length}"

    def entry(self, source: str) -> str:
        """An entry of an array in double."""
        return f"(double){source}"

    def rounded(self, argument: str) -> str:
        """Nothing is rounded where entries are doubles."""
        return argument if self.precision.real == "double" else f"(float)({argument})"

    def line(self, name: str, text: str, entry: bool) -> str:
        """A constant."""
        return f"const {self.precision.real if entry else 'double'} {name} = {text};"


def comment(formula: Formula, target: str, notes: str) -> list[str]:
    """The comment at the top of a file: where it is from, what it computes, how it is called."""
    words = [line[2:] for line in header(formula, target) if line]
    equations = [
        f"    {line}"
        for result in formula.results
        for line in wrap(equation(result), WIDTH - 4, subsequent_indent="    ")
    ]
    lines = [*words, "", formula.doc, "", *equations, "", *wrap(notes, WIDTH)]
    return ["/*", *(f" * {line}".rstrip() for line in lines), " */"]


def arguments_on_lines(head: str, arguments: list[str], indented: int = 0) -> str:
    """``head(arguments)``, on several lines where one would be too long."""
    line = f"{head}({', '.join(arguments)})"
    if len(line) + indented <= LINE:
        return line
    lines = [""]
    for argument in arguments:
        if len(f"{lines[-1]} {argument}") + indented + 4 > LINE:
            lines.append("")
        lines[-1] += f" {argument}," if lines[-1] else f"{argument},"
    return "\n".join([f"{head}(", *(f"    {each}" for each in lines)])[:-1] + ")"
