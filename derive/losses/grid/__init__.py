"""Losses of n samples and m classes, each a sum of logs with the samples inside (document 000)."""

from __future__ import annotations

from derive.losses.grid import centered, mirrored, pairwise, truncated
from derive.losses.loss import SymbolicLoss

GRID_LOSSES: dict[str, SymbolicLoss] = {
    module.LOSS.name: module.LOSS for module in (truncated, mirrored, pairwise, centered)
}

__all__ = ["GRID_LOSSES"]
