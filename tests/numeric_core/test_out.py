"""A gradient that is written to an array given: the same bits, in that array, whatever it is like.

Rows go by the compiled kernels, directly, or the careful way, by their size and what they hold.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_reference import LOSSES, Arrays, Backend, draw_labels, to_numpy

import numeric_core as nc

SMALL, LARGE = (3, 7), (70, 1024)
"""Below and above the size from which kernels are called."""

CASES = [(x, k, SMALL) for _, x, k in LOSSES]
CASES += [(x, k, LARGE) for _, x, k in LOSSES if x.kernel() is not None]
ALL = pytest.mark.parametrize(("loss", "kind", "shape"), CASES, ids=str)


def rows(kind: str, shape: tuple[int, ...], dtype: Any) -> Any:
    rng = np.random.default_rng(11)
    t = np.stack([draw_labels(rng, shape[-1], dtype, kind) for _ in range(math.prod(shape[:-1]))])
    return (rng.normal(size=shape) * 5).astype(dtype), t.reshape(shape)


@ALL
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gradient_is_written_there(loss: Any, kind: str, shape: Any, dtype: Any) -> None:
    s, t = rows(kind, shape, dtype)
    value, gradient = loss.value_and_grad(s, t)
    room = np.full_like(s, np.nan)
    for axis, a, b, out in (
        (-1, s, t, room),
        (0, s.T, t.T, np.full_like(s, np.nan).T),
        (-1, s, t, np.full((shape[1], shape[0]), np.nan, dtype).T),
        (-1, s, t, np.full((shape[0], 2 * shape[1]), np.nan, dtype)[:, ::2]),
        (-1, s, t, s.copy()),
    ):
        found = loss.value_and_grad(a, b, axis=axis, out=out)
        assert found[1] is out
        assert np.array_equal(found[0], value)
        assert np.array_equal(np.moveaxis(out, axis, -1), gradient)


@ALL
def test_the_scores_or_labels_may_be_overwritten(loss: Any, kind: str, shape: Any) -> None:
    s, t = rows(kind, shape, np.float32)
    # a row that needs care is done last, from scores that must still be there
    s[0, 0] = -1e4
    s[1, 1] = 60.0
    t = t.astype(s.dtype)
    _, gradient = loss.value_and_grad(s, t)
    for place in range(2):
        given = s.copy(), t.copy()
        loss.value_and_grad(*given, out=given[place])
        assert np.array_equal(given[place], gradient)


def test_any_library(arrays: Arrays) -> None:
    s, t = rows("soft", (4, 6), np.float32)
    out = arrays(np.zeros_like(s))
    if arrays.backend is Backend.JAX:
        with pytest.raises(ValueError, match=r"out must be an array that can be written to"):
            nc.soft_zlpr.value_and_grad(arrays(s), arrays(t), out=out)
        return
    _, gradient = nc.soft_zlpr.value_and_grad(arrays(s), arrays(t), out=out)
    assert gradient is out
    assert np.array_equal(
        to_numpy(out), to_numpy(nc.soft_zlpr.value_and_grad(*map(arrays, (s, t)))[1])
    )


def test_grids_too() -> None:
    s, t = rows("distribution", (2, 4, 6), np.float32)
    out = np.empty_like(s)
    for loss in (nc.grid_truncated, nc.grid_centered, nc.grid_mirrored, nc.grid_pairwise):
        value, gradient = loss.value_and_grad(s, t)
        found = loss.value_and_grad(s, t, out=out)
        assert found[1] is out
        assert np.array_equal(found[0], value) and np.array_equal(out, gradient)
    with pytest.raises(ValueError, match=r"got \(2, 4, 5\)"):
        nc.grid_truncated.value_and_grad(s, t, out=out[..., 1:])


def test_what_does_not_fit() -> None:
    s, t = rows("soft", (4, 6), np.float32)
    with pytest.raises(ValueError, match=r"\(4, 6\) and float32, got \(4, 5\) and float32"):
        nc.soft_zlpr.value_and_grad(s, t, out=s[:, 1:].copy())
    with pytest.raises(ValueError, match=r"float32, got \(4, 6\) and float64"):
        nc.soft_zlpr.value_and_grad(s, t, out=np.empty((4, 6)))
    with pytest.raises(TypeError, match="out must be an array of an array API library"):
        nc.soft_zlpr.value_and_grad(s, t, out=[0.0])
    fixed = np.empty_like(s)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="written to, got one of ndarray that is read-only"):
        nc.soft_zlpr.value_and_grad(s, t, out=fixed)


def test_an_error_leaves_no_doubt() -> None:
    s, t = rows("soft", (70, 1024), np.float32)
    s[3, 3] = np.nan
    with pytest.raises(ValueError, match="nan"):
        nc.soft_zlpr.value_and_grad(s, t, out=np.empty_like(s))


def test_dask_makes_its_gradients_when_asked() -> None:
    da = pytest.importorskip("dask.array")
    s, t = (da.from_array(x) for x in rows("soft", (4, 6), np.float32))
    with pytest.raises(ValueError, match="out must be an array that can be written to"):
        nc.soft_zlpr.value_and_grad(s, t, out=s)
