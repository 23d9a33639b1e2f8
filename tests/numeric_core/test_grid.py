"""Loss 1 solved: labels to scores, against mpmath and its own equations, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from core_reference import Arrays, to_numpy
from exact_grid import exact_minimum
from plain_grid import PlainGrid

import numeric_core as nc
from numeric_core import decoding, grid


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def soft_rows(seed: int, n: int, m: int, concentration: float = 1.0) -> Any:
    """Rows of a Dirichlet distribution, all positive."""
    rng = np.random.default_rng([seed, n, m])
    t = rng.dirichlet(np.full(m, concentration), n) + 1e-30
    return t / t.sum(axis=-1, keepdims=True)


def rare_class(n: int, m: int) -> Any:
    """Smoothed labels of one frequent class, and one sample of each other."""
    t = np.full((n, m), 0.1 / (m - 1))
    t[np.arange(n), np.maximum(np.arange(n) - n + m, 0)] = 0.9
    return t


def nearly_hard(n: int, m: int, rest: float) -> Any:
    t = np.full((n, m), rest)
    t[np.arange(n), np.arange(n) % m] = 1.0 - (m - 1) * rest
    return t


LABELS = {
    "one row": soft_rows(1, 1, 4),
    "one class": np.ones((5, 1)),
    "two classes": soft_rows(2, 7, 2),
    "soft": soft_rows(3, 20, 5),
    "equal rows": np.repeat(soft_rows(4, 1, 4), 30, axis=0),
    "spread": soft_rows(5, 12, 4, 0.02),
    "rare class": rare_class(40, 4),
    "smoothed": nearly_hard(12, 4, 0.025),
    "nearly hard": nearly_hard(9, 3, 1e-12),
    "nearer hard": nearly_hard(9, 3, 1e-300),
    "zeros": np.array([[0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]),
    "hard": np.eye(3)[[0, 1, 1, 2, 0]],
    "masked": np.array([[0.2, 0.3, 0.5], [0, 0, 0], [0.6, 0.4, 0]]),
}


@pytest.mark.parametrize("name", LABELS)
def test_the_minimum_against_mpmath(name: str) -> None:
    labels = LABELS[name]
    truth, found = exact_minimum(labels), grid.solve(labels)
    np.testing.assert_allclose(found.log_constants, [float(x) for x in truth.log_constants], 2e-14)
    np.testing.assert_allclose(found.minimum, float(truth.minimum), 2e-14)
    expected = [[-np.inf if x is None else float(x) for x in row] for row in truth.scores]
    np.testing.assert_allclose(found.scores, expected, rtol=2e-15, atol=1e-14)


def equations(labels: Any, found: grid.Minimum) -> tuple[Any, Any]:
    """How far t is from softmax(2 s + log D), and log D from the scores' own class sums."""
    scores, constants = found.scores, found.log_constants
    e = np.exp(scores)
    rest = (e.sum(axis=-1, keepdims=True) - e) / e
    own = np.log1p((labels * rest).sum(axis=-2))
    return softmax(2 * scores + constants[..., None, :]) - labels, own - constants


@pytest.mark.parametrize(("n", "m"), [(1, 3), (4, 2), (30, 6), (200, 20), (2000, 7)])
def test_9158_2_scores_and_labels_meet_at_the_minimum(n: int, m: int) -> None:
    labels = soft_rows(6, n, m)
    link, own = equations(labels, grid.solve(labels))
    assert np.max(np.abs(link)) < 1e-14
    assert np.max(np.abs(own)) < 1e-12


@pytest.mark.parametrize("name", LABELS)
def test_the_loss_sees_the_same_constants_and_no_slope(name: str) -> None:
    labels = LABELS[name]
    found = grid.solve(labels)
    own = grid.log_constants(found.scores, labels)
    np.testing.assert_allclose(own, found.log_constants, rtol=1e-13)
    value, gradient = nc.grid_truncated.value_and_grad(found.scores, labels)
    np.testing.assert_allclose(value, found.minimum, rtol=1e-13)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-14)
    decoded = nc.grid_truncated.probabilities(found.scores, log_constants=own)
    np.testing.assert_allclose(decoded, labels, rtol=1e-12)


def test_ten_thousand_samples_of_a_hundred_classes() -> None:
    labels = soft_rows(7, 10_000, 100)
    found = grid.solve(labels)
    # Each entry of K summed with twice the digits; the rest of the certificate is exact enough:
    # |z - z*| <= |residual|_2 / (least eigenvalue of H = I + Y K Y, here half of it).
    roots = np.sqrt(labels.astype(np.longdouble))
    k = np.array([[roots[:, j] @ roots[:, i] for i in range(100)] for j in range(100)])
    np.fill_diagonal(k, 1)
    y = np.exp(-found.log_constants.astype(np.longdouble) / 2)
    left = y * (k @ y) - 1
    curvature = np.linalg.eigvalsh((np.eye(100) + y[:, None] * k * y).astype(float))[0]
    assert np.linalg.norm(left.astype(float)) / (0.5 * curvature) < 1e-12
    raw = 0.5 * np.log(labels) - 0.5 * found.log_constants
    raw = raw - raw.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, raw, rtol=0, atol=1e-13)
    assert np.max(found.residual) < 1e-15


def test_two_classes_are_soft_zlpr_of_the_difference() -> None:
    labels = LABELS["two classes"]
    found = grid.solve(labels)
    off = np.sqrt(labels[:, 0] * labels[:, 1]).sum()
    np.testing.assert_allclose(found.log_constants, np.log1p([off, off]), rtol=1e-15)
    difference = found.scores[:, 0] - found.scores[:, 1]
    np.testing.assert_allclose(difference, 0.5 * np.log(labels[:, 0] / labels[:, 1]), atol=1e-15)


def test_a_label_of_zero_has_its_infimum_at_minus_infinity() -> None:
    labels = LABELS["zeros"]
    found, loss = grid.solve(labels), PlainGrid("truncated", labels)
    nearer = [loss.value(np.maximum(found.scores, floor)) for floor in (-5.0, -10.0, -20.0, -40.0)]
    assert nearer == sorted(nearer, reverse=True)
    assert nearer[0] > nearer[-1] + 1e-3
    assert nearer[-1] == pytest.approx(float(found.minimum), rel=1e-14)
    positive = 0.999999 * labels + 0.000001 / 4
    assert grid.solve(positive).minimum == pytest.approx(float(found.minimum), abs=0.02)


def test_hard_labels_have_nothing_left() -> None:
    found = grid.solve(LABELS["hard"])
    assert found.minimum == 0
    np.testing.assert_array_equal(found.log_constants, [0, 0, 0])
    np.testing.assert_array_equal(found.scores, np.where(LABELS["hard"] > 0, 0, -np.inf))


def test_a_masked_sample_does_not_count() -> None:
    labels = LABELS["masked"]
    found, without = grid.solve(labels), grid.solve(labels[[0, 2]])
    np.testing.assert_array_equal(found.log_constants, without.log_constants)
    np.testing.assert_array_equal(found.scores[[0, 2]], without.scores)
    np.testing.assert_array_equal(found.scores[1], [-np.inf] * 3)


def test_no_samples_have_a_minimum_of_zero() -> None:
    found = grid.solve(np.zeros((2, 0, 3)))
    assert found.scores.shape == (2, 0, 3)
    np.testing.assert_array_equal(found.minimum, [0, 0])
    back = grid.soft_labels(found.scores)
    assert back.labels.shape == (2, 0, 3)
    np.testing.assert_array_equal(back.log_constants, np.zeros((2, 3)))


def test_an_empty_batch_stays_empty() -> None:
    found = grid.solve(np.zeros((0, 4, 3)))
    assert (found.scores.shape, found.minimum.shape) == ((0, 4, 3), (0,))
    back = grid.soft_labels(found.scores)
    assert (back.labels.shape, back.log_constants.shape) == ((0, 4, 3), (0, 3))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_library_and_dtype(arrays: Arrays, dtype: str) -> None:
    if np.dtype(dtype) not in [np.dtype(d) for d in arrays.dtypes] and dtype == "float64":
        pytest.skip("this library has no float64 unless asked for at start")
    if dtype == "float16" and arrays.backend.name == "STRICT":
        pytest.skip("the standard has no float16")
    labels = soft_rows(8, 6, 4).astype(dtype)
    found = grid.solve(arrays(labels))
    truth = exact_minimum(labels)
    eps = np.finfo(dtype).eps
    assert found.scores.dtype == found.minimum.dtype == arrays(labels).dtype
    got = [to_numpy(x) for x in (found.scores, found.log_constants, found.minimum)]
    want = ([[float(x or 0) for x in row] for row in truth.scores], truth.log_constants)
    np.testing.assert_allclose(got[0], want[0], rtol=4 * eps, atol=4 * eps)
    np.testing.assert_allclose(got[1], [float(x) for x in want[1]], rtol=16 * eps)
    np.testing.assert_allclose(got[2], float(truth.minimum), rtol=16 * eps)
    back = grid.soft_labels(found.scores)
    assert back.labels.dtype == arrays(labels).dtype
    np.testing.assert_allclose(to_numpy(back.labels), labels, atol=64 * eps)


def test_a_batch_is_solved_as_each_grid_alone() -> None:
    labels = np.stack([LABELS["soft"], soft_rows(9, 20, 5), nearly_hard(20, 5, 1e-9)])
    together = grid.solve(labels.reshape(3, 1, 20, 5))
    assert together.residual.shape == together.minimum.shape == (3, 1)
    for place, one in enumerate(labels):
        alone = grid.solve(one)
        np.testing.assert_allclose(together.scores[place, 0], alone.scores, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(together.minimum[place, 0], alone.minimum, rtol=1e-14)
    back = grid.soft_labels(together.scores)
    np.testing.assert_allclose(back.labels[:, 0], labels, atol=1e-13)
    assert back.residual.shape == (3, 1)


FLIPPED = np.array([[0.40, 0.35, 0.25], [0.50, 0.01, 0.49]])


def test_the_largest_label_need_not_have_the_largest_score() -> None:
    found = grid.solve(FLIPPED)
    np.testing.assert_array_equal(FLIPPED.argmax(axis=1), [0, 0])
    np.testing.assert_array_equal(found.scores.argmax(axis=1), [1, 2])
    decoded = softmax(2 * found.scores + found.log_constants)
    np.testing.assert_allclose(decoded, FLIPPED, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in LABELS if name != "nearer hard"])
def test_there_and_back(name: str) -> None:
    labels = LABELS[name]
    found = grid.solve(labels)
    back = grid.soft_labels(found.scores, found.log_constants)
    np.testing.assert_allclose(back.labels, labels, atol=1e-12)
    np.testing.assert_allclose(back.log_constants, found.log_constants, atol=1e-12)


KINDS = np.array([[-8, 2, 0], [2, -8, 0], [0.75, 0.75, 0]])
THREE_WAYS = np.repeat(KINDS, [38, 38, 24], axis=0)
STARTS = {"first": (0, 0, 0), "middle": (2.8, 2.8, 4.6), "last": (1.2, 1.2, 6.2)}


FEWER = {
    "30 samples, 3 classes": (
        np.repeat([[2.023, -8, 0], [-8, 2.023, 0], [0.529, 0.529, 0]], [12, 12, 6], axis=0),
        ((1.632, 1.632, 3.163), (1.502, 1.502, 3.506), (1.423, 1.423, 3.684)),
    ),
    "23 samples, 7 classes": (
        np.repeat(
            np.concatenate(
                [
                    np.pad(10.204 * np.eye(6) - 8, ((0, 0), (0, 1))),
                    [[0.305] * 6 + [0]],
                ]
            ),
            [3] * 6 + [5],
            axis=0,
        ),
        ((*[1.494] * 6, 3.242), (*[1.340] * 6, 3.630), (*[1.173] * 6, 3.945)),
    ),
}


@pytest.mark.parametrize("name", FEWER)
def test_thirty_samples_or_fewer_may_have_three_labels(name: str) -> None:
    scores, starts = FEWER[name]
    found = [grid.soft_labels(scores, np.array(start)).log_constants for start in starts]
    for constants, start in zip(found, starts, strict=True):
        np.testing.assert_allclose(constants, start, atol=2e-3)
    assert len({round(float(x[-1]), 2) for x in found}) == 3


def test_scores_may_have_three_labels() -> None:
    found = [grid.soft_labels(THREE_WAYS, np.array(start)) for start in STARTS.values()]
    for one in found:
        assert one.residual < 1e-13
        # the labels found have these very scores
        again = grid.solve(one.labels)
        np.testing.assert_allclose(again.log_constants, one.log_constants, rtol=1e-11)
        expected = THREE_WAYS - THREE_WAYS.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(again.scores, expected, atol=1e-11)
    assert [round(float(one.labels[-1, 2]), 3) for one in found] == [0.056, 0.4, 0.945]
    assert [int(one.labels[0].argmax()) for one in found] == [1, 1, 2]


def test_the_signs_of_the_three_solutions_add_up_to_one() -> None:
    """M has rows that sum to 1, and sum sign det M = 1: the index of a map of a box into itself."""
    own = decoding.grid_of(np, THREE_WAYS)
    signs = []
    for start in STARTS.values():
        constants = grid.soft_labels(THREE_WAYS, np.array(start)).log_constants
        slope = decoding._slope(own, constants, decoding._weights(own, constants))
        np.testing.assert_allclose(slope.sum(axis=1), 1.0, rtol=1e-12)
        signs.append(float(np.sign(np.linalg.det(slope))))
    assert signs == [1.0, -1.0, 1.0]


def test_starts_go_with_their_grids() -> None:
    scores = np.stack([THREE_WAYS] * 3)
    together = grid.soft_labels(scores, np.array(list(STARTS.values())))
    for place, start in enumerate(STARTS.values()):
        alone = grid.soft_labels(THREE_WAYS, np.array(start))
        np.testing.assert_allclose(together.labels[place], alone.labels, atol=1e-13)


def test_two_classes_have_one_decoding_in_closed_form() -> None:
    scores = np.random.default_rng(10).normal(0, 3, (9, 2))
    back = grid.soft_labels(scores)
    constant = np.log1p((0.5 / np.cosh(scores[:, 0] - scores[:, 1])).sum())
    np.testing.assert_allclose(back.log_constants, [constant, constant], rtol=1e-14)
    np.testing.assert_allclose(back.labels, softmax(2 * scores), rtol=1e-13)


@pytest.mark.parametrize("copies", [1, 2, 50])
def test_equal_rows_have_one_decoding(copies: int) -> None:
    """1/D_j = 1 - c B_j, and sum_j c A_j / (1 - c B_j) = copies increases in c: by bisection."""
    scores = np.array([0.3, -1.2, 0.9, 0.0])
    e = np.exp(scores)
    own, cross = e**2, e * (e.sum() - e)
    low, high = 0.0, 1 / cross.max()
    for _ in range(200):
        c = 0.5 * (low + high)
        over = (c * own / (1 - c * cross)).sum() > copies
        low, high = (low, c) if over else (c, high)
    expected = -np.log1p(-c * cross)
    for start in (np.zeros(4), np.full(4, 5.0), np.array([0.0, 4.0, 0.0, 2.0])):
        back = grid.soft_labels(np.repeat(scores[None], copies, axis=0), start)
        np.testing.assert_allclose(back.log_constants, expected, rtol=1e-12)
        assert back.labels[0].argsort().tolist() == scores.argsort().tolist()


def test_random_scores_are_decoded() -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        n, m = int(np.exp(rng.uniform(0, 5))), int(rng.integers(2, 10))
        scores = rng.normal(0, rng.uniform(0.1, 8), (n, m))
        back = grid.soft_labels(scores)
        again = grid.solve(back.labels)
        np.testing.assert_allclose(again.log_constants, back.log_constants, atol=1e-9)


def test_huge_scores_and_masks_are_decoded() -> None:
    scores = np.array([[1e4, -1e4, 0], [3.0, -np.inf, 3.5], [-np.inf] * 3, [0.0, 1.0, -1e7]])
    back = grid.soft_labels(scores)
    np.testing.assert_array_equal(back.labels[0], [1, 0, 0])
    np.testing.assert_array_equal(back.labels[[1, 3], [1, 2]], [0, 0])
    np.testing.assert_array_equal(back.labels[2], [0, 0, 0])
    np.testing.assert_allclose(back.labels.sum(axis=1), [1, 1, 0, 1], rtol=1e-14)


def test_a_search_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "STEPS", 2)
    with pytest.raises(RuntimeError, match=r"no class constants were found from start=.*another"):
        grid.soft_labels(THREE_WAYS)


def test_nothing_found_on_the_host_claims_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    labels = torch.tensor(LABELS["soft"], requires_grad=True)
    found = grid.solve(labels)
    assert not found.scores.requires_grad and not found.minimum.requires_grad
    back = grid.soft_labels(found.scores.clone().requires_grad_())
    assert not back.labels.requires_grad


BAD_LABELS = {
    "integers": (np.eye(3, dtype=int), TypeError, "labels must be float16"),
    "a list": ([[0.5, 0.5]], TypeError, "labels must be an array"),
    "one axis": (np.array([0.5, 0.5]), ValueError, r"\(\*batch, samples, classes\).*got \(2,\)"),
    "no classes": (np.zeros((4, 0)), ValueError, r"at least one class, got \(4, 0\)"),
    "negative": (np.array([[1.5, -0.5]]), ValueError, r"\[0, 1\], got values from -0.5 to 1.5"),
    "nan": (np.array([[np.nan, 0.5]]), ValueError, "got nan"),
    "sum": (np.array([[0.5, 0.4]]), ValueError, r"sum to 1.*sums to 0\.9"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_are_none(name: str) -> None:
    labels, error, message = BAD_LABELS[name]
    with pytest.raises(error, match=message):
        grid.solve(labels)


BAD_SCORES = {
    "integers": (np.eye(3, dtype=int), None, TypeError, "scores must be float16"),
    "one axis": (np.array([0.5, 0.5]), None, ValueError, r"scores must have the shape \(\*batch"),
    "nan": (np.array([[np.nan, 0.5]]), None, ValueError, "scores must not be nan"),
    "inf": (np.array([[np.inf, 0.5]]), None, ValueError, r"got \+inf"),
    "start shape": (np.zeros((4, 3)), np.zeros(4), ValueError, r"shape \(3,\) .*got \(4,\)"),
    "start sign": (np.zeros((4, 2)), np.array([1.0, -1.0]), ValueError, r">= 0 .*\[1.0, -1.0\]"),
    "start nan": (np.zeros((4, 2)), np.array([1.0, np.nan]), ValueError, "must be finite"),
    "start list": (np.zeros((4, 2)), [0.0, 0.0], TypeError, "start must be an array"),
}


@pytest.mark.parametrize("name", BAD_SCORES)
def test_scores_that_cannot_be_decoded(name: str) -> None:
    scores, start, error, message = BAD_SCORES[name]
    with pytest.raises(error, match=message):
        grid.soft_labels(scores, start)


def test_unchecked_labels_are_taken_as_they_are() -> None:
    doubled = grid.solve(2 * LABELS["soft"], check=False)
    again = grid.solve(np.concatenate([LABELS["soft"]] * 2))
    np.testing.assert_allclose(doubled.log_constants, again.log_constants, rtol=1e-13)
