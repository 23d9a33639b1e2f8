r"""Small safe batches in float64 on which a convention is recognised, and their truths.

Each batch of hard labels has a twin with the same labels and other scores: a difference from the
truth that is the same on both depends on the labels alone, and is a constant for training.  No
batch has as many rows as labels, so that a wrong axis is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verify.check.frameworks import Numbers
from verify.check.specification import Specification

__all__ = ["Probe", "make_probes", "truths", "unequal_lists"]

# (rows, labels) of the batches; the first with one row, for what takes a single one.
SHAPES = ((1, 4), (1, 5), (3, 4), (2, 5), (4, 3))
FEW_SHAPES = ((1, 4), (3, 4))
SEED = 9064
POSITIVES = 2


@dataclass(frozen=True, eq=False)
class Probe:
    """Scores and labels (b, n); soft if a label lies between 0 and 1; `twin` pairs them up."""

    scores: Numbers
    labels: Numbers
    soft: bool
    twin: int

    @property
    def rows(self) -> int:
        """b."""
        return len(self.scores)

    def split(self) -> list[Probe]:
        """Its rows, each a batch of its own."""
        pairs = zip(self.scores, self.labels, strict=True)
        return [replace(self, scores=s[None], labels=t[None]) for s, t in pairs]


def make_probes(specification: Specification, soft: bool = True, few: bool = False) -> list[Probe]:
    """The batches for a specification, with soft labels where it takes them; few: of two shapes."""
    rng = np.random.default_rng(SEED)
    kinds = [False, True] if specification.soft and soft else [False]
    probes: list[Probe] = []
    for is_soft in kinds:
        for shape in FEW_SHAPES if few else SHAPES:
            labels = _labels(rng, shape, is_soft, specification.one_class)
            for _ in range(2):
                scores = rng.normal(0, specification.spread, shape)
                probes.append(Probe(scores, labels, is_soft, len(probes) // 2))
    return probes


def unequal_lists() -> Probe:
    """Two rows of which one has more positives than the other."""
    scores = np.array([[0.3, -0.8, 1.1, 0.4], [1.3, 0.2, -0.6, -0.1]])
    labels = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    return Probe(scores, labels, soft=False, twin=0)


def _labels(
    rng: np.random.Generator, shape: tuple[int, int], soft: bool, one_class: bool
) -> Numbers:
    if soft:
        labels = rng.uniform(0.05, 0.95, shape)
        return np.asarray(labels / labels.sum(axis=-1, keepdims=True) if one_class else labels)
    labels = np.zeros(shape)
    for row in labels:
        row[rng.choice(shape[1], 1 if one_class else POSITIVES, replace=False)] = 1.0
    return labels


def truths(specification: Specification, probe: Probe) -> Numbers:
    """The loss of each row."""
    rows: Sequence[tuple[Numbers, Numbers]] = list(zip(probe.scores, probe.labels, strict=True))
    return np.array([specification.value(s.tolist(), t.tolist()) for s, t in rows])
