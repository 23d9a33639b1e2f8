"""The losses that can be derived, by the names under which they are imported, and the theories.

:data:`LOSSES` are those that can be derived and emitted; :data:`SUBJECTS` adds the theories that
they share, which are derived and verified as they are and have nothing to emit.
"""

from __future__ import annotations

from derive.grid import GRID
from derive.labels import LABEL_THEORY
from derive.lattice import LATTICE, Theory
from derive.losses import hinge, order_r, related, softmax, subset, unified, zlpr
from derive.losses.grid import GRID_LOSSES
from derive.losses.loss import SymbolicLoss
from derive.spans import SPANS

LOSSES: dict[str, SymbolicLoss] = {
    loss.name: loss
    for loss in (
        softmax.LOSS,
        *hinge.LOSSES,
        zlpr.BCE,
        zlpr.ZLPR,
        zlpr.SOFT_ZLPR,
        unified.LOSS,
        subset.COMBINATION,
        subset.PADDED,
        order_r.ORDER,
        *related.LOSSES,
        *GRID_LOSSES.values(),
    )
}

SUBJECTS: dict[str, SymbolicLoss | Theory] = {
    **LOSSES,
    **{theory.name: theory for theory in (LATTICE, GRID, LABEL_THEORY, SPANS)},
}


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


__all__ = ["LOSSES", "SUBJECTS", "SymbolicLoss", "Theory", "loss_named", "subject_named"]
