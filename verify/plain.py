"""Results as JSON and back: dataclasses, tuples, mappings and floats return as they were.

JSON knows lists, objects with strings as keys, and finite numbers. Everything else is an object
with one key that says what it is: ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``,
``{"float": "inf"}``, ``{"verify.mutation:Trial": {...}}``. A float is written as `repr` has it,
which is read back to the last bit. Only dataclasses and enumerations of the project are ever made
from a file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

__all__ = ["NotPlain", "as_plain", "from_plain"]

PACKAGES = ("derive", "verify")
MAPPINGS: Mapping[str, type] = {"Counter": Counter, "dict": dict}


class NotPlain(TypeError):
    """A value that JSON would not give back, or data that no value was written as."""


def as_plain(value: object) -> Any:
    """The value as what `json` writes and reads; NotPlain where it holds something else."""
    if isinstance(value, Enum):
        return {_name_of(value): as_plain(value.value)}
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        number = float(value)  # a NumPy float is written as the Python float that it is
        return number if math.isfinite(number) else {"float": repr(number)}
    if isinstance(value, list):
        return [as_plain(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [as_plain(item) for item in value]}
    if isinstance(value, dict) and type(value) in MAPPINGS.values():
        return {type(value).__name__: [[as_plain(k), as_plain(v)] for k, v in value.items()]}
    if is_dataclass(value) and not isinstance(value, type):
        return {_name_of(value): {f.name: as_plain(getattr(value, f.name)) for f in fields(value)}}
    raise NotPlain(f"{value!r} is a {type(value).__name__}, which JSON does not give back")


def _name_of(value: object) -> str:
    return f"{type(value).__module__}:{type(value).__qualname__}"


def from_plain(data: Any) -> Any:
    """The inverse of `as_plain`."""
    if isinstance(data, list):
        return [from_plain(item) for item in data]
    if not isinstance(data, dict):
        return data
    ((kind, content),) = data.items()
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(from_plain(item) for item in content)
    if kind in MAPPINGS:
        return MAPPINGS[kind]({from_plain(key): from_plain(item) for key, item in content})
    return _made(_class_named(kind), content)


def _made(kind: type, content: Any) -> Any:
    if issubclass(kind, Enum):
        return kind(content)
    return kind(**{name: from_plain(item) for name, item in content.items()})


def _class_named(kind: str) -> type:
    module, _, name = kind.partition(":")
    if module.split(".")[0] in PACKAGES:
        found = getattr(import_module(module), name, None)
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
            return found
    raise NotPlain(f"{kind!r} is no dataclass or enumeration of {' or '.join(PACKAGES)}")
