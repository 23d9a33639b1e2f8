r"""Which library a target is written for: told from the modules that its code names.

Keras stands on another library, its backend: its functions take and give that library's arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from verify.check.frameworks import FRAMEWORKS, Framework
from verify.check.target import Target

__all__ = ["framework_named", "frameworks_for", "installed", "settle_keras"]

# Names under which a module of a library may stand in code.
_PACKAGES = {"numpy": "numpy", "scipy": "numpy", "torch": "torch", "jax": "jax", "optax": "jax"}
_PACKAGES |= {"tensorflow": "tensorflow", "tf_keras": "tensorflow", "keras": "keras"}
_PACKAGES |= {"cupy": "cupy", "math": "python", "torchvision": "torch", "flax": "jax"}
_PACKAGES |= {"array_api_strict": "array_api_strict", "array_api_compat": "numpy"}
# Where a function uses several: its own arrays are those of the more special one.
_ORDER = ("keras", "torch", "jax", "tensorflow", "cupy", "array_api_strict", "numpy", "python")
# Keras takes TensorFlow where nothing is said, and does not start without it.
_UNDER_KERAS = ("tensorflow", "torch", "jax")


def installed(name: str) -> bool:
    """Whether the library is there, for Keras one below it too; looked up, not imported."""
    if name == "keras":
        return find_spec(name) is not None and any(map(installed, _UNDER_KERAS))
    return find_spec(FRAMEWORKS[name].package) is not None


def framework_named(name: str) -> Framework:
    """The library of that name; ValueError with the known names, or if it is not installed."""
    if name != "keras" and name not in FRAMEWORKS:
        expected = ", ".join([*FRAMEWORKS, "keras"])
        raise ValueError(f"unknown framework {name!r}: expected one of {expected}")
    if not installed(name):
        raise ValueError(f"{name} is not installed here")
    return FRAMEWORKS[_backend() if name == "keras" else name]


def frameworks_for(target: Target) -> list[Framework]:
    """The libraries that the code uses, or if none shows, all that are installed, in order."""
    used = {_PACKAGES[p] for p in _packages(target) if p in _PACKAGES}
    chosen = [name for name in _ORDER if name in used][:1]
    if not chosen or chosen == ["python"]:  # math alone: for numbers, or for arrays of any library
        first = ["python", "numpy"] if chosen else ["numpy", "python"]
        chosen = [*first, *(name for name in ("torch", "jax") if installed(name))]
    return [framework_named(name) for name in chosen]


# --- Keras ----------------------------------------------------------------------------------------


def settle_keras() -> None:
    """Before Keras is imported: a backend that is there, if the one it would take is not."""
    if "KERAS_BACKEND" in os.environ or installed("tensorflow"):
        return
    chosen = "tensorflow"
    with suppress(OSError, ValueError, AttributeError):
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
        chosen = json.loads((folder / "keras.json").read_text()).get("backend", chosen)
    if chosen not in FRAMEWORKS or not installed(chosen):
        there = [name for name in _UNDER_KERAS if installed(name)]
        os.environ["KERAS_BACKEND"] = (there or ["tensorflow"])[0]


def _backend() -> str:
    """What Keras runs on now; NumPy for a backend that has no arrays of its own here."""
    settle_keras()
    keras = import_module("keras")
    # Keras 2 has no other than TensorFlow
    backend = str(keras.config.backend()) if hasattr(keras, "config") else "tensorflow"
    return backend if backend in FRAMEWORKS else "numpy"


# --- names in code --------------------------------------------------------------------------------


def _packages(target: Target) -> set[str]:
    """The top packages of the modules and functions that the code names, helpers included."""
    call = target.call
    names = {c.__module__.split(".")[0] for c in type(call).__mro__} - {"builtins"}
    names.add(_top(call))
    functions = _functions(call)
    seen: set[int] = set()
    while functions:
        function = functions.pop()
        function = getattr(function, "__func__", function)
        code = getattr(function, "__code__", None)
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        scope = getattr(function, "__globals__", {})
        for name in _names(code):
            value = scope.get(name)
            if isinstance(value, ModuleType):
                names.add(value.__name__.split(".")[0])
            elif hasattr(value, "__code__") and value.__module__ == scope.get("__name__"):
                functions.append(value)
            elif value is not None:
                names.add(_top(value))
        names |= {p for p in _PACKAGES if p in _imported(code)}
    return names


def _top(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").split(".")[0]


def _functions(call: Any) -> list[Any]:
    """The function, or what a class defines itself; and what decorators have wrapped."""
    own = [call] if hasattr(call, "__code__") else _methods(call)
    while (call := getattr(call, "__wrapped__", None)) is not None:
        own.append(call)
    return own


def _methods(call: Any) -> list[Any]:
    return [x for x in vars(type(call)).values() if hasattr(x, "__code__")]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _imported(code: CodeType) -> set[str]:
    """Top names in a function that imports for itself: an import's name is among its names."""
    return {name.split(".")[0] for name in _names(code)} & set(_PACKAGES)
