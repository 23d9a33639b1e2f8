"""What was seen: one call of the target beside the truth, as numbers that can be judged later."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from verify.check.frameworks import Numbers

__all__ = ["Observation"]


@dataclass(frozen=True, eq=False)
class Observation:
    """A batch of rows (b, n), what the target made of it, and what is true.

    kind: the class of the rows, `probe` or `batch`.  got: the loss of each row, or of the batch as
    one number where the target gives one, its reduction undone; None with the `error` that came in
    its place.  truth: of the same shape.  The gradients are by the scores, (b, n); None where the
    target has none or it was not asked.  `excess` and `gradient_excess` are the errors over what
    is allowed (at most 1 is right, inf for nan), `ulps` the error of the value in ulps of its size.
    """

    kind: str
    name: str
    dtype: str
    scores: Numbers
    labels: Numbers
    got: Numbers | None = None
    error: str = ""
    truth: Numbers = field(default_factory=lambda: np.zeros(0))
    gradient: Numbers | None = None
    gradient_error: str = ""
    gradient_truth: Numbers | None = None
    excess: float = 0.0
    gradient_excess: float = 0.0
    ulps: float = 0.0
    gradient_ulps: float = 0.0
    tiny: bool = False
    """The loss is small and its relative error is not: digits of a small loss are lost."""

    @property
    def value_right(self) -> bool:
        """Whether the value was given, within the error allowed."""
        return not self.error and self.excess <= 1

    @property
    def gradient_right(self) -> bool:
        """Whether the gradient was right, where it was asked."""
        return not self.gradient_error and self.gradient_excess <= 1

    def gradient_near(self, within: float) -> bool:
        """Whether the gradient was right to that part of its largest component."""
        if self.gradient_right or self.gradient is None or self.gradient_truth is None:
            return self.gradient_right
        size = max(1.0, float(np.abs(self.gradient_truth).max(initial=0.0)))
        return bool((np.abs(self.gradient - self.gradient_truth) <= within * size).all())

    @property
    def right(self) -> bool:
        """Both."""
        return self.value_right and self.gradient_right
