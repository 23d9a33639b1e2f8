"""Where a target is right, in words: by dtype, classes of rows, and the size of the scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verify.check.evidence import Evidence, dtypes_of, is_soft
from verify.check.fit import NEAR
from verify.check.observation import Observation
from verify.check.shrink import limit_of_scores

__all__ = ["range_of"]


_SIZED = ("ordinary", "large", "confident", "search")
_NAMES = {"search": "some rows found by search", "probe": "some ordinary rows"}


def range_of(evidence: Evidence, verdict: str) -> str:
    """Where the target is right: by dtype, all classes but those that fail."""
    ranges = {"one row": "batches of one row", "lists": "batches of lists of one length"}
    if verdict in ("different", "does-not-run") or evidence.fit.rank in ranges:
        return ranges.get(evidence.fit.rank, "nothing")
    if not evidence.seen:
        return "batches of ordinary rows in float64"
    hard = verdict == "hard-labels-only"
    judged = [o for o in evidence.all_seen if o.kind != "batch" and not (hard and is_soft(o))]
    words = [
        f"{dtype}: {_of_dtype(evidence, [o for o in judged if o.dtype == dtype])}"
        for dtype in dtypes_of(evidence.seen)
    ]
    shown = "; ".join(_merged(words))
    if evidence.only_bent_wrongly:
        return f"value and gradient ({shown}); not the Hessian-vector product"
    return f"labels 0 and 1; {shown}" if hard else shown


def _of_dtype(evidence: Evidence, own: Sequence[Observation]) -> str:
    """Which of these rows are right, by their classes and the size of their scores."""
    failing = list(dict.fromkeys(o.kind for o in own if not _counts(evidence, o)))
    if not failing:
        return "all"
    if failing == ["mask -inf"]:
        return "all finite scores"
    limit = _limit(evidence, own) if len(failing) > 1 else ""
    if "ordinary" in failing and len(failing) > 2:
        return limit or _digits(own)
    masks = [kind for kind in failing if kind.startswith("mask")]
    if limit:
        return ", no ".join([limit, *masks])
    return f"all but {', '.join(_NAMES.get(kind, kind) for kind in failing)}"


def _counts(evidence: Evidence, seen: Observation) -> bool:
    return seen.gradient_right if evidence.fit.rank == "constant" else seen.right


def _digits(own: Sequence[Observation]) -> str:
    """How near ordinary rows come, where none is right to the last digits."""
    errors = [
        float(np.max(np.abs(o.got - o.truth) / np.maximum(1, np.abs(o.truth))))
        for o in own
        if o.kind == "ordinary" and o.got is not None
    ]
    worst = max(errors, default=np.inf)
    return f"ordinary scores, but only to {worst:.1g}" if worst < NEAR else "nothing"


def _merged(words: Sequence[str]) -> list[str]:
    """Dtypes that say the same, together."""
    groups: dict[str, list[str]] = {}
    for text in words:
        dtype, _, rest = text.partition(": ")
        groups.setdefault(rest, []).append(dtype)
    return [f"{', '.join(dtypes)}: {rest}" for rest, dtypes in groups.items()]


def _limit(evidence: Evidence, own: Sequence[Observation]) -> str:
    """The largest |score| that is right, where size is what breaks it."""
    wrong = [o for o in own if o.kind in _SIZED and not o.right]
    if not wrong:
        return ""
    shortest = min(wrong, key=lambda o: o.scores.size)
    limit = limit_of_scores(evidence.weigher_of(is_soft(shortest)), shortest)
    return f"|score| up to {limit:.3g}" if limit else ""
