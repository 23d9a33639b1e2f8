"""The CUDA text of a kernel, and what NVRTC compiles it to: once for a kind of device.

CuPy finds NVRTC and loads the result, but does not compile here: it would add -ftz=true, and labels
and gradients below 1.2e-38 would be lost in float32.  What is compiled is kept in CuPy's own folder
(CUPY_CACHE_DIR), so that later processes load it.
"""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any

__all__ = ["BY_LABEL", "LABELS", "LOSSES", "OPTIONS", "STORED", "function", "source"]

STORED = {"float16": "Float16", "bfloat16": "BFloat16", "float32": "float", "float64": "double"}

LOSSES = {
    "zlpr": "TwoSided<N, true>",
    "soft_zlpr": "TwoSided<N, false>",
    "softmax": "Softmax<N>",
    "unified": "Unified<N>",
    "binary_cross_entropy": "ByLabel<N, CrossEntropy<N>>",
    "focal": "ByLabel<N, Powers>",
    "asymmetric": "ByLabel<N, Shifted>",
}

BY_LABEL = ("binary_cross_entropy", "focal", "asymmetric")
"""Losses whose gradient is written with the sums, in parts too."""

LABELS = {"same": "Stored", "bytes": "unsigned char", "index": "long long"}

OPTIONS = ("--std=c++17", "--fmad=false")
"""Only what is written as fma is fused: the error of a product or a sum is computed from it.  NVRTC
keeps subnormal numbers, and divides with one rounding, unless asked not to."""

MATHEMATICS = (
    *("numbers.cuh", "two_sided.cuh", "unified.cuh"),
    *("softmax.cuh", "by_label.cuh", "focal.cuh"),
)
KERNELS = ("teams.cuh", "rows.cuh", "parts.cuh")
PRODUCTS = ("teams.cuh", "products.cuh")
"""Compiled apart: who wants values and gradients does not wait for products."""


def source(loss: str, dtype: str, labels: str, width: int, *, products: bool = False) -> str:
    """The text for a loss, the dtype of its scores, a kind of labels, and entries a read."""
    chosen = (
        f"typedef {STORED[dtype]} Stored;\n"
        "typedef Numbers<Stored> N;\n"
        f"typedef {LOSSES[loss]} Loss;\n"
        f"typedef {LABELS[labels]} Label;\n"
        f"constexpr int WIDTH = {width};\n"
    )
    mathematics, kernels = map(_text, MATHEMATICS), map(_text, PRODUCTS if products else KERNELS)
    return "".join((_text("device.cuh"), *mathematics, chosen, *kernels))


def function(name: str, loss: str, dtype: str, labels: str, width: int) -> Any:
    """A kernel of that text for the current device, ready to be launched."""
    capability = str(import_module("cupy").cuda.Device().compute_capability)
    products = name == "products"
    return _module(loss, dtype, labels, width, products, capability).get_function(name)


@cache
def _module(loss: str, dtype: str, labels: str, width: int, products: bool, capability: str) -> Any:
    binary = _binary(source(loss, dtype, labels, width, products=products), capability)
    return import_module("cupy").RawModule(path=str(binary))


def _binary(text: str, capability: str) -> Path:
    """The file with machine code for devices of a capability, such as 90; with PTX where NVRTC is
    older than the device."""
    nvrtc = import_module("cupy").cuda.nvrtc
    known = [int(each) for each in nvrtc.getSupportedArchs()]
    native = int(capability) in known
    nearest = max((each for each in known if each <= int(capability)), default=min(known))
    options = (*OPTIONS, f"--gpu-architecture={'sm' if native else 'compute'}_{nearest}")
    key = sha256(repr((text, options, nvrtc.getVersion())).encode()).hexdigest()[:32]
    file = _folder() / f"lossproof_{key}.{'cubin' if native else 'ptx'}"
    return file if file.is_file() else _kept(_compiled(text, options, native), file)


def _compiled(text: str, options: tuple[str, ...], native: bool) -> bytes:
    nvrtc = import_module("cupy").cuda.nvrtc
    program = nvrtc.createProgram(text, "lossproof.cu", (), ())
    try:
        nvrtc.compileProgram(program, options)
        return bytes(nvrtc.getCUBIN(program) if native else nvrtc.getPTX(program))
    except nvrtc.NVRTCError as error:
        raise RuntimeError(f"NVRTC failed: {nvrtc.getProgramLog(program)}") from error
    finally:
        nvrtc.destroyProgram(program)


def _folder() -> Path:
    given = os.environ.get("CUPY_CACHE_DIR", "")
    return Path(given) if given else Path.home() / ".cupy" / "kernel_cache"


def _kept(binary: bytes, file: Path) -> Path:
    """The file, or one in a folder for this process where it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # whole or not at all: other processes may look for it
        with NamedTemporaryFile(dir=file.parent, delete=False) as begun:
            begun.write(binary)
        os.replace(begun.name, file)
        return file
    except OSError:
        other = Path(mkdtemp(prefix="lossproof_cuda_")) / file.name
        other.write_bytes(binary)
        return other


@cache
def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
