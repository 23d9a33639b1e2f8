"""The pseudo-code of document 9064, section 9, line by line on NumPy, and what it computes."""

from __future__ import annotations

import numpy as np
from flint import arb

from verify.ledger.balls import Enclosure

EPSILON = 1e-7
# A mask of the document's GlobalPointer, and a confident positive.
MASKED, CONFIDENT = -1e7, 20.0


def printed_code(labels: np.ndarray, scores: np.ndarray, fixed: bool = False) -> np.ndarray:
    """As printed; ``fixed`` asks the labels as they were before the clip, as the text says."""
    clipped = np.clip(labels, EPSILON, 1 - EPSILON).astype(scores.dtype)
    asked = labels if fixed else clipped
    negative = -scores + np.log(clipped) - (asked < EPSILON) * 1e12
    positive = scores + np.log(1 - clipped) - (asked > 1 - EPSILON) * 1e12
    return _with_zero(negative) + _with_zero(positive)


def _with_zero(x: np.ndarray) -> np.ndarray:
    x = np.concatenate([np.zeros_like(x[..., :1]), x], axis=-1)
    top = x.max(axis=-1, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0]


def _value(label: float, score: float, fixed: bool) -> arb:
    return arb(float(printed_code(np.asarray([label]), np.asarray([score]), fixed)))


def masks_never_act() -> list[Enclosure]:
    """No clipped label is below epsilon: a masked negative costs 1e7."""
    where = "float64, t = 0, s = -1e7 (masked)"
    names = ("the printed code", "the cost of a masked label is 0; bound")
    return [Enclosure(where, _value(0.0, MASKED, False), ">", arb("9.9e6"), names)]


def confident_positive_costs() -> list[Enclosure]:
    """A clipped label 1 leaves ``eps e^s`` in the other sum."""
    truth = (arb(-20).exp()).log1p()
    where = f"float64, t = 1, s = 20, where eq. 39 is {truth.str(6, radius=False)}"
    names = ("the printed code", "bound")
    return [Enclosure(where, _value(1.0, CONFIDENT, False), ">", arb("3.8"), names)]


def original_labels_asked() -> list[Enclosure]:
    """With the labels before the clip both costs are gone."""
    masked, confident = _value(0.0, MASKED, True), _value(1.0, CONFIDENT, True)
    names = ("the corrected code", "bound")
    return [
        Enclosure("float64, t = 0, s = -1e7", masked, "<", arb("1e-9"), names),
        Enclosure("float64, t = 1, s = 20", confident, "<", arb("3e-9"), names),
    ]
