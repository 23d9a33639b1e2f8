"""A piece of the museum: a file that stands alone, and the card beside it.

The card says what the file is to be held against, what a check must find, what the file takes and
gives, and where such code was seen in public.  A faulty piece has a witness, the smallest input
that shows its fault: with it the card can be held against the oracle, without any check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Labels", "Piece", "Reduction", "Takes", "Witness"]

Labels = Literal["multi-hot", "signs", "class index", "index list", "sides"]
Reduction = Literal["rows", "mean", "sum", "mean of labels", "row means"]
Room = Literal["faulty", "right"]
Rows = Sequence[Sequence[float]]

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Takes:
    """What a piece takes and gives; the defaults are the commonest.

    labels: multi-hot (or soft) rows; signs -1 and +1; the index of one class a row; a list of
    indices a row; sides, where the scores of positives and of negatives come as two tensors.
    filler: what fills lists up to one length; 0 means that class 0 is no label and that its score
    is not looked at.  one_row: lists of one row.  labels_on_axis: 0 where scores are (labels,
    batch).  gives: a value for each row, or the mean or sum of these, or the mean over all labels
    of all rows, or over those of each row.  single: it computes in float32 whatever it is given.
    """

    labels: Labels = "multi-hot"
    filler: int = -1
    labels_first: bool = False
    probabilities: bool = False
    labels_on_axis: int = -1
    one_row: bool = False
    gives: Reduction = "rows"
    single: bool = False


@dataclass(frozen=True)
class Witness:
    """Rows on which a piece is wrong, in this dtype; labels are multi-hot or soft."""

    scores: Rows
    labels: Rows
    dtype: str = "float64"
    of: Literal["value", "gradient", "hvp", "run", "input"] = "value"


@dataclass(frozen=True)
class Piece:
    """One file, `room/name.py`, and what is known of it.

    framework: numpy, torch, jax, tensorflow, keras or python, the beginning of the name.
    function: what the file is called by.  against, parameters: the loss, by its public name.
    verdict: what a check must say.  cause: the id of the likely cause, None for a right piece.
    seen_at: a public thread or file with such code.  what: in words.
    """

    name: str
    function: str
    against: str
    what: str
    verdict: str = "equal"
    cause: str | None = None
    seen_at: str | None = None
    takes: Takes = field(default_factory=Takes)
    parameters: Mapping[str, float] = field(default_factory=dict)
    witness: Witness | None = None

    @property
    def room(self) -> Room:
        """The folder it lies in."""
        return "right" if self.cause is None else "faulty"

    @property
    def framework(self) -> str:
        """The library it is written for."""
        return self.name.split("_", 1)[0]

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return HERE / self.room / f"{self.name}.py"

    @property
    def address(self) -> str:
        """What `lossproof check` takes."""
        return f"{self.path}:{self.function}"

    def describe(self) -> str:
        """The card, in lines."""
        against = ", ".join([self.against, *(f"{k} = {v:g}" for k, v in self.parameters.items())])
        lines = [f"{self.name} ({self.room}, against {against})", f"    {self.what}"]
        if self.cause is not None:
            lines.append(f"    {self.verdict}: {self.cause}; seen at {self.seen_at}")
        return "\n".join(lines)
