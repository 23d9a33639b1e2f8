"""Emitted gradients against NumPy written by hand and against lambdify at explicit length.

    python benchmarks/bench_emit.py

The contenders take turns, so that a slow moment of the machine falls on all of them; the table
shows the median of the runs and the time to make each function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from sympy import Expr, Symbol, lambdify

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from derive.emit import Formula, compile_formula
from derive.losses import LOSSES
from derive.losses.symbols import i, s

BATCHES = ((64, 1000), (4096, 64), (1, 100000))
RUNS = 31
# Explicit length for lambdify: its text grows with n * n for a gradient.
EXPLICIT = 32
SEED = 11


def hand_soft_zlpr(scores: Any, labels: Any) -> Any:
    """``q - p`` as a careful person writes it, masks included."""
    rest = 1 - labels
    up = np.where(rest != 0, scores, -np.inf)
    down = np.where(labels != 0, -scores, -np.inf)
    top_up = np.maximum(up.max(axis=-1, keepdims=True), 0)
    top_down = np.maximum(down.max(axis=-1, keepdims=True), 0)
    q = rest * np.exp(up - top_up)
    p = labels * np.exp(down - top_down)
    q_total = np.exp(-top_up) + q.sum(axis=-1, keepdims=True)
    p_total = np.exp(-top_down) + p.sum(axis=-1, keepdims=True)
    return q / q_total - p / p_total


def hand_softmax(scores: Any, labels: Any) -> Any:
    """``softmax(s) - t``."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) - labels


def hand_bce(scores: Any, labels: Any) -> Any:
    """``(1 - t) sigma(s) - t sigma(-s)``."""
    decay = np.exp(-np.abs(scores))
    whole = 1 + decay
    up = np.where(scores >= 0, 1, decay) / whole
    down = np.where(scores <= 0, 1, decay) / whole
    return (1 - labels) * up - labels * down


BY_HAND: dict[str, Callable[..., Any]] = {
    "soft_zlpr": hand_soft_zlpr,
    "softmax_cross_entropy": hand_softmax,
    "binary_cross_entropy": hand_bce,
}


@dataclass
class Row:
    """One line of the table."""

    case: str
    shape: tuple[int, ...]
    contender: str
    seconds: float
    ratio: float


def gradient_formula(name: str) -> Formula:
    """The derived gradient of a loss."""
    loss = LOSSES[name]
    return Formula(f"{name}_gradient", loss.gradient, (i,), (s, loss.labels))


def interleaved(contenders: dict[str, Callable[[], Any]], runs: int = RUNS) -> dict[str, float]:
    """Median seconds of each, one after the other in every run."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, call in contenders.items():
            start = perf_counter()
            call()
            times[name].append(perf_counter() - start)
    return {name: median(values) for name, values in times.items()}


def against_hand(name: str, shape: tuple[int, ...]) -> list[Row]:
    """Emitted and handwritten on the same batch."""
    rng = np.random.default_rng(SEED)
    scores, labels = rng.normal(0, 3, shape), rng.uniform(0, 1, shape)
    emitted, hand = compile_formula(gradient_formula(name)), BY_HAND[name]
    np.testing.assert_allclose(emitted(scores, labels), hand(scores, labels), atol=1e-14)
    seconds = interleaved(
        {
            "emitted": lambda: emitted(scores, labels),
            "by hand": lambda: hand(scores, labels),
        }
    )
    base = seconds["by hand"]
    return [Row(name, shape, who, taken, taken / base) for who, taken in seconds.items()]


def explicit(name: str, length: int) -> Callable[..., Any]:
    """lambdify of the gradient with every sum written out at one length."""
    loss = LOSSES[name]
    scores = [Symbol(f"s{p}", real=True) for p in range(length)]
    labels = [Symbol(f"t{p}", real=True) for p in range(length)]
    size = i.axis.size

    def at(place: int) -> Expr:
        written = loss.gradient.subs({size: length, i: place}).doit()
        entries = {s[p]: scores[p] for p in range(length)}
        return written.xreplace(entries | {loss.labels[p]: labels[p] for p in range(length)})

    function: Callable[..., Any] = lambdify(
        [*scores, *labels], [at(place) for place in range(length)], "numpy", cse=True
    )
    return function


def against_lambdify(name: str, batch: int) -> list[Row]:
    """Emitted, by hand, and lambdify at a length that lambdify can bear."""
    rng = np.random.default_rng(SEED)
    shape = (batch, EXPLICIT)
    scores, labels = rng.normal(0, 3, shape), rng.uniform(0, 1, shape)
    emitted = compile_formula(gradient_formula(name))
    start = perf_counter()
    unrolled = explicit(name, EXPLICIT)
    made = perf_counter() - start
    columns = [*scores.T, *labels.T]
    seconds = interleaved(
        {
            "emitted": lambda: emitted(scores, labels),
            "by hand": lambda: BY_HAND[name](scores, labels),
            "lambdify": lambda: np.stack(unrolled(*columns), axis=-1),
        }
    )
    base = seconds["by hand"]
    rows = [Row(name, shape, who, taken, taken / base) for who, taken in seconds.items()]
    return [*rows, Row(name, (EXPLICIT,), "making lambdify", made, made / base)]


def making(name: str) -> Row:
    """Seconds from the formula to a function."""
    formula = gradient_formula(name)
    seconds = interleaved({"make": lambda: compile_formula(formula)}, runs=5)["make"]
    return Row(name, (), "making emitted", seconds, float("nan"))


def main() -> None:
    """Print the table."""
    rows = [row for name in BY_HAND for shape in BATCHES for row in against_hand(name, shape)]
    rows += [row for name in BY_HAND for row in against_lambdify(name, 4096)]
    rows += [making(name) for name in BY_HAND]
    print(f"{'gradient':24}{'shape':>16}  {'contender':16}{'seconds':>12}{'ratio':>8}")
    for row in rows:
        shape = " x ".join(map(str, row.shape)) or "any"
        print(f"{row.case:24}{shape:>16}  {row.contender:16}{row.seconds:12.3e}{row.ratio:8.2f}")


if __name__ == "__main__":
    main()
