r"""A failing row made smaller, while it still fails: fewer labels, rounder numbers.

And the size of the scores at which a row begins to fail, by bisection of a factor on all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from verify.check.cases import Case
from verify.check.observation import Observation
from verify.check.specification import LARGEST_SCORE
from verify.check.weigh import Weigher
from verify.formats import format_of

__all__ = ["limit_of_scores", "shrunk"]

# Each step is a call of the target; a row of ten labels needs some thirty.
MOST_STEPS = 60
# Labels are taken out in halves first, so that a wide row is short soon.
HALVINGS = 16


def shrunk(weigher: Weigher, seen: Observation) -> Observation:
    """The smallest row found that fails as the given one does; batches stay as they are."""
    if len(seen.scores) != 1:
        return seen
    best, steps = seen, 0
    progressing = True
    while progressing and steps < MOST_STEPS:
        progressing = False
        for case in _smaller(best):
            steps += 1
            now = weigher.case(case)
            if (
                not now.right
                and now.value_right == seen.value_right
                and bool(now.error) == bool(seen.error)
            ):
                best, progressing = now, True
                break
            if steps >= MOST_STEPS:
                break
    return best


def _smaller(seen: Observation) -> Iterator[Case]:
    """Rows with labels left out, then with rounder scores and labels."""
    s, t = seen.scores[0], seen.labels[0]
    n, base = len(s), Case(seen.kind, seen.name, seen.dtype, (), ())
    for size in dict.fromkeys(max(1, n >> k) for k in range(1, HALVINGS)):
        for start in range(0, n, size):
            kept = np.ones(n, dtype=bool)
            kept[start : start + size] = False
            if kept.any() and size < n:
                yield replace(base, scores=tuple(s[kept].tolist()), labels=tuple(t[kept].tolist()))
    form = format_of(seen.dtype)
    with np.errstate(all="ignore"):
        for digits in (0, 1):
            rounder = np.where(np.abs(s) < LARGEST_SCORE, form.round(np.round(s, digits)), s)
            if not np.array_equal(rounder, s):
                yield replace(base, scores=tuple(rounder.tolist()), labels=tuple(t.tolist()))


def limit_of_scores(weigher: Weigher, seen: Observation) -> float:
    """The largest |score| of a multiple of the row that is right; 0 where size is not the cause."""
    s, t = seen.scores[0], seen.labels[0]
    form = format_of(seen.dtype)

    def right(factor: float) -> bool:
        scores = tuple(form.round(factor * s).tolist())
        return weigher.case(Case(seen.kind, seen.name, seen.dtype, scores, tuple(t.tolist()))).right

    low, high = 0.0, 1.0
    if len(seen.scores) != 1 or not np.isfinite(s).all() or not right(2.0**-8):
        return 0.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if right(middle) else (low, middle)
    return float(low * np.abs(s).max())
