"""The CUDA text of a kernel, and what CuPy compiles it to: once a process, at the first call.

CuPy keeps what is compiled in its own folder (CUPY_CACHE_DIR), so that later processes load it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

__all__ = ["LABELS", "LOSSES", "OPTIONS", "STORED", "function", "source"]

STORED = {"float16": "Float16", "bfloat16": "BFloat16", "float32": "float", "float64": "double"}

LOSSES = {"zlpr": "TwoSided<N, true>", "soft_zlpr": "TwoSided<N, false>", "softmax": "Softmax<N>"}

LABELS = {"same": "Stored", "bytes": "unsigned char", "index": "long long"}

OPTIONS = ("--std=c++17", "--fmad=false")
"""Only what is written as fma is fused: the error of a product or a sum is computed from it."""

MATHEMATICS = ("numbers.cuh", "two_sided.cuh", "softmax.cuh")
KERNELS = ("rows.cuh", "parts.cuh")


def source(loss: str, dtype: str, labels: str, width: int) -> str:
    """The text for a loss, the dtype of its scores, a kind of labels, and entries a read."""
    return "".join((_text("device.cuh"), *body(loss, dtype, labels, width)))


def body(loss: str, dtype: str, labels: str, width: int) -> tuple[str, ...]:
    """The text but for what only a device has."""
    chosen = (
        f"typedef {STORED[dtype]} Stored;\n"
        "typedef Numbers<Stored> N;\n"
        f"typedef {LOSSES[loss]} Loss;\n"
        f"typedef {LABELS[labels]} Label;\n"
        f"constexpr int WIDTH = {width};\n"
    )
    return *map(_text, MATHEMATICS), chosen, *map(_text, KERNELS)


def function(name: str, loss: str, dtype: str, labels: str, width: int) -> Any:
    """A kernel of that text, ready to be launched."""
    return _module(loss, dtype, labels, width).get_function(name)


@cache
def _module(loss: str, dtype: str, labels: str, width: int) -> Any:
    cupy = import_module("cupy")
    return cupy.RawModule(code=source(loss, dtype, labels, width), options=OPTIONS)


@cache
def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
