"""What all losses share: one row after the other, along any axis, in any namespace.

A loss maps a row of n scores s and n labels t to a number.  `Loss` turns arrays (*batch, n) with
the label axis anywhere into prepared rows (label axis last, compute dtype, checked), asks the
subclass for the mathematics on them, and turns the result back: dtype, device and axis are those
of the scores.  Value, gradient, Hessian-vector product and Hessian are those of each row's own
loss; nothing is summed or averaged over the batch.

    loss(s, t)                     (*batch,)        l
    loss.value_and_grad(s, t)      + (*batch, n)    l, dl / ds_i
    loss.hvp(s, t, v)              (*batch, n)      sum_k d2l / (ds_i ds_k) v_k
    loss.hessian(s, t)             (*batch, n, n)   d2l / (ds_i ds_k), the label axis moved last
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from array_api_compat import device, is_dask_array

from numeric_core import checks, direct, kernels, lazy
from numeric_core.direct import Way
from numeric_core.namespace import (
    BLOCK,
    Array,
    Namespace,
    block_length,
    compute_dtype,
    constant,
    finfo,
    finfo_max,
    is_floating,
    move_axis,
    namespace,
    one_hot,
    read,
    round_to,
    wider_dtype,
)
from numeric_core.shards import Shards, WholeRows

__all__ = ["Loss", "Rows", "by_blocks", "class_labels", "numeric", "score_rows", "with_labels"]


@dataclass(frozen=True)
class Rows:
    """Scores and labels as a loss sees them: (*batch, n) in the compute dtype.

    scores are finite: -inf has become -finfo.max.  labels: None where only scores are asked for.
    bound is max |s| over all rows, inf where it could not be read.  masked: where a score is a
    mask; None when there is none for sure.  infinite: where a score was -inf under a label > 0
    (masked_positives="value" only).
    """

    xp: Namespace
    scores: Array
    labels: Array
    axis: int
    dtype: Any
    bound: float
    masked: Array | None = None
    infinite: Array | None = None

    @property
    def exact(self) -> bool:
        """Whether a result is rounded in the compute dtype, so that each rounding of it counts."""
        stored, computed = (finfo(self.xp, x) for x in (self.dtype, self.scores.dtype))
        return bool(stored.bits >= computed.bits)

    def widened(self) -> Rows:
        """The same rows in float64, where the library and the device have it."""
        dtype = wider_dtype(self.xp, self.scores)
        if dtype is None:
            return self
        arrays = {"scores": self.scores, "labels": self.labels}
        wide = {k: self.xp.astype(x, dtype) for k, x in arrays.items() if x is not None}
        return replace(self, **wide)

    def flat(self) -> Rows:
        """The batch as one dimension."""
        if self.scores.ndim == 2:
            return self
        return self._each(lambda x: _flat(self.xp, x))

    def block(self, part: slice | Array) -> Rows:
        """Some rows of a flat batch: a slice, or booleans."""
        return self._each(lambda x: x[part, :])

    def _each(self, function: Callable[[Array], Array]) -> Rows:
        names = ("scores", "labels", "masked", "infinite")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{k: function(x) for k, x in arrays.items() if x is not None})

    def per_row(self, value: Array) -> Array:
        """(*batch,) in the dtype of the scores."""
        return round_to(self.xp, value, self.dtype)

    def per_label(self, x: Array) -> Array:
        """(*batch, n) -> the dtype and the axis order of the scores."""
        return self.per_choice(round_to(self.xp, x, self.dtype))

    def per_choice(self, x: Array) -> Array:
        """(*batch, n) of any dtype -> the axis order of the scores."""
        return move_axis(self.xp, x, x.ndim - 1, self.axis)


class Loss(ABC):
    """A loss of rows.  Subclasses supply `_value`, `_gradient`, ... on prepared rows.

    Common parameters.  scores: floats, finite or -inf (a masked label).  labels: same shape, in
    [0, 1], float, integer or bool; converted to the compute dtype.  axis: the label axis.
    masked_positives: "error", or "value" for the true loss of a masked label with label > 0.
    check: False skips the checks of values (not of shapes and dtypes); bad values then give
    unspecified results.

    Accuracy.  float32 and float64: 4 ulp of the true value for the loss, and for a component of
    gradient and Hessian-vector product whose terms have one sign; 4 ulp of the larger side where it
    is a difference.  float16 and bfloat16: 1 ulp.  `lossproof verify` measures it; the formulas
    rest on the derivations NAME.value, NAME.gradient, NAME.hvp of `lossproof derive`.

    Common errors.  TypeError: no arrays, arrays of different libraries, scores that are not
    floating.  ValueError: shapes that differ, axis out of range, scores nan or +inf, labels nan or
    outside [0, 1], a masked label with label > 0.
    """

    empty_rows: ClassVar[bool] = True
    """Whether a row of n = 0 labels has a loss (0)."""

    block: ClassVar[int] = BLOCK
    """Scores worked on at a time, where rows are taken a few at a time."""

    def __call__(
        self,
        scores: Array,
        labels: Array,
        *,
        axis: int = -1,
        masked_positives: str = "error",
        check: bool = True,
    ) -> Array:
        """The loss of every row: (*batch,)."""
        if is_dask_array(scores):
            return lazy.value(self, scores, labels, axis, (masked_positives, check))
        plain = partial(self._plain_value, masked_positives=masked_positives, check=check)
        return self._fused("value", plain, scores, labels, axis)

    def _plain_value(
        self, scores: Array, labels: Array, axis: int, masked_positives: str, check: bool
    ) -> Array:
        rows = self._rows(scores, labels, axis, masked_positives, check)
        if rows.scores.shape[-1] == 0:
            return rows.per_row(rows.xp.sum(rows.scores, axis=-1))
        (value,) = by_blocks(self.block, rows, lambda part: (self._value(part),))
        return rows.per_row(value)

    def value_and_grad(
        self,
        scores: Array,
        labels: Array,
        *,
        axis: int = -1,
        masked_positives: str = "error",
        check: bool = True,
    ) -> tuple[Array, Array]:
        """The loss of every row, (*batch,), and its gradient, the shape of scores."""
        if is_dask_array(scores):
            return lazy.value_and_grad(self, scores, labels, axis, (masked_positives, check))
        plain = partial(self._plain_value_and_grad, masked_positives=masked_positives, check=check)
        return self._fused("value_and_grad", plain, scores, labels, axis)

    def _plain_value_and_grad(
        self, scores: Array, labels: Array, axis: int, masked_positives: str, check: bool
    ) -> tuple[Array, Array]:
        rows = self._rows(scores, labels, axis, masked_positives, check)
        if rows.scores.shape[-1] == 0:
            return rows.per_row(rows.xp.sum(rows.scores, axis=-1)), rows.per_label(rows.scores)
        value, gradient = by_blocks(self.block, rows, self._value_and_gradient)
        return rows.per_row(value), rows.per_label(gradient)

    def hvp(
        self,
        scores: Array,
        labels: Array,
        vector: Array,
        *,
        axis: int = -1,
        masked_positives: str = "error",
        check: bool = True,
    ) -> Array:
        """The Hessian of every row times its part of vector: the shape of scores."""
        if is_dask_array(scores):
            return lazy.hvp(self, scores, labels, vector, axis, (masked_positives, check))
        plain = partial(self._plain_hvp, masked_positives=masked_positives, check=check)
        kernel = self.kernel()
        products = kernels.compiled_product(kernel, scores, labels, vector, axis)
        if products is None:
            return plain(scores, labels, vector, axis=axis)
        checks.masked_positives_choice(masked_positives)
        return products.hvp(kernel, scores, labels, vector, axis, plain)

    def _plain_hvp(
        self,
        scores: Array,
        labels: Array,
        vector: Array,
        axis: int,
        masked_positives: str,
        check: bool,
    ) -> Array:
        rows = self._rows(scores, labels, axis, masked_positives, check)
        v = _vector(rows, vector, scores, check)
        if rows.scores.shape[-1] == 0:
            return rows.per_label(rows.scores)
        (product,) = by_blocks(self.block, rows, self._tamed_hvp, v)
        return rows.per_label(product)

    def hessian(
        self,
        scores: Array,
        labels: Array,
        *,
        axis: int = -1,
        masked_positives: str = "error",
        check: bool = True,
    ) -> Array:
        """The Hessian of every row: (*batch, n, n), symmetric to the last bit."""
        rows = self._rows(scores, labels, axis, masked_positives, check)
        if rows.scores.shape[-1] == 0:
            return rows.per_row(rows.xp.reshape(rows.scores, (*rows.scores.shape, 0)))
        diagonal, off_diagonal = self._hessian(rows)
        n = diagonal.shape[-1]
        index = rows.xp.arange(n, device=device(diagonal))
        on_diagonal = index[:, None] == index[None, :]
        return rows.per_row(rows.xp.where(on_diagonal, diagonal[..., None], off_diagonal))

    def kernel(self) -> kernels.Kernel | None:
        """The compiled kernel of this loss, where it has one."""
        return None

    def direct(self) -> Way | None:
        """How NumPy rows that need no shift are computed, where the loss has such a way."""
        return None

    def _fused(
        self, quantity: str, plain: partial[Any], scores: Array, labels: Array, axis: int
    ) -> Any:
        """A quantity by the kernel, or directly, where that takes these arrays; else carefully."""
        checks.masked_positives_choice(plain.keywords["masked_positives"])
        kernel, way = self.kernel(), self.direct()

        def uncompiled(scores: Array, labels: Array, axis: int) -> Any:
            if direct.takes(way, scores, labels, axis):
                return getattr(direct, quantity)(way, scores, labels, axis, plain)
            return plain(scores, labels, axis=axis)

        run = kernels.compiled(kernel, scores, labels, axis)
        if run is None:
            return uncompiled(scores, labels, axis)
        return getattr(run, quantity)(kernel, scores, labels, axis, uncompiled)

    def _shards(self) -> Shards:
        """The loss of rows in parts, where it has one: else a row is one part."""
        return WholeRows(self)

    def _tamed_hvp(self, rows: Rows, v: Array) -> tuple[Array]:
        """H v = factor H (v / factor), in float64 where that is cheaper than pairs."""
        rows = rows.widened()
        v = rows.xp.astype(v, rows.scores.dtype)
        v, factor = _tamed(rows.xp, v)
        return (self._hvp(rows, v) * factor,)

    @abstractmethod
    def _value(self, rows: Rows) -> Array:
        """(*batch,)"""

    @abstractmethod
    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        """(*batch,), (*batch, n)"""

    @abstractmethod
    def _hvp(self, rows: Rows, vector: Array) -> Array:
        """(*batch, n)"""

    @abstractmethod
    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        """The diagonal (*batch, n), and (*batch, n, n) whose diagonal is not read."""

    def _labels(self, xp: Namespace, scores: Array, labels: Array, check: bool) -> Array:
        """Labels of the shape of scores, checked, in their own dtype; axis already last."""
        checks.same_shape("labels", labels, scores)
        if check:
            checks.label_range(xp, numeric(xp, labels))
        return labels

    def _check_rows(self, rows: Rows) -> None:
        """Further checks of values, where a loss has some."""
        return None

    def _rows(
        self,
        scores: Array,
        labels: Array,
        axis: int,
        masked_positives: str,
        check: bool,
        whole: bool = True,
    ) -> Rows:
        """whole: whether conditions on whole rows are checked too."""
        checks.masked_positives_choice(masked_positives)
        xp = namespace(scores=scores, labels=labels)
        rows = score_rows(xp, scores, axis, check)
        n = rows.scores.shape[-1]
        if n == 0 and not self.empty_rows:
            raise ValueError(
                f"{type(self).__name__} needs at least one class, "
                f"got scores of shape {tuple(scores.shape)} with 0 along axis {axis}"
            )
        if labels.ndim == scores.ndim:
            checks.same_shape("labels", labels, scores)
            labels = move_axis(xp, labels, rows.axis, labels.ndim - 1)
        labels = self._labels(xp, rows.scores, labels, check)
        if labels.dtype != rows.scores.dtype:
            labels = xp.astype(numeric(xp, labels), rows.scores.dtype)
        rows = with_labels(rows, scores, labels, masked_positives, check)
        if check and whole:
            self._check_rows(rows)
        return rows


def class_labels(xp: Namespace, scores: Array, labels: Array, check: bool) -> Array | None:
    """One-hot rows for the integer index of a class, (*batch,); None for labels that are rows."""
    if labels.ndim != scores.ndim - 1 or not xp.isdtype(labels.dtype, "integral"):
        return None
    if tuple(labels.shape) != tuple(scores.shape[:-1]):
        raise ValueError(
            f"a class index must have the shape of scores without the label axis, "
            f"{tuple(scores.shape[:-1])}, got {tuple(labels.shape)}"
        )
    n = scores.shape[-1]
    if check:
        checks.class_index(xp, labels, n)
    return one_hot(xp, labels, n, scores.dtype)


def numeric(xp: Namespace, labels: Array) -> Array:
    """bool labels as integers: min, max and comparisons are not defined for bool."""
    if is_floating(xp, labels.dtype):
        return labels
    if xp.isdtype(labels.dtype, "bool"):
        return xp.astype(labels, xp.int8)
    if not xp.isdtype(labels.dtype, ("integral", "real floating")):
        raise TypeError(f"labels must be real numbers or bool, got dtype {labels.dtype}")
    return labels


def score_rows(xp: Namespace, scores: Array, axis: int, check: bool) -> Rows:
    """Scores alone, prepared: as much as `probabilities` and `predict` need."""
    checks.floating(xp, "scores", scores)
    position = checks.axis_of(scores, axis)
    s = move_axis(xp, scores, position, scores.ndim - 1)
    dtype = compute_dtype(xp, scores.dtype)
    s = s if s.dtype == dtype else xp.astype(s, dtype)
    low, high = (0.0, 0.0) if 0 in s.shape else (read(xp.min(s)), read(xp.max(s)))
    if check:
        checks.score_values(low, high)
    bound = math.inf if low is None or high is None else max(-low, high)
    if bound == math.inf:
        largest = constant(xp, finfo_max(xp, dtype), s)
        s = xp.where(s > -largest, s, -largest)
    return Rows(xp, s, None, position, scores.dtype, bound)


def with_labels(
    rows: Rows, scores: Array, labels: Array, masked_positives: str, check: bool
) -> Rows:
    """Adds labels; finds masks, and the masked labels with label > 0, where there can be some."""
    xp = rows.xp
    mask = checks.mask_bound(xp, rows.dtype)
    masked = infinite = None
    if rows.bound >= -mask:
        masked = rows.scores <= mask
        if masked_positives == "value":
            # the scores of the rows are finite by now: -inf is seen in the original
            original = move_axis(xp, scores, rows.axis, scores.ndim - 1)
            infinite = (original == -math.inf) & (labels > 0)
        elif check:
            checks.no_masked_positives(xp, masked, labels)
    return Rows(xp, rows.scores, labels, rows.axis, rows.dtype, rows.bound, masked, infinite)


def _vector(rows: Rows, vector: Array, scores: Array, check: bool) -> Array:
    """The vector of a Hessian-vector product, axis last and in the compute dtype."""
    namespace(scores=scores, vector=vector)
    checks.floating(rows.xp, "vector", vector)
    checks.same_shape("vector", vector, scores)
    if check:
        checks.finite_vector(rows.xp, vector)
    v = move_axis(rows.xp, vector, rows.axis, vector.ndim - 1)
    return rows.xp.astype(v, rows.scores.dtype)


def by_blocks(
    block: int, rows: Rows, compute: Callable[..., tuple[Array, ...]], *more: Array
) -> tuple[Array, ...]:
    """compute(rows, *more), a few rows at a time where that keeps temporaries in the cache."""
    step = block_length(rows.scores, block)
    if step is None:
        return compute(rows, *more)
    xp, batch = rows.xp, rows.scores.shape[:-1]
    count = math.prod(batch)
    rows, more = rows.flat(), tuple(_flat(xp, x) for x in more)
    parts = [slice(start, start + step) for start in range(0, count, step)]
    results = [compute(rows.block(part), *(x[part, :] for x in more)) for part in parts]
    columns = (xp.concat(column, axis=0) for column in zip(*results, strict=True))
    return tuple(xp.reshape(x, (*batch, *x.shape[1:])) for x in columns)


def _flat(xp: Namespace, x: Array) -> Array:
    """(*batch, n) -> (rows, n)."""
    return xp.reshape(x, (-1, x.shape[-1]))


def _tamed(xp: Namespace, v: Array) -> tuple[Array, Array]:
    """v / factor and the factor, a power of two: error-free products must not overflow."""
    large = constant(xp, 2.0**64, v)
    top = xp.max(xp.abs(v), axis=-1, keepdims=True)
    factor = xp.where(top > finfo_max(xp, v.dtype) / 2.0**64, large, xp.ones_like(top))
    return v / factor, factor
