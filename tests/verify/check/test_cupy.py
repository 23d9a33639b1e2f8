"""Libraries with NumPy's functions: what crosses over is theirs, the rest is NumPy's.

The strict array API is run for real.  There is no GPU here: CuPy is stood in for by a module whose
arrays refuse, as CuPy's do, to become NumPy's by themselves.
"""

from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from verify.check import Options, examine
from verify.check.frameworks import FRAMEWORKS
from verify.check.libraries import frameworks_for, installed
from verify.check.target import load_target


class DeviceArray:
    """An array that stays where it is: only `get` brings it to the host."""

    def __init__(self, host: np.ndarray) -> None:
        self.host = host
        self.dtype, self.shape = host.dtype, host.shape

    def get(self) -> np.ndarray:
        return self.host

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __mul__(self, other: Any) -> DeviceArray:
        return DeviceArray(self.host * _host(other))

    def __sub__(self, other: Any) -> DeviceArray:
        return DeviceArray(self.host - _host(other))

    def __rsub__(self, other: Any) -> DeviceArray:
        return DeviceArray(_host(other) - self.host)

    def __neg__(self) -> DeviceArray:
        return DeviceArray(-self.host)

    def __add__(self, other: Any) -> DeviceArray:
        return DeviceArray(self.host + _host(other))

    def __gt__(self, other: Any) -> DeviceArray:
        return DeviceArray(self.host > _host(other))


def _host(x: Any) -> Any:
    return x.host if isinstance(x, DeviceArray) else x


def _stand_in() -> ModuleType:
    module = ModuleType("cupy")
    module.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    of_arrays = ("where", "logaddexp", "take_along_axis", "sum")

    def lifted(name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> DeviceArray:
            return DeviceArray(np.asarray(getattr(np, name)(*map(_host, arguments), **named)))

        return call

    vars(module).update({name: lifted(name) for name in of_arrays})
    module.asarray = lambda x: DeviceArray(np.asarray(x))
    module.asnumpy = lambda x: np.asarray(_host(x))
    return module


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = _stand_in()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setitem(globals(), "cp", module)
    return module


def binary(scores, labels):
    wrong = cp.where(labels > 0, -scores, scores)  # noqa: F821
    return cp.sum(cp.logaddexp(wrong * 0, wrong), axis=-1)  # noqa: F821


def binary_turned(scores, labels):
    return cp.sum(cp.logaddexp(scores * 0, scores - labels * 2), axis=-1)  # noqa: F821


def test_arrays_cross_over_and_back_without_a_loss(cupy: ModuleType) -> None:
    library = FRAMEWORKS["cupy"]
    numbers = np.array([[1.5, -np.inf, 5e-324], [0.1, 2.0**-24, -0.0]])
    made = library.array(numbers, "float64")
    assert isinstance(made, DeviceArray)
    assert np.array_equal(library.floats(made), numbers)
    assert library.array(numbers, "float16").dtype == np.float16
    assert np.array_equal(library.floats([made, made]), np.array([numbers, numbers]))
    assert library.floats(3.0) == 3.0
    places = library.integers(np.array([[2, 0], [1, 1]]))
    assert places.dtype == np.int64
    picked = library.floats(library.picked(made, places))
    assert np.array_equal(picked, np.take_along_axis(numbers, places.host, axis=-1))


def test_code_on_cupy_is_told_and_checked(cupy: ModuleType) -> None:
    assert [x.name for x in frameworks_for(load_target(binary))] == ["cupy"]
    hard = Options(excluding=("soft", "soft edges", "mask -inf"), budget=3)
    result = examine(binary, "binary_cross_entropy", hard)
    assert result.assumed["library"] == "cupy"
    assert result.verdict == "hard-labels-only", str(result)
    assert examine(binary_turned, "binary_cross_entropy", hard).verdict == "different"


def test_cupy_is_not_taken_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert not installed("cupy")


def strict_zlpr(scores, labels):
    import array_api_strict as xp

    zero = xp.zeros_like(scores[:, :1])
    total = xp.zeros_like(scores[:, 0])
    for turned, side in ((scores, labels == 0), (-scores, labels > 0)):
        x = xp.concat([zero, xp.where(side, turned, -xp.inf)], axis=1)
        top = xp.max(x, axis=1, keepdims=True)
        total = total + top[:, 0] + xp.log(xp.sum(xp.exp(x - top), axis=1))
    return total


def strict_plain(scores, labels):
    import array_api_strict as xp

    up, down = xp.exp(scores) * (1 - labels), xp.exp(-scores) * labels
    return xp.log(1 + xp.sum(up, axis=-1)) + xp.log(1 + xp.sum(down, axis=-1))


def test_the_strict_array_api() -> None:
    pytest.importorskip("array_api_strict")
    result = examine(strict_zlpr, "zlpr", Options(budget=5))
    assert result.verdict == "equal", str(result)
    assert result.assumed["library"] == "array_api_strict"
    faulty = examine(strict_plain, "zlpr", Options(budget=5))
    assert faulty.verdict == "limited-range" and faulty.causes[:1] == ("overflow",), str(faulty)
