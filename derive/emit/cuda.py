"""Target ``cuda``: CUDA C++, a row per block, for float32, float64, float16 and bfloat16.

The passes are those of :mod:`derive.emit.loops`. The threads of a block take the entries of a row
in turn; what each has reduced is merged within warps by shuffles, and between them in shared
memory. The numbers of the row are computed by one thread, in double. A thread adds with its
rounding errors, so sums of float lose nothing and need no double at every entry. Halves are
computed in float and rounded once.

A result depends on the number of threads of a block (their order of merging), not on the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from textwrap import indent

from derive.emit.c_language import FLOAT, PRECISIONS, C, Precision, arguments_on_lines, comment
from derive.emit.cuda_frames import CudaFrames
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.frames import FrameForm
from derive.emit.loops import LoopForm, Pass, loop_form
from derive.emit.lowering import program
from derive.emit.scalars import Writer

HOW_TO_CALL = (
    "Kernels NAME_float32, NAME_float64, NAME_float16, NAME_bfloat16, to be launched with any grid "
    "and blocks of a multiple of 32 threads, up to 1024: a block takes one row after another. "
    "Arrays hold row after row of n entries; value has one entry a row. In CuPy (whose RawModule "
    "flushes subnormal floats to 0): "
    "RawModule(code=text).get_function(name)((blocks,), (threads,), arguments), with rows and n as "
    "numpy.int64 and scalars as numpy.float64. Define NO_HALVES where the headers of the halves "
    "are missing."
)

PRELUDE = """\
#ifndef NO_HALVES
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif

__device__ inline float larger_float(const float a, const float b) { return a < b ? b : a; }
__device__ inline double larger_double(const double a, const double b) { return a < b ? b : a; }

/* Entries as they are computed with: halves as floats. */
__device__ inline float entry_of(const float x) { return x; }
__device__ inline double entry_of(const double x) { return x; }
__device__ inline void put(float *at, const double x) { *at = (float)x; }
__device__ inline void put(double *at, const double x) { *at = x; }
#ifndef NO_HALVES
__device__ inline float entry_of(const __half x) { return __half2float(x); }
__device__ inline float entry_of(const __nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void put(__half *at, const double x) { *at = __double2half(x); }
__device__ inline void put(__nv_bfloat16 *at, const double x) { *at = __double2bfloat16(x); }
#endif

/* Row after row of an array; reading converts. */
template <typename Stored> struct Row {
    const Stored *entries;
    __device__ auto operator[](const long long j) const { return entry_of(entries[j]); }
};

/* total + low += term, where low is what the additions to total have rounded away. */
template <typename Real> __device__ inline void add_exactly(Real &total, Real &low, const Real term)
{
    const Real sum = total + term, part = sum - total;
    low += isfinite(sum) ? (total - (sum - part)) + (term - part) : (Real)0;
    total = sum;
}

struct Sum {
    __device__ static double merge(const double a, const double b) { return a + b; }
    __device__ static double none() { return 0.0; }
};
struct Product {
    __device__ static double merge(const double a, const double b) { return a * b; }
    __device__ static double none() { return 1.0; }
};
struct Largest {
    __device__ static double merge(const double a, const double b) { return larger_double(a, b); }
    __device__ static double none() { return -INFINITY; }
};
/* Places: whole numbers below 2^53. */
struct First {
    __device__ static double merge(const double a, const double b) { return a < b ? a : b; }
    __device__ static double none() { return 9007199254740992.0; }
};

template <typename Merge> __device__ inline double over_warp(double x)
{
    for (int apart = 16; apart > 0; apart /= 2)
        x = Merge::merge(x, __shfl_xor_sync(0xffffffffu, x, apart));
    return x;
}

/* What all threads of the block have, merged; known to the first warp. */
template <typename Merge> __device__ inline double over_block(double x)
{
    __shared__ double warps[32];
    x = over_warp<Merge>(x);
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = x;
    __syncthreads();
    if (threadIdx.x < 32)
        x = over_warp<Merge>(threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : Merge::none());
    __syncthreads();
    return x;
}
"""
MERGES = {"sum": "Sum", "prod": "Product", "max": "Largest", "first": "First"}


@dataclass(frozen=True)
class Cuda(C):
    """C, with the numbers of the row in shared memory and the library's functions."""

    own: bool = False
    name: str = "cuda"

    def line(self, name: str, text: str, entry: bool) -> str:
        """A constant of an entry; a number of the row is assigned to its place."""
        return f"const {self.precision.real} {name} = {text};" if entry else f"{name} = {text};"


def cuda_source(formula: Formula) -> str:
    """A CUDA file for nvcc and for CuPy's ``RawModule``; its kernels are ``extern "C"``."""
    work = program(formula, "cuda")
    try:
        form = loop_form(formula, "cuda", work)
    except UnsupportedNode:
        nests = CudaFrames(FrameForm(formula, Cuda(PRECISIONS[1]), work))
        head = comment(formula, "cuda", nests.how_to_call())
        return "\n".join([*head, PRELUDE, *nests.definitions()]) + "\n"
    parts = [_Functions(form, precision) for precision in PRECISIONS]
    single, double = parts
    lines = [
        *comment(formula, "cuda", HOW_TO_CALL.replace("NAME", formula.name)),
        PRELUDE,
        *("\n\n".join(part.definitions()) + "\n" for part in parts),
        single.kernel("float32", "float"),
        double.kernel("float64", "double"),
        "#ifndef NO_HALVES",
        single.kernel("float16", "__half"),
        single.kernel("bfloat16", "__nv_bfloat16"),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Functions:
    """The functions that compute in one precision."""

    form: LoopForm
    precision: Precision

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.form, Cuda(self.precision))

    @property
    def _real(self) -> str:
        return self.precision.real

    def definitions(self) -> list[str]:
        """The passes, and the function that every kernel of this precision calls."""
        steps = self._by_one(self.writer.before())
        own = []
        for place, run in enumerate(self.form.passes, start=1):
            own += self._pass(run, place)
            steps += self._step(run, place)
        stored = [
            f"put({self.form.output(n)} + row, {self.writer.row_operand(n)});"
            for n in self.form.values
        ]
        return [*own, self._run([*steps, *self._by_one(stored)])]

    # --- what is called ---

    @property
    def _scalars(self) -> list[str]:
        arrays = self.form.formula.arrays
        return [str(a) for a in self.form.formula.arguments if a not in arrays]

    def _parameters(self, stored: str, suffix: str = "") -> list[str]:
        formula = self.form.formula
        return [
            "const long long rows",
            "const long long n",
            *(f"const {stored} *{array}{suffix}" for array in formula.arrays),
            *(f"const double {name}" for name in self._scalars),
            *(f"{stored} *{self.form.output(n)}" for n in self.form.results),
        ]

    def kernel(self, suffix: str, stored: str) -> str:
        """The kernel for arrays of one type."""
        head = arguments_on_lines(
            f'extern "C" __global__ void {self.form.formula.name}_{suffix}',
            self._parameters(stored),
        )
        cast = "(float)" * (self.precision is FLOAT)
        outputs = [self.form.output(n) for n in self.form.results]
        given = [*map(str, self.form.formula.arrays), *(f"{cast}{x}" for x in self._scalars)]
        call = arguments_on_lines(f"run_{self._real}", ["rows", "n", *given, *outputs], 4)
        return f"{head}\n{{\n{indent(call, '    ')};\n}}\n"

    def _run(self, steps: list[str]) -> str:
        head = arguments_on_lines(
            f"template <typename Stored> __device__ void run_{self._real}",
            self._parameters("Stored", suffix="_rows"),
        )
        named = self._shared(steps)
        rows = [
            f"const Row<Stored> {array}{{{array}_rows + row * n}};"
            for array in map(str, self.form.formula.arrays)
            if any(array in line for line in steps)
        ]
        lines = [
            *[f"__shared__ double {', '.join(named)};"] * bool(named),
            "for (long long row = blockIdx.x; row < rows; row += gridDim.x) {",
            *(f"    {line}" for line in [*rows, *steps, "__syncthreads();"]),
            "}",
        ]
        return f"{head}\n{{\n{indent(chr(10).join(lines), '    ')}\n}}"

    def _shared(self, steps: list[str]) -> list[str]:
        """The numbers of the row that are assigned, in the order in which they are."""
        starts = [line.strip().split(" = ")[0] for line in steps if " = " in line]
        numbers = set(self.writer.names.values())
        return list(dict.fromkeys(start for start in starts if start in numbers))

    # --- one pass ---

    def _by_one(self, lines: list[str]) -> list[str]:
        """Lines for one thread; the others wait for it."""
        if not lines:
            return []
        return [
            "if (threadIdx.x == 0) {",
            *(f"    {line}" for line in lines),
            "}",
            "__syncthreads();",
        ]

    def _step(self, run: Pass, place: int) -> list[str]:
        """A pass of all threads, what they have merged, and the numbers that follow from it."""
        names, name = self.writer.names, f"pass_{place}_{self._real}"
        given = ["n", *self._used(run), *(self._as_seen(n) for n in self.writer.carried(run))]
        given += [f"{self.form.output(n)} + row * n" for n in run.stores]
        if not run.reductions:
            return [f"{line}" for line in f"{arguments_on_lines(name, given, 8)};".splitlines()]
        call = arguments_on_lines(f"const {name}_result mine_{place} = {name}", given, 8)
        lines = f"{call};".splitlines()
        merged = []
        for number in run.reductions:
            kind, own = self.form.ops[number].kind, names[number]
            mine = f"mine_{place}.{own}"
            if kind == "first":
                largest = f"{own}_largest"
                lines += [
                    f"__shared__ double {largest};",
                    f"const double {own}_of_all = over_block<Largest>({mine}_value);",
                    *self._by_one([f"{largest} = {own}_of_all;"]),
                ]
                mine = f"{mine}_value < {largest} ? First::none() : (double){mine}"
            lines.append(f"const double {own}_merged = over_block<{MERGES[kind]}>({mine});")
            merged.append(f"{own} = {own}_merged;")
        return [*lines, *self._by_one([*merged, *self.writer.after(run)])]

    def _used(self, run: Pass) -> list[str]:
        entries = (self.form.ops[number] for number in run.entries)
        read = {str(op.data[0]) for op in entries if op.kind == "array"}
        return [str(array) for array in self.form.formula.arrays if str(array) in read]

    def _as_seen(self, number: int) -> str:
        """A number of the row as entries see it."""
        name = self.writer.names[number]
        if self.form.ops[number].kind == "first":
            return f"(long long){name}"
        return name if self._real == "double" else f"(float){name}"

    def _seen(self, number: int) -> str:
        return "long long" if self.form.ops[number].kind == "first" else self._real

    def _pass(self, run: Pass, place: int) -> list[str]:
        names, name = self.writer.names, f"pass_{place}_{self._real}"
        given = [
            "const long long n",
            *(f"const Row<Stored> {array}" for array in self._used(run)),
            *(f"const {self._seen(n)} {names[n]}" for n in self.writer.carried(run)),
            *(f"Stored *{self.form.output(n)}" for n in run.stores),
        ]
        body = [*self.writer.entries(run)]
        body += [line for number in run.reductions for line in self._taken(number)]
        body += [f"put({self.form.output(n)} + j, {self.writer.operand(n)});" for n in run.stores]
        loop = [
            "for (long long j = threadIdx.x; j < n; j += blockDim.x) {",
            *(f"    {line}" for line in body),
            "}",
        ]
        start = [line for number in run.reductions for line in self._start(number)]
        end = [line for number in run.reductions for line in self._end(number)]
        result = f"{name}_result" if run.reductions else "void"
        returned = ["return mine;"] * bool(run.reductions)
        own = [f"{result} mine;"] * bool(run.reductions)
        head = arguments_on_lines(
            f"template <typename Stored> __device__ inline {result} {name}", given
        )
        lines = [*own, *start, *loop, *end, *returned]
        function = f"{head}\n{{\n{indent(chr(10).join(lines), '    ')}\n}}"
        fields = " ".join(field for number in run.reductions for field in self._fields(number))
        return [f"struct {name}_result {{ {fields} }};", function] if run.reductions else [function]

    def _fields(self, number: int) -> list[str]:
        name = self.writer.names[number]
        if self.form.ops[number].kind == "first":
            return [f"long long {name};", f"{self._real} {name}_value;"]
        return [f"{'double' if self._is_sum(number) else self._real} {name};"]

    def _is_sum(self, number: int) -> bool:
        return self.form.ops[number].kind == "sum"

    def _start(self, number: int) -> list[str]:
        kind, name = self.form.ops[number].kind, self.writer.names[number]
        if kind == "sum":
            return [f"{self._real} {name} = 0, {name}_low = 0;"]
        if kind == "first":
            return [f"mine.{name} = 0;", f"mine.{name}_value = -INFINITY;"]
        return [f"mine.{name} = {'1' if kind == 'prod' else '-INFINITY'};"]

    def _taken(self, number: int) -> list[str]:
        """The reduction takes an entry."""
        kind, name = self.form.ops[number].kind, self.writer.names[number]
        value = self.writer.operand(number)
        if kind == "sum":
            return [f"add_exactly<{self._real}>({name}, {name}_low, {value});"]
        if kind == "prod":
            return [f"mine.{name} *= {value};"]
        if kind == "max":
            return [f"mine.{name} = larger_{self._real}(mine.{name}, {value});"]
        return [
            f"if (mine.{name}_value < {value} || j == threadIdx.x) {{",
            f"    mine.{name}_value = {value};",
            f"    mine.{name} = j;",
            "}",
        ]

    def _end(self, number: int) -> list[str]:
        name = self.writer.names[number]
        return [f"mine.{name} = (double){name} + (double){name}_low;"] * self._is_sum(number)
