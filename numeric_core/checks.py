"""Input checks.  Every message repeats what was given, says what is expected, and the way out.

Shapes and dtypes are always checked.  Values are checked only where they can be read: not with
check=False, and not while JAX or torch traces (see namespace.read).
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from array_api_compat import is_dask_array, is_writeable_array

from numeric_core.namespace import (
    Array,
    Namespace,
    extremes,
    finfo_min,
    is_floating,
    known,
    namespace,
    read,
)

__all__ = [
    "MASK",
    "at_most",
    "at_most_labels",
    "axis_of",
    "class_index",
    "count",
    "distribution",
    "enough_unmasked",
    "exactly",
    "exponent",
    "finite_number",
    "floating",
    "grid",
    "grid_labels",
    "hard_labels",
    "label_range",
    "masked_positives_choice",
    "no_masked_positives",
    "no_masked_rows",
    "one_class",
    "output",
    "same_shape",
    "score_values",
    "share",
]

MASK = -1e7
"""Scores from here down are masked labels: the constant that GlobalPointer writes (9064 s12)."""


def floating(xp: Namespace, name: str, x: Array) -> None:
    """TypeError unless x is float16, bfloat16, float32 or float64."""
    if not is_floating(xp, x.dtype):
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64, got dtype {x.dtype}; "
            f"convert them, for example with xp.astype({name}, xp.float32)"
        )


def axis_of(x: Array, axis: int, name: str = "scores") -> int:
    """The axis counted from 0; ValueError if x, which the user knows by name, has none such."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"axis must be one integer, got {axis!r}")
    if x.ndim == 0:
        raise ValueError(f"{name} must have a label axis, got a 0-dimensional array")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis {axis} is out of range for {name} of shape {tuple(x.shape)}; "
            f"expected -{x.ndim} <= axis < {x.ndim}"
        )
    return int(axis % x.ndim)


def same_shape(name: str, x: Array, scores: Array) -> None:
    """ValueError unless x has the shape of the scores: labels are never broadcast."""
    if tuple(x.shape) != tuple(scores.shape):
        raise ValueError(
            f"{name} must have the shape of scores, {tuple(scores.shape)}, "
            f"got {tuple(x.shape)}; broadcast them first, for example with xp.broadcast_to"
        )


def output(out: Array, scores: Array) -> None:
    """TypeError or ValueError unless a result of the shape and dtype of scores fits into it."""
    namespace(scores=scores, out=out)
    if tuple(out.shape) != tuple(scores.shape) or out.dtype != scores.dtype:
        raise ValueError(
            f"out must have the shape and dtype of scores, {tuple(scores.shape)} and "
            f"{scores.dtype}, got {tuple(out.shape)} and {out.dtype}"
        )
    if is_dask_array(out) or not is_writeable_array(out):
        raise ValueError(
            f"out must be an array that can be written to, got one of {type(out).__name__} that "
            "is read-only; leave it out and take the gradient that is returned"
        )


def finite_number(name: str, value: Any, *, positive: bool = False, largest: float = 1e30) -> None:
    """TypeError or ValueError unless value is a finite number, > 0 where that is asked.

    largest: far below half an ulp of finfo(float32).max (1e31), so that a score minus a threshold
    cannot overflow.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value) or abs(value) > largest or (positive and value <= 0):
        sign = "positive and " if positive else ""
        raise ValueError(f"{name} must be {sign}finite (at most {largest:g}), got {value!r}")


def exponent(name: str, value: float, *, least: float) -> None:
    """TypeError or ValueError unless value is a number from `least` to 1000."""
    finite_number(name, value, largest=1e3)
    if value < least:
        raise ValueError(f"{name} must be at least {least:g}, got {value!r}")


def share(name: str, value: float, *, zero: bool = False) -> None:
    """TypeError or ValueError unless value lies in (0, 1), or is 0 where that is allowed."""
    finite_number(name, value)
    if not (0.0 < value < 1.0 or (zero and value == 0.0)):
        raise ValueError(f"{name} must lie in {'[' if zero else '('}0, 1), got {value!r}")


def masked_positives_choice(choice: str) -> None:
    """ValueError unless choice is one of the two ways to treat a masked positive label."""
    if choice not in ("error", "value"):
        raise ValueError(f'masked_positives must be "error" or "value", got {choice!r}')


def score_values(low: float | None, high: float | None) -> None:
    """ValueError for nan and +inf, given the least and the largest score."""
    if low is None or high is None:
        return
    if math.isnan(low) or math.isnan(high):
        raise ValueError("scores must not be nan, got at least one nan")
    if high == math.inf:
        raise ValueError(
            "scores must be finite or -inf (a masked label), got +inf; "
            "a label that is certain has a large finite score"
        )


def finite_vector(xp: Namespace, vector: Array) -> None:
    """ValueError unless all components of the vector are finite."""
    if known(xp.all(xp.isfinite(vector))) is False:
        raise ValueError("vector must be finite, got at least one nan or inf")


def label_range(xp: Namespace, labels: Array) -> None:
    """ValueError unless all labels lie in [0, 1]."""
    if 0 in labels.shape:
        return
    low, high = extremes(xp, labels)
    if low is None or high is None or (low >= 0.0 and high <= 1.0):
        return
    if math.isnan(low) or math.isnan(high):
        raise ValueError("labels must lie in [0, 1], got nan")
    raise ValueError(
        f"labels must lie in [0, 1], got values from {low!r} to {high!r}; are scores and labels "
        "in the right order? The scores come first"
    )


def hard_labels(xp: Namespace, labels: Array, loss: str, soft_loss: str) -> None:
    """ValueError unless all labels are 0 or 1: in [0, 1], and not between."""
    soft = (labels != 0) & (labels != 1)
    if known(xp.any(soft)) is not True:
        return
    label_range(xp, labels)
    example = read(xp.max(xp.where(soft, labels, xp.zeros_like(labels))))
    raise ValueError(
        f"labels of {loss} must be 0 or 1, got {example!r}; for labels between 0 and 1 use "
        f"{soft_loss}"
    )


def count(name: str, value: Any, *, least: int) -> None:
    """TypeError unless value is an integer (bool is none), ValueError if it is below `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")


def at_most_labels(name: str, value: int, n: int) -> None:
    """ValueError if more labels are asked for than there are."""
    if value > n:
        raise ValueError(f"{name} must lie in 0..{n} for {n} labels, got {value!r}")


def exactly(xp: Namespace, positives: Array, k: int) -> None:
    """ValueError unless every row has k positives."""
    if known(xp.all(positives == k)) is False:
        wrong = read(xp.max(xp.where(positives == k, xp.zeros_like(positives), positives)))
        raise ValueError(
            f"every row must have exactly k={k} positive labels, got a row with {int(wrong or 0)}; "
            "for rows with different numbers leave k out"
        )


def at_most(xp: Namespace, positives: Array, most: int) -> None:
    """ValueError if a row has more positives than the padded loss can fill up."""
    if known(xp.any(positives > most)) is True:
        raise ValueError(
            f"every row must have at most max_labels={most} positive labels, got a row with "
            f"{int(read(xp.max(positives)) or 0)}; raise max_labels, or leave it out for no limit"
        )


def enough_unmasked(xp: Namespace, masked: Array, k: int) -> None:
    """ValueError if a row has fewer than k unmasked scores."""
    unmasked = xp.sum(xp.astype(~masked, xp.int32), axis=-1)
    if known(xp.any(unmasked < k)) is True:
        raise ValueError(
            f"every row must have at least k unmasked scores, got k={k} and a row with "
            f"{int(xp.min(unmasked))} (a score of -inf, or at most max(-1e7, finfo.min), is a mask)"
        )


def mask_bound(xp: Namespace, dtype: Any) -> float:
    """Scores at or below this are masked: max(-1e7, finfo.min)."""
    return max(MASK, finfo_min(xp, dtype))


def no_masked_positives(xp: Namespace, masked: Array, labels: Array) -> None:
    """ValueError if a masked score carries a label > 0."""
    hit = masked & (labels > 0)
    if known(xp.any(hit)) is not True:
        return
    count = int(xp.sum(xp.astype(hit, xp.float32)))
    raise ValueError(
        f"{count} masked label{'s' if count > 1 else ''} (score -inf, or at most max(-1e7, "
        "finfo.min)) marked positive (label > 0): expected label 0 where a score is masked. "
        'Correct the labels, or pass masked_positives="value" for the true, huge or infinite, loss'
    )


def one_class(xp: Namespace, total: Array, loss: str) -> None:
    """ValueError unless every row of labels 0 and 1 has one 1."""
    if 0 not in total.shape and known(xp.all(total == 1)) is False:
        wrong = read(xp.max(xp.where(total == 1, xp.zeros_like(total), total)))
        raise ValueError(
            f"every row of labels of {loss} must have exactly one 1, got a row with "
            f"{int(wrong or 0)}; for several positives use unified or zlpr"
        )


def no_masked_rows(xp: Namespace, masked: Array, loss: str = "softmax") -> None:
    """ValueError if every class of a row is masked: the loss has no value there."""
    if known(xp.any(xp.all(masked, axis=-1))) is True:
        raise ValueError(
            f"{loss} needs an unmasked class in every row, got a row in which all scores are "
            "masked (-inf, or at most max(-1e7, finfo.min)); leave such rows out"
        )


def distribution(xp: Namespace, total: Array, tolerance: float) -> None:
    """ValueError unless every row of labels sums to 1 within the tolerance."""
    if 0 in total.shape:
        return
    low, high = read(xp.min(total)), read(xp.max(total))
    if low is None or high is None or (low >= 1.0 - tolerance and high <= 1.0 + tolerance):
        return
    worst = low if abs(low - 1.0) > abs(high - 1.0) else high
    raise ValueError(
        f"labels of softmax_cross_entropy must sum to 1 along the axis (within {tolerance:.1e}), "
        f"got a row that sums to {worst!r}; divide the labels by their sum, or, for labels that "
        "do not exclude each other, use soft_zlpr or binary_cross_entropy"
    )


def grid(x: Array, name: str = "scores") -> None:
    """ValueError unless x has a sample axis and a class axis."""
    if x.ndim < 2:
        raise ValueError(
            f"{name} of a grid loss must have the shape (*batch, n samples, m classes), got "
            f"{tuple(x.shape)}"
        )


def grid_labels(xp: Namespace, total: Array, tolerance: float) -> None:
    """ValueError unless every sample's labels sum to 1 within the tolerance, or are all 0."""
    if 0 in total.shape:
        return
    off = xp.where(total == 0, xp.zeros_like(total), total - 1.0)
    worst = read(xp.max(xp.abs(off)))
    if worst is None or worst <= tolerance:
        return
    low, high = read(xp.min(off)) or 0.0, read(xp.max(off)) or 0.0
    given = 1.0 + (low if -low > high else high)
    raise ValueError(
        f"the labels of every sample must sum to 1 over the classes (within {tolerance:.1e}), or "
        f"be all 0 (a masked sample), got a row that sums to {given!r}; divide the labels by their "
        "sum, or, for labels that do not exclude each other, use soft_zlpr"
    )


def class_index(xp: Namespace, index: Array, n: int) -> None:
    """ValueError unless all class indices lie in 0..n-1."""
    if 0 in index.shape:
        return
    bad = (index < 0) | (index >= n)
    if known(xp.any(bad)) is True:
        raise ValueError(
            f"a class index must lie in 0..{n - 1} for {n} classes, "
            f"got indices from {int(xp.min(index))} to {int(xp.max(index))}"
        )
