"""Losses of Dask arrays: rows that no machine could hold, value and gradient, nothing read early.

The scores lie in blocks along the labels and along the batch.  A block gives the state of its part
of each row (`numeric_core.shards`); states are merged in a tree; the merged state gives the value,
and with it each block again gives its part of the gradient:

    scores, labels --state--> (*batch, size) --merge, merge, ...--> state --> value
    scores, labels, state --> gradient, in the blocks of the scores

What computes the scores is run twice, once for each pass: kept in between, they would all be in
memory at once.  (Blocks that are data already, such as those of a persisted array, are not copied.)

Source: da.reduction and dask.graph_manipulation.bind of Dask's documentation.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from numeric_core import checks
from numeric_core.namespace import Array, move_axis, namespace, round_to
from numeric_core.shards import Additive

__all__ = ["hvp", "known_chunks", "read_again", "value", "value_and_grad"]

Options = tuple[str, bool]
"""masked_positives and check of a loss."""


def value(loss: Any, scores: Array, labels: Array, axis: int, options: Options) -> Array:
    """The loss of every row as a Dask array: (*batch,).

    Errors in shapes, dtypes and chunks are raised now, those in values when it is computed.
    """
    scores, labels, axis = _prepared(loss, scores, labels, axis, options)
    return _value(loss, _state(loss, scores, labels, axis, options), scores, axis, options)


def value_and_grad(
    loss: Any, scores: Array, labels: Array, axis: int, options: Options
) -> tuple[Array, Array]:
    """The loss of every row, (*batch,), and its gradient, in the blocks of the scores."""
    import dask.array as da

    scores, labels, axis = _prepared(loss, scores, labels, axis, options)
    state = _state(loss, scores, labels, axis, options)
    again = (scores, labels)
    if scores.numblocks[axis] > 1:
        again = read_again(again, state)
    slope = partial(_gradient_block, loss=loss, axis=axis, options=options)
    gradient = da.map_blocks(
        slope, *again, state, dtype=scores.dtype, chunks=scores.chunks, meta=scores._meta
    )
    return _value(loss, state, scores, axis, options), gradient


def hvp(
    loss: Any, scores: Array, labels: Array, vector: Array, axis: int, options: Options
) -> Array:
    """The Hessian of every row times the vector, in the blocks of the scores.

    Each row is brought into one block, but for losses that are sums over the labels: their Hessians
    are diagonal.
    """
    import dask.array as da

    namespace(scores=scores, vector=vector)
    known_chunks("vector", vector)
    checks.same_shape("vector", vector, scores)
    chunks = scores.chunks
    if not isinstance(loss._shards(), Additive):
        scores = scores.rechunk({checks.axis_of(scores, axis): -1})
    scores, labels, axis = _prepared(loss, scores, labels, axis, options)
    multiply = partial(loss.hvp, axis=axis, masked_positives=options[0], check=options[1])
    arrays = (scores, labels, vector.rechunk(scores.chunks))
    product = da.map_blocks(multiply, *arrays, dtype=scores.dtype, meta=scores._meta)
    return product.rechunk(chunks)


def read_again(arrays: tuple[Array, ...], state: Array) -> tuple[Array, ...]:
    """The same arrays, whose blocks are made anew, and only when the states are there."""
    from dask.graph_manipulation import bind

    again: tuple[Array, ...] = bind(arrays, state)
    return again


def _prepared(
    loss: Any, scores: Array, labels: Array, axis: int, options: Options
) -> tuple[Array, Array, int]:
    """Checked; the labels as rows, in the blocks of the scores; the axis counted from 0."""
    checks.masked_positives_choice(options[0])
    xp = namespace(scores=scores, labels=labels)
    checks.floating(xp, "scores", scores)
    axis = checks.axis_of(scores, axis)
    for name, x in (("scores", scores), ("labels", labels)):
        known_chunks(name, x)
    if labels.ndim == scores.ndim - 1:
        labels = _one_hot(scores, labels, axis, options)
    checks.same_shape("labels", labels, scores)
    if scores.shape[axis] == 0:
        raise ValueError(
            f"Dask arrays must have a label, got scores of shape {scores.shape} with 0 along "
            f"axis {axis}"
        )
    blocks = scores.numblocks[axis]
    if blocks > 1 and loss._shards().whole:
        raise ValueError(
            f"{type(loss).__name__} needs each row in one block, got scores of chunks "
            f"{scores.chunks} with {blocks} along axis {axis}; use "
            f"scores.rechunk({{{axis}: -1}}), or a loss whose rows can be split: zlpr, soft_zlpr, "
            "softmax_cross_entropy, binary_cross_entropy, unified, focal, soft_focal, asymmetric"
        )
    return scores, labels.rechunk(scores.chunks), axis


def known_chunks(name: str, x: Array) -> None:
    """ValueError for blocks whose lengths are not known before they are computed."""
    if any(math.isnan(length) for length in x.shape):
        raise ValueError(
            f"{name} must have known chunk sizes, got shape {x.shape} with chunks {x.chunks}; "
            f"call {name}.compute_chunk_sizes() first"
        )


def _one_hot(scores: Array, index: Array, axis: int, options: Options) -> Array:
    """Rows with a single 1 for the integer index of a class, (*batch,)."""
    import dask.array as da

    batch = scores.shape[:axis] + scores.shape[axis + 1 :]
    if index.dtype.kind not in "iu" or index.shape != batch:
        raise ValueError(
            f"labels must have the shape of scores, {scores.shape}, or be the integer index of a "
            f"class, of shape {batch}; got {index.dtype} of shape {index.shape}"
        )
    n = scores.shape[axis]
    if options[1]:
        index = index.map_blocks(partial(_checked_index, n=n), dtype=index.dtype)
    shape = tuple(n if k == axis else 1 for k in range(scores.ndim))
    classes = da.arange(n, chunks=(scores.chunks[axis],)).reshape(shape)
    return da.expand_dims(index, axis) == classes


def _checked_index(index: Array, n: int) -> Array:
    checks.class_index(namespace(labels=index), index, n)
    return index


def _state(loss: Any, scores: Array, labels: Array, axis: int, options: Options) -> Array:
    """The merged states, `size` + 1 numbers of float64 along the label axis.

    The last one tells whether a label > 0 has a score of -inf.
    """
    import dask.array as da

    common = {"loss": loss, "place": axis, "options": options}
    return da.reduction(
        scores,
        partial(_state_block, **common),
        partial(_merged_blocks, **common, last=scores.dtype),
        combine=partial(_merged_blocks, **common),
        axis=axis,
        keepdims=True,
        dtype="float64",
        weights=labels,
        output_size=loss._shards().size + 1,
        meta=scores._meta.astype("float64"),
    )


def _value(loss: Any, state: Array, scores: Array, axis: int, options: Options) -> Array:
    import dask.array as da

    read = partial(_value_block, loss=loss, axis=axis, dtype=scores.dtype)
    return da.map_blocks(read, state, drop_axis=axis, dtype=scores.dtype)


def _state_block(
    scores: Array, weights: Array, *, loss: Any, place: int, options: Options, **_: Any
) -> Array:
    """The state of a part of rows; `weights` are the labels."""
    shards = loss._shards()
    rows = loss._rows(scores, weights, place, *options, whole=shards.by_part)
    xp, infinite = rows.xp, rows.infinite
    rows = replace(rows.widened(), infinite=None)
    state = shards.state(rows)
    flag = xp.zeros_like(state[..., :1])
    if infinite is not None:
        flag = xp.astype(xp.any(infinite, axis=-1, keepdims=True), flag.dtype)
    return move_axis(xp, xp.concat([state, flag], axis=-1), state.ndim - 1, place)


def _merged_blocks(
    states: Array, *, loss: Any, place: int, options: Options, last: Any = None, **_: Any
) -> Array:
    """States side by side along the label axis made one; checked when it is the last merge."""
    xp, shards = namespace(states=states), loss._shards()
    parts = move_axis(xp, states, place, states.ndim - 1)
    parts = xp.reshape(parts, (*parts.shape[:-1], -1, shards.size + 1))
    state = shards.merged(xp, parts[..., :-1])
    if last is not None and options[1]:
        shards.check(xp, state, last)
    state = xp.concat([state, xp.max(parts[..., -1:], axis=-2)], axis=-1)
    return move_axis(xp, state, state.ndim - 1, place)


def _value_block(state: Array, *, loss: Any, axis: int, dtype: Any) -> Array:
    """The loss of rows whose states are merged."""
    xp, shards = namespace(state=state), loss._shards()
    rows = move_axis(xp, state, axis, state.ndim - 1)
    value = shards.value(xp, rows[..., :-1])
    infinite = (rows[..., -1] > 0) & shards.counts(xp, rows[..., :-1])
    return round_to(xp, xp.where(infinite, xp.full_like(value, math.inf), value), dtype)


def _gradient_block(
    scores: Array, labels: Array, state: Array, *, loss: Any, axis: int, options: Options
) -> Array:
    """The gradient of a part of rows.  Its values were checked in the first pass."""
    rows = loss._rows(scores, labels, axis, options[0], False)
    merged = move_axis(rows.xp, state, axis, state.ndim - 1)[..., :-1]
    return rows.per_label(loss._shards().gradient(rows.widened(), merged))
