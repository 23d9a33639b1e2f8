"""The pages of figures say what was measured, and the README what the pages say."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import Case
from benchmarks.run import BANDWIDTH, Row
from derive.losses import LOSSES
from verify.accuracy import BOUNDS
from verify.compare import family_of
from verify.measure import References, measure
from verify.oracle import BallOracle
from verify.routes import compiled_quantities, compiled_route, has_kernel

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from page_accuracy import FIGURES, accuracy_page, seen
from page_speed import speed_page, told
from page_tables import digits, span, table

ROOT = Path(__file__).parents[2]
STORED = json.loads((ROOT / "benchmarks" / "measured.json").read_text(encoding="utf-8"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_page_of_times_is_what_the_stored_run_gives() -> None:
    assert text_of("docs/speed.md") == speed_page(STORED)


def test_the_readme_tells_the_figures_of_the_stored_run() -> None:
    readme = text_of("README.md")
    assert told(readme, STORED) == readme
    names = re.findall("<!-- (?!end)(.*?) -->", readme)
    assert names == ["subsets", "speed", *FIGURES] and readme.count("<!-- end -->") == len(names)


def test_numbers_have_their_digits() -> None:
    shown = [digits(x) for x in (0.0, 1234.5, 99.96, 1.0, 0.09996)]
    assert shown == ["0", "1230", "100", "1.00", "0.100"]
    assert digits(float("inf")) == "inf"
    assert span([2.04, 1.5, 3.16]) == "1.5 to 3.2" and span([2.0, 2.04]) == "2.0"
    with pytest.raises(ValueError, match="empty"):
        span([])


def test_tables() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def row(contender: str, seconds: float, **more: Any) -> Row:
    case = Case("zlpr", (8, 4), "float32")
    figures = (seconds, seconds / 0.002, BANDWIDTH, {BANDWIDTH: seconds / 0.002})
    found = Row(case.unit, case.dtype, contender, *figures, 0.9 * seconds, 1.1 * seconds, 3)
    found = replace(found, loss=case.name, quantity=case.quantity, shape=case.shape)
    errors = {} if contender == BANDWIDTH else {"value_error": 1e-7, "gradient_error": 1e-7}
    return replace(found, **errors | more)


def page_of(*rows: Row) -> str:
    machine = {"processor": "P", "cores": "2", "numpy": "2"}
    return speed_page({"machine": machine, "rows": [row.as_dict() for row in rows]})


def test_times_are_multiples_of_the_fastest_way() -> None:
    fast = "lossproof fast, out="
    rows = [row("lossproof", 0.03), row(fast, 0.006, memory=0.04), row("jax.jit", 0.075)]
    page = page_of(*rows, row("SciPy", 0.6, gradient_error=0.1), row(BANDWIDTH, 0.002))
    assert (
        f"| lossproof | {fast} | jax.jit | SciPy |" in page
        and "| 8 × 4 | float32 | value, gradient | 2.00 | 6.00 ± 10 % | 3.00"
        " | 5.00 | 1.00 | 12.5 | 100 (off) |"
        in page
    )
    assert "| 8 × 4 | float32 |  | 0.0 |  |  |" in page


def test_growth_is_shown_where_it_was_measured() -> None:
    grown = Case("zlpr", (16, 64), "float32")
    rows = [
        replace(row(name, 0.003), case=grown.unit, shape=grown.shape) for name in ("x", "lossproof")
    ]
    assert "## Growth" not in page_of(row("lossproof", 0.01), row(BANDWIDTH, 0.002))
    page = page_of(*rows)
    assert "## Growth" in page and "| rows × n | dtype | lossproof | x |" in page
    assert "| 16 × 64 | float32 | 3.00 | 3.00 |" in page


def test_a_result_that_is_not_finite_is_off() -> None:
    page = page_of(
        row("lossproof", 0.01), row("x", 0.02, value_error=float("inf")), row(BANDWIDTH, 1)
    )
    assert "| 1.00 | 2.00 (off) |" in page


def test_the_readme_keeps_its_words_around_the_figures() -> None:
    found = {"rows": []}
    kept = "a <!-- speed -->old<!-- end --> b <!-- subsets -->old<!-- end --> c"
    assert told(kept, found) == kept
    rows = [row("lossproof", 0.01), row("NumPy by hand", 0.02), row("jax.jit", 0.03)]
    rows += [row("torch.compile", 0.04), row("torch eager", 0.05), row(BANDWIDTH, 0.002)]
    wide = [replace(r, dtype="float64") for r in rows]
    found = {"rows": [r.as_dict() for r in rows + wide]}
    new = told(kept, found)
    assert new.startswith("a <!-- speed -->5.0 times `a = b + c` in float32, 5.0 times in float64")
    assert "torch eager 5.0<!-- end --> b <!-- subsets -->old<!-- end --> c" in new
    with pytest.raises(LookupError, match="0 places <!-- speed -->"):
        told("nothing", found)


def accuracy_line(route: str, error: float | str, **about: str) -> dict[str, Any]:
    known = {"loss": "zlpr", "route": route, "quantity": "hvp", "dtype": "float32"}
    worst = {"sample": "float32/ties/soft/signs", "index": 2, "n": 5}
    return known | about | {"max_ulp": error, "count": 7, "worst": worst}


def report_of(*lines: dict[str, Any]) -> dict[str, Any]:
    comparison = {"loss": "zlpr", "lines": lines, "coverage": {"samples": 70}}
    return {"passed": True, "versions": {"numpy": "2"}, "accuracy": [comparison]}


def test_the_page_of_errors_names_the_worst_input() -> None:
    lines = [accuracy_line("core", 0.5), accuracy_line("core, batch", 0.4)]
    lines += [accuracy_line("core, compiled", 0.8), accuracy_line("core, compiled, a=2", 1.25)]
    page = accuracy_page(report_of(*lines, accuracy_line("emitted c", 7.0)))
    assert "| `zlpr` | hvp | float32 | ties/soft/signs[2], n = 5, a=2 | 1.25 | 14 |" in page
    assert "| `zlpr` | hvp |  | 0.500 |  |" in page
    assert "The run passed; 35 numbers were compared. numpy 2." in page


def test_the_readme_tells_the_largest_errors_of_a_whole_run() -> None:
    lines = [accuracy_line("core", 1.25), accuracy_line("core, compiled, a=2", 2.5)]
    lines += [accuracy_line("emitted c", 7.0), accuracy_line("core", 3.0, quantity="value")]
    others = {"gradient": 1.5, "float16": 0.4, "order_r": 5.0, "grid_centered": 2.0}
    fields = dict(zip(others, ("quantity", "dtype", "loss", "loss"), strict=True))
    lines += [accuracy_line("core", x, **{fields[name]: name}) for name, x in others.items()]
    readme = " ".join(f"<!-- {name} -->?<!-- end -->" for name in FIGURES)
    told = re.findall("-->([^ ].*?)<!", seen(readme, report_of(*lines)))
    assert told == ["70", "3.00", "1.50", "2.50", "none", "5.0", "2.0", "0.40"]


LINE = re.compile(
    r"^\| `(\w+)` \| (\w+) \| (float\d+) \| (\S+)\[\d+\], n = (\d+)(.*?) \| ([\d.]+) \| (\d+) \|$",
    re.MULTILINE,
)
# Rows longer than this are not measured again.
LONGEST = 100
# Processors may round exp and log otherwise, and libraries add in another order.
ROOM = 0.5


def lines_told(loss: str) -> list[tuple[str, ...]]:
    return [line for line in LINE.findall(text_of("docs/accuracy.md")) if line[0] == loss]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_page_of_errors_has_every_kernel(loss: str) -> None:
    pytest.importorskip("numba")
    lines = lines_told(loss)
    quantities, samples = compiled_quantities(loss), family_of(loss).quick(loss)
    taken = {sample.dtype for sample in samples if quantities and has_kernel(loss, sample)}
    asked = {(q, d) for q in quantities for d in taken & {"float32", "float64"}}
    assert {line[1:3] for line in lines} == asked and len(lines) == len(asked)
    assert all(float(line[6]) <= BOUNDS[line[2]] and int(line[7]) > 100 for line in lines)


@pytest.mark.parametrize("loss", [name for name in LOSSES if compiled_quantities(name)])
def test_the_inputs_told_give_the_errors_told(loss: str) -> None:
    pytest.importorskip("numba")
    remeasured = 0
    known = {sample.id: sample for sample in family_of(loss).quick(loss)}
    for _, quantity, dtype, name, n, others, error, _ in lines_told(loss):
        sample = known.get(f"{dtype}/{name}")
        if sample is not None and int(n) <= LONGEST:
            given = {name: float(x) for name, x in re.findall(r"(\w+)=([^,]+)", others)}
            oracle = BallOracle(loss, **given) if given else family_of(loss).oracle(loss)
            route = compiled_route(loss, **given)
            (line,) = measure(loss, route, [sample], References(oracle), quantities=[quantity])
            assert line.error == pytest.approx(float(error), abs=ROOM), (quantity, dtype, name)
            remeasured += 1
    assert remeasured
