"""The figures of a run as the overview shows them: accuracy by loss, coverage.

Every figure is counted from the outcomes of the run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verify.accuracy import Line
from verify.compare import Comparison
from verify.run import Report
from verify.subset import SubsetLine, SubsetReport

__all__ = ["AccuracyRow", "CoverageRow", "SubsetTable", "accuracy_rows", "coverage_rows"]
__all__ += ["error_in_words", "plotted", "subset_table"]

#: The dtypes of the table and their short names; an emitted file is judged in float64 and float32.
DTYPES = {"float64": "f64", "float32": "f32", "float16": "f16"}


@dataclass(frozen=True)
class AccuracyRow:
    """A loss and a quantity: the worst line of the core for each dtype, and of emitted code."""

    loss: str
    quantity: str
    core: dict[str, Line | None]
    emitted: Line | None

    @property
    def worst(self) -> Line | None:
        """The line of the core that is nearest to its bound."""
        return _worst([line for line in self.core.values() if line is not None])


def accuracy_rows(report: Report) -> list[AccuracyRow]:
    """One row for each loss and quantity."""
    lines = list(report.accuracy)
    return [
        _accuracy_row([line for line in lines if (line.loss, line.quantity) == key])
        for key in dict.fromkeys((line.loss, line.quantity) for line in lines)
    ]


def _accuracy_row(lines: list[Line]) -> AccuracyRow:
    core = [line for line in lines if line.route.startswith("core")]
    by_dtype = {name: _worst([x for x in core if x.dtype == name]) for name in DTYPES}
    emitted = _worst([line for line in lines if line.route.startswith("emitted")])
    return AccuracyRow(lines[0].loss, lines[0].quantity, by_dtype, emitted)


def _worst(lines: Iterable[Line]) -> Line | None:
    return max(lines, key=lambda line: line.error / line.bound, default=None)


def plotted(report: Report) -> list[Line]:
    """The core in float64: what the picture shows."""
    rows = (row.core["float64"] for row in accuracy_rows(report))
    return [line for line in rows if line is not None]


@dataclass(frozen=True)
class CoverageRow:
    """A feature of the samples, and how many of how many have it, over all losses."""

    feature: str
    count: int
    samples: int


def coverage_rows(comparisons: Sequence[Comparison]) -> list[CoverageRow]:
    """Each feature once, with the samples of those losses of which it is asked."""
    having: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for coverage in (comparison.coverage for comparison in comparisons):
        for name in coverage.catalogue():
            having[name] += coverage.features[name]
            asked[name] += coverage.samples
    return [CoverageRow(name, having[name], asked[name]) for name in asked]


@dataclass(frozen=True)
class SubsetTable:
    """Relative errors over k-subsets: a row for each kind of scores and dtype."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[SubsetLine | None, ...]], ...]


def subset_table(subsets: SubsetReport) -> SubsetTable:
    """The lines by quantity and method (across)."""
    lines = subsets.lines
    columns = tuple(dict.fromkeys((x.quantity, x.method) for x in lines.values()))
    kinds = dict.fromkeys((x.dtype, x.regime) for x in lines.values())
    rows = [
        (regime, dtype, tuple(lines.get((regime, *column, dtype)) for column in columns))
        for dtype, regime in sorted(kinds, key=lambda kind: kind[0], reverse=True)
    ]
    return SubsetTable(columns, tuple(rows))


def error_in_words(error: float) -> str:
    """In ulp: two digits after the point, or a power of ten."""
    if not math.isfinite(error):
        return "no number"
    return f"{error:.2f}" if error < 1000 else f"{error:.0e}"
