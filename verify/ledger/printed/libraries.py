"""NumPy, PyTorch, JAX and exact arithmetic, as the few operations that the printed code uses.

PyTorch and JAX differentiate by themselves. NumPy does not; the exact numbers carry their
derivatives with them, ``x + x' d``, so that the gradient of the formula is certified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from flint import arb

from verify.formats import format_of
from verify.ledger.printed.snippets import Snippet

__all__ = ["LIBRARIES", "Exact", "ExactLibrary", "JaxLibrary", "Library", "NumpyLibrary"]
__all__ += ["TorchLibrary"]

Row = Sequence[float]


class Library(Protocol):
    """A library that the code is run on."""

    name: str
    dtypes: tuple[str, ...]

    def run(self, snippet: Snippet, labels: Row, scores: Row, dtype: str) -> tuple[Any, Any]:
        """Value and gradient of one row, the gradient None where the library has none."""


class NumpyLibrary:
    """NumPy; ``log_sum_exp`` as TensorFlow's, shifted by the maximum where that is finite."""

    name = "numpy"
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")

    exp, log, zeros_like = (staticmethod(f) for f in (np.exp, np.log, np.zeros_like))

    def clip(self, x: Any, low: float, high: float) -> Any:
        """`numpy.clip`."""
        return np.clip(x, low, high)

    def join(self, parts: list[Any]) -> Any:
        """`numpy.concatenate`."""
        return np.concatenate(parts, axis=1)

    def total(self, x: Any) -> Any:
        """`numpy.sum`."""
        return np.sum(x, axis=1)

    def log_sum_exp(self, x: Any) -> Any:
        """``log sum e^{x - M} + M``, ``M`` the maximum, or 0 where that is infinite."""
        top = x.max(axis=1, keepdims=True)
        top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
        return np.log(np.exp(x - top).sum(axis=1)) + top[:, 0]

    def single(self, mask: Any) -> Any:
        """`numpy.float32`."""
        return mask.astype(np.float32)

    def where(self, mask: Any, number: float, x: Any) -> Any:
        """`numpy.where`, the number in the dtype of x."""
        return np.where(mask, x.dtype.type(number), x)

    def run(self, snippet: Snippet, labels: Row, scores: Row, dtype: str) -> tuple[Any, Any]:
        """The value alone."""
        with np.errstate(all="ignore"):
            rows = (np.asarray([row], dtype=np.float64).astype(dtype) for row in (labels, scores))
            return float(snippet.run(self, *rows)[0]), None


class TorchLibrary:
    """PyTorch on the CPU."""

    name = "torch"
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self.exp, self.log, self.zeros_like = torch.exp, torch.log, torch.zeros_like

    def clip(self, x: Any, low: float, high: float) -> Any:
        """`torch.clamp`."""
        return self._torch.clamp(x, low, high)

    def join(self, parts: list[Any]) -> Any:
        """`torch.cat`."""
        return self._torch.cat(parts, dim=1)

    def total(self, x: Any) -> Any:
        """`torch.sum`."""
        return self._torch.sum(x, dim=1)

    def log_sum_exp(self, x: Any) -> Any:
        """`torch.logsumexp`."""
        return self._torch.logsumexp(x, dim=1)

    def single(self, mask: Any) -> Any:
        """`torch.float32`."""
        return mask.to(self._torch.float32)

    def where(self, mask: Any, number: float, x: Any) -> Any:
        """`torch.where`."""
        return self._torch.where(mask, number, x)

    def run(self, snippet: Snippet, labels: Row, scores: Row, dtype: str) -> tuple[Any, Any]:
        """By `backward`."""
        kind = getattr(self._torch, dtype)
        given = self._torch.tensor([labels], dtype=self._torch.float64).to(kind)
        x = self._torch.tensor([scores], dtype=self._torch.float64).to(kind).requires_grad_()
        value = snippet.run(self, given, x)[0]
        value.backward()
        gradient: Any = x.grad
        return float(value.detach()), gradient[0].to(self._torch.float64).tolist()


class JaxLibrary:
    """JAX on the CPU."""

    name = "jax"
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")

    def __init__(self) -> None:
        import jax

        self._jax, self._np = jax, jax.numpy
        self.exp, self.log, self.zeros_like = self._np.exp, self._np.log, self._np.zeros_like

    def clip(self, x: Any, low: float, high: float) -> Any:
        """`jax.numpy.clip`."""
        return self._np.clip(x, low, high)

    def join(self, parts: list[Any]) -> Any:
        """`jax.numpy.concatenate`."""
        return self._np.concatenate(parts, axis=1)

    def total(self, x: Any) -> Any:
        """`jax.numpy.sum`."""
        return self._np.sum(x, axis=1)

    def log_sum_exp(self, x: Any) -> Any:
        """`jax.scipy.special.logsumexp`."""
        return self._jax.scipy.special.logsumexp(x, axis=1)

    def single(self, mask: Any) -> Any:
        """`jax.numpy.float32`."""
        return mask.astype(self._np.float32)

    def where(self, mask: Any, number: float, x: Any) -> Any:
        """`jax.numpy.where`."""
        return self._np.where(mask, number, x)

    def run(self, snippet: Snippet, labels: Row, scores: Row, dtype: str) -> tuple[Any, Any]:
        """By `jax.value_and_grad`."""
        with self._jax.enable_x64(True), np.errstate(over="ignore"):
            rows = (np.asarray([row], dtype=np.float64).astype(dtype) for row in (labels, scores))
            given, x = (self._np.asarray(row) for row in rows)
            value, gradient = self._jax.value_and_grad(lambda x: snippet.run(self, given, x)[0])(x)
            return float(value), np.asarray(gradient[0]).astype(np.float64).tolist()


# Exact arithmetic --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Exact:
    """A number in a ball with its derivatives by the scores."""

    value: arb
    slopes: tuple[arb, ...]

    def _with(self, other: object, value: Callable[[arb, arb], arb], own: Any, its: Any) -> Exact:
        second = other if isinstance(other, Exact) else _constant(other, len(self.slopes))
        x, y = self.value, second.value
        pairs = zip(self.slopes, second.slopes, strict=True)
        return Exact(value(x, y), tuple(_part(own(y), a) + _part(its(x), b) for a, b in pairs))

    def __add__(self, other: object) -> Exact:
        """Sum."""
        return self._with(other, lambda x, y: x + y, _one, _one)

    def __sub__(self, other: object) -> Exact:
        """Difference."""
        return self._with(other, lambda x, y: x - y, _one, _minus)

    def __mul__(self, other: object) -> Exact:
        """Product."""
        return self._with(other, lambda x, y: x * y, _same, _same)

    def __rsub__(self, other: object) -> Exact:
        """The difference the other way round."""
        return -self + other

    def __neg__(self) -> Exact:
        """The negative."""
        return self * -1

    def __truediv__(self, number: int) -> Exact:
        """By an integer."""
        return Exact(self.value / number, tuple(slope / number for slope in self.slopes))

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, number: float) -> bool:
        """Certainly below."""
        return bool(self.value < arb(number))

    def __gt__(self, number: float) -> bool:
        """Certainly above."""
        return bool(self.value > arb(number))

    def __float__(self) -> float:
        """The number nearby."""
        return float(self.value)

    def by(self, value: arb, slope: arb) -> Exact:
        """A function of this number, by its value and its slope."""
        return Exact(value, tuple(_part(slope, own) for own in self.slopes))


def _part(factor: arb, slope: arb) -> arb:
    """What does not change with a score stays so beside an infinite factor."""
    return slope if slope == 0 else factor * slope


def _one(_: arb) -> arb:
    return arb(1)


def _minus(_: arb) -> arb:
    return arb(-1)


def _same(x: arb) -> arb:
    return x


def _constant(number: Any, size: int) -> Exact:
    return Exact(arb(float(number)), (arb(0),) * size)


class ExactLibrary:
    """Ball arithmetic on the numbers of a dtype: the formula with its constants, unrounded."""

    name = "exact"
    dtypes: tuple[str, ...] = ("float64",)

    exp = staticmethod(np.frompyfunc(lambda x: x.by(x.value.exp(), x.value.exp()), 1, 1))
    log = staticmethod(np.frompyfunc(lambda x: x.by(x.value.log(), 1 / x.value), 1, 1))

    def clip(self, x: Any, low: float, high: float) -> Any:
        """Labels have no derivatives; the bounds are those of the code, as exact numbers."""
        bounds = [_constant(bound, len(x.flat[0].slopes)) for bound in (low, high)]
        return np.frompyfunc(
            lambda y: bounds[0] if y < low else bounds[1] if y > high else y, 1, 1
        )(x)

    def zeros_like(self, x: Any) -> Any:
        """Exact zeros."""
        return np.frompyfunc(lambda y: _constant(0, len(y.slopes)), 1, 1)(x)

    def join(self, parts: list[Any]) -> Any:
        """Side by side."""
        return np.concatenate(parts, axis=1)

    def total(self, x: Any) -> Any:
        """The sum along axis 1."""
        return x.sum(axis=1)

    def log_sum_exp(self, x: Any) -> Any:
        """``log sum e^x``: no shift is needed where nothing overflows."""
        return self.log(self.total(self.exp(x)))

    def single(self, mask: Any) -> Any:
        """0 and 1."""
        return mask.astype(np.float64)

    def where(self, mask: Any, number: float, x: Any) -> Any:
        """As it is."""
        return np.frompyfunc(lambda m, y: _constant(number, len(y.slopes)) if m else y, 2, 1)(
            mask, x
        )

    def run(self, snippet: Snippet, labels: Row, scores: Row, dtype: str) -> tuple[Any, Any]:
        """Value and gradient as balls."""
        size, form = len(scores), format_of(dtype)
        rounded = (form.round(np.asarray(row, dtype=np.float64)) for row in (labels, scores))
        given, own = (row.tolist() for row in rounded)
        unit = [tuple(arb(int(i == k)) for k in range(size)) for i in range(size)]
        x = np.asarray([[Exact(arb(s), unit[i]) for i, s in enumerate(own)]], dtype=object)
        y = np.asarray([[_constant(t, size) for t in given]], dtype=object)
        found = snippet.run(self, y, x)[0]
        return found.value, list(found.slopes)


#: What makes each library.
LIBRARIES: dict[str, Callable[[], Library]] = {
    "exact": ExactLibrary,
    "numpy": NumpyLibrary,
    "torch": TorchLibrary,
    "jax": JaxLibrary,
}
