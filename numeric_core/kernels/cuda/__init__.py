"""The CUDA kernels for CuPy: value and gradient of ZLPR, hard and soft, softmax and binary
cross-entropy, unified and (but for float64) focal and asymmetric loss; products with the Hessian of
the first four (`products`).

A row of up to 32768 labels in float32, float16 and bfloat16, 16384 in float64, is read once and its
gradient written once (`plan` says by whom); longer rows are read twice for the gradient, and once
more for the maximum of softmax, but once where the gradient of a label depends on no other.  The
mathematics is that of the kernels for NumPy, in `.cuh` files; so are the rows that have no answer
here, which the plain version does.  Focal and asymmetric loss are computed in double.

The bits of a row depend neither on the other rows of its batch nor on how the device schedules
blocks: sums are merged in a fixed order, without atomics.  They may differ from device to device
in n from 16385 to 32768 (in float64 8193 to 16384), which stay where there is the memory for it.

Largest errors on the rows of `lossproof verify` (up to 3000 labels, their threads run on the host),
value, gradient and product, in ulps: float32 1.5, 2.4 and 2.8, float64 1.8, 2.2 and 3.1, float16
0.5 each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from numeric_core.kernels.cuda import plan
from numeric_core.kernels.cuda.arrays import (
    aligned,
    batch_of,
    cupy,
    labels_of,
    odd_rows,
    parameters_of,
    rows_of,
)
from numeric_core.kernels.cuda.source import BY_LABEL, LOSSES, STORED, function
from numeric_core.namespace import Array

__all__ = ["LOSSES", "STORED", "value", "value_and_grad"]

STATE, FINAL = 64, 96
"""Bytes for the state of a part, and for what the gradient of a row needs: `parts.cuh`."""


class Job(NamedTuple):
    """Rows (m, n), and where what is made of them goes.  chosen: what `function` is told."""

    chosen: tuple[str, str, str, int]
    parameters: tuple[Any, ...]
    scores: Array
    labels: Array
    value: Array
    gradient: Array | None
    odd: Array

    def launch(self, name: str, blocks: int, threads: int, arguments: Any, shared: int) -> None:
        """A kernel of the text that is compiled for these arrays."""
        kernel = function(name, *self.chosen)
        if shared > 48 * 1024:  # what a block has without being asked
            kernel.max_dynamic_shared_size_bytes = shared
        kernel((blocks,), (threads,), arguments, shared_mem=shared)


def value(kernel: Any, scores: Array, labels: Array, axis: int, plain: Callable[..., Any]) -> Array:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) does the rows left."""
    with scores.device:
        s, t = rows_of(scores, labels, axis)
        job = _run(kernel, s, t, None)
        if int(job.odd[0]):
            odd = odd_rows(job.value)
            try:
                job.value[odd] = plain(s[odd], t[odd], axis=-1)
            except ValueError:
                # an error speaks of the whole batch
                return plain(scores, labels, axis=axis)
        return job.value.reshape(batch_of(scores, axis))


def value_and_grad(
    kernel: Any,
    scores: Array,
    labels: Array,
    axis: int,
    plain: Callable[..., Any],
    out: Array | None = None,
) -> tuple[Array, Array]:
    """Loss (*batch,) and gradient, the shape of scores, in out if that fits."""
    with scores.device:
        s, t = rows_of(scores, labels, axis)
        if out is not None and not _has_room(out, s, scores, labels):
            out = None
        room = cupy().empty(s.shape, s.dtype) if out is None else out.reshape(s.shape)
        job = _run(kernel, s, t, room)
        assert job.gradient is not None
        if int(job.odd[0]):
            odd = odd_rows(job.value)
            try:
                job.value[odd], job.gradient[odd] = plain(s[odd], t[odd], axis=-1)
            except ValueError:
                return plain(scores, labels, axis=axis)
        batch = batch_of(scores, axis)
        if out is None:
            out = cupy().moveaxis(room.reshape((*batch, scores.shape[axis])), -1, axis)
        return job.value.reshape(batch), out


def _has_room(out: Array, rows: Array, scores: Array, labels: Array) -> bool:
    """Whether a kernel may write rows to it, a load at a time, while others are still read."""
    along_rows = rows.shape[-1] == out.shape[-1] and out.flags.c_contiguous
    apart = not any(cupy().may_share_memory(out, x) for x in (scores, labels))
    return along_rows and apart and out.data.ptr % plan.LOAD == 0


def _run(kernel: Any, scores: Array, labels: Array, room: Array | None) -> Job:
    """The kernel on all rows, nan where it has no answer; the gradient in room."""
    xp, dtype = cupy(), scores.dtype
    m, n = scores.shape
    s = aligned(scores)
    kind, t = labels_of(labels, s)
    chosen = (kernel.name, dtype.name, kind, plan.width(n, dtype.itemsize))
    odd = xp.zeros(1, np.int32)
    job = Job(chosen, parameters_of(kernel, dtype), s, t, xp.empty(m, dtype), room, odd)
    launch = plan.resident(n, max(4, dtype.itemsize), _shared_memory(scores.device.id))
    if launch is None:
        _in_parts(job)
    else:
        _whole(job, launch)
    return job


@cache
def _shared_memory(device: int) -> int:
    """Bytes that a block can have; CuPy asks for all attributes of a device at a time."""
    return int(cupy().cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"])


def _whole(job: Job, launch: plan.Resident) -> None:
    m, n = job.scores.shape
    sizes = (np.int64(m), np.int64(n), np.int32(launch.team))
    gradient = np.uint64(0) if job.gradient is None else job.gradient
    arrays = (job.scores, job.labels, job.value, gradient, job.odd)
    arguments = (*sizes, *job.parameters, *arrays)
    job.launch(launch.kernel, launch.blocks(m), launch.threads, arguments, launch.shared)


def _in_parts(job: Job) -> None:
    """The maximum where it is needed, the sums, one state a row, the gradient."""
    xp, (m, n) = cupy(), job.scores.shape
    parts = -(-n // plan.PART)
    real = np.float64 if job.scores.dtype == np.float64 else np.float32
    tops = xp.empty((m, parts), real)
    states, finals = (xp.empty(size, np.uint8) for size in (m * parts * STATE, m * FINAL))
    shape = (np.int64(n), np.int32(parts), np.int32(plan.PART))
    rows, all_parts = (m, plan.THREADS), (m * parts, plan.THREADS)
    if job.chosen[0] == "softmax":
        job.launch("part_top", *all_parts, (*shape, job.scores, tops), plan.RESERVED)
    of_labels = (*shape, *job.parameters, job.scores, job.labels)
    by_label = job.chosen[0] in BY_LABEL
    slopes = np.uint64(0) if job.gradient is None or not by_label else job.gradient
    job.launch("part_sums", *all_parts, (*of_labels, tops, states, slopes), plan.RESERVED)
    of_states = (np.int32(parts), *job.parameters, tops, states, finals, job.value, job.odd)
    job.launch("merge_parts", *rows, of_states, plan.RESERVED)
    if job.gradient is not None and not by_label:
        job.launch("part_gradient", *all_parts, (*of_labels, finals, job.gradient), 0)
