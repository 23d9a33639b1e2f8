"""Compiled kernels behind the losses: used where numba is installed (extra `fast`).

A kernel computes what the plain version computes, for rows of NumPy arrays, and leaves alone the
rows that it cannot hold; the plain version is its fallback and its test.  numba is imported when a
kernel is first asked for, never with the package.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from types import ModuleType

__all__ = ["combination"]


@functools.cache
def combination() -> ModuleType | None:
    """The kernels of the combination softmax, or None without numba."""
    if importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("numeric_core.kernels.combination_softmax")
