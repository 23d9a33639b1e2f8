"""On a GPU: value and gradient of CuPy arrays, and products with the Hessian, beside a copy of as
many bytes on the same device.

A kernel that reads scores and labels once and writes the gradient once moves B bytes; so does a
copy of B / 2.  A ratio of 1.25 to it is 80 % of the bandwidth that a copy has.  For a product it
reads a vector as well, and again for the sums before it: what then comes from the device's memory,
not from its cache, adds to the ratio.  The time is that of whole calls, with the check whether a
row is left to the plain version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

import lossproof
from benchmarks.contenders import OURS
from benchmarks.measure import Limits, interleaved
from benchmarks.run import Row
from numeric_core.kernels.cuda.plan import LONGEST_PRODUCT

__all__ = ["COPY", "Case", "Plan", "measured", "missing", "plan_of"]

COPY = "a copy of as many bytes"
PLAIN = "lossproof, plain"
DTYPES = ("float32", "bfloat16", "float16", "float64")
# Teams within a warp, one warp, some, a block, a block with shared memory, parts.
LENGTHS = {
    "full": (64, 256, 1024, 4096, 16_384, 32_768, 1 << 20),
    "quick": (64, 1024, 32_768),
    "smallest": (64, 40_000),
}
# Scores of a case: far more than a cache holds, and a call takes a hundred times its overhead.
ENTRIES = {"full": 1 << 27, "quick": 1 << 26, "smallest": 1 << 16}
# Bytes for each score: most of them for what the plain version keeps meanwhile.
ROOM = 400


@dataclass(frozen=True)
class Case:
    """A loss, by the name of its object, how its labels are given, and what is computed."""

    loss: str
    labels: str
    dtype: str
    shape: tuple[int, int]
    product: bool = False

    @property
    def title(self) -> str:
        """As the tables name it."""
        what = ", product" if self.product else ""
        return f"{self.loss}, {self.labels}{what}: {self.shape[0]} x {self.shape[1]}"


LOSSES = (
    ("zlpr", "hard labels"),
    ("soft_zlpr", "soft labels"),
    ("softmax_cross_entropy", "distributions"),
    ("softmax_cross_entropy", "class indices"),
    ("binary_cross_entropy", "soft labels"),
    ("unified", "hard labels"),
    ("focal", "hard labels"),
    ("asymmetric", "hard labels"),
)
PRODUCTS = ("zlpr", "soft_zlpr", "softmax_cross_entropy", "binary_cross_entropy")
# They have kernels for narrower dtypes alone.
NARROW = ("focal", "asymmetric")


@dataclass(frozen=True)
class Plan:
    """What is to be measured on the device."""

    cases: list[Case]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.cases)


def missing() -> str | None:
    """Why nothing can be measured here; None where it can."""
    if find_spec("cupy") is None:
        return 'CuPy is not installed: pip install "lossproof[cuda12]" or "lossproof[cuda13]"'
    cupy = import_module("cupy")
    return None if cupy.cuda.is_available() else "CuPy finds no GPU, or no driver for one"


def plan_of(size: str, only: Sequence[str]) -> Plan:
    """The cases whose loss has one of the words in its name; ValueError if none."""
    chosen = [each for each in LOSSES if not only or any(word in each[0] for word in only)]
    if not chosen:
        known = ", ".join(dict.fromkeys(loss for loss, _ in LOSSES))
        raise ValueError(f"no case is named {', '.join(only)}: expected part of {known}")
    entries = min(ENTRIES[size], _free() // ROOM)
    cases = [
        Case(loss, labels, dtype, (max(1, entries // n), n), product)
        for loss, labels in chosen
        for product in (False, True)
        for dtype in DTYPES
        for n in LENGTHS[size]
    ]
    return Plan([case for case in cases if _has_kernel(case)])


def _has_kernel(case: Case) -> bool:
    if case.product:
        return case.loss in PRODUCTS and case.shape[1] <= LONGEST_PRODUCT
    return case.loss not in NARROW or case.dtype != "float64"


def _free() -> int:
    """Bytes of the device."""
    return int(import_module("cupy").cuda.Device().mem_info[0])


def measured(plan: Plan, limits: Limits, begin: Callable[[str], object]) -> Iterator[Row]:
    """The rows of each case as it is done; `begin` hears of each before."""
    try:
        for case in plan.cases:
            begin(f"{case.title} {case.dtype}")
            yield from _rows(case, limits)
    finally:
        lossproof.use_kernels(True)


def _rows(case: Case, limits: Limits) -> Iterator[Row]:
    scores, labels = _data(case)
    loss, vector = getattr(lossproof, case.loss), (scores[::-1].copy(),) if case.product else ()
    call = loss.hvp if case.product else loss.value_and_grad
    arrays = (scores, labels, *vector)
    moved = scores.nbytes + sum(x.nbytes for x in arrays)
    copy = _copy((moved + scores.shape[0] * scores.dtype.itemsize) // 2, scores.device)
    calls = {
        name: partial(_call, call, arrays, kernels)
        for name, kernels in ((OURS, True), (PLAIN, False))
    }
    timings = interleaved({**calls, COPY: copy}, {COPY: copy}, limits)
    for name, timing in timings.items():
        ratio, spread = timing.ratios[COPY], (timing.low, timing.high, timing.runs)
        figures = (timing.seconds, ratio, COPY, timing.ratios, *spread)
        yield Row(case.title, case.dtype, name, *figures, loss=case.loss, shape=case.shape)


def _call(function: Callable[..., object], arrays: tuple[Any, ...], kernels: bool) -> None:
    lossproof.use_kernels(kernels)
    function(*arrays)
    arrays[0].device.synchronize()


def _copy(count: int, device: Any) -> Callable[[], None]:
    cupy = import_module("cupy")
    source, target = (cupy.zeros(count, np.uint8) for _ in range(2))

    def call() -> None:
        cupy.copyto(target, source)
        device.synchronize()

    return call


def _data(case: Case) -> tuple[Any, Any]:
    """Scores and labels on the device, in the dtype of the case but for class indices."""
    cupy, rng = import_module("cupy"), np.random.default_rng(1)
    rows, n = case.shape
    # a few rows again and again: to draw all would take longer than to measure
    few = min(rows, max(1, (1 << 22) // n))
    times = -(-rows // few)
    dtype = np.dtype(
        import_module("ml_dtypes").bfloat16 if case.dtype == "bfloat16" else case.dtype
    )
    scores = rng.normal(0.0, 4.0, (few, n)).astype(dtype)
    labels = _labels(case.labels, rng, few, n)
    labels = labels if labels.ndim == 1 else labels.astype(dtype)
    return _repeated(cupy.asarray(scores), times, rows), _repeated(
        cupy.asarray(labels), times, rows
    )


def _repeated(x: Any, times: int, rows: int) -> Any:
    return x[np.newaxis].repeat(times, axis=0).reshape((-1, *x.shape[1:]))[:rows]


def _labels(kind: str, rng: np.random.Generator, rows: int, n: int) -> Any:
    if kind == "class indices":
        return rng.integers(0, n, rows)
    drawn = rng.random((rows, n))
    if kind == "hard labels":
        return drawn < 0.1
    return drawn / drawn.sum(axis=-1, keepdims=True) if kind == "distributions" else drawn
