"""One lattice: every multi-label loss is ``log sum_{(a, b) in I} e_a(v) e_b(w)``.

``v = e^s`` on the negatives, ``w = e^{-s}`` on the positives (soft labels weight both), ``e_a`` the
elementary symmetric polynomials. What is true of the losses together is derived here: that each is
the sum over its own index set (:mod:`~derive.lattice.identities`), that every index set gives a
convex loss (:mod:`~derive.lattice.convexity`), and where a symmetric one has its minimum
(:mod:`~derive.lattice.optimum`).
"""

from __future__ import annotations

from derive.lattice import convexity, identities, optimum
from derive.lattice.theory import Theory

LATTICE = Theory(
    name="lattice",
    formula="log Σ_{(a,b) in I} e_a((1-t) e^s) e_b(t e^(-s))",
    by_topic={
        "softmax": identities.derive_softmax,
        "unified": identities.derive_unified,
        "combination": identities.derive_combination,
        "padded": identities.derive_padded,
        "zlpr": identities.derive_zlpr,
        "order-r": identities.derive_order_r,
        "bce": identities.derive_bce,
        "smaller-set": identities.derive_smaller_set,
        "convexity": convexity.derive_convexity,
        "stationarity": optimum.derive_stationarity,
        "minimum": optimum.derive_minimum,
        "uniqueness": optimum.derive_uniqueness,
        "diagonal": optimum.derive_diagonal,
        "corners": optimum.derive_corners,
    },
)

__all__ = ["LATTICE", "Theory"]
