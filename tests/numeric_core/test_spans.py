"""Span scores against mpmath, their masks under the losses, and what is found, in every library."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, to_numpy
from mpmath import mpf

from numeric_core import labels, soft_zlpr, spans, zlpr

SEED = 8373
LENGTH, SIZE = 6, 8


def vectors(dtype: Any, length: int = LENGTH, batch: tuple[int, ...] = ()) -> tuple[Any, Any]:
    rng = np.random.default_rng(SEED)
    drawn = rng.normal(size=(2, *batch, length, SIZE)).astype(dtype)
    return drawn[0], drawn[1]


def exact(query: Any, key: Any, i: int, j: int, base: float | None, scaled: bool) -> mpf:
    """The score of the span (i, j), each pair turned as the definition has it."""
    result = mpf(0)
    for e in range(SIZE // 2):
        theta = mpf(0) if base is None else mpf(base) ** (mpf(-2 * e) / SIZE)
        a, b = (mpf(float(x)) for x in query[i, 2 * e : 2 * e + 2])
        c, d = (mpf(float(x)) for x in key[j, 2 * e : 2 * e + 2])
        first, last = i * theta, j * theta
        q = (
            a * mpmath.cos(first) - b * mpmath.sin(first),
            a * mpmath.sin(first) + b * mpmath.cos(first),
        )
        k = c * mpmath.cos(last) - d * mpmath.sin(last), c * mpmath.sin(last) + d * mpmath.cos(last)
        result += q[0] * k[0] + q[1] * k[1]
    return result / mpmath.sqrt(SIZE) if scaled else result


@pytest.mark.parametrize(("base", "scaled"), [(spans.BASE, True), (100.0, False), (None, False)])
def test_scores_are_as_exact_as_they_say(arrays: Arrays, base: Any, scaled: bool) -> None:
    for dtype in arrays.dtypes:
        query, key = vectors(dtype)
        got = to_numpy(spans.scores(arrays(query), arrays(key), base=base, scaled=scaled))
        assert got.shape == (LENGTH, LENGTH) and got.dtype == dtype
        eps = float(np.finfo(dtype).eps)
        with mpmath.workdps(40):
            for i in range(LENGTH):
                for j in range(LENGTH):
                    size = np.linalg.norm(query[i]) * np.linalg.norm(key[j])
                    bound = ((SIZE + 8) * eps + max(i, j) * 2.0**-51) * size
                    error = mpf(float(got[i, j])) - exact(query, key, i, j, base, scaled)
                    assert abs(error) <= bound


def test_far_positions_keep_their_angles_in_float32() -> None:
    length, last = 20_001, 20_000
    query, _ = vectors(np.float32, length)
    turned = spans._turned(np, query, spans.BASE)[last]
    with mpmath.workdps(40):
        for e in range(SIZE // 2):
            angle = last * mpf(spans.BASE) ** (mpf(-2 * e) / SIZE)
            a, b = (mpf(float(x)) for x in query[last, 2 * e : 2 * e + 2])
            want = a * mpmath.cos(angle) - b * mpmath.sin(angle)
            assert abs(mpf(float(turned[2 * e])) - want) < 4e-7 * float(abs(a) + abs(b))


def test_angles_of_float32_would_be_wrong_far_away() -> None:
    """Why the tables are made in float64 on the host, in JAX too."""
    theta = np.float32(spans.BASE) ** (-2 * np.arange(SIZE // 2, dtype=np.float32) / SIZE)
    coarse = np.cos(np.arange(100_001, dtype=np.float32)[:, None] * theta)
    cosine, _ = spans._tables(100_001, SIZE, spans.BASE)
    assert np.abs(coarse - cosine).max() > 1e-4


def test_the_score_depends_on_the_length_of_the_span_alone(arrays: Arrays) -> None:
    query, key = vectors(np.float32, 1)
    same = [arrays(np.repeat(x, 7, axis=0)) for x in (query, key)]
    s = to_numpy(spans.scores(*same))
    for offset in range(-6, 7):
        line = np.diagonal(s, offset)
        np.testing.assert_allclose(line, line[0], atol=2e-6)
    assert np.ptp(s[0]) > 0.1


def test_heads_are_a_part_of_the_batch(arrays: Arrays) -> None:
    query, key = vectors(np.float32, batch=(2, 3))
    s = to_numpy(spans.scores(arrays(query), arrays(key)))
    assert s.shape == (2, 3, LENGTH, LENGTH)
    one = to_numpy(spans.scores(arrays(query[1, 2]), arrays(key[1, 2])))
    np.testing.assert_allclose(s[1, 2], one, atol=1e-6)


# Masks ------------------------------------------------------------------------------------------


def test_masked_are_padding_and_spans_that_end_before_they_start(arrays: Arrays) -> None:
    s = arrays(np.zeros((2, 3, 4, 4), np.float32))
    lengths = arrays(np.array([2, 4]))
    open_ = np.isfinite(to_numpy(spans.mask(s, lengths)))
    assert (
        open_[0, 1].tolist()
        == [[True, True, False, False], [False, True, False, False]] + [[False] * 4] * 2
    )
    np.testing.assert_array_equal(open_[1, 0], np.triu(np.ones((4, 4), bool)))
    each = arrays(np.array([[0, 1, 2], [3, 4, 4]]))
    counts = np.isfinite(to_numpy(spans.mask(s, each))).sum(axis=(-1, -2))
    assert counts.tolist() == [[0, 1, 3], [6, 10, 10]]
    square = np.isfinite(to_numpy(spans.mask(s, lengths, ordered=False)))
    assert square.sum(axis=(-1, -2)).tolist() == [[4] * 3, [16] * 3]
    assert np.isfinite(to_numpy(spans.mask(s, ordered=False))).all()


def test_a_masked_span_has_no_part_in_value_and_gradient(arrays: Arrays) -> None:
    query, key = vectors(np.float32)
    s = spans.mask(spans.scores(arrays(query), arrays(key)), arrays(np.array(4)))
    t = np.zeros((LENGTH, LENGTH), np.float32)
    t[1, 3] = 1
    rows, marked = spans.flatten(s), spans.flatten(arrays(t))
    value, gradient = zlpr.value_and_grad(rows, marked)
    open_ = np.isfinite(to_numpy(s))
    short = [to_numpy(x)[open_] for x in (s, arrays(t))]
    alone, slope = zlpr.value_and_grad(*short)
    assert to_numpy(value) == pytest.approx(float(alone), rel=1e-6)
    found = to_numpy(spans.unflatten(gradient))
    np.testing.assert_allclose(found[open_], slope, rtol=2e-6)
    assert not found[~open_].any()
    kept = rows > -arrays.xp.inf
    soft = labels.smooth_each(marked, 0.1, kept=kept)
    assert np.isfinite(to_numpy(soft_zlpr.value_and_grad(rows, soft)[1])).all()


def test_a_finite_mask_of_1e12_drowns_what_it_is_subtracted_from() -> None:
    """As in printed code: in float32 the masked score is gone, in float16 every score is nan."""
    s = np.array([3.0, -2.0], np.float32)
    assert (s - np.float32(1e12) == -np.float32(1e12)).all()
    kept = np.ones(2, np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(s.astype(np.float16) - (1 - kept) * np.float16(1e12)).all()


def test_flatten_and_back(arrays: Arrays) -> None:
    x = arrays(np.arange(2 * 9, dtype=np.float32).reshape(2, 3, 3))
    assert tuple(spans.flatten(x).shape) == (2, 9)
    np.testing.assert_array_equal(to_numpy(spans.unflatten(spans.flatten(x))), to_numpy(x))
    empty = arrays(np.zeros((2, 0, 0), np.float32))
    assert tuple(spans.unflatten(spans.flatten(empty)).shape) == (2, 0, 0)


# What is found ----------------------------------------------------------------------------------


def test_decode_lists_batch_first_and_last(arrays: Arrays) -> None:
    s = np.full((2, 2, 3, 3), -1.0, np.float32)
    s[0, 1, 0, 2] = s[1, 0, 1, 1] = 0.5
    s[1, 1, 2, 0] = 9.0
    s[0, 0, 0, 0] = 0.0
    masked = spans.mask(arrays(s))
    assert spans.decode(masked).tolist() == [[0, 1, 0, 2], [1, 0, 1, 1]]
    assert spans.decode(masked, 0.6).shape == (0, 4)
    assert len(spans.decode(masked, -0.5)) == 3
    assert not len(spans.decode(spans.mask(arrays(s), arrays(np.array([0, 0])))))


def test_gradients_flow_through_scores_and_masks_in_torch() -> None:
    torch = pytest.importorskip("torch")
    query, key = (torch.tensor(x, dtype=torch.float64) for x in vectors(np.float64))
    query.requires_grad_(True)
    s = spans.mask(spans.scores(query, key), torch.tensor(4))
    marked = torch.zeros((LENGTH, LENGTH), dtype=torch.float64)
    marked[0, 2] = 1
    value, gradient = zlpr.value_and_grad(spans.flatten(s), spans.flatten(marked))
    open_ = torch.isfinite(s)
    s[open_].backward(spans.unflatten(gradient.detach())[open_])
    assert not query.grad[4:].any()
    step = 1e-6
    moved = query.detach().clone()
    moved[0, 3] += step
    after = zlpr(
        spans.flatten(spans.mask(spans.scores(moved, key), torch.tensor(4))), spans.flatten(marked)
    )
    assert float(after - value.detach()) / step == pytest.approx(float(query.grad[0, 3]), rel=1e-4)


def test_half_precision_and_jit() -> None:
    query, key = vectors(np.float16)
    s = spans.scores(query, key)
    wide = spans.scores(query.astype(np.float32), key.astype(np.float32))
    assert s.dtype == np.float16
    np.testing.assert_array_equal(s, wide.astype(np.float16))
    assert spans.mask(s).dtype == np.float16
    jax = pytest.importorskip("jax")
    both = [jax.numpy.asarray(x.astype(np.float32)) for x in (query, key)]

    def of(q: Any, k: Any, lengths: Any) -> Any:
        return spans.mask(spans.scores(q, k), lengths)

    given = (both[0], both[1], jax.numpy.asarray(3))
    got = jax.jit(of)(*given)
    np.testing.assert_allclose(got, of(*given), atol=1e-6)


# Bad input --------------------------------------------------------------------------------------

Q, K = vectors(np.float32)
S = np.zeros((2, 3, 3), np.float32)
WRONG = [
    (lambda a: spans.scores(a(Q.astype(np.int32)), a(K)), TypeError, "query must be float16"),
    (lambda a: spans.scores(a(Q), a(K[:, :4])), ValueError, r"agree, got \(6, 8\).*\(6, 4\)"),
    (lambda a: spans.scores(a(Q[0]), a(K[0])), ValueError, r"\(\*batch, length, d\).*got \(8,\)"),
    (
        lambda a: spans.scores(a(Q[:, :3]), a(K[:, :3])),
        ValueError,
        "d must be even, got 3; or pass base=None",
    ),
    (lambda a: spans.scores(a(Q), a(K), base=0.0), ValueError, "base must be positive"),
    (lambda a: spans.mask(a(Q)), ValueError, r"\(\*batch, length, length\), got \(6, 8\)"),
    (lambda a: spans.mask(a(S), a(S[:, 0, 0])), TypeError, "lengths must be integers"),
    (
        lambda a: spans.mask(a(S), a(np.array([1, 2, 3]))),
        ValueError,
        r"lengths must have the shape \(2,\).*got \(3,\)",
    ),
    (
        lambda a: spans.mask(a(S), a(np.array([1, 4]))),
        ValueError,
        r"lengths must lie in 0..3, got values from 1 to 4",
    ),
    (lambda a: spans.unflatten(a(Q)), ValueError, r"got \(6, 8\), whose last dimension is no squ"),
    (lambda a: spans.unflatten(a(Q[0, 0])), ValueError, r"got \(\), whose last dimension"),
    (lambda a: spans.decode(a(S), math.nan), ValueError, "threshold must be finite"),
    (lambda a: spans.decode(a(S > 0)), TypeError, "scores must be float16"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_bad_input(arrays: Arrays, call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(arrays)
