"""Grids in NumPy, block by block: digits, range, and the arithmetic of halves."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, Backend
from grid_reference import LOSSES, worst_ulps

from numeric_core import fine, fine_pairs, grid_blocks, halves, lanes, sweeps
from numeric_core.grids import checked

KINDS = pytest.mark.parametrize("kind", ("truncated", "mirrored", "centered"))
SIZE = (20, 13)


def grid(kind: str, dtype: Any, size: tuple[int, int] = SIZE) -> tuple[Any, Any, Any]:
    """Scores, labels and a vector; kind: of labels."""
    rng = np.random.default_rng(5)
    n, m = size
    s = rng.normal(size=size) * np.exp(rng.uniform(-2, 3, (n, 1)))
    t = {
        "soft": rng.dirichlet(np.ones(m), n),
        "sparse": rng.dirichlet(np.full(m, 0.05), n) + 1e-12,
        "hard": np.eye(m)[rng.integers(0, m, n)],
        "optimum": np.exp(2 * s - np.max(2 * s, axis=1, keepdims=True)),
    }[kind]
    t = t / t.sum(axis=1, keepdims=True)
    return s.astype(dtype), t.astype(dtype), rng.normal(size=size).astype(dtype)


def swept(kind: str, s: Any, t: Any, gradient: bool = True) -> Any:
    """By the sweeps alone."""
    rows = checked(s, t, True)
    return sweeps.swept(getattr(sweeps, kind), getattr(fine, kind), rows, gradient)


@KINDS
@pytest.mark.parametrize("labels", ("soft", "sparse", "hard", "optimum"))
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_within_four_ulp_and_by_sweeps(kind: str, labels: str, dtype: Any) -> None:
    one = grid(labels, dtype, (300, 1))[:2]
    assert not np.any(LOSSES[kind].value_and_grad(*one)[1])
    s, t, v = grid(labels, dtype)
    assert swept(kind, s, t) is not None and swept(kind, s, t, False) is not None
    value, gradient, _ = worst_ulps(kind, (s, t, v), Arrays(Backend.NUMPY))
    assert value <= 1.0
    assert gradient <= (1.0 if dtype == np.float32 else 4.0)


@KINDS
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_blocks_and_what_is_kept_do_not_matter(
    kind: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, t, _ = grid("soft", dtype, (150, 7))
    whole = swept(kind, s, t), swept(kind, s, t, False)
    monkeypatch.setattr(grid_blocks, "BLOCK", 200)
    monkeypatch.setattr(grid_blocks, "KEPT", 0)
    parts = swept(kind, s, t), swept(kind, s, t, False)
    tight = np.finfo(dtype).eps * 2
    for (a, g), (b, h) in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=4e-16)
        if g is not None:
            np.testing.assert_allclose(g, h, rtol=tight, atol=tight * 1e-3)


@KINDS
@pytest.mark.parametrize("gradient", (True, False))
def test_what_leaves_the_range_goes_the_other_way(kind: str, gradient: bool) -> None:
    s = np.zeros((20, 15))
    s[:, 0], s[:, 1] = 290.0, -290.0
    t = np.eye(15)[np.zeros(20, dtype=int)]
    t[0] = 0.0
    t[0, :2] = 1e-290, 1.0
    assert swept(kind, s, t, gradient) is None
    value, slope = LOSSES[kind].value_and_grad(s, t)
    assert np.isfinite(value) and np.all(np.isfinite(slope))


@pytest.mark.parametrize("kind", ("truncated", "mirrored"))
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("gap", (9.0, 14.0, 40.0))
def test_what_is_nearly_all_of_its_total(kind: str, dtype: Any, gap: float) -> None:
    """Own terms cancel against totals that hold hardly anything else, right labels and wrong."""
    s, t, v = grid("soft", dtype)
    s = s / 4
    s[::2, 3] += gap
    s[::3] -= 20.0
    t[:4] = np.eye(SIZE[1])[3]
    t[4:6] = np.eye(SIZE[1])[5]
    assert swept(kind, s, t) is not None
    worst = max(worst_ulps(kind, (s, t, v), Arrays(Backend.NUMPY))[:2])
    assert worst <= (1.0 if dtype == np.float32 else 4.0)


@pytest.mark.parametrize("kind", ("truncated", "mirrored"))
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_a_loss_of_almost_nothing_keeps_its_digits(kind: str, dtype: Any) -> None:
    s, _, v = grid("hard", dtype)
    at = np.arange(SIZE[0]) % SIZE[1]
    s[np.arange(SIZE[0]), at] = 60.0
    t = np.eye(SIZE[1], dtype=dtype)[at]
    assert (swept(kind, s, t) is None) == (dtype == np.float64)
    assert max(worst_ulps(kind, (s, t, v), Arrays(Backend.NUMPY))[:2]) <= 4.0


@KINDS
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_samples_and_classes_without_labels(kind: str, dtype: Any) -> None:
    s, t, v = grid("soft", dtype)
    t[3:7] = 0.0
    t[:, 2] = 0.0
    total = t.sum(axis=1, keepdims=True)
    t = t / np.where(total > 0, total, 1.0)
    assert swept(kind, s, t) is not None
    assert max(worst_ulps(kind, (s, t, v), Arrays(Backend.NUMPY))[:2]) <= 4.0
    assert not np.any(swept(kind, s, t)[1][3:7])


@KINDS
def test_the_order_of_bytes_does_not_matter(kind: str) -> None:
    s, t, _ = grid("soft", np.float64)
    value, gradient = swept(kind, s, t)
    turned = swept(kind, s.astype(">f8"), t.astype(">f8"))
    assert turned[0] == value and np.array_equal(turned[1], gradient)


@KINDS
def test_batches_are_grids_one_by_one(kind: str) -> None:
    s, t, _ = grid("soft", np.float32, (60, 15))
    batch = s.reshape(3, 20, 15), t.reshape(3, 20, 15)
    value, gradient = swept(kind, *batch)
    for i in range(3):
        one = swept(kind, batch[0][i], batch[1][i])
        assert value[i] == one[0] and np.array_equal(gradient[i], one[1])


@pytest.mark.parametrize("labels", ("soft", "hard"))
def test_pairs_of_classes_for_float32(labels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s, t, v = grid(labels, np.float32, (9, 6))
    monkeypatch.setattr(grid_blocks, "BLOCK", 24)
    for kept in (grid_blocks.KEPT, 0):
        monkeypatch.setattr(grid_blocks, "KEPT", kept)
        rows = checked(s, t, True)
        assert sweeps.swept(sweeps.pairwise, None, rows, True) is not None
        assert max(worst_ulps("pairwise", (s, t, v), Arrays(Backend.NUMPY))[:2]) <= 1.0
    far = s.copy()
    far[0, 0] = 160.0
    assert sweeps.swept(sweeps.pairwise, None, checked(far, t, True), True) is None
    doubles = checked(s.astype(np.float64), t.astype(np.float64), False)
    assert sweeps.swept(sweeps.pairwise, None, doubles, True) is None


@pytest.mark.parametrize("labels", ("soft", "hard"))
def test_pairs_of_classes_for_float64(labels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s, t, v = grid(labels, np.float64, (27, 11))
    rows = checked(s, t, True)
    few = sweeps.swept(sweeps.pairwise, fine_pairs.pairwise, rows, True)
    assert few is not None
    assert max(worst_ulps("pairwise", (s, t, v), Arrays(Backend.NUMPY))[:2]) <= 4.0
    monkeypatch.setattr(fine_pairs, "FEW", 0)
    whole = sweeps.swept(sweeps.pairwise, fine_pairs.pairwise, rows, True)
    assert whole is not None
    np.testing.assert_allclose(whole[0], few[0], rtol=4e-16)
    # 7.4 is what `GridPairwise` says of products of matrices
    assert max(worst_ulps("pairwise", (s, t, v), Arrays(Backend.NUMPY))[:2]) <= 7.4
    monkeypatch.setattr(grid_blocks, "BLOCK", 90)
    monkeypatch.setattr(fine_pairs, "PAIRS", 200)
    for kept in (grid_blocks.KEPT, 0):
        monkeypatch.setattr(grid_blocks, "KEPT", kept)
        value, gradient = sweeps.swept(sweeps.pairwise, fine_pairs.pairwise, rows, True) or (0, 0)
        np.testing.assert_allclose(value, whole[0], rtol=4e-16)
        np.testing.assert_allclose(gradient, whole[1], rtol=0, atol=1e-15 * np.max(whole[1]))
    only, none = sweeps.swept(sweeps.pairwise, fine_pairs.pairwise, rows, False) or (0, 0)
    assert none is None and only == value
    t[0], t[0, 1] = np.eye(11)[0], 1e-70
    rows = checked(s, t, True)
    assert sweeps.swept(sweeps.pairwise, fine_pairs.pairwise, rows, True) is None


def exact(x: float, low: float | None = None) -> Fraction:
    return Fraction(float(x)) + (0 if low is None else Fraction(float(low)))


def test_products_and_ratios_of_halves() -> None:
    rng = np.random.default_rng(0)
    x, y = np.exp(rng.normal(size=(2, 200)) * 20)
    low = y * 2.0**-54
    a, b = halves.halves(halves.Number(x, None)), halves.halves(halves.Number(y, low))
    times = halves.product(a, b)
    over = fine._ratio((x, 0.0 * x), (y, low))
    for i in range(200):
        p, q = exact(x[i]) * exact(y[i], low[i]), exact(x[i]) / exact(y[i], low[i])
        assert abs(exact(times.upper[i], times.lower[i]) / p - 1) < Fraction(1, 2**74)
        assert abs(exact(over.high[i], over.low[i]) / q - 1) < Fraction(1, 2**74)


@pytest.mark.parametrize("m", (1, 2, 9, 300))
def test_sums_of_others_of_every_size(m: int) -> None:
    x = np.exp(np.random.default_rng(1).normal(size=(12, m)) * 15)
    x[3], x[4, 1:] = 0.0, 0.0
    total = fine._total(x, x * 2.0**-30, np.empty_like(x))
    plain = lanes.others(x, np.empty_like(x), exact=True)
    rough = lanes.others(x, np.empty_like(x), exact=False)
    for i, j in np.ndindex(*x.shape):
        true = sum((exact(z) for k, z in enumerate(x[i]) if k != j), Fraction(0))
        of_all = sum(map(exact, x[i].tolist()), Fraction(0)) * (1 + Fraction(1, 2**30))
        assert abs(exact(total[0][i], total[1][i]) - of_all) <= of_all / 2**76
        assert abs(exact(plain[i, j]) - true) <= true * m / 2**52
        assert abs(exact(rough[i, j]) - true) <= true * m / 2**30


def test_sums_over_samples() -> None:
    x = np.exp(np.random.default_rng(2).normal(size=(1003, 4)) * 5)
    sums, total, plain = fine.ClassSum(), lanes.Total(), lanes.PlainTotal()
    for part in np.split(x, [500]):
        sums.add(part, *np.empty((2, *part.shape)))
        total.add(part.copy())
        plain.add(part)
    high, low = sums.pair()
    for j in range(4):
        true = sum(map(exact, x[:, j].tolist()), Fraction(0))
        assert high[j] == math.fsum(x[:, j])
        assert abs(exact(high[j], low[j]) - true) <= true / 2**90
        assert plain.rounded()[j] == pytest.approx(float(true), rel=1e-13, abs=0)
        assert total.rounded()[j] == pytest.approx(math.fsum(x[:, j]), rel=3e-16, abs=0)


def test_a_small_centered_value_has_all_digits() -> None:
    """The mean less a score of 200 is rounded by 1e-14, which its exponential would show."""
    s, t = np.zeros((256, 3)), np.zeros((256, 3))
    s[0], t[0, 0] = (-129.4042636023073, -111.72998588374033, -216.55812783052815), 1.0
    s[1], t[1, 2] = (-37.39924728112921, 23.527284861897336, 26.446186041577104), 1.0
    with mpmath.workdps(40):
        lead = [mpmath.fsum(map(mpmath.mpf, row)) / 3 for row in s[:2].tolist()]
        terms = (mpmath.exp(lead[0] - s[0, 0]), mpmath.exp(lead[1] - s[1, 2]))
        true = mpmath.fsum(map(mpmath.log1p, terms))
    value = swept("centered", s, t, False)[0]
    assert abs(float((mpmath.mpf(float(value)) - true) / true)) <= 2.0**-52
