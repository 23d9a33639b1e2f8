"""Where no exponent is large: no shift, one exponential and its reciprocal, and the same values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from differentiable import rows

from derive.decide import Proved, equal
from derive.emit import compile_formula, emit
from derive.emit.forms import forms_of
from derive.emit.moderate import unshifted
from derive.formulas import formula_of
from derive.losses import LOSSES
from derive.nodes import plain

#: The losses whose sums all stand beside a 1.
MODERATE = ("zlpr", "soft_zlpr", "grid_pairwise", "grid_centered")
LIMIT = 60
SEED = 5


def branch(loss: str) -> ast.If:
    """The body for arrays without a large exponent."""
    tree = ast.parse(emit(formula_of(loss, "value_and_grad")))
    (found,) = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return found


def both(loss: str) -> Callable[..., Any]:
    return compile_formula(formula_of(loss, "value_and_grad"))


def careful(loss: str, scores: Any, labels: Any) -> Any:
    """The file for any namespace, which looks at no array."""
    return compile_formula(formula_of(loss, "value_and_grad"), "array-api")(scores, labels, xp=np)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_sums_beside_a_one_may_go_unshifted(loss: str) -> None:
    assert (f"<= {LIMIT}" in emit(formula_of(loss, "value_and_grad"))) == (loss in MODERATE)


@pytest.mark.parametrize("loss", ["zlpr", "soft_zlpr"])
def test_one_exponential_and_a_reciprocal_where_two_would_do(loss: str) -> None:
    inside = ast.unparse(branch(loss))
    assert inside.count("np.exp(") == 1
    assert "/ exp_1" in inside
    assert "np.max(" not in inside and "np.where(" not in inside


def test_no_reciprocal_where_one_sign_alone_occurs() -> None:
    inside = ast.unparse(branch("grid_pairwise"))
    assert inside.count("np.exp(") == 1 and "/ np.exp(" not in inside


@pytest.mark.parametrize("loss", MODERATE)
def test_the_unshifted_form_is_proved(loss: str) -> None:
    formula = formula_of(loss, "value_and_grad")
    for (form, _), result in zip(forms_of(formula), formula.results, strict=True):
        decision = equal(plain(unshifted(form)), result.expression, LOSSES[loss].facts)
        assert isinstance(decision, Proved), decision


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", MODERATE)
def test_both_bodies_agree(loss: str, dtype: Any) -> None:
    scores, labels = rows(loss)
    rng = np.random.default_rng(SEED)
    for size in (1e-3, 1.0, 8.0, 29.0):
        given = (size * rng.uniform(-1, 1, (40, *scores.shape[1:]))).astype(dtype)
        hard = np.broadcast_to(labels[:1], given.shape).astype(dtype)
        (value, gradient), (true, slope) = both(loss)(given, hard), careful(loss, given, hard)
        epsilon = np.finfo(dtype).eps
        np.testing.assert_allclose(value, true, rtol=8 * epsilon)
        scale = np.abs(slope).max(axis=-1, keepdims=True)
        assert (np.abs(gradient - slope) <= 8 * epsilon * scale).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("score", [-LIMIT, LIMIT])
@pytest.mark.parametrize("loss", ["zlpr", "soft_zlpr"])
def test_finite_at_the_limit(loss: str, score: float, dtype: Any) -> None:
    """A million terms of e^60 and their reciprocals are in the range of float32."""
    scores = np.full((1, 10**6), score, dtype)
    labels = np.zeros_like(scores)
    labels[0, ::2] = 1
    value, gradient = both(loss)(scores, labels)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    np.testing.assert_allclose(
        value, careful(loss, scores, labels)[0], rtol=4 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("one", [-np.inf, -61.0, 61.0, 1e4])
@pytest.mark.parametrize("loss", ["zlpr", "soft_zlpr"])
def test_one_large_entry_takes_the_careful_body(loss: str, one: float) -> None:
    scores, labels = rows(loss)
    scores[0, 1], labels[0, 1] = one, 0
    for ours, theirs in zip(both(loss)(scores, labels), careful(loss, scores, labels), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_no_rows_at_all() -> None:
    value, gradient = both("soft_zlpr")(np.empty((0, 3)), np.empty((0, 3)))
    assert value.shape == (0,) and gradient.shape == (0, 3)
