"""Work that need not be done twice: what is kept is taken, the rest done in some processes.

A unit of work says what its result depends on. Each result is kept as soon as it is there, so that
a run that is broken off goes on where it was.

joblib shares the work out, to processes of this machine or, inside `on_cluster` or a
`joblib.parallel_config(backend="dask")` of the caller's own, to the workers of a Dask cluster. What
is kept is kept here. A process does one unit at a time (`verify.one_at_a_time`), so that a worker
of several threads is no faster than one of a single thread.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import get_active_backend

from verify.cache import Cache
from verify.one_at_a_time import one_at_a_time

__all__ = ["Done", "Work", "carry_out", "each_in_threads", "on_cluster"]

A = TypeVar("A")
B = TypeVar("B")
W = TypeVar("W", bound="Work")

ANSWER = 30
"""Seconds in which a scheduler, and the first of its workers, must answer; Dask's own choice."""


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
    with one_at_a_time:
        keys = {} if cache is None else {work: work.key() for work in works}
    left = []
    for work in works:
        kept = None if cache is None or fresh else cache.get(work.file, keys[work])
        if kept is None:
            left.append(work)
        else:
            yield Done(work, kept, kept=True)
    for work, result in _each_done(left, jobs, keys):
        if cache is not None:
            cache.put(work.file, keys[work], result)
        yield Done(work, result, kept=False)


@contextmanager
def on_cluster(address: str | None) -> Iterator[None]:
    """Within it, work is done by the cluster whose scheduler listens at the address; None: here.

    Start its workers with one thread each, `dask worker --nworkers -1 --nthreads 1 ADDRESS`.
    ValueError where Dask is not installed, and where nobody answers.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(
            "a cluster needs Dask, which is not installed: pip install 'lossproof[dask]'"
        ) from error
    try:
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Dask scheduler answers at {address!r}: expected an address such as "
            "tcp://host:8786, as `dask scheduler` prints it"
        ) from error
    with client, parallel_config(backend="dask", wait_for_workers_timeout=ANSWER):
        yield


def each_in_threads(function: Callable[[A], B], things: Sequence[A], jobs: int) -> Iterator[B]:
    """The results in order, from so many threads, or from the cluster.

    For a function that does its mathematics in a process of its own (`verify.one_at_a_time`).
    """
    yield from Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        delayed(function)(thing) for thing in things
    )


def _each_done(works: Sequence[W], jobs: int, keys: Mapping[W, str]) -> Iterator[tuple[W, Any]]:
    if _far_away():
        yield from _in_parallel(delayed(_do_far_away)(work, keys.get(work)) for work in works)
    elif jobs == 1 or len(works) < 2:
        yield from map(_do, works)
    else:
        try:
            yield from _in_parallel((delayed(_do_elsewhere)(work) for work in works), jobs)
        except BaseException:  # Ctrl-C among them: nobody waits for what the workers have begun
            get_reusable_executor().shutdown(wait=False, kill_workers=True)
            raise


def _in_parallel(calls: Iterator[Any], jobs: int | None = None) -> Iterator[tuple[Any, Any]]:
    found: Iterator[tuple[Any, Any]] = Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)
    return found


def _far_away() -> bool:
    """Whether joblib sends work to a cluster."""
    backend, _ = get_active_backend()
    return getattr(backend, "client", None) is not None


def _do_elsewhere(work: W) -> tuple[W, Any]:
    """In a worker, which Ctrl-C reaches too: the process that asked for the work ends it."""
    if threading.current_thread() is threading.main_thread():  # no other may say so
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _do(work)


def _do_far_away(work: W, key: str | None) -> tuple[W, Any]:
    """In a worker of a cluster, whose sources must be those that the result is kept under."""
    with one_at_a_time:
        if key is not None and work.key() != key:
            raise ValueError(
                f"the worker on {socket.gethostname()} would keep another result: expected the "
                "sources of lossproof, the versions of its libraries and the processor to be those "
                "of this machine; install the same there"
            )
        return _do(work)


def _do(work: W) -> tuple[W, Any]:
    with one_at_a_time:
        return work, work.do()
