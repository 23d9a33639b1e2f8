"""Rows and ways of calling that several cards share."""

from __future__ import annotations

from verify.museum.piece import Takes, Witness

__all__ = [
    "ANY",
    "DISTRIBUTIONS",
    "FILLED",
    "FROM_1",
    "HARD",
    "MEAN",
    "ONE_HOT",
    "ROW",
    "ROWS",
    "SIDES",
    "SOFT",
    "gradient_of",
]

ROWS = ((0.5, -1.0, 2.0, -0.25), (1.5, 0.25, -0.75, 1.0))
HARD = ((1.0, 0.0, 1.0, 0.0), (0.0, 0.0, 1.0, 0.0))
ONE_HOT = ((0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0))
SOFT = ((0.9, 0.1, 0.75, 0.25), (0.5, 0.0, 1.0, 0.125))
DISTRIBUTIONS = ((0.5, 0.25, 0.125, 0.125), (0.75, 0.25, 0.0, 0.0))
FROM_1 = ((0.0, 0.0, 1.0, 1.0), (0.0, 1.0, 0.0, 0.0))

ANY = Witness(ROWS, HARD)
MEAN = Takes(gives="mean")
ROW = Takes(one_row=True)
SIDES = Takes(labels="sides")
FILLED = Takes(labels="index list", filler=0)


def gradient_of(
    scores: tuple[tuple[float, ...], ...], labels: tuple[tuple[float, ...], ...]
) -> Witness:
    """Rows on which the gradient is wrong."""
    return Witness(scores, labels, of="gradient")
