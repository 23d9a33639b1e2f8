"""A float64 grid in NumPy, a block of samples at a time, in arrays that each thread keeps.

What two sweeps over the samples need of a block is made by the first one; the second one finds it
kept, or, of a large grid, makes it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from numeric_core.lanes import GROUP, Floats, others

__all__ = ["Grid", "Room", "Sweeps"]

BLOCK = 1 << 16
"""Scores at a time.  `truncated`, 1024 x 1024, was measured at 8.7, 7.7, 6.6, 6.2 ns a score for
2^13 to 2^16 in float32, and at 28, 24, 21, 21 ns in float64: in small blocks the calls cost more
than the arithmetic, and more than the way to a cache of the next level."""

LINE = 8
"""Numbers in a line of the cache, 64 bytes."""

KEPT = 1 << 18
"""Grids of up to so many scores keep what the second sweep takes from the first: 2 MiB an array."""


class Room(threading.local):
    """Arrays that each thread keeps: fresh pages cost as much as the arithmetic."""

    def __init__(self) -> None:
        self._held = np.empty(0)
        self._start = 0

    def of(self, count: int, rows: int, m: int) -> Floats:
        """(count, rows, m), undefined, each of the arrays at the beginning of a line of the cache:
        a product was measured at 0.10 ns a score, and at 0.14 elsewhere."""
        size = -(-rows * m // LINE) * LINE
        if self._held.size < count * size + LINE:
            self._held = np.empty(count * size + LINE)
            self._start = -self._held.ctypes.data // self._held.itemsize % LINE
        held = self._held[self._start : self._start + count * size].reshape(count, size)
        return held[:, : rows * m].reshape(count, rows, m)


_room = Room()


@dataclass(frozen=True)
class Grid:
    """Scores and labels (n, m) in float32 or float64; exact: the result is a float64; |s|."""

    scores: Any
    labels: Any
    exact: bool
    bound: float

    def factors(self, part: slice, e: Floats, w: Floats) -> None:
        """e^s and t e^{-s} of some samples."""
        np.exp(self.scores[part], out=e, dtype=np.float64)
        np.divide(self.labels[part], e, out=w)

    def others(self, x: Floats, out: Floats) -> Floats:
        """sum_{k != j} x_k, into out."""
        return others(x, out, exact=self.exact)


Fill: TypeAlias = Callable[[Grid, slice, Floats, Floats], None]
"""Writes what both sweeps need of some samples; may use what is spare."""


class Sweeps:
    """The blocks of a grid, twice: what the second sweep needs is kept, or is made again."""

    def __init__(self, grid: Grid, fill: Fill, *, kept: int, spare: int) -> None:
        n, m = grid.scores.shape
        step = max(GROUP, BLOCK // m // GROUP * GROUP)
        self._grid, self._fill = grid, fill
        self._parts = [slice(i, min(i + step, n)) for i in range(0, n, step)]
        self._all = n * m <= KEPT
        rows = min(step, n)
        long = n if self._all else rows
        held = _room.of(kept + spare, long, m)
        self._kept, self._spare = held[:kept], held[kept:]

    def first(self) -> Iterator[tuple[Floats, Floats]]:
        """What is kept and what is spare, (arrays, samples, m), block by block."""
        for part in self._parts:
            kept, spare = self._arrays(part)
            self._fill(self._grid, part, kept, spare)
            yield kept, spare

    def second(self, gradient: Any) -> Iterator[tuple[Floats, Floats, Any]]:
        """The same, and the block's part of the gradient."""
        for part in self._parts:
            kept, spare = self._arrays(part)
            if not self._all:
                self._fill(self._grid, part, kept, spare)
            yield kept, spare, gradient[part]

    def parts(self, x: Any) -> Iterator[Any]:
        """The blocks of an array of the samples."""
        return (x[part] for part in self._parts)

    def _arrays(self, part: slice) -> tuple[Floats, Floats]:
        rows = part.stop - part.start
        return self._kept[:, part if self._all else slice(rows)], self._spare[:, :rows]
