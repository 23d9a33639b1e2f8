"""Machine-checked multi-label losses: derived for every n, decided by machine, exact to the ulp.

    import lossproof
    value, gradient = lossproof.soft_zlpr.value_and_grad(scores, labels)

The losses are those of :mod:`numeric_core`; ``lossproof verify`` on the command line decides every
step of their derivations and measures their accuracy.
"""

from __future__ import annotations

from importlib.metadata import version

from lossproof.checking import check
from numeric_core import (
    ZLPR,
    BinaryCrossEntropy,
    CombinationSoftmax,
    GridCentered,
    GridLoss,
    GridMirrored,
    GridPairwise,
    GridTruncated,
    Hinge,
    Lattice,
    Loss,
    LSEHinge,
    MaxHinge,
    OrderR,
    PaddedCombinationSoftmax,
    SoftmaxCrossEntropy,
    SoftZLPR,
    Unified,
    binary_cross_entropy,
    combination_softmax,
    grid,
    grid_centered,
    grid_mirrored,
    grid_pairwise,
    grid_truncated,
    hinge,
    labels,
    lattice,
    lse_hinge,
    max_hinge,
    order_r,
    padded_combination_softmax,
    soft_zlpr,
    softmax_cross_entropy,
    spans,
    subset,
    unified,
    zlpr,
)

__version__ = version("lossproof")

__all__ = [
    "ZLPR",
    "BinaryCrossEntropy",
    "CombinationSoftmax",
    "GridCentered",
    "GridLoss",
    "GridMirrored",
    "GridPairwise",
    "GridTruncated",
    "Hinge",
    "LSEHinge",
    "Lattice",
    "Loss",
    "MaxHinge",
    "OrderR",
    "PaddedCombinationSoftmax",
    "SoftZLPR",
    "SoftmaxCrossEntropy",
    "Unified",
    "__version__",
    "binary_cross_entropy",
    "check",
    "combination_softmax",
    "grid",
    "grid_centered",
    "grid_mirrored",
    "grid_pairwise",
    "grid_truncated",
    "hinge",
    "labels",
    "lattice",
    "lse_hinge",
    "max_hinge",
    "order_r",
    "padded_combination_softmax",
    "soft_zlpr",
    "softmax_cross_entropy",
    "spans",
    "subset",
    "unified",
    "zlpr",
]
