r"""What a target takes and gives, as data: how rows of scores and labels become its arguments.

    input      logits s | sigmoid p = 1 / (1 + e^-s) | softmax p = softmax(s) | log-softmax
    labels     multi-hot (or soft) | integers (the same as whole numbers) | signs 2t - 1 |
               class (its index) | indices (a list a row, filled up with a padding value) |
               indices from 1 (class 0 stands for nothing and fills up) |
               sides (none: the scores of the positives and of the negatives come as two arrays)
    layout     rows (b, n) | row (n) | columns (n, b) | heads (b, 1, n) | spans (b, 1, 1, n)
    reduction  none, sum, mean over rows, mean over labels (for each row, or their sum), mean over
               all, elements

A reduction is undone exactly: what comes out times its count is the sum over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verify.check.frameworks import Framework, Numbers

__all__ = ["INPUTS", "LABEL_FORMS", "LAYOUTS", "ONLY_HARD", "PER_ROW", "REDUCTIONS", "SIDES"]
__all__ += ["Convention", "gradient_by_logits", "index_lists", "logits_of", "side_lists"]

INPUTS = ("logits", "sigmoid", "softmax", "log-softmax")
LABEL_FORMS = ("multi-hot", "integers", "signs", "class", "indices", "indices from 1", "sides")
_FROM_1 = "indices from 1"
SIDES = "sides"
# Forms that have no room for a label between 0 and 1.
ONLY_HARD = ("signs", "class", "indices", "indices from 1", "sides")
LAYOUTS = ("rows", "row", "columns", "heads", "spans")
# What a result is multiplied by so that its sum is the sum over the rows.
REDUCTIONS: Mapping[str, Callable[[int, int], int]] = {
    "none": lambda rows, n: 1,
    "sum": lambda rows, n: 1,
    "mean": lambda rows, n: rows,
    "mean over labels": lambda rows, n: n,
    "mean over all": lambda rows, n: rows * n,
    "sum of means over labels": lambda rows, n: n,
    "elements": lambda rows, n: 1,
}
PER_ROW = ("none", "mean over labels", "elements")
_SHAPES = {
    "rows": "(batch, n)",
    "row": "(n,)",
    "columns": "(n, batch)",
    "heads": "(batch, 1, n)",
    "spans": "(batch, 1, 1, n)",
}
_PARTED = {"rows": "(batch, k) and (batch, n - k)", "row": "(k,) and (n - k,)"}


@dataclass(frozen=True)
class Convention:
    """How a target is called.

    scores_first, names: the parameters for scores and labels (of sides: for positives and
    negatives), by position if they are the first two, else by name.  padding: fills up lists of
    indices (None: nothing does, the last index is repeated).  widest: the dtype in which probes are
    asked, the widest that is taken.  options: further keyword arguments.
    """

    framework: str
    scores_first: bool = True
    names: tuple[str, str] | None = None
    input: str = "logits"
    labels: str = "multi-hot"
    padding: int | None = None
    layout: str = "rows"
    reduction: str = "none"
    widest: str = "float64"
    options: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, str]:
        """In words, for the result."""
        is_parted = self.labels == SIDES
        roles = ("positives' scores", "negatives' scores") if is_parted else ("scores", "labels")
        placed = roles if self.scores_first else roles[::-1]
        labels = "in the order of the arguments" if is_parted else self.labels
        if labels == "indices" and self.padding is not None:
            labels += f" filled up with {self.padding}"
        words = {
            "library": self.framework,
            "arguments": f"({placed[0]}, {placed[1]})"
            if self.names is None
            else f"{self.names[0]} = {roles[0]}, {self.names[1]} = {roles[1]}",
            "scores": self.input,
            "labels": labels,
            "shape": (_PARTED if is_parted else _SHAPES)[self.layout],
            "reduction": self.reduction,
        }
        if self.widest != "float64":
            words["scores"] += f" of {self.widest} or less"
        if self.options:
            words["options"] = ", ".join(f"{k}={v!r}" for k, v in self.options.items())
        return words

    def scores(self, scores: Numbers) -> Numbers:
        """The input for logits (b, n), as numbers in the layout."""
        numbers = _from_logits(self.input, scores)
        if self.labels == _FROM_1:
            numbers = np.concatenate([np.zeros((len(numbers), 1)), numbers], axis=-1)
        return self.laid_out(numbers)

    def laid_out(self, rows: Numbers) -> Numbers:
        """An array (b, n) in the layout."""
        b, n = rows.shape
        if self.layout == "row":
            return rows[0]
        if self.layout == "columns":
            return rows.T
        if self.layout in ("heads", "spans"):
            return rows.reshape(b, *[1] * (LAYOUTS.index(self.layout) - 2), n)
        return rows

    def rows(self, array: Numbers, shape: tuple[int, ...]) -> Numbers:
        """An array in the layout as (b, n) again."""
        numbers = np.asarray(array.T if self.layout == "columns" else array)
        if self.labels == _FROM_1:
            numbers = numbers.reshape(shape[0], shape[1] + 1)[:, 1:]
        return numbers.reshape(shape)

    def encode(self, labels: Numbers, framework: Framework, dtype: str) -> Any:
        """The labels (b, n) in their form, as an array of the library; of sides two, of indices."""
        if self.labels == "multi-hot":
            return framework.array(self.laid_out(labels), dtype)
        if self.labels == "signs":
            return framework.array(self.laid_out(2 * labels - 1), dtype)
        if self.labels == "integers":
            return framework.integers(self.laid_out(labels))
        if self.labels == "class":
            index = np.argmax(labels, axis=-1)
            if self.layout == "row":
                return int(index[0]) if framework.name == "python" else framework.integers(index[0])
            return framework.integers(index)
        if self.labels == SIDES:
            sides = side_lists(labels)
            return tuple(framework.integers(x[0] if self.layout == "row" else x) for x in sides)
        lists = index_lists(labels, -1 if self.labels == _FROM_1 else self.padding)
        if self.labels == _FROM_1:
            lists = lists + 1
        if self.layout in ("heads", "spans"):
            lists = lists.reshape(len(lists), *[1] * (LAYOUTS.index(self.layout) - 2), -1)
        return framework.integers(lists[0] if self.layout == "row" else lists)

    def count(self, rows: int, n: int) -> int:
        """What undoes the reduction."""
        return REDUCTIONS[self.reduction](rows, n)


def index_lists(labels: Numbers, padding: int | None) -> Numbers:
    """The indices of the labels 1 of each row, filled up with the padding to one length."""
    chosen = [np.flatnonzero(row > 0).tolist() for row in labels]
    width = max(map(len, chosen), default=0)
    filled = [
        row + [(row or [0])[-1] if padding is None else padding] * (width - len(row))
        for row in chosen
    ]
    return np.array(filled, dtype=np.float64).reshape(len(filled), width)


def side_lists(labels: Numbers) -> tuple[Numbers, Numbers]:
    """Of each row the places of its positives (b, k), and those of the others (b, n - k).

    ValueError where rows have different numbers of positives.
    """
    counts = {int(row.sum()) for row in labels}
    if len(counts) != 1:
        raise ValueError(f"rows of {sorted(counts)} positives have no two arrays of sides")
    return index_lists(labels, None), index_lists(1 - labels, None)


def _from_logits(kind: str, s: Numbers) -> Numbers:
    if kind == "logits":
        return s
    if kind == "sigmoid":
        return np.asarray(0.5 + 0.5 * np.tanh(s / 2))
    shifted = s - s.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(np.exp(logs) if kind == "softmax" else logs)


def logits_of(kind: str, given: Numbers) -> Numbers:
    """Logits of the numbers that were given, so that the truth is asked for these very numbers."""
    if kind == "logits" or kind == "log-softmax":
        return given
    with np.errstate(divide="ignore"):
        logs = np.log(given)
        return np.asarray(logs - np.log1p(-given) if kind == "sigmoid" else logs)


def gradient_by_logits(kind: str, given: Numbers, slope: Numbers) -> Numbers:
    """The gradient by the logits, from that by the numbers given, for one row or several."""
    if kind == "logits":
        return slope
    if kind == "sigmoid":
        return slope * given * (1 - given)
    if kind == "softmax":
        return given * (slope - (given * slope).sum(axis=-1, keepdims=True))
    return slope - np.exp(given) * slope.sum(axis=-1, keepdims=True)
