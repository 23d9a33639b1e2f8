"""The text of the CUDA kernels, compiled by nvcc: each loss and dtype, and all architectures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from numeric_core.kernels import PRODUCTS
from numeric_core.kernels.cuda import plan, source

NVCC = shutil.which("nvcc")
ARCHITECTURES = ("sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
KERNELS = (
    *("resident_some", "resident_one", "resident_long"),
    *("part_top", "part_sums", "merge_parts", "part_gradient"),
)
pytestmark = pytest.mark.skipif(NVCC is None, reason="needs nvcc")


def architectures() -> list[str]:
    listed = subprocess.run([str(NVCC), "--list-gpu-code"], capture_output=True, text=True)
    return [each for each in ARCHITECTURES if each in listed.stdout.split()]


def compiled_by_nvcc(folder: Path, text: str, architecture: str) -> bytes:
    """The cubin."""
    (folder / "kernels.cu").write_text(text)
    options = [*source.OPTIONS, "-cubin", f"-arch={architecture}", "-Werror", "all-warnings"]
    command = [str(NVCC), *options, "kernels.cu", "-o", "kernels.cubin"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "kernels.cubin").read_bytes()


@pytest.mark.parametrize("dtype", source.STORED)
@pytest.mark.parametrize("loss", source.LOSSES)
def test_nvcc_compiles_each(loss: str, dtype: str, tmp_path: Path) -> None:
    labels = {"zlpr": "bytes", "softmax": "index", "focal": "bytes"}.get(loss, "same")
    itemsize = {"float32": 4, "float64": 8}.get(dtype, 2)
    text = source.source(loss, dtype, labels, plan.width(64, itemsize))
    cubin = compiled_by_nvcc(tmp_path, text, architectures()[0])
    assert all(name.encode() in cubin for name in KERNELS)


@pytest.mark.parametrize("dtype", source.STORED)
@pytest.mark.parametrize("loss", PRODUCTS)
def test_nvcc_compiles_products(loss: str, dtype: str, tmp_path: Path) -> None:
    labels = {"zlpr": "bytes", "softmax": "index"}.get(loss, "same")
    text = source.source(loss, dtype, labels, 2, products=True)
    assert b"products" in compiled_by_nvcc(tmp_path, text, architectures()[0])


def test_nvcc_compiles_for_all_architectures(tmp_path: Path) -> None:
    known = architectures()
    assert known
    for architecture in known:
        text = source.source("softmax", "bfloat16", "same", 8)
        assert b"resident_long" in compiled_by_nvcc(tmp_path, text, architecture)
        text = source.source("soft_zlpr", "float64", "same", 2, products=True)
        assert b"products" in compiled_by_nvcc(tmp_path, text, architecture)
