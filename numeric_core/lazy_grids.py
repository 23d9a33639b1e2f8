"""Losses of grids in Dask arrays: samples that no machine could hold, nothing read early.

The scores (*batch, n, m) lie in blocks along samples, classes and batch.  The classes of a sample
are brought together; a block of samples gives its part of the sums under the logs
(`numeric_core.grid_parts`), sums are merged in a tree, and with the merged ones each block again
gives its part of the gradient, which goes back to the blocks of the scores:

    scores, labels --state--> (*batch, 3 count, m) --merge, merge, ...--> state --> value
    scores, labels, state --> gradient

The Hessian-vector product needs each grid in one block, and brings it there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from numeric_core import checks
from numeric_core.lazy import known_chunks, read_again
from numeric_core.namespace import Array, Namespace, namespace, round_to

__all__ = ["hvp", "value", "value_and_grad"]


def value(loss: Any, scores: Array, labels: Array, check: bool) -> Array:
    """The loss of every grid as a Dask array: (*batch,).

    Errors in shapes, dtypes and chunks are raised now, those in values when it is computed.
    """
    scores, labels = _together(*_prepared(scores, labels))
    return _value(loss, _state(loss, scores, labels, check), scores)


def value_and_grad(loss: Any, scores: Array, labels: Array, check: bool) -> tuple[Array, Array]:
    """The loss of every grid, (*batch,), and its gradient, in the blocks of the scores."""
    import dask.array as da

    given = _prepared(scores, labels)
    scores, labels = _together(*given)
    state = _state(loss, scores, labels, check)
    again = (scores, labels)
    if scores.numblocks[-2] > 1:
        # bound before and not after: else Dask was seen to keep all that it brings together
        again = _together(*read_again(given, state))
    slope = partial(_gradient_block, loss=loss)
    gradient = da.map_blocks(
        slope, *again, state, dtype=scores.dtype, chunks=scores.chunks, meta=scores._meta
    )
    return _value(loss, state, scores), gradient.rechunk(given[0].chunks)


def hvp(loss: Any, scores: Array, labels: Array, vector: Array, check: bool) -> Array:
    """The Hessian times the vector, in the blocks of the scores; a grid is taken in one block."""
    import dask.array as da

    scores, labels = _prepared(scores, labels)
    _prepared(scores, vector, "vector")
    whole = [x.rechunk({x.ndim - 2: -1, x.ndim - 1: -1}) for x in (scores, labels, vector)]
    whole[1:] = [x.rechunk(whole[0].chunks) for x in whole[1:]]
    product = da.map_blocks(
        partial(loss.hvp, check=check), *whole, dtype=scores.dtype, meta=scores._meta
    )
    return product.rechunk(scores.chunks)


def _prepared(scores: Array, labels: Array, name: str = "labels") -> tuple[Array, Array]:
    """Checked, as far as nothing has to be read."""
    xp = namespace(scores=scores, **{name: labels})
    checks.floating(xp, "scores", scores)
    checks.grid(scores)
    known_chunks("scores", scores)
    known_chunks(name, labels)
    checks.same_shape(name, labels, scores)
    if 0 in scores.shape:
        raise ValueError(f"Dask arrays must have scores, got shape {scores.shape}")
    return scores, labels


def _together(scores: Array, labels: Array) -> tuple[Array, Array]:
    """All classes of a sample in one block, of fewer samples, so that no block is larger."""
    if scores.numblocks[-1] > 1:
        size = max(_largest(scores), scores.shape[-1]) * scores.dtype.itemsize
        sizes = {scores.ndim - 1: -1, scores.ndim - 2: "auto"}
        scores = scores.rechunk(sizes, block_size_limit=size)
    return scores, labels.rechunk(scores.chunks)


def _largest(x: Array) -> int:
    """Entries of the largest block."""
    found = 1
    for lengths in x.chunks:
        found *= max(lengths)
    return found


def _state(loss: Any, scores: Array, labels: Array, check: bool) -> Array:
    """The merged sums: (*batch, 3 count, m) in float64."""
    import dask.array as da

    common = {"loss": loss, "options": check}
    merge = partial(_merged_blocks, **common)
    return da.reduction(
        scores,
        partial(_state_block, **common),
        merge,
        combine=merge,
        axis=scores.ndim - 2,
        keepdims=True,
        dtype="float64",
        weights=labels,
        output_size=3 * loss._parts().count(scores.shape[-1]),
        meta=scores._meta.astype("float64"),
    )


def _value(loss: Any, state: Array, scores: Array) -> Array:
    import dask.array as da

    read = partial(_value_block, loss=loss, dtype=scores.dtype)
    return da.map_blocks(
        read, state, drop_axis=(state.ndim - 2, state.ndim - 1), dtype=scores.dtype
    )


def _state_block(scores: Array, weights: Array, *, loss: Any, options: bool, **_: Any) -> Array:
    """The sums of a block of samples; `weights` are the labels."""
    rows = loss._rows(scores, weights, options)
    return _packed(rows.xp, loss._parts().state(rows))


def _merged_blocks(states: Array, *, loss: Any, options: bool, **_: Any) -> Array:
    """Sums side by side along the samples made one."""
    xp, parts = namespace(states=states), loss._parts()
    count = parts.count(states.shape[-1])
    side = xp.reshape(states, (*states.shape[:-2], -1, count, 3, states.shape[-1]))
    order = tuple(range(side.ndim - 4))
    side = xp.permute_dims(side, (*order, *(len(order) + k for k in (1, 3, 0, 2))))
    return _packed(xp, parts.merged(xp, side))


def _value_block(state: Array, *, loss: Any, dtype: Any) -> Array:
    xp = namespace(state=state)
    return round_to(xp, loss._parts().value(xp, _unpacked(xp, state)), dtype)


def _gradient_block(scores: Array, labels: Array, state: Array, *, loss: Any) -> Array:
    """The gradient of a block of samples.  Its values were checked in the first pass."""
    rows = loss._rows(scores, labels, False)
    return rows.per_label(loss._parts().gradient(rows, _unpacked(rows.xp, state)))


def _packed(xp: Namespace, state: Array) -> Array:
    """(*batch, count, m, 3) -> (*batch, 3 count, m), a block of the scores' dimensions."""
    state = xp.matrix_transpose(state)
    return xp.reshape(state, (*state.shape[:-3], -1, state.shape[-1]))


def _unpacked(xp: Namespace, state: Array) -> Array:
    """(*batch, 3 count, m) -> (*batch, count, m, 3)."""
    *batch, _, m = state.shape
    return xp.matrix_transpose(xp.reshape(state, (*batch, -1, 3, m)))
