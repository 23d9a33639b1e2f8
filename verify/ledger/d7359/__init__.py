"""Document 7359, "softmax and cross-entropy for several labels": each statement with a verdict.

The document builds a softmax over k-subsets (:mod:`~verify.ledger.d7359.combination`), turns to
comparisons of positive and negative scores and so to ZLPR (:mod:`~verify.ledger.d7359.pairs`), and
gives code and answers about it (:mod:`~verify.ledger.d7359.code`).
"""

from __future__ import annotations

from verify.ledger.d7359 import code, combination, pairs

__all__ = ["ENTRIES"]

ENTRIES = (*combination.ENTRIES, *pairs.ENTRIES, *code.ENTRIES)
