"""The losses that ZLPR is compared with: focal, soft focal and asymmetric by label, and Circle."""

from __future__ import annotations

from derive.losses.related import by_label, circle

LOSSES = (*by_label.LOSSES, circle.LOSS)

__all__ = ["LOSSES"]
