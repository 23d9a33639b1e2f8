"""The topics of the lattice, each with the module that derives it."""

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

__all__ = ["LATTICE"]
