r"""Adversarial rows as data: each one is where some formula for these losses is known to break.

A sample is a row of scores, its labels and a vector for the Hessian-vector product, all of them
numbers of one dtype (held in float64, where they are exact).  It is put together from three lists:

    rows      scores, which of them are positive, which are masked          verify.patterns
    labels    hard, soft, one-hot, a distribution, the optimum sigma(2s)    LABELS
    vectors   signs, columns of the Hessian, a constant, mixed magnitudes   VECTORS

What a set of samples covers is counted from the numbers, not from these names: `verify.coverage`.
Seeds are fixed and nothing is stored: the same call gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from verify.formats import FORMATS, Format, Vector, format_of
from verify.oracle.row import ONE_CLASS
from verify.patterns import Generator, Pattern, generator, long_row, rows

__all__ = ["LABELS", "VECTORS", "Exact", "Sample", "quick", "thorough"]

LONG = 1_000_000
# The oracle multiplies polynomials for these: in the quick set their long row is shorter, and 10^6
# labels are met by the distribution over k-subsets (`verify.subset_rows`).
SHORTER_LONG = {"combination_softmax": 100_000, "order_r": 100_000}
# Powers and rational keys cost the oracle more than exponentials do: some 10^4 labels a second.
SHORTER_LONG |= {"focal": 50_000, "soft_focal": 50_000, "asymmetric": 50_000, "circle": 20_000}
# Positives of a long row where not a share of all labels is meant: n k operations are too many.
FEW_POSITIVES = {"combination_softmax": 4}
# Of a long row, so many components are compared: all of them cost the oracle ten times as much.
COMPARED = {"quick": 512, "thorough": 16_384}


# Lists of numbers, of a grid lists of such lists.
Exact = tuple[list[Any], list[Any], list[Any]]


@dataclass(frozen=True, eq=False)
class Sample:
    """One row to be evaluated; `components` are the places to compare (None: all)."""

    id: str
    dtype: str
    scores: Vector
    labels: Vector
    vector: Vector
    components: Sequence[int] | None = None

    @classmethod
    def drawn(
        cls,
        form: Format,
        pattern: Any,
        name: str,
        draw: tuple[Callable[..., Vector], Callable[..., Vector]],
        components: Sequence[int] | None = None,
        stream: str = "",
    ) -> Self:
        """The scores of a pattern, with labels and a vector drawn for it in this format.

        The generator is seeded by format, stream and name.
        """
        rng = generator(form, stream + name)
        labels, vector = (form.round(drawing(pattern, form, rng)) for drawing in draw)
        id = f"{form.name}/{name}"
        return cls(id, form.name, pattern.scores, np.minimum(labels, 1.0), vector, components)

    @property
    def n(self) -> int:
        """The number of labels in the row."""
        return len(self.scores)

    @property
    def exact(self) -> Exact:
        """Scores, labels and vector as lists: what the oracle is asked."""
        return self.scores.tolist(), self.labels.tolist(), self.vector.tolist()


# --- labels ---------------------------------------------------------------------------------------

Labelling = Callable[[Pattern, Format, Generator], Vector]


def _hard(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    return pattern.positive.astype(np.float64)


def _one_hot(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """The first positive of the pattern, or any label that is not masked."""
    at = int(np.argmax(pattern.positive if pattern.positive.any() else ~pattern.masked))
    return np.asarray(np.arange(len(pattern.scores)) == at, dtype=np.float64)


def _soft(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """Labels from the ends, next to the ends, the middle, and anywhere; masked ones have 0."""
    special = [0.0, max(1e-9, form.smallest_subnormal), 0.5, 1.0 - form.epsilon / 2, 1.0]
    n = len(pattern.scores)
    labels = np.where(rng.random(n) < 0.6, rng.choice(special, n), rng.random(n))
    return np.where(pattern.masked, 0.0, labels)


def _optimum(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """t = sigma(2s): the gradient of soft ZLPR is a difference that all but vanishes."""
    labels = 0.5 + 0.5 * np.tanh(np.clip(pattern.scores, -1e3, 1e3))
    return np.where(pattern.masked, 0.0, labels)


def _distribution(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """Weights that sum to 1 up to rounding, a third of them 0."""
    weights = rng.exponential(1.0, len(pattern.scores)) * (rng.random(len(pattern.scores)) > 1 / 3)
    weights = np.where(pattern.masked, 0.0, weights)
    if not weights.any():
        return _one_hot(pattern, form, rng)
    return np.asarray(weights / weights.sum())


def _smoothed(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """Label smoothing by 0.1 over the labels that are not masked."""
    open_labels = np.asarray(~pattern.masked, dtype=np.float64)
    return np.asarray(0.9 * _one_hot(pattern, form, rng) + 0.1 * open_labels / open_labels.sum())


LABELS: Mapping[str, Mapping[str, Labelling]] = {
    "softmax_cross_entropy": {
        "one-hot": _one_hot,
        "distribution": _distribution,
        "smoothed": _smoothed,
    },
    "binary_cross_entropy": {"hard": _hard, "soft": _soft},
    "zlpr": {"hard": _hard},
    "soft_zlpr": {"hard": _hard, "soft": _soft, "optimum": _optimum},
    "unified": {"hard": _hard, "soft": _soft},
    "combination_softmax": {"hard": _hard},
    "padded_combination_softmax": {"hard": _hard},
    "order_r": {"hard": _hard, "soft": _soft, "optimum": _optimum},
    "focal": {"hard": _hard},
    "soft_focal": {"hard": _hard, "soft": _soft},
    "asymmetric": {"hard": _hard},
    "circle": {"hard": _hard},
    "hinge": {"one-hot": _one_hot},
    "max_hinge": {"one-hot": _one_hot},
    "lse_hinge": {"one-hot": _one_hot},
}

# --- vectors --------------------------------------------------------------------------------------

Direction = Callable[[Pattern, Format, Generator], Vector]


def _signs(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    return rng.choice([-1.0, 1.0], len(pattern.scores))


def _unit(at: int, n: int) -> Vector:
    return np.asarray(np.arange(n) == at, dtype=np.float64)


def _unit_dominant(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """The column of the label that outweighs the others: the largest score by magnitude."""
    open_scores = np.where(pattern.masked, 0.0, np.abs(pattern.scores))
    return _unit(int(np.argmax(open_scores)) if len(open_scores) else 0, len(open_scores))


def _unit_other(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    n = len(pattern.scores)
    return _unit(int(rng.integers(n)) if n else 0, n)


def _constant(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    """The null direction of softmax: the product is 0 there, not noise."""
    return np.full(len(pattern.scores), 0.7)


def _mixed_magnitude(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    n = len(pattern.scores)
    decades = 3.0 if form.name == "float16" else 6.0
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-decades, decades, n)


def _normal(pattern: Pattern, form: Format, rng: Generator) -> Vector:
    return rng.normal(0, 1, len(pattern.scores))


VECTORS: Mapping[str, Direction] = {
    "signs": _signs,
    "unit-dominant": _unit_dominant,
    "normal": _normal,
    "unit-other": _unit_other,
    "mixed": _mixed_magnitude,
    "constant": _constant,
}

# --- sets -----------------------------------------------------------------------------------------


def quick(loss: str, dtypes: Sequence[str] = tuple(FORMATS)) -> list[Sample]:
    """Every row and every kind of label with two vectors each, and one long row."""
    samples = _short_samples(loss, dtypes, sizes=(2, 10, 100), vectors_each=2)
    wide = [dtype for dtype in ("float32", "float64") if dtype in dtypes]
    # The losses take turns at the two dtypes, since a long row costs as much as all short ones.
    chosen = wide[list(LABELS).index(loss) % len(wide)] if wide else None
    n = SHORTER_LONG.get(loss, LONG)
    long_rows = [_long_sample(loss, chosen, 0, COMPARED["quick"], n)] if chosen else []
    return samples + long_rows


def thorough(loss: str, dtypes: Sequence[str] = tuple(FORMATS)) -> list[Sample]:
    """Every row and every kind of label with every vector, more lengths, several long rows."""
    samples = _short_samples(
        loss, dtypes, sizes=(2, 3, 10, 33, 100, 1000), vectors_each=len(VECTORS)
    )
    wide = [dtype for dtype in ("float32", "float64") if dtype in dtypes]
    for dtype in wide:
        for k in range(len(LABELS[loss])):
            samples.append(_long_sample(loss, dtype, k, COMPARED["thorough"], LONG))
    return samples


def _short_samples(
    loss: str, dtypes: Sequence[str], *, sizes: Sequence[int], vectors_each: int
) -> list[Sample]:
    if loss not in LABELS:
        raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(LABELS)}")
    samples = []
    for form in map(format_of, dtypes):
        for turn, pattern in enumerate(rows(form, sizes=sizes)):
            if loss in ONE_CLASS and not len(pattern.scores):
                continue  # there is no row without a class
            for kind in LABELS[loss]:
                names = list(VECTORS)
                for k in range(vectors_each):
                    name = names[(vectors_each * turn + k) % len(names)]
                    samples.append(_sample(loss, form, pattern, kind, name))
    return samples


def _sample(
    loss: str,
    form: Format,
    pattern: Pattern,
    kind: str,
    vector: str,
    components: Sequence[int] | None = None,
) -> Sample:
    draw = LABELS[loss][kind], VECTORS[vector]
    return Sample.drawn(form, pattern, f"{pattern.name}/{kind}/{vector}", draw, components)


def _long_sample(loss: str, dtype: str, kind: int, compared: int, n: int) -> Sample:
    """A row of n labels with random signs for a vector.

    Compared are the largest scores of either sign, the ends of the row, and places at random.
    """
    form = format_of(dtype)
    pattern = long_row(form, n, FEW_POSITIVES.get(loss))
    order = np.argsort(pattern.scores)
    places = generator(form, "compared").integers(0, n, compared)
    some = np.unique(np.concatenate([order[:32], order[-32:], [0, n - 1], places]))
    components = tuple(int(i) for i in some)
    return _sample(loss, form, pattern, list(LABELS[loss])[kind], "signs", components)
