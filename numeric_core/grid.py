"""Loss 1 on n samples x m classes: its minimising scores for given labels, and the way back.

The truncated loss of scores s_ij and labels t_ij (rows >= 0 that sum to 1),

    l = sum_j log D_j,   D_j = 1 + sum_i t_ij sum_{k != j} e^{s_ik - s_ij},

is convex, strictly but for a shift of each row, and s minimises it iff

    t_ij = softmax_j(2 s_ij + log D_j).

So the m class constants log D_j are what ties scores and labels together.

`solve`: labels -> scores.  With G_jk = sum_i sqrt(t_ij t_ik) and K = I + offdiag(G) there is
exactly one y > 0 with y_j (K y)_j = 1 (`balancing`), and

    s_ij = log(t_ij) / 2 + log y_j + const_i,   D_j = 1 / y_j^2,   min l = -2 sum_j log y_j.

`soft_labels`: scores -> labels, m equations for D (`decoding`), with more than one solution for
some scores.

All functions take (*batch, n, m) of any array library.  What has n rows is computed where the
arrays are, in float64 where the library has one; the m unknowns are found on the host, in float64.
So values must be readable (not under jax.jit or torch.func.vmap), and results carry no gradient.

Source: document 000, eq. (2), whose author finds no solution; claim 9158-d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from array_api_compat import device

from numeric_core import balancing, checks, decoding
from numeric_core.balancing import Floats
from numeric_core.losses.grid import grid_truncated
from numeric_core.namespace import (
    Array,
    Namespace,
    compute_dtype,
    detached,
    log,
    namespace,
    on_host,
    round_to,
    wider_dtype,
)
from numeric_core.rows import score_rows

__all__ = ["Decoded", "Minimum", "log_constants", "soft_labels", "solve"]


@dataclass(frozen=True)
class Minimum:
    """Where the truncated loss of some labels is least.

    scores: (*batch, n, m), each row with mean 0 over its labels > 0.  log_constants: log D_j,
    (*batch, m).  minimum: the loss there, (*batch,).  residual: max_j |y_j (K y)_j - 1| as it was
    left, (*batch,), a float64 NumPy array: the certificate of convergence.
    """

    scores: Array
    log_constants: Array
    minimum: Array
    residual: Floats


@dataclass(frozen=True)
class Decoded:
    """Labels whose truncated loss some scores minimise.

    labels: (*batch, n, m).  log_constants: log D_j, (*batch, m).  residual: (*batch,), a float64
    NumPy array, max_j of the defect |1 - 1/D_j - sum_i t_ij R_ij / D_j|, R_ij = sum_{k != j}
    e^{s_ik - s_ij}.
    """

    labels: Array
    log_constants: Array
    residual: Floats


def solve(labels: Array, *, check: bool = True) -> Minimum:
    """The scores that minimise the truncated loss of these labels: the only ones, but for shifts.

    labels: (*batch, n, m) floats, rows >= 0 that sum to 1 within sqrt(eps), or rows of 0 (samples
    that do not count).

    Where t_ij = 0 the loss falls to its infimum as s_ij -> -inf: there the score is -inf, which
    `grid_truncated` reads as a masked class, and the minimum is that infimum.  Hard labels have
    the minimum 0.  A row of 0 has scores of -inf.

    Error: 1e-12 of log D_j and the minimum, 1e-12 absolute of the scores, for n up to 1e6 (float64;
    float32 and halves are rounded once).  Memory: three arrays of the size of the labels.
    Time: the matrix product G, n m^2, and some ten Newton steps of m^3.

    Raises TypeError for labels that are no floats, ValueError for labels outside [0, 1] or rows
    that do not sum to 1, RuntimeError if the Newton steps do not converge (none is known).
    """
    xp, t = _labels(labels, check)
    m = t.shape[-1]
    roots = xp.sqrt(t)
    gram = xp.matmul(xp.matrix_transpose(roots), roots)
    k = np.array(on_host(gram), dtype=np.float64).reshape((-1, m, m))
    k[:, np.arange(m), np.arange(m)] = 1.0
    y, left = balancing.balance(k)
    constants = np.log1p(balancing.excess(k, y)).reshape((*t.shape[:-2], m))
    scores = _centred(xp, t, _beside(xp, constants, t))
    return Minimum(
        round_to(xp, scores, labels.dtype),
        _rounded(xp, constants, labels),
        _rounded(xp, np.sum(constants, axis=-1), labels),
        np.max(np.abs(left), axis=-1, initial=0.0).reshape(t.shape[:-2]),
    )


def _labels(labels: Array, check: bool) -> tuple[Namespace, Array]:
    """Checked labels in the widest dtype at hand."""
    xp = namespace(labels=labels)
    checks.floating(xp, "labels", labels)
    _check_shape("labels", labels)
    t = _widened(xp, labels)
    if check:
        checks.label_range(xp, t)
        # as for softmax_cross_entropy: labels are normalised in the precision of their own dtype
        checks.grid_labels(xp, xp.sum(t, axis=-1), math.sqrt(float(xp.finfo(labels.dtype).eps)))
    return xp, t


def _check_shape(name: str, x: Array) -> None:
    """ValueError unless x is (*batch, n, m) with m >= 1."""
    if x.ndim < 2 or x.shape[-1] == 0:
        raise ValueError(
            f"{name} must have the shape (*batch, samples, classes) with at least one class, "
            f"got {tuple(x.shape)}"
        )


def _widened(xp: Namespace, x: Array) -> Array:
    """In float64 where there is one, else in float32; no gradient flows through the host."""
    x = xp.astype(detached(x), compute_dtype(xp, x.dtype), copy=False)
    wider = wider_dtype(xp, x)
    return x if wider is None else xp.astype(x, wider)


def _beside(xp: Namespace, x: Floats, like: Array) -> Array:
    """An array of the host, in the dtype and on the device of `like`."""
    return xp.asarray(x, dtype=like.dtype, device=device(like))


def _rounded(xp: Namespace, x: Floats, like: Array) -> Array:
    """The same, rounded to the dtype of `like` once."""
    wide = xp.asarray(x, dtype=compute_dtype(xp, like.dtype), device=device(like))
    return round_to(xp, wide, like.dtype)


def _centred(xp: Namespace, t: Array, constants: Array) -> Array:
    """(log t_ij - log D_j) / 2 less its mean over the labels > 0 of the row; -inf at t_ij = 0."""
    some = t > 0
    zero = xp.zeros_like(t)
    raw = 0.5 * (log(xp, xp.where(some, t, xp.ones_like(t))) - constants[..., None, :])
    kept = xp.where(some, raw, zero)
    count = xp.sum(xp.astype(some, t.dtype), axis=-1, keepdims=True)
    mean = xp.sum(kept, axis=-1, keepdims=True) / xp.where(count > 0, count, xp.ones_like(count))
    return xp.where(some, kept - mean, zero - math.inf)


def soft_labels(scores: Array, start: Array | None = None, *, check: bool = True) -> Decoded:
    """Labels t_ij = softmax_j(2 s_ij + log D_j) for which these scores minimise the truncated loss.

    scores: (*batch, n, m), finite or -inf (a masked class: label 0; a row of masked classes has
    labels 0).  start: log D from which to iterate, (*batch, m), >= 0; None for 0.

    *Not unique.*  There is always a solution; there is only one for m = 2 (D_0 = D_1), for one
    row, and for equal rows.  For m >= 3 there may be several: the 100 rows

        38 x (-8, 2, 0),   38 x (2, -8, 0),   24 x (3/4, 3/4, 0)

    have three, with log D near (3.13, 3.13, 2.49), (2.79, 2.79, 4.57) and (1.20, 1.20, 6.24), and
    the last row is decoded as (.472, .472, .056), (.300, .300, .400) or (.027, .027, .945).
    Different starts find them; start=0 finds one.  (The fewest rows that were found to have
    several are 30 for m = 3, and 23 for m = 7: a search, no proof.)  So whoever trains with this
    loss keeps the log_constants of the training labels, and decodes with them:
    `grid_truncated.probabilities`.

    Error: 1e-12 / |det M| or so, M the derivative of `decoding`, which is nearly singular where
    two solutions nearly meet.  Time: some ten matrix products n m^2.

    Raises TypeError for scores that are no floats, ValueError for nan and +inf and for a start of
    another shape, negative or not finite, RuntimeError where the iteration finds no solution.
    """
    xp = namespace(scores=scores) if start is None else namespace(scores=scores, start=start)
    checks.floating(xp, "scores", scores)
    _check_shape("scores", scores)
    s = _masked(xp, scores, check)
    n, m = s.shape[-2:]
    batch = tuple(s.shape[:-2])
    starts = np.zeros((*batch, m)) if start is None else _starts(start, (*batch, m))
    grids = [decoding.grid_of(xp, x) for x in _entries(xp, s, n, m)]
    pairs = zip(grids, starts.reshape((-1, m)), strict=True)
    constants = [decoding.decode(grid, x) for grid, x in pairs]
    solved = list(zip(grids, constants, strict=True))
    labels = [decoding.labels_of(grid, x) for grid, x in solved]
    left = [np.max(np.abs(decoding.defect(grid, x))) for grid, x in solved]
    stacked = xp.reshape(xp.stack(labels), s.shape) if labels else xp.zeros_like(s)
    return Decoded(
        round_to(xp, stacked, scores.dtype),
        _rounded(xp, np.reshape(np.asarray(constants), (*batch, m)), scores),
        np.reshape(np.asarray(left, dtype=np.float64), batch),
    )


def _masked(xp: Namespace, scores: Array, check: bool) -> Array:
    """Scores in the widest dtype, -inf where they are a mask."""
    prepared = score_rows(xp, scores, -1, check)
    masked = prepared.scores <= checks.mask_bound(xp, scores.dtype)
    s = _widened(xp, prepared.scores)
    return xp.where(masked, xp.zeros_like(s) - math.inf, s)


def _entries(xp: Namespace, s: Array, n: int, m: int) -> list[Array]:
    """The grids of a batch, one by one."""
    flat = xp.reshape(s, (math.prod(s.shape[:-2]), n, m))
    return [flat[place, ...] for place in range(flat.shape[0])]


def _starts(start: Array, shape: tuple[int, ...]) -> Floats:
    """The start on the host; log D_j = 0 is the least that a class can have."""
    given = np.asarray(on_host(start), dtype=np.float64)
    if given.shape != shape:
        raise ValueError(
            f"start must hold log D for each class, shape {shape} for these scores, "
            f"got {given.shape}"
        )
    if not (np.all(np.isfinite(given)) and np.all(given >= 0)):
        raise ValueError(f"start must be finite and >= 0 (log D, D >= 1), got {given.tolist()}")
    return given


def log_constants(scores: Array, labels: Array, *, check: bool = True) -> Array:
    """log D_j of any scores and labels, not only at the minimum: (*batch, m), each >= 0.

    Those of the training data decode the scores of a model that was trained with loss 1:
    `grid_truncated.probabilities(scores, log_constants=...)`.

    Shapes, masks, accuracy and errors are those of `grid_truncated`.
    """
    return grid_truncated.log_constants(scores, labels, check=check)
