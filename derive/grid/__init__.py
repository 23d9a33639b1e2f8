"""The n x m losses together: what is true of them beyond each loss's own derivations.

Losses over n samples and m classes sum over the samples inside the log. Derived here, for symbolic
n and m: the scores that minimise the truncated loss (:mod:`~derive.grid.solution`); why no loss of
the document's general form serves hard and soft labels (:mod:`~derive.grid.constant_sum`); where
the pairwise and the mirrored loss have their minimum (:mod:`~derive.grid.pairs`); which losses
have it there, and why the 2 (:mod:`~derive.grid.symmetry`); how smooth the pairwise loss is
(:mod:`~derive.grid.smooth`); what a small loss says about hard labels (:mod:`~derive.grid.hard`);
how much a log per class balances (:mod:`~derive.grid.balance`), and what is left of it at the
minimum (:mod:`~derive.grid.frequencies`). With two classes three of the losses are soft ZLPR
(:mod:`~derive.grid.two_classes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from derive.lattice.theory import Theory

if TYPE_CHECKING:
    from derive.grid.topics import GRID

__all__ = ["GRID", "Theory"]


def __getattr__(name: str) -> Any:
    """``GRID``, when it is asked for: losses need the sums of this package, no topics."""
    if name != "GRID":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from derive.grid.topics import GRID

    return GRID
