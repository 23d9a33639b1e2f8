r"""The code that the documents print, run as what it is: its formula, constants and order.

:mod:`~verify.ledger.printed.snippets` has each piece of code once, over the few operations that it
uses; :mod:`~verify.ledger.printed.libraries` has these operations in NumPy, PyTorch and JAX, and in
exact arithmetic, where what is left of an error is that of the formula alone;
:mod:`~verify.ledger.printed.cases` has the rows, and :mod:`~verify.ledger.printed.cells` holds
value and gradient against the oracle. What PyTorch and JAX give is recorded, so that no verdict
depends on what is installed; the tests run it again where they are.
"""

from __future__ import annotations

from verify.ledger.printed.cases import CASES, Case
from verify.ledger.printed.cells import Cell, Kind, Outcome, cells, measured, recorded
from verify.ledger.printed.libraries import LIBRARIES, Library, NumpyLibrary
from verify.ledger.printed.snippets import SNIPPETS, Snippet

__all__ = ["CASES", "LIBRARIES", "SNIPPETS", "Case", "Cell", "Kind", "Library", "NumpyLibrary"]
__all__ += ["Outcome", "Snippet", "cells", "measured", "recorded"]
