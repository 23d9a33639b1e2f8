"""lattice(I) against exact sums over (a, b), and against the losses that have a name."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import Arrays, to_numpy
from mpmath import mpf

import numeric_core as nc

BOUND = 1e-14
INDEX_SETS: dict[str, Callable[[int, int], bool]] = {
    "zlpr": lambda a, b: a <= 1 and b <= 1,
    "unified": lambda a, b: (a, b) in ((0, 0), (1, 1)),
    "combination": lambda a, b: a == b,
    "all": lambda a, b: True,
    "order 2": lambda a, b: a <= 2 and b <= 2,
    "holes": lambda a, b: (a, b) in ((0, 0), (2, 2), (0, 1)),
    "padded": lambda a, b: a - b <= 1,
}


def elementary(x: list[mpf]) -> list[mpf]:
    e = [mpf(1)] + [mpf(0)] * len(x)
    for value in x:
        for j in range(len(x), 0, -1):
            e[j] += value * e[j - 1]
    return e


def exact(s: Any, t: Any, inside: Callable[[int, int], bool]) -> tuple[mpf, list[mpf], list[mpf]]:
    """The loss and both sides of each gradient component."""
    n = len(s)
    v = [(1 - mpf(float(b))) * mpmath.exp(mpf(float(a))) for a, b in zip(s, t, strict=True)]
    w = [mpf(float(b)) * mpmath.exp(-mpf(float(a))) for a, b in zip(s, t, strict=True)]
    pairs = [(a, b) for a in range(n + 1) for b in range(n + 1) if inside(a, b)]
    ev, ew = elementary(v), elementary(w)
    total = mpmath.fsum(ev[a] * ew[b] for a, b in pairs)
    q, p = [], []
    for i in range(n):
        less_v, less_w = ([*elementary(x[:i] + x[i + 1 :]), mpf(0)] for x in (v, w))
        q.append(v[i] * mpmath.fsum(less_v[a - 1] * ew[b] for a, b in pairs if a) / total)
        p.append(w[i] * mpmath.fsum(ev[a] * less_w[b - 1] for a, b in pairs if b) / total)
    return mpmath.log(total), q, p


def rows(kind: str, scale: float) -> tuple[Any, Any]:
    rng = np.random.default_rng(17)
    s = rng.normal(size=(4, 5)) * scale
    t = (rng.random((4, 5)) < 0.4).astype(float) if kind == "hard" else rng.random((4, 5))
    return s, t


@pytest.mark.parametrize("name", INDEX_SETS)
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("scale", [0.1, 3.0, 20.0])
def test_any_index_set(name: str, kind: str, scale: float) -> None:
    s, t = rows(kind, scale)
    values, gradients = nc.lattice(INDEX_SETS[name]).value_and_grad(s, t)
    with mpmath.workdps(120):
        for row in range(4):
            true, q, p = exact(s[row], t[row], INDEX_SETS[name])
            assert abs(mpf(float(values[row])) - true) <= BOUND * abs(true)
            for got, up, down in zip(gradients[row], q, p, strict=True):
                assert abs(mpf(float(got)) - (up - down)) <= BOUND * max(up, down)


@pytest.mark.parametrize("name", INDEX_SETS)
def test_far_scores_are_summed_order_by_order(name: str) -> None:
    s, t = rows("soft", 1500.0)
    values, gradients = nc.lattice(INDEX_SETS[name]).value_and_grad(s, t)
    with mpmath.workdps(60):  # nothing cancels: the exponents of mpmath have no bounds
        for row in range(4):
            true, q, p = exact(s[row], t[row], INDEX_SETS[name])
            largest = mpf(float(np.max(np.abs(s[row])))) * 5
            assert abs(mpf(float(values[row])) - true) <= BOUND * max(abs(true), largest)
            for got, up, down in zip(gradients[row], q, p, strict=True):
                size = max(up, down, mpf("1e-300"))
                assert abs(mpf(float(got)) - (up - down)) <= BOUND * largest * size


NAMED = [
    ("zlpr", nc.soft_zlpr, "soft"),
    ("zlpr", nc.zlpr, "hard"),
    ("unified", nc.unified, "soft"),
    ("combination", nc.combination_softmax, "hard"),
    ("all", nc.binary_cross_entropy, "hard"),
    ("order 2", nc.order_r, "soft"),
]


@pytest.mark.parametrize(("name", "loss", "kind"), NAMED, ids=lambda x: str(x))
def test_named_losses_are_lattice_losses(name: str, loss: Any, kind: str) -> None:
    s, t = rows(kind, 5.0)
    v = np.random.default_rng(3).normal(size=s.shape)
    general = nc.lattice(INDEX_SETS[name])
    for got, expected in zip(general.value_and_grad(s, t), loss.value_and_grad(s, t), strict=True):
        assert np.allclose(got, expected, rtol=2e-14, atol=1e-15)
    assert np.allclose(general.hvp(s, t, v), loss.hvp(s, t, v), rtol=1e-12, atol=1e-14)
    assert np.allclose(general.hessian(s, t), loss.hessian(s, t), rtol=1e-12, atol=1e-14)


def test_hvp_is_the_derivative_of_the_gradient_far_out_too() -> None:
    s, t = rows("soft", 400.0)
    s[:, 1] = s[:, 0] + 0.3
    u = np.random.default_rng(4).normal(size=s.shape)
    loss, h = nc.lattice(INDEX_SETS["padded"]), 1e-4
    quotient = (loss.value_and_grad(s + h * u, t)[1] - loss.value_and_grad(s - h * u, t)[1]) / 2 / h
    assert np.allclose(loss.hvp(s, t, u), quotient, atol=1e-6)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_smaller_set_has_a_smaller_loss(kind: str) -> None:
    s, t = rows(kind, 4.0)
    chain = ["unified", "zlpr", "order 2", "all"]
    values = [nc.lattice(INDEX_SETS[name])(s, t) for name in chain]
    for smaller, larger in itertools.pairwise(values):
        assert np.all(smaller <= larger)


@pytest.mark.parametrize("name", ["zlpr", "unified", "combination", "order 2", "all"])
def test_symmetric_sets_are_stationary_at_sigma_of_2s(name: str) -> None:
    t = rows("soft", 1.0)[1]
    s = 0.5 * np.log(t / (1 - t))
    gradient = nc.lattice(INDEX_SETS[name]).value_and_grad(s, t)[1]
    assert np.max(np.abs(gradient)) <= 1e-15


def test_in_every_library(arrays: Arrays) -> None:
    s, t = rows("soft", 3.0)
    expected = nc.lattice(INDEX_SETS["padded"]).value_and_grad(s, t)
    for dtype in arrays.dtypes:
        ours = (arrays(x.astype(dtype)) for x in (s, t))
        got = nc.lattice(INDEX_SETS["padded"]).value_and_grad(*ours)
        for a, b in zip(got, expected, strict=True):
            assert np.allclose(to_numpy(a), b, rtol=100 * np.finfo(dtype).eps, atol=1e-6)


def test_a_predicate_and_its_pairs_are_one_set() -> None:
    s, t = rows("hard", 2.0)
    pairs = [(a, b) for a in range(6) for b in range(6) if a == b]
    assert np.array_equal(nc.lattice(pairs)(s, t), nc.lattice(INDEX_SETS["combination"])(s, t))


def test_no_pair_in_reach_is_an_empty_sum() -> None:
    assert nc.lattice([(3, 3)])(np.zeros((1, 4)), np.array([[1.0, 0, 0, 0]])) == -np.inf


@pytest.mark.parametrize(
    ("index_set", "error", "message"),
    [
        ([], TypeError, "not empty, got frozenset"),
        ([(0, -1)], ValueError, "b must be at least 0, got -1"),
        ([(0.5, 0)], TypeError, r"a must be an integer, got 0\.5"),
        ([(0, 0, 0)], TypeError, r"pairs \(a, b\), got \(0, 0, 0\)"),
    ],
)
def test_bad_index_sets(index_set: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        nc.lattice(index_set)


def test_a_grid_that_is_too_large() -> None:
    s = np.zeros((1, 2000))
    with pytest.raises(ValueError, match=r"at most 1048576 pairs, got 4004001"):
        nc.lattice(lambda a, b: a == b)(s, s)
