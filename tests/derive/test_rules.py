"""The table of stable rules: each proved, each measured, and each what the engine does."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

import mpmath
import numpy as np
import pytest
from sympy import Expr

from derive.calculus import free_indices
from derive.decide import Proved, equal
from derive.emit import Formula, compile_formula
from derive.facts import strictly_soft
from derive.nodes import plain
from derive.rules import RULES, Rule, i, m, rule, v, w, x
from derive.stable import stable_form

USED = [entry for entry in RULES if entry.used]
REJECTED = [entry for entry in RULES if not entry.used]
# Ulps. The rules are a few operations each; exp(x - m) adds the rounding of x - m, which is 0 or
# small at the points of the table.
GOOD = 8.0
BAD = 1e3


def identify(entry: Rule) -> str:
    """The test id of a rule."""
    return entry.name.replace(" ", "-")


def formula(expression: Expr, rewrite: bool) -> Formula:
    """The expression over x and w at the order 2, at i if it depends on i."""
    outputs = (i,) if free_indices(expression) else ()
    return Formula("side", expression, outputs, (x, w, v, m), {"m": 2}, rewrite=rewrite)


def evaluate(expression: Expr, point: Any, rewrite: bool = False) -> list[float]:
    """Float64, as the expression stands, or in stable form."""
    scores, weights = (np.array(row, dtype=np.float64) for row in point)
    with np.errstate(all="ignore"):
        result = compile_formula(formula(expression, rewrite))(scores, weights, scores)
    return [float(value) for value in np.ravel(result)]


def truth(expression: Expr, point: Any) -> list[Any]:
    """At so many digits that 1 + e^-|x| is not 1, up to where e^-|x| is below every float."""
    size = min(max(map(abs, point[0])), 2000)
    with mpmath.workdps(60 + int(size)):
        rows = [[mpmath.mpf(value) for value in row] for row in point]
        result = compile_formula(formula(expression, True), "mpmath")(*rows, rows[0])
        return result if isinstance(result, list) else [result]


def error(got: float, true: Any) -> float:
    """Ulps of the true value; infinite when a finite truth is missed by inf or nan."""
    expected = float(true)
    if not isfinite(got):
        return nan if not isfinite(expected) else float("inf")
    return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(float(np.spacing(abs(expected)))))


def worst(expression: Expr, reference: Expr, point: Any, rewrite: bool = False) -> float:
    """The largest error of one side at one point."""
    values = evaluate(expression, point, rewrite)
    return max(map(error, values, truth(reference, point)))


@pytest.mark.parametrize("entry", RULES, ids=identify)
def test_rule_is_an_identity(entry: Rule) -> None:
    decision = equal(entry.left, plain(entry.right), strictly_soft(w))
    assert isinstance(decision, Proved), decision


@pytest.mark.parametrize("entry", USED, ids=identify)
def test_engine_applies_the_rule(entry: Rule) -> None:
    assert stable_form(entry.left) == entry.right


@pytest.mark.parametrize("entry", USED, ids=identify)
def test_rule_gains_digits(entry: Rule) -> None:
    before = [worst(entry.left, entry.left, point) for point in entry.points]
    after = [worst(entry.right, entry.left, point) for point in entry.points]
    assert max(after) <= GOOD, after
    assert max(before) > BAD, before


@pytest.mark.parametrize("entry", REJECTED, ids=identify)
def test_rejected_rule_loses_digits(entry: Rule) -> None:
    assert entry.why
    rejected = [worst(entry.right, entry.left, point) for point in entry.points]
    used = [worst(entry.left, entry.left, point, rewrite=True) for point in entry.points]
    assert min(rejected) > BAD, rejected
    assert max(used) <= GOOD, used
    assert stable_form(entry.left) != entry.right


def test_names_are_unique_and_found() -> None:
    names = [entry.name for entry in RULES]
    assert len(names) == len(set(names))
    assert rule("log1p") is RULES[0]
    with pytest.raises(ValueError, match="no rule 'log2p': choose one of log1p"):
        rule("log2p")
