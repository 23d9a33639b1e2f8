"""Which version of the numeric core a route measures: the plain one, or the compiled kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numeric_core
from numeric_core import kernels, sweeps
from verify.routes import compiled_quantities, compiled_route, core_route, has_kernel
from verify.samples import Sample

pytest.importorskip("numba")
GRIDS = ("grid_truncated", "grid_mirrored", "grid_centered", "grid_pairwise")
ROWS = ("zlpr", "softmax_cross_entropy", "binary_cross_entropy", "unified", "focal", "asymmetric")


def sample(loss: str, dtype: str, *shape: int) -> Sample:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=shape)
    labels = np.zeros(shape)
    labels[..., :1] = 1.0
    return Sample("normal", dtype, scores, labels, rng.normal(size=shape))


def given(sample: Sample, quantity: str) -> list[Any]:
    arrays = [sample.scores, sample.labels, *([sample.vector] if quantity == "hvp" else [])]
    return [array.astype(sample.dtype) for array in arrays]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the compiled functions that are called."""
    from numeric_core.kernels import grid, pairs, products, run

    seen: list[str] = []

    def recorded(function: Any) -> Any:
        return lambda *x, **y: (seen.append(function.__name__), function(*x, **y))[1]

    for module, names in (
        (run, ("value", "value_and_grad")),
        (products, ("hvp",)),
        (grid, ("value_and_gradient",)),
        (pairs, ("value_and_gradient",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, recorded(getattr(module, name)))
    return seen


@pytest.mark.parametrize("loss", (*ROWS, *GRIDS))
def test_the_core_is_measured_without_kernels(loss: str, calls: list[str]) -> None:
    size = (600, 40) if loss in GRIDS else (kernels.LEAST,)
    large, route = sample(loss, "float32", *size), core_route(loss)
    for quantity in ("value", "gradient", "hvp"):
        getattr(route, quantity)(*given(large, quantity))
    assert not calls
    assert kernels.used()
    known = getattr(numeric_core, loss)
    wide = large if loss in ROWS else sample(loss, "float64", *size)
    known.value_and_grad(*given(wide, "gradient"))
    assert calls  # what a user of such arrays gets is another version


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("loss", (*ROWS, *GRIDS))
def test_small_samples_reach_the_kernel(loss: str, dtype: str, calls: list[str]) -> None:
    small = sample(loss, dtype, *((7, 33) if loss in GRIDS else (7,)))
    compiled, plain = compiled_route(loss), core_route(loss)
    for quantity in compiled_quantities(loss) if has_kernel(loss, small) else ():
        calls.clear()
        arrays = given(small, quantity)
        found = getattr(compiled, quantity)(*arrays)
        assert len(calls) == 1
        expected = getattr(plain, quantity)(*arrays)
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_no_route_is_named_after_a_kernel_that_takes_none_of_it() -> None:
    assert not has_kernel("focal", sample("focal", "float64", 7))
    assert not has_kernel("zlpr", sample("zlpr", "float32", 0))
    assert not has_kernel("grid_pairwise", sample("grid_pairwise", "float32", 7, 33))
    assert not has_kernel("grid_truncated", sample("grid_truncated", "float32", 7, 3))
    assert has_kernel("grid_truncated", sample("grid_truncated", "float64", 7, 3))
    far = sample("grid_truncated", "float64", 7, 3)
    far.scores[0, 0] = 2.0 * sweeps.REACH  # of the plain version, which goes further
    assert not has_kernel("grid_truncated", far)
    assert not compiled_quantities("zlpr", threshold=-40.7)
    assert compiled_quantities("zlpr", threshold=0.3) == ("value", "gradient", "hvp")
    assert not compiled_quantities("hinge")


def test_what_was_chosen_holds_again_afterwards() -> None:
    for choice in (True, False):
        numeric_core.use_kernels(choice)
        try:
            with pytest.raises(ZeroDivisionError), kernels.left_out():
                assert not kernels.used()
                raise ZeroDivisionError
            assert kernels.used() is choice
        finally:
            numeric_core.use_kernels(True)
