"""C of formulas that are no passes over one row: nests of loops, on arrays of double.

The nests are those of :mod:`derive.emit.frames`. A row of a batch (a grid, or a row of which
coefficients are taken) is computed by one thread, innermost loops in vectors; batches are spread
over threads. Sums are added in blocks, as in :mod:`derive.emit.c`, whose words these files share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import indent, wrap

from derive.emit.c_exp import DOUBLE, exponential
from derive.emit.c_language import LINE, PRECISIONS, C, Precision, arguments_on_lines
from derive.emit.c_log1p import LOG1P_DOUBLE, log1p
from derive.emit.c_rows import TABLES, row_functions
from derive.emit.formula import Formula
from derive.emit.frames import FrameForm, Nest, place
from derive.emit.program import Program

# What the capitals of the functions of rows mean here, and where their tables come from.
ROWS = """\
#define FUNCTION static inline
#define EXP(x) exp_float64(x)
#define LOG1P(x) log1p_float64(x)
#define EACH(m, first, count) SIMD() for (size_t m = (first); m < (count); ++m)
#define EACH_SUM(m, count, ...) \\
    SIMD(reduction(+ : __VA_ARGS__)) for (size_t m = 0; m < (count); ++m)
#define EACH_MAX(m, count, peak) \\
    SIMD(reduction(max : peak)) for (size_t m = 0; m < (count); ++m)
#define ALL_SUM(x) (x)
#define ALL_MAX(x) (x)
#define ONE_THREAD
#define WAIT
"""
NEW_TABLE = """\
/* Room for so many times order + 1 numbers and for n more; NULL where there is no memory. */
static double *new_table(const size_t times, const double order, const size_t n)
{
    const double numbers = (is_order(order) ? order + 1.0 : 0.0) * (double)times + (double)n + 1.0;
    return numbers < (double)(SIZE_MAX / sizeof(double)) ? malloc((size_t)numbers * sizeof(double))
                                                         : NULL;
}
"""
# Stands for a space at which no line ends.
JOINED = "\0"
HOW_TO_CALL = (
    "Arrays hold {what}; value has one entry for each. Results do not depend on the number of "
    "threads (compile with -fopenmp for any, with -march=native for vectors). Results are nan "
    "where there is no memory for {memory}. For the declarations alone, define {guard}_HEADER "
    "before including this file."
)


@dataclass(frozen=True)
class CFrames:
    """The functions of a file, of all precisions."""

    formula: Formula
    work: Program

    @cached_property
    def form(self) -> FrameForm:
        """Nests in double, whatever arrays hold."""
        return FrameForm(self.formula, C(PRECISIONS[1]), self.work)

    def how_to_call(self, guard: str) -> str:
        """The words of the comment on top."""
        what = "row after row of n entries"
        if self.form.rank == 2:
            what = "grid after grid of n rows of m entries"
        calls = any(nest.function in TABLES for nest in self.form.nests)
        memory = (
            "the table of a recursion, up to 2 (n + 3) (order + 1) doubles" if calls else "arrays"
        )
        return HOW_TO_CALL.format(what=what, memory=memory, guard=guard)

    def declarations(self) -> list[str]:
        """``void name_float32(rows, n, m, arrays, scalars, results)``."""
        return [self._signature(each, "void {name}", ["const size_t rows"]) for each in PRECISIONS]

    def definitions(self) -> list[str]:
        """Each function, those that it calls before it."""
        texts = [nest.text for nest in self.form.nests]
        rows = list(dict.fromkeys(nest.function for nest in self.form.nests if nest.function))
        tables = any(name in TABLES for name in rows)
        own = []
        if tables or any("exp_float64(" in text for text in texts):
            own.append("\n".join(exponential("exp_float64", DOUBLE)) + "\n")
        if tables or any("log1p_float64(" in text for text in texts):
            own.append("\n".join(log1p("log1p_float64", LOG1P_DOUBLE)) + "\n")
        own += [ROWS, *row_functions(rows), *[NEW_TABLE] * tables] if rows else []
        return ["\n".join(own), *(part for each in PRECISIONS for part in self._functions(each))]

    def _signature(self, each: Precision, head: str, first: Sequence[str]) -> str:
        sizes = [f"const size_t {size}" for size in self.form.sizes]
        arrays = [f"const {each.real} *restrict {array}" for array in self.formula.arrays]
        scalars = [f"const double {name}" for name in self._scalars]
        outputs = [f"{each.real} *restrict {self.form.output(n)}" for n in self.form.results]
        name = f"{self.formula.name}_{each.suffix}"
        given = [*first, *sizes, *arrays, *scalars, *outputs]
        return arguments_on_lines(head.format(name=name, suffix=each.suffix), given)

    @property
    def _scalars(self) -> list[str]:
        return [str(a) for a in self.formula.arguments if a not in self.formula.arrays]

    def _functions(self, each: Precision) -> list[str]:
        row = self._signature(each, "static void row_{suffix}", [])
        whole = self._signature(each, "void {name}", ["const size_t rows"])
        return [f"{row}\n{{\n{_indented(self._row(each))}\n}}\n", f"{whole}\n{self._batch(each)}\n"]

    def _batch(self, each: Precision) -> str:
        size = " * ".join(self.form.sizes)
        arrays = [f"{array} + row * {size}" for array in self.formula.arrays]
        outputs = []
        for n in self.form.results:
            lengths = [self.form.length(index.axis) for index in self.form.ops[n].frame or ()]
            outputs.append(" * ".join([f"{self.form.output(n)} + row", *lengths]))
        # Scalars have the precision of the arrays, as Python's numbers have in NumPy.
        cast = "(float)" if each.real == "float" else ""
        scalars = [f"{cast}{name}" for name in self._scalars]
        given = [*self.form.sizes, *arrays, *scalars, *outputs]
        call = arguments_on_lines(f"row_{each.suffix}", given, indented=8)
        return (
            f"{{\n    PARALLEL(if (rows > 1 && rows * {size} >= SMALL))\n"
            f"    for (size_t row = 0; row < rows; ++row)\n        {call};\n}}"
        )

    # --- one row, or one grid ---

    def _row(self, each: Precision) -> list[str]:
        kept = [nest for nest in self.form.nests if nest.kind != "store"]
        lines = [line for nest in self.form.nests for line in self._nest(nest, each)]
        unused = [
            f"(void){name};"
            for name in (*map(str, self.formula.arrays), *self._scalars)
            if not any(re.search(rf"\b{re.escape(name)}\b", line) for line in lines)
        ]
        arrays = [nest for nest in kept if nest.lengths]
        if not arrays:
            return [*unused, *lines]
        total = " + ".join(" * ".join(nest.lengths) for nest in arrays)
        memory = [
            f"double *const memory = malloc(({total} + 1) * sizeof(double));",
            "if (!memory) {",
            *(f"    {line}" for n in self.form.results for line in self._nothing(n)),
            "    return;",
            "}",
        ]
        at = "memory"
        for nest in arrays:
            memory.append(f"double *const {nest.name} = {at};")
            at = f"{nest.name} + {' * '.join(nest.lengths)}"
        return [*unused, *memory, *lines, "free(memory);"]

    def _nothing(self, result: int) -> list[str]:
        """A result of nothing but nan."""
        name = self.form.output(result)
        lengths = [self.form.length(index.axis) for index in self.form.ops[result].frame or ()]
        if not lengths:
            return [f"{name}[0] = NAN;"]
        size = " * ".join(lengths)
        return [f"for (size_t at = 0; at < {size}; ++at)", f"    {name}[at] = NAN;"]

    def _nest(self, nest: Nest, each: Precision) -> list[str]:
        target = f"{nest.name}[{nest.place}]" if nest.loops else nest.name
        if nest.kind == "call":
            return self._call(nest)
        if nest.kind == "store":
            at = nest.place if nest.loops else "0"
            return _looped(nest, [f"{nest.name}[{at}] = ({each.real})({nest.text});"])
        if nest.kind == "map" and not nest.loops:
            return [f"const double {nest.name} = {nest.text};"]
        if nest.kind == "map":
            return _looped(nest, [f"{target} = {nest.text};"])
        body = reduced(nest, target)
        if not nest.loops:
            return [f"double {nest.name};", "{", *(f"    {line}" for line in body), "}"]
        return _looped(nest, body)

    def _call(self, nest: Nest) -> list[str]:
        if nest.function not in TABLES:
            (x,) = nest.arguments
            return _sum_of_others(nest, x)
        arrays, order, base = split(nest)
        table = f"table_of_{nest.name}"
        lines = [f"double *const {table} = new_table({TABLES[nest.function]}, {order}, n);"]
        given = ["n", *arrays, order, base, table]
        if nest.loops:
            call = f"{nest.function}({', '.join([*given, nest.name])})"
            size = " * ".join(nest.lengths)
            otherwise = [f"for (size_t at = 0; !{table} && at < {size}; ++at)"]
            lines += [f"if ({table})", f"    {call};", *otherwise, f"    {nest.name}[at] = NAN;"]
        else:
            call = f"{nest.function}({', '.join(given)})"
            lines.append(f"const double {nest.name} = {table} ? {call} : NAN;")
        return [*lines, f"free({table});"]


def split(nest: Nest) -> tuple[tuple[str, ...], str, str]:
    """The arrays that a function of coefficients takes, the order, and the base, or nan."""
    count = 2 if nest.function.startswith("subset_mean") else 1
    rest = nest.arguments[count:]
    return nest.arguments[:count], rest[0], rest[1] if len(rest) > 1 else "NAN"


def reduced(nest: Nest, target: str) -> list[str]:
    """The loop of a reduction, and where what it has found is kept."""
    (j, length), text = nest.over or ("", ""), nest.text
    if nest.kind == "sum":
        return [
            "double total = 0.0, low = 0.0;",
            f"for (size_t block = 0; block < {length}; block += BLOCK) {{",
            f"    const size_t stop = smaller({length}, block + BLOCK);",
            "    double part = 0.0;",
            "    SIMD(reduction(+ : part))",
            f"    for (size_t {j} = block; {j} < stop; ++{j})",
            f"        part += {text};",
            "    add_exactly(&total, &low, part);",
            "}",
            f"{target} = total + low;",
        ]
    if nest.kind == "argmax":
        return [
            "double best = -INFINITY, at = 0.0;",
            f"for (size_t {j} = 0; {j} < {length}; ++{j}) {{",
            f"    const double next = {text};",
            f"    at = best < next ? (double){j} : at;",
            "    best = best < next ? next : best;",
            "}",
            f"{target} = at;",
        ]
    start, sign, step = {
        "max": ("-INFINITY", "max", "best = best < next ? next : best;"),
        "prod": ("1.0", "*", "best *= next;"),
    }[nest.kind]
    return [
        f"double best = {start};",
        f"SIMD(reduction({sign} : best))",
        f"for (size_t {j} = 0; {j} < {length}; ++{j}) {{",
        f"    const double next = {text};",
        f"    {step}",
        "}",
        f"{target} = best;",
    ]


def _looped(nest: Nest, body: list[str]) -> list[str]:
    """The loops around a body; the innermost runs in vectors where the body has no loop."""
    heads = [f"for (size_t {i} = 0; {i} < {length}; ++{i})" for i, length in nest.loops]
    if len(body) > 1:
        heads[-1] += " {"
        body = [*body, "}"]
    lines = []
    for depth, head in enumerate(heads):
        if depth == len(heads) - 1 and len(body) == 1 and nest.kind != "call":
            lines.append("    " * depth + "SIMD()")
        lines.append("    " * depth + head)
    *inner, last = body
    inside = [f"    {line}" for line in inner] + [last if inner else f"    {last}"]
    return [*lines, *("    " * max(0, len(heads) - 1) + line for line in inside)] if heads else body


def _sum_of_others(nest: Nest, x: str) -> list[str]:
    """Of each row of the last axis."""
    (*outer, (_, length)) = nest.loops
    at = place([i for i, _ in outer], [n for _, n in outer])
    begin = f" + ({at}) * {length}" if outer else ""
    call = f"sum_of_others({length}, {x}{begin}, {nest.name}{begin});"
    return _looped(Nest(nest.name, "call", tuple(outer)), [call]) if outer else [call]


def folded(lines: list[str], width: int = LINE - 4) -> list[str]:
    """Long lines in several, the later ones further in; what stands in brackets stays together."""
    found = []
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if len(line) <= width:
            found.append(line)
        else:
            begin = " " * depth
            found += wrap(
                line.strip(), width, initial_indent=begin, subsequent_indent=begin + "    "
            )
    return found


def _indented(lines: list[str]) -> str:
    return indent("\n".join(folded(lines)), "    ")
