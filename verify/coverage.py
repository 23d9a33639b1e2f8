"""What a set of samples covers, counted from the numbers in it and never from its names.

A sampler can draw the same number each time and still call itself random.  So each feature here is
a predicate on scores, labels, vector or the true value, and the report says how many samples have
it; a feature that none has is listed as missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from flint import arb

from verify.formats import Format, Vector, format_of
from verify.oracle import Reference
from verify.patterns import MASK_CONSTANT
from verify.samples import Sample

__all__ = ["FEATURES", "Coverage", "cover", "label_features", "loss_features", "mask_features"]
__all__ += ["score_features", "vector_features"]

GAP = 40.0  # e^-40 < 2^-53: beside such a score 1 - p is lost in float64


@dataclass
class Coverage:
    """Counts over samples: `features` by name, `dtypes`, and the extremes met."""

    samples: int = 0
    dtypes: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    smallest_n: int | None = None
    largest_n: int | None = None
    largest_score: float = 0.0
    smallest_loss: str = "not asked"
    _smallest_log: float = math.inf

    @property
    def missing(self) -> list[str]:
        """The features that no sample has; those of the true loss only if it was given."""
        asked = self.catalogue() if self.smallest_loss != "not asked" else self.of_scores()
        return [name for name in asked if not self.features[name]]

    @staticmethod
    def marks(sample: Sample) -> dict[str, bool]:
        """Every feature of scores, labels and vector, and whether the sample has it."""
        return _marks(sample)

    @classmethod
    def of_scores(cls) -> tuple[str, ...]:
        """The names of the features of scores, labels and vector."""
        return SCORE_FEATURES

    @classmethod
    def catalogue(cls) -> tuple[str, ...]:
        """All names, those of the true loss among them."""
        return (*cls.of_scores(), *LOSS_FEATURES)

    def add(self, sample: Sample, reference: Reference | None = None) -> None:
        """Count one sample, and its true loss where the reference is given."""
        self.samples += 1
        self.dtypes[sample.dtype] += 1
        n = sample.n
        self.smallest_n = n if self.smallest_n is None else min(self.smallest_n, n)
        self.largest_n = n if self.largest_n is None else max(self.largest_n, n)
        finite = sample.scores[np.isfinite(sample.scores)]
        self.largest_score = max(self.largest_score, float(np.max(np.abs(finite), initial=0.0)))
        self.features.update(name for name, holds in self.marks(sample).items() if holds)
        if reference is not None:
            self._add_loss(reference, format_of(sample.dtype))

    def _add_loss(self, reference: Reference, form: Format) -> None:
        value = reference.value
        if self.smallest_loss == "not asked":
            self.smallest_loss = "none above 0"
        if value.is_zero() or not value.is_finite() or not value > 0:
            return
        log = float(value.log())
        if log < self._smallest_log and log > math.log(5e-324):
            self._smallest_log, self.smallest_loss = log, value.str(6, radius=False)
        marks = loss_features(value, form)
        self.features.update(name for name, holds in marks.items() if holds)

    def as_dict(self) -> dict[str, object]:
        """The counts as plain data."""
        return {
            "samples": self.samples,
            "dtypes": dict(self.dtypes),
            "smallest_n": self.smallest_n,
            "largest_n": self.largest_n,
            "largest_score": self.largest_score,
            "smallest_loss": self.smallest_loss,
            "features": {name: self.features[name] for name in self.catalogue()},
            "missing": self.missing,
        }

    def text(self) -> str:
        """A report of some thirty lines."""
        dtypes = ", ".join(f"{name} {count}" for name, count in self.dtypes.items())
        lines = [
            f"{self.samples} samples ({dtypes})",
            f"n from {self.smallest_n} to {self.largest_n}, |s| up to {self.largest_score:g}, "
            f"smallest loss a float64 can hold: {self.smallest_loss}",
        ]
        lines += [f"{self.features[x]:7d}  {x}" for x in self.catalogue() if self.features[x]]
        if self.missing:
            lines.append("not covered: " + "; ".join(self.missing))
        return "\n".join(lines)


def cover(
    samples: Iterable[Sample],
    references: Mapping[str, Reference] | None = None,
    kind: type[Coverage] = Coverage,
) -> Coverage:
    """The coverage of the samples; `references` by sample id add what the true losses say."""
    coverage = kind()
    for sample in samples:
        coverage.add(sample, None if references is None else references.get(sample.id))
    return coverage


def _marks(sample: Sample) -> dict[str, bool]:
    form = format_of(sample.dtype)
    scores, labels = sample.scores, sample.labels
    return {
        **_shape_features(scores),
        **score_features(scores, form),
        **mask_features(scores, labels, form),
        **label_features(labels, form),
        **_dominance_features(scores, labels),
        **vector_features(scores, sample.vector),
    }


def _shape_features(s: Vector) -> dict[str, bool]:
    return {
        "n = 0": len(s) == 0,
        "n = 1": len(s) == 1,
        "n >= 1000": len(s) >= 1000,
        "n = 10^6": len(s) == 10**6,
        "ties": len(np.unique(s)) < len(s),
    }


def score_features(s: Vector, form: Format) -> dict[str, bool]:
    """Large and small scores, and those at the edges of the range of exp."""
    size = np.abs(s[np.isfinite(s)])
    # exp overflows above log(max) and is subnormal below log(smallest normal).
    over = float(np.log(form.max))
    return {
        "|s| >= 100": bool((size >= 100).any()),
        "|s| >= 1e4": bool((size >= 1e4).any()),
        "subnormal scores": bool(((size > 0) & (size < form.smallest_normal)).any()),
        "scores where exp overflows": bool((s > over).any()),
        "scores where exp underflows": bool((s < -1.25 * over).any()),
        "scores within a quarter of the range of exp": bool((np.abs(size - over) < over / 4).any()),
    }


def mask_features(s: Vector, t: Vector, form: Format) -> dict[str, bool]:
    """The constants that masked labels stand at."""
    masked = t == 0
    return {
        "mask -inf": bool((masked & (s == -np.inf)).any()),
        "mask -1e7": bool((masked & (np.abs(s / MASK_CONSTANT - 1) < 0.01)).any()),
        "mask -1e12": bool((masked & (np.abs(s / -1e12 - 1) < 0.01)).any()),
        "mask minimum of the dtype": bool((masked & (s == -form.max)).any()),
    }


def label_features(t: Vector, form: Format) -> dict[str, bool]:
    """Labels at and next to the ends; all of one kind."""
    tiny = float(form.round(np.asarray([max(1e-9, form.smallest_subnormal)]))[0])
    inside = (t > 0) & (t < 1)
    return {
        "t = 0": bool((t == 0).any()),
        "t = 1e-9": bool((t == tiny).any()),
        "t = 1/2": bool((t == 0.5).any()),
        "t = 1 - eps": bool((t == 1 - form.epsilon / 2).any()),
        "t = 1": bool((t == 1).any()),
        "soft labels": bool(inside.any()),
        "hard labels": len(t) > 0 and not inside.any(),
        "all positive": len(t) > 0 and bool((t == 1).all()),
        "all negative": len(t) > 0 and bool((t == 0).all()),
    }


def _dominance_features(s: Vector, t: Vector) -> dict[str, bool]:
    """Whether one side's largest exponent stands 30 above its second, and the trained regime."""
    positive, negative = s[t > 0], s[(t < 1) & (s > MASK_CONSTANT)]
    return {
        "one negative dominates by 30": _lead(negative) >= 30,
        "one positive dominates by 30": _lead(-positive[np.isfinite(positive)]) >= 30,
        "logit gap of 40": _lead(s[s > MASK_CONSTANT]) >= GAP,
        "trained: positives >= 20, negatives <= -20": bool(
            len(positive) and len(negative) and (positive >= 20).all() and (negative <= -20).all()
        ),
    }


def _lead(exponents: Vector) -> float:
    """The largest minus the second largest; 0 for fewer than two."""
    if len(exponents) < 2:
        return 0.0
    second, first = np.partition(exponents, -2)[-2:]
    return float(first - second)


def vector_features(s: Vector, v: Vector) -> dict[str, bool]:
    """Columns of the Hessian, a constant, signs, magnitudes far apart."""
    size = np.abs(v)
    unit = len(v) > 1 and int((v != 0).sum()) == 1 and bool(size.max() == 1)
    open_size = np.where(s > MASK_CONSTANT, np.abs(s), 0.0)
    return {
        "v = e_k": unit,
        "v = e_k at the largest |s|": unit and int(size.argmax()) == int(open_size.argmax()),
        "v constant": len(v) > 1 and bool((v == v[0]).all()),
        "v of random signs": len(v) > 1 and bool((size == 1).all()) and len(np.unique(v)) == 2,
        "v over five decades": bool(size.min(initial=np.inf) * 1e5 <= size.max(initial=0.0))
        and bool(size.all()),
    }


def loss_features(value: arb, form: Format) -> dict[str, bool]:
    """Losses at the bottom of the format, below it and above it."""
    # As a ball: half of the smallest float64 is no float64.
    half_smallest = arb((1, form.emin - form.bits))
    return {
        "loss <= 1e-290": value < 1e-290,
        "loss subnormal": half_smallest < value < form.smallest_normal,
        "loss below the range": value < half_smallest,
        "loss above the range": value > form.max,
    }


_EMPTY = Sample("", "float64", np.zeros(0), np.zeros(0), np.zeros(0))
SCORE_FEATURES = tuple(_marks(_EMPTY))
LOSS_FEATURES = tuple(loss_features(arb(1), format_of("float64")))
FEATURES = Coverage.catalogue()
