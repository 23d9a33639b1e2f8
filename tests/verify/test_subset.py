"""The distribution over k-subsets: its table, the map of Newton's recursion, and the draws."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest
from flint import arb, ctx

from numeric_core import subset
from verify import draws
from verify import subset as measured
from verify.accuracy import relative_errors
from verify.draws import chi_square, plackett_luce
from verify.formats import format_of
from verify.newton import newton_map
from verify.subset import SubsetReport, check_subsets
from verify.subset_rows import cases

SEED = 20200425


@pytest.fixture(scope="module")
def report():
    return check_subsets()


def test_every_regime_is_within_the_contract(report):
    assert report.problems == []
    regimes = {case.regime for case in cases(format_of("float64"))}
    for dtype in ("float64", "float32"):
        for quantity in ("log Z_k", "inclusion"):
            lines = [report.lines[r, quantity, "stable", dtype] for r in regimes]
            assert all(line.count > 0 and line.within for line in lines)


def test_the_worst_inputs_are_stored_so_that_they_can_be_typed_in(report):
    line = report.lines["ties", "inclusion", "stable", "float64"]
    scores = np.asarray(json.loads(line.worst.scores))
    assert len(scores) == line.worst.n
    got = subset.inclusion_probabilities(scores, line.worst.k)[line.worst.place]
    assert float(got) == line.worst.got


def test_the_report_is_plain_data(report):
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["passed"] is True
    assert len(data["newton"]["newton"]) == len(data["newton"]["spreads"])


def test_newton_breaks_in_every_regime_with_a_gap_and_is_not_judged(report):
    line = report.lines["trained", "log Z_k", "newton", "float64"]
    assert line.error > 1e-2 and line.within


def test_a_formula_that_loses_digits_is_caught(monkeypatch):
    """Newton's recursion in place of the default."""

    def small_cases(form, *, long=False):
        return (case for case in cases(form) if case.name == "three-above-by-20-n60")

    monkeypatch.setattr(measured, "cases", small_cases)
    monkeypatch.setattr(measured, "check_draws", lambda size: [])
    exact = subset.log_partition
    monkeypatch.setattr(
        subset, "log_partition", lambda s, k, method="stable": exact(s, k, method="newton")
    )
    problems = check_subsets().problems
    assert any("log Z_k of trained in float64 is off by" in line for line in problems)


def test_what_raises_is_a_failure_of_its_row(monkeypatch):
    def refuse(scores, k):
        raise RuntimeError(f"no {k}")

    first = [case for case in cases(format_of("float64")) if case.name == "all-3.7"]
    monkeypatch.setattr(measured, "cases", lambda form, long: first)
    monkeypatch.setattr(measured, "check_draws", lambda size: [])
    monkeypatch.setattr(subset, "inclusion_probabilities", refuse)
    problems = check_subsets().problems
    assert "subset: inclusion failed on float64/all-3.7, k = 6: RuntimeError: no 6" in problems


def test_an_empty_report_has_no_lines_that_pass():
    assert SubsetReport().lines == {} and SubsetReport().problems == []


# --- the measure and the rows ---------------------------------------------------------------------


def test_relative_errors_are_those_of_balls():
    with ctx.workprec(256):
        third = arb(1) / 3
    (error,) = relative_errors([1 / 3], [third], "float64")
    assert 0 < error < 2**-53
    assert relative_errors([math.nan, math.inf], [third, third], "float64") == [math.inf] * 2
    # Below the normal numbers half of the smallest subnormal is 2^-53 of the smallest normal.
    (tiny,) = relative_errors([0.0], [arb((1, -1075))], "float64")
    assert tiny == 2.0**-53


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_rows_are_on_the_grid_and_have_the_regimes_of_the_contract(dtype):
    form = format_of(dtype)
    rows = list(cases(form))
    assert len({case.name for case in rows}) == len(rows)
    for case in rows:
        np.testing.assert_array_equal(form.round(case.scores), case.scores, err_msg=case.name)
        assert all(0 <= k <= np.isfinite(case.scores).sum() for k in case.orders), case.name
    sizes = {(len(case.scores), k) for case in rows for k in case.orders}
    assert {
        (10**6, 4),
        (10**4, 1000),
        (100, 0),
        (100, 1),
        (100, 50),
        (100, 99),
        (100, 100),
    } <= sizes
    gaps = [np.partition(c.scores, -4)[-3] - np.partition(c.scores, -4)[-4] for c in rows[:12]]
    assert {10 * round(gap / 10) for gap in gaps} >= {20, 40, 100}


# --- where Newton's recursion ends ----------------------------------------------------------------


def test_newton_map_is_certified_and_the_stable_method_whole():
    found = newton_map(n=24, spreads=(0.1, 1.0, 10.0, 40.0), orders=(1, 2, 4, 12, 24))
    assert max(map(max, found.stable)) < 1e-14
    assert (0.1, 1) not in found.failing(1e-14) and (40.0, 1) not in found.failing(1e-14)
    assert (40.0, 4) in found.failing(1e-8) and (10.0, 24) in found.failing(1.0)
    assert set(found.failing(1.0)) <= set(found.failing(1e-8)) <= set(found.failing(1e-14))
    for spread, line in zip(found.spreads, found.newton, strict=True):
        for k, error in zip(found.orders, line, strict=True):
            assert ((spread, k) in found.failing(1e-8)) == (error > 1e-8)


# --- draws ----------------------------------------------------------------------------------------


def _enumerated(scores, k, size, rng):
    """Draws by writing all subsets down: the slow right answer."""
    every = np.asarray(list(combinations(range(len(scores)), k)))
    weights = np.exp(scores[every].sum(axis=-1))
    return every[rng.choice(len(every), size, p=weights / weights.sum())]


SCORES = np.asarray([1.0, -0.5, 2.0, 0.0, 0.5, -2.0, 1.5])


def test_p_values_of_a_right_sampler_are_uniform():
    rng = np.random.default_rng(SEED)
    found = [chi_square(SCORES, _enumerated(SCORES, 3, 4000, rng), [0, 2, 3, 6]) for _ in range(60)]
    for name in ("single inclusion", "pairwise inclusion", "cells"):
        values = [p[name] for p in found]
        assert 0.3 < np.mean(values) < 0.7 and min(values) > 0.0005 and max(values) > 0.9


def test_plackett_luce_is_another_distribution_and_fails():
    rng = np.random.default_rng(SEED)
    values = chi_square(SCORES, plackett_luce(SCORES, 3, 20_000, rng), list(range(6)))
    assert max(values.values()) < 1e-9


def test_plackett_luce_takes_one_after_the_other():
    rng = np.random.default_rng(SEED)
    drawn = plackett_luce(SCORES, 2, 200_000, rng)
    x = np.exp(SCORES)
    first = x / x.sum()
    second = first[:, None] * x[None, :] / (x.sum() - x[:, None])
    expected = second[2, 0] + second[0, 2]
    both = ((drawn == 2).any(axis=-1) & (drawn == 0).any(axis=-1)).mean()
    assert both == pytest.approx(expected, abs=4 * math.sqrt(expected / len(drawn)))


def test_plackett_luce_is_right_only_for_ties():
    rng = np.random.default_rng(SEED)
    values = chi_square(np.zeros(7), plackett_luce(np.zeros(7), 3, 20_000, rng), [0, 1, 2, 3])
    assert min(values.values()) > 1e-4


def test_a_sampler_with_right_inclusion_and_wrong_pairs_fails_on_the_pairs():
    """Of four equal labels the pairs (0, 1) and (2, 3) only: each label is in half of the draws."""
    rng = np.random.default_rng(SEED)
    drawn = np.where(rng.random((10_000, 1)) < 0.5, [[0, 1]], [[2, 3]])
    values = chi_square(np.zeros(4), drawn, [0, 2])
    assert values["single inclusion"] > 1e-4 and values["pairwise inclusion"] < 1e-9


@pytest.mark.parametrize("drawn", [[[0, 0]], [[0, 9]], [[-1, 2]]])
def test_draws_that_are_no_subsets_are_refused(drawn):
    with pytest.raises(ValueError, match=r"2 distinct labels in 0\.\.3"):
        chi_square(np.zeros(4), np.asarray(drawn), [0, 1])


def test_a_control_that_passes_is_a_problem(monkeypatch):
    def right(scores, k, size, rng):
        return subset.sample(scores, k, size, rng)

    monkeypatch.setattr(draws, "plackett_luce", right)
    problems = [line for check in draws.check_draws(2000) for line in check.problems]
    assert any("Plackett-Luce was not caught" in line for line in problems)


def test_a_wrong_sampler_is_a_problem(monkeypatch):
    monkeypatch.setattr(subset, "sample", plackett_luce)
    problems = [line for check in draws.check_draws(20_000) for line in check.problems]
    assert any("chi-square of single inclusion has p =" in line for line in problems)
