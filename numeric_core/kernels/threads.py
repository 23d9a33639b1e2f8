"""A few threads that take pieces of work, as they get free.

What a piece computes does not depend on who computes it, nor do pieces depend on how many threads
there are: results are the same to the last bit on any number of cores.

Numba's own threads are not used: GNU OpenMP ends a process that forks after it was used (a data
loader does), and the fallback must not be called from two threads at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

__all__ = ["thread_count", "work"]


def thread_count() -> int:
    """LOSSPROOF_THREADS, or the processors that this process may use."""
    given = os.environ.get("LOSSPROOF_THREADS", "")
    if given:
        if not given.isdecimal() or int(given) == 0:
            raise ValueError(f"LOSSPROOF_THREADS must be a positive integer, got {given!r}")
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(task: Callable[[Any], None], pieces: Sequence[Any]) -> None:
    """task(piece) for every piece; the caller's thread is one of those that work."""
    helpers = min(thread_count(), len(pieces)) - 1
    left = iter(pieces)
    futures = [_pool(os.getpid()).submit(_take, task, left) for _ in range(helpers)]
    try:
        _take(task, left)
    finally:
        # a helper that never got a thread finds nothing left to do
        for future in futures:
            future.result()


def _take(task: Callable[[Any], None], left: Iterator[Any]) -> None:
    """next() of an iterator over a sequence is one step under the interpreter's lock."""
    for piece in left:
        task(piece)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads for this process: those of its parent do not outlive a fork."""
    return ThreadPoolExecutor(max(1, thread_count() - 1), thread_name_prefix="lossproof")
