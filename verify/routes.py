"""The routes to the same number: the numeric core, and the code emitted from the derivations.

The third route, the oracle, is what both are held against; the three share no code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import numeric_core
from derive.emit import compile_formula
from derive.formulas import formula_of
from numeric_core import kernels

__all__ = ["CompiledRoute", "CoreRoute", "EmittedRoute", "compiled_quantities", "core_route"]


@dataclass(frozen=True)
class CoreRoute:
    """The loss object of the numeric core."""

    loss: numeric_core.Loss
    name: str = "core"

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of each row."""
        return self.loss(scores, labels)

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient."""
        return self.loss.value_and_grad(scores, labels)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector."""
        return self.loss.hvp(scores, labels, vector)


def compiled_quantities(loss: str) -> tuple[str, ...]:
    """What of this loss compiled kernels compute for large arrays, here and now."""
    known = getattr(numeric_core, loss)
    kernel = known.kernel() if isinstance(known, numeric_core.Loss) and kernels.used() else None
    if kernel is None:
        return ()
    return (
        ("value", "gradient", "hvp") if kernel.name in kernels.PRODUCTS else ("value", "gradient")
    )


@dataclass(frozen=True)
class CompiledRoute(CoreRoute):
    """The same loss, with each row repeated until its batch is large enough for a kernel."""

    name: str = "core, compiled"

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of the row."""
        return self.loss(*_repeated(scores, labels))[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient."""
        return self.loss.value_and_grad(*_repeated(scores, labels))[1][0]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector."""
        return self.loss.hvp(*_repeated(scores, labels, vector))[0]


def _repeated(*rows: Any) -> tuple[Any, ...]:
    """Rows (n,) as batches (times, n) of `kernels.LEAST` numbers."""
    times = -(-kernels.LEAST // max(1, rows[0].size))
    return tuple(np.repeat(row[None, :], times, axis=0) for row in rows)


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
    known = getattr(numeric_core, loss)
    return CoreRoute(replace(known, **parameters) if parameters else known, name)
