"""Losses of n samples and m classes, each a sum of logs with the samples inside (document 000)."""

from __future__ import annotations

from derive.losses.loss import SymbolicLoss

__all__ = ["loss"]


def loss(name: str) -> SymbolicLoss:
    """The loss of that name; the others are not imported for it."""
    match name:
        case "grid_truncated":
            from derive.losses.grid.truncated import LOSS
        case "grid_mirrored":
            from derive.losses.grid.mirrored import LOSS
        case "grid_pairwise":
            from derive.losses.grid.pairwise import LOSS
        case _:
            from derive.losses.grid.centered import LOSS
    return LOSS
