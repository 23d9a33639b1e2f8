"""The routes to the same number: the numeric core, and the code emitted from the derivations.

The third route, the oracle, is what both are held against; the three share no code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

import numeric_core
from derive.emit import compile_formula
from derive.formulas import formula_of
from numeric_core import GridLoss, Loss, kernels, sweeps
from verify.oracle.grid import GRIDS
from verify.samples import Sample

__all__ = ["CompiledGridRoute", "CompiledRoute", "CoreRoute", "EmittedRoute", "LargeGridRoute"]
__all__ += ["compiled_quantities", "compiled_route", "core_route", "has_kernel"]

AnyLoss: TypeAlias = Loss | GridLoss


@dataclass(frozen=True)
class CoreRoute:
    """The loss object of the numeric core, without compiled kernels whatever the size."""

    loss: AnyLoss
    name: str = "core"

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of each row."""
        with kernels.left_out():
            return self.loss(scores, labels)

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient."""
        with kernels.left_out():
            return self.loss.value_and_grad(scores, labels)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector."""
        with kernels.left_out():
            return self.loss.hvp(scores, labels, vector)


def compiled_quantities(loss: str, **parameters: float) -> tuple[str, ...]:
    """What of this loss compiled kernels compute for large arrays, here and now."""
    known = replace(getattr(numeric_core, loss), **parameters)
    if not kernels.used():
        return ()
    if isinstance(known, GridLoss):
        return ("value", "gradient")
    kernel = known.kernel()
    if kernel is None or not kernels.in_reach(kernel):
        return ()
    return ("value", "gradient", "hvp")[: 3 if kernel.name in kernels.PRODUCTS else 2]


@dataclass(frozen=True)
class CompiledRoute:
    """The same loss by its kernel: each row with rows of scores 0 after it, as many as that takes.

    What the kernel has no answer for, the plain version then does for one row alone.
    """

    loss: AnyLoss
    name: str = "core, compiled"

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of the row."""
        return self.loss(*_in_batch(scores, labels))[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient."""
        return self.loss.value_and_grad(*_in_batch(scores, labels))[1][0]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector."""
        return self.loss.hvp(*_in_batch(scores, labels, vector))[0]


def _in_batch(scores: Any, *others: Any) -> tuple[Any, ...]:
    """Rows (n,) as the first of batches (rows, n) of `kernels.LEAST` numbers."""
    shape = (-(-kernels.LEAST // scores.size), scores.size)
    batch = np.zeros(shape, scores.dtype)
    batch[0] = scores
    return batch, *(np.broadcast_to(row, shape).copy() for row in others)


@dataclass(frozen=True)
class LargeGridRoute(CoreRoute):
    """The loss of a grid without kernels, among samples without labels, which count nothing."""

    name: str = "core, large"

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of the grid."""
        _, *grids = _among_others(sweeps.LARGE, scores, labels)
        return super().value(*grids)

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient for the samples of the grid."""
        own, *grids = _among_others(sweeps.LARGE, scores, labels)
        return super().gradient(*grids)[own]


@dataclass(frozen=True)
class CompiledGridRoute(CompiledRoute):
    """A loss over a grid by its kernel, among as many samples without labels as that takes."""

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of the grid."""
        _, *grids = _among_others(sweeps.COMPILED, scores, labels)
        return self.loss(*grids)

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient for the samples of the grid."""
        own, *grids = _among_others(sweeps.COMPILED, scores, labels)
        return self.loss.value_and_grad(*grids)[1][own]


def _among_others(least: int, *grids: Any) -> tuple[Any, ...]:
    """Where the samples of (n, m) are in grids of so many numbers, and these grids.

    They are far from each other, so that all chunks that a kernel takes have some.
    """
    n, m = grids[0].shape
    step = -(-least // grids[0].size)
    own = slice(0, n * step, step)
    large = [np.zeros((n * step, m), grid.dtype) for grid in grids]
    for grid, part in zip(large, grids, strict=True):
        grid[own] = part
    return own, *large


def compiled_route(loss: str, name: str = "core, compiled", **parameters: float) -> CompiledRoute:
    """The route through the kernel of the loss, at other parameters where they are given."""
    known = replace(getattr(numeric_core, loss), **parameters)
    return CompiledGridRoute(known, name) if loss in GRIDS else CompiledRoute(known, name)


def has_kernel(loss: str, sample: Sample) -> bool:
    """Whether a kernel takes such arrays once they are large; rows that it takes may come back."""
    if not sample.scores.size:
        return False
    if loss not in GRIDS:
        narrow = getattr(numeric_core, loss).kernel().name in kernels.NARROW
        return not (narrow and sample.dtype == "float64")
    from numeric_core.kernels.grid import REACH  # imports Numba

    wide = sample.dtype == "float32" and sample.scores.shape[1] >= sweeps.NARROW
    taken = sample.dtype == "float64" or (wide and loss != "grid_pairwise")
    return taken and bool(np.all(np.abs(sample.scores) <= REACH))


class EmittedRoute:
    """The functions emitted from the proved derivations of a loss, for one target."""

    def __init__(self, loss: str, target: str = "numpy") -> None:
        self.name = f"emitted {target}"
        self._functions = {
            quantity: compile_formula(formula_of(loss, quantity), target)
            for quantity in ("value", "gradient", "hvp")
        }

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of each row."""
        return self._functions["value"](scores, labels)

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient."""
        return self._functions["gradient"](scores, labels)

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector."""
        return self._functions["hvp"](scores, labels, vector)


def core_route(loss: str, name: str = "core", **parameters: float) -> CoreRoute:
    """The numeric core's loss of that name, at other parameters where they are given."""
    return CoreRoute(replace(getattr(numeric_core, loss), **parameters), name)
