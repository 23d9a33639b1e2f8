"""The accuracy contract on every array library: the same samples, the same bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from derive.losses import LOSSES
from verify.accuracy import SUBSET_LOSSES
from verify.arrays import JaxArrays, NumpyArrays, TorchArrays
from verify.compare import family_of
from verify.formats import Vector
from verify.measure import References, measure
from verify.oracle.grid import GRIDS
from verify.routes import core_route
from verify.samples import Sample


class StrictArrays(NumpyArrays):
    """array-api-strict: float32 and float64, and nothing that the standard does not name."""

    name = "array_api_strict"
    dtypes = frozenset({"float32", "float64"})

    def __init__(self) -> None:
        self._xp = pytest.importorskip("array_api_strict")

    def make(self, values: Vector, dtype: str) -> Any:
        return self._xp.asarray(np.asarray(values).astype(dtype))


def torch_arrays() -> TorchArrays:
    pytest.importorskip("torch", reason="torch is an optional extra: lossproof[torch]")
    return TorchArrays()


def jax_arrays() -> JaxArrays:
    pytest.importorskip("jax", reason="jax is an optional extra: lossproof[jax]")
    return JaxArrays()


# JAX compiles every operation anew for every shape: few lengths, so that the test is short; one for
# the losses that count subsets, whose trees of products have many shapes of their own.
JAX_LENGTHS = (2, 6)
JAX_LENGTHS_OF_SUBSETS = (6,)
JAX_SHAPES = ((4, 3), (2, 2))
# GridLoss, "Limits": half of the digits of a smaller label, times 2^-12, are flushed to 0 by XLA
JAX_LEAST_LABEL = 1e-30


def _few_shapes(loss: str, samples: Sequence[Sample]) -> list[Sample]:
    if loss in GRIDS:
        few = [sample for sample in samples if sample.scores.shape in JAX_SHAPES]
        return [sample for sample in few if not _flushed(sample)]
    lengths = JAX_LENGTHS_OF_SUBSETS if loss in SUBSET_LOSSES else JAX_LENGTHS
    return [sample for sample in samples if sample.n in lengths]


def _flushed(sample: Sample) -> bool:
    """Whether a float32 label is above 0 and below what XLA can split."""
    tiny = (sample.labels > 0) & (sample.labels < JAX_LEAST_LABEL)
    return sample.dtype == "float32" and bool(np.any(tiny))


@pytest.mark.parametrize("loss", [*LOSSES, *(grid for grid in GRIDS if grid not in LOSSES)])
@pytest.mark.parametrize("make", [StrictArrays, torch_arrays, jax_arrays])
def test_every_library_keeps_the_contract(loss: str, make: Any) -> None:
    arrays = make()
    family = family_of(loss)
    samples = [sample for sample in family.quick(loss) if sample.scores.size <= 1000][::5]
    if arrays.flushes:
        samples = _few_shapes(loss, samples)
    oracle = References(family.oracle(loss))
    table = measure(loss, core_route(loss), samples, oracle, arrays=arrays, batch=True)
    measured = [line for line in table if line.dtype in arrays.dtypes]
    assert measured and not table.failures, table.failures[:3]
    assert not [line.cells() for line in measured if not line.within]
