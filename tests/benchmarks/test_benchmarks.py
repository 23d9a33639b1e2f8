"""The form of what the benchmarks give; never a time."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import lossproof
from benchmarks import contenders, run
from benchmarks.__main__ import INTERRUPTED, bytes_of, main
from benchmarks.by_hand import HANDS
from benchmarks.cases import DTYPES, Case, cases_of, data_of, growth_of
from benchmarks.contenders import contenders_of
from benchmarks.measure import Limits, interleaved, peak_of
from benchmarks.run import ALL_CORES, BANDWIDTH, Row, plan_of
from benchmarks.show import draw
from benchmarks.stored import Surroundings
from lossproof import problems, use_kernels
from lossproof.cli import main as front_door
from numeric_core import kernels

LITTLE = ("numpy", "scipy", "torch")
"""Compilers take their time to start."""


@pytest.fixture(autouse=True)
def kernels_as_before() -> Iterator[None]:
    yield
    use_kernels(True)


@pytest.fixture
def few_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    find = contenders.find_spec
    monkeypatch.setattr(
        contenders, "find_spec", lambda name: find(name) if name in LITTLE else None
    )
    compiled = contenders.Contender.runs
    monkeypatch.setattr(
        contenders.Contender,
        "runs",
        lambda self, case: self.name != "torch.compile" and compiled(self, case),
    )


def test_the_smallest_run(few_libraries: None, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    options = ["--smallest", "--only", "unified", "--only", "run", "--only", "grid_c"]
    result = CliRunner().invoke(main, [*options, "--json", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "left out: jax.jit: jax is not installed" in result.output
    found = json.loads(file.read_text())
    assert found["complete"] and found["machine"]["numpy"] == np.__version__
    rows = found["rows"]
    for row in rows:
        assert row["seconds"] > 0 and row["ratio"] > 0 and row["runs"] >= 1
        assert row["low"] <= row["seconds"] <= row["high"]
        rules = {BANDWIDTH, ALL_CORES} if row["shape"] else {"lossproof"}
        assert set(row["ratios"]) == rules and row["ratio_to"] in rules
        assert row["ratio"] == row["ratios"][row["ratio_to"]]
        assert row["contender"] in result.output
    cases = {(row["case"], row["dtype"]) for row in rows}
    whole = {(f"unified{what} 16 x 64", d) for what in ("", " value", " hvp") for d in DTYPES}
    assert whole | {("run soft_zlpr", "")} < cases
    for case, dtype in whole:
        own = {r["contender"]: r for r in rows if (r["case"], r["dtype"]) == (case, dtype)}
        assert next(iter(own)) == "lossproof" and {"NumPy by hand"} < set(own)
        assert ("torch eager" in own) == (find_spec("torch") is not None)
        fastest = min((BANDWIDTH, ALL_CORES), key=lambda name: own[name]["seconds"])
        assert {row["ratio_to"] for row in own.values()} == {fastest}
    for row in rows:
        if row["contender"] in ("NumPy by hand", "torch eager") and row["shape"]:
            off = 1e-5 if row["dtype"] == "float32" else 1e-12
            errors = [row[f"{part}_error"] for part in ("value", "gradient")]
            absent = {"value": [False, True], "hvp": [True, False]}.get(row["quantity"])
            assert [error is None for error in errors] == (absent or [False, False])
            assert all(error is None or error < off for error in errors)


def test_what_was_measured_before_an_interrupt_is_kept(
    few_libraries: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, seen = run._rows, []

    def stop(case: Case, *arguments: Any) -> Any:
        if seen:
            raise KeyboardInterrupt
        seen.append(case)
        return measure(case, *arguments)

    monkeypatch.setattr(run, "_rows", stop)
    file = tmp_path / "rows.json"
    result = CliRunner().invoke(main, ["--smallest", "--only", "unified", "--json", str(file)])
    assert result.exit_code == INTERRUPTED
    found = json.loads(file.read_text())
    assert not found["complete"]
    assert {row["dtype"] for row in found["rows"]} == {"float32"}
    monkeypatch.setattr(run, "_rows", measure)
    again = ["--smallest", "--only", "unified", "--resume", "--json", str(file)]
    assert CliRunner().invoke(main, again, catch_exceptions=False).exit_code == 0
    whole = json.loads(file.read_text())
    assert whole["complete"] and whole["rows"][: len(found["rows"])] == found["rows"]
    titles = [(row["case"], row["dtype"], row["contender"]) for row in whole["rows"]]
    assert len(set(titles)) == len(titles)
    assert {dtype for _, dtype, _ in titles} == set(DTYPES)


def test_a_contender_that_fails_is_left_out_but_never_lossproof() -> None:
    def fails(case: Case, data: Any) -> Any:
        raise MemoryError("no room\nat all")

    case, notes = Case("zlpr", (16, 5), "float32"), []
    ours = contenders_of("zlpr")[0]
    entered = [ours, replace(ours, name="other", make=fails)]
    rows = list(run._rows(case, entered, Limits(0.0, 1, 1), notes))
    assert {row.contender for row in rows} == {"lossproof", BANDWIDTH, ALL_CORES}
    assert notes == ["other: zlpr 16 x 5 float32: MemoryError: no room"]
    with pytest.raises(MemoryError):
        list(run._rows(case, [*entered, replace(entered[1], name="lossproof fast")], Limits(), []))


def test_a_run_goes_on_only_where_it_began(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    here = Surroundings({"processor": "A"}, "full", [])
    assert here.earlier(file) == []
    row = _row_of(cases_of("zlpr", "quick")[0], "x", 1.0, 1.0)
    here.write(file, [row], complete=False)
    assert here.earlier(file) == [row]
    with pytest.raises(ValueError, match="was measured with processor A, now it is B: expected"):
        replace(here, machine={"processor": "B"}).earlier(file)
    with pytest.raises(ValueError, match="with size full, now it is quick"):
        replace(here, size="quick").earlier(file)
    result = CliRunner().invoke(main, ["--resume"])
    assert result.exit_code == 2 and "expected --json FILE" in result.output


def test_the_front_door() -> None:
    result = CliRunner().invoke(front_door, ["bench", "--help"])
    assert result.exit_code == 0 and "--quick" in result.output
    result = CliRunner().invoke(front_door, ["bench", "--only", "nothing"])
    assert result.exit_code == 2 and "no case is named nothing" in result.output


def test_an_installed_command_takes_the_benchmarks_of_the_checkout_it_runs_in(
    tmp_path: Path,
) -> None:
    installed, checkout = tmp_path / "site-packages", Path(run.__file__).parents[1]
    assert problems.checkout(installed, checkout) == checkout
    with pytest.raises(
        problems.Problem, match=f"no benchmarks in {re.escape(str(tmp_path))}: expected"
    ):
        problems.checkout(installed, tmp_path)


def test_cases_that_need_too_much_are_left_out() -> None:
    largest = max(cases_of("zlpr", "full"), key=lambda case: case.nbytes)
    assert largest.shape == (4, 10**7) and largest.dtype == "float64"
    plan = plan_of("full", ["zlpr"], largest.nbytes, growth=True)
    assert largest not in plan.cases
    assert f"{largest.title}: needs more than --memory" in plan.notes
    assert plan.growth and len(plan) > len(plan.cases)


def test_cases_are_chosen_by_what_they_are() -> None:
    plan = plan_of("full", ["4096 x 1024"], 2**40, growth=False)
    assert {case.shape for case in plan.cases} == {(4096, 1024)} and len(plan) == 10
    plan = plan_of("full", ["soft_zlpr hvp"], 2**40, growth=False)
    assert {(case.name, case.quantity) for case in plan.cases} == {("soft_zlpr", "hvp")}


def test_sizes() -> None:
    assert bytes_of(None, None, "500M") == 500 * 2**20
    assert bytes_of(None, None, "1.5GiB") == 3 * 2**29
    assert bytes_of(None, None, None) > 0
    result = CliRunner().invoke(main, ["--memory", "much"])
    assert result.exit_code == 2 and "expected a size such as 4G" in result.output


@pytest.mark.parametrize("quantity", ["value", "value_and_grad", "hvp"])
@pytest.mark.parametrize("name", HANDS)
def test_contenders_compute_the_loss(name: str, quantity: str) -> None:
    """Without it their times would mean nothing."""
    case = Case(name, (16, 5), "float64", 0, quantity)
    data = data_of(case)
    few = [c for c in contenders_of(name) if c.library in LITTLE and c.name != "torch.compile"]
    results = {c.name: c.make(case, data)() for c in few if c.runs(case)}
    truth = results.pop("lossproof")
    assert {"NumPy by hand"} <= set(results)
    for other in results.values():
        for part, true in zip(other, truth, strict=True):
            assert (part is None) == (true is None)
            if part is not None:
                np.testing.assert_allclose(np.asarray(part), true, atol=1e-12)


@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax_cross_entropy"])
def test_the_compiled_kernel_takes_part(name: str) -> None:
    """What has a kernel is measured with it and without, and each says which it is."""
    pytest.importorskip("numba")
    case = Case(name, (1024, 64), "float32")
    data, loss = data_of(case), getattr(lossproof, name)
    ours = [c for c in contenders_of(name) if c.name.startswith("lossproof")]
    assert [c.name for c in ours] == ["lossproof", "lossproof fast", "lossproof fast, out="]
    assert all(c.runs(case) for c in ours)
    for contender, fast in zip(ours, (False, True, True), strict=True):
        contender.make(case, data)()
        taken = kernels.compiled(loss.kernel(), data.scores, data.labels, -1) is not None
        assert taken is fast


def test_the_kernels_of_grids_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured as compiled asks for the kernel, and the plain version does not."""
    pytest.importorskip("numba")
    asked: list[bool] = []
    used = kernels.used
    monkeypatch.setattr(kernels, "used", lambda: asked.append(used()) or used())
    case = Case("grid_truncated", (1024, 64), "float32")
    for contender in (c for c in contenders_of(case.name) if c.name.startswith("lossproof")):
        asked.clear()
        assert contender.runs(case)
        contender.make(case, data_of(case))()
        assert asked and all(fast == (contender.name == "lossproof fast") for fast in asked)


def test_products_of_kernels_take_part() -> None:
    pytest.importorskip("numba")
    case = Case("soft_zlpr", (1024, 64), "float64", 0, "hvp")
    ours = [c.name for c in contenders_of("soft_zlpr") if c.library == "numba" and c.runs(case)]
    assert ours == ["lossproof fast"]
    data = data_of(case)
    arrays = (data.scores, data.labels, data.vector)
    assert kernels.compiled_product(lossproof.soft_zlpr.kernel(), *arrays, -1) is not None


def test_all_take_turns() -> None:
    said: list[str] = []
    calls = {name: (lambda name=name: said.append(name)) for name in "ab"}
    timings = interleaved(calls, {"y": lambda: said.append("y")}, Limits(1.0, 3, 1))
    assert "".join(said) == "ab" + "yyaayybb" * 3
    assert [t.runs for t in timings.values()] == [3, 3]
    assert all(t.low <= t.seconds <= t.high for t in timings.values())


def test_each_yardstick_is_run_beside_each() -> None:
    said: list[str] = []
    calls = {name: (lambda name=name: said.append(name)) for name in "ay"}
    rules = {"y": calls["y"], "z": lambda: said.append("z")}
    timings = interleaved(calls, rules, Limits(1.0, 2, 1))
    assert "".join(said) == "ay" + "yyzzaayyzz" * 2
    assert timings["y"].ratios["y"] == 1.0 and set(timings["a"].ratios) == {"y", "z"}


def test_the_first_is_the_yardstick_where_there_is_no_other() -> None:
    said: list[str] = []
    calls = {name: (lambda name=name: said.append(name)) for name in "ab"}
    timings = interleaved(calls, {}, Limits(1.0, 3, 1))
    assert "".join(said) == "ab" + "aaaabb" * 3
    assert timings["a"].ratios == {"a": 1.0}


def test_a_slow_call_that_was_timed_is_not_made_again() -> None:
    said: list[str] = []
    calls = {name: (lambda name=name: said.append(name)) for name in "ab"}
    rules = {"y": lambda: said.append("y")}
    known = {"a": (9.0, {"y": 3.0}), "b": (7.0, {"y": 1e-3})}
    timings = interleaved(calls, rules, Limits(1.0, 2, 2, slow=8.0), known)
    assert "".join(said) == "yybb" * 2
    assert (timings["a"].seconds, timings["a"].ratios, timings["a"].runs) == (9.0, {"y": 3.0}, 1)
    assert timings["b"].runs == 2


def test_the_fastest_round_tells_how_many_there_are() -> None:
    calls = {"a": lambda: None}
    timings = interleaved(calls, calls, Limits(0.5, 9, 3), {"a": (0.4, {"a": 0.4})})
    assert timings["a"].runs == 9 and timings["a"].seconds < 0.4


def test_brief_limits_run_less() -> None:
    limits = Limits(0.5, 15, 3, 1.0)
    assert [limits.rounds(x) for x in (2.0, 0.5, 0.05, 1e-6)] == [1, 3, 10, 15]
    assert [limits.brief.rounds(x) for x in (2.0, 0.5, 0.05, 1e-6)] == [1, 3, 3, 7]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells the peak")
def test_the_peak_of_a_call() -> None:
    peak = peak_of(lambda: np.ones(2**22).sum())
    assert peak is not None and 0.9 * 2**25 <= peak < 2**26


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    line = growth_of("zlpr")[0][:4]
    rows = [
        _row_of(c, who, k * 1e-9 * c.nbytes, k)
        for c in line
        for who, k in (("lossproof", 2.0), (BANDWIDTH, 1.0))
    ]
    files = draw(rows, tmp_path)
    assert [file.name for file in files] == ["ratios_float32.svg", "growth_zlpr.svg"]
    assert all("<svg" in file.read_text() for file in files)


def test_no_figure_is_null_in_json() -> None:
    row = replace(_row_of(cases_of("zlpr", "quick")[0], "x", 1.0, 1.0), value_error=math.inf)
    assert row.as_dict()["value_error"] is None
    json.dumps(row.as_dict(), allow_nan=False)


def _row_of(case: Case, contender: str, seconds: float, ratio: float) -> Row:
    figures = (seconds, ratio, BANDWIDTH, {BANDWIDTH: ratio}, 0.0, 1.0, 1)
    about = (case.name, case.quantity, case.shape)
    return Row(case.unit, case.dtype, contender, *figures, *about)
