"""Work that need not be done twice: what is kept is taken, the rest done in some processes.

A unit of work says what its result depends on. Each result is kept as soon as it is there, so that
a run that is broken off goes on where it was.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from verify.cache import Cache

__all__ = ["Done", "Work", "carry_out"]

W = TypeVar("W", bound="Work")


class Work(Protocol):
    """A unit of work; it can be sent to another process."""

    @property
    def title(self) -> str:
        """What a progress bar calls it."""

    @property
    def file(self) -> str:
        """The name that its result is kept under."""

    def key(self) -> str:
        """A hash of everything that the result depends on."""

    def do(self) -> Any:
        """The result, found now."""


@dataclass(frozen=True)
class Done(Generic[W]):
    """A unit of work with its result, and whether that was kept from an earlier run."""

    work: W
    result: Any
    kept: bool


def carry_out(
    works: Sequence[W], jobs: int = 1, cache: Cache | None = None, fresh: bool = False
) -> Iterator[Done[W]]:
    """Everything as it is done: first what is kept, then the rest in ``jobs`` processes.

    Without a cache nothing is kept or taken; ``fresh`` does all anew and keeps it.
    """
    keys = {} if cache is None else {work: work.key() for work in works}
    left = []
    for work in works:
        kept = None if cache is None or fresh else cache.get(work.file, keys[work])
        if kept is None:
            left.append(work)
        else:
            yield Done(work, kept, kept=True)
    for work, result in _each_done(left, jobs):
        if cache is not None:
            cache.put(work.file, keys[work], result)
        yield Done(work, result, kept=False)


def _each_done(works: Sequence[W], jobs: int) -> Iterator[tuple[W, Any]]:
    if jobs == 1 or len(works) < 2:
        yield from ((work, work.do()) for work in works)
        return
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    found = parallel(delayed(_do_elsewhere)(work) for work in works)
    try:
        yield from found
    except BaseException:  # Ctrl-C among them: nobody waits for what the workers have begun
        get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def _do_elsewhere(work: W) -> tuple[W, Any]:
    """In a worker, which Ctrl-C reaches too: the process that asked for the work ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return work, work.do()
