"""Span scores (GlobalPointer): one score for every pair of a first and a last token.

    s_ij = (R_i q_i)^T (R_j k_j) / sqrt(d),   R_i a rotation by the angles i theta_e

Pair e of the coordinates, (2e, 2e + 1), is turned by theta_e = base^(-2e/d).  Rotations keep dot
products, so that s_ij depends on q_i, k_j and j - i alone (derivation spans.relative).

A span that ends before it starts, or reaches into the padding, is masked by the score -inf: it has
a part in neither value nor gradient of `zlpr` and `soft_zlpr` (derivation spans.masks), unlike the
finite -1e12 of printed code.  The losses take rows: `flatten` makes one of each square.

    s = spans.mask(spans.scores(query, key), lengths)
    value, gradient = zlpr.value_and_grad(spans.flatten(s), spans.flatten(labels))
    found = spans.decode(s)

Source: Su, GlobalPointer (2021, archives 8373); Su et al., RoFormer (2021), eq. 14 to 16 and 34;
claim 9064-46.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import device

from numeric_core import checks
from numeric_core.namespace import (
    Array,
    Namespace,
    compute_dtype,
    constant,
    known,
    namespace,
    on_host,
    round_to,
)

__all__ = ["BASE", "decode", "flatten", "mask", "scores", "unflatten"]

BASE = 10000.0
"""theta_e = BASE^(-2e/d): Su et al. 2021, section 3.2.2, after Vaswani et al. 2017."""


def scores(query: Array, key: Array, *, base: float | None = BASE, scaled: bool = True) -> Array:
    """(*batch, length, d) twice -> (*batch, length, length): first token i, last token j.

    query, key: floats, one vector for each token; heads (types of spans) are part of the batch,
    (samples, heads, length, d).  base: None for no rotation.  scaled: divided by sqrt(d).

    Two adjacent coordinates are a pair, as in RoFormer; where coordinates e and e + d/2 are one
    (GPT-NeoX), weights have to be permuted.

    Error: (d + 8) eps |q_i| |k_j| for the dtype computed in (float32 for halves), as far as the
    library's matrix product is one of that dtype, and max(i, j) 2^-51 |q_i| |k_j| of the angles,
    which are computed in float64.  Time and memory: that of one matrix product.

    Raises TypeError for what are no floats, ValueError for shapes that differ, for fewer than two
    dimensions, and for an odd d where there is a rotation.
    """
    xp = namespace(query=query, key=key)
    for name, x in (("query", query), ("key", key)):
        checks.floating(xp, name, x)
    _check_vectors(query, key, base)
    dtype = compute_dtype(xp, query.dtype)
    q, k = (xp.astype(x, dtype, copy=False) for x in (query, key))
    if base is not None:
        q, k = (_turned(xp, x, base) for x in (q, k))
    product = xp.matmul(q, xp.matrix_transpose(k))
    return round_to(xp, product / math.sqrt(query.shape[-1]) if scaled else product, query.dtype)


def mask(scores: Array, lengths: Array | None = None, *, ordered: bool = True) -> Array:
    """-inf wherever no span can be: in the padding, and below the diagonal (last before first).

    scores: (*batch, length, length).  lengths: integers, the tokens of each sample; their shape is
    that of the batch, or its first dimensions (one length for all heads).  None: no padding.
    ordered: False leaves the lower triangle, as for relations between heads of spans.

    Labels of masked spans must be 0.  Raises TypeError for lengths that are no integers,
    ValueError for shapes that do not fit and lengths outside 0..length.
    """
    arrays = {"scores": scores} if lengths is None else {"scores": scores, "lengths": lengths}
    xp = namespace(**arrays)
    checks.floating(xp, "scores", scores)
    length = _side(scores, "scores")
    place = xp.arange(length, device=device(scores))
    first, last = place[:, None], place[None, :]
    kept = (first <= last) if ordered else (first >= 0) & (last >= 0)
    if lengths is not None:
        _check_lengths(xp, lengths, scores)
        ends = xp.astype(lengths, place.dtype, copy=False)
        ends = xp.reshape(ends, (*lengths.shape, *(1 for _ in scores.shape[lengths.ndim :])))
        kept = kept & (first < ends) & (last < ends)
    return xp.where(kept, scores, constant(xp, -math.inf, scores))


def flatten(x: Array) -> Array:
    """(*batch, length, length) -> rows (*batch, length^2): scores, labels or booleans.

    Every square, one head of one sample, is a row of its own, with a loss of its own.
    """
    xp = namespace(x=x)
    side = _side(x, "x")
    return xp.reshape(x, (*x.shape[:-2], side * side))


def unflatten(rows: Array) -> Array:
    """The inverse of `flatten`: (*batch, length^2) -> (*batch, length, length)."""
    xp = namespace(rows=rows)
    side = math.isqrt(rows.shape[-1]) if rows.ndim else -1
    if side * side != (rows.shape[-1] if rows.ndim else 0):
        raise ValueError(
            f"rows must have the shape (*batch, length^2), got {tuple(rows.shape)}, whose last "
            "dimension is no square"
        )
    return xp.reshape(rows, (*rows.shape[:-1], side, side))


def decode(scores: Array, threshold: float = 0.0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The spans with scores above the threshold: (found, 2 + batch dimensions), on the host.

    One line for each, in the order of the array: the indices of the batch (sample, head), the first
    token and the last one, both included.  A masked span is never found.
    """
    checks.floating(namespace(scores=scores), "scores", scores)
    checks.finite_number("threshold", threshold)
    _side(scores, "scores")
    return np.argwhere(on_host(scores) > threshold)


def _turned(xp: Namespace, x: Array, base: float) -> Array:
    """R_i x_i for every token: (c a - s b, s a + c b) for each pair (a, b)."""
    cosine, sine = (
        xp.asarray(table, dtype=x.dtype, device=device(x))
        for table in _tables(int(x.shape[-2]), int(x.shape[-1]), base)
    )
    pairs = xp.reshape(x, (*x.shape[:-1], x.shape[-1] // 2, 2))
    a, b = pairs[..., 0], pairs[..., 1]
    turned = xp.stack([cosine * a - sine * b, sine * a + cosine * b], axis=-1)
    return xp.reshape(turned, x.shape)


def _tables(length: int, size: int, base: float) -> tuple[Any, Any]:
    """cos and sin of i theta_e, (length, size / 2), in float64: float32 loses them at i = 1e5."""
    theta = float(base) ** (-2.0 * np.arange(size // 2) / size)
    angle = np.arange(length)[:, None] * theta
    return np.cos(angle), np.sin(angle)


def _side(x: Array, name: str) -> int:
    """The length; ValueError unless the last two dimensions are equal."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"{name} must have the shape (*batch, length, length), got {tuple(x.shape)}"
        )
    return int(x.shape[-1])


def _check_vectors(query: Array, key: Array, base: float | None) -> None:
    if query.ndim < 2 or query.shape[-1] == 0:
        raise ValueError(
            f"query must have the shape (*batch, length, d) with d > 0, got {tuple(query.shape)}"
        )
    if tuple(key.shape) != tuple(query.shape) or key.dtype != query.dtype:
        raise ValueError(
            f"query and key must agree, got {tuple(query.shape)} of {query.dtype} and "
            f"{tuple(key.shape)} of {key.dtype}"
        )
    if base is not None:
        checks.finite_number("base", base, positive=True)
        if query.shape[-1] % 2:
            raise ValueError(
                f"rotations need pairs of coordinates: d must be even, got {query.shape[-1]}; or "
                "pass base=None"
            )


def _check_lengths(xp: Namespace, lengths: Array, scores: Array) -> None:
    if not xp.isdtype(lengths.dtype, "integral"):
        raise TypeError(f"lengths must be integers, got dtype {lengths.dtype}")
    batch = tuple(scores.shape[:-2])
    if tuple(lengths.shape) != batch[: lengths.ndim]:
        raise ValueError(
            f"lengths must have the shape {batch} of the batch or its first dimensions, got "
            f"{tuple(lengths.shape)}"
        )
    length = int(scores.shape[-1])
    if known(xp.all((lengths >= 0) & (lengths <= length))) is False:
        raise ValueError(
            f"lengths must lie in 0..{length}, got values from {on_host(xp.min(lengths))} to "
            f"{on_host(xp.max(lengths))}"
        )
