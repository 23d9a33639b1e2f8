"""A piece run as its card says, on rows of scores and labels.

No probing and no guessing: this is how the cards themselves are held against the oracle.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from verify.check.libraries import framework_named, settle_keras
from verify.museum.piece import Piece, Takes

__all__ = ["Got", "load", "play"]

Floats = npt.NDArray[np.float64]


class Got(NamedTuple):
    """A value for each row, or one for all; the gradient of their sum, None without autograd."""

    values: Floats
    gradient: Floats | None


def load(piece: Piece) -> Callable[..., Any]:
    """The function of the file; an instance where it is a class."""
    return _load(piece.path, piece.function)


@cache
def _load(path: Path, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"museum_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module: ModuleType = importlib.util.module_from_spec(spec)
    settle_keras()
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function() if isinstance(function, type) else function


def play(piece: Piece, scores: Any, labels: Any, dtype: str = "float64") -> Got:
    """The piece on (batch, n) scores and multi-hot or soft labels, all as its card says."""
    s, t = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    function, takes = load(piece), piece.takes
    if takes.one_row:
        rows = zip(s.tolist(), _labels(t, takes).tolist(), strict=True)
        return Got(np.array([function(a, b) for a, b in rows]), None)
    if takes.labels == "sides":
        return _sides(function, s, t, dtype)
    if takes.labels_on_axis == 0:
        s, t = s.T, t.T
    return _RUN[piece.framework](function, s, _labels(t, takes), dtype, takes)


def _labels(t: Floats, takes: Takes) -> npt.NDArray[Any]:
    """The labels in the form that the piece takes; indices are int64."""
    if takes.labels == "multi-hot":
        return t
    if takes.labels == "signs":
        return 2 * t - 1
    if takes.labels == "class index":
        return t.argmax(axis=-1)
    longest = max(1, int(t.sum(axis=-1).max()))
    lists = np.full((len(t), longest), takes.filler, np.int64)
    for row, present in zip(lists, t, strict=True):
        chosen = np.flatnonzero(present)
        row[: len(chosen)] = chosen
    return lists


def _arguments(scores: Any, labels: Any, takes: Takes) -> tuple[Any, Any]:
    return (labels, scores) if takes.labels_first else (scores, labels)


def _numpy(function: Callable[..., Any], s: Floats, t: Any, dtype: str, takes: Takes) -> Got:
    labels = t if t.dtype == np.int64 else t.astype(dtype)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        values = function(*_arguments(s.astype(dtype), labels, takes))
    return Got(np.asarray(values, np.float64), None)


def _torch(function: Callable[..., Any], s: Floats, t: Any, dtype: str, takes: Takes) -> Got:
    import torch

    kind = getattr(torch, dtype)
    scores = torch.from_numpy(np.array(s)).to(kind).requires_grad_()
    labels = torch.from_numpy(np.array(t))
    labels = labels if labels.dtype == torch.int64 else labels.to(kind)
    values = function(*_arguments(scores, labels, takes))
    gradient = None
    if values.requires_grad:
        gradient = torch.autograd.grad(values.sum(), scores)[0].double().numpy()
    return Got(values.detach().double().numpy(), gradient)


def _sides(function: Callable[..., Any], s: Floats, t: Floats, dtype: str) -> Got:
    """PyTorch, row by row, the positives' scores and the others as two tensors."""
    import torch

    scores = torch.from_numpy(np.array(s)).to(getattr(torch, dtype)).requires_grad_()
    present = torch.from_numpy(t > 0)
    rows = zip(scores, present, strict=True)
    values = torch.stack([function(row[chosen], row[~chosen]) for row, chosen in rows])
    (gradient,) = torch.autograd.grad(values.sum(), scores)
    return Got(values.detach().double().numpy(), gradient.double().numpy())


def _jax(function: Callable[..., Any], s: Floats, t: Any, dtype: str, takes: Takes) -> Got:
    import jax

    with jax.enable_x64(True):
        scores = jax.numpy.asarray(s, dtype)
        labels = jax.numpy.asarray(t, None if t.dtype == np.int64 else dtype)

        values, gradient = _compiled(function, takes.labels_first)(scores, labels)
        return Got(np.asarray(values, np.float64), np.asarray(gradient, np.float64))


@cache
def _compiled(function: Callable[..., Any], labels_first: bool) -> Callable[..., Any]:
    """Value and gradient in one compilation for each shape."""
    import jax

    def both(scores: Any, labels: Any) -> tuple[Any, Any]:
        def value(x: Any) -> Any:
            return function(*((labels, x) if labels_first else (x, labels)))

        return value(scores), jax.grad(lambda x: value(x).sum())(scores)

    return jax.jit(both)


def _by_name(
    name: str, function: Callable[..., Any], s: Floats, t: Any, dtype: str, takes: Takes
) -> Got:
    """On the library of that name, or the one below it."""
    library = framework_named(name)
    whole = t.dtype == np.int64
    scores, labels = library.array(s, dtype), library.array(t, dtype)
    labels = library.integers(t) if whole else labels

    def value(x: Any, y: Any) -> Any:
        return function(*_arguments(x, y, takes))

    with library.scope():
        values = library.floats(value(scores, labels))
    try:
        return Got(values, library.gradient(value, scores, labels, {}))
    except RuntimeError:  # it does not depend on the scores
        return Got(values, None)


_RUN: Mapping[str, Callable[..., Got]] = {
    "numpy": _numpy,
    "torch": _torch,
    "jax": _jax,
    "tensorflow": partial(_by_name, "tensorflow"),
    "keras": partial(_by_name, "keras"),
}


def reduced(rows: Floats, takes: Takes, size: int) -> Floats:
    """Values of rows of `size` labels, reduced as the piece reduces them."""
    if takes.gives in ("rows", "row means"):
        return rows if takes.gives == "rows" else rows / size
    total = math.fsum(rows)
    count = {"mean": len(rows), "sum": 1, "mean of labels": len(rows) * size}[takes.gives]
    return np.array(total / count)
