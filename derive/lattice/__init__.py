"""One lattice: every multi-label loss is ``log sum_{(a, b) in I} e_a(v) e_b(w)``.

``v = e^s`` on the negatives, ``w = e^{-s}`` on the positives (soft labels weight both), ``e_a`` the
elementary symmetric polynomials. What is true of the losses together is derived here: that each is
the sum over its own index set (:mod:`~derive.lattice.identities`), that every index set gives a
convex loss (:mod:`~derive.lattice.convexity`), and where a symmetric one has its minimum
(:mod:`~derive.lattice.optimum`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from derive.lattice.theory import Theory

if TYPE_CHECKING:
    from derive.lattice.topics import LATTICE

__all__ = ["LATTICE", "Theory"]


def __getattr__(name: str) -> Any:
    """``LATTICE``, when it is asked for: losses need the sums of this package, no topics."""
    if name != "LATTICE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from derive.lattice.topics import LATTICE

    return LATTICE
