"""CuPy, or what stands in for it, as a fixture; the folder is put on the path for the latter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import cupy_stand_in

import numeric_core as nc
from numeric_core.kernels import cuda
from numeric_core.kernels.cuda import source


def has_gpu() -> bool:
    if find_spec("cupy") is None:
        return False
    import cupy

    return bool(cupy.cuda.is_available())


@pytest.fixture(
    params=[
        pytest.param(
            "on the host",
            marks=pytest.mark.skipif(cupy_stand_in.GXX is None, reason="needs g++"),
        ),
        pytest.param(
            "on a GPU", marks=pytest.mark.skipif(not has_gpu(), reason="needs CuPy and a GPU")
        ),
    ]
)
def cupy(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """CuPy, or what stands in for it."""
    folder = tmp_path_factory.getbasetemp() / f"kernels {request.param}"
    monkeypatch.setenv("CUPY_CACHE_DIR", str(folder))
    if request.param == "on the host":
        monkeypatch.setitem(sys.modules, "cupy", cupy_stand_in.stand_in())
        cupy_stand_in.LAUNCHED.clear()
    source._module.cache_clear()
    cuda._shared_memory.cache_clear()
    nc.use_kernels(True)
    yield sys.modules["cupy"]
    nc.use_kernels(True)
    source._module.cache_clear()
    cuda._shared_memory.cache_clear()
