"""Three routes to one number: each loss, each route, within its bound."""

from __future__ import annotations

import pytest

from derive.losses import LOSSES
from verify import compare, native
from verify.compare import compare_routes
from verify.oracle.grid import GRIDS
from verify.routes import compiled_quantities


@pytest.fixture(scope="module", params=LOSSES)
def comparison(request: pytest.FixtureRequest) -> compare.Comparison:
    return compare_routes(request.param)


def test_every_route_is_within_its_bound(comparison: compare.Comparison) -> None:
    assert comparison.table.passed, comparison.problems


def test_all_routes_and_quantities_are_there(comparison: compare.Comparison) -> None:
    routes = {"core", "core, batch", "emitted mpmath", "emitted numpy"}
    routes |= {f"emitted {target}" for target in native.targets(long=False)}
    large = comparison.loss in GRIDS
    variants = compare.VARIANTS.get(comparison.loss, ())
    compiled = [compiled_quantities(comparison.loss, **one) for one in ({}, *variants)]
    lines = {(line.route, line.quantity) for line in comparison.table}
    number = len(routes) + len(variants) + sum(map(bool, compiled)) + large
    assert len({route for route, _ in lines}) == number
    seen = {quantity for route, quantity in lines if route == "core, compiled"}
    assert seen == set(compiled[0])
    assert large == (("core, large", "value") in lines) == (("core, large", "gradient") in lines)
    assert lines >= {(r, q) for r in routes for q in ("value", "gradient", "hvp")}


def test_emitted_mpmath_agrees_to_half_an_ulp(comparison: compare.Comparison) -> None:
    lines = [line for line in comparison.table if line.route == "emitted mpmath"]
    # 0.5 is the rounding to float64 of two exact answers; the ball has a width of its own.
    assert all(line.count >= 50 and line.error <= 0.5001 for line in lines)
