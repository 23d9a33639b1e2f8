r"""The libraries that code under check may be written in, each behind the same six verbs.

    array     numbers -> an array of a dtype, exactly
    integers  numbers -> an array of integers: class indices, lists of labels
    floats    an array, a scalar or nested lists -> float64, exactly, of the same shape
    picked    the entries of an array at these places of its last axis; it has a derivative
    gradient  the gradient of the sum of what comes out, by the library's own autograd
    hvp       its Hessian times a vector, likewise

A library without autograd (NumPy, CuPy, plain Python) has no last two.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAMEWORKS", "Framework", "Numbers"]

Numbers = NDArray[np.float64]
Loss = Callable[[Any, Any], Any]


class Framework:
    """NumPy; the other libraries say where they differ."""

    name = "numpy"
    package = "numpy"
    dtypes: tuple[str, ...] = ("float64", "float32", "float16")
    autograd = False
    compiles = False
    """A call of a new shape or dtype costs as much as a hundred others."""
    immutable = False
    """No call can write into an array."""

    def array(self, values: Numbers, dtype: str) -> Any:
        """`values` as an array of `dtype`."""
        return np.asarray(values).astype(dtype)

    def integers(self, values: Numbers) -> Any:
        """`values` as an array of 64-bit integers."""
        return np.asarray(values).astype(np.int64)

    def floats(self, array: Any) -> Numbers:
        """A result as float64; whatever cannot be read so raises TypeError or ValueError."""
        return np.array(array, dtype=np.float64)

    def picked(self, array: Any, index: Any) -> Any:
        """array[..., index[..., k]] for each k, as an array of the library."""
        return np.take_along_axis(array, index, axis=-1)

    def value(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Any:
        """loss(scores, labels); `kept` is a place for what was compiled."""
        return loss(scores, labels)

    def gradient(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Numbers:
        """d sum(loss(scores, labels)) / d scores."""
        raise NotImplementedError(f"{self.name} has no derivatives")

    def hvp(self, loss: Loss, scores: Any, labels: Any, vector: Any) -> Numbers:
        """The Hessian of sum(loss(scores, labels)) times the vector."""
        raise NotImplementedError(f"{self.name} has no derivatives")

    def scope(self) -> AbstractContextManager[Any]:
        """What a call stands in, so that all dtypes are there."""
        return nullcontext()

    def dtype_of(self, array: Any) -> str:
        """The name of the dtype, '' for what has none."""
        return str(getattr(array, "dtype", "")).rpartition(".")[2]


class PlainPython(Framework):
    """Lists of floats, of one kind of number: float64."""

    name = "python"
    package = "sys"
    dtypes = ("float64",)

    def array(self, values: Numbers, dtype: str) -> Any:
        """Nested lists of floats."""
        return np.asarray(values, dtype=np.float64).tolist()

    def integers(self, values: Numbers) -> Any:
        """Nested lists of ints."""
        return np.asarray(values).astype(np.int64).tolist()

    def picked(self, array: Any, index: Any) -> Any:
        """Lists of the chosen entries."""
        if index and isinstance(index[0], list):
            return [self.picked(row, places) for row, places in zip(array, index, strict=True)]
        return [array[place] for place in index]


class ArrayLibrary(Framework):
    """Another library with NumPy's functions: only what crosses from and to NumPy is its own."""

    @property
    def module(self) -> Any:
        """The library, imported when it is first needed."""
        return import_module(self.package)

    def array(self, values: Numbers, dtype: str) -> Any:
        """`values` on the current device."""
        return self.module.asarray(super().array(values, dtype))

    def integers(self, values: Numbers) -> Any:
        """`values` on the current device, as 64-bit integers."""
        return self.module.asarray(super().integers(values))

    def floats(self, array: Any) -> Numbers:
        """A result as float64 on the host; a list of arrays one by one."""
        if isinstance(array, list | tuple):
            return np.array([self.floats(part) for part in array])
        return super().floats(self.to_numpy(array))

    def to_numpy(self, array: Any) -> Any:
        """An array of NumPy; by the protocol of NumPy, unless the library has its own way."""
        return np.asarray(array)

    def picked(self, array: Any, index: Any) -> Any:
        """By `take_along_axis`, which NumPy and the array API standard have."""
        return self.module.take_along_axis(array, index, axis=-1)


class CuPy(ArrayLibrary):
    """CuPy; nothing leaves the device by itself."""

    name = package = "cupy"

    def to_numpy(self, array: Any) -> Any:
        """By `cupy.asnumpy`, which takes numbers and arrays of NumPy as well."""
        return self.module.asnumpy(array)


class Strict(ArrayLibrary):
    """The array API standard and nothing else, by array-api-strict."""

    name = package = "array_api_strict"
    dtypes = ("float64", "float32")


class Torch(Framework):
    """PyTorch on the CPU."""

    name = package = "torch"
    dtypes = ("float64", "float32", "float16", "bfloat16")
    autograd = True

    def array(self, values: Numbers, dtype: str) -> Any:
        """`values` as a tensor."""
        import torch

        return torch.from_numpy(np.array(values, dtype=np.float64)).to(getattr(torch, dtype))

    def integers(self, values: Numbers) -> Any:
        """`values` as a tensor of 64-bit integers."""
        import torch

        return torch.from_numpy(np.asarray(values).astype(np.int64))

    def floats(self, array: Any) -> Numbers:
        """A result as float64; a list of tensors one by one."""
        import torch

        if isinstance(array, torch.Tensor):
            return np.array(array.detach().to(torch.float64).numpy())
        if isinstance(array, list | tuple):
            return np.array([self.floats(part) for part in array])
        return super().floats(array)

    def picked(self, array: Any, index: Any) -> Any:
        """By `take_along_dim`."""
        import torch

        return torch.take_along_dim(array, index, dim=-1)

    def gradient(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Numbers:
        """By one backward pass; RuntimeError where the result does not depend on the scores."""
        import torch

        point = scores.detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(loss(point, labels).sum(), point)
        return self.floats(slope)

    def hvp(self, loss: Loss, scores: Any, labels: Any, vector: Any) -> Numbers:
        """By a second backward pass through the gradient times the vector."""
        import torch

        point = scores.detach().clone().requires_grad_(True)
        # with a history of its own, as in a model: else what cannot be derived twice says nothing
        one = torch.ones((), dtype=scores.dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(one * loss(point, labels).sum(), point, create_graph=True)
        # not `grad`, which leaves out the nodes that only raise: those of once_differentiable
        (slope * vector).sum().backward()
        return np.zeros(tuple(scores.shape)) if point.grad is None else self.floats(point.grad)


class Jax(Framework):
    """JAX with 64-bit numbers switched on while it is asked, and only then."""

    name = package = "jax"
    dtypes = ("float64", "float32", "float16")
    autograd = True
    compiles = immutable = True

    def array(self, values: Numbers, dtype: str) -> Any:
        """`values`, converted before JAX sees them: XLA flushes subnormals."""
        import jax

        with self.scope():
            return jax.numpy.asarray(np.asarray(values).astype(jax.numpy.dtype(dtype)))

    def integers(self, values: Numbers) -> Any:
        """`values` as 32-bit integers, JAX's usual ones."""
        import jax

        return jax.numpy.asarray(np.asarray(values).astype(np.int32))

    def scope(self) -> AbstractContextManager[Any]:
        """64-bit numbers, for as long as it lasts."""
        import jax

        # in `jax.experimental` before 0.8
        home = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
        scope: AbstractContextManager[Any] = home.enable_x64(True)
        return scope

    def floats(self, array: Any) -> Numbers:
        """A result as float64."""
        return np.array(np.asarray(array).astype(np.float64))

    def picked(self, array: Any, index: Any) -> Any:
        """By `take_along_axis`."""
        import jax

        with self.scope():
            return jax.numpy.take_along_axis(array, index, axis=-1)

    def value(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Any:
        """Compiled with its gradient as a whole: operation by operation costs ten times as much."""
        return self._both(loss, scores, labels, kept)[0]

    def gradient(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Numbers:
        """By reverse mode, in the same compilation as the value."""
        import jax

        slope = self._both(loss, scores, labels, kept)[1]
        if slope is None:  # what has no gradient says so itself
            with self.scope():
                slope = jax.grad(lambda s: loss(s, labels).sum())(scores)
        return self.floats(slope)

    def _both(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> tuple[Any, Any]:
        """Value and gradient; the value alone of what has none.

        Code that looks at its numbers is not compiled, and what cannot be differentiated is called.
        """
        import jax

        def both(s: Any, t: Any) -> tuple[Any, Any]:
            value, pull = jax.vjp(lambda x: loss(x, t), s)
            return value, pull(jax.numpy.ones_like(value))[0]

        ways: tuple[Loss, ...] = (jax.jit(both), both, lambda s, t: (loss(s, t), None))
        known = kept.setdefault("ways", list(ways))
        with self.scope():
            while True:
                try:
                    found: tuple[Any, Any] = known[0](scores, labels)
                    return found
                except TimeoutError:
                    raise
                except Exception:
                    if len(known) == 1:
                        raise
                    known[-1](scores, labels)  # raises by itself if the arguments are at fault
                    known.pop(0)

    def hvp(self, loss: Loss, scores: Any, labels: Any, vector: Any) -> Numbers:
        """By forward mode over reverse mode."""
        import jax

        def product(s: Any, t: Any, v: Any) -> Any:
            return jax.jvp(jax.grad(lambda x: loss(x, t).sum()), (s,), (v,))[1]

        with self.scope():
            return self.floats(jax.jit(product)(scores, labels, vector))


class TensorFlow(Framework):
    """TensorFlow."""

    name = package = "tensorflow"
    dtypes = ("float64", "float32", "float16", "bfloat16")
    autograd = True

    def array(self, values: Numbers, dtype: str) -> Any:
        """`values`, converted before TensorFlow sees them: its kernels flush subnormals."""
        import tensorflow as tf

        return tf.constant(np.asarray(values).astype(tf.as_dtype(dtype).as_numpy_dtype))

    def integers(self, values: Numbers) -> Any:
        """`values` as a tensor of 64-bit integers."""
        import tensorflow as tf

        return tf.constant(np.asarray(values).astype(np.int64))

    def floats(self, array: Any) -> Numbers:
        """A result as float64."""
        import tensorflow as tf

        return np.array(tf.convert_to_tensor(array).numpy().astype(np.float64))

    def picked(self, array: Any, index: Any) -> Any:
        """By `tf.gather`, row by row."""
        import tensorflow as tf

        return tf.gather(array, index, batch_dims=len(index.shape) - 1)

    def gradient(self, loss: Loss, scores: Any, labels: Any, kept: dict[str, Any]) -> Numbers:
        """By a gradient tape."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(scores)
            total = tf.reduce_sum(loss(scores, labels))
        slope = tape.gradient(total, scores)
        if slope is None:
            raise RuntimeError("the result does not depend on the scores")
        return self.floats(slope)

    def hvp(self, loss: Loss, scores: Any, labels: Any, vector: Any) -> Numbers:
        """By a tape within a tape."""
        import tensorflow as tf

        with tf.GradientTape() as outer:
            outer.watch(scores)
            with tf.GradientTape() as inner:
                inner.watch(scores)
                total = tf.reduce_sum(loss(scores, labels))
            along = tf.reduce_sum(inner.gradient(total, scores) * vector)
        product = outer.gradient(along, scores)
        return np.zeros(tuple(scores.shape)) if product is None else self.floats(product)

    def dtype_of(self, array: Any) -> str:
        """The name of the dtype."""
        return str(getattr(getattr(array, "dtype", None), "name", ""))


FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        *(Framework(), Torch(), Jax(), TensorFlow()),
        *(CuPy(), Strict(), PlainPython()),
    )
}
