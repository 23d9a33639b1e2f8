"""Run a route over samples and hold each number against the oracle.

A route is any object with value(s, t), gradient(s, t) and hvp(s, t, v) on arrays of one library:
the numeric core, the emitted code, the mpmath form.  It gets rows (n,), or with `batch` stacks of
rows (rows, n) of one dtype and length; of a loss over a grid, (n, m) and (grids, n, m).  What a
route raises is written down beside the sample that made it raise, as a failure of that route.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from flint import arb, ctx

from verify.accuracy import AccuracyTable, Failure, Worst, ulp_errors
from verify.arrays import Arrays, NumpyArrays
from verify.formats import format_of
from verify.oracle import Reference
from verify.samples import Sample

__all__ = ["QUANTITIES", "References", "Route", "measure"]

QUANTITIES = ("value", "gradient", "hvp")
# Longer rows are measured one at a time: batching them would only cost memory.
LONGEST_BATCHED = 128
SHOWN = 8  # an input of more numbers than this is named by its sample id only


class Route(Protocol):
    """What is measured."""

    @property
    def name(self) -> str:
        """What it is called in the table."""

    def value(self, scores: Any, labels: Any) -> Any:
        """The loss of each row."""

    def gradient(self, scores: Any, labels: Any) -> Any:
        """Its gradient, of the shape of scores."""

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """Its Hessian times the vector, of the shape of scores."""


class References:
    """The oracle's answer for each sample, computed once and shared by all routes."""

    def __init__(self, oracle: Callable[..., Reference]) -> None:
        self.oracle = oracle
        self.known: dict[str, Reference] = {}

    def __call__(self, sample: Sample) -> Reference:
        if sample.id not in self.known:
            self.known[sample.id] = self.oracle(*sample.exact, sample.components)
        return self.known[sample.id]


def measure(
    loss: str,
    route: Route,
    samples: Sequence[Sample],
    oracle: Callable[[Sample], Reference],
    *,
    arrays: Arrays | None = None,
    quantities: Sequence[str] = QUANTITIES,
    batch: bool = False,
    size: Callable[[Sample], float] | None = None,
    progress: Callable[[int], object] | None = None,
) -> AccuracyTable:
    """The errors of one route over the samples, each component against the oracle.

    `arrays` are those of the route's library (NumPy by default); samples of a dtype that it lacks
    are counted in `not_run`.  `size` states errors against the size of the quantity (as it says for
    a sample, times the largest entry of the vector) wherever a component's own scale is smaller.
    `progress` is called with the number of samples just done.
    """
    arrays = NumpyArrays() if arrays is None else arrays
    table = AccuracyTable()
    for group in _groups(samples, batch):
        for quantity in quantities:
            key = (loss, route.name, quantity, group[0].dtype)
            if group[0].dtype not in arrays.dtypes:
                for _ in group:
                    table.skip(key)
                continue
            try:
                rows = _evaluate(route, quantity, group, arrays, batch)
            except Exception as error:  # a route may raise anything: it is the one on trial
                message = f"{type(error).__name__}: {error}"
                table.failures += [Failure(*key, sample.id, message) for sample in group]
                continue
            for sample, got in zip(group, rows, strict=True):
                floor = _floor(quantity, sample, size, arrays.flushes)
                table.record(key, *_compare(quantity, sample, got, oracle(sample), floor))
        if progress is not None:
            progress(len(group))
    return table


def _groups(samples: Sequence[Sample], batch: bool) -> Iterator[list[Sample]]:
    """Single samples, or stacks of those with one dtype and shape."""
    if not batch:
        yield from ([sample] for sample in samples)
        return
    stacks: dict[tuple[str, tuple[int, ...]], list[Sample]] = {}
    for sample in samples:
        if sample.scores.size <= LONGEST_BATCHED:
            stacks.setdefault((sample.dtype, sample.scores.shape), []).append(sample)
    yield from stacks.values()


def _evaluate(
    route: Route, quantity: str, group: list[Sample], arrays: Arrays, batch: bool
) -> list[list[float]]:
    """The route's numbers for each sample of the group; ValueError on a wrong shape or dtype."""
    names = ("scores", "labels", "vector") if quantity == "hvp" else ("scores", "labels")
    given = [
        arrays.make(
            np.stack([getattr(sample, name) for sample in group])
            if batch
            else getattr(group[0], name),
            group[0].dtype,
        )
        for name in names
    ]
    result = getattr(route, quantity)(*given)
    _check_result(result, quantity, group, batch)
    floats = arrays.floats(result)
    width = 1 if quantity == "value" else group[0].scores.size
    if len(floats) != width * len(group):
        raise ValueError(f"{quantity} gave {len(floats)} numbers, expected {width * len(group)}")
    return [floats[k * width : (k + 1) * width] for k in range(len(group))]


def _check_result(result: Any, quantity: str, group: list[Sample], batch: bool) -> None:
    """Shape and dtype of what a library's array says of itself; plain lists say neither."""
    dtype = str(getattr(result, "dtype", group[0].dtype)).rpartition(".")[2]
    if dtype != group[0].dtype:
        raise ValueError(f"{quantity} has dtype {dtype}, expected that of scores, {group[0].dtype}")
    expected = (len(group),) if batch else ()
    if quantity != "value":
        expected = (*expected, *group[0].scores.shape)
    shape = tuple(getattr(result, "shape", expected))
    if shape != expected:
        raise ValueError(f"{quantity} has shape {shape}, expected {expected}")


def _compare(
    quantity: str, sample: Sample, got: list[float], reference: Reference, floor: arb
) -> tuple[int, Worst | None]:
    """How many numbers were compared, and the worst of them."""
    truth, scale = _truth(quantity, reference)
    if not truth:  # n = 0, or derivatives of an infinite value
        return 0, None
    scale = [own.max(floor) for own in scale]
    places = [0] if quantity == "value" else reference.components
    asked = got if quantity == "value" else [got[i] for i in places]
    errors = ulp_errors(asked, truth, scale, sample.dtype)
    at = max(range(len(errors)), key=errors.__getitem__)
    worst = Worst(
        error=errors[at],
        sample=sample.id,
        index=places[at],
        got=asked[at],
        true=_digits(truth[at]),
        scale=_digits(scale[at]),
        n=sample.n,
        input=_show(sample, with_vector=quantity == "hvp"),
    )
    return len(errors), worst


def _floor(
    quantity: str, sample: Sample, size: Callable[[Sample], float] | None, flushes: bool
) -> arb:
    """The least scale an error is stated against, 0 for the components' own scales.

    Gradient entries are bounded by 1, those of a Hessian-vector product by the vector's largest.
    Where subnormals are flushed, a share may lose up to the smallest normal number: one ulp at
    that number times 2^(p - 1).
    """
    largest = float(np.max(np.abs(sample.vector), initial=0.0)) if quantity == "hvp" else 1.0
    if size is not None:
        return arb(size(sample)) * largest
    form = format_of(sample.dtype)
    lost = math.ldexp(form.smallest_normal, form.bits - 1) if flushes else 0.0
    return arb(lost) * max(largest, 1.0)


def _truth(quantity: str, reference: Reference) -> tuple[Sequence[arb], Sequence[arb]]:
    if quantity == "value":
        return [reference.value], [abs(reference.value)]
    if quantity == "gradient":
        return reference.gradient, reference.gradient_scale
    return reference.hvp, reference.hvp_scale


def _digits(x: arb) -> str:
    with ctx.workprec(128):
        return x.str(21, radius=False)


def _show(sample: Sample, *, with_vector: bool) -> str:
    """The numbers themselves where they are few, so that the case can be typed in again."""
    if sample.scores.size > SHOWN:
        return f"{_size_in_words(sample)}, see the sample"
    names = ("scores", "labels", "vector") if with_vector else ("scores", "labels")
    return " ".join(f"{name}={getattr(sample, name).tolist()}" for name in names)


def _size_in_words(sample: Sample) -> str:
    return f"{'n, m' if sample.scores.ndim > 1 else 'n'} = " + ", ".join(
        str(length) for length in sample.scores.shape
    )
