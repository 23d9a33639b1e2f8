"""The CUDA kernels: value and gradient of ZLPR, hard and soft, and softmax cross-entropy for CuPy.

A row of up to 32768 labels in float32, float16 and bfloat16, 16384 in float64, is read once and its
gradient written once (`plan` says by whom); longer rows are read twice for the gradient, and once
more for the maximum of softmax.  The mathematics is that of the kernels for NumPy, in `.cuh` files;
so are the rows that have no answer here, which the plain version does.

The bits of a row depend neither on the other rows of its batch nor on how the device schedules
blocks: sums are merged in a fixed order, without atomics.  They may differ from device to device
in n from 16385 to 32768 (in float64 8193 to 16384), which stay where there is the memory for it.

Largest errors on the rows of `lossproof verify` (up to 3000 labels, their threads run on the host),
value and gradient, in ulps: float32 1.5 and 2.2, float64 1.7 and 2.2, float16 0.5 and 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from numeric_core.kernels import exponential_pair
from numeric_core.kernels.cuda import plan
from numeric_core.kernels.cuda.source import BY_LABEL, LOSSES, STORED, function
from numeric_core.namespace import Array, Namespace

__all__ = ["LOSSES", "STORED", "value", "value_and_grad"]

STATE, FINAL = 64, 96
"""Bytes for the state of a part, and for what the gradient of a row needs: `parts.cuh`."""

EPSILON = {"bfloat16": 2.0**-7}
"""Of dtypes that NumPy's finfo does not know."""


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
        s, t = _rows(scores, labels, axis)
        job = _run(kernel, s, t, None)
        if int(job.odd[0]):
            odd = _odd(job)
            try:
                job.value[odd] = plain(s[odd], t[odd], axis=-1)
            except ValueError:
                # an error speaks of the whole batch
                return plain(scores, labels, axis=axis)
        return job.value.reshape(_batch(scores, axis))


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
        s, t = _rows(scores, labels, axis)
        if out is not None and not _has_room(out, s, scores, labels):
            out = None
        room = _cupy().empty(s.shape, s.dtype) if out is None else out.reshape(s.shape)
        job = _run(kernel, s, t, room)
        assert job.gradient is not None
        if int(job.odd[0]):
            odd = _odd(job)
            try:
                job.value[odd], job.gradient[odd] = plain(s[odd], t[odd], axis=-1)
            except ValueError:
                return plain(scores, labels, axis=axis)
        batch = _batch(scores, axis)
        if out is None:
            out = _cupy().moveaxis(room.reshape((*batch, scores.shape[axis])), -1, axis)
        return job.value.reshape(batch), out


def _has_room(out: Array, rows: Array, scores: Array, labels: Array) -> bool:
    """Whether a kernel may write rows to it, a load at a time, while others are still read."""
    along_rows = rows.shape[-1] == out.shape[-1] and out.flags.c_contiguous
    apart = not any(_cupy().may_share_memory(out, x) for x in (scores, labels))
    return along_rows and apart and out.data.ptr % plan.LOAD == 0


def _cupy() -> Namespace:
    return import_module("cupy")


def _odd(job: Job) -> Array:
    """The places of the rows without an answer; nan alone differs from itself, in any dtype."""
    return _cupy().flatnonzero(job.value != job.value)


def _batch(scores: Array, axis: int) -> tuple[int, ...]:
    batch = list(scores.shape)
    batch.pop(axis)
    return tuple(batch)


def _rows(scores: Array, labels: Array, axis: int) -> tuple[Array, Array]:
    """Scores (m, n), labels (m, n) or class indices (m,), in their own dtypes."""
    n, cupy = scores.shape[axis], _cupy()
    s = cupy.moveaxis(scores, axis, -1).reshape(-1, n)
    if labels.ndim < scores.ndim:
        return s, labels.reshape(-1)
    return s, cupy.moveaxis(labels, axis, -1).reshape(-1, n)


def _run(kernel: Any, scores: Array, labels: Array, room: Array | None) -> Job:
    """The kernel on all rows, nan where it has no answer; the gradient in room."""
    cupy, dtype = _cupy(), scores.dtype
    m, n = scores.shape
    s = _aligned(scores)
    kind, t = _labels(labels, s)
    chosen = (kernel.name, dtype.name, kind, plan.width(n, dtype.itemsize))
    odd = cupy.zeros(1, np.int32)
    job = Job(chosen, _parameters(kernel, dtype), s, t, cupy.empty(m, dtype), room, odd)
    launch = plan.resident(n, max(4, dtype.itemsize), _shared_memory(scores.device.id))
    if launch is None:
        _in_parts(job)
    else:
        _whole(job, launch)
    return job


@cache
def _shared_memory(device: int) -> int:
    """Bytes that a block can have; CuPy asks for all attributes of a device at a time."""
    return int(_cupy().cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"])


def _aligned(x: Array) -> Array:
    """Contiguous, from an address on that is a multiple of what a thread reads."""
    x = _cupy().ascontiguousarray(x)
    return x if x.data.ptr % plan.LOAD == 0 else x.copy()


def _labels(labels: Array, scores: Array) -> tuple[str, Array]:
    """The kind of labels, and the labels as kernels take them."""
    if labels.ndim == 1:
        return "index", _aligned(labels.astype(np.int64, copy=False))
    if labels.dtype == scores.dtype:
        return "same", _aligned(labels)
    if labels.dtype.itemsize == 1:  # a negative one becomes one above 1
        return "bytes", _aligned(_cupy().ascontiguousarray(labels).view(np.uint8))
    return "same", _aligned(labels.astype(scores.dtype))


def _parameters(kernel: Any, dtype: Any) -> tuple[Any, ...]:
    """The four numbers that a loss is told."""
    told = _told(kernel, dtype)
    return tuple(np.float64(each) for each in (*told, 0.0, 0.0, 0.0, 0.0)[:4])


def _told(kernel: Any, dtype: Any) -> tuple[float, ...]:
    """e^{-s0} and e^{s0} of ZLPR; for softmax, by how much the sums of labels may miss 1."""
    if kernel.name == "softmax":
        epsilon = EPSILON.get(dtype.name) or float(np.finfo(dtype).eps)
        return (math.sqrt(epsilon),)
    if kernel.name == "unified":
        return (kernel.scale, *exponential_pair(kernel.scale, kernel.margin))
    if kernel.name == "focal":
        return (*kernel.exponents, *kernel.weights)
    if kernel.name == "asymmetric":
        return (*kernel.exponents, kernel.margin)
    return math.exp(-kernel.threshold), math.exp(kernel.threshold)


def _whole(job: Job, launch: plan.Resident) -> None:
    m, n = job.scores.shape
    sizes = (np.int64(m), np.int64(n), np.int32(launch.team))
    gradient = np.uint64(0) if job.gradient is None else job.gradient
    arrays = (job.scores, job.labels, job.value, gradient, job.odd)
    arguments = (*sizes, *job.parameters, *arrays)
    job.launch(launch.kernel, launch.blocks(m), launch.threads, arguments, launch.shared)


def _in_parts(job: Job) -> None:
    """The maximum where it is needed, the sums, one state a row, the gradient."""
    cupy, (m, n) = _cupy(), job.scores.shape
    parts = -(-n // plan.PART)
    real = np.float64 if job.scores.dtype == np.float64 else np.float32
    tops = cupy.empty((m, parts), real)
    states, finals = (cupy.empty(size, np.uint8) for size in (m * parts * STATE, m * FINAL))
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
