"""How sound the verifier showed itself: of all mutants tried, which were refuted, which are true.

A mutant that is true as well carries the proof that it is; one that is neither has escaped, and
fails the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from verify.mutation import Trial

__all__ = ["Soundness"]


@dataclass(frozen=True)
class Soundness:
    """Counts of mutants; ``explained`` has those that are true as well, each with its proof."""

    tried: int
    refuted: int
    explained: tuple[Trial, ...]
    escaped: tuple[Trial, ...]

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> Soundness:
        """What came of these trials."""
        found = list(trials)
        explained = tuple(trial for trial in found if trial.still_true)
        escaped = tuple(trial for trial in found if not (trial.caught or trial.still_true))
        return cls(len(found), sum(trial.caught for trial in found), explained, escaped)

    def as_dict(self) -> dict[str, object]:
        """The counts, and the mutants that were not refuted, as plain data."""
        return {
            "tried": self.tried,
            "refuted": self.refuted,
            "true_as_well": len(self.explained),
            "escaped": len(self.escaped),
            "explained": [asdict(trial) for trial in self.explained],
            "missed": [asdict(trial) for trial in self.escaped],
        }

    def __add__(self, other: Soundness) -> Soundness:
        """Both together."""
        both = (self.explained + other.explained, self.escaped + other.escaped)
        return Soundness(self.tried + other.tried, self.refuted + other.refuted, *both)

    def describe(self) -> str:
        """One line."""
        words = f"{self.tried} mutants tried, {self.refuted} refuted"
        words += f", {len(self.explained)} proved to be true as well"
        return words + f", {len(self.escaped)} escaped"
