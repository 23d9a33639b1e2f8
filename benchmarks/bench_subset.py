"""The combination softmax against other ways to it: value and gradient, time and error.

    python benchmarks/bench_subset.py [--quick] [--threads N] [--plot FILE]

The contenders (`subset_contenders.py`) take turns with ours, so that a slow moment of the machine
falls on both; each has one call to warm up before the one that counts. The table shows medians, and
`ratio` is the median over the runs of (their time / our time in the same run). `least` is the ratio
of the shortest times: where the two differ, something else was running. A contender without a
gradient is timed against our value alone. Every result is held against ours first: `value` and
`gradient` show the largest difference, relative for the value, absolute for the gradient; a
contender that claims to be exact and is not stops the program. PyTorch runs with the number of
threads that it chooses, or with N; ours is NumPy, on one. Where other programs are running,
PyTorch's threads wait for each other: measure with N = 1 there.

--plot draws the growth of the times in n and in k, as FILE.svg and FILE.png.  PyTorch and SciPy are
optional: what needs a library that is not installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from subset_contenders import CONTENDERS, Contender

import lossproof

# The four shapes of the comparison: rows, labels, positives of a row.
CASES = ((256, 1000, 5), (64, 1000, 50), (4, 100_000, 5), (1, 16_384, 4))
DTYPES = ("float64", "float32")
SEED = 11
# A spread at which a trained model's scores lie, and at which Newton's recursion still has digits
# for small k.
SPREAD = 3.0
# What the logarithms of sums over n labels cost an exact contender: the recursion makes n roundings
# of numbers of the size of log Z, so n ulps of it; measured errors are below a tenth of this.
TOLERANCE = {"float64": 1e-10, "float32": 5e-3}
# Seconds for all runs of one contender, and the most and fewest runs; beyond SLOW seconds one is
# enough to see a ratio of hundreds.
BUDGET, MOST, FEWEST, SLOW = 2.0, 31, 3, 4.0
# Growth: no contender is run at the next size after a call of this many seconds.
PATIENCE = 1.0
ROWS = 16
LENGTHS = tuple(2**p for p in range(7, 18))
ORDERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BLUE, GREY = "#1f5fa8", "#8a8f98"
COLOURS = ("#c8452f", "#c26a00", "#6a4c93", "#3a7d44", GREY)


@dataclass
class Line:
    """One line of the table."""

    case: tuple[int, int, int]
    dtype: str
    contender: str
    seconds: float
    ratio: float
    least: float
    value_error: float
    gradient_error: float
    runs: int


def row_batch(rows: int, n: int, k: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores N(0, SPREAD^2) and k positives a row: (rows, n) each."""
    rng = np.random.default_rng([SEED, rows, n, k])
    scores = rng.normal(0, SPREAD, (rows, n)).astype(dtype)
    labels = np.zeros((rows, n), dtype)
    places = np.argsort(rng.random((rows, n)), axis=1)[:, :k]
    np.put_along_axis(labels, places, 1, axis=1)
    return scores, labels


def ours(
    scores: np.ndarray, labels: np.ndarray, gradient: bool = True
) -> Callable[[], tuple[Any, Any]]:
    """Value and gradient of the numeric core, or the value alone, all checks included."""
    loss = lossproof.combination_softmax
    if gradient:
        return lambda: loss.value_and_grad(scores, labels)
    return lambda: (loss(scores, labels), None)


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def warmed(call: Callable[[], Any]) -> float:
    """Seconds of a call after one that brings what it needs back to the caches."""
    call()
    return timed(call)


def runs_for(seconds: float) -> int:
    """How often to run what takes so long."""
    return 1 if seconds > SLOW else int(np.clip(BUDGET / seconds, FEWEST, MOST))


def present(contender: Contender, dtype: str) -> bool:
    """Whether it can be run here, in this dtype."""
    knows = dtype == "float64" or not contender.doubles
    return knows and find_spec(contender.library) is not None


def errors(found: Any, truth: Any) -> tuple[float, float]:
    """Largest relative difference of the values, largest absolute difference of the gradients."""
    value = np.max(np.abs(np.asarray(found[0]) / truth[0] - 1))
    if found[1] is None:
        return float(value), float("nan")
    return float(value), float(np.max(np.abs(np.asarray(found[1]) - truth[1])))


def against(contender: Contender, case: tuple[int, int, int], dtype: str) -> Line:
    """One contender and ours on one batch, in turns."""
    scores, labels = row_batch(*case, dtype)
    truth = ours(scores, labels)()
    mine = ours(scores, labels, contender.gradient)
    theirs = contender.make(scores, labels, case[2])
    with np.errstate(all="ignore"):  # Newton's recursion overflows: its errors show it
        wrong = errors(theirs(), truth)
        judged = wrong if contender.gradient else wrong[:1]
        if contender.exact and not all(error <= TOLERANCE[dtype] for error in judged):
            raise SystemExit(f"{contender.name} on {case}, {dtype}: off by {wrong}, not comparable")
        times = [(warmed(mine), timed(theirs))]
        times += [(warmed(mine), warmed(theirs)) for _ in range(runs_for(times[0][1]) - 1)]
    base, other = zip(*times, strict=True)
    ratio = median(theirs / mine for mine, theirs in times)
    least = min(other) / min(base)
    return Line(case, dtype, contender.name, median(other), ratio, least, *wrong, len(times))


def alone(case: tuple[int, int, int], dtype: str) -> Line:
    """Ours by itself."""
    call = ours(*row_batch(*case, dtype))
    seconds = median(timed(call) for _ in range(MOST))
    return Line(case, dtype, "lossproof", seconds, 1.0, 1.0, 0.0, 0.0, MOST)


def bandwidth() -> float:
    """Bytes a second that a copy of a large array reads and writes."""
    source = np.ones(2**24)
    target = np.empty_like(source)
    return 2 * source.nbytes / median(timed(lambda: np.copyto(target, source)) for _ in range(9))


def show_table(cases: tuple[tuple[int, int, int], ...]) -> None:
    """Print a line for every contender on every batch."""
    peak = bandwidth()
    print(f"copy {peak / 1e9:.1f} GB/s; NumPy {np.__version__}" + _threads())
    head = f"{'rows x n':>14} {'k':>4} {'dtype':8} {'contender':22}"
    print(f"{head}{'ms':>10}{'ratio':>8}{'least':>8}{'value':>10}{'gradient':>10}{'runs':>6}")
    for case in cases:
        for dtype in DTYPES:
            mine = alone(case, dtype)
            # Scores and labels are read, the gradient is written.
            bare = 3 * case[0] * case[1] * np.dtype(dtype).itemsize / peak
            _show(mine, f"   {mine.seconds / bare:.0f} x the bare copies")
            for contender in CONTENDERS:
                if present(contender, dtype):
                    _show(against(contender, case, dtype))
    for contender in CONTENDERS:
        if find_spec(contender.library) is None:
            print(f"left out: {contender.name}, {contender.library} is not installed")


def _threads() -> str:
    if find_spec("torch") is None:
        return ""
    import torch

    return f"; PyTorch {torch.__version__}, threads: {torch.get_num_threads()}"


def _show(line: Line, note: str = "") -> None:
    rows, n, k = line.case
    gradient = "none" if np.isnan(line.gradient_error) else f"{line.gradient_error:.0e}"
    print(
        f"{f'{rows} x {n}':>14} {k:4} {line.dtype:8} {line.contender:22}{1e3 * line.seconds:10.3f}"
        f"{line.ratio:8.2f}{line.least:8.2f}{line.value_error:10.0e}{gradient:>10}{line.runs:6}{note}",
        flush=True,
    )


def show_sampler() -> None:
    """Exact draws of 4 of 16384 in a second."""
    rng = np.random.default_rng(SEED)
    scores = rng.normal(0, SPREAD, 16_384)
    for size in (1, 1000, 10_000):
        draw = partial(lossproof.subset.sample, scores, 4, size, rng)
        draw()
        seconds = median(timed(draw) for _ in range(5))
        print(f"sample 4 of 16384, {size:6} at once: {size / seconds:10.0f} a second")


def growth(cases: list[tuple[int, int, int]]) -> dict[str, list[float]]:
    """Median seconds of every contender over some batches, as far as PATIENCE reaches."""
    times: dict[str, list[float]] = {}
    for name, make in [
        ("lossproof", lambda scores, labels, k: ours(scores, labels)),
        *((c.name, c.make) for c in CONTENDERS if present(c, "float64")),
    ]:
        taken = times[name] = []
        for case in cases:
            call = make(*row_batch(*case, "float64"), case[2])
            with np.errstate(all="ignore"):
                first = timed(call)
                taken.append(median(timed(call) for _ in range(min(runs_for(first), 9))))
            if first > PATIENCE:
                break
    return times


def draw_growth(file: Path) -> None:
    """Time over n at k = 5 and over k at n = 4096, ROWS rows, float64."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    by_length = growth([(ROWS, n, 5) for n in LENGTHS])
    by_order = growth([(ROWS, 4096, k) for k in ORDERS])
    looks = {"font.size": 10.5, "axes.spines.top": False, "axes.spines.right": False}
    with plt.rc_context(looks | {"svg.hashsalt": "lossproof"}):
        figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharey=True)
        for axes, places, times in (
            (panels[0], LENGTHS, by_length),
            (panels[1], ORDERS, by_order),
        ):
            for (name, taken), colour in zip(times.items(), (BLUE, *COLOURS), strict=False):
                width = 2.6 if name == "lossproof" else 1.5
                shown = places[: len(taken)]
                axes.plot(shown, taken, "o-", ms=3.5, color=colour, lw=width, label=name)
            axes.set(xscale="log", yscale="log")
            axes.set_xscale("log", base=2)
        panels[0].set(xlabel="n labels, k = 5", ylabel=f"seconds for {ROWS} rows")
        panels[1].set(xlabel="k, n = 4096 labels")
        panels[0].legend(frameon=False, fontsize=9)
        title = f"Value and gradient of the combination softmax, float64{_threads()}"
        figure.suptitle(title, fontweight="bold", fontsize=11)
        figure.savefig(file.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(file.with_suffix(".png"), dpi=160)


def main() -> None:
    """Print the table; draw the growth where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first and the last shape alone")
    parser.add_argument("--threads", type=int, metavar="N", help="PyTorch's threads")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth in n and k")
    chosen = parser.parse_args()
    if chosen.threads is not None and find_spec("torch") is not None:
        import torch

        torch.set_num_threads(chosen.threads)
    show_table((CASES[0], CASES[-1]) if chosen.quick else CASES)
    show_sampler()
    if chosen.plot:
        draw_growth(chosen.plot)


if __name__ == "__main__":
    main()
