r"""Each row held against the truth: what error is allowed, and what was seen.

With eps the distance of 1 to the next number of the dtype, a value may be off by

    C eps max(1, |l|, m),      C = 64 in float64 and float32, 32 in float16 and bfloat16

where m is the largest number that the formula itself works on (the largest |s| that is no mask; a
multiple of it for losses with a scale).  That is what a sound formula in floats reaches, such as
log-sum-exp, and a hundred times less than any wrong term costs.  A gradient may be off by as much
times its largest component, 1 at least.  A loss below 1 whose relative error is above 1e-3 (and
above C eps) is noted apart (`tiny`): its digits are lost, as in all log-sum-exp code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from verify.check.cases import Case
from verify.check.convention import logits_of
from verify.check.findings import UNIT
from verify.check.frameworks import Numbers
from verify.check.observation import Observation
from verify.check.probes import Probe
from verify.check.specification import LARGEST_SCORE, Specification
from verify.check.trial import Failed, Trial
from verify.formats import format_of

__all__ = ["BOUNDS", "Weigher"]

BOUNDS: Mapping[str, float] = {"float64": 64.0, "float32": 64.0, "float16": 32.0, "bfloat16": 32.0}
TINY_RELATIVE = 1e-3
# Losses whose formula works on larger numbers than the scores: |s| and the number of labels in.
_WORKS_ON: Mapping[str, Callable[[Mapping[str, float | None], float, int], float]] = {
    "circle": lambda p, s, n: (p["scale"] or 1.0) * (s + 1.0) ** 2,
    "unified": lambda p, s, n: 2.0 * (p["scale"] or 1.0) * (s + abs(p["margin"] or 0.0)),
    "combination_softmax": lambda p, s, n: s * n,
    "padded_combination_softmax": lambda p, s, n: s * n,
    "order_r": lambda p, s, n: 2.0 * s * (p["order"] or 1),
}
_KINKED = ("hinge", "max_hinge", "lse_hinge")


@dataclass(frozen=True)
class Weigher:
    """A trial beside its specification.

    scale: the value and the gradient are to be that multiple of the truth.
    """

    trial: Trial
    specification: Specification
    scale: float = 1.0

    def case(self, case: Case, gradient: bool = True) -> Observation:
        """One row; a row without a truth (a difference of infinities) counts as right."""
        scores, labels = np.array([case.scores]), np.array([case.labels])
        empty = Observation(case.kind, case.name, case.dtype, scores, labels)
        return self._weigh(empty, gradient)

    def probe(self, probe: Probe, kind: str, gradient: bool = True) -> Observation:
        """A batch in the widest dtype that the target takes."""
        name = f"{kind}/{probe.rows}x{probe.scores.shape[1]}"
        widest = self.trial.convention.widest
        empty = Observation(kind, name, widest, probe.scores, probe.labels)
        if self.trial.convention.layout == "row" and probe.rows > 1:
            empty = replace(empty, scores=probe.scores[:1], labels=probe.labels[:1])
        return self._weigh(empty, gradient)

    def _weigh(self, seen: Observation, gradient: bool) -> Observation:
        given = self.trial.given(seen.scores, seen.dtype)
        exact = logits_of(self.trial.convention.input, given)
        try:
            rows = [
                self.specification.truth(s.tolist(), t.tolist())
                for s, t in zip(exact, seen.labels, strict=True)
            ]
        except ValueError:
            return replace(seen, error="")
        truth = np.array([float(row.value) for row in rows]) * self.scale
        slopes = np.array([[float(g) for g in row.gradient] for row in rows]) * self.scale
        seen = self._value(seen, truth)
        kinked = self.specification.name in _KINKED and _has_ties(seen.scores)
        if not gradient or kinked or not self.trial.has_gradient or slopes.size != given.size:
            return seen
        if (np.abs(truth) >= self._largest(seen)).any():
            return seen  # the loss itself is beyond the dtype
        largest = max((float(x) for row in rows for x in row.gradient_scale), default=1.0)
        return self._gradient(seen, slopes, max(1.0, largest * self.scale))

    def _value(self, seen: Observation, truth: Numbers) -> Observation:
        try:
            result = self.trial.run(seen.scores, seen.labels, seen.dtype)
            got = self.trial.reduced(result.raw, seen.scores.shape)
        except Failed as error:
            return replace(seen, error=str(error), truth=truth)
        if got.size < truth.size:
            truth = truth.sum(keepdims=True)
        eps = format_of(self._dtype(seen, result.dtype)).epsilon
        size = np.maximum(np.abs(truth), self._works_on(seen.scores)) * max(1.0, self.scale)
        excess = _excess(got, truth, BOUNDS[seen.dtype] * eps * size, self._largest(seen))
        off, finite = np.abs(got - truth), np.isfinite(got) & np.isfinite(truth)
        relative = max(TINY_RELATIVE, BOUNDS[seen.dtype] * eps)
        small = finite & (np.abs(truth) < 1) & (off > relative * np.abs(truth))
        small &= off > format_of(seen.dtype).smallest_subnormal  # the nearest number there is
        with np.errstate(over="ignore"):
            ulps = np.where(finite, off / (eps * size), np.where(excess > 1, np.inf, 0.0))
        return replace(
            seen,
            got=got,
            truth=truth,
            excess=float(excess.max(initial=0.0)),
            ulps=float(ulps.max(initial=0.0)),
            tiny=bool((small & (excess <= 1)).any()),
        )

    def _dtype(self, seen: Observation, returned: str) -> str:
        """Of float64 the target may make float32, and is then judged by that."""
        return "float32" if (seen.dtype, returned) == ("float64", "float32") else seen.dtype

    def _gradient(self, seen: Observation, truth: Numbers, largest: float) -> Observation:
        try:
            got = self.trial.gradient(seen.scores, seen.labels, seen.dtype)
        except Failed as error:
            return replace(seen, gradient_error=str(error), gradient_truth=truth)
        # bfloat16 and float32 inside float64 code show in the value as well
        unit = max(format_of(seen.dtype).epsilon, self._inner(seen)) * self._works_on(seen.scores)
        allowed = BOUNDS[seen.dtype] * unit * largest
        excess = _excess(got, truth, np.full(truth.shape, allowed), math.inf)
        return replace(
            seen,
            gradient=got,
            gradient_truth=truth,
            gradient_excess=float(excess.max(initial=0.0)),
            gradient_ulps=float(excess.max(initial=0.0)) * BOUNDS[seen.dtype],
        )

    def _inner(self, seen: Observation) -> float:
        """The precision that float64 code was seen to work in: that of what it returns."""
        if seen.dtype != "float64":
            return 0.0
        try:
            returned = self.trial.run(seen.scores, seen.labels, seen.dtype).dtype
        except Failed:
            return 0.0
        return format_of("float32").epsilon if returned == "float32" else 0.0

    @property
    def unit(self) -> str:
        """What the errors of values are counted in."""
        larger = self.specification.name in _WORKS_ON
        return "ulp of the largest number that the formula works on" if larger else UNIT

    def _works_on(self, scores: Numbers) -> float:
        kept = np.abs(scores[np.isfinite(scores) & (np.abs(scores) < LARGEST_SCORE)])
        s = float(kept.max(initial=0.0))
        larger = _WORKS_ON.get(self.specification.name)
        size = s if larger is None else larger(self.specification.parameters, s, scores.shape[-1])
        return max(1.0, size)

    def _largest(self, seen: Observation) -> float:
        """From here on a loss in the dtype may be inf, its reduction undone."""
        return 0.98 * format_of(seen.dtype).max


def _excess(got: Numbers, truth: Numbers, allowed: Numbers, largest: float) -> Numbers:
    """The error over what is allowed; 0 for inf in place of what the dtype cannot hold."""
    with np.errstate(all="ignore"):
        error = np.abs(got - truth) / allowed
    over = (np.abs(truth) >= largest) & (np.isposinf(got) | (got >= largest))
    right = over | (got == truth)
    return np.where(right, 0.0, np.where(np.isfinite(error), error, np.inf))


def _has_ties(scores: Numbers) -> bool:
    return any(len(np.unique(row)) < len(row) for row in scores)
