"""The numeric core: multi-label losses on any array-API namespace, accurate to a few ulp.

    import numpy as np
    from numeric_core import soft_zlpr

    value, gradient = soft_zlpr.value_and_grad(scores, labels)

Each loss is an object.  Call it for the value; `.value_and_grad`, `.hvp` and `.hessian` give its
derivatives, `.probabilities` and `.predict` read scores.  Arrays are (*batch, n), the label axis
anywhere; results have the dtype and live on the device of the scores.  The grid_ losses
take n samples x m classes, (*batch, n, m), and have one value for each grid.

`subset` is the distribution over k-subsets: log Z_k, inclusion probabilities, exact draws.
`labels` smooths and mixes labels and makes those of a teacher, `spans` scores spans of tokens.
"""

from numeric_core import grid, labels, spans, subset
from numeric_core.grids import GridLoss
from numeric_core.kernels import use_kernels
from numeric_core.loss import Loss
from numeric_core.losses.general import Lattice, lattice
from numeric_core.losses.grid import (
    GridCentered,
    GridMirrored,
    GridPairwise,
    GridTruncated,
    grid_centered,
    grid_mirrored,
    grid_pairwise,
    grid_truncated,
)
from numeric_core.losses.hinge import Hinge, LSEHinge, MaxHinge, hinge, lse_hinge, max_hinge
from numeric_core.losses.order_r import OrderR, order_r
from numeric_core.losses.related import (
    Asymmetric,
    Circle,
    Focal,
    SoftFocal,
    asymmetric,
    circle,
    focal,
    soft_focal,
)
from numeric_core.losses.softmax import SoftmaxCrossEntropy, softmax_cross_entropy
from numeric_core.losses.subset import (
    CombinationSoftmax,
    PaddedCombinationSoftmax,
    combination_softmax,
    padded_combination_softmax,
)
from numeric_core.losses.unified import Unified, unified
from numeric_core.losses.zlpr import (
    ZLPR,
    BinaryCrossEntropy,
    SoftZLPR,
    binary_cross_entropy,
    soft_zlpr,
    zlpr,
)

__all__ = [
    "ZLPR",
    "Asymmetric",
    "BinaryCrossEntropy",
    "Circle",
    "CombinationSoftmax",
    "Focal",
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
    "SoftFocal",
    "SoftZLPR",
    "SoftmaxCrossEntropy",
    "Unified",
    "asymmetric",
    "binary_cross_entropy",
    "circle",
    "combination_softmax",
    "focal",
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
    "soft_focal",
    "soft_zlpr",
    "softmax_cross_entropy",
    "spans",
    "subset",
    "unified",
    "use_kernels",
    "zlpr",
]
