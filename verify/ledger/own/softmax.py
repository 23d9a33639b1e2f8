"""Softmax: what holds in place of what the survey of softmax losses says."""

from __future__ import annotations

from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import Derived

__all__ = ["ENTRIES", "SLOPE"]

SLOPE = Derived(
    "softmax_cross_entropy",
    "bounds",
    "half the identity less the Hessian, as squares",
    "hence H <= I / 2",
)

ENTRIES = (
    entry_at(
        "own",
        "for SURVEY-4",
        "softmax-sensitivity",
        "softmax never lengthens a small step of the scores: it is at most halved",
        r"v^\top J v \le \tfrac12 |v|^2, \quad J = \mathrm{diag}(p) - p p^\top",
        Verdict.PROVED,
        SLOPE,
        note="J is symmetric and has no negative eigenvalue, so its norm is at most 1/2. What "
        "grows exponentially is the ratio of two probabilities with the difference of the scores.",
    ),
)
