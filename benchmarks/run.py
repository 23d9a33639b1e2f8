"""One run: case after case, rows as they come; what was measured before a Ctrl-C is kept."""

from __future__ import annotations

import math
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from os import cpu_count
from typing import Any

import numpy as np

import lossproof
from benchmarks.cases import (
    FAMILIES,
    VALUE_AND_GRADIENT,
    Case,
    Data,
    cases_of,
    data_of,
    growth_of,
)
from benchmarks.contenders import OURS, Contender, contenders_of, left_out
from benchmarks.measure import Limits, Round, Timing, interleaved, peak_of, seconds_of, warmed
from benchmarks.others import OtherCase, other_cases
from numeric_core.kernels.threads import thread_count, work

__all__ = ["ALL_CORES", "ARRAYS", "BANDWIDTH", "Plan", "Row", "machine", "measured", "plan_of"]

BANDWIDTH = "a = b + c"
# Parts of the arrays that threads add, each its own.
ALL_CORES = f"{BANDWIDTH}, {thread_count()} cores"
# Arrays of the size of the scores that the contenders of a case may have at a time, at most: those
# of four frameworks, and what eager code keeps for its gradient.
ARRAYS = 24
LIBRARIES = ("lossproof", "numpy", "scipy", "torch", "jax", "numba", "sympy")
# Growth: no contender is run at the next size after a call of this many seconds.
PATIENCE = 0.5


@dataclass(frozen=True)
class Row:
    """What one contender needed for one case.

    case: loss, quantity and size. seconds: the median of `runs`; low, high: the quartiles. ratios:
    to each yardstick, timed in turns with it; ratio: that to `ratio_to`, which of the yardsticks
    is the fastest in this case. memory: bytes by which the process grew in a call, over those of
    the scores. value_error, gradient_error: the largest differences from lossproof's results, the
    former relative to max(|value|, 1). None where there is no such figure.
    """

    case: str
    dtype: str
    contender: str
    seconds: float
    ratio: float
    ratio_to: str
    ratios: Mapping[str, float]
    low: float
    high: float
    runs: int
    loss: str = ""
    quantity: str = ""
    shape: tuple[int, ...] = ()
    k: int = 0
    memory: float | None = None
    value_error: float | None = None
    gradient_error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which knows no inf: null, like a figure that there is not."""
        fields = asdict(self).items()
        return {name: None if x == math.inf else x for name, x in fields}


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and what was left out, with the reason."""

    cases: list[Case | OtherCase]
    growth: list[list[Case]]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.cases) + sum(map(len, self.growth))


def plan_of(size: str, only: Sequence[str], memory: int, growth: bool) -> Plan:
    """The cases whose name holds one of the words, as far as memory reaches; ValueError if none."""
    known = [case for name in FAMILIES for case in cases_of(name, size)]
    numeric = [case for case in known if _asked(case.unit, only)]
    chosen = list(dict.fromkeys(case.name for case in numeric))
    others = [case for case in other_cases(size) if _asked(case.name, only)]
    if not numeric and not others:
        names = [*(case.unit for case in known), *(case.name for case in other_cases(size))]
        expected = ", ".join(dict.fromkeys(names))
        raise ValueError(f"no case is named {', '.join(only)}: expected part of {expected}")
    lines = [line for name in chosen for line in growth_of(name)] if growth else []
    lines = [[case for case in line if _fits(case, memory)] for line in lines]
    notes = [f"{c.title}: needs more than --memory" for c in numeric if not _fits(c, memory)]
    contenders = [c for name in chosen for c in contenders_of(name)]
    notes += dict.fromkeys(left_out(contenders))
    cases = [*(case for case in numeric if _fits(case, memory)), *others]
    return Plan(cases, [line for line in lines if line], notes)


def _asked(name: str, only: Sequence[str]) -> bool:
    return not only or any(word in name for word in only)


def _fits(case: Case, memory: int) -> bool:
    return ARRAYS * case.nbytes <= memory


def measured(
    plan: Plan, limits: Limits, begin: Callable[[str], object], kept: Sequence[Row] = ()
) -> Iterator[Row]:
    """The rows of each case as it is done, but for those kept; `begin` hears of each before."""
    try:
        yield from _measured(plan, limits, begin, kept)
    finally:
        lossproof.use_kernels(True)  # each call of ours says which version it is


def _measured(
    plan: Plan, limits: Limits, begin: Callable[[str], object], kept: Sequence[Row]
) -> Iterator[Row]:
    known: dict[str, list[Row]] = {}
    for row in kept:
        known.setdefault(f"{row.case} {row.dtype}".strip(), []).append(row)
    for case in plan.cases:
        begin(case.title)
        if case.title in known:
            continue
        if isinstance(case, OtherCase):
            yield from _other_rows(case, limits)
        else:
            main = case.quantity == VALUE_AND_GRADIENT
            own = contenders_of(case.name)
            yield from _rows(case, own, limits if main else limits.brief, plan.notes)
    for line in plan.growth:
        patient = contenders_of(line[0].name)
        for case in line:
            begin(f"growth: {case.title}")
            rows = known.get(case.title) or list(_rows(case, patient, limits.brief, plan.notes))
            yield from () if case.title in known else rows
            slow = {row.contender for row in rows if row.seconds > PATIENCE}
            patient = [c for c in patient if c.name not in slow]


def _rows(
    case: Case, contenders: Sequence[Contender], limits: Limits, notes: list[str]
) -> Iterator[Row]:
    data = data_of(case)
    rules = _bandwidth(data)
    with np.errstate(all="ignore"), warnings.catch_warnings():  # contenders overflow
        warnings.simplefilter("ignore")
        tried = _taking_part(case, contenders, data, rules, notes)
        calls = {name: each.call for name, each in tried.items()}
        rounds = {name: each.first for name, each in tried.items()}
        timings = interleaved(calls | rules, rules, limits, rounds)
    strict = min(rules, key=lambda name: timings[name].seconds)
    about = {"loss": case.name, "quantity": case.quantity, "shape": case.shape, "k": case.k}
    for name, timing in timings.items():
        facts = tried[name].facts if name in tried else {}
        yield _row(case.unit, case.dtype, name, timing, strict, **about, **facts)


@dataclass(frozen=True)
class Tried:
    """A contender that gave a result; facts: its errors and memory; first: a round of it."""

    call: Callable[[], Any]
    facts: Mapping[str, float | None]
    first: Round


def _taking_part(
    case: Case,
    contenders: Sequence[Contender],
    data: Data,
    rules: Mapping[str, Callable[[], Any]],
    notes: list[str],
) -> dict[str, Tried]:
    """All that can run the case, lossproof first; who raises is left out, with a note."""
    truth = _as_numpy(contenders[0].make(case, data)())
    found = {}
    for contender in (c for c in contenders if c.runs(case)):
        try:
            found[contender.name] = _tried(contender.make(case, data), truth, data, rules)
        except Exception as error:  # any, of any library: the others are measured nevertheless
            if contender.name.startswith(OURS):
                raise
            said = str(error).partition("\n")[0]
            notes.append(f"{contender.name}: {case.title}: {type(error).__name__}: {said}")
    return found


def _bandwidth(data: Data) -> dict[str, Callable[[], Any]]:
    """NumPy's sum of two arrays into a third, on one core and on all."""
    b, c = data.scores.reshape(-1), data.labels.reshape(-1)
    a = np.empty_like(b)
    count = thread_count()
    one = {BANDWIDTH: lambda: np.add(b, c, out=a)}
    if count == 1:
        return one
    cuts = [len(b) * k // count for k in range(count + 1)]
    parts = [slice(*ends) for ends in pairwise(cuts)]

    def add(part: slice) -> None:
        np.add(b[part], c[part], out=a[part])

    return one | {ALL_CORES: lambda: work(add, parts)}


def _tried(
    call: Callable[[], Any], truth: tuple[Any, Any], data: Data, rules: Mapping[str, Any]
) -> Tried:
    """Both errors, of a first call; memory and time of a second, which compiles nothing more."""
    value, gradient = _as_numpy(call())
    found: dict[str, float | None] = {}
    if value is not None:
        found["value_error"] = _largest((value - truth[0]) / np.maximum(np.abs(truth[0]), 1))
    if gradient is not None:
        found["gradient_error"] = _largest(gradient - truth[1])
    del value, gradient
    yardsticks = {rule: warmed(measure) for rule, measure in rules.items()}
    seconds: list[float] = []
    peak = peak_of(lambda: seconds.append(seconds_of(call)))
    found["memory"] = None if peak is None else peak / data.scores.nbytes
    return Tried(call, found, (seconds[0] if seconds else warmed(call), yardsticks))


def _largest(error: Any) -> float:
    """The largest absolute error, inf for nan."""
    return float(np.max(np.nan_to_num(np.abs(error), nan=np.inf, posinf=np.inf)))


def _as_numpy(result: tuple[Any, Any]) -> tuple[Any, Any]:
    value, gradient = (None if x is None else np.asarray(x) for x in result)
    return value, gradient


def _other_rows(case: OtherCase, limits: Limits) -> Iterator[Row]:
    calls = case.make()
    first = next(iter(calls))
    for name, timing in interleaved(calls, {}, limits).items():
        yield _row(case.name, "", name, timing, first)


def _row(case: str, dtype: str, contender: str, timing: Timing, ratio_to: str, **more: Any) -> Row:
    ratio, spread = timing.ratios[ratio_to], (timing.low, timing.high, timing.runs)
    figures = (timing.seconds, ratio, ratio_to, timing.ratios, *spread)
    return Row(case, dtype, contender, *figures, **more)


def machine() -> dict[str, str]:
    """What the figures depend on."""
    found = {"processor": _processor(), "cores": str(cpu_count())}
    found["python"] = platform.python_version()
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
