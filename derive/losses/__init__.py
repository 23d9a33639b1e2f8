"""The losses that can be derived, by the names under which they are imported."""

from __future__ import annotations

from derive.losses import softmax, unified, zlpr
from derive.losses.loss import SymbolicLoss

LOSSES: dict[str, SymbolicLoss] = {
    loss.name: loss for loss in (softmax.LOSS, zlpr.BCE, zlpr.ZLPR, zlpr.SOFT_ZLPR, unified.LOSS)
}


def loss_named(name: str) -> SymbolicLoss:
    """The loss of that name; an unknown name is answered with the known ones."""
    if name not in LOSSES:
        raise ValueError(f"no loss is named {name!r}: choose one of {', '.join(LOSSES)}")
    return LOSSES[name]


__all__ = ["LOSSES", "SymbolicLoss", "loss_named"]
