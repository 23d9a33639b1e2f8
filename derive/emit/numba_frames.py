"""Numba of formulas that are no passes over one row: nests of loops, on arrays of float64.

The nests are those of :mod:`derive.emit.frames`, as in :mod:`derive.emit.c_frames`: a row of a
batch (a grid, or a row of which coefficients are taken) is computed by one thread. One function
serves both precisions: entries are float64 as soon as they are read, and rounded where stored.
"""

from __future__ import annotations

from textwrap import indent, wrap

from derive.emit.c_exp import DOUBLE
from derive.emit.c_frames import split
from derive.emit.frames import FrameForm, Nest, place
from derive.emit.numba_language import exponential, log1p, main
from derive.emit.numba_rows import numba_row_functions
from derive.emit.recursions import OTHERS

# Lines are no longer than in other emitted files; eight columns are left for what stands around.
WIDTH = 90
RUN = """\
@njit(**EXACT)
def whole(rows, {names}):
    for row in range(rows):
        one_row({given})


@njit(parallel=True, **EXACT)
def spread(rows, {names}):
    for row in prange(rows):
        one_row({given})
"""


def frame_main(form: FrameForm) -> str:
    """The function that is called."""
    outputs = {form.output(n): " * ".join(_lengths(form, n)) for n in form.results}
    sizes = ", ".join(form.sizes)
    run = [
        f"run = spread if rows * {' * '.join(form.sizes)} >= SMALL else whole",
        f"run(rows, {sizes}, $given)",
    ]
    returned = {
        form.output(n): ", ".join([f"shape[:-{form.rank}]", *_lengths(form, n)])
        for n in form.results
    }
    shapes = {name: _shape(shape) for name, shape in returned.items()}
    return main(form.formula, form.sizes, outputs, run, shapes)


def frame_functions(form: FrameForm) -> list[str]:
    """Each function, those that it calls before it."""
    texts = [nest.text for nest in form.nests]
    rows = list(dict.fromkeys(nest.function for nest in form.nests if nest.function))
    tables = any(name != OTHERS for name in rows)
    own = []
    if tables or any("exp_float64(" in text for text in texts):
        own.append(exponential("float64", DOUBLE))
    if tables or any("log1p_float64(" in text for text in texts):
        own.append(log1p("float64", DOUBLE))
    return [*own, *numba_row_functions(rows), _row(form), _rows(form)]


def _lengths(form: FrameForm, result: int) -> list[str]:
    return [form.length(index.axis) for index in form.ops[result].frame or ()]


def _shape(text: str) -> str:
    """``shape[:-1], n`` as a tuple; that of a value is a slice of the shape as it stands."""
    first, *rest = text.split(", ")
    return f"(*{first}, {', '.join(rest)})" if rest else first


def _names(form: FrameForm) -> list[str]:
    outputs = [form.output(number) for number in form.results]
    return [*form.sizes, *map(str, form.formula.arguments), *outputs]


def _rows(form: FrameForm) -> str:
    arrays = [str(array) for array in form.formula.arrays]
    values = [form.output(n) for n in form.results if not form.ops[n].frame]
    vectors = [form.output(n) for n in form.results if form.ops[n].frame]
    given = [
        f"{name}[row]"
        if name in (*arrays, *vectors)
        else f"{name}[row : row + 1]"
        if name in values
        else name
        for name in _names(form)
    ]
    return RUN.format(names=", ".join(_names(form)), given=", ".join(given))


def _row(form: FrameForm) -> str:
    lines = [line for nest in form.nests for line in _nest(nest)]
    body = indent("\n".join(folded(lines)), "    ")
    return f"@njit(**EXACT)\ndef one_row({', '.join(_names(form))}):\n{body}\n"


def _nest(nest: Nest) -> list[str]:
    """An array and the loops that fill it, or a number of the row."""
    array = [f"{nest.name} = np.empty({' * '.join(nest.lengths)})"] * bool(nest.loops)
    target = f"{nest.name}[{nest.place}]" if nest.loops else nest.name
    if nest.kind == "call":
        return [*array, *_call(nest)]
    if nest.kind == "store":
        at = nest.place if nest.loops else "0"
        return looped(nest.loops, [f"{nest.name}[{at}] = {nest.text}"])
    if nest.kind == "map":
        return [*array, *looped(nest.loops, [f"{target} = {nest.text}"])]
    return [*array, *looped(nest.loops, _reduced(nest, target))]


def _reduced(nest: Nest, target: str) -> list[str]:
    """The loop of a reduction, and where what it has found is kept."""
    (j, length), text = nest.over or ("", ""), nest.text
    if nest.kind == "sum":
        return [
            "total, low = 0.0, 0.0",
            f"for block in range(0, {length}, BLOCK):",
            "    part = 0.0",
            f"    for {j} in range(block, min({length}, block + BLOCK)):",
            f"        part = add_any_order(part, {text})",
            "    total, low = add_exactly(total, low, part)",
            f"{target} = total + low",
        ]
    start, steps, found = {
        "max": ("best = -np.inf", ["best = larger(best, following)"], "best"),
        "prod": ("best = 1.0", ["best *= following"], "best"),
        "argmax": (
            "best, at = -np.inf, 0.0",
            [f"at = float64({j}) if best < following else at", "best = larger(best, following)"],
            "at",
        ),
    }[nest.kind]
    inside = [f"following = {text}", *steps]
    return [
        start,
        f"for {j} in range({length}):",
        *(f"    {x}" for x in inside),
        f"{target} = {found}",
    ]


def _call(nest: Nest) -> list[str]:
    if nest.function != OTHERS:
        arrays, order, base = split(nest)
        given = ", ".join([*arrays, order, base.replace("NAN", "np.nan")])
        if not nest.loops:
            return [f"{nest.name} = {nest.function}({given})"]
        return [f"{nest.function}({given}, {nest.name})"]
    (x,), (*outer, (_, length)) = nest.arguments, nest.loops
    if not outer:
        return [f"sum_of_others({x}, {nest.name})"]
    begin = place([i for i, _ in outer], [n for _, n in outer])
    cut = [f"first = ({begin}) * {length}"]
    ends = f"first : first + {length}"
    return looped(tuple(outer), [*cut, f"sum_of_others({x}[{ends}], {nest.name}[{ends}])"])


def looped(loops: tuple[tuple[str, str], ...], body: list[str]) -> list[str]:
    """The loops around a body."""
    heads = [f"{'    ' * k}for {i} in range({n}):" for k, (i, n) in enumerate(loops)]
    return [*heads, *(f"{'    ' * len(loops)}{line}" for line in body)]


def folded(lines: list[str]) -> list[str]:
    """Long assignments in several lines, within parentheses."""
    found = []
    for line in lines:
        depth = " " * (len(line) - len(line.lstrip()))
        name, _, text = line.strip().partition(" = ")
        if len(line) <= WIDTH or not text:
            found.append(line)
        else:
            inside = wrap(text, WIDTH - len(depth) - 4, break_long_words=False)
            found += [f"{depth}{name} = (", *(f"{depth}    {part}" for part in inside), f"{depth})"]
    return found
