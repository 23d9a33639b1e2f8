"""The form of what is measured on a GPU, with what stands in for CuPy; never a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gpu
from benchmarks.__main__ import main
from numeric_core.kernels.cuda import source

sys.path.insert(0, str(Path(__file__).parents[1] / "numeric_core" / "kernels"))
import cupy_stand_in

needs_gxx = pytest.mark.skipif(cupy_stand_in.GXX is None, reason="needs g++")


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setitem(sys.modules, "cupy", cupy_stand_in.stand_in())
    source._module.cache_clear()


@needs_gxx
def test_the_smallest_run(cupy: None, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    options = ["--gpu", "--smallest", "--only", "soft_zlpr", "--json", str(file)]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0 and "ratio to a copy of as many bytes" in result.output
    rows = json.loads(file.read_text())["rows"]
    assert {row["dtype"] for row in rows} == set(gpu.DTYPES)
    assert {row["contender"] for row in rows} == {"lossproof", gpu.PLAIN, gpu.COPY}
    for row in rows:
        assert row["seconds"] > 0 and row["ratio_to"] == gpu.COPY
        assert row["ratio"] == 1 or row["contender"] != gpu.COPY


def test_what_has_a_kernel_is_measured(cupy: None) -> None:
    cases = gpu.plan_of("full", []).cases
    assert {case.loss for case in cases} == {loss for loss, _ in gpu.LOSSES}
    assert {case.loss for case in cases if case.product} == set(gpu.PRODUCTS)
    assert not [case for case in cases if case.loss == "focal" and case.dtype == "float64"]
    assert max(case.shape[1] for case in cases if case.product) == 32_768
    assert "soft_zlpr, soft labels, product" in {case.title.partition(":")[0] for case in cases}


def test_labels_of_each_kind(cupy: None) -> None:
    for loss, labels in gpu.LOSSES:
        scores, given = gpu._data(gpu.Case(loss, labels, "bfloat16", (5, 1 << 21)))
        assert scores.shape == (5, 1 << 21) and scores.dtype.name == "bfloat16"
        assert np.array_equal(scores[0], scores[2])
        assert given.shape == ((5,) if labels == "class indices" else scores.shape)
        if labels != "class indices":
            assert given.dtype == scores.dtype


def test_a_name_that_is_not_there(cupy: None) -> None:
    with pytest.raises(ValueError, match="no case is named grid: expected part of zlpr, soft_zlpr"):
        gpu.plan_of("full", ["grid"])


def test_why_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    result = CliRunner().invoke(main, ["--gpu"])
    assert result.exit_code == 1 and "CuPy is not installed: pip install" in result.output
