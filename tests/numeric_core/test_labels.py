"""Smoothing, mixup and the labels of a teacher, against mpmath, in every array library."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, Backend, Exact, to_numpy, ulps
from mpmath import mpf

from numeric_core import binary_cross_entropy, labels, soft_zlpr, softmax_cross_entropy

LABEL_ULP = 4.0
LINKS = {
    "softmax": softmax_cross_entropy,
    "sigmoid": binary_cross_entropy,
    "soft_zlpr": soft_zlpr,
}
SEED = 9064


def drawn(shape: tuple[int, ...], dtype: Any) -> Any:
    rng = np.random.default_rng(SEED)
    t = rng.random(shape) ** 4
    t[..., 0] = 0.0
    t[..., 1] = 1.0
    return t.astype(dtype)


def worst(got: Any, exact: list[mpf], dtype: Any, flushes: bool = False) -> float:
    flat = np.asarray(to_numpy(got)).ravel()
    pairs = zip(flat, exact, strict=True)
    return max(ulps(g, Exact(e, abs(e)), dtype, flushes) for g, e in pairs)


# Smoothing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 0.1, 1.0])
def test_smoothing_is_as_exact_as_it_says(arrays: Arrays, epsilon: float) -> None:
    for dtype in arrays.dtypes:
        t = drawn((3, 7), dtype)
        with mpmath.workdps(40):
            eps = mpf(epsilon)
            among = [(1 - eps) * mpf(float(x)) + eps / 7 for x in t.ravel()]
            each = [(1 - eps) * mpf(float(x)) + eps / 2 for x in t.ravel()]
        got = labels.smooth(arrays(t), epsilon), labels.smooth_each(arrays(t), epsilon)
        assert all(to_numpy(x).dtype == dtype for x in got)
        assert worst(got[0], among, dtype) <= LABEL_ULP
        assert worst(got[1], each, dtype) <= LABEL_ULP


def test_a_smoothed_distribution_is_one_and_any_axis_will_do(arrays: Arrays) -> None:
    one_hot = arrays(np.eye(5, dtype=np.float32)[[0, 3, 4, 1]])
    smoothed = to_numpy(labels.smooth(one_hot, 0.2))
    np.testing.assert_allclose(smoothed.sum(axis=-1), 1.0, rtol=1e-6)
    assert smoothed[0, 0] == pytest.approx(0.84) and smoothed[0, 1] == pytest.approx(0.04)
    turned = labels.smooth(one_hot.T, 0.2, axis=0)
    np.testing.assert_array_equal(to_numpy(turned).T, smoothed)


def test_only_labels_that_are_kept_share_epsilon(arrays: Arrays) -> None:
    t = arrays(np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    kept = arrays(np.array([[True, True, False, False], [True, True, True, False]]))
    got = to_numpy(labels.smooth(t, 0.3, kept=kept))
    np.testing.assert_allclose(got, [[0.85, 0.15, 0, 0], [0.1, 0.8, 0.1, 0]], rtol=1e-6)
    each = to_numpy(labels.smooth_each(t, 0.3, kept=kept))
    np.testing.assert_allclose(each, [[0.85, 0.15, 0, 0], [0.15, 0.85, 0.15, 0]], rtol=1e-6)
    s = arrays(np.array([[1, 2, -math.inf, -math.inf], [0, 1, 2, -math.inf]], np.float32))
    assert np.isfinite(to_numpy(softmax_cross_entropy(s, labels.smooth(t, 0.3, kept=kept)))).all()
    none = arrays(np.zeros((1, 2), bool))
    nothing = labels.smooth(arrays(np.zeros((1, 2), np.float32)), 0.3, kept=none)
    assert not to_numpy(nothing).any()


@pytest.mark.parametrize("n", [2, 10, 10_000])
def test_the_best_scores_after_smoothing_are_where_the_derivations_say(n: int) -> None:
    epsilon, y = 0.1, np.eye(n)[0]
    gap = math.log1p(n * (1 - epsilon) / epsilon)
    _, slope = softmax_cross_entropy.value_and_grad(gap * y, labels.smooth(y, epsilon))
    assert np.abs(slope).max() < 1e-14
    best = math.log((2 - epsilon) / epsilon) * (y - 0.5)
    each = labels.smooth_each(y, epsilon)
    value, slope = soft_zlpr.value_and_grad(best, each)
    assert np.abs(slope).max() < 1e-14
    assert value == pytest.approx(2 * math.log1p(n * math.sqrt(epsilon * (2 - epsilon)) / 2))
    _, slope = binary_cross_entropy.value_and_grad(2 * best, each)
    assert np.abs(slope).max() < 1e-14


# Mixup ------------------------------------------------------------------------------------------


def test_mixup_is_as_exact_as_it_says(arrays: Arrays) -> None:
    partner = np.array([2, 0, 1])
    for dtype in arrays.dtypes:
        t = drawn((3, 2, 4), dtype)
        weights = np.array([0.25, 0.9, 1e-4], dtype)
        got = [labels.mixup(arrays(t), w, arrays(partner)) for w in (0.3, arrays(weights))]
        every: tuple[Any, ...] = ((0.3,) * 3, weights)
        for each, mixed in zip(every, got, strict=True):
            with mpmath.workdps(40):
                shares = [mpf(float(w)) for w in each]
                exact = [
                    shares[r] * mpf(float(t[r].flat[e])) + (1 - shares[r]) * mpf(float(o))
                    for r in range(3)
                    for e, o in enumerate(t[partner[r]].flat)
                ]
            assert worst(mixed, exact, dtype) <= LABEL_ULP


def test_mixing_labels_is_mixing_losses_but_for_soft_zlpr() -> None:
    rng = np.random.default_rng(SEED)
    s, partner = 3 * rng.normal(size=(6, 8)), np.roll(np.arange(6), 1)
    for loss, t in (
        (softmax_cross_entropy, rng.dirichlet(np.ones(8), 6)),
        (binary_cross_entropy, rng.random((6, 8))),
        (soft_zlpr, rng.random((6, 8))),
    ):
        of_mixed = loss(s, labels.mixup(t, 0.3, partner))
        mixed = 0.3 * loss(s, t) + 0.7 * loss(s, t[partner])
        if loss is soft_zlpr:
            assert (of_mixed > mixed + 1e-3).all()
        else:
            np.testing.assert_allclose(of_mixed, mixed, rtol=1e-13)


# The labels of a teacher ------------------------------------------------------------------------


def _exact_label(z: Any, temperature: float, link: str) -> list[mpf]:
    with mpmath.workdps(60):
        x = [mpf(float(a)) / mpf(temperature) for a in z]
        if link == "softmax":
            return [mpmath.exp(a) / mpmath.fsum(map(mpmath.exp, x)) for a in x]
        factor = 2 if link == "soft_zlpr" else 1
        return [1 / (1 + mpmath.exp(-factor * a)) for a in x]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("temperature", [0.05, 1.0, 3.0])
def test_labels_of_a_teacher(arrays: Arrays, link: str, temperature: float) -> None:
    rng = np.random.default_rng(SEED)
    for dtype in arrays.dtypes:
        z = (2 * rng.normal(size=(4, 5))).astype(dtype)
        got = to_numpy(labels.from_logits(arrays(z), temperature, link=link))
        assert got.dtype == dtype
        # jax has float32 alone here: the quotient by T is rounded there as it is in float64
        wide = dtype == np.float32 and arrays.backend is not Backend.JAX
        for row, mine in zip(z, got, strict=True):
            allowed = 4.0 if wide else 6.0 + 4.0 * np.ptp([*row, 0]) / temperature
            assert worst(mine, _exact_label(row, temperature, link), dtype, True) <= allowed


@pytest.mark.parametrize("link", LINKS)
def test_a_student_with_the_scores_of_its_teacher_has_learned_all(link: str) -> None:
    z = np.random.default_rng(SEED).normal(size=(3, 6))
    label = labels.from_logits(z, 2.5, link=link)
    _, slope = LINKS[link].value_and_grad(z / 2.5, label)
    assert np.abs(slope).max() < 1e-15


def test_a_mask_is_a_mask_at_every_temperature(arrays: Arrays) -> None:
    z = arrays(np.array([[2, -math.inf, -1e7, 0]], np.float32))
    for temperature in (1e-3, 1.0, 1e6):
        for link in LINKS:
            label = to_numpy(labels.from_logits(z, temperature, link=link))
            assert (label[0, 1:3] == 0).all()
            assert label[0, 0] >= label[0, 3] >= 0
    assert to_numpy(labels.from_logits(z, 1e6))[0, 0] == pytest.approx(0.5, abs=1e-5)
    halves = np.array([[-65504, 0, 0]], np.float16)
    np.testing.assert_array_equal(labels.from_logits(halves, 100.0), [[0, 0.5, 0.5]])


def test_extreme_temperatures_and_scores(arrays: Arrays) -> None:
    z = arrays(np.array([3e38, -9e6, 0, 3e38], np.float32))
    for temperature, link in ((1e-30, "softmax"), (1e30, "sigmoid"), (1e-30, "soft_zlpr")):
        label = to_numpy(labels.from_logits(z, temperature, link=link))
        assert np.isfinite(label).all()
    np.testing.assert_array_equal(to_numpy(labels.from_logits(z, 1e-30)), [0.5, 0, 0, 0.5])


def test_a_mask_and_a_score_further_apart_than_any_number(arrays: Arrays) -> None:
    for z in (arrays(np.array([3e38, -3e38, 0], np.float32)), np.array([1e308, -1e308, 0])):
        for temperature in (0.5, 1.0, 3.0):
            label = to_numpy(labels.from_logits(z, temperature))
            np.testing.assert_array_equal(label, [1, 0, 0])
            for link in ("sigmoid", "soft_zlpr"):
                label = to_numpy(labels.from_logits(z, temperature, link=link))
                np.testing.assert_array_equal(label, [1, 0, 0.5])


def test_half_precision_is_rounded_once() -> None:
    t = np.array([[1, 0, 0]], np.float16)
    assert labels.smooth(t, 0.1).dtype == np.float16
    np.testing.assert_array_equal(
        labels.smooth(t, 0.1), labels.smooth(t.astype(np.float64), 0.1).astype(np.float16)
    )
    assert labels.from_logits(t, 2.0).dtype == np.float16
    assert labels.mixup(t, 0.5, np.array([0])).dtype == np.float16


def test_no_labels(arrays: Arrays) -> None:
    empty = arrays(np.zeros((2, 0), np.float32))
    for got in (
        labels.smooth(empty, 0.1),
        labels.smooth_each(empty, 0.1),
        labels.mixup(empty, 0.1, arrays(np.array([1, 0]))),
        labels.from_logits(empty, 2.0, link="sigmoid"),
    ):
        assert tuple(got.shape) == (2, 0)


def test_labels_are_made_while_jax_traces() -> None:
    jax = pytest.importorskip("jax")
    z = jax.numpy.asarray([[1.0, -2.0, 0.5], [0.0, 1.0, 2.0]])
    plain = labels.from_logits(z, 2.0)
    np.testing.assert_allclose(jax.jit(lambda x: labels.from_logits(x, 2.0))(z), plain, rtol=1e-6)
    mixed = jax.jit(lambda t, w, p: labels.mixup(labels.smooth(t, 0.1), w, p))
    got = mixed(plain, jax.numpy.asarray([0.3, 0.3]), jax.numpy.asarray([1, 0]))
    want = labels.mixup(labels.smooth(plain, 0.1), 0.3, jax.numpy.asarray([1, 0]))
    np.testing.assert_allclose(got, want, rtol=1e-6)


# Bad input --------------------------------------------------------------------------------------

T = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]], np.float32)
PARTNER = np.array([1, 0])
NO_NUMBER: Any = "0.1"
WRONG = [
    (lambda a: labels.smooth(a(T.astype(np.int32)), 0.1), TypeError, "labels must be float16"),
    (lambda a: labels.smooth(a(T), 1.5), ValueError, r"epsilon must lie in \[0, 1\], got 1.5"),
    (lambda a: labels.smooth_each(a(T), -0.1), ValueError, r"epsilon must lie.*got -0.1"),
    (lambda a: labels.smooth(a(T), NO_NUMBER), TypeError, "epsilon must be a number, got '0.1'"),
    (lambda a: labels.smooth(a(2 * T), 0.1), ValueError, r"got values from 0.0 to 2.0"),
    (lambda a: labels.smooth(a(T), 0.1, axis=2), ValueError, "axis 2 is out of range for labels"),
    (lambda a: labels.smooth(a(T), 0.1, kept=a(T)), TypeError, "kept must be booleans"),
    (
        lambda a: labels.smooth(a(T), 0.1, kept=a(T[0] >= 0)),
        ValueError,
        r"kept must have the shape of labels, \(2, 3\), got \(3,\)",
    ),
    (lambda a: labels.smooth(a(T), 0.1, kept=a(T == 0)), ValueError, "a label > 0 is not kept"),
    (lambda a: labels.mixup(a(T), 0.5, a(T[:, 0])), TypeError, "partner must be integers"),
    (
        lambda a: labels.mixup(a(T), 0.5, a(PARTNER[:1])),
        ValueError,
        r"partner must have the shape \(2,\).*got \(1,\)",
    ),
    (lambda a: labels.mixup(a(T), 0.5, a(PARTNER + 1)), ValueError, r"partner must lie in 0..1"),
    (lambda a: labels.mixup(a(T), 2.0, a(PARTNER)), ValueError, r"weight must lie.*got 2.0"),
    (lambda a: labels.mixup(a(T), a(PARTNER), a(PARTNER)), TypeError, "weight must be a number"),
    (
        lambda a: labels.mixup(a(T), a(T[0]), a(PARTNER)),
        ValueError,
        r"weight must be one number or have the shape \(2,\).*got \(3,\)",
    ),
    (
        lambda a: labels.mixup(a(T), a(T[:, 0] - 1), a(PARTNER)),
        ValueError,
        r"weight must lie in \[0, 1\], got values from -1.0 to 0.0",
    ),
    (lambda a: labels.mixup(a(T[0, 0]), 0.5, a(PARTNER)), ValueError, "must have a sample axis"),
    (lambda a: labels.from_logits(a(T), 0.0), ValueError, "temperature must be positive"),
    (lambda a: labels.from_logits(a(T), link="tanh"), ValueError, "link must be one of.*'tanh'"),
    (lambda a: labels.from_logits(a(T * math.nan)), ValueError, "scores must not be nan"),
    (lambda a: labels.from_logits(a(T - math.inf)), ValueError, "needs an unmasked class"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_bad_input(arrays: Arrays, call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(arrays)
