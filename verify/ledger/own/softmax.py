"""Softmax: what holds in place of what the survey of softmax losses says."""

from __future__ import annotations

from verify.ledger.entry import Verdict, entry_at
from verify.ledger.evidence import All, Derived

__all__ = ["ENTRIES", "SLOPE"]

SLOPE = All(
    Derived(
        "softmax_cross_entropy",
        "bounds",
        "half the identity less the Hessian, as squares",
        "hence H <= I / 2",
    ),
    Derived(
        "softmax_cross_entropy",
        "convexity",
        "complete the squares",
        "every term is non-negative: the loss is convex",
    ),
)

ENTRIES = (
    entry_at(
        "own",
        "for SURVEY-4",
        "softmax-sensitivity",
        "softmax at least halves every step of the scores: no difference is enlarged",
        r"0 \le v^\top J v \le \tfrac12 |v|^2, \quad J = \mathrm{diag}(p) - p p^\top",
        Verdict.PROVED,
        SLOPE,
        note="J is symmetric, its eigenvalues are between 0 and 1/2 at all scores, so that along "
        "the segment between two of them |p - p'| <= |z - z'| / 2. What grows is the ratio of two "
        "probabilities: exponentially with the difference of their scores.",
    ),
)
