"""The losses that ZLPR is compared with: focal, soft focal and asymmetric by label, and Circle."""

from __future__ import annotations

from derive.losses.loss import SymbolicLoss

__all__ = ["loss"]


def loss(name: str) -> SymbolicLoss:
    """The loss of that name; the others are not imported for it."""
    if name == "circle":
        from derive.losses.related.circle import LOSS

        return LOSS
    from derive.losses.related.by_label import LOSSES

    return next(loss for loss in LOSSES if loss.name == name)
