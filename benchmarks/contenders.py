"""Who computes the value and the gradient of a loss, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import lossproof
from benchmarks import frameworks, grid_contenders, subset_contenders
from benchmarks.by_hand import HANDS
from benchmarks.cases import Case, Data
from numeric_core.loss import Loss

__all__ = ["OURS", "Contender", "contenders_of", "left_out"]

Call = Callable[[], tuple[Any, Any]]

OURS = "lossproof"


@dataclass(frozen=True)
class Contender:
    """A maker of calls () -> (value, gradient or None); what the maker does is not timed."""

    name: str
    library: str
    make: Callable[[Case, Data], Call]
    doubles: bool = False

    def runs(self, case: Case) -> bool:
        """Whether it can be run here, on such a case."""
        return find_spec(self.library) is not None and not (
            self.doubles and case.dtype != "float64"
        )


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
    """The plain version, and the compiled one where the loss has it."""
    plain = Contender(OURS, "numpy", partial(_lossproof, kernels=False))
    if not _has_kernel(getattr(lossproof, name)):
        return [plain]
    return [plain, Contender("lossproof fast", "numba", partial(_lossproof, kernels=True))]


def _has_kernel(loss: Any) -> bool:
    """Losses of tables have none."""
    return isinstance(loss, Loss) and loss.kernel() is not None


def _lossproof(case: Case, data: Data, kernels: bool) -> Call:
    """All checks of the input included."""
    loss = getattr(lossproof, case.name)

    def call() -> tuple[Any, Any]:
        lossproof.use_kernels(kernels)
        return loss.value_and_grad(data.scores, data.labels)

    return call


def _by_loss(name: str) -> list[Contender]:
    found = []
    if name in HANDS:
        found.append(Contender("NumPy by hand", "numpy", _by_hand))
    for title, library, losses, make in (
        ("torch eager", "torch", frameworks.IN_TORCH, frameworks.torch_eager),
        ("torch.compile", "torch", frameworks.IN_TORCH, frameworks.torch_compiled),
        ("jax.jit", "jax", frameworks.IN_JAX, frameworks.jax_jit),
        ("SciPy", "scipy", frameworks.IN_SCIPY, frameworks.scipy_call),
    ):
        if name in losses:
            found.append(Contender(title, library, partial(_of_framework, make)))
    return found


def _by_hand(case: Case, data: Data) -> Call:
    return lambda: HANDS[case.name](data.scores, data.labels)


def _of_framework(make: Callable[..., Call], case: Case, data: Data) -> Call:
    return make(case.name, data.scores, data.labels)


def _of_subsets(contender: subset_contenders.Contender) -> Contender:
    def make(case: Case, data: Data) -> Call:
        return contender.make(data.scores, data.labels, case.k)

    return Contender(contender.name, contender.library, make, contender.doubles)


def _of_grids(contender: grid_contenders.Contender) -> Contender:
    def make(case: Case, data: Data) -> Call:
        return contender.make(case.name.removeprefix("grid_"), data.scores, data.labels)

    return Contender(contender.name, contender.library, make)
