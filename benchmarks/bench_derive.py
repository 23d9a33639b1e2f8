"""How long it takes to derive and to prove: each derivation of each loss, for symbolic n.

    python benchmarks/bench_derive.py [RUNS]

Each derivation is made RUNS times (5 by default), SymPy's cache emptied before each run; the table
shows the median and the spread. A derivation is proved while it is made.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sympy.core.cache import clear_cache

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from derive.losses import LOSSES, SymbolicLoss


def seconds(loss: SymbolicLoss, topic: str, runs: int) -> list[float]:
    """The times of some runs from a cold cache."""
    times = []
    for _ in range(runs):
        clear_cache()
        start = perf_counter()
        derivation = loss.derive(topic)
        times.append(perf_counter() - start)
        if not derivation.holds:
            raise SystemExit(f"{derivation.id} does not hold: its time means nothing")
    return times


def main() -> None:
    """Time every derivation and print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = Table("derivation", "steps", "median ms", "least ms", "most ms")
    pairs = [(loss, topic) for loss in LOSSES.values() for topic in loss.topics]
    for loss, topic in track(pairs, description="deriving", transient=True):
        times = [1e3 * second for second in seconds(loss, topic, runs)]
        figures = (f"{figure:.0f}" for figure in (median(times), min(times), max(times)))
        table.add_row(f"{loss.name}.{topic}", str(len(loss.derive(topic).steps)), *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
