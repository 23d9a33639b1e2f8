"""Emitted losses over subsets, held against the sum over every subset, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import array_api_strict
import mpmath
import numpy as np
import pytest

from derive.emit import compile_formula, emit
from derive.formulas import formula_of

SEED = 20263
N = 6
# Digits of the reference, and how many of them the mpmath target has to give.
DIGITS, AGREE = 60, 30
Row = Sequence[Any]
Terms = list[tuple[Any, Any]]


def subsets(n: int, sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every subset of these sizes."""
    for size in sizes:
        yield from combinations(range(n), size)


def terms_over(signs: int, weights: Row, scores: Row, sizes: Sequence[int], shift: Any) -> Terms:
    """For each subset the logs of ``prod w e^{+-s}`` and its indicator times the sign."""
    found = []
    for subset in subsets(len(scores), sizes):
        weight = mpmath.fprod(weights[a] for a in subset)
        exponent = mpmath.fsum(signs * scores[a] for a in subset) + shift(len(subset))
        counts = [signs * int(a in subset) for a in range(len(scores))]
        found.append((weight * mpmath.exp(exponent), counts))
    return found


def combination(scores: Row, labels: Row) -> list[Terms]:
    """One sum over the subsets of as many elements as there are positives."""
    k = int(mpmath.fsum(labels))
    return [terms_over(1, [1] * len(scores), scores, [k], lambda size: mpmath.mpf(0))]


def padded(scores: Row, labels: Row, max_labels: int | None, threshold: float) -> list[Terms]:
    """One sum over the subsets of at most K elements; what is missing has the threshold's score."""
    most = len(scores) if max_labels is None else max_labels
    sizes = range(min(most, len(scores)) + 1)
    return [terms_over(1, [1] * len(scores), scores, sizes, lambda size: (most - size) * threshold)]


def order_r(scores: Row, labels: Row, order: int) -> list[Terms]:
    """Two sums, over the subsets of at most r positives and of at most r negatives."""
    sizes, none = range(min(order, len(scores)) + 1), lambda size: mpmath.mpf(0)
    negative = [1 - label for label in labels]
    return [
        terms_over(-1, labels, scores, sizes, none),
        terms_over(1, negative, scores, sizes, none),
    ]


def linear(name: str, scores: Row, labels: Row, parameters: tuple[Any, ...]) -> tuple[Any, Row]:
    """What is taken away from the logs, and its gradient."""
    if name == "order_r":
        return mpmath.mpf(0), [mpmath.mpf(0)] * len(scores)
    value = mpmath.fsum(a * b for a, b in zip(scores, labels, strict=True))
    if name == "padded_combination_softmax":
        most = len(scores) if parameters[0] is None else parameters[0]
        value += (most - mpmath.fsum(labels)) * parameters[1]
    return value, labels


def truth(name: str, row: tuple[Row, Row, Row], parameters: tuple[Any, ...]) -> dict[str, Any]:
    """Value, gradient, Hessian-vector product and Hessian, by their sums over subsets."""
    scores, labels, vector = row
    n = len(scores)
    taken, slope = linear(name, scores, labels, parameters)
    value, gradient = -taken, [-part for part in slope]
    hessian = [[mpmath.mpf(0)] * n for _ in range(n)]
    for terms in SUMS[name](scores, labels, *parameters):
        whole = mpmath.fsum(weight for weight, _ in terms)
        share = [(weight / whole, counts) for weight, counts in terms]
        mean = [mpmath.fsum(p * c[a] for p, c in share) for a in range(n)]
        value += mpmath.log(whole)
        gradient = [g + m for g, m in zip(gradient, mean, strict=True)]
        for a in range(n):
            for b in range(n):
                both = mpmath.fsum(p * c[a] * c[b] for p, c in share)
                hessian[a][b] += both - mean[a] * mean[b]
    product = [mpmath.fsum(hessian[a][b] * vector[b] for b in range(n)) for a in range(n)]
    return {"value": value, "gradient": gradient, "hvp": product, "hessian": hessian}


SUMS: dict[str, Callable[..., list[Terms]]] = {
    "combination_softmax": combination,
    "padded_combination_softmax": padded,
    "order_r": order_r,
}
QUANTITIES = ("value", "gradient", "hvp", "hessian")
CASES = [
    ("combination_softmax", ()),
    ("padded_combination_softmax", (None, 0.0)),
    ("padded_combination_softmax", (4, 0.25)),
    ("padded_combination_softmax", (9, -0.5)),
    ("order_r", (2,)),
    ("order_r", (0,)),
    ("order_r", (1,)),
    ("order_r", (3,)),
    ("order_r", (9,)),
]
IDS = [f"{name}{parameters}" for name, parameters in CASES]


def batch(name: str, dtype: Any = np.float64) -> tuple[Any, Any, Any]:
    """Rows with 0, 1, 3, 4 and, where it may be, all labels; scores near and far apart."""
    rng = np.random.default_rng(SEED)
    labels = np.zeros((5, N))
    for row, count in enumerate((0, 1, 3, 4, N if name == "combination_softmax" else 2)):
        labels[row, rng.permutation(N)[:count]] = 1
    if name == "order_r":
        labels[1:3] = rng.uniform(0, 1, (2, N))
    scale = np.array([1.0, 3.0, 10.0, 1.0, 0.0])[:, None]
    scores, vector = rng.normal(size=(5, N)) * scale, rng.uniform(-1, 1, (5, N))
    return tuple(array.astype(dtype) for array in (scores, labels, vector))


def arguments(quantity: str, given: tuple[Any, Any, Any]) -> tuple[Any, ...]:
    """Scores, labels and, for a Hessian-vector product, the vector."""
    return given if quantity == "hvp" else given[:2]


def largest_log(scores: Row) -> float:
    """What no log of a coefficient exceeds: the scores of a subset, and the log of their number.

    Twice the length besides leaves room for the thresholds of the cases.
    """
    return float(mpmath.fsum(abs(x) for x in scores)) + 2 * len(scores)


def mpf_row(given: tuple[Any, Any, Any], row: int) -> tuple[Row, Row, Row]:
    """One row of a batch, exactly."""
    return tuple([mpmath.mpf(float(x)) for x in array[row]] for array in given)


def flat(values: Any) -> list[Any]:
    """Nested lists as one list."""
    return [x for value in values for x in flat(value)] if isinstance(values, list) else [values]


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_mpmath_is_the_sum_over_subsets(name: str, parameters: Any, quantity: str) -> None:
    given = batch(name)
    function = compile_formula(formula_of(name, quantity), "mpmath")
    with mpmath.workdps(DIGITS):
        for row in range(len(given[0])):
            exact = mpf_row(given, row)
            got = flat(function(*arguments(quantity, exact), *parameters))
            expected = flat(truth(name, exact, parameters)[quantity])
            for one, other in zip(got, expected, strict=True):
                assert abs(one - other) <= mpmath.mpf(10) ** -AGREE * max(1, abs(other))


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numpy_is_within_ulps_of_the_logs(
    name: str, parameters: Any, quantity: str, dtype: Any
) -> None:
    given = batch(name, dtype)
    function = compile_formula(formula_of(name, quantity))
    result = function(*arguments(quantity, given), *parameters)
    assert result.dtype == dtype
    with mpmath.workdps(DIGITS):
        for row in range(len(given[0])):
            exact = mpf_row(given, row)
            expected = np.array(flat(truth(name, exact, parameters)[quantity]), dtype=object)
            unit = np.finfo(dtype).eps * largest_log(exact[0])
            error = np.abs(np.array(result[row].tolist(), dtype=object).ravel() - expected)
            assert np.max(error) <= 4 * unit, (row, float(np.max(error) / unit))


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_array_api_is_the_same(name: str, parameters: Any, quantity: str) -> None:
    given = arguments(quantity, batch(name))
    formula = formula_of(name, quantity)
    strict = compile_formula(formula, "array-api")(
        *map(array_api_strict.asarray, given), *parameters
    )
    np.testing.assert_array_equal(np.asarray(strict), compile_formula(formula)(*given, *parameters))


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_torch_through_its_namespace(name: str, quantity: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is an optional test dependency")
    namespace = pytest.importorskip("array_api_compat.torch", reason="needs array-api-compat")
    given = arguments(quantity, batch(name))
    formula = formula_of(name, quantity)
    result = compile_formula(formula, "array-api")(*map(torch.asarray, given), xp=namespace)
    expected = compile_formula(formula)(*given)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("quantity", ["value", "gradient", "hvp"])
@pytest.mark.parametrize("size", [1e4, 300.0])
def test_no_overflow_and_no_nan(name: str, quantity: str, size: float) -> None:
    scores, labels, vector = batch(name)
    given = arguments(quantity, (scores * size, labels, vector))
    assert np.all(np.isfinite(compile_formula(formula_of(name, quantity))(*given)))


@pytest.mark.parametrize("name", SUMS)
def test_a_masked_label_without_weight_has_no_gradient(name: str) -> None:
    """A negative at minus infinity: the contract's mask."""
    scores, labels, _ = batch(name)
    scores, labels = scores[1:4], np.round(labels[1:4])
    scores[:, 0], labels[:, 0] = -1e30, 0
    gradient = compile_formula(formula_of(name, "gradient"))(scores, labels)
    assert np.all(gradient[:, 0] == 0)
    rest = compile_formula(formula_of(name, "gradient"))(scores[:, 1:], labels[:, 1:])
    np.testing.assert_allclose(gradient[:, 1:], rest, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", SUMS)
def test_the_text_says_how_and_how_well(name: str) -> None:
    source = emit(formula_of(name, "gradient"))
    assert "combination_softmax.elements" in source
    assert "largest log coefficient" in " ".join(source.split())
    assert "logaddexp" in source
    assert max(map(len, source.splitlines())) <= 100
