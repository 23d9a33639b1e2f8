"""The losses of n samples x m classes, and the solver of loss 1: time and error.

    python benchmarks/bench_grid.py [--quick] [--threads N]

First the solver: labels to scores (`grid.solve`), what its matrix product costs alone, the number
of Newton steps, the residual that is left, and the largest difference of the way there and back
(`grid.soft_labels`) from the labels.  Then value and gradient of the four losses against NumPy by
hand and PyTorch (`grid_contenders.py`), which take turns with ours, so that a slow moment of the
machine falls on both; each has one call to warm up. The table shows medians, and `ratio` is the
median over the runs of (their time / our time in the same run). `copies` is our time over that of
reading scores and labels and writing the gradient once, at the speed of a large copy. `value` and
`gradient` are the largest differences from ours, relative for the value, absolute for the
gradient; a contender that is off by more than rounding stops the program. PyTorch runs with the
number of threads that it chooses, or with N. NumPy's products of matrices run with those of its
BLAS: set OMP_NUM_THREADS where other programs are running.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from grid_contenders import CONTENDERS, HANDS, Contender

import lossproof
from numeric_core import balancing

CASES = ((10_000, 100), (256, 1000), (1_000_000, 10))
QUICK = ((10_000, 100), (256, 100))
DTYPES = ("float64", "float32")
SEED = 12
# Where a trained model's scores lie; far enough from the range of float32 for those by hand.
SPREAD = 3.0
# The sums by hand make n roundings, of numbers up to 1e6 (float32: n = 1e6 leaves 3 digits).
TOLERANCE = {"float64": 1e-9, "float32": 2e-2}
# Seconds for all runs of one contender, and the most and fewest runs; beyond SLOW seconds one is
# enough.
BUDGET, MOST, FEWEST, SLOW = 3.0, 21, 3, 2.0


@dataclass
class Line:
    """One line of the table of losses."""

    shape: tuple[int, int]
    dtype: str
    loss: str
    contender: str
    seconds: float
    ratio: float
    value_error: float
    gradient_error: float


def batch(n: int, m: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores N(0, SPREAD^2) and labels from a flat Dirichlet distribution: (n, m) each."""
    rng = np.random.default_rng([SEED, n, m])
    scores = rng.normal(0, SPREAD, (n, m)).astype(dtype)
    labels = rng.dirichlet(np.ones(m), n).astype(dtype)
    return scores, labels


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def runs_for(seconds: float) -> int:
    """How often to run what takes so long."""
    return 1 if seconds > SLOW else int(np.clip(BUDGET / seconds, FEWEST, MOST))


def often(call: Callable[[], Any]) -> float:
    """Median seconds, after one call to warm up."""
    return median(timed(call) for _ in range(runs_for(timed(call))))


def newton_steps(labels: np.ndarray) -> int:
    """How many steps the solver takes for these labels."""
    steps, step = 0, balancing._newton_step

    def counted(*arrays: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(*arrays)

    balancing._newton_step = counted
    try:
        lossproof.grid.solve(labels)
    finally:
        balancing._newton_step = step
    return steps


def gram(labels: np.ndarray) -> np.ndarray:
    """sum_i sqrt(t_ij t_ik), in the precision of the solver."""
    roots = np.sqrt(labels.astype(np.float64))
    return np.asarray(roots.T @ roots)


def show_solver(shapes: tuple[tuple[int, int], ...]) -> None:
    """Print a line for each batch of labels."""
    head = f"{'n x m':>14} {'dtype':8}{'ms':>10}{'product':>10}{'steps':>7}{'residual':>11}"
    print(f"{head}{'back ms':>10}{'back':>9}")
    for shape in shapes:
        for dtype in DTYPES:
            _, labels = batch(*shape, dtype)
            found = lossproof.grid.solve(labels)
            whole = often(lambda labels=labels: lossproof.grid.solve(labels))
            product = often(lambda labels=labels: gram(labels))
            start = perf_counter()
            back = lossproof.grid.soft_labels(found.scores, found.log_constants)
            taken = perf_counter() - start
            off = np.max(np.abs(back.labels - labels))
            print(
                f"{f'{shape[0]} x {shape[1]}':>14} {dtype:8}{1e3 * whole:10.2f}"
                f"{1e3 * product:10.2f}{newton_steps(labels):7}{found.residual:11.1e}"
                f"{1e3 * taken:10.1f}{off:9.0e}",
                flush=True,
            )


def ours(loss: str, scores: np.ndarray, labels: np.ndarray) -> Callable[[], tuple[Any, Any]]:
    """Value and gradient of the numeric core, all checks included."""
    public = getattr(lossproof, f"grid_{loss}")
    return lambda: public.value_and_grad(scores, labels)


def errors(found: Any, truth: Any) -> tuple[float, float]:
    """Relative difference of the values, largest absolute difference of the gradients."""
    gradient = np.max(np.abs(np.asarray(found[1]) - truth[1]))
    return float(abs(found[0] / truth[0] - 1)), float(gradient)


def against(contender: Contender, loss: str, shape: tuple[int, int], dtype: str) -> Line:
    """One contender and ours on one batch, in turns."""
    scores, labels = batch(*shape, dtype)
    mine, theirs = ours(loss, scores, labels), contender.make(loss, scores, labels)
    wrong = errors(theirs(), mine())
    if not max(wrong) <= TOLERANCE[dtype]:
        raise SystemExit(f"{contender.name}, {loss}, {shape}, {dtype}: off by {wrong}")
    count = runs_for(timed(theirs))
    times = [(timed(mine), timed(theirs)) for _ in range(count)]
    ratio = median(other / base for base, other in times)
    seconds = median(other for _, other in times)
    return Line(shape, dtype, loss, contender.name, seconds, ratio, *wrong)


def alone(loss: str, shape: tuple[int, int], dtype: str) -> Line:
    """Ours by itself."""
    seconds = often(ours(loss, *batch(*shape, dtype)))
    return Line(shape, dtype, loss, "lossproof", seconds, 1.0, 0.0, 0.0)


def bandwidth() -> float:
    """Bytes a second that a copy of a large array reads and writes."""
    source = np.ones(2**24)
    target = np.empty_like(source)
    return 2 * source.nbytes / median(timed(lambda: np.copyto(target, source)) for _ in range(9))


def show_losses(shapes: tuple[tuple[int, int], ...]) -> None:
    """Print a line for every loss and contender on every batch."""
    peak = bandwidth()
    print(f"copy {peak / 1e9:.1f} GB/s; NumPy {np.__version__}{_threads()}")
    head = f"{'n x m':>14} {'dtype':8} {'loss':10} {'contender':18}"
    print(f"{head}{'ms':>10}{'ratio':>8}{'value':>9}{'gradient':>10}")
    present = [c for c in CONTENDERS if find_spec(c.library) is not None]
    for shape in shapes:
        for dtype in DTYPES:
            bare = 3 * shape[0] * shape[1] * np.dtype(dtype).itemsize / peak
            for loss in HANDS:
                mine = alone(loss, shape, dtype)
                _show(mine, f"   {mine.seconds / bare:.0f} copies")
                for contender in present:
                    _show(against(contender, loss, shape, dtype))
    for contender in CONTENDERS:
        if contender not in present:
            print(f"left out: {contender.name}, {contender.library} is not installed")


def _threads() -> str:
    if find_spec("torch") is None:
        return ""
    import torch

    return f"; PyTorch {torch.__version__}, threads: {torch.get_num_threads()}"


def _show(line: Line, note: str = "") -> None:
    n, m = line.shape
    print(
        f"{f'{n} x {m}':>14} {line.dtype:8} {line.loss:10} {line.contender:18}"
        f"{1e3 * line.seconds:10.2f}{line.ratio:8.2f}{line.value_error:9.0e}"
        f"{line.gradient_error:10.0e}{note}",
        flush=True,
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small shapes alone")
    parser.add_argument("--threads", type=int, metavar="N", help="PyTorch's threads")
    chosen = parser.parse_args()
    if chosen.threads is not None and find_spec("torch") is not None:
        import torch

        torch.set_num_threads(chosen.threads)
    shapes = QUICK if chosen.quick else CASES
    show_solver(shapes)
    show_losses(shapes)


if __name__ == "__main__":
    main()
