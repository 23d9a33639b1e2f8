"""CUDA of formulas that are no passes over one row: nests of loops, by the threads of a block.

The nests are those of :mod:`derive.emit.frames`: a block takes a row of the batch (a grid, or a row
of which coefficients are taken), its threads the entries of each nest in turn, and they wait for
one another before the next. Numbers of the row are known to all threads, arrays are in a workspace
that is given with the call. Everything is computed in double and rounded once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import indent

from derive.emit.c_frames import folded, split
from derive.emit.c_language import arguments_on_lines
from derive.emit.c_rows import TABLES, row_functions
from derive.emit.frames import FrameForm, Nest
from derive.emit.recursions import OTHERS

WORDS = """\
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif

__device__ inline void add_exactly(double *total, double *low, const double term)
{
    add_exactly<double>(*total, *low, term);
}

/* What the first thread knows, known to all. */
__device__ inline double everywhere(const double x)
{
    __shared__ double known;
    if (threadIdx.x == 0)
        known = x;
    __syncthreads();
    const double found = known;
    __syncthreads();
    return found;
}

#define FUNCTION __device__ inline
#define EXP(x) exp(x)
#define LOG1P(x) log1p(x)
#define EACH(m, first, count) \\
    for (size_t m = (first) + threadIdx.x; m < (size_t)(count); m += blockDim.x)
#define EACH_SUM(m, count, ...) EACH(m, 0, count)
#define EACH_MAX(m, count, peak) EACH(m, 0, count)
#define ALL_SUM(x) everywhere(over_block<Sum>(x))
#define ALL_MAX(x) everywhere(over_block<Largest>(x))
#define ONE_THREAD if (threadIdx.x == 0)
#define WAIT __syncthreads();
"""
HOW_TO_CALL = (
    "Kernels NAME_float32, NAME_float64, NAME_float16, NAME_bfloat16, to be launched with any grid "
    "and blocks of a multiple of 32 threads, up to 1024: a block takes one {row} after another. "
    "Arrays hold {what}; value has one entry for each. In CuPy: "
    "RawModule(code=text).get_function(name)((blocks,), (threads,), arguments), with {lengths} as "
    "numpy.int64 and scalars as numpy.float64. The workspace has ROOM doubles for each block, "
    "where ROOM = {room}{orders}. Define NO_HALVES where the headers of the halves are missing."
)
ORDERS = (
    ", and orders is the largest order of the batch (results of rows with a larger one are nan)"
)


@dataclass(frozen=True)
class CudaFrames:
    """The functions of a file."""

    form: FrameForm

    @property
    def has_orders(self) -> bool:
        """Whether coefficients are taken, for which tables are needed."""
        return any(nest.function in TABLES for nest in self.form.nests)

    @property
    def room(self) -> str:
        """How many doubles a block needs."""
        lengths = [" * ".join(nest.lengths) for nest in self._arrays]
        tables = {TABLES[nest.function] for nest in self.form.nests if nest.function in TABLES}
        if tables:
            times = max(tables, key=lambda text: ("n" in text, len(text)))
            lengths.append(f"({times}) * (orders + 1) + n")
        return " + ".join(lengths) or "0"

    @property
    def _arrays(self) -> list[Nest]:
        return [nest for nest in self.form.nests if nest.loops and nest.kind != "store"]

    def how_to_call(self) -> str:
        """The words of the comment on top."""
        grid = self.form.rank == 2
        return HOW_TO_CALL.format(
            row="grid" if grid else "row",
            what="grid after grid of n rows of m entries" if grid else "row after row of n entries",
            lengths=", ".join(["rows", *self.form.sizes, *["orders"] * self.has_orders]),
            room=self.room,
            orders=ORDERS * self.has_orders,
        ).replace("NAME", self.form.formula.name)

    def definitions(self) -> list[str]:
        """Each function, those that it calls before it, and the kernels last."""
        rows = list(dict.fromkeys(nest.function for nest in self.form.nests if nest.function))
        kinds = (("float32", "float"), ("float64", "double"))
        halves = (("float16", "__half"), ("bfloat16", "__nv_bfloat16"))
        return [
            WORDS,
            *row_functions(rows),
            self._run(),
            *(self._kernel(*kind) for kind in kinds),
            "#ifndef NO_HALVES",
            *(self._kernel(*kind) for kind in halves),
            "#endif",
        ]

    @property
    def _scalars(self) -> list[str]:
        formula = self.form.formula
        return [str(a) for a in formula.arguments if a not in formula.arrays]

    def _parameters(self, stored: str, suffix: str = "") -> list[str]:
        return [
            "const long long rows",
            *(f"const long long {size}" for size in self.form.sizes),
            *["const long long orders"] * self.has_orders,
            *(f"const {stored} *{array}{suffix}" for array in self.form.formula.arrays),
            *(f"const double {name}" for name in self._scalars),
            *(f"{stored} *{self.form.output(n)}" for n in self.form.results),
            "double *workspace",
        ]

    def _kernel(self, suffix: str, stored: str) -> str:
        name = f"{self.form.formula.name}_{suffix}"
        head = arguments_on_lines(f'extern "C" __global__ void {name}', self._parameters(stored))
        cast = "" if stored == "double" else "(float)"
        given = ["rows", *self.form.sizes, *["orders"] * self.has_orders]
        given += [*map(str, self.form.formula.arrays), *(f"{cast}{x}" for x in self._scalars)]
        given += [*(self.form.output(n) for n in self.form.results), "workspace"]
        return f"{head}\n{{\n{indent(arguments_on_lines('run', given, 4), '    ')};\n}}\n"

    def _run(self) -> str:
        head = arguments_on_lines(
            "template <typename Stored> __device__ void run", self._parameters("Stored", "_rows")
        )
        size = " * ".join(self.form.sizes)
        nests = [line for nest in self.form.nests for line in self._nest(nest)]
        rows = [
            f"const Row<Stored> {array}{{{array}_rows + row * {size}}};"
            for array in map(str, self.form.formula.arrays)
            if any(f"{array}[" in line for line in nests)
        ]
        lines = [
            *self._memory(),
            "for (long long row = blockIdx.x; row < rows; row += gridDim.x) {",
            *(f"    {line}" for line in [*rows, *nests, "__syncthreads();"]),
            "}",
        ]
        body = indent("\n".join(folded(lines)), "    ")
        return f"{head}\n{{\n{body}\n}}\n"

    def _memory(self) -> list[str]:
        """The arrays of the block, one after another."""
        at, lines = f"workspace + blockIdx.x * ({self.room})", []
        for nest in self._arrays:
            lines.append(f"double *const {nest.name} = {at};")
            at = f"{nest.name} + {' * '.join(nest.lengths)}"
        return [*lines, *[f"double *const table = {at};"] * self.has_orders]

    # --- one nest ---

    def _nest(self, nest: Nest) -> list[str]:
        if nest.kind == "call":
            return self._call(nest)
        if nest.kind == "store":
            return self._store(nest)
        if nest.kind == "map":
            if not nest.loops:
                return [f"const double {nest.name} = {nest.text};"]
            return _by_threads(nest, [f"{nest.name}[entry] = {nest.text};"])
        return _reduced_by_thread(nest) if nest.loops else _reduced_by_block(nest)

    def _store(self, nest: Nest) -> list[str]:
        if not nest.loops:
            return ["if (threadIdx.x == 0)", f"    put({nest.name} + row, {nest.text});"]
        size = " * ".join(nest.lengths)
        return _by_threads(nest, [f"put({nest.name} + row * ({size}) + entry, {nest.text});"])

    def _call(self, nest: Nest) -> list[str]:
        if nest.function == OTHERS:
            return _sum_of_others(nest)
        arrays, order, base = split(nest)
        fits = f"!is_order({order}) || {order} <= (double)orders"
        given = ", ".join(["n", *arrays, order, base, "table"])
        if not nest.loops:
            return [f"const double {nest.name} = {fits} ? {nest.function}({given}) : NAN;"]
        size = " * ".join(nest.lengths)
        return [
            f"if ({fits})",
            f"    {nest.function}({given}, {nest.name});",
            "else",
            f"    EACH(entry, 0, {size})",
            f"        {nest.name}[entry] = NAN;",
            "__syncthreads();",
        ]


def _by_threads(nest: Nest, body: list[str]) -> list[str]:
    """The entries of a frame by the threads in turn, who then wait for one another."""
    size, indices, lengths = " * ".join(nest.lengths), [], list(nest.lengths)
    for k, (name, length) in enumerate(nest.loops):
        below = " * ".join(lengths[k + 1 :])
        source = f"entry / ({below})" if below else "entry"
        source += f" % {length}" if k else ""
        if any(_uses(line, name) for line in body):
            indices.append(f"const long long {name} = {source};")
    return [
        f"for (long long entry = threadIdx.x; entry < {size}; entry += blockDim.x) {{",
        *(f"    {line}" for line in [*indices, *body]),
        "}",
        "__syncthreads();",
    ]


def _uses(line: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", line) is not None


def _taken(nest: Nest) -> tuple[str, str]:
    """How a reduction starts, and how it takes an entry."""
    text = nest.text
    if nest.kind == "sum":
        return "double total = 0.0, low = 0.0;", f"add_exactly<double>(total, low, {text});"
    if nest.kind == "prod":
        return "double best = 1.0;", f"best *= {text};"
    if nest.kind == "max":
        return "double best = -INFINITY;", f"best = larger_double(best, {text});"
    (j, _) = nest.over or ("", "")
    start = "double best = -INFINITY, at = 0.0;"
    return start, f"if (best < {text}) best = {text}, at = (double){j};"


FOUND = {"sum": "total + low", "prod": "best", "max": "best", "argmax": "at"}


def _reduced_by_thread(nest: Nest) -> list[str]:
    """A reduction for each entry of a frame: a thread has all of one."""
    (j, length), (start, step) = nest.over or ("", ""), _taken(nest)
    loop = [f"for (long long {j} = 0; {j} < {length}; ++{j})", f"    {step}"]
    return _by_threads(nest, [start, *loop, f"{nest.name}[entry] = {FOUND[nest.kind]};"])


def _reduced_by_block(nest: Nest) -> list[str]:
    """A reduction to one number of the row: a part by each thread, merged."""
    (j, length), (start, step) = nest.over or ("", ""), _taken(nest)
    merged = {
        "sum": "everywhere(over_block<Sum>(total + low))",
        "prod": "everywhere(over_block<Product>(best))",
        "max": "everywhere(over_block<Largest>(best))",
        "argmax": "everywhere(over_block<First>(best < highest ? First::none() : at))",
    }[nest.kind]
    highest = ["const double highest = everywhere(over_block<Largest>(best));"]
    lines = [
        start,
        f"for (long long {j} = threadIdx.x; {j} < {length}; {j} += blockDim.x)",
        f"    {step}",
        *highest * (nest.kind == "argmax"),
        f"{nest.name} = {merged};",
    ]
    return [f"double {nest.name};", "{", *(f"    {line}" for line in lines), "}"]


def _sum_of_others(nest: Nest) -> list[str]:
    """A row of the last axis by each thread."""
    (x,), (*outer, (_, length)) = nest.arguments, nest.loops
    count = " * ".join(n for _, n in outer) or "1"
    return [
        f"for (long long entry = threadIdx.x; entry < {count}; entry += blockDim.x)",
        f"    sum_of_others({length}, {x} + entry * {length}, {nest.name} + entry * {length});",
        "__syncthreads();",
    ]
