"""Soft ZLPR of a row in balls, its labels given in kinds: how many have which label and score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

__all__ = ["Kind", "floor", "loss", "pull", "push", "slope", "sums"]


@dataclass(frozen=True)
class Kind:
    """``count`` labels ``label`` with the score ``score``, numbers in decimals."""

    label: str
    score: str
    count: int = 1

    @property
    def terms(self) -> tuple[arb, arb]:
        """``t e^{-s}`` and ``(1 - t) e^s`` of one of them."""
        t, s = arb(self.label), arb(self.score)
        return t * (-s).exp(), (1 - t) * s.exp()


def sums(row: Sequence[Kind]) -> tuple[arb, arb]:
    """``A`` and ``B``."""
    terms = [(kind.count * kind.terms[0], kind.count * kind.terms[1]) for kind in row]
    return 1 + sum((a for a, _ in terms), arb(0)), 1 + sum((b for _, b in terms), arb(0))


def loss(row: Sequence[Kind]) -> arb:
    """``log A + log B``."""
    a, b = sums(row)
    return a.log() + b.log()


def floor(row: Sequence[Kind]) -> arb:
    """``2 log(1 + sum sqrt(t (1 - t)))``."""
    roots = (kind.count * (arb(kind.label) * (1 - arb(kind.label))).sqrt() for kind in row)
    return 2 * sum(roots, arb(0)).log1p()


def pull(kind: Kind, row: Sequence[Kind]) -> arb:
    """``t e^{-s} / A``: how strongly the score of one label of this kind is raised."""
    return kind.terms[0] / sums(row)[0]


def push(kind: Kind, row: Sequence[Kind]) -> arb:
    """``(1 - t) e^s / B``: how strongly it is lowered."""
    return kind.terms[1] / sums(row)[1]


def slope(kind: Kind, row: Sequence[Kind]) -> arb:
    """The component of the gradient."""
    return push(kind, row) - pull(kind, row)
