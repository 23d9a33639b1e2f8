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

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from array_api_compat import device, is_dask_array

from numeric_core import checks, kernels, lazy
from numeric_core.namespace import (
    BLOCK,
    Array,
    Namespace,
    move_axis,
    namespace,
    written,
)
from numeric_core.rows import (
    Rows,
    by_blocks,
    numeric,
    score_rows,
    tamed,
    vector_rows,
    with_labels,
)
from numeric_core.shards import Shards, WholeRows

if TYPE_CHECKING:
    from numeric_core.direct import Way

__all__ = ["Loss"]


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
        found = self._few(scores, labels, axis, masked_positives, slopes=False)
        if found is not None:
            return found[0]
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
        out: Array | None = None,
    ) -> tuple[Array, Array]:
        """The loss of every row, (*batch,), and its gradient, the shape of scores.

        out: where the gradient is written, an array of the library, shape and dtype of scores; it
        is returned in its place.  A large array made anew costs about as much as the loss itself,
        as the machine clears its memory: for the next batch, give the last one back.
        """
        if out is not None:
            checks.output(out, scores)
        found = self._few(scores, labels, axis, masked_positives, slopes=True)
        if found is not None:
            return found[0], written(found[1], out)
        if is_dask_array(scores):
            return lazy.value_and_grad(self, scores, labels, axis, (masked_positives, check))
        plain = partial(self._plain_value_and_grad, masked_positives=masked_positives, check=check)
        value, gradient = self._fused("value_and_grad", plain, scores, labels, axis, out)
        return value, written(gradient, out)

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
        checks.masked_positives_choice(masked_positives)
        # at the first call: the import of this package is to cost little
        from numeric_core.direct import products as direct

        kernel, way = self.kernel(), self.direct()
        products = kernels.compiled_product(kernel, scores, labels, vector, axis)
        if products is not None:
            return products.hvp(kernel, scores, labels, vector, axis, plain)
        if way is not None and direct.takes_product(way, scores, labels, vector, axis):
            return direct.hvp(way, scores, labels, vector, axis, plain)
        return plain(scores, labels, vector, axis=axis)

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
        v = vector_rows(rows, vector, scores, check)
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

    def _few(
        self, scores: Array, labels: Array, axis: int, masked_positives: str, slopes: bool
    ) -> Any:
        """Value and gradient of a small batch of NumPy, where nothing in it is uncommon."""
        checks.masked_positives_choice(masked_positives)
        way = self.direct()
        return None if way is None else way.at_once(scores, labels, axis, slopes)

    def _fused(
        self,
        quantity: str,
        plain: partial[Any],
        scores: Array,
        labels: Array,
        axis: int,
        out: Array | None = None,
    ) -> Any:
        """A quantity by the kernel, or directly, where that takes these arrays; else carefully."""
        checks.masked_positives_choice(plain.keywords["masked_positives"])
        # at the first call: the import of this package is to cost little
        from numeric_core import direct

        kernel, way = self.kernel(), self.direct()
        room = {} if out is None else {"out": out}

        def uncompiled(scores: Array, labels: Array, axis: int, **room: Array) -> Any:
            if direct.takes(way, scores, labels, axis):
                return getattr(direct, quantity)(way, scores, labels, axis, plain, **room)
            return plain(scores, labels, axis=axis)

        run = kernels.compiled(kernel, scores, labels, axis)
        if run is None:
            return uncompiled(scores, labels, axis, **room)
        return getattr(run, quantity)(kernel, scores, labels, axis, uncompiled, **room)

    def _shards(self) -> Shards:
        """The loss of rows in parts, where it has one: else a row is one part."""
        return WholeRows(self)

    def _tamed_hvp(self, rows: Rows, v: Array) -> tuple[Array]:
        """H v = factor H (v / factor), in float64 where that is cheaper than pairs."""
        rows = rows.widened()
        v = rows.xp.astype(v, rows.scores.dtype)
        v, factor = tamed(rows.xp, v)
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
