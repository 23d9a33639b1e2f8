"""The losses that can be derived, by the names under which they are imported, and the theories.

:data:`LOSSES` are those that can be derived and emitted; :data:`SUBJECTS` adds the theories that
they share, which are derived and verified as they are and have nothing to emit. A family is
imported when one of its losses is asked for: to write down all of them takes longer than to derive
most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from derive.lattice import Theory
    from derive.losses.loss import SymbolicLoss

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """What has a name, in the order of the names; each is looked up when it is asked for."""

    def __init__(self, names: Iterable[str], look_up: Callable[[str], T]) -> None:
        """``look_up`` is asked for each name once."""
        self._found: dict[str, T | None] = dict.fromkeys(names)
        self._look_up = look_up

    def __getitem__(self, name: str) -> T:
        found = self._found[name]
        if found is None:
            found = self._found[name] = self._look_up(name)
        return found

    def __setitem__(self, name: str, subject: T) -> None:
        """Another one in its place, such as a mutant."""
        self._found[name] = subject

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _loss(name: str) -> SymbolicLoss:
    match name:
        case "softmax_cross_entropy":
            from derive.losses.softmax import LOSS
        case "hinge":
            from derive.losses.hinge import HINGE as LOSS
        case "max_hinge":
            from derive.losses.hinge import MAX_HINGE as LOSS
        case "lse_hinge":
            from derive.losses.hinge import LSE_HINGE as LOSS
        case "binary_cross_entropy":
            from derive.losses.zlpr import BCE as LOSS
        case "zlpr":
            from derive.losses.zlpr import ZLPR as LOSS
        case "soft_zlpr":
            from derive.losses.zlpr import SOFT_ZLPR as LOSS
        case "unified":
            from derive.losses.unified import LOSS
        case "combination_softmax":
            from derive.losses.subset import COMBINATION as LOSS
        case "padded_combination_softmax":
            from derive.losses.subset import PADDED as LOSS
        case "order_r":
            from derive.losses.order_r import ORDER as LOSS
        case "focal" | "soft_focal" | "asymmetric" | "circle":
            from derive.losses import related

            return related.loss(name)
        case _:
            from derive.losses import grid

            return grid.loss(name)
    return LOSS


def _subject(name: str) -> SymbolicLoss | Theory:
    match name:
        case "lattice":
            from derive.lattice import LATTICE as THEORY
        case "grid":
            from derive.grid import GRID as THEORY
        case "labels":
            from derive.labels import LABEL_THEORY as THEORY
        case "spans":
            from derive.spans import SPANS as THEORY
        case _:
            return LOSSES[name]
    return THEORY


LOSSES: Registry[SymbolicLoss] = Registry(
    (
        "softmax_cross_entropy",
        "hinge",
        "max_hinge",
        "lse_hinge",
        "binary_cross_entropy",
        "zlpr",
        "soft_zlpr",
        "unified",
        "combination_softmax",
        "padded_combination_softmax",
        "order_r",
        "focal",
        "soft_focal",
        "asymmetric",
        "circle",
        "grid_truncated",
        "grid_mirrored",
        "grid_pairwise",
        "grid_centered",
    ),
    _loss,
)

SUBJECTS: Registry[SymbolicLoss | Theory] = Registry(
    (*LOSSES, "lattice", "grid", "labels", "spans"), _subject
)


def loss_named(name: str) -> SymbolicLoss:
    """The loss of that name; an unknown name is answered with the known ones."""
    if name not in LOSSES:
        raise ValueError(f"no loss is named {name!r}: choose one of {', '.join(LOSSES)}")
    return LOSSES[name]


def subject_named(name: str) -> SymbolicLoss | Theory:
    """The loss or the theory of that name; an unknown name is answered with the known ones."""
    if name not in SUBJECTS:
        raise ValueError(f"no loss is named {name!r}: choose one of {', '.join(SUBJECTS)}")
    return SUBJECTS[name]


__all__ = ["LOSSES", "SUBJECTS", "loss_named", "subject_named"]
