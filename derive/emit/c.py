"""Target ``c``: C11, one file with its header, for float32 and float64.

A pass over the row is one function: a loop without branches, which the compiler turns into vectors,
and which takes its reductions over a part of the row. Rows are spread over the threads of OpenMP;
long rows are cut into pieces whose number depends on their length alone, and merged in order, so
that results do not depend on the number of threads. Without OpenMP the same file is serial.

Sums of float32 are added in double. Sums of float64 are added in blocks whose totals are added with
their rounding errors, so that a row of 10^7 entries loses no more than a row of 10^2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from textwrap import indent

from derive.emit.c_frames import CFrames
from derive.emit.c_language import (
    PRECISIONS,
    C,
    Precision,
    arguments_on_lines,
    comment,
    own_functions,
)
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.loops import LoopForm, Pass, loop_form
from derive.emit.lowering import program
from derive.emit.program import Op
from derive.emit.scalars import Writer

# Rows are cut where a piece still fills a core for microseconds and its arrays stay in its cache;
# the partial results of a pass live on the stack. Blocks are 8 additions to a lane of 8 doubles.
# Fewer entries than SMALL in all are done before threads have started; MANY_ROWS long rows keep all
# threads busy without being cut.
LIMITS = "enum { PIECE = 16384, MOST_PIECES = 128, BLOCK = 64, SMALL = 32768, MANY_ROWS = 64 };"

PRELUDE = f"""\
#if defined(__GNUC__) && !defined(__clang__)
/* Nobody reads the flags of exceptions: choices between two results can then be vectors. An entry
   has the same bits in each pass: products are fused where it is written, and nowhere else. */
#pragma GCC optimize("no-trapping-math", "fp-contract=off")
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "compile without -ffast-math: sums are corrected by what it takes to be 0"
#endif

#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#ifdef _OPENMP
#define PARALLEL(...) PRAGMA(omp parallel for schedule(static) __VA_ARGS__)
#define SIMD(...) PRAGMA(omp simd __VA_ARGS__)
#else
#define PARALLEL(...)
#define SIMD(...)
#endif

#ifdef FP_FAST_FMAF
#define FMA_float(a, b, c) fmaf((a), (b), (c))
#else
#define FMA_float(a, b, c) ((a) * (b) + (c))
#endif
#ifdef FP_FAST_FMA
#define FMA_double(a, b, c) fma((a), (b), (c))
#else
#define FMA_double(a, b, c) ((a) * (b) + (c))
#endif

{LIMITS}

static inline size_t smaller(const size_t a, const size_t b) {{ return a < b ? a : b; }}
static inline float larger_float(const float a, const float b) {{ return a < b ? b : a; }}
static inline double larger_double(const double a, const double b) {{ return a < b ? b : a; }}

/* In how many pieces a row is cut: by its length alone. */
static inline size_t pieces_of(const size_t n)
{{
    return n <= PIECE ? 1 : smaller(MOST_PIECES, (n + PIECE - 1) / PIECE);
}}

/* total + low += term, where low is what the additions to total have rounded away. */
static inline void add_exactly(double *total, double *low, const double term)
{{
    const double sum = *total + term, part = sum - *total;
    *low += isfinite(sum) ? (*total - (sum - part)) + (term - part) : 0.0;
    *total = sum;
}}
"""

HOW_TO_CALL = (
    "Arrays hold row after row of n entries; value has one entry a row. Results do not depend on "
    "the number of threads (compile with -fopenmp for any, with -march=native for vectors). For "
    "the declarations alone, define {guard}_HEADER before including this file."
)


def c_source(formula: Formula) -> str:
    """A C11 file; with ``#define NAME_HEADER`` before it, its declarations alone."""
    guard, work = formula.name.upper(), program(formula, "c")
    try:
        form = loop_form(formula, "c", work)
    except UnsupportedNode:
        nests = CFrames(formula, work)
        return _file(formula, nests.how_to_call(guard), nests.declarations(), nests.definitions())
    files = [_Functions(form, precision) for precision in PRECISIONS]
    definitions = ["\n\n".join(each.definitions()) + "\n" for each in files]
    words = HOW_TO_CALL.format(guard=guard)
    return _file(formula, words, [each.declaration() for each in files], definitions)


def _file(formula: Formula, words: str, declarations: list[str], definitions: list[str]) -> str:
    guard = formula.name.upper()
    lines = [
        *comment(formula, "c", words),
        f"#ifndef {guard}_H",
        f"#define {guard}_H",
        "#include <stddef.h>",
        "#ifdef __cplusplus",
        "#define restrict __restrict",
        'extern "C" {',
        "#endif",
        *(f"{each};" for each in declarations),
        "#ifdef __cplusplus",
        "}",
        "#undef restrict",
        "#endif",
        "#endif",
        "",
        f"#ifndef {guard}_HEADER",
        PRELUDE,
        *definitions,
        "#endif",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Functions:
    """The functions of one precision."""

    form: LoopForm
    precision: Precision

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.form, C(self.precision))

    @property
    def _real(self) -> str:
        return self.precision.real

    def definitions(self) -> list[str]:
        """Each function, those that it calls before it."""
        # Written in this order: later passes use what earlier ones have named.
        before = self.writer.before()
        own = []
        steps = [*before]
        for place, run in enumerate(self.form.passes, start=1):
            own += self._pass(run, place)
            steps += self._step(run, place)
            steps += self.writer.after(run)
        brought = own_functions(self.form, self.precision)
        return [*brought, *own, self._row(steps), f"{self.declaration()}\n{self._batch()}"]

    # --- the function that is called ---

    def declaration(self) -> str:
        """``void name_float32(rows, n, arrays, scalars, results)``."""
        return self._signature(
            f"void {self.form.formula.name}_{self.precision.suffix}", ["const size_t rows"]
        )

    def _signature(self, head: str, first: list[str]) -> str:
        formula = self.form.formula
        given = [f"const {self._real} *restrict {array}" for array in formula.arrays]
        scalars = [f"const double {name}" for name in self._scalars]
        outputs = [f"{self._real} *restrict {self.form.output(n)}" for n in self.form.results]
        return arguments_on_lines(head, [*first, "const size_t n", *given, *scalars, *outputs])

    @property
    def _scalars(self) -> list[str]:
        arrays = self.form.formula.arrays
        return [str(a) for a in self.form.formula.arguments if a not in arrays]

    def _batch(self) -> str:
        arrays = [f"{array} + row * n" for array in self.form.formula.arrays]
        outputs = [
            f"{self.form.output(n)} + row" + " * n" * bool(self.form.ops[n].frame)
            for n in self.form.results
        ]
        # Scalars have the precision of the arrays, as Python's numbers have in NumPy.
        cast = "(float)" if self._real == "float" else ""
        scalars = [f"{cast}{name}" for name in self._scalars]
        call = arguments_on_lines(
            f"row_{self.precision.suffix}", ["n", *arrays, *scalars, *outputs], indented=8
        )
        shared = "rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)"
        return (
            f"{{\n    PARALLEL(if ({shared}))\n"
            f"    for (size_t row = 0; row < rows; ++row)\n        {call};\n}}"
        )

    # --- one row ---

    def _row(self, steps: list[str]) -> str:
        head = self._signature(f"static void row_{self.precision.suffix}", [])
        values = [
            f"*{self.form.output(n)} = ({self._real})({self.writer.row_operand(n)});"
            for n in self.form.values
        ]
        cut = [
            "const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;",
        ] * bool(self.form.passes)
        body = [*cut, *steps, *values]
        given = [*map(str, self.form.formula.arrays), *self._scalars]
        unused = [f"(void){name};" for name in given if not _occurs(name, body)]
        return f"{head}\n{{\n{_indented([*unused, *body])}\n}}"

    def _step(self, run: Pass, place: int) -> list[str]:
        """A pass over all pieces, and its partial results merged."""
        name, parts = f"pass_{place}_{self.precision.suffix}", f"parts_{place}"
        into = f"{parts}[k] = " if run.reductions else ""
        ends = ["smaller(n, k * length)", "smaller(n, (k + 1) * length)"]
        piece = arguments_on_lines(f"{into}{name}", [*ends, *self._given(run, True)], indented=12)
        whole = arguments_on_lines(
            f"{into}{name}".replace("[k]", "[0]"), ["0", "n", *self._given(run, True)], indented=8
        )
        lines = [f"struct {name} {parts}[MOST_PIECES];"] * bool(run.reductions)
        lines += [
            "if (pieces == 1)",
            indent(f"{whole};", "    "),
            "else {",
            "    PARALLEL()",
            "    for (size_t k = 0; k < pieces; ++k)",
            indent(f"{piece};", "        "),
            "}",
        ]
        return [*lines, *self._merged(run, parts)]

    def _merged(self, run: Pass, parts: str) -> list[str]:
        """The partial results in the order of the pieces."""
        first, merges, totals = [], [], []
        for number in run.reductions:
            name, kind = self.writer.names[number], self.form.ops[number].kind
            kept = MERGED[kind]
            first.append(f"{kept.kind} {name} = {kept.start};")
            merges.append(kept.merge.format(name=name, part=f"{parts}[k].{name}"))
            if kind == "sum":
                first.append(f"double {name}_low = 0.0;")
                totals.append(f"{name} += {name}_low;")
        loop = ["for (size_t k = 0; k < pieces; ++k) {", *(f"    {m}" for m in merges), "}"]
        return [*first, *loop, *totals] if run.reductions else []

    # --- one pass ---

    def _given(self, run: Pass, call: bool) -> list[str]:
        """What a pass takes: arrays, the numbers of the row that it uses, and what it stores."""
        used = {str(op.data[0]) for op in (self.form.ops[n] for n in run.entries) if _is_array(op)}
        arrays = [str(array) for array in self.form.formula.arrays if str(array) in used]
        numbers = self.writer.carried(run)
        stores = [self.form.output(n) for n in run.stores]
        if call:
            return [*arrays, *(self._as_seen(n) for n in numbers), *stores]
        return [
            *(f"const {self._real} *restrict {array}" for array in arrays),
            *(f"const {self._seen(n)} {self.writer.names[n]}" for n in numbers),
            *(f"{self._real} *restrict {name}" for name in stores),
        ]

    def _seen(self, number: int) -> str:
        """The type of a number of the row as entries see it."""
        return "size_t" if self.form.ops[number].kind == "first" else self._real

    def _as_seen(self, number: int) -> str:
        name = self.writer.names[number]
        plain = self._seen(number) in ("size_t", "double")
        return name if plain else f"(float){name}"

    def _pass(self, run: Pass, place: int) -> list[str]:
        """The structure of the partial results, if there are any, and the function."""
        name = f"pass_{place}_{self.precision.suffix}"
        first = ["const size_t begin", "const size_t end"]
        lines = self._loop(run)
        if not run.reductions:
            head = arguments_on_lines(f"static void {name}", [*first, *self._given(run, False)])
            return [f"{head}\n{{\n{_indented(lines)}\n}}"]
        fields = [f"{self._kept(n)} {self.writer.names[n]};" for n in run.reductions]
        kept = ", ".join(self._total(n) for n in run.reductions)
        head = arguments_on_lines(
            f"static struct {name} {name}", [*first, *self._given(run, False)]
        )
        body = _indented([*lines, f"return (struct {name}){{{kept}}};"])
        return [f"struct {name} {{ {' '.join(fields)} }};", f"{head}\n{{\n{body}\n}}"]

    def _kept(self, number: int) -> str:
        """The type of a partial result."""
        kind = self.form.ops[number].kind
        return self._real if kind == "max" else MERGED[kind].kind

    def _in_blocks(self, number: int) -> bool:
        return self.form.ops[number].kind == "sum" and self._real == "double"

    def _total(self, number: int) -> str:
        name = self.writer.names[number]
        return f"{name} + {name}_low" if self._in_blocks(number) else name

    def _loop(self, run: Pass) -> list[str]:
        """The loop over the entries, in blocks where sums of doubles are taken."""
        names = self.writer.names
        starts = [f"{self._kept(n)} {names[n]} = {self._start(n)};" for n in run.reductions]
        body = self.writer.entries(run)
        body += [self._taken(n) for n in run.reductions]
        body += [f"{self.form.output(n)}[j] = {self.writer.operand(n)};" for n in run.stores]
        summed = [names[n] for n in run.reductions if self._in_blocks(n)]
        simd = f"SIMD({self._clauses(run)})"
        if not summed:
            loop = ["for (size_t j = begin; j < end; ++j) {", *(f"    {x}" for x in body), "}"]
            return [*starts, simd, *loop]
        inner = [
            "const size_t stop = smaller(end, block + BLOCK);",
            *(f"double {name}_part = 0.0;" for name in summed),
            simd,
            "for (size_t j = block; j < stop; ++j) {",
            *(f"    {line}" for line in body),
            "}",
            *(f"add_exactly(&{name}, &{name}_low, {name}_part);" for name in summed),
        ]
        outer = "for (size_t block = begin; block < end; block += BLOCK) {"
        lows = [f"double {name}_low = 0.0;" for name in summed]
        return [*starts, *lows, outer, *(f"    {line}" for line in inner), "}"]

    def _start(self, number: int) -> str:
        return MERGED[self.form.ops[number].kind].start

    def _taken(self, number: int) -> str:
        """The reduction takes an entry."""
        op, name = self.form.ops[number], self.writer.names[number]
        value = self.writer.operand(number)
        if op.kind == "first":
            peak = self.writer.names[op.operands[1]]
            return f"{name} = smaller({name}, {value} < {peak} ? SIZE_MAX : j);"
        if op.kind == "max":
            return f"{name} = {name} < {value} ? {value} : {name};"
        into = f"{name}_part" if self._in_blocks(number) else name
        return f"{into} {'+' if op.kind == 'sum' else '*'}= {value};"

    def _clauses(self, run: Pass) -> str:
        clauses = []
        for number in run.reductions:
            sign = MERGED[self.form.ops[number].kind].sign
            name = self.writer.names[number] + "_part" * self._in_blocks(number)
            clauses.append(f"reduction({sign} : {name})")
        return " ".join(clauses)


@dataclass(frozen=True)
class _Merged:
    """How partial results are kept and merged."""

    kind: str
    start: str
    sign: str
    merge: str


MERGED = {
    "sum": _Merged("double", "0.0", "+", "add_exactly(&{name}, &{name}_low, {part});"),
    "prod": _Merged("double", "1.0", "*", "{name} *= {part};"),
    "max": _Merged("double", "-INFINITY", "max", "{name} = {name} < {part} ? {part} : {name};"),
    "first": _Merged("size_t", "SIZE_MAX", "min", "{name} = smaller({name}, {part});"),
}


def _occurs(name: str, lines: list[str]) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", line) for line in lines)


def _is_array(op: Op) -> bool:
    return op.kind == "array"


def _indented(lines: list[str]) -> str:
    return indent("\n".join(lines), "    ")
