"""Machine-checked multi-label losses: derived for every n, decided by machine, exact to the ulp.

    import lossproof
    value, gradient = lossproof.soft_zlpr.value_and_grad(scores, labels)

The losses are those of :mod:`numeric_core`; ``lossproof verify`` on the command line decides every
step of their derivations and measures their accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossproof.checking import check
    from numeric_core import (
        ZLPR,
        Asymmetric,
        BinaryCrossEntropy,
        Circle,
        CombinationSoftmax,
        Focal,
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
        SoftFocal,
        SoftmaxCrossEntropy,
        SoftZLPR,
        Unified,
        asymmetric,
        binary_cross_entropy,
        circle,
        combination_softmax,
        focal,
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
        soft_focal,
        soft_zlpr,
        softmax_cross_entropy,
        spans,
        subset,
        unified,
        use_kernels,
        zlpr,
    )

    __version__: str

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
    "__version__",
    "asymmetric",
    "binary_cross_entropy",
    "check",
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


def __getattr__(name: str) -> Any:
    """A public name, from where it is defined: the command line needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = _defined(name)
    return value


def _defined(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name == "check":
        from lossproof.checking import check

        return check
    import numeric_core

    return getattr(numeric_core, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
