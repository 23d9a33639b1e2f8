r"""Foreign code in a process of its own, with a limit on its time and memory.

The process (`verify.check.worker`) does the whole check and writes lines of JSON into a pipe: what
it is at, and at the end the result.  Its own output goes nowhere.  A process that does not end, or
dies, is a finding: it says what it was at.  One may serve for several checks of code that is
trusted not to meddle with the next, and then libraries are imported once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from verify.check.result import Result
from verify.check.verdict import does_not_run

__all__ = ["MEMORY_LIMIT", "TIME_LIMIT", "CallLimit", "Worker", "check_apart"]

TIME_LIMIT = 90.0
"""Seconds for a check, loading the library included; most take less than ten."""
MEMORY_LIMIT = 4096
"""Megabytes of data; PyTorch and JAX with their buffers take less than one thousand."""
CALL_SECONDS = 5.0
"""A call on a few rows takes milliseconds; one that takes so long does not end."""
STRIKES = 2
# Two threads are what the numbers here can use, and foreign pools of them are not our concern.
_ENVIRONMENT = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2",
                "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg",
                "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
PIECE = 1 << 16


def check_apart(
    target: str,
    against: str,
    options: Mapping[str, Any],
    *,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
    worker: Worker | None = None,
) -> Result:
    """The result of the check of an address, whatever its code does.

    worker: a process to do it in; one of its own if there is none.
    ValueError for bad input: a loss, a name or an option that there is not.
    """
    begun = time.monotonic()
    request = {"target": target, "against": against, "options": dict(options),
               "time_limit": time_limit, "memory_limit": memory_limit}  # fmt: skip
    with Worker() as own:
        messages, ended = (worker or own).converse(request, time_limit)
    seconds = time.monotonic() - begun
    last = messages[-1] if messages else {}
    if "problem" in last:
        raise ValueError(last["problem"])
    if "result" in last:
        return Result.from_dict(last["result"])
    stages = [message["stage"] for message in messages if "stage" in message]
    at = f" (at: {stages[-1]})" if stages else ""
    # a busy machine may wake up late: what was waited for is the limit
    waited = min(seconds, time_limit)
    words = f"no answer within {waited:.0f} s{at}" if ended is None else f"{_death(ended)}{at}"
    return does_not_run(target, against, words)


class Worker:
    """A process for one check after another; a new one where the last had to be stopped, or died.

    It is a context, and stops the process at its end.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def converse(
        self, request: Mapping[str, Any], time_limit: float
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The messages up to the result; without one the exit status, None if it was stopped."""
        process = self._running()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        text, in_time = _read(self._pipe, time.monotonic() + time_limit)
        messages = [json.loads(line) for line in text.splitlines() if _is_message(line)]
        if messages and "stage" not in messages[-1]:
            return messages, 0
        ended = _status(process) if in_time else None
        self.stop()
        return messages, ended

    def stop(self) -> None:
        """End the process and all that it has started, if there is one."""
        if self._process is None:
            return
        os.close(self._pipe)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            self._pipe, writing = os.pipe()
            self._process = _started(writing)
            os.close(writing)
        return self._process


def _started(writing: int) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "verify.check.worker", str(writing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(writing,),
        start_new_session=True,
        env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
    )


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status; the pipe is closed, so that it ends soon, or is stopped."""
    try:
        return process.wait(timeout=CALL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _read(descriptor: int, deadline: float) -> tuple[str, bool]:
    """All that comes until the pipe is closed or the result is there, and whether that was in time.

    Of a flood only the last piece matters.
    """
    text = b""
    with DefaultSelector() as selector:
        selector.register(descriptor, EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            piece = os.read(descriptor, PIECE)
            text += piece
            if not piece or _has_result(text):
                return text.decode(errors="replace"), True
    return text.decode(errors="replace"), False


def _has_result(text: bytes) -> bool:
    """Whether the last line is whole and is the result."""
    last = text[:-1].rpartition(b"\n")[2] if text.endswith(b"\n") else b""
    return last.startswith((b'{"result"', b'{"problem"'))


def _is_message(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _death(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        return f"it died of {name}: the process crashed, or the memory limit was reached"
    return f"it ended the process with exit status {status}"


class CallLimit:
    """A context that ends what takes too long, in the main thread of a process of our own.

    Counted is the time of the processor, so that a busy machine stops nothing that is right; what
    sleeps is stopped with the whole process.

    After a few that did, every further call is refused at once: a check of such code would take
    as many times the limit as it has calls.
    """

    def __init__(self, seconds: float = CALL_SECONDS) -> None:
        self.seconds = seconds
        self.strikes = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The context of one call; TimeoutError in it."""
        if self.strikes >= STRIKES:
            raise TimeoutError(f"no answer within {self.seconds:g} s, {STRIKES} times")
        before = signal.signal(signal.SIGPROF, self._strike)
        signal.setitimer(signal.ITIMER_PROF, self.seconds, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _strike(self, *_: object) -> None:
        self.strikes += 1
        raise TimeoutError(f"no answer within {self.seconds:g} s")
