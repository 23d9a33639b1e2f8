"""The survey of softmax losses: each statement with a verdict, in the order of the text.

Section 1 defines softmax, section 2 derives its gradient, section 3 builds softmax cross-entropy
from a comparison of scores by two smoothings.
"""

from __future__ import annotations

from verify.ledger.survey import smoothing, softmax

__all__ = ["ENTRIES"]

ENTRIES = (*softmax.ENTRIES, *smoothing.ENTRIES)
