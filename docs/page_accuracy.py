"""docs/accuracy.md, from the report of a run of `lossproof verify --json`.

error(got) = |got - truth| / ulp(scale), the largest over all samples and components
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from page_tables import digits, table

__all__ = ["accuracy_page"]

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
brackets the component; `lossproof verify --only LOSS --json FILE` writes it in full.
"""
PLAIN = """The numeric core without compiled kernels, in NumPy; the losses over subsets are held to
1e-14 and 1e-6 relative to the truth (45 and 8 ulp) instead. Without a number: not asked."""


def accuracy_page(report: Mapping[str, Any]) -> str:
    """The page: the compiled kernels with their worst inputs, then everything that is plain."""
    lines = [line for comparison in report["accuracy"] for line in comparison["lines"]]
    lines = [line for line in lines if line["worst"] is not None]
    parts = [OPENING.format(run=_run(report))]
    parts += ["## Compiled kernels", _compiled(_of(lines, COMPILED, FAST_DTYPES))]
    parts += ["## Plain", PLAIN, _plain(_of(lines, CORE, DTYPES))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _run(report: Mapping[str, Any]) -> str:
    numbers = sum(
        line["count"] for comparison in report["accuracy"] for line in comparison["lines"]
    )
    versions = ", ".join(f"{name} {text}" for name, text in report["versions"].items())
    verdict = "passed" if report["passed"] else "did not pass"
    return f"The run {verdict}; {numbers} numbers were compared. {versions}."


def _of(lines: Lines, route: str, dtypes: Sequence[str]) -> Lines:
    return [line for line in lines if line["route"] == route and line["dtype"] in dtypes]


def _compiled(lines: Lines) -> str:
    """A line for each loss, quantity and dtype, with the input that is worst."""
    head = ["loss", "quantity", "dtype", "worst input", "largest error, ulp", "numbers"]
    return table(head, [_compiled_line(line) for line in _sorted(lines)], texts=4)


def _compiled_line(line: Mapping[str, Any]) -> list[str]:
    worst = line["worst"]
    where = f"{worst['sample'].partition('/')[2]}[{worst['index']}], n = {worst['n']}"
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
