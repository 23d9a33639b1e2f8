"""Array targets: ``numpy``, and ``array-api`` for any namespace of the array API standard.

What every target of array functions shares is here too: a formula as the text of a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from derive.axis import Index
from derive.emit.forms import forms_of
from derive.emit.formula import Formula
from derive.emit.lines import Lines
from derive.emit.lowering import lowered
from derive.emit.moderate import Moderate, moderate
from derive.emit.recursions import NOTE, OTHERS, Dialect, loops
from derive.emit.text import documentation, header

NUMPY = Dialect("numpy", "np", device=False)
ARRAY_API = Dialect("array-api", "xp", device=True)
# No line of an emitted file is longer, as in the sources here.
LONGEST = 100


def numpy_source(formula: Formula) -> str:
    """A file that imports NumPy alone."""
    return file(formula, NUMPY, ["import numpy as np"], [function(formula, NUMPY, looks=True)])


def array_api_source(formula: Formula) -> str:
    """A file that imports nothing: the namespace is the arrays' own, or is given as ``xp``."""
    if not formula.arrays:
        raise ValueError(f"{formula.name} takes no array, so it has no namespace: use 'numpy'")
    namespace = f"xp = {formula.arrays[0]}.__array_namespace__() if xp is None else xp"
    return file(formula, ARRAY_API, [], [function(formula, ARRAY_API, [namespace], ", *, xp=None")])


@dataclass(frozen=True)
class FunctionText:
    """The lines of a function, and the loops that it calls."""

    lines: list[str]
    loops: list[str]


def function(
    formula: Formula,
    dialect: Dialect,
    first: Sequence[str] = (),
    parameters: str = "",
    looks: bool = False,
) -> FunctionText:
    """A formula as a function; ``first`` are lines above its body, ``parameters`` further ones.

    Where it ``looks`` at its arrays, those without a large exponent have a body of their own.
    """
    forms = forms_of(formula)
    lines = Lines(lowered(formula, dialect.target, forms), dialect)
    lines.write()
    quick = moderate(formula, dialect.target, forms) if looks else None
    notes = [*_shapes(formula), *[NOTE] * any(name != OTHERS for name in lines.loops)]
    above = [*first, *formula.limits("{array}.shape[{place}]")]
    body = [*above, *(_quick(quick, dialect) if quick else []), *lines.written]
    text = [
        *_definition(formula.name, formula.signature() + parameters),
        *documentation(formula, notes),
        *(f"    {line}" for line in [*body, f"return {lines.returned}"]),
    ]
    return FunctionText(text, lines.loops)


def _quick(quick: Moderate, dialect: Dialect) -> list[str]:
    """The lines for arrays without a large exponent, under the question whether they have one."""
    lines = Lines(quick.work, dialect, pinned=quick.exponents)
    lines.write()
    names = [lines.texts[number].source for number in quick.exponents]
    module = dialect.module
    asked = [f"{module}.all({module}.abs({name}) <= {quick.limit})" for name in names]
    defined = [place for place, line in enumerate(lines.written) if line.split(" = ")[0] in names]
    count = max(defined, default=-1) + 1
    inside = [*lines.written[count:], f"return {lines.returned}"]
    return [
        *lines.written[:count],
        f"if {' and '.join(asked)}:",
        *(f"    {line}" for line in inside),
    ]


def _definition(name: str, parameters: str) -> list[str]:
    """The first line of a function, or three where that is too long."""
    line = f"def {name}({parameters}):"
    return [line] if len(line) <= LONGEST else [f"def {name}(", f"    {parameters}", "):"]


def file(
    formula: Formula,
    dialect: Dialect,
    imports: list[str],
    functions: Sequence[FunctionText],
    rest: Sequence[str] = (),
) -> str:
    """A file with the functions, the loops that they bring along, and what stands on them."""
    called = [name for each in functions for name in each.loops]
    above = [*imports, *([""] * 2 if imports else []), *loops(called, dialect)]
    blocks = [each.lines for each in functions] + [[line] for line in rest]
    texts = [*("\n".join(block) for block in blocks)]
    head = "\n".join([*header(formula, dialect.target), *above])
    return f"{head}\n" + "\n\n\n".join(texts) + "\n"


def _shapes(formula: Formula) -> list[str]:
    sizes: dict[str, str] = {}
    for entry in sorted(formula.entries(), key=str):
        sizes.setdefault(f"{entry.base}", _shape(entry.indices))
    given = ", ".join(f"{name} ({shape})" for name, shape in sizes.items())
    results = formula.results
    made = [f"({_shape(result.outputs)})" for result in results]
    if len(results) > 1:
        made = [f"{result.name} {shape}" for result, shape in zip(results, made, strict=True)]
        return [f"Shapes: {given}; {', '.join(made)}. All arrays of one floating-point dtype."]
    return [f"Shapes: {given}; the result {made[0]}. All arrays of one floating-point dtype."]


def _shape(indices: tuple[Index, ...]) -> str:
    return ", ".join(["*batch", *(str(index.axis.size) for index in indices)])
