r"""Adversarial grids as data: each one is where some formula for these losses is known to break.

A sample of this module is a grid of scores (n, m), its labels, and a vector for the Hessian-vector
product, all of them numbers of one dtype.  Rows of labels are distributions up to rounding, or 0.
It is put together from patterns (`verify.grid.patterns`), kinds of labels, and vectors, as the
samples of the other losses are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verify.formats import FORMATS, Format, Vector, format_of
from verify.grid.patterns import (
    NO_CLASS,
    QUICK_SIZES,
    GridPattern,
    grids,
    long_grid,
    mask_threshold,
)
from verify.oracle.grid import GRIDS
from verify.patterns import Generator, generator
from verify.samples import Exact, Sample

__all__ = ["GRID_LABELS", "GRID_VECTORS", "GridSample", "quick_grids", "thorough_grids"]

THOROUGH_SIZES = (*QUICK_SIZES, (1, 3), (2, 2), (33, 3), (10, 12), (120, 2), (3, 20))
# (n, m) of long grids. The oracle forms every exponential by itself: of 10^4 samples some 10^5.
LONG = (10_000, 3)
WIDE = ((200, 100), (1000, 10))
COMPARED = {"quick": 256, "thorough": 4096}
# Float64 scores beyond this share of the largest number saturate: a half, and in the mean of scores
# 2^-30 / m, here with up to 2^6 classes. Other dtypes are computed in a wider one.
SATURATES = {"grid_centered": 2.0**-36}


@dataclass(frozen=True, eq=False)
class GridSample(Sample):
    """A grid to be evaluated; `components` are places a m + b to compare (None: all)."""

    @property
    def exact(self) -> Exact:
        """Scores, labels and vector as lists; a mask is the limit -inf that it stands for."""
        masked = self.scores <= mask_threshold(format_of(self.dtype))
        scores = np.where(masked, -np.inf, self.scores)
        return scores.tolist(), self.labels.tolist(), self.vector.tolist()


# --- labels ---------------------------------------------------------------------------------------

Labelling = Callable[[GridPattern, Format, Generator], Vector]


def _hard(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    n, m = pattern.scores.shape
    labels = np.zeros((n, m))
    for i, c in enumerate(pattern.classes):
        if c != NO_CLASS:
            labels[i, c] = 1.0
    return labels


def _over_open(pattern: GridPattern, weights: Vector) -> Vector:
    """The weights without the masked classes, each row divided by its sum, or its class alone."""
    open_weights = np.where(pattern.masked, 0.0, weights)
    open_weights[np.asarray(pattern.classes, dtype=np.int64) == NO_CLASS] = 0.0
    total = open_weights.sum(axis=-1, keepdims=True)
    return np.where(total > 0, open_weights / np.where(total > 0, total, 1.0), 0.0)


def _soft(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    """Distributions with a third of the labels 0; every other sample next to an end or half."""
    weights = rng.exponential(1.0, pattern.scores.shape) * (
        rng.random(pattern.scores.shape) > 1 / 3
    )
    labels = _over_open(pattern, weights + _hard(pattern, form, rng))
    for i, c in enumerate(pattern.classes):
        others = [k for k in np.flatnonzero(~pattern.masked[i]) if k != c]
        if i % 2 or c == NO_CLASS or not others:
            continue
        kind, k = rng.integers(3), int(rng.choice(others))
        small = (0.5, max(1e-9, form.smallest_subnormal), form.epsilon / 2)[kind]
        labels[i] = 0.0
        labels[i, c], labels[i, k] = 1.0 - small, small
        if kind == 1:  # 1 - 1e-9 is 1 in most formats, and its row sums to 1 within rounding
            labels[i, c] = 1.0 - form.epsilon / 2
    return labels


def _smoothed(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    """Label smoothing by 0.1 over the classes that are not masked."""
    uniform = _over_open(pattern, np.ones(pattern.scores.shape))
    return np.asarray(0.9 * _hard(pattern, form, rng) + 0.1 * uniform)


def _optimum(factor: float) -> Labelling:
    """t = softmax(factor s): the gradient is a difference that all but vanishes."""

    def labels(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
        scores = np.where(pattern.masked, -np.inf, np.clip(pattern.scores, -1e300, 1e300))
        top = np.max(
            np.where(pattern.masked, -1e300, scores), axis=-1, keepdims=True, initial=-1e300
        )
        return _over_open(pattern, np.exp(np.maximum(factor * (scores - top), -1e4)))

    return labels


GRID_LABELS: Mapping[str, Mapping[str, Labelling]] = {
    loss: {
        "hard": _hard,
        "soft": _soft,
        "smoothed": _smoothed,
        "optimum": _optimum(1.0 if loss == "grid_centered" else 2.0),
    }
    for loss in GRIDS
}

# --- vectors --------------------------------------------------------------------------------------

Direction = Callable[[GridPattern, Format, Generator], Vector]


def _signs(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    return rng.choice([-1.0, 1.0], pattern.scores.shape)


def _unit(at: int, shape: tuple[int, ...]) -> Vector:
    size = int(np.prod(shape))
    return np.asarray(np.arange(size) == at, dtype=np.float64).reshape(shape)


def _unit_dominant(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    """The column of the entry that stands out: the largest score by magnitude."""
    size = np.where(pattern.masked, 0.0, np.abs(pattern.scores)).ravel()
    return _unit(int(np.argmax(size)) if len(size) else 0, pattern.scores.shape)


def _unit_other(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    size = pattern.scores.size
    return _unit(int(rng.integers(size)) if size else 0, pattern.scores.shape)


def _row_shift(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    """One number a sample, the null direction of every loss here: the product is 0, not noise."""
    n, m = pattern.scores.shape
    return np.repeat(rng.normal(0, 3, (n, 1)), m, axis=1)


def _mixed_magnitude(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    decades = 3.0 if form.name == "float16" else 6.0
    exponents = rng.uniform(-decades, decades, pattern.scores.shape)
    return _signs(pattern, form, rng) * 10.0**exponents


def _normal(pattern: GridPattern, form: Format, rng: Generator) -> Vector:
    return rng.normal(0, 1, pattern.scores.shape)


GRID_VECTORS: Mapping[str, Direction] = {
    "signs": _signs,
    "unit-dominant": _unit_dominant,
    "normal": _normal,
    "unit-other": _unit_other,
    "mixed": _mixed_magnitude,
    "row-shift": _row_shift,
}

# --- sets -----------------------------------------------------------------------------------------


def quick_grids(loss: str, dtypes: Sequence[str] = tuple(FORMATS)) -> list[GridSample]:
    """Every pattern and kind of label with one vector, in turn, and one grid of 10^4 samples."""
    samples = _short_samples(loss, dtypes, QUICK_SIZES, vectors_each=1)
    wide = [dtype for dtype in ("float32", "float64") if dtype in dtypes]
    if wide:
        dtype = wide[list(GRIDS).index(loss) % len(wide)]
        samples.append(_long_sample(loss, dtype, "hard", LONG, COMPARED["quick"]))
    return samples


def thorough_grids(loss: str, dtypes: Sequence[str] = tuple(FORMATS)) -> list[GridSample]:
    """The same with every vector, more sizes, long grids and grids of many classes."""
    samples = _short_samples(loss, dtypes, THOROUGH_SIZES, vectors_each=len(GRID_VECTORS))
    for dtype in (dtype for dtype in ("float32", "float64") if dtype in dtypes):
        for kind in ("hard", "soft"):
            samples.append(_long_sample(loss, dtype, kind, LONG, COMPARED["thorough"]))
        for shape in WIDE:
            samples.append(_long_sample(loss, dtype, "hard", shape, COMPARED["thorough"]))
    return samples


def _short_samples(
    loss: str, dtypes: Sequence[str], sizes: Sequence[tuple[int, int]], *, vectors_each: int
) -> list[GridSample]:
    if loss not in GRID_LABELS:
        raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(GRID_LABELS)}")
    samples, names = [], list(GRID_VECTORS)
    for form in map(format_of, dtypes):
        for turn, pattern in enumerate(_within(loss, form, grids(form, sizes=sizes))):
            for offset, kind in enumerate(GRID_LABELS[loss]):
                for k in range(vectors_each):
                    # 5 and 6 have no common factor: each kind of label meets each vector.
                    name = names[(5 * turn + offset + k) % len(names)]
                    samples.append(_sample(loss, form, pattern, kind, name))
    return samples


def _within(loss: str, form: Format, patterns: Iterable[GridPattern]) -> Iterator[GridPattern]:
    """The patterns without those on which the loss saturates, as its docstring says."""
    for pattern in patterns:
        largest = np.max(np.abs(np.where(pattern.masked, 0.0, pattern.scores)), initial=0.0)
        if form.name != "float64" or largest <= SATURATES.get(loss, 0.5) * form.max:
            yield pattern


def _sample(
    loss: str,
    form: Format,
    pattern: GridPattern,
    kind: str,
    vector: str,
    components: Sequence[int] | None = None,
) -> GridSample:
    name, draw = f"{pattern.name}/{kind}/{vector}", (GRID_LABELS[loss][kind], GRID_VECTORS[vector])
    return GridSample.drawn(form, pattern, name, draw, components, stream="grid/")


def _long_sample(
    loss: str, dtype: str, kind: str, shape: tuple[int, int], compared: int
) -> GridSample:
    """A long grid, random signs for a vector; compared are its extremes and places at random."""
    form = format_of(dtype)
    pattern = long_grid(form, *shape)
    order = np.argsort(pattern.scores, axis=None)
    size = pattern.scores.size
    places = generator(form, "compared").integers(0, size, compared)
    some = np.unique(np.concatenate([order[:32], order[-32:], [0, size - 1], places]))
    components = tuple(int(place) for place in some)
    return _sample(loss, form, pattern, kind, "signs", components)
