"""A small run of every kind, and its site: a folder as the command leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from verify.accuracy import AccuracyTable, Worst
from verify.compare import Comparison
from verify.coverage import cover
from verify.draws import DrawCheck
from verify.grid.solutions import check_solutions
from verify.newton import newton_map
from verify.report import write_report
from verify.run import Report, Task, Weighing, verify
from verify.samples import quick
from verify.subset import SubsetReport, SubsetWorst

#: Of every verdict one at least, of all documents but one, with and without derivations.
STATEMENTS = (
    *("9158-d", "9158-4", "9158-l", "9158-m", "9158-n", "9158-o", "9158-f"),
    *("9064-n", "9064-b", "9064-s", "9064-v", "9064-m", "7359-9", "7359-a", "SURVEY-5"),
    *("own-grid-solution", "own-soft-mixed-losses", "own-labels-elements", "own-code-exact"),
)
TOPICS = (("soft_zlpr", "optimum"), ("grid_truncated", "two-classes"), ("zlpr", "gradient"))


def _measured() -> Comparison:
    """Lines as a measurement leaves them, on samples of the real sets."""
    table = AccuracyTable()
    for quantity, error in (("value", 0.9), ("gradient", 3.5), ("hvp", 2.1)):
        for dtype in ("float64", "float32", "float16"):
            own = min(error, 0.5) if dtype == "float16" else error
            worst = Worst(own, f"{dtype}/ties/soft/unit", 0, 1.0, "1.0", "1.0", 2, "s = (0, 1)")
            table.record(("soft_zlpr", "core", quantity, dtype), 100, worst)
    return Comparison("soft_zlpr", table, cover(quick("soft_zlpr")[:40]))


def _subsets() -> SubsetReport:
    found = SubsetReport(newton=newton_map(8, (0.1, 30.0), (1, 4)))
    for method, error in (("stable", 1e-16), ("newton", float("inf"))):
        worst = SubsetWorst(error, "trained/3", 8, 4, 0, 1.0, "1.0", "(...)")
        found.record(("trained", "log Z_k", method, "float64"), [error], worst)
    found.draws.append(DrawCheck("exact", "3 of 8", 8, 3, 1000, {"singles": 0.4}, True))
    return found


@pytest.fixture(scope="session")
def report() -> Report:
    """Derivations and statements decided now; the figures of a measurement made up."""
    made = verify([*(Task(*topic) for topic in TOPICS), *(Weighing(x, False) for x in STATEMENTS)])
    made.add(_measured())
    made.add(_subsets())
    made.add(check_solutions())
    return made


@pytest.fixture(scope="session")
def site(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of its site."""
    folder = tmp_path_factory.mktemp("report") / "site"
    write_report(report, folder)
    yield folder
