"""Losses over k-subsets of n labels: n-choose-k softmax, and its padded form (document 002).

A row has the scores s_i; x_i = e^{s_i}, and Z_k = e_k(x) sums e^{sum of the scores} over all
subsets of k labels.  With the positives S (labels 0/1, k of them)

    combination softmax   l = log Z_k - sum_{i in S} s_i = -log P(S)
    padded, at most K     l = log sum_{j=0..K} e^{(K - j) s_0} Z_j - sum_{i in S} s_i - (K - k) s_0

Counted from S, with v_i = e^{s_i} for the negatives and w_j = e^{-s_j} for the positives, a subset
takes a negatives in and leaves b positives out (`numeric_core.lattice`):

    combination   log sum_a e_a(v) e_a(w)                  {a = b}
    padded        log sum_{a - b <= K - k} e_a(v) e_b(w)   on the scores s - s_0

    dl/ds_i = P(i in S) for a negative, -P(i not in S) for a positive

and the Hessian is the covariance of the indicators of i in S.  In the lattice nothing
is subtracted.  NumPy rows go through power sums where these do not cancel (`numeric_core.light`);
the document's recursion as printed, which alternates in sign, is in `numeric_core.newton`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core import checks, light
from numeric_core.factors import balanced_tilt
from numeric_core.index_sets import All, Band, Diagonal, IndexSet
from numeric_core.lattice import LatticeLoss
from numeric_core.losses.softmax import softmax_cross_entropy
from numeric_core.losses.unified import unified
from numeric_core.losses.zlpr import ZLPR
from numeric_core.namespace import Array, Namespace, known, namespace, read
from numeric_core.parts import Part, memberships, products
from numeric_core.rows import Rows, by_blocks, score_rows
from numeric_core.sides import hard_sides, no_side, soft_sides
from numeric_core.symmetric import Product

__all__ = [
    "CombinationSoftmax",
    "PaddedCombinationSoftmax",
    "combination_softmax",
    "padded_combination_softmax",
]

# Below the log of half the least float64, 2^-1075, e^{s - s_0} is 0: such a label is in no subset.
LEAST_EXPONENT = -1075 * math.log(2.0)


class _SubsetLoss(LatticeLoss):
    """What both losses share: labels 0 and 1, counted."""

    _name: ClassVar[str]
    _soft: ClassVar[str]
    """The loss that an error recommends for soft labels."""

    def _labels(self, xp: Namespace, scores: Array, labels: Array, check: bool) -> Array:
        return super()._labels(xp, scores, labels, check=False)  # 0 and 1 are in their range

    def _check_rows(self, rows: Rows) -> None:
        checks.hard_labels(rows.xp, rows.labels, self._name, self._soft)

    def _order(self, rows: Rows) -> Array:
        """The number of positives of each row, as a float: (*batch,)."""
        return rows.xp.sum(rows.labels, axis=-1)


@dataclass(frozen=True)
class CombinationSoftmax(_SubsetLoss):
    """l = log Z_k - sum_{positives} s_i, k the number of positives; labels in {0, 1}.

    k: None takes the number of positives of each row, which may differ; an integer demands exactly
    so many in every row.  Give it where arrays are traced (jax.jit, torch.compile): without it
    n / 2 orders are computed there.

    It is the softmax cross-entropy over all subsets of k labels: for k = 1 softmax_cross_entropy,
    and the same for s + c.

    Limits: l -> 0 as the positives rise above the negatives, with all digits; no positives, no
    negatives, n = 0: 0.  A negative at -inf is in no subset.

    Accuracy: 1e-14 of the true value in float64, 1e-6 in float32, for the loss and each component
    of the gradient, also where they are 1e-300.  For n labels and m = min(k, n - k) it takes some
    3 n m multiplications, and memory for n (log2 m + 3) numbers a row.

    Errors besides the common ones: ValueError for labels other than 0 and 1, k < 0, k > n, a row
    with another number of positives than k; TypeError for a k that is no integer.

    Source: 7359 eq. 2; claims 7359-2, 7359-e.
    """

    k: int | None = None
    block = 1 << 62  # power sums take whole batches; what they leave is taken by blocks below
    _name = "combination_softmax"
    _soft = "order_r or soft_zlpr"

    def __post_init__(self) -> None:
        if self.k is not None:
            checks.count("k", self.k, least=0)

    def probabilities(self, scores: Array, *, k: int | None = None, axis: int = -1) -> Array:
        """P(i in S) for a random subset of k labels: the shape of scores; they sum to k.

        k: needed unless the loss was given one.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        order = self._given(k, rows.scores.shape[-1])
        if 0 in rows.scores.shape:
            return rows.per_label(rows.scores)
        masked = rows.scores <= checks.mask_bound(rows.xp, rows.dtype)
        checks.enough_unmasked(rows.xp, masked, order)
        return rows.per_label(_inclusion(replace(rows, masked=masked), order))

    def predict(self, scores: Array, *, k: int | None = None, axis: int = -1) -> Array:
        """The k largest scores: booleans of the shape of scores, of equal scores the first ones.

        k: needed unless the loss was given one.  Source: 7359-f.
        """
        checks.axis_of(scores, axis)
        return unified.predict(scores, k=self._given(k, scores.shape[axis]), axis=axis)

    def _given(self, k: int | None, n: int) -> int:
        """The k of a call, or else of the loss."""
        k = self.k if k is None else k
        if k is None:
            raise ValueError(
                "combination_softmax needs k= here, the number of labels to choose: got None, and "
                "the loss was made without one"
            )
        checks.count("k", k, least=0)
        checks.at_most_labels("k", k, n)
        return int(k)

    def _labels(self, xp: Namespace, scores: Array, labels: Array, check: bool) -> Array:
        if self.k is not None:
            checks.at_most_labels("k", self.k, scores.shape[-1])
        return super()._labels(xp, scores, labels, check)

    def _check_rows(self, rows: Rows) -> None:
        super()._check_rows(rows)
        if self.k is not None:
            checks.exactly(rows.xp, self._order(rows), self.k)

    def _few(
        self, scores: Array, labels: Array, axis: int, masked_positives: str, slopes: bool
    ) -> Any:
        """Of small batches of NumPy, by `numeric_core.direct.subsets`."""
        checks.masked_positives_choice(masked_positives)
        if type(scores) is not np.ndarray or type(labels) is not np.ndarray:
            return None
        if type(axis) is not int or axis != -1 or labels.ndim == 0:
            return None
        # rows that are answered have all the same number of positives
        given = np.count_nonzero(labels) * labels.shape[-1]
        if self.k is not None and given != self.k * labels.size:
            return None
        # at the first call: the import of this package is to cost little
        from numeric_core.direct import few, subsets

        return few.answer(subsets.few, True, scores, labels, slopes)

    def _value(self, rows: Rows) -> Array:
        return self._lightly(rows, gradient=False)[0]

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        value, gradient = self._lightly(rows, gradient=True)
        return value, gradient

    def _lightly(self, rows: Rows, *, gradient: bool) -> tuple[Array, ...]:
        """By power sums where the library is NumPy and a row allows it, else by the lattice."""
        if not is_numpy_array(rows.scores):
            return self._generally(rows, gradient=gradient)
        flat, batch = rows.flat(), rows.scores.shape[:-1]
        on = np.flatnonzero(flat.labels != 0)
        n = flat.scores.shape[1]
        counts = np.bincount(on // n, minlength=flat.scores.shape[0])
        fits = light.fitting(flat.scores, rows.bound, counts)
        k = int(counts[0])
        if not (fits.all() and (counts == k).all()):
            return self._grouped(rows, np.where(fits, counts, 0), gradient=gradient)
        found = light.losses(flat.scores, on, k, rows.bound, gradient=gradient)
        results = [x for x in (found.value, found.gradient) if x is not None]
        if not found.done.all():
            others = self._generally(flat.block(~found.done), gradient=gradient)
            for whole, part in zip(results, others, strict=True):
                whole[~found.done] = part
        return tuple(x.reshape((*batch, *x.shape[1:])) for x in results)

    def _grouped(self, rows: Rows, counts: Array, *, gradient: bool) -> tuple[Array, ...]:
        """Rows with one number of positives together; those with count 0 by the lattice."""
        flat, batch = rows.flat(), rows.scores.shape[:-1]
        results: list[Array] = []
        for k in np.unique(counts).tolist():
            here = counts == k
            way = self._lightly if k > 0 else self._generally
            parts = way(flat.block(here), gradient=gradient)
            results = results or [np.empty((here.size, *x.shape[1:]), x.dtype) for x in parts]
            for whole, part in zip(results, parts, strict=True):
                whole[here] = part
        return tuple(x.reshape((*batch, *x.shape[1:])) for x in results)

    def _generally(self, rows: Rows, *, gradient: bool) -> tuple[Array, ...]:
        way = super()._value_and_gradient if gradient else self._general_value
        return by_blocks(LatticeLoss.block, rows, way)

    def _general_value(self, rows: Rows) -> tuple[Array]:
        return (super()._value(rows),)

    def _parts(self, rows: Rows) -> list[Part]:
        v, w, places = hard_sides(rows)
        order = self._mistakes(rows)
        return [Part(v, w, Diagonal(order, order), places)]

    def _mistakes(self, rows: Rows) -> int:
        """The most negatives that can be taken in for positives left out: max min(k, n - k)."""
        n = rows.scores.shape[-1]
        if self.k is not None:
            return min(self.k, n - self.k)
        count = self._order(rows)
        most = read(rows.xp.max(rows.xp.where(count < n - count, count, n - count)))
        return n // 2 if most is None else int(most)

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        (product,) = by_blocks(LatticeLoss.block, rows, self._hvp_of_block, vector)
        return product

    def _hvp_of_block(self, rows: Rows, vector: Array) -> tuple[Array]:
        """H v = H (v - c) for every c: with sum_i P_i (v_i - c) = 0 nothing large cancels.

        For k = 1 a component is the single term P_i (v_i - c), for which softmax has the digits.
        """
        xp, count = rows.xp, self._order(rows)[..., None]
        (product,) = self._by_form(rows, products, self._centered(rows, vector, count))
        if known(xp.all(count != 1)) is True:
            return (product,)
        return (xp.where(count == 1, softmax_cross_entropy._hvp(rows, vector), product),)

    def _centered(self, rows: Rows, vector: Array, count: Array) -> Array:
        """v - c, seen from the v of the likeliest label, so that equal components give 0."""
        xp = rows.xp
        (inclusion,) = self._by_form(rows, memberships)
        at = xp.argmax(inclusion, axis=-1, keepdims=True)
        here = xp.arange(vector.shape[-1], dtype=at.dtype, device=device(at)) == at
        pivot = xp.sum(xp.where(here, vector, xp.zeros_like(vector)), axis=-1, keepdims=True)
        d = vector - pivot
        norm = xp.where(count > 0, count, xp.ones_like(count))
        return d - xp.sum(inclusion * d, axis=-1, keepdims=True) / norm

    def _infinite(self, rows: Rows) -> Array:
        """Where there is a negative to take in for the positive at -inf."""
        free = rows.labels == 0
        if rows.masked is not None:
            free = free & ~rows.masked
        return super()._infinite(rows) & rows.xp.any(free, axis=-1)


@dataclass(frozen=True)
class PaddedCombinationSoftmax(_SubsetLoss):
    """l = log sum_{j=0..K} e^{(K-j) s_0} Z_j - sum_{positives} s_i - (K - k) s_0, labels in {0, 1}.

    k <= K positives are filled up with K - k copies of a class 0 whose score is s_0, the only one
    that may be repeated.  So a row may have any number of labels up to K, and the labels are read
    off as the scores above s_0.

    max_labels: K; None for no limit.  From K = n on, and without limit, the sum has all subsets:
    l = sum_i log(1 + e^{-+(s_i - s_0)}), the binary cross-entropy of s - s_0.
    threshold: s_0.

    Limits: l -> 0 as positives rise and negatives fall, with all digits; n = 0: 0.  A negative at
    -inf is in no subset.

    Accuracy: as of `combination_softmax`.

    Errors besides the common ones: ValueError for labels other than 0 and 1, a row with more than
    K positives; TypeError for a K that is no integer.

    Source: 7359 eqs. 4 and 5; claims 7359-4, 7359-5a, 7359-5b, 7359-j.
    """

    max_labels: int | None = None
    threshold: float = 0.0
    _name = "padded_combination_softmax"
    _soft = "order_r or binary_cross_entropy"

    def __post_init__(self) -> None:
        if self.max_labels is not None:
            checks.count("max_labels", self.max_labels, least=0)
        checks.finite_number("threshold", self.threshold)

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """P(i in S) for a random subset of at most K labels: the shape of scores."""
        xp = namespace(scores=scores)
        return self.value_and_grad(scores, xp.zeros_like(scores), axis=axis)[1]

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """s > s_0, of more than K such scores the K largest: booleans of the shape of scores.

        Source: 7359-j.
        """
        above = ZLPR(self.threshold).predict(scores, axis=axis)
        n = scores.shape[axis]
        if self._unlimited(n):
            return above
        return above & unified.predict(scores, k=self.max_labels, axis=axis)

    def _unlimited(self, n: int) -> bool:
        return self.max_labels is None or self.max_labels >= n

    def _check_rows(self, rows: Rows) -> None:
        super()._check_rows(rows)
        if self.max_labels is not None:
            checks.at_most(rows.xp, self._order(rows), self.max_labels)

    def _parts(self, rows: Rows) -> list[Part]:
        v, w, places = hard_sides(rows, self.threshold)
        return [Part(v, w, self._terms(rows), places)]

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        """Covariances of independent labels are 0, and not what rounding leaves of them."""
        xp, product = rows.xp, super()._hvp(rows, vector)
        if self._unlimited(vector.shape[-1]):
            return product
        independent = self._independent(rows)
        if known(xp.any(independent)) is False:
            return product
        return xp.where(independent, replace(self, max_labels=None)._hvp(rows, vector), product)

    def _independent(self, rows: Rows) -> Array:
        """(*batch, 1): rows with at most K labels that any subset may have, others being masked."""
        possible = rows.scores - self.threshold > LEAST_EXPONENT
        count = rows.xp.sum(rows.xp.astype(possible, rows.scores.dtype), axis=-1, keepdims=True)
        return count <= self.max_labels

    def _terms(self, rows: Rows) -> IndexSet:
        n = rows.scores.shape[-1]
        if self.max_labels is None or self._unlimited(n):
            return All()
        count = self._order(rows)
        most = read(rows.xp.max(count))
        width = float(self.max_labels) - count
        return Band(self.max_labels, self.max_labels if most is None else int(most), width)


def _inclusion(rows: Rows, k: int) -> Array:
    """P(i in S) = x_i dZ_k/dx_i / Z_k, (*batch, n): the share of the terms that take label i."""
    xp, shape = rows.xp, rows.scores.shape
    rows = replace(rows, labels=xp.zeros_like(rows.scores)).widened().flat()
    v, none = soft_sides(rows)[0], no_side(rows)
    (leaves, _) = v.tilted(balanced_tilt(xp, v, none, float(k)))
    product = Product(xp, leaves, k)
    root = product.coefficients
    adjoint = product.adjoint(xp.concat([xp.zeros_like(root[:k, :]), 1.0 / root[k:, :]], axis=0))
    share, other = leaves.take * adjoint.take, leaves.stay * adjoint.stay
    return xp.reshape(xp.permute_dims(share / (share + other), (1, 0)), shape)


combination_softmax = CombinationSoftmax()
padded_combination_softmax = PaddedCombinationSoftmax()
