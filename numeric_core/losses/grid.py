"""The losses of n samples x m classes: the sum over the samples is inside the log (document 9158).

With the term a_ijk = t_ij e^{s_ik - s_ij} of sample i for an ordered pair of classes j != k:

    truncated (loss 1)  l = sum_j log D_j,                   D_j = 1 + sum_i sum_{k != j} a_ijk
    mirrored            l = 1/2 sum_j log D_j + 1/2 sum_k log E_k,
                                                             E_k = 1 + sum_i sum_{j != k} a_ijk
    pairwise            l = sum_{j != k} log P_jk,           P_jk = 1 + sum_i a_ijk
    centered (loss 3)   l = sum_j log C_j,                   C_j = 1 + sum_i t_ij e^{sbar_i - s_ij}

sbar_i is the mean of the sample's unmasked scores.  All are convex, and see only the differences of
the scores of a sample.  Sums under one log are `ClassSums` (D, E), the products of matrices of
`numeric_core.pairwise` (P), or row states over the samples (C):

    p_ij = t_ij e^{sbar_i - s_ij} / C_j,   dl/ds_ib = (1 / m_i) sum_j p_ij - p_ib,
    (H v)_ib = (1 / m_i) sum_j z_ij - z_ib,   z_ij = p_ij (d_ij - sum_i p_ij d_ij),  d = vbar - v

with m_i unmasked classes in sample i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numeric_core import checks, moderate
from numeric_core.distribution import center, probabilities, weigh
from numeric_core.exact import Pair, rounded, two_sum
from numeric_core.grid_sums import (
    centered,
    mean,
    mean_less_own,
    other_class,
    own_class,
    total,
)
from numeric_core.grids import GridLoss, check_labels, prepared
from numeric_core.least import LabelRows, class_overlaps, label_rows
from numeric_core.namespace import Array, finfo_max, log1p, namespace
from numeric_core.pairwise import element_gradient, element_hvp, element_value, products
from numeric_core.reductions import free_exponential_sum, log_partition
from numeric_core.rows import Rows, score_rows
from numeric_core.shards import GridShards
from numeric_core.shares import shares

__all__ = [
    "GridCentered",
    "GridMirrored",
    "GridPairwise",
    "GridTruncated",
    "grid_centered",
    "grid_mirrored",
    "grid_pairwise",
    "grid_truncated",
]


def _overlaps(labels: Array) -> tuple[LabelRows, Array]:
    """sum_i sqrt(t_ij t_ik) of all pairs of classes, checked."""
    xp = namespace(labels=labels)
    checks.grid(labels, "labels")
    check_labels(xp, labels)
    rows = label_rows(labels, -1)
    return rows, class_overlaps(rows)


@dataclass(frozen=True)
class GridTruncated(GridLoss):
    """l = sum_j log(1 + sum_i t_ij sum_{k != j} e^{s_ik - s_ij}): loss 1 of the document.

    What is left of the softmax cross-entropy of n samples when the product over the samples under
    each class's log is cut off after the first order.  Gradient components lie in (-1, m - 1).

    Limits: hard labels, s_i -> inf at the label's class: l -> 0 with all digits.  Its minimum over
    s is where t_ij = softmax_j(2 s_ij + log D_j): decoding needs the m numbers log D_j.

    Source: 9158 eqs. 2, 3; claims 9158-2, 9158-3.
    """

    def log_constants(self, scores: Array, labels: Array, *, check: bool = True) -> Array:
        """log D_j, the share of class j in the loss: (*batch, m), 0 for a class without samples."""
        rows = prepared(scores, labels, check)
        if 0 in rows.scores.shape:
            return rows.per_row(rows.xp.sum(rows.scores, axis=-2))
        return rows.per_row(own_class(rows).logs())

    def probabilities(self, scores: Array, *, log_constants: Array | None = None) -> Array:
        """softmax_j(2 s_ij + log D_j): the soft labels whose loss is least at s; shape of scores.

        log_constants: log D_j, (*batch, m), as `log_constants` gives them for the labels that the
        scores were fitted to.  A sample without unmasked classes has probabilities 0.
        """
        if log_constants is None:
            raise ValueError(
                "grid_truncated needs log_constants= for probabilities softmax(2 s + log D): "
                "scores alone do not fix the m numbers log D_j, got None; take them from "
                "grid_truncated.log_constants(scores, labels) on the data that the scores were "
                "fitted to, or from grid.soft_labels(scores)"
            )
        return _softmax(scores, 2.0, log_constants)

    def _few(self, scores: Array, labels: Array, *, slopes: bool) -> Any:
        return _few("truncated", scores, labels, slopes)

    def _swept(self, rows: Rows, *, gradient: bool) -> tuple[Array, Array] | None:
        return _swept("truncated", rows, gradient)

    def _parts(self) -> GridShards:
        from numeric_core.grid_parts import ClassParts  # for Dask only

        return ClassParts((own_class,))

    def _value(self, rows: Rows) -> Array:
        if moderate.fits(rows):
            return moderate.truncated(rows)[0]
        return total(rows.xp, own_class(rows).logs())

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        if moderate.fits(rows):
            value, gradient = moderate.truncated(rows)
            return value, gradient()
        sums = own_class(rows)
        return total(rows.xp, sums.logs()), sums.gradient()

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        return own_class(rows).hvp(vector)


@dataclass(frozen=True)
class GridMirrored(GridLoss):
    """l = 1/2 sum_j log D_j + 1/2 sum_k log E_k: half by the label's class, half by the other.

    D_j collects the terms t_ij e^{s_ik - s_ij} of the label's class j, E_k those of the other class
    k.  One log a class in O(n m), and for positive labels the minimum over s is where
    t = softmax(2 s) sample by sample.

    Limits: as of `grid_truncated`.  l < log 2 with hard labels: every largest score is right.
    """

    def probabilities(self, scores: Array) -> Array:
        """softmax(2 s): the soft labels whose loss is least at s; the shape of scores."""
        return _softmax(scores, 2.0)

    def minimum(self, labels: Array) -> Array:
        """sum_j log(1 + sum_{k != j} sum_i sqrt(t_ij t_ik)), the least loss for these labels.

        (*batch,), met at t = softmax(2 s).  Source: claim own-grid-mirrored.
        """
        rows, overlaps = _overlaps(labels)
        own = rows.xp.sum(overlaps, axis=-1)
        return rows.per_row(rows.xp.sum(log1p(rows.xp, own), axis=-1))

    def _few(self, scores: Array, labels: Array, *, slopes: bool) -> Any:
        return _few("mirrored", scores, labels, slopes)

    def _swept(self, rows: Rows, *, gradient: bool) -> tuple[Array, Array] | None:
        return _swept("mirrored", rows, gradient)

    def _parts(self) -> GridShards:
        from numeric_core.grid_parts import ClassParts  # for Dask only

        return ClassParts((own_class, other_class), 0.5)

    def _value(self, rows: Rows) -> Array:
        if moderate.fits(rows):
            return moderate.mirrored(rows)[0]
        return 0.5 * total(rows.xp, own_class(rows).logs(), other_class(rows).logs())

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        if moderate.fits(rows):
            value, gradient = moderate.mirrored(rows)
            return value, gradient()
        own, other = own_class(rows), other_class(rows)
        gradient = 0.5 * own.gradient() - 0.5 * other.gradient()
        return 0.5 * total(rows.xp, own.logs(), other.logs()), gradient

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        own, other = own_class(rows), other_class(rows)
        return 0.5 * own.hvp(vector) + 0.5 * other.hvp(vector)


@dataclass(frozen=True)
class GridPairwise(GridLoss):
    """l = sum_{j != k} log(1 + sum_i t_ij e^{s_ik - s_ij}): one log an ordered pair of classes.

    For positive labels the minimum over s is where t = softmax(2 s) sample by sample; for m = 2 it
    is `soft_zlpr` of s_i0 - s_i1.  Gradient components lie in (-(m - 1), m - 1).

    Costs O(n m^2): products of matrices where the scores of each sample lie within 300 of each
    other (float32 without a float64 at hand: 40) and no label > 0 is below 1e-80; else, and for
    Hessian-vector products of float64, element by element.

    Accuracy: with Numba 3.5 ulp were measured for float64 gradients of 1700 x 10, 300 x 60 and
    170 x 100; the products of matrices without it reach 7.4 ulp there.

    Limits: as of `grid_truncated`.  l < log 2 with hard labels: every largest score is right.
    """

    def probabilities(self, scores: Array) -> Array:
        """softmax(2 s): the soft labels whose loss is least at s; the shape of scores."""
        return _softmax(scores, 2.0)

    def minimum(self, labels: Array) -> Array:
        """sum_{j != k} log(1 + sum_i sqrt(t_ij t_ik)), the least loss for these labels.

        (*batch,), met at t = softmax(2 s).  Source: `lossproof derive grid pairwise-optimum`.
        """
        rows, overlaps = _overlaps(labels)
        return rows.per_row(rows.xp.sum(log1p(rows.xp, overlaps), axis=(-2, -1)))

    def _few(self, scores: Array, labels: Array, *, slopes: bool) -> Any:
        return _few("pairwise", scores, labels, slopes)

    def _swept(self, rows: Rows, *, gradient: bool) -> tuple[Array, Array] | None:
        return _swept("pairwise", rows, gradient)

    def _parts(self) -> GridShards:
        from numeric_core.grid_parts import PairParts  # for Dask only

        return PairParts()

    def _value(self, rows: Rows) -> Array:
        sums = products(rows)
        return element_value(rows) if sums is None else sums.value()

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        sums = products(rows)
        return element_gradient(rows) if sums is None else (sums.value(), sums.gradient())

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        sums = None if rows.exact else products(rows)
        if sums is None:
            return element_hvp(rows, vector)
        product = sums.rough_hvp(vector)
        return sums.hvp(vector) if product is None else product


@dataclass(frozen=True)
class GridCentered(GridLoss):
    """l = sum_j log(1 + sum_i t_ij e^{sbar_i - s_ij}): loss 3 of the document.

    sbar_i: the mean of the sample's unmasked scores.  The minimum over s is where t = softmax(s),
    but with m >= 3 classes and hard labels a loss near 0 does not make the largest score right: it
    takes s_i well above the mean at the label's class, no more.  Gradient components lie in
    (-(m - 1) / m, (m - 1) / m).

    Limits: s_i - sbar_i -> inf at the label's class: l -> 0 with all digits.  Float64 scores
    beyond 2^-30 finfo.max / m saturate there.

    Source: 9158 eq. 8; claims 9158-8, 9158-g, 9158-i.
    """

    def probabilities(self, scores: Array) -> Array:
        """softmax(s): the soft labels whose loss is least at s; the shape of scores."""
        return _softmax(scores, 1.0)

    def _few(self, scores: Array, labels: Array, *, slopes: bool) -> Any:
        return _few("centered", scores, labels, slopes)

    def _swept(self, rows: Rows, *, gradient: bool) -> tuple[Array, Array] | None:
        return _swept("centered", rows, gradient)

    def _parts(self) -> GridShards:
        from numeric_core.grid_parts import CenteredParts  # for Dask only

        return CenteredParts()

    def _value(self, rows: Rows) -> Array:
        if moderate.fits(rows):
            return moderate.centered(rows)[0]
        return total(rows.xp, log_partition(rows.xp, centered(rows)))

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        if moderate.fits(rows):
            value, gradient = moderate.centered(rows)
            return value, gradient()
        xp, state = rows.xp, centered(rows)
        p, unit = shares(xp, state, rows.exact)
        gradient = mean_less_own(rows, xp.matrix_transpose(rounded(p))) * unit
        return total(xp, log_partition(xp, state)), gradient

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp, state = rows.xp, centered(rows, exact=rows.exact)
        d = mean(rows, vector) - Pair.of(xp, vector)
        d = Pair(xp, *(xp.matrix_transpose(part) for part in (d.high, d.low)))
        z = weigh(xp, state, center(xp, state, d, null=True))
        return mean_less_own(rows, xp.matrix_transpose(rounded(z)))


def _few(name: str, scores: Array, labels: Array, slopes: bool) -> Any:
    """`few_grids.answer`."""
    from numeric_core import few_grids  # as below

    return few_grids.answer(name, scores, labels, slopes)


def _swept(name: str, rows: Rows, gradient: bool) -> tuple[Array, Array] | None:
    """`sweeps.swept` of a loss, by its name there."""
    # here, so that `import numeric_core` is done in the time that NumPy takes
    from numeric_core import fine, fine_pairs, sweeps

    in_digits = fine_pairs.pairwise if name == "pairwise" else getattr(fine, name)
    return sweeps.swept(getattr(sweeps, name), in_digits, rows, gradient)


def _softmax(scores: Array, factor: float, log_constants: Array | None = None) -> Array:
    """softmax_j(factor s_ij + log D_j), 0 in a sample without unmasked classes."""
    xp = namespace(scores=scores)
    checks.floating(xp, "scores", scores)
    checks.grid(scores)
    rows = score_rows(xp, scores, -1, check=True).widened()
    if 0 in rows.scores.shape:
        return rows.per_label(rows.scores)
    bound = 0.25 * finfo_max(xp, rows.scores.dtype)
    part = xp.astype(rows.scores > checks.mask_bound(xp, rows.dtype), rows.scores.dtype)
    x, low = factor * xp.clip(rows.scores, -bound, bound), None
    if log_constants is not None:
        x, low = two_sum(x, _constants(rows, log_constants))
    return rows.per_label(probabilities(xp, free_exponential_sum(xp, x, low, part)))


def _constants(rows: Rows, log_constants: Array) -> Array:
    """log D_j, checked, as (*batch, 1, m)."""
    xp = namespace(scores=rows.scores, log_constants=log_constants)
    checks.floating(xp, "log_constants", log_constants)
    shape = tuple(rows.scores.shape)
    if tuple(log_constants.shape) != (*shape[:-2], shape[-1]):
        raise ValueError(
            f"log_constants must have the shape (*batch, m) = {(*shape[:-2], shape[-1])} for "
            f"scores of shape {shape}, got {tuple(log_constants.shape)}"
        )
    return xp.astype(log_constants, rows.scores.dtype)[..., None, :]


grid_truncated = GridTruncated()
grid_mirrored = GridMirrored()
grid_pairwise = GridPairwise()
grid_centered = GridCentered()
