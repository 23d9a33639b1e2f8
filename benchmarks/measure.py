"""Times of contenders that take turns, and the memory that each needs.

In round r contender c takes x_rc seconds, and a yardstick, run just before it, y_rc. Reported are
the median of x over the rounds, its quartiles, and the median of x / y, which is steadier than the
quotient of two medians where other programs run on the machine.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, TypeAlias

__all__ = ["Limits", "Timing", "available_memory", "beside", "interleaved", "peak_of"]

Call = Callable[[], Any]

Round: TypeAlias = tuple[float, dict[str, float]]
"""Seconds of a contender, and of each yardstick just before it."""

LONG = 0.1
"""Seconds from which a call needs no other to warm up."""


@dataclass(frozen=True)
class Limits:
    """How long to measure.

    budget: seconds for all rounds of one contender. most, fewest: rounds. slow: one call of so many
    seconds is enough.
    """

    budget: float = 0.5
    most: int = 15
    fewest: int = 3
    slow: float = 1.0

    @property
    def brief(self) -> Limits:
        """A third of the time, half of the rounds."""
        return replace(self, budget=self.budget / 3, most=max(self.most // 2, self.fewest))

    def rounds(self, seconds: float) -> int:
        """How often to run what takes so long."""
        if seconds > self.slow:
            return 1
        return max(self.fewest, min(self.most, int(self.budget / max(seconds, 1e-9))))


@dataclass(frozen=True)
class Timing:
    """What the rounds of one contender gave; ratios: by yardstick."""

    seconds: float
    low: float
    high: float
    ratios: Mapping[str, float]
    runs: int


def seconds_of(call: Call) -> float:
    """Of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def warmed(call: Call) -> float:
    """Of a call after one that brings back to the caches what it needs.

    Meanwhile the threads of whoever ran before fall asleep: those of OpenMP spin for a while.
    """
    first = seconds_of(call)
    return first if first > LONG else seconds_of(call)


def beside(name: str, call: Call, rules: Mapping[str, Call]) -> Round:
    """One round of a contender: the yardsticks, then the call."""
    measured = {rule: warmed(measure) for rule, measure in rules.items()}
    return measured[name] if name in rules else warmed(call), measured


def interleaved(
    calls: Mapping[str, Call],
    yardsticks: Mapping[str, Call],
    limits: Limits,
    known: Mapping[str, Round] | None = None,
) -> dict[str, Timing]:
    """Each contender in turn, after one call that may compile; the yardsticks just before each.

    Without yardsticks the first contender is it.  known: a round of contenders that have been
    called before.  It tells how many more to run, and is the only one where a call is slow.
    """
    rules = yardsticks or dict([next(iter(calls.items()))])
    new = {name: call for name, call in calls.items() if name not in (known or {})}
    for call in new.values():
        call()
    first = dict(known or {}) | {name: beside(name, call, rules) for name, call in new.items()}
    slow = {name for name in calls if limits.rounds(first[name][0]) == 1}
    times = {name: [first[name]] if name in new or name in slow else [] for name in calls}

    def asked(name: str) -> bool:
        """A first round may be slower than others: the fastest tells how many there is time for."""
        least = min(taken for taken, _ in [first[name], *times[name]])
        return name not in slow and limits.rounds(least) > len(times[name])

    while waiting := {name: call for name, call in calls.items() if asked(name)}:
        for name, call in waiting.items():
            times[name].append(beside(name, call, rules))
    return {name: _summary(rounds) for name, rounds in times.items()}


def _summary(rounds: list[Round]) -> Timing:
    seconds = [taken for taken, _ in rounds]
    low, _, high = quantiles(seconds, n=4, method="inclusive") if len(rounds) > 1 else seconds * 3
    names = rounds[0][1]
    ratios = {name: median(taken / beside[name] for taken, beside in rounds) for name in names}
    return Timing(median(seconds), low, high, ratios, len(rounds))


def peak_of(call: Call) -> int | None:
    """Bytes by which the resident memory grew at most during a call; None where it is not told.

    Linux resets the high-water mark of a process when 5 is written to its clear_refs (proc(5));
    what the C library keeps of freed memory is given back before.
    """
    try:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
        if trim is not None:
            trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        call()
        return max(_status("VmHWM") - before, 0)
    except OSError:
        return None


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"/proc/self/status has no {name}")
    return 1024 * int(found[1])


def available_memory() -> int:
    """Bytes that the machine has free; 4 GiB where it does not tell."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 32
