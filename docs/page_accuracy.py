"""docs/accuracy.md, from the report of a run of `lossproof verify --json`.

error(got) = |got - truth| / ulp(scale), the largest over all samples and components
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from page_tables import digits, filled, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from derive.losses import LOSSES
from verify.accuracy import SUBSET_LOSSES
from verify.oracle.grid import GRIDS

__all__ = ["FIGURES", "accuracy_page", "seen"]

CORE, COMPILED = "core", "core, compiled"
QUANTITIES = ("value", "gradient", "hvp")
FAST_DTYPES = ("float32", "float64")
DTYPES = ("float16", *FAST_DTYPES)

Lines = Sequence[Mapping[str, Any]]

OPENING = """# How exact

This page is made by `python docs/make_pages.py --report report.json` from what `lossproof verify
--json report.json` found. {run}

Each number is the largest error over all rows and components, in units of the last place: of the
number itself where its terms have one sign, else of the larger side of the difference. The truth is
an Arb ball and is not rounded, so 0.5 is a correctly rounded result. The bound is 4 ulp, also where
a loss is 1e-300. The rows are chosen to break the losses: ties, masks of every kind, scores at the
edge of overflow, no label at all, a million labels.

The input is named as pattern / kind of labels / vector of the Hessian-vector product, and in
brackets the component; parameters of a loss are told where they are not the usual ones.
`lossproof verify --only LOSS --json FILE` writes all of it in full.
"""
PLAIN = """The numeric core without compiled kernels, in NumPy; the losses over subsets are held to
1e-14 and 1e-6 relative to the truth (45 and 8 ulp) instead. Without a number: not asked."""


def accuracy_page(report: Mapping[str, Any]) -> str:
    """The page: the compiled kernels with their worst inputs, then everything that is plain."""
    lines = _lines(report)
    parts = [OPENING.format(run=_run(report))]
    parts += ["## Compiled kernels", _compiled(_worst(lines, COMPILED, FAST_DTYPES))]
    parts += ["## Plain", PLAIN, _plain(_worst(lines, CORE, DTYPES))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _lines(report: Mapping[str, Any]) -> Lines:
    """All lines of the numeric core with an error."""
    lines = [line for comparison in report["accuracy"] for line in comparison["lines"]]
    return [line for line in lines if line["worst"] and line["route"].startswith(CORE)]


def _run(report: Mapping[str, Any]) -> str:
    numbers = sum(
        line["count"] for comparison in report["accuracy"] for line in comparison["lines"]
    )
    versions = ", ".join(f"{name} {text}" for name, text in report["versions"].items())
    verdict = "passed" if report["passed"] else "did not pass"
    return f"The run {verdict}; {numbers} numbers were compared. {versions}."


def _worst(lines: Lines, route: str, dtypes: Sequence[str]) -> Lines:
    """The line of the largest error for each loss, quantity and dtype, over all parameters."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for line in lines:
        if line["dtype"] in dtypes and line["route"].startswith(COMPILED) == (route == COMPILED):
            key = line["loss"], line["quantity"], line["dtype"]
            old = found.get(key, line | {"count": 0})
            worse = max(old, line, key=lambda each: float(each["max_ulp"]))
            found[key] = worse | {"count": old["count"] + line["count"]}
    return list(found.values())


def _compiled(lines: Lines) -> str:
    """A line for each loss, quantity and dtype, with the input that is worst."""
    head = ["loss", "quantity", "dtype", "worst input", "largest error, ulp", "numbers"]
    return table(head, [_compiled_line(line) for line in _sorted(lines)], texts=4)


def _compiled_line(line: Mapping[str, Any]) -> list[str]:
    worst = line["worst"]
    where = f"{worst['sample'].partition('/')[2]}[{worst['index']}], n = {worst['n']}"
    where += line["route"].removeprefix(COMPILED)
    about = [f"`{line['loss']}`", line["quantity"], line["dtype"], where]
    return [*about, _ulp(line), str(line["count"])]


def _sorted(lines: Lines) -> Lines:
    losses = list(dict.fromkeys(line["loss"] for line in lines))
    order = {"loss": losses, "quantity": list(QUANTITIES), "dtype": list(DTYPES)}
    return sorted(lines, key=lambda line: [order[name].index(line[name]) for name in order])


def _ulp(line: Mapping[str, Any]) -> str:
    return digits(float(line["max_ulp"])) if float(line["max_ulp"]) else "0"


def _plain(lines: Lines) -> str:
    """A line for each loss and quantity, a column for each dtype."""
    known = {(line["loss"], line["quantity"], line["dtype"]): _ulp(line) for line in lines}
    pairs: Iterable[tuple[str, str]] = dict.fromkeys(
        (line["loss"], line["quantity"]) for line in _sorted(lines)
    )
    rows = [[f"`{loss}`", q, *(known.get((loss, q, d), "") for d in DTYPES)] for loss, q in pairs]
    return table(["loss", "quantity", *DTYPES], rows, texts=2)


def seen(readme: str, report: Mapping[str, Any]) -> str:
    """The README with the largest errors of this report."""
    for name, figure in FIGURES.items():
        readme = filled(readme, name, figure(report))
    return readme


def _rows(report: Mapping[str, Any]) -> str:
    return str(sum(comparison["coverage"]["samples"] for comparison in report["accuracy"]))


def _largest(count: int, **wanted: Sequence[str]) -> Callable[[Mapping[str, Any]], str]:
    """The largest error of the core among the lines that have one of these fields."""

    def figure(report: Mapping[str, Any]) -> str:
        lines = [x for x in _lines(report) if all(x[f] in known for f, known in wanted.items())]
        return digits(max(float(line["max_ulp"]) for line in lines), count) if lines else "none"

    return figure


OF_ROWS = [loss for loss in LOSSES if loss not in SUBSET_LOSSES and loss not in GRIDS]
FIGURES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "samples": _rows,
    **{q: _largest(3, loss=OF_ROWS, quantity=[q], dtype=FAST_DTYPES) for q in QUANTITIES},
    **{
        f"subsets, {d}": _largest(2, loss=list(SUBSET_LOSSES), dtype=[d])
        for d in reversed(FAST_DTYPES)
    },
    "grids": _largest(2, loss=list(GRIDS), dtype=FAST_DTYPES),
    "halves": _largest(2, dtype=["float16", "bfloat16"]),
}
"""What the README's table of errors tells, between <!-- NAME --> and <!-- end -->."""
