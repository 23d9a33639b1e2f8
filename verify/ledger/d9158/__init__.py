"""Document 9158, "n classifications with m classes": each of its statements with a verdict.

The document cuts softmax cross-entropy over n samples and m classes after the first order inside
the log (loss 1, eq. 1 to 3), finds no solution of its gradient, and turns to losses
``sum_j log(1 + sum_i t_ij e^{-f_ij})`` that have a given one (eq. 4 to 8). Both ways are in
:mod:`~verify.ledger.d9158.ways`, what it concludes in :mod:`~verify.ledger.d9158.analysis`.
"""

from __future__ import annotations

from verify.ledger.d9158 import analysis, ways

__all__ = ["ENTRIES"]

ENTRIES = (*ways.ENTRIES, *analysis.ENTRIES)
