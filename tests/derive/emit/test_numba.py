"""Emitted numba: compiled at the first call, and held against the oracle."""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from rows import chosen, errors, worst

from derive.emit import compile_formula
from derive.emit.numba import numba_source
from derive.formulas import formula_of
from verify.accuracy import EMITTED_BOUND

numba = pytest.importorskip("numba", reason="the extra 'fast' has numba")


@cache
def emitted(loss: str, quantity: str) -> Any:
    """The function of an emitted file."""
    formula = formula_of(loss, quantity)
    namespace: dict[str, Any] = {"__name__": f"emitted_{formula.name}"}
    exec(compile(numba_source(formula), f"<emitted {formula.name}>", "exec"), namespace)
    return namespace[formula.name]


class NumbaRoute:
    """The emitted files of a loss."""

    name = "emitted numba"

    def __init__(self, loss: str) -> None:
        self.loss = loss

    def value(self, scores: Any, labels: Any) -> Any:
        """The first of both results."""
        return emitted(self.loss, "value_and_grad")(scores, labels)[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        """The second of both results."""
        return emitted(self.loss, "value_and_grad")(scores, labels)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """The Hessian times the vector."""
        return emitted(self.loss, "hvp")(scores, labels, vector)


@pytest.mark.parametrize("loss", ["soft_zlpr", "softmax_cross_entropy", "max_hinge"])
def test_against_the_oracle(loss: str) -> None:
    samples = chosen(loss, every=23)
    assert worst(errors(loss, NumbaRoute(loss), samples)) <= EMITTED_BOUND


def test_masked_labels() -> None:
    samples = chosen("soft_zlpr", every=5, masked=True)
    assert worst(errors("soft_zlpr", NumbaRoute("soft_zlpr"), samples)) <= EMITTED_BOUND


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 200_000), (3, 40_000), (300, 500), (0, 3), (2, 3, 4)])
def test_the_number_of_threads_changes_no_bit(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(5)
    scores, labels = rng.normal(0, 9, shape).astype(dtype), rng.random(shape).astype(dtype)
    function, most = emitted("soft_zlpr", "value_and_grad"), numba.get_num_threads()
    seen = []
    for count in {1, most}:
        numba.set_num_threads(count)
        seen.append(function(scores, labels))
    numba.set_num_threads(most)
    for value, gradient in seen:
        assert (value.shape, gradient.shape) == (shape[:-1], shape)
        np.testing.assert_array_equal(value, seen[0][0])
        np.testing.assert_array_equal(gradient, seen[0][1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_rows_lose_nothing(dtype: str) -> None:
    """10^6 equal terms: their roundings all have one direction."""
    scores = np.full((1, 1_000_000), -0.7, dtype)
    value, _ = emitted("soft_zlpr", "value_and_grad")(scores, np.zeros_like(scores))
    true = np.log1p(1e6 * np.exp(np.float64(scores[0, 0])))
    assert abs(value[0] - true) <= np.finfo(dtype).eps * true


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logarithm_is_below_one_ulp(dtype: str) -> None:
    own = emitted("binary_cross_entropy", "value_and_grad").__globals__[f"log1p_{dtype}"]
    rng = np.random.default_rng(11)
    x = np.concatenate([rng.uniform(-0.99, 1, 500), 10.0 ** rng.uniform(-30, 30, 200)])
    for each in x.astype(dtype):
        with mpmath.workdps(40):
            true = mpmath.log1p(mpmath.mpf(float(each)))
            spacing = float(np.spacing(abs(each.dtype.type(true))))
            assert abs(mpmath.mpf(float(own(each))) - true) < spacing
    assert own(each.dtype.type(-1)) == -np.inf
    assert np.isnan(own(each.dtype.type(-2)))


@pytest.mark.parametrize("loss", ["combination_softmax", "grid_centered"])
def test_nests_equal_the_numpy_target(loss: str) -> None:
    rng = np.random.default_rng(8)
    scores, labels = rng.normal(0, 3, (2, 3, 4)), rng.integers(0, 2, (2, 3, 4)).astype(float)
    formula = formula_of(loss, "value_and_grad")
    expected = compile_formula(formula)(scores, labels)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        got = emitted(loss, "value_and_grad")(scores.astype(dtype), labels.astype(dtype))
        for one, other in zip(got, expected, strict=True):
            assert (one.dtype, one.shape) == (dtype, other.shape)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_grids_of_one_axis_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape \(\*batch, n, m\), got \[\(3,\), \(3,\)\]"):
        emitted("grid_centered", "value_and_grad")(np.zeros(3), np.zeros(3))


def test_what_is_given_and_what_is_expected() -> None:
    function = emitted("soft_zlpr", "value_and_grad")
    scores = np.zeros((2, 3), np.float32)
    with pytest.raises(TypeError, match=r"arrays of float32, or of float64, got .*float64"):
        function(scores, scores.astype(np.float64))
    with pytest.raises(ValueError, match=r"one shape \(\*batch, n\), got \[\(2, 3\), \(3,\)\]"):
        function(scores, scores[0])


def test_sums_of_exponentials_run_in_vectors() -> None:
    scores = np.zeros((2, 3), np.float32)
    emitted("soft_zlpr", "value_and_grad")(scores, scores)
    function = emitted("soft_zlpr", "value_and_grad").__globals__["pass_2_float32"]
    text = next(iter(function.inspect_asm().values()))
    if "ymm" not in text and "xmm" not in text:
        pytest.skip("not a processor of the x86 family")
    assert "mulps" in text or "fmadd213ps" in text or "fmadd132ps" in text
