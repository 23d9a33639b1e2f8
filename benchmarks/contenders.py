"""Who computes a loss, its gradient, or the product of its Hessian with a vector.

A call gives two results, None for what was not asked: the value, and the gradient or the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

import lossproof
from benchmarks import frameworks, grid_contenders, subset_contenders
from benchmarks.by_hand import HANDS, PRODUCTS, VALUES
from benchmarks.cases import HVP, VALUE, VALUE_AND_GRADIENT, Case, Data
from numeric_core import kernels as compiled

__all__ = ["FAST", "OURS", "OUT", "Contender", "contenders_of", "left_out"]

Call = Callable[[], tuple[Any, Any]]

OURS = "lossproof"
FAST = f"{OURS} fast"
OUT = f"{FAST}, out="
ALL = (VALUE, VALUE_AND_GRADIENT, HVP)


@dataclass(frozen=True)
class Contender:
    """A maker of calls; what the maker does is not timed.

    doubles: takes float64 only. quantities: what it computes. least: scores from which on.
    """

    name: str
    library: str
    make: Callable[[Case, Data], Call]
    doubles: bool = False
    quantities: tuple[str, ...] = (VALUE_AND_GRADIENT,)
    least: int = 0

    def runs(self, case: Case) -> bool:
        """Whether it can be run here, on such a case."""
        if case.quantity not in self.quantities or find_spec(self.library) is None:
            return False
        if math.prod(case.shape) < self.least:
            return False
        return not self.doubles or case.dtype == "float64"


def contenders_of(name: str) -> list[Contender]:
    """All that have the loss, lossproof first."""
    others = _by_loss(name)
    if name == "combination_softmax":
        others = [_of_subsets(c) for c in subset_contenders.CONTENDERS]
    elif name.startswith("grid_"):
        others = [_of_grids(c) for c in grid_contenders.CONTENDERS]
    return [*_ours(name), *others]


def left_out(contenders: list[Contender]) -> list[str]:
    """A line for each whose library is not installed."""
    return [
        f"{c.name}: {c.library} is not installed"
        for c in contenders
        if find_spec(c.library) is None
    ]


def _ours(name: str) -> list[Contender]:
    """The plain version, and the compiled one where the loss has it: with a new array for each
    gradient and, as a = b + c is timed, with one that is there before.  Losses over a table copy
    the gradient into such an array, which is no gain."""
    plain = Contender(OURS, "numpy", partial(_lossproof, kernels=False), quantities=ALL)
    quantities = kernel_quantities(name)
    if not quantities:
        return [plain]
    fast = partial(_lossproof, kernels=True)
    found = [
        plain,
        Contender(FAST, "numba", fast, quantities=quantities, least=compiled.LEAST),
    ]
    if not name.startswith("grid_"):
        there = partial(_lossproof, kernels=True, there=True)
        found.append(Contender(OUT, "numba", there, least=compiled.LEAST))
    return found


def kernel_quantities(name: str) -> tuple[str, ...]:
    """What the compiled kernel of a loss computes; those of grids are not named by the loss."""
    if name.startswith("grid_"):
        return ALL[:2]
    kernel = getattr(getattr(lossproof, name), "kernel", lambda: None)()
    if kernel is None:
        return ()
    return ALL if kernel.name in compiled.PRODUCTS else ALL[:2]


def _lossproof(case: Case, data: Data, kernels: bool, there: bool = False) -> Call:
    """All checks of the input included."""
    loss = getattr(lossproof, case.name)
    room = {"out": np.empty_like(data.scores)} if there else {}
    arrays = (data.scores, data.labels)
    ask = {
        VALUE: lambda: (loss(*arrays), None),
        VALUE_AND_GRADIENT: lambda: loss.value_and_grad(*arrays, **room),
        HVP: lambda: (None, loss.hvp(*arrays, data.vector)),
    }[case.quantity]

    def call() -> tuple[Any, Any]:
        lossproof.use_kernels(kernels)
        return ask()

    return call


def _by_loss(name: str) -> list[Contender]:
    found = []
    if name in HANDS:
        found.append(Contender("NumPy by hand", "numpy", _by_hand, quantities=ALL))
    for title, library, losses, make, quantities in (
        ("torch eager", "torch", frameworks.IN_TORCH, frameworks.torch_eager, ALL),
        ("torch.compile", "torch", frameworks.IN_TORCH, frameworks.torch_compiled, ALL[:2]),
        ("jax.jit", "jax", frameworks.IN_JAX, frameworks.jax_jit, ALL),
        ("SciPy", "scipy", frameworks.IN_SCIPY, frameworks.scipy_call, (VALUE_AND_GRADIENT,)),
    ):
        if name in losses:
            found.append(Contender(title, library, make, quantities=quantities))
    return found


def _by_hand(case: Case, data: Data) -> Call:
    s, t, v = data.scores, data.labels, data.vector
    return {
        VALUE: lambda: (VALUES[case.name](s, t), None),
        VALUE_AND_GRADIENT: lambda: HANDS[case.name](s, t),
        HVP: lambda: (None, PRODUCTS[case.name](s, t, v)),
    }[case.quantity]


def _of_subsets(contender: subset_contenders.Contender) -> Contender:
    def make(case: Case, data: Data) -> Call:
        return contender.make(data.scores, data.labels, case.k)

    return Contender(contender.name, contender.library, make, contender.doubles)


def _of_grids(contender: grid_contenders.Contender) -> Contender:
    def make(case: Case, data: Data) -> Call:
        return contender.make(case.name.removeprefix("grid_"), data.scores, data.labels)

    return Contender(contender.name, contender.library, make)
