"""What a set of grids covers, counted from the numbers in it and never from its names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.coverage import (
    GAP,
    Coverage,
    label_features,
    mask_features,
    score_features,
    vector_features,
)
from verify.formats import Vector, format_of
from verify.grid.patterns import mask_threshold
from verify.patterns import Mask
from verify.samples import Sample

__all__ = ["GridCoverage"]

# One class, or one sample, stands out by this much: beside e^30 half of the digits of 1 are lost.
FAR = 30.0


@dataclass
class GridCoverage(Coverage):
    """Counts over samples that are grids."""

    @staticmethod
    def marks(sample: Sample) -> dict[str, bool]:
        """Every feature of the grid, and whether the sample has it."""
        form = format_of(sample.dtype)
        s, t, v = sample.scores, sample.labels, sample.vector
        masked = s <= mask_threshold(form)
        flat = label_features(t.ravel(), form)
        return {
            **_shape_features(s, t),
            **score_features(s.ravel(), form),
            **mask_features(s.ravel(), t.ravel(), form),
            **_masked_parts(masked),
            **{name: holds for name, holds in flat.items() if not name.startswith("all ")},
            **_label_features(t, masked),
            **_depth_features(np.where(masked, -np.inf, s), t),
            **_vector_features(s.ravel(), v.ravel()),
            "v constant in each sample": v.shape[-1] > 1 and bool((v == v[:, :1]).all()),
        }

    @classmethod
    def of_scores(cls) -> tuple[str, ...]:
        """The names of the features of scores, labels and vector."""
        nothing = np.zeros((0, 1))
        return tuple(cls.marks(Sample("", "float64", nothing, nothing, nothing)))


def _shape_features(s: Vector, t: Vector) -> dict[str, bool]:
    n, m = s.shape
    counts = t.sum(axis=0)
    return {
        "n = 0": n == 0,
        "n = 1": n == 1,
        "n = 10^4": n == 10**4,
        "m = 1": m == 1,
        "m = 2": m == 2,
        "m = 3": m == 3,
        "m >= 10": m >= 10,
        "more classes than samples": 0 < n < m,
        "ties in a sample": any(len(np.unique(row)) < m for row in s),
        "equal samples": len(np.unique(s, axis=0)) < n,
        "a class without samples": n > 0 and m > 1 and bool((counts == 0).any()),
        "all samples of one class": n > 1 and m > 1 and int((counts > 0).sum()) == 1,
    }


def _masked_parts(masked: Mask) -> dict[str, bool]:
    n, m = masked.shape
    return {
        "a sample masked as a whole": m > 0 and bool(masked.all(axis=1).any()),
        "a class masked in every sample": n > 0 and bool(masked.all(axis=0).any()),
        "all but one class masked": m > 1 and bool((masked.sum(axis=1) == m - 1).any()),
    }


def _label_features(t: Vector, masked: Mask) -> dict[str, bool]:
    empty = (t == 0).all(axis=1)
    return {
        "a sample without labels": bool((empty & ~masked.all(axis=1)).any()),
        "no labels at all": len(t) > 0 and bool(empty.all()),
        "positive labels everywhere": len(t) > 0 and t.shape[1] > 1 and bool((t > 0).all()),
    }


def _depth_features(s: Vector, t: Vector) -> dict[str, bool]:
    """How far the best other class is above the weakest class that has a label, by sample."""
    depths = [d for row, labels in zip(s, t, strict=True) for d in _depths(row, labels)]
    ordered = np.sort(np.asarray(depths))[::-1]
    return {
        "a sample wrong by 30": bool((ordered >= FAR).any()),
        "a sample right by 30": bool((ordered <= -FAR).any()),
        "a sample right by 40": bool((ordered <= -GAP).any()),
        "one sample outweighs the others by 30": len(ordered) > 1
        and bool(ordered[0] - ordered[1] >= FAR),
        "trained: every sample right by 20": len(ordered) > 1 and bool((ordered <= -20).all()),
    }


def _depths(row: Vector, labels: Vector) -> list[float]:
    if not labels.any() or len(row) < 2:
        return []
    at = int(np.argmin(np.where(labels > 0, row, np.inf)))
    others = np.delete(row, at)
    return [float(others.max() - row[at])] if np.isfinite(others).any() else []


def _vector_features(s: Vector, v: Vector) -> dict[str, bool]:
    """Those of rows without the constant: of a grid it is one number a sample."""
    marks = vector_features(s, v)
    return {name: holds for name, holds in marks.items() if name != "v constant"}
