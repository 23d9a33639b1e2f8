"""What is no loss on a batch: the symbolic side, the solver of grids, draws of subsets.

solve   labels (n, m) to the scores at which loss 1 is least (`grid.solve`), against the one
        product of matrices that it cannot do without
sample  exact draws of 4 of 16384, one at a time and many at once, against NumPy's
        `choice` without replacement, which draws from another distribution
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import lossproof
from benchmarks.cases import OtherCase
from benchmarks.symbolic import symbolic_cases

__all__ = ["OtherCase", "other_cases"]

SEED = 12
GRIDS = {
    "smallest": ((16, 5),),
    "quick": ((256, 100),),
    "full": ((10_000, 100), (256, 1000), (1_000_000, 10)),
}
LABELS = {"smallest": 64, "quick": 16_384, "full": 16_384}
DRAWS = {"smallest": 10, "quick": 1000, "full": 10_000}
K = 4


def other_cases(size: str) -> Iterator[OtherCase]:
    """All cases; size: smallest, quick or full."""
    yield from symbolic_cases(size)
    for n, m in GRIDS[size]:
        yield OtherCase(f"solve grid {n} x {m}", partial(_solving, n, m))
    draws = DRAWS[size]
    yield OtherCase(
        f"sample {draws} x {K} of {LABELS[size]}", partial(_drawing, LABELS[size], draws)
    )


def _solving(n: int, m: int) -> dict[str, Callable[[], Any]]:
    labels = np.random.default_rng([SEED, n, m]).dirichlet(np.ones(m), n)
    return {
        "lossproof": lambda: lossproof.grid.solve(labels),
        "its product of matrices": lambda: np.sqrt(labels).T @ np.sqrt(labels),
    }


def _drawing(n: int, draws: int) -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(SEED)
    scores = rng.normal(0, 3, n)
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    few = range(max(draws // 100, 1))
    return {
        "lossproof": lambda: lossproof.subset.sample(scores, K, draws, rng),
        "lossproof, 1 % of them singly": lambda: [
            lossproof.subset.sample(scores, K, 1, rng) for _ in few
        ],
        "NumPy choice, 1 % of them": lambda: [
            rng.choice(n, K, replace=False, p=chances) for _ in few
        ],
    }
