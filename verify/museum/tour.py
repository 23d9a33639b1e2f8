"""A check led through the museum: which faults it finds, which it names, where it raises alarm.

A fault is found if the verdict is not `equal`, named if verdict and likeliest cause are those on
the card.  A right piece whose verdict is not `equal` is a false alarm.  Pieces of a library that
is not installed are left out, and counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from verify.check import check_apart, libraries
from verify.check.sandbox import Worker
from verify.museum import faulty_pieces, keras_pieces, right_pieces
from verify.museum.piece import Piece
from verify.work import each_in_threads

__all__ = ["FAULTY", "PIECES", "RIGHT", "Guide", "Outcome", "Tour", "Visit", "alone", "tour"]

FAULTY: tuple[Piece, ...] = (*faulty_pieces.FAULTY, *keras_pieces.FAULTY)
RIGHT: tuple[Piece, ...] = (*right_pieces.RIGHT, *keras_pieces.RIGHT)
PIECES: tuple[Piece, ...] = (*FAULTY, *RIGHT)


class Outcome(Protocol):
    """What a check gives: a verdict, and ids of causes, the likeliest first."""

    @property
    def verdict(self) -> str:
        """One of the slugs."""

    @property
    def causes(self) -> Sequence[str]:
        """Empty where none is known."""


@dataclass(frozen=True)
class Visit:
    """A piece, and what the check said of it in so many seconds."""

    piece: Piece
    verdict: str
    cause: str
    seconds: float

    @property
    def alarmed(self) -> bool:
        """Whether the check found anything wrong."""
        return self.verdict != "equal"

    @property
    def right(self) -> bool:
        """Whether it said what the card says."""
        return self.verdict == self.piece.verdict and self.cause == (self.piece.cause or "")

    def __str__(self) -> str:
        said = f"{self.verdict}{f' ({self.cause})' if self.cause else ''}"
        if self.right:
            return f"{self.piece.name}: {said}"
        card = f"{self.piece.verdict}{f' ({self.piece.cause})' if self.piece.cause else ''}"
        return f"{self.piece.name}: {said}, and the card says {card}"


@dataclass(frozen=True)
class Tour:
    """All visits, and the pieces that were left out because their library is not installed."""

    visits: tuple[Visit, ...]
    left_out: tuple[Piece, ...] = ()

    @property
    def faulty(self) -> tuple[Visit, ...]:
        """Those to pieces with a fault."""
        return tuple(visit for visit in self.visits if visit.piece.room == "faulty")

    @property
    def gallery(self) -> tuple[Visit, ...]:
        """Those to right pieces."""
        return tuple(visit for visit in self.visits if visit.piece.room == "right")

    @property
    def found(self) -> int:
        """Faults that were seen."""
        return sum(visit.alarmed for visit in self.faulty)

    @property
    def named(self) -> int:
        """Faults that were seen and named rightly."""
        return sum(visit.right for visit in self.faulty)

    @property
    def false_alarms(self) -> int:
        """Right pieces that were said to be wrong."""
        return sum(visit.alarmed for visit in self.gallery)

    @property
    def perfect(self) -> bool:
        """Whether every visit ended as the card says."""
        return all(visit.right for visit in self.visits)

    def describe(self) -> str:
        """Both rates, and every visit that did not end as it should."""
        lines = [
            f"faults found            {self.found}/{len(self.faulty)}",
            f"found and rightly named {self.named}/{len(self.faulty)}",
            f"false alarms            {self.false_alarms}/{len(self.gallery)}",
        ]
        if self.visits:
            longest = max(self.visits, key=lambda visit: visit.seconds)
            lines.append(f"longest check           {longest.seconds:.1f} s, {longest.piece.name}")
        if self.left_out:
            libraries = ", ".join(sorted({piece.framework for piece in self.left_out}))
            lines.append(f"left out                {len(self.left_out)}: no {libraries} here")
        return "\n".join([*lines, *(f"  {v}" for v in self.visits if not v.right)])

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "faulty": len(self.faulty),
            "found": self.found,
            "named": self.named,
            "right": len(self.gallery),
            "false_alarms": self.false_alarms,
            "left_out": [piece.name for piece in self.left_out],
            "visits": [
                {
                    "piece": visit.piece.name,
                    "verdict": visit.verdict,
                    "cause": visit.cause,
                    "expected_verdict": visit.piece.verdict,
                    "expected_cause": visit.piece.cause or "",
                    "seconds": round(visit.seconds, 2),
                }
                for visit in self.visits
            ],
        }


def tour(
    check: Callable[[Piece], Outcome],
    pieces: Iterable[Piece] = PIECES,
    *,
    jobs: int = 1,
    progress: Callable[[Visit], object] = lambda visit: None,
) -> Tour:
    """Visit the pieces with `check`, which takes a piece to its outcome.

    jobs: so many at a time, in threads; for a check that works in a process of its own.  Those of
    one library come one after another.  Inside `verify.work.on_cluster` its workers check.
    """
    chosen = tuple(pieces)
    there = [piece for piece in chosen if installed(piece.framework)]
    there.sort(key=lambda piece: piece.framework)

    def visit(piece: Piece) -> Visit:
        begun = time.monotonic()
        outcome = check(piece)
        cause = outcome.causes[0] if outcome.causes else ""
        return Visit(piece, outcome.verdict, cause, time.monotonic() - begun)

    visits = []
    for made in each_in_threads(visit, there, jobs):
        progress(made)
        visits.append(made)
    return Tour(tuple(visits), tuple(piece for piece in chosen if piece not in there))


def alone(piece: Piece, worker: Worker | None = None) -> Outcome:
    """The result of the check that a user would run on the file, in a process of its own."""
    options = {"parameters": dict(piece.parameters)}
    return check_apart(piece.address, piece.against, options, worker=worker)


class Guide:
    """`check` on pieces in processes: one for each thread, a new one for each library.

    It is a context; at its end the processes are stopped.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._workers: list[Worker] = []

    def __enter__(self) -> Guide:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def __call__(self, piece: Piece) -> Outcome:
        """The result for a piece, in the process of its library."""
        return alone(piece, self._worker(piece.framework))

    def _worker(self, framework: str) -> Worker:
        if not hasattr(self._own, "worker"):
            self._own.worker, self._own.framework = Worker(), framework
            self._workers.append(self._own.worker)
        if self._own.framework != framework:
            self._own.worker.stop()
            self._own.framework = framework
        worker: Worker = self._own.worker
        return worker


def installed(framework: str) -> bool:
    """Whether the pieces of a library can run; NumPy's take functions from SciPy."""
    return libraries.installed(framework) and (
        framework != "numpy" or find_spec("scipy") is not None
    )
