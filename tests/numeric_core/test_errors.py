"""Bad input: each message repeats what was given and says what is expected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_reference import LOSSES, Arrays, Backend

import numeric_core as nc

S = np.array([[0.5, -1.0, 2.0]], np.float32)
T = np.array([[1.0, 0.0, 0.0]], np.float32)
ALL = pytest.mark.parametrize("loss", [x for _, x, _ in LOSSES], ids=str)


@ALL
@pytest.mark.parametrize(
    ("scores", "labels", "keywords", "error", "message"),
    [
        (S.astype(np.int32), T, {}, TypeError, r"scores must be float16.*got dtype.*int32"),
        (
            S,
            T[:, :2],
            {},
            ValueError,
            r"labels must have the shape of scores, \(1, 3\), got \(1, 2\)",
        ),
        (S, T[0], {}, ValueError, r"labels must have the shape of scores, \(1, 3\), got \(3,\)"),
        (S[0, 0], T[0, 0], {}, ValueError, "must have a label axis, got a 0-dimensional array"),
        (
            S,
            T,
            {"axis": 2},
            ValueError,
            r"axis 2 is out of range.*\(1, 3\); expected -2 <= axis < 2",
        ),
        (S, T, {"axis": -3}, ValueError, "axis -3 is out of range"),
        (S, T, {"axis": 1.0}, TypeError, "axis must be one integer, got 1.0"),
        (S * math.nan, T, {}, ValueError, "scores must not be nan"),
        (np.array([[0.5, math.inf, 0]], np.float32), T, {}, ValueError, r"or -inf.*got \+inf"),
        (S, T * math.nan, {}, ValueError, r"labels must lie in \[0, 1\], got nan"),
        (
            S,
            T * 2,
            {},
            ValueError,
            r"labels must lie in \[0, 1\], got values from 0.0 to 2.0.*order",
        ),
        (S, -T, {}, ValueError, r"got values from -1.0 to -?0.0"),
        (S, T, {"masked_positives": "drop"}, ValueError, '"error" or "value", got \'drop\''),
    ],
)
def test_scores_and_labels(
    arrays: Arrays, loss: Any, scores: Any, labels: Any, keywords: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        loss(arrays(scores), arrays(labels), **keywords)
    with pytest.raises(error, match=message):
        loss.value_and_grad(arrays(scores), arrays(labels), **keywords)
    with pytest.raises(error, match=message):
        loss.hvp(arrays(scores), arrays(labels), arrays(S), **keywords)
    with pytest.raises(error, match=message):
        loss.hessian(arrays(scores), arrays(labels), **keywords)


@ALL
def test_vector(arrays: Arrays, loss: Any) -> None:
    s, t = arrays(S), arrays(T)
    with pytest.raises(ValueError, match=r"vector must have the shape of scores.*got \(1, 2\)"):
        loss.hvp(s, t, arrays(S[:, :2]))
    with pytest.raises(ValueError, match="vector must be finite"):
        loss.hvp(s, t, arrays(S * math.nan))
    with pytest.raises(TypeError, match=r"vector must be float16.*int32"):
        loss.hvp(s, t, arrays(S.astype(np.int32)))


@ALL
def test_no_arrays_and_mixed_libraries(arrays: Arrays, loss: Any) -> None:
    with pytest.raises(TypeError, match=r"labels must be an array.*got list"):
        loss(arrays(S), T.tolist())
    with pytest.raises(TypeError, match=r"scores must be an array.*got list"):
        loss(S.tolist(), arrays(T))
    # JAX takes NumPy arrays as its own
    if arrays.backend in (Backend.STRICT, Backend.TORCH):
        with pytest.raises(TypeError, match="scores and labels must come from one array library"):
            loss(arrays(S), T)


@ALL
def test_complex_labels(loss: Any) -> None:
    with pytest.raises(TypeError, match="labels must be real numbers or bool, got dtype complex64"):
        loss(S, T.astype(np.complex64))


def test_zlpr_wants_hard_labels(arrays: Arrays) -> None:
    with pytest.raises(ValueError, match=r"labels of zlpr must be 0 or 1, got 0.25.*use soft_zlpr"):
        nc.zlpr(arrays(S), arrays(np.array([[1, 0.25, 0]], np.float32)))


def test_softmax_wants_a_distribution(arrays: Arrays) -> None:
    t = arrays(np.array([[1, 0.5, 0]], np.float32))
    with pytest.raises(ValueError, match=r"must sum to 1.*sums to 1.5; divide the labels"):
        nc.softmax_cross_entropy(arrays(S), t)


def test_softmax_class_index(arrays: Arrays) -> None:
    with pytest.raises(
        ValueError, match=r"must lie in 0..2 for 3 classes, got indices from 3 to 3"
    ):
        nc.softmax_cross_entropy(arrays(S), arrays(np.array([3])))
    with pytest.raises(ValueError, match=r"without the label axis, \(1,\), got \(2,\)"):
        nc.softmax_cross_entropy(arrays(S), arrays(np.array([1, 1])))


def test_softmax_wants_a_class(arrays: Arrays) -> None:
    empty = arrays(np.zeros((2, 0), np.float32))
    with pytest.raises(ValueError, match=r"needs at least one class, got scores of shape \(2, 0\)"):
        nc.softmax_cross_entropy(empty, empty)
    s = arrays(np.full((1, 3), -math.inf, np.float32))
    with pytest.raises(ValueError, match="needs an unmasked class in every row"):
        nc.softmax_cross_entropy(s, arrays(T), masked_positives="value")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nc.Unified(scale=0.0), ValueError, "scale must be positive and finite.*got 0.0"),
        (lambda: nc.Unified(scale=-1.0), ValueError, "scale must be positive.*got -1.0"),
        (lambda: nc.Unified(scale=math.inf), ValueError, "scale must be positive.*got inf"),
        (lambda: nc.Unified(margin=math.nan), ValueError, "margin must be finite.*got nan"),
        (lambda: nc.Unified(margin="1"), TypeError, "margin must be a number, got '1'"),
        (lambda: nc.ZLPR(threshold=math.inf), ValueError, "threshold must be finite.*got inf"),
        (lambda: nc.ZLPR(threshold=None), TypeError, "threshold must be a number, got None"),
        (lambda: nc.unified.probabilities(S), ValueError, "needs threshold=c.*got None"),
        (lambda: nc.unified.predict(S), ValueError, "either k= or threshold=, got k=None"),
        (lambda: nc.unified.predict(S, k=1, threshold=0.0), ValueError, "got k=1, threshold=0.0"),
        (lambda: nc.unified.predict(S, k=4), ValueError, r"integer in 0..3 for 3 labels, got 4"),
        (lambda: nc.zlpr.probabilities(S * math.nan), ValueError, "scores must not be nan"),
        (lambda: nc.zlpr.predict(S.astype(int)), TypeError, "scores must be float16"),
    ],
)
def test_parameters(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
