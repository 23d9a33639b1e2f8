"""Value and gradient as one program: what they share is found once, and changes neither."""

from __future__ import annotations

import re
from typing import Any

import array_api_strict
import mpmath
import numpy as np
import pytest
from differentiable import NAMES, rows
from rows import chosen, errors, worst

from derive.emit import compile_formula, emit
from derive.formulas import formula_of
from verify.accuracy import EMITTED_BOUND


class Joint:
    """Both results of one emitted function, and the product with the Hessian beside them."""

    name = "emitted numpy"

    def __init__(self, loss: str) -> None:
        self._both = compile_formula(formula_of(loss, "value_and_grad"))
        self._along = compile_formula(formula_of(loss, "hvp"))

    def value(self, scores: Any, labels: Any) -> Any:
        return self._both(scores, labels)[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        return self._both(scores, labels)[1]

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        return self._along(scores, labels, vector)


@pytest.mark.parametrize("loss", NAMES)
def test_against_the_oracle(loss: str) -> None:
    with np.errstate(all="ignore"):
        assert worst(errors(loss, Joint(loss), chosen(loss, every=43))) <= EMITTED_BOUND


@pytest.mark.parametrize("loss", NAMES)
def test_every_target_gives_both(loss: str) -> None:
    scores, labels = rows(loss)
    formula = formula_of(loss, "value_and_grad")
    value, gradient = compile_formula(formula)(scores, labels)
    assert value.shape == scores.shape[:1] and gradient.shape == scores.shape
    strict = compile_formula(formula, "array-api")(
        array_api_strict.asarray(scores), array_api_strict.asarray(labels)
    )
    # The file of NumPy takes these without a shift where it may.
    for ours, theirs in zip((value, gradient), strict, strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-14, atol=1e-15)
    one = compile_formula(formula, "mpmath")
    with mpmath.workdps(30):
        row = (mpmath.matrix(scores[0]).tolist(), mpmath.matrix(labels[0]).tolist())
        flat = [[x for (x,) in entry] for entry in row] if scores.ndim == 2 else list(row)
        true = one(*flat)
    np.testing.assert_allclose(value[0], float(true[0]), rtol=1e-13)
    np.testing.assert_allclose(gradient[0], np.array(true[1], dtype=float), rtol=1e-11, atol=1e-14)


def test_sums_and_exponentials_are_found_once() -> None:
    source = emit(formula_of("soft_zlpr", "value_and_grad"), "array-api")
    alone = emit(formula_of("soft_zlpr", "gradient"), "array-api")
    # One of the entries of each side, of its maximum, and of what log1p is brought back by.
    assert source.count("xp.sum(") == source.count("xp.max(") == alone.count("xp.max(") == 2
    assert len(re.findall(r"xp\.exp\(open_\d", source)) == 2
    assert source.count("xp.exp(-peak") == 2


def test_two_maxima_never_a_shared_one() -> None:
    """Under the maximum of both sides the smaller of the two would be lost, and its gradient."""
    both = compile_formula(formula_of("soft_zlpr", "value_and_grad"))
    _, gradient = both(np.array([[700.0, 700.0]]), np.array([[0.0, 1.0]]))
    np.testing.assert_array_equal(gradient[0], [1.0, -np.exp(-700.0)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["soft_zlpr", "zlpr", "unified"])
def test_room_for_exponents_stays_finite(loss: str, dtype: Any) -> None:
    """Scores around the 60 that exponents may have unshifted, in rows of a million."""
    both = compile_formula(formula_of(loss, "value_and_grad"))
    for score in (-1e4, -88, -61, -60, -59, 59, 60, 61, 88, 1e4):
        scores = np.full((1, 10**6), score, dtype)
        labels = np.zeros_like(scores)
        labels[0, ::2] = 1
        value, gradient = both(scores, labels)
        assert np.isfinite(value).all() and np.isfinite(gradient).all()
        assert np.abs(gradient).sum() <= 2 * (1 + 1e-3)


def test_latex_has_two_formulas() -> None:
    source = emit(formula_of("soft_zlpr", "value_and_grad"), "latex")
    assert r"\mathrm{value} &=" in source
    assert r"\mathrm{gradient}_{i} &=" in source
    assert source.count(" A &=") == 1
