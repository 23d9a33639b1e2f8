"""All that was seen of a target, on which a verdict rests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verify.check.fit import Fit
from verify.check.observation import Observation
from verify.check.relations import CURVATURE, Relation
from verify.check.weigh import Weigher

__all__ = ["Evidence", "dtypes_of", "is_soft"]


@dataclass(frozen=True)
class Evidence:
    """All that was seen: how the target was called, the probes, the rows, the relations.

    refused: what the target raised on every row of a dtype, which it does not take then.
    left: rows that there was no time for.  by_class: asks for hard labels by class index, where the
    target takes these beside distributions.  scale_of_scores: (c, a) where f(s) = a l(c s).
    """

    weigher: Weigher
    fit: Fit
    probes: tuple[Observation, ...] = ()
    seen: tuple[Observation, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    left: int = 0
    relations: tuple[Relation, ...] = ()
    searched: tuple[Observation, ...] = ()
    scale_of_scores: tuple[float, float] | None = None
    by_class: Weigher | None = None

    def weigher_of(self, soft: bool) -> Weigher:
        """The one that a row with such labels is asked by."""
        return self.weigher if soft or self.by_class is None else self.by_class

    @property
    def all_seen(self) -> tuple[Observation, ...]:
        """Every observation, the probes first."""
        related = tuple(r.seen for r in self.relations if r.seen is not None)
        return (*self.probes, *self.seen, *related, *self.searched)

    @property
    def broken(self) -> list[Relation]:
        """The relations of value and gradient that do not hold and that a verdict hangs on."""
        failing = [r for r in self.relations if not r.holds and r.severity == "failure"]
        return [r for r in failing if r.name != CURVATURE]

    @property
    def only_bent_wrongly(self) -> bool:
        """Whether the Hessian-vector product is wrong and nothing else."""
        own = (r for r in self.relations if r.name == CURVATURE and r.severity == "failure")
        return any(not r.holds for r in own) and not self.broken and self.all_right

    @property
    def all_right(self) -> bool:
        """Whether value and gradient were right in all that was seen."""
        return all(one.right for one in self.all_seen)


def is_soft(seen: Observation) -> bool:
    """Whether a label lies between 0 and 1."""
    return bool(((seen.labels > 0) & (seen.labels < 1)).any())


def dtypes_of(own: Sequence[Observation]) -> tuple[str, ...]:
    """Each dtype once, in order."""
    return tuple(dict.fromkeys(o.dtype for o in own))
