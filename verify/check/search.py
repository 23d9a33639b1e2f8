r"""Hypothesis looks for a row that is wrong, and climbs the error while it looks.

Scores are drawn of all sizes up to 100, labels from the ends and between; the target of the search
is the logarithm of the error over what is allowed, and a failing row is shrunk to a smallest one.
The seed is fixed, so that two checks of the same code say the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Literal

from verify.check.cases import USUAL, Case, largest_logit
from verify.check.observation import Observation
from verify.check.specification import Specification
from verify.check.weigh import Weigher
from verify.formats import format_of

__all__ = ["search"]

WIDE = ("float64", "float32")
EXAMPLES = 120
LARGEST_SCORE = 100.0
MOST_LABELS = 6


class _Wrong(Exception):
    """A row that is wrong: what Hypothesis shrinks."""


def search(
    weigher: Weigher,
    specification: Specification,
    soft: bool,
    seconds: float,
    dtypes: Sequence[str] = WIDE,
) -> tuple[Observation, ...]:
    """The smallest failing row of each wide dtype, as far as there is one and time for it."""
    deadline = time.monotonic() + seconds
    wide = [dtype for dtype in WIDE if dtype in dtypes]
    found = (_search(weigher, specification, soft, dtype, deadline) for dtype in wide)
    return tuple(one for one in found if one is not None)


def _search(
    weigher: Weigher, specification: Specification, soft: bool, dtype: str, deadline: float
) -> Observation | None:
    from hypothesis import HealthCheck, Phase, given, seed, settings, target

    last: list[Observation] = []
    bounded = weigher.trial.convention.input != "logits"

    @seed(9064)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.target, Phase.shrink),
        print_blob=False,
    )
    @given(_rows(specification, soft, dtype, bounded, weigher.trial.framework.compiles))
    def climb(row: Any) -> None:
        if time.monotonic() > deadline and not last:
            return
        seen = weigher.case(Case("search", f"{dtype}/search", dtype, *row))
        worst = max(seen.excess, seen.gradient_excess)
        if math.isfinite(worst):
            target(math.log2(max(worst, 2.0**-60)))
        if not seen.right:
            last.append(seen)
            raise _Wrong

    try:
        climb()
    except _Wrong:
        return last[-1]
    return None


def _rows(specification: Specification, soft: bool, dtype: str, bounded: bool, few: bool) -> Any:
    """Scores and labels of one length, numbers of the dtype; few: of few lengths."""
    from hypothesis import strategies as st

    largest = largest_logit(format_of(dtype)) if bounded else LARGEST_SCORE
    width: Literal[32, 64] = 64 if dtype == "float64" else 32
    score = st.floats(-largest, largest, width=width)
    tiny = max(2.0**-30, format_of(dtype).smallest_normal)
    between = st.floats(0.0, 1.0, width=width) | st.sampled_from([tiny, 0.5])
    label = between if soft and specification.soft else st.sampled_from([0.0, 1.0])

    def labels(n: int) -> Any:
        if specification.one_class:
            at = st.integers(0, n - 1)
            return at.map(lambda k: tuple(float(i == k) for i in range(n)))
        return st.tuples(*[label] * n)

    sizes = st.sampled_from((1, USUAL)) if few else st.integers(1, MOST_LABELS)
    return sizes.flatmap(lambda n: st.tuples(st.tuples(*[score] * n), labels(n)))
