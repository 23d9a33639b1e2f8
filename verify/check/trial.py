r"""One call of a target: rows in, and out come the loss of the batch, of each row, the gradient.

Whatever the target raises, prints as a warning or returns in place of numbers ends as `Failed`
with words; nothing of it reaches the caller.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verify.check.convention import PER_ROW, SIDES, Convention, gradient_by_logits
from verify.check.frameworks import FRAMEWORKS, Framework, Numbers
from verify.check.target import Target

__all__ = ["Failed", "Result", "Trial"]

_ROLES = ("scores", "labels")
# A message of an exception is shown up to here.
LONGEST_MESSAGE = 300


class Failed(Exception):
    """The target raised, or what it returned is no loss; the words say which.

    endless: it was stopped for the time that it took.
    """

    def __init__(self, words: str, endless: bool = False) -> None:
        super().__init__(words)
        self.endless = endless


@dataclass(frozen=True)
class Result:
    """What came out: the raw numbers, the dtype of the array, and the gradient beside it."""

    raw: Numbers
    dtype: str
    gradient: Numbers | None = None


@dataclass(frozen=True)
class Trial:
    """A target under a convention.

    guard: a context that each call stands in, such as a limit on its time.
    gradient_of: the target's own gradient as a function of its arguments, for what has no autograd.
    kept: what the library has compiled of it.
    """

    target: Target
    convention: Convention
    guard: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)
    gradient_of: Callable[..., Any] | None = None
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def anew(self) -> Trial:
        """The same, with nothing compiled: its code runs again."""
        return replace(self, kept={})

    @property
    def framework(self) -> Framework:
        """The library of the arrays."""
        return FRAMEWORKS[self.convention.framework]

    def given(self, scores: Numbers, dtype: str) -> Numbers:
        """The numbers that the target sees for logits (b, n): those of the dtype, as (b, n)."""
        made = self._array(scores, dtype)
        return self.convention.rows(self.framework.floats(made), scores.shape)

    def run(self, scores: Numbers, labels: Numbers, dtype: str = "") -> Result:
        """The target on logits and labels (b, n), of its widest dtype by default; or Failed."""
        dtype = dtype or self.convention.widest
        array, encoded = self._array(scores, dtype), self._labels(labels, dtype)
        return self._guarded(lambda: self._result(array, encoded))

    def totals(self, scores: Numbers, labels: Numbers, dtype: str = "") -> Numbers:
        """The loss of each row where the reduction leaves rows apart, else that of the batch."""
        return self.reduced(self.run(scores, labels, dtype).raw, scores.shape)

    def reduced(self, raw: Numbers, shape: tuple[int, ...]) -> Numbers:
        """The loss of the rows, or of the batch as one number, from what came out."""
        rows, n = shape
        kind = self.convention.reduction
        if kind == "elements":
            if raw.size != rows * n:
                raise Failed(
                    f"the result has shape {raw.shape}, expected one number for each label"
                )
            return np.asarray(self.convention.rows(raw, shape).sum(axis=-1))
        expected = rows if kind in PER_ROW else 1
        if raw.size != expected:
            raise Failed(f"the result has shape {raw.shape}, expected {expected} numbers")
        return np.asarray(raw.reshape(-1) * self.convention.count(rows, n))

    @property
    def has_gradient(self) -> bool:
        """Whether there is any way to a gradient."""
        return self.framework.autograd or self._own() is not None

    def gradient(self, scores: Numbers, labels: Numbers, dtype: str = "") -> Numbers:
        """The gradient of the sum over the rows by the logits, (b, n)."""
        dtype = dtype or self.convention.widest
        array, encoded = self._array(scores, dtype), self._labels(labels, dtype)
        own = self._own()
        if own is not None:
            slope = self._guarded(lambda: self._own_slope(own, array, encoded))
        elif self.framework.autograd:
            slope = self._guarded(
                lambda: self.framework.gradient(self._loss, array, encoded, self.kept)
            )
        else:
            raise Failed(f"{self.framework.name} has no gradients")
        return self._by_logits(scores, dtype, slope)

    def hvp(self, scores: Numbers, labels: Numbers, vector: Numbers) -> Numbers:
        """The Hessian-vector product in float64, of a target on logits."""
        array, encoded = self._array(scores, "float64"), self._labels(labels, "float64")
        along = self.framework.array(self.convention.scores(vector), "float64")
        product = self._guarded(lambda: self.framework.hvp(self._loss, array, encoded, along))
        return self.convention.rows(product, scores.shape) * self._count(scores)

    def changed(self, scores: Numbers, labels: Numbers) -> str:
        """What a call writes into: scores, labels, both (`scores and labels`) or nothing."""
        if self.framework.immutable:
            return ""
        encoded = self._labels(labels, self.convention.widest)
        arguments = self._parted(self._array(scores, self.convention.widest), encoded)
        roles = ("positives", "negatives") if self.convention.labels == SIDES else _ROLES
        names = dict(zip(roles, arguments, strict=True))
        before = {name: self.framework.floats(x).copy() for name, x in names.items()}
        self._guarded(lambda: self._call(self.target.call, *arguments))
        after = {name: self.framework.floats(x) for name, x in names.items()}
        return " and ".join(n for n in names if not np.array_equal(before[n], after[n]))

    def _by_logits(self, scores: Numbers, dtype: str, slope: Numbers) -> Numbers:
        if slope.size != self.convention.scores(scores).size:
            raise Failed(f"the gradient has shape {slope.shape}, the scores have {scores.shape}")
        slope = self.convention.rows(slope, scores.shape) * self._count(scores)
        return gradient_by_logits(self.convention.input, self.given(scores, dtype), slope)

    def _count(self, scores: Numbers) -> int:
        return self.convention.count(*scores.shape)

    def _own(self) -> Callable[..., Any] | None:
        if self.gradient_of is not None or self.framework.autograd:
            return self.gradient_of
        return self.target.own_gradient

    def _array(self, scores: Numbers, dtype: str) -> Any:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return self.framework.array(self.convention.scores(scores), dtype)

    def _labels(self, labels: Numbers, dtype: str) -> Any:
        return self.convention.encode(labels, self.framework, dtype)

    def _parted(self, scores: Any, labels: Any) -> tuple[Any, Any]:
        """What the target is given: scores and labels, or the scores of either side."""
        if self.convention.labels != SIDES:
            return scores, labels
        positive, negative = (self.framework.picked(scores, index) for index in labels)
        return positive, negative

    def _own_slope(self, own: Callable[..., Any], scores: Any, labels: Any) -> Numbers:
        """The target's own gradient; those by two sides are put into one array."""
        returned = self._call(own, *self._parted(scores, labels))
        if self.convention.labels != SIDES:
            return self.framework.floats(returned)
        slope = self.framework.floats(scores)
        for index, part in zip(labels, returned, strict=True):
            places = self.framework.floats(index).astype(np.intp)
            np.put_along_axis(slope, places, self.framework.floats(part), axis=-1)
        return slope

    def _loss(self, scores: Any, labels: Any) -> Any:
        return _first(self._call(self.target.call, *self._parted(scores, labels)))

    def _result(self, scores: Any, labels: Any) -> Result:
        value = self.framework.value(self._loss, scores, labels, self.kept)
        return Result(self.framework.floats(value), self.framework.dtype_of(value))

    def _call(self, function: Callable[..., Any], scores: Any, labels: Any) -> Any:
        way = self.convention
        if way.names is not None:
            named = dict(zip(way.names, (scores, labels), strict=True))
            return function(**named, **way.options)
        ordered = (scores, labels) if way.scores_first else (labels, scores)
        return function(*ordered, **way.options)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), self.guard():
                warnings.simplefilter("ignore")
                return work()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the target is on trial: it may raise anything, even exit
            raise Failed(_in_words(error), isinstance(error, TimeoutError)) from None


def _first(returned: Any) -> Any:
    """The loss in what was returned: beside a gradient it comes first."""
    if isinstance(returned, dict):
        return returned.get("loss", next(iter(returned.values()), None))
    named = getattr(returned, "loss", None)
    if named is not None and not callable(named):
        return named
    is_pair = isinstance(returned, tuple) and len(returned) > 1
    return returned[0] if is_pair else returned


def _in_words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    shown = text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 3] + "..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
