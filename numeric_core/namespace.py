"""The thin wall between the losses and the array libraries.

Everything above this module speaks the array API standard through a namespace `xp` and knows no
library by name.  The few facts that differ from library to library are written here:

* the dtype in which a loss is computed (float16 and bfloat16 rows are computed in float32);
* whether a float64 is at hand to accumulate float32 sums in;
* how good the library's own exp and log are;
* whether a value can be read now, or is still being traced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from array_api_compat import (
    array_namespace,
    device,
    is_array_api_obj,
    is_cupy_array,
    is_dask_array,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
    to_device,
)

T = TypeVar("T")

Array: TypeAlias = Any
"""An array of any namespace of the array API standard."""

Namespace: TypeAlias = Any
"""A module that follows the array API standard."""

__all__ = [
    "BLOCK",
    "Array",
    "Namespace",
    "block_length",
    "compute_dtype",
    "constant",
    "detached",
    "exp",
    "extremes",
    "finfo",
    "finfo_max",
    "finfo_min",
    "is_floating",
    "known",
    "log",
    "log1p",
    "move_axis",
    "namespace",
    "on_host",
    "one_hot",
    "read",
    "replaced",
    "round_to",
    "select",
    "wider_dtype",
    "widest_sum",
    "written",
]


def namespace(**arrays: Array) -> Namespace:
    """The common namespace of the arrays, given by the names under which the user knows them.

    Raises TypeError if one of them is no array or if they come from different libraries.
    """
    if all(type(array) is np.ndarray for array in arrays.values()):
        return _of_numpy()
    for name, array in arrays.items():
        if not is_array_api_obj(array):
            raise TypeError(
                f"{name} must be an array of an array API library (numpy, torch, jax, cupy, ...), "
                f"got {type(array).__name__}; convert it first, for example with numpy.asarray"
            )
    try:
        return array_namespace(*arrays.values())
    except TypeError as error:
        kinds = ", ".join(f"{name}: {type(a).__module__}" for name, a in arrays.items())
        raise TypeError(
            f"{' and '.join(arrays)} must come from one array library, got {kinds}"
        ) from error


@cache
def _of_numpy() -> Namespace:
    """That of NumPy arrays: looked up once, as small batches are computed in little more time."""
    return array_namespace(np.empty(0))


def is_floating(xp: Namespace, dtype: Any) -> bool:
    """Whether dtype is one of float16, bfloat16, float32, float64."""
    if dtype in (xp.float32, xp.float64) or _is_bfloat16(dtype):
        return True
    return bool(xp.isdtype(dtype, "real floating") and xp.finfo(dtype).bits <= 64)


class FloatLimits(NamedTuple):
    """What finfo says of a dtype."""

    bits: int
    eps: float
    max: float
    min: float


_LARGEST = (2.0 - 2.0**-7) * 2.0**127
BFLOAT16 = FloatLimits(16, 2.0**-7, _LARGEST, -_LARGEST)
"""8 digits, the exponents of float32."""


def _is_bfloat16(dtype: Any) -> bool:
    """That of ml_dtypes, which NumPy, CuPy and JAX share, and of which NumPy knows nothing."""
    return isinstance(dtype, np.dtype) and dtype.name == "bfloat16"


def finfo(xp: Namespace, dtype: Any) -> Any:
    """xp.finfo(dtype), also of bfloat16."""
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return _limits(dtype)
    return BFLOAT16 if _is_bfloat16(dtype) else xp.finfo(dtype)


@cache
def _limits(dtype: np.dtype[Any]) -> Any:
    """Of a dtype of NumPy's own, which CuPy and JAX share."""
    return np.finfo(dtype)


def compute_dtype(xp: Namespace, dtype: Any) -> Any:
    """float64 for float64, else float32: half precision is widened and rounded once at the end."""
    # NumPy: float64 of the other byte order is not equal to float64
    wide = dtype == xp.float64 or getattr(dtype, "str", "")[1:] == "f8"
    return xp.float64 if wide else xp.float32


def finfo_max(xp: Namespace, dtype: Any) -> float:
    """The largest finite number of dtype."""
    return float(finfo(xp, dtype).max)


def finfo_min(xp: Namespace, dtype: Any) -> float:
    """The lowest finite number of dtype: the mask that float16 users write (-65504)."""
    return float(finfo(xp, dtype).min)


def constant(xp: Namespace, value: float, like: Array) -> Array:
    """A 0-dimensional array of the dtype and on the device of `like`."""
    return xp.asarray(value, dtype=like.dtype, device=device(like))


def move_axis(xp: Namespace, x: Array, source: int, destination: int) -> Array:
    """xp.moveaxis for axes counted from 0; x itself when there is nothing to move.

    By permute_dims, which torch.func.vmap can batch (it cannot batch moveaxis).
    """
    if source == destination:
        return x
    axes = [k for k in range(x.ndim) if k != source]
    axes.insert(destination, source)
    return xp.permute_dims(x, tuple(axes))


def one_hot(xp: Namespace, index: Array, n: int, dtype: Any) -> Array:
    """(*batch) integers in 0..n-1 -> (*batch, n) rows with a single 1."""
    classes = xp.arange(n, dtype=index.dtype, device=device(index))
    return xp.astype(index[..., None] == classes, dtype)


_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
_FLOATS = {np.int32: np.float32, np.int64: np.float64}


def select(xp: Namespace, condition: Array, a: Array, b: Array) -> Array:
    """xp.where(condition, a, b) for arrays of one float dtype, the larger shape that of condition.

    NumPy's own branches at each entry: 4 ns where the condition is not foreseen, measured (2.4.6,
    AVX-512) beside 0.1 for a sum.  The bits of b, changed to those of a under a mask, take 0.4.
    """
    if not (is_numpy_array(condition) and condition.ndim) or a.dtype not in _BITS:
        return xp.where(condition, a, b)
    bits = _BITS[a.dtype]
    mask = np.negative(condition.view(np.int8)).astype(bits)
    a, b = a.view(bits), b.view(bits)
    np.bitwise_and(mask, np.bitwise_xor(a, b), out=mask)
    return np.bitwise_xor(mask, b, out=mask).view(_FLOATS[bits])


def replaced(xp: Namespace, x: Array, index: Array, value: Array) -> Array:
    """x with one entry of each row, index and value (*batch, 1), changed."""
    if is_numpy_array(x):
        x = x.copy()
        np.put_along_axis(x, index, value, axis=-1)
        return x
    return xp.where(xp.arange(x.shape[-1], device=device(x)) == index, value, x)


def written(x: Array, out: Array | None) -> Array:
    """x in the place of out, if there is one."""
    if out is None or x is out:
        return x
    out[...] = x
    return out


def detached(x: Array) -> Array:
    """x without torch's record of how it was made: what is computed from it has no gradient."""
    return x.detach() if is_torch_array(x) else x


def on_host(x: Array) -> Any:
    """The values as a NumPy array, whatever library and device they are on."""
    x = detached(x)
    if is_torch_array(x) or is_cupy_array(x):  # the others come by themselves
        x = to_device(x, "cpu")
    return np.asarray(x)


def read(x: Array) -> float | None:
    """A 0-dimensional float array as a Python float, or None where it cannot be read now.

    Under jax.jit, torch.func.vmap and on meta tensors a value does not exist yet; for Dask,
    reading would run the whole graph.
    """
    return _read(float, x)


def extremes(xp: Namespace, x: Array) -> tuple[float | None, float | None]:
    """The smallest and the largest entry of x, which has some, as `read` reads them; nan of nan.

    NumPy finds the place of an entry of a contiguous array in half the time of x.min(), where that
    is mostly the time of a call.
    """
    if type(x) is np.ndarray and x.dtype.kind in "fiu" and x.flags.c_contiguous:
        return float(x.item(x.argmin())), float(x.item(x.argmax()))
    return read(xp.min(x)), read(xp.max(x))


def known(condition: Array) -> bool | None:
    """A 0-dimensional bool array as a Python bool, or None where it cannot be read now."""
    return _read(bool, condition)


def _read(convert: Callable[[Array], T], x: Array) -> T | None:
    if isinstance(x, np.generic):
        return convert(x)
    if is_dask_array(x):
        return None
    try:
        return convert(detached(x))
    except (TypeError, RuntimeError):
        # jax raises ConcretizationTypeError (a TypeError), torch RuntimeError.
        return None


def round_to(xp: Namespace, x: Array, dtype: Any) -> Array:
    """Round to dtype, once; what is too large becomes inf, too small 0, without a warning."""
    if x.dtype == dtype:
        return x
    if is_numpy_array(x):
        with np.errstate(over="ignore", under="ignore"):
            return x.astype(dtype)
    info = finfo(xp, dtype)
    # max = (2 - eps) 2^E, so half an ulp at the top is eps 2^E / 2: the tie rounds to inf.
    bound = float(info.max) * (1.0 + 0.5 * float(info.eps) / (2.0 - float(info.eps)))
    infinite = constant(xp, float("inf"), x)
    x = xp.where(x >= bound, infinite, xp.where(x <= -bound, -infinite, x))
    return xp.astype(x, dtype)


def _has_float64(x: Array) -> bool:
    """JAX has no float64 unless asked for at start; Apple's GPU has none at all."""
    if is_jax_array(x) or is_dask_array(x):
        return False
    return not (is_torch_array(x) and bool(x.device.type == "mps"))


def wider_dtype(xp: Namespace, x: Array) -> Any:
    """float64 for float32 arrays of a library that has it; None otherwise."""
    return None if x.dtype == xp.float64 or not _has_float64(x) else xp.float64


BLOCK = 1 << 17
"""Scores worked on at a time in NumPy: 512 KiB of float32.

Every temporary of some MiB costs fresh pages from the system; in small blocks the calls cost more
than the arithmetic.  soft_zlpr.value_and_grad on 4096 x 512 float32 was measured at 6.5 ns a score
without blocks, and at 5.9, 4.8, 4.3, 3.9, 3.9 ns with blocks of 2^15 to 2^19.
"""


def block_length(x: Array, block: int = BLOCK) -> int | None:
    """Rows (*batch, n) to work on at a time; None for all, as in libraries that fuse or trace."""
    if not is_numpy_array(x) or x.ndim < 2 or x.size <= 2 * block:
        return None
    return max(1, block // int(x.shape[-1]))


def widest_sum(xp: Namespace, x: Array) -> tuple[Array, Array] | None:
    """Sum over the last axis (kept) as a pair, accumulated in float64; None where none is wider.

    n additions in float64 cost n 2^-53: below an ulp of float32 for every n up to 2^28.
    """
    if x.dtype == xp.float64 or not _has_float64(x):
        return None
    total = xp.sum(x, axis=-1, keepdims=True, dtype=xp.float64)
    high = xp.astype(total, x.dtype)
    return high, xp.astype(total - xp.astype(high, xp.float64), x.dtype)


def _elementary(xp: Namespace, name: str, x: Array) -> Array:
    """xp.exp, xp.log or xp.log1p; for float32 on NumPy evaluated in float64.

    NumPy's own SIMD float32 kernels were measured (2.4.6, AVX-512, 2e6 points a range) at 2.5 ulp
    for exp, 3.6 ulp for log and 2.0 ulp for log1p: half of what the whole loss may lose.  The
    wide evaluation is rounded once; `out` keeps the float64 intermediates in NumPy's buffer.
    """
    if is_numpy_array(x) and x.dtype == np.float32:
        function = getattr(np, name)
        return function(x, out=np.empty_like(x), dtype=np.float64, casting="same_kind")
    function = getattr(xp, name)
    if x.dtype == xp.float32 and _wraps_numpy(xp):
        return xp.astype(function(xp.astype(x, xp.float64)), xp.float32)
    return function(x)


def _wraps_numpy(xp: Namespace) -> bool:
    """array-api-strict has NumPy's elementary functions."""
    return str(xp.__name__).startswith("array_api_strict")


def exp(xp: Namespace, x: Array) -> Array:
    """e^x within 1 ulp on NumPy, torch and JAX."""
    return _elementary(xp, "exp", x)


def log(xp: Namespace, x: Array) -> Array:
    """log x for x > 0."""
    return _elementary(xp, "log", x)


def log1p(xp: Namespace, x: Array) -> Array:
    """log(1 + x) for x > -1."""
    return _elementary(xp, "log1p", x)
