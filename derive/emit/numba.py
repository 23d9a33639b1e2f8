"""Target ``numba``: fused kernels in Python, compiled at the first call, for float32 and float64.

The passes are those of :mod:`derive.emit.loops`. A pass is a function of the slices of a piece of
the row; LLVM may reorder its sums (and nothing else), so that the loop runs in vectors. Rows are
spread over threads, long rows cut into pieces by their length alone and merged in order: results
do not depend on the number of threads.

Sums of float32 are added in float64. Sums of float64 are added in blocks whose totals are added
with their rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from textwrap import indent

from derive.emit.c_exp import DOUBLE, SINGLE, Exponential
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.frames import FrameForm
from derive.emit.loops import LoopForm, Pass, loop_form
from derive.emit.lowering import program
from derive.emit.numba_frames import frame_functions, frame_main
from derive.emit.numba_language import PRELUDE, Numba, main, own_functions
from derive.emit.scalars import Writer
from derive.emit.text import header


def numba_source(formula: Formula) -> str:
    """A file that imports NumPy and numba; its function takes NumPy arrays ``(*batch, n)``."""
    work = program(formula, "numba")
    try:
        form = loop_form(formula, "numba", work)
    except UnsupportedNode:
        nests = FrameForm(formula, Numba("float64"), work)
        return _file(formula, frame_functions(nests), frame_main(nests))
    parts = [_Functions(form, kind) for kind in (SINGLE, DOUBLE)]
    functions = [text for part in parts for text in part.definitions()]
    return _file(formula, functions, _main(form))


def _file(formula: Formula, functions: list[str], function: str) -> str:
    text = "\n\n".join([PRELUDE, *functions, function])
    return "\n".join(header(formula, "numba")) + "\n" + text


def _main(form: LoopForm) -> str:
    outputs = {form.output(n): "n" if form.ops[n].frame else "" for n in form.results}
    run = ["run = run_float32 if dtype == np.float32 else run_float64", "run($given)"]
    returned = {
        form.output(n): "shape" if form.ops[n].frame else "shape[:-1]" for n in form.results
    }
    return main(form.formula, ("n",), outputs, run, returned)


@dataclass(frozen=True)
class _Functions:
    """The functions of one precision."""

    form: LoopForm
    kind: Exponential

    @property
    def _real(self) -> str:
        return "float32" if self.kind is SINGLE else "float64"

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.form, Numba(self._real))

    @property
    def _names(self) -> list[str]:
        """Arrays, scalars and results, as every function of a row takes them."""
        outputs = [self.form.output(number) for number in self.form.results]
        return [*map(str, self.form.formula.arguments), *outputs]

    def definitions(self) -> list[str]:
        """Each function, those that it calls before it."""
        steps = ["pieces = pieces_of(n)", "length = (n + pieces - 1) // pieces"]
        steps += self.writer.before()
        own = own_functions(self.form, self._real, self.kind)
        for place, run in enumerate(self.form.passes, start=1):
            own += self._pass(run, place)
            steps += self._step(run, place)
            steps += self.writer.after(run)
        for number in self.form.values:
            value = self.writer.row_operand(number)
            steps.append(f"{self.form.output(number)}[0] = {value}")
        return [*own, self._row(steps), self._run()]

    # --- one pass ---

    def _used(self, run: Pass) -> list[str]:
        """The arrays that a pass reads."""
        read = {
            str(self.form.ops[n].data[0]) for n in run.entries if self.form.ops[n].kind == "array"
        }
        return [str(array) for array in self.form.formula.arrays if str(array) in read]

    def _stored(self, run: Pass) -> list[str]:
        return [self.form.output(number) for number in run.stores]

    def _numbers(self, run: Pass) -> list[str]:
        return [self.writer.names[number] for number in self.writer.carried(run)]

    def _summed(self, run: Pass) -> bool:
        """Whether sums of float64 are taken, which is done in blocks."""
        kinds = {self.form.ops[number].kind for number in run.reductions}
        return self._real == "float64" and "sum" in kinds

    def _pass(self, run: Pass, place: int) -> list[str]:
        names = self.writer.names
        size = f"{(*self._used(run), *self._stored(run))[0]}.size"
        starts = [f"{names[n]} = {self._start(n)}" for n in run.reductions]
        body = [*self.writer.entries(run), *(self._taken(n) for n in run.reductions)]
        body += [f"{self.form.output(n)}[j] = {self.writer.operand(n)}" for n in run.stores]
        loop = [*starts, f"for j in range({size}):", *(f"    {line}" for line in body)]
        given = ["begin", *self._used(run), *self._numbers(run), *self._stored(run)]
        name = f"{'block' if self._summed(run) else 'pass'}_{place}_{self._real}"
        returned = [f"return {', '.join(names[n] for n in run.reductions)}"] * bool(run.reductions)
        first = _function("EXACT", name, given, [*loop, *returned])
        return [first, self._in_blocks(run, place)] if self._summed(run) else [first]

    def _in_blocks(self, run: Pass, place: int) -> str:
        """The pass over a piece: its blocks, their sums added exactly."""
        names = self.writer.names
        starts = [f"{names[n]} = {self._start(n)}" for n in run.reductions]
        lows = [f"{names[n]}_low = 0.0" for n in run.reductions if self._is_sum(n)]
        cut = [f"{name}[first:last]" for name in self._used(run)]
        stored = [f"{name}[first:last]" for name in self._stored(run)]
        parts = ", ".join(f"{names[n]}_part" for n in run.reductions)
        size = f"{self._used(run)[0]}.size"
        call = _line(
            f"{parts} = block_{place}_{self._real}",
            ["begin + first", *cut, *self._numbers(run), *stored],
            8,
        )
        inner = [
            f"for first in range(0, {size}, BLOCK):",
            f"    last = min(first + BLOCK, {size})",
            *(f"    {line}" for line in call.splitlines()),
            *(f"    {self._merge(n, f'{names[n]}_part')}" for n in run.reductions),
        ]
        totals = ", ".join(
            f"{names[n]} + {names[n]}_low" if self._is_sum(n) else names[n] for n in run.reductions
        )
        given = ["begin", *self._used(run), *self._numbers(run), *self._stored(run)]
        lines = [*starts, *lows, *inner, f"return {totals}"]
        return _function("EXACT", f"pass_{place}_{self._real}", given, lines)

    def _is_sum(self, number: int) -> bool:
        return self.form.ops[number].kind == "sum"

    def _start(self, number: int) -> str:
        kind = self.form.ops[number].kind
        starts = {"sum": "0.0", "prod": "1.0", "first": "int64(2**62)"}
        return starts.get(kind, f"{self._real}(-np.inf)")

    def _taken(self, number: int) -> str:
        """The reduction takes an entry."""
        op, name, value = (
            self.form.ops[number],
            self.writer.names[number],
            self.writer.operand(number),
        )
        if op.kind == "first":
            peak = self.writer.names[op.operands[1]]
            return f"{name} = {name} if {value} < {peak} else min({name}, begin + j)"
        if op.kind == "max":
            return f"{name} = larger({name}, {value})"
        if op.kind == "prod":
            return f"{name} *= float64({value})"
        return f"{name} = add_any_order({name}, float64({value}))"

    def _merge(self, number: int, part: str) -> str:
        """A partial result merged into the whole."""
        kind, name = self.form.ops[number].kind, self.writer.names[number]
        return {
            "sum": f"{name}, {name}_low = add_exactly({name}, {name}_low, {part})",
            "prod": f"{name} *= {part}",
            "max": f"{name} = larger({name}, {part})",
            "first": f"{name} = min({name}, {part})",
        }[kind]

    # --- one row, and all of them ---

    def _step(self, run: Pass, place: int) -> list[str]:
        """A pass over a short row, or over the pieces of a long one, merged in their order."""
        names, name = self.writer.names, f"pass_{place}_{self._real}"
        seen = [self._as_seen(number) for number in self.writer.carried(run)]
        results = ", ".join(names[n] for n in run.reductions)
        into = f"{results} = " * bool(run.reductions)
        whole = ["0", *self._used(run), *seen, *self._stored(run)]
        cut = [f"{each}[begin:end]" for each in self._used(run)]
        stored = [f"{each}[begin:end]" for each in self._stored(run)]
        parts = f"parts_{place}"
        if len(run.reductions) == 1:
            kept = f"{parts}[k, 0] = "
        else:
            kept = ", ".join(f"{parts}[k, {m}]" for m in range(len(run.reductions)))
            kept += " = " * bool(run.reductions)
        piece = _line(f"{kept}{name}", ["begin", *cut, *seen, *stored], 12)
        lines = [
            "if pieces == 1:",
            *(f"    {line}" for line in _line(f"{into}{name}", whole, 8).splitlines()),
            "else:",
            *[f"    {parts} = np.empty((pieces, {len(run.reductions)}))"] * bool(run.reductions),
            "    for k in prange(pieces):",
            "        begin, end = k * length, min(n, (k + 1) * length)",
            *(f"        {line}" for line in piece.splitlines()),
        ]
        if run.reductions:
            lines += [f"    {names[n]} = {self._start(n)}" for n in run.reductions]
            lines += [f"    {names[n]}_low = 0.0" for n in run.reductions if self._is_sum(n)]
            lines.append("    for k in range(pieces):")
            for m, n in enumerate(run.reductions):
                part = f"{parts}[k, {m}]"
                kind = self.form.ops[n].kind
                typed = {"max": f"{self._real}({part})", "first": f"int64({part})"}
                lines.append(f"        {self._merge(n, typed.get(kind, part))}")
            sums = [names[n] for n in run.reductions if self._is_sum(n)]
            lines += [f"    {each} += {each}_low" for each in sums]
        return lines

    def _as_seen(self, number: int) -> str:
        """A number of the row as entries see it."""
        name = self.writer.names[number]
        return name if self.form.ops[number].kind == "first" else f"{self._real}({name})"

    def _row(self, steps: list[str]) -> str:
        head = f"def row_{self._real}(n, {', '.join(self._names)}):"
        text = f"{head}\n{indent(chr(10).join(steps), '    ')}\n\n\n"
        real = self._real
        return text + (
            f"whole_{real} = njit(**EXACT)(row_{real})\n"
            f"cut_{real} = njit(parallel=True, **EXACT)(row_{real})\n"
        )

    def _run(self) -> str:
        """Rows side by side; a few long ones each on all threads."""
        rows = [f"{array}[row]" for array in map(str, self.form.formula.arrays)]
        arrays = self.form.formula.arrays
        scalars = [str(a) for a in self.form.formula.arguments if a not in arrays]
        outputs = [
            f"{self.form.output(n)}[row]"
            if self.form.ops[n].frame
            else f"{self.form.output(n)}[row : row + 1]"
            for n in self.form.results
        ]
        real, names = self._real, ", ".join(self._names)
        call = ", ".join(["n", *rows, *scalars, *outputs])
        return f"""\
@njit(parallel=True, **EXACT)
def all_{real}({names}):
    n = {arrays[0]}.shape[1]
    for row in prange({arrays[0]}.shape[0]):
        whole_{real}({call})


def run_{real}({names}):
    rows, n = {arrays[0]}.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_{real}({names})
        return
    one = whole_{real} if n <= PIECE else cut_{real}
    for row in range(rows):
        one({call})
"""


def _function(flags: str, name: str, given: list[str], lines: list[str]) -> str:
    head = _line(f"@njit(**{flags})\ndef {name}", given, 0)
    return f"{head}:\n{indent(chr(10).join(lines), '    ')}\n"


def _line(head: str, arguments: list[str], indented: int) -> str:
    """``head(arguments)``, on several lines where one would be too long."""
    line = f"{head}({', '.join(arguments)})"
    if len(line.splitlines()[-1]) + indented <= 98:
        return line
    lines = [""]
    for argument in arguments:
        if len(f"{lines[-1]} {argument}") + indented + 4 > 98:
            lines.append("")
        lines[-1] += f" {argument}," if lines[-1] else f"{argument},"
    return "\n".join([f"{head}(", *(f"    {each}" for each in lines), ")"])
