"""Emitted files as modules of their own, and losses with labels that suit them."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

import numpy as np

from derive.emit import emit
from derive.formulas import formula_of
from derive.losses import LOSSES

SEED = 20267
#: Losses whose files have loops over the row, which take long to trace.
LOOPED = ("combination_softmax", "padded_combination_softmax", "order_r")
NAMES = tuple(LOSSES)


@cache
def module_of(loss: str, target: str) -> ModuleType:
    """The file of value and gradient, imported: compilers look functions up in their modules."""
    name = f"emitted_{target}_{loss}"
    path = Path(mkdtemp(prefix="emitted")) / f"{name}.py"
    path.write_text(emit(formula_of(loss, "value_and_grad"), target), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def rows(loss: str) -> tuple[Any, Any]:
    """Scores, and labels of the kind that the loss takes: soft, hard, or one a row."""
    rng = np.random.default_rng(SEED)
    shape = (2, 3, 4) if len(LOSSES[loss].indices) == 2 else (3, 5)
    facts = LOSSES[loss].facts
    if facts.distribution or "hinge" in loss:
        labels = np.eye(5)[:3]
    elif facts.hard:
        labels = (rng.uniform(size=shape) > 0.5).astype(float)
        labels[..., 0], labels[..., 1] = 1, 0
    else:
        labels = rng.uniform(size=shape)
    return rng.normal(size=shape), labels
