"""What is measured: losses on batches (rows, n) from many short rows to a few of ten million.

Value and gradient of every loss; of those of one axis also the value alone and the product of the
Hessian with a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "DTYPES",
    "FAMILIES",
    "HVP",
    "MORE",
    "VALUE",
    "VALUE_AND_GRADIENT",
    "Case",
    "Data",
    "OtherCase",
    "cases_of",
    "data_of",
    "growth_of",
]

VALUE, VALUE_AND_GRADIENT, HVP = "value", "value_and_grad", "hvp"

DTYPES = ("float32", "float64")
SEED = 11
# Where a trained model's scores lie.
SPREAD = 3.0
# Many short rows, a layer's worth, long rows, and 4e7 scores.
SHAPES = ((65_536, 64), (4096, 1024), (128, 32_768), (4, 10_000_000))
QUICK = ((4096, 64), (256, 1024))
SMALLEST = ((16, 64),)
# Of value alone and Hessian-vector product: short rows and long ones.
MORE = {"smallest": SMALLEST, "quick": QUICK[1:], "full": (SHAPES[0], SHAPES[2])}
# Of the combination softmax: (rows, n, k).
SUBSETS = ((256, 1000, 5), (64, 1000, 50), (4, 100_000, 5), (1, 16_384, 4))
# Of the losses of n samples x m classes.
GRIDS = ((10_000, 100), (256, 1000), (1_000_000, 10))
# Growth in n: 16 rows.
ROWS = 16
LENGTHS = tuple(2**p for p in range(6, 21, 2))
ORDERS = (1, 4, 16, 64, 256)

LABELS = {
    "softmax_cross_entropy": "distribution",
    "binary_cross_entropy": "soft",
    "zlpr": "hard",
    "soft_zlpr": "soft",
    "unified": "soft",
    "combination_softmax": "subset",
    "grid_truncated": "distribution",
    "grid_mirrored": "distribution",
    "grid_pairwise": "distribution",
    "grid_centered": "distribution",
}
FAMILIES = tuple(LABELS)
# Of hard labels this share is positive.
POSITIVES = 0.05


@dataclass(frozen=True)
class Case:
    """What is asked of a loss on a batch of a shape; k positives a row where the loss has them."""

    name: str
    shape: tuple[int, int]
    dtype: str
    k: int = 0
    quantity: str = VALUE_AND_GRADIENT

    @property
    def unit(self) -> str:
        """The case without its dtype; value and gradient are what a loss is asked for."""
        what = "" if self.quantity == VALUE_AND_GRADIENT else f" {self.quantity}"
        size = f"{self.shape[0]} x {self.shape[1]}" + (f", k = {self.k}" if self.k else "")
        return f"{self.name}{what} {size}"

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return f"{self.unit} {self.dtype}"

    @property
    def nbytes(self) -> int:
        """Of the scores."""
        return self.shape[0] * self.shape[1] * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class OtherCase:
    """Contenders by name, lossproof first, which the ratios are to."""

    name: str
    make: Callable[[], dict[str, Callable[[], Any]]]

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return self.name


@dataclass(frozen=True)
class Data:
    """Scores and labels (rows, n); a vector to multiply the Hessian with, where that is asked."""

    scores: Any
    labels: Any
    vector: Any = None


def cases_of(name: str, size: str) -> list[Case]:
    """The cases of a loss; size: smallest, quick or full."""
    if name == "combination_softmax":
        shapes = {"smallest": ((8, 64, 3),), "quick": SUBSETS[:1], "full": SUBSETS}[size]
        return [Case(name, (rows, n), dtype, k) for rows, n, k in shapes for dtype in DTYPES]
    if name.startswith("grid"):
        chosen = {"smallest": ((16, 5),), "quick": ((256, 100),), "full": GRIDS}[size]
    else:
        chosen = {"smallest": SMALLEST, "quick": QUICK, "full": SHAPES}[size]
    found = [Case(name, shape, dtype) for shape in chosen for dtype in DTYPES]
    if not name.startswith("grid"):
        more = [(quantity, shape) for quantity in (VALUE, HVP) for shape in MORE[size]]
        found += [Case(name, shape, d, 0, quantity) for quantity, shape in more for d in DTYPES]
    return found


def growth_of(name: str) -> list[list[Case]]:
    """Lines of 16 rows that grow, in float32; those of the combination softmax in n and in k."""
    if name.startswith("grid"):
        return []
    if name == "combination_softmax":  # in float64, as all its contenders are
        over_n = [Case(name, (ROWS, n), "float64", 5) for n in LENGTHS if n <= 2**18]
        return [over_n, [Case(name, (ROWS, 4096), "float64", k) for k in ORDERS]]
    return [[Case(name, (ROWS, n), "float32") for n in LENGTHS]]


def data_of(case: Case) -> Data:
    """The same batch for the same case, always."""
    rng = np.random.default_rng([SEED, *case.shape, case.k])
    scores = rng.standard_normal(case.shape, dtype=case.dtype)
    scores *= SPREAD
    labels = _labels(LABELS[case.name], case, rng)
    if case.quantity != HVP:
        return Data(scores, labels)
    return Data(scores, labels, rng.standard_normal(case.shape, dtype=case.dtype))


def _labels(kind: str, case: Case, rng: Any) -> Any:
    draws = rng.random(case.shape, dtype=case.dtype)
    if kind == "hard":
        return (draws < POSITIVES).astype(case.dtype)
    if kind == "distribution":
        draws /= draws.sum(axis=-1, keepdims=True, dtype=np.float64)
    if kind == "subset":
        places = np.argsort(draws, axis=1)[:, : case.k]
        draws[:] = 0
        np.put_along_axis(draws, places, 1, axis=1)
    return draws
