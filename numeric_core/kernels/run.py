"""From arrays to kernels and back: rows are shared out to threads, odd rows to the plain version.

Rows of up to WHOLE labels are done some at a time, each by one thread from its sums to its
gradient.  Longer rows are cut into parts of PART labels: the states of the parts, then one state a
row, then the gradient of the parts.  Where a row is cut depends on n alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numba
import numpy as np

from numeric_core import leftovers
from numeric_core.kernels import (
    Kernel,
    by_class,
    by_class_rows,
    by_label,
    exponentials,
    focal,
    softmax,
    softmax_rows,
    two_sided,
    two_sided_rows,
    unified,
)
from numeric_core.kernels.sums import LENGTH
from numeric_core.kernels.threads import thread_count, work
from numeric_core.kernels.vectors import LANES
from numeric_core.namespace import round_to

__all__ = ["PART", "WHOLE", "value", "value_and_grad"]

Floats: TypeAlias = np.ndarray[Any, Any]

WHOLE = 1 << 16
"""Labels of a row whose terms are kept, in the second cache: 0.25 MiB of float32.  Scores that a
thread takes at least: some twenty microseconds."""

PART = 1 << 18
"""Labels of a longer row that one thread sums at a time: a tenth of a millisecond, beside which the
call, 10 microseconds of Python, counts little."""

TURNS = 4
"""Times that a thread fetches work if all are as fast: one that other programs hold up takes less
of it, and each call of a kernel costs 2 microseconds."""

LINE = 64
"""Bytes of a line of the caches: a vector that starts within one is taken from two."""


VECTORS = {two_sided: two_sided_rows, softmax: softmax_rows, by_class: by_class_rows}
"""Who does rows that are at least as long as a vector."""


class Job(NamedTuple):
    """Rows (m, n) in the compute dtype, labels (m, n) or classes (m,), and what is made of them."""

    module: Any
    kind: Any
    scores: Floats
    labels: Floats
    value: Floats
    gradient: Floats | None


def value(kernel: Kernel, scores: Any, labels: Any, axis: int, plain: Callable[..., Any]) -> Any:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) does the rows left."""
    return leftovers.value(partial(_run, kernel), scores, labels, axis, plain)


def value_and_grad(
    kernel: Kernel,
    scores: Any,
    labels: Any,
    axis: int,
    plain: Callable[..., Any],
    out: Any | None = None,
) -> Any:
    """Loss (*batch,) and gradient, the shape of scores, in out if that fits."""
    return leftovers.value_and_grad(partial(_run, kernel), scores, labels, axis, plain, out)


def _run(kernel: Kernel, scores: Floats, labels: Floats, room: Floats | None) -> Floats:
    """The values of all rows by the kernel, nan where it has no answer; the gradient in room."""
    tolerance = math.sqrt(float(np.finfo(scores.dtype).eps))
    dtype = np.float64 if scores.dtype == np.float64 else np.float32
    s = np.ascontiguousarray(scores, dtype=dtype)
    module, kind = _compiled(kernel, tolerance)
    if labels.ndim == 1 and s.shape[1] <= WHOLE:
        module, kind, t = by_class, by_class.ByClass(tolerance), labels.astype(np.int64)
    else:
        t = _one_hot(labels, s) if labels.ndim == 1 else np.ascontiguousarray(labels, dtype=dtype)
    gradient = np.empty_like(s) if room is not None and room.dtype != dtype else room
    job = Job(module, kind, s, t, np.empty(len(s), dtype), gradient)
    (_whole if s.shape[1] <= WHOLE else _in_parts)(job)
    if room is not None and gradient is not room:
        room[...] = round_to(np, gradient, room.dtype)
    return job.value


def _compiled(kernel: Kernel, tolerance: float) -> tuple[Any, Any]:
    """The module of a kernel, and what tells its functions which loss it is."""
    if kernel.name == "softmax":
        return softmax, softmax.Distribution(tolerance)
    if kernel.name == "binary_cross_entropy":
        return by_label, by_label.CrossEntropy()
    if kernel.name == "unified":
        return unified, unified.pairs(kernel.scale, kernel.margin)
    if kernel.name == "focal":
        return focal, focal.Powers(*kernel.exponents, *kernel.weights)
    if kernel.name == "asymmetric":
        own, other = kernel.exponents
        return focal, focal.Shifted(own, int(other), kernel.margin)
    make = two_sided.Hard if kernel.name == "zlpr" else two_sided.Soft
    return two_sided, make(math.exp(-kernel.threshold), math.exp(kernel.threshold))


def _one_hot(index: Floats, scores: Floats) -> Floats:
    """Rows with a 1; of nan where there is no such class."""
    m, n = scores.shape
    t = np.zeros((m, n), scores.dtype)
    known = (index >= 0) & (index < n)
    t[np.arange(m)[known], index[known]] = 1.0
    t[~known] = np.nan
    return t


def _scratch(job: Job) -> Floats:
    """Room for the terms of a row, or of a chunk of some rows or of a part: each from a line on."""
    arrays, n = job.module.ARRAYS, job.scores.shape[1]
    width = LINE // job.scores.itemsize
    length = -(-(n if LENGTH < n <= WHOLE else LENGTH) // width) * width
    room = np.empty(arrays * length + width, job.scores.dtype)
    start = (-room.ctypes.data % LINE) // room.itemsize
    return room[start : start + arrays * length].reshape(arrays, length)


def _rows(job: Job) -> Any:
    """Of the module, or that with vectors, where there is one and a row is as long as one."""
    vectors = VECTORS.get(job.module)
    wide = job.scores.shape[1] >= LANES[numba.from_dtype(job.scores.dtype)]
    return vectors.rows if vectors and wide else job.module.rows


def _whole(job: Job) -> None:
    """Rows that fit into the scratch: each is done by one thread, from its sums to its gradient."""
    m, n = job.scores.shape
    step = max(1, WHOLE // n, -(-m // (TURNS * thread_count())))
    rows = _rows(job)
    empty = np.empty(0, job.scores.dtype)

    def task(start: int) -> None:
        part = slice(start, start + step)
        s, t, v = job.scores[part].reshape(-1), job.labels[part].reshape(-1), job.value[part]
        g = empty if job.gradient is None else job.gradient[part].reshape(-1)
        rows(job.kind, s, t, v, g, _scratch(job))

    work(task, range(0, m, step))


def _in_parts(job: Job) -> None:
    """Each row in three rounds: the maximum where it is needed, the sums, the gradient."""
    m, n = job.scores.shape
    parts = [slice(start, min(start + PART, n)) for start in range(0, n, PART)]
    pieces = [(i, k) for i in range(m) for k in range(len(parts))]
    states = np.zeros((m, len(parts), job.module.STATE))
    rows = np.zeros((m, 1, job.module.STATE))
    empty = np.empty(0, job.scores.dtype)

    def extents(piece: tuple[int, int]) -> None:
        top, easy = softmax.extent(job.scores[piece[0], parts[piece[1]]])
        states[piece][exponentials.TOP], states[piece][exponentials.POWER] = top, not easy

    def sums(piece: tuple[int, int]) -> None:
        here = piece[0], parts[piece[1]]
        g = empty if job.gradient is None else job.gradient[here]
        s, t = job.scores[here], job.labels[here]
        job.module.part(job.kind, s, t, states[piece], g, _scratch(job))

    def differences(piece: tuple[int, int]) -> None:
        i, here = piece[0], (piece[0], parts[piece[1]])
        assert job.gradient is not None
        g = job.gradient[here]
        job.module.gradient_part(job.kind, job.scores[here], job.labels[here], rows[i], g)

    if job.module is softmax:
        work(extents, pieces)
        states[:] = states.max(axis=1, keepdims=True)
    work(sums, pieces)
    for i in range(m):
        job.module.merge(job.kind, states[i], rows[i], job.value[i : i + 1])
    if job.gradient is not None:
        work(differences, pieces)
