"""Document 9064, the multi-label loss for soft labels: each statement with a verdict.

Formulas are in :mod:`~verify.ledger.d9064.equations`, what is said about them in
:mod:`~verify.ledger.d9064.conclusions`, remarks and what follows after section 11 in the others.
"""

from __future__ import annotations

from verify.ledger.d9064 import conclusions, equations, information, remarks, views

__all__ = ["ENTRIES"]

ENTRIES = (
    *equations.ENTRIES,
    *conclusions.ENTRIES,
    *remarks.ENTRIES,
    *views.ENTRIES,
    *information.ENTRIES,
)
