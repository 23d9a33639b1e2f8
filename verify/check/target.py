r"""What is on trial: a callable, taken from a file, a module, a class or given as it is.

`path/to/file.py:name` runs the file under a name of its own, with its folder first on the path, as
`python file.py` has it; `package.module:name` imports.  A name may have dots: `Losses.zlpr`.  A
class is made an object of with the options that its constructor takes, and is called as its
library calls it: `forward` of a module, `call` of a Keras loss, `__call__` of anything else.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["CannotLoad", "Target", "is_address", "load_attribute", "load_target"]
__all__ += ["read_address"]

METHODS = ("forward", "call", "__call__")
KERAS = ("keras", "tf_keras", "tensorflow")


class CannotLoad(ValueError):
    """There is nothing to check at that place, or it does not run; the message says why."""


@dataclass(frozen=True)
class Target:
    """A callable, what it is called, where it is, its source, and the parameters that it takes.

    call: what is called with scores and labels.  `parameters` are those of the method that does
    the work, without self.  own_gradient: scores, labels -> gradient, where the object brings one.
    made_with: what the constructor was given, where the target is a class.
    """

    call: Callable[..., Any]
    name: str
    where: str
    source: str
    parameters: tuple[inspect.Parameter, ...]
    own_gradient: Callable[..., Any] | None = None
    is_function: bool = True
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module that the code is in, by its name in `sys.modules`."""
        return str(getattr(_function(self.call), "__module__", "") or "")


def is_address(target: object) -> bool:
    """Whether it is text such as `file.py:function` or `package.module:function`."""
    return isinstance(target, str)


def read_address(address: str) -> tuple[str, str]:
    """The place and the name; ValueError where there is no colon or nothing beside it."""
    place, colon, name = address.rpartition(":")
    if not colon or not place or not all(part.isidentifier() for part in name.split(".")):
        raise CannotLoad(
            f"cannot read {address!r}: expected path/to/file.py:function or package.module:function"
        )
    if place.endswith(".py") and not Path(place).is_file():
        raise CannotLoad(f"there is no file {place}: expected path/to/file.py:function")
    return place, name


def load_target(target: object, options: Mapping[str, Any] | None = None) -> Target:
    """The target at an address, or the callable itself.

    `options` go to the constructor where the target is a class, as far as it takes them.
    CannotLoad for what is not there or cannot be called; whatever a file raises when it runs.
    """
    if isinstance(target, str):
        found, where = load_attribute(target), target
    else:
        found = target
        where = f"{getattr(target, '__module__', '')}:{getattr(target, '__qualname__', target)!s}"
    taken: Mapping[str, Any] = {}
    if inspect.isclass(found):
        taken = _taken(found, options or {})
        found = found(**taken)
    if not callable(found):
        raise CannotLoad(f"{where} is {type(found).__name__}: expected a function or a class")
    return _described(found, where, taken)


def load_attribute(address: str) -> Any:
    """Whatever is at the address, called or not."""
    place, name = read_address(address)
    return _attribute(_module(place), name, place)


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place).resolve()
    name = f"checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CannotLoad(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [
                n
                for n, x in vars(module).items()
                if callable(x) and x.__module__ == module.__name__
            ]
            raise CannotLoad(
                f"{place} has no {name!r}: it has {', '.join(known) or 'no functions'}"
            )
        found = getattr(found, part)
    return found


def _taken(cls: type, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that the constructor takes; one that it must have and lacks is named."""
    try:
        known = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return {}
    missing = [n for n, p in known.items() if _required(p) and n not in options]
    if missing:
        raise CannotLoad(
            f"{cls.__name__} needs {', '.join(missing)}: give it as an argument, "
            f"-a {missing[0]}=... or arguments={{{missing[0]!r}: ...}}"
        )
    return {name: value for name, value in options.items() if name in known}


def _required(parameter: inspect.Parameter) -> bool:
    plain = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return plain and parameter.default is parameter.empty


def _described(found: Any, where: str, made_with: Mapping[str, Any]) -> Target:
    function = _function(found)
    try:
        parameters = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = ()
    if parameters and parameters[0].name == "self" and not inspect.ismethod(function):
        parameters = parameters[1:]
    pair = getattr(found, "value_and_grad", None)
    gradient = (lambda *a, **k: pair(*a, **k)[1]) if callable(pair) else None
    name = getattr(found, "__qualname__", type(found).__name__)
    source, plain = _source(found, function), hasattr(found, "__qualname__")
    return Target(found, name, where, source, parameters, gradient, plain, made_with)


def _function(found: Any) -> Any:
    """The function that does the work: the method of an object, or what it is itself."""
    if inspect.isroutine(found) or inspect.isclass(found):
        return found
    if any(_is_loss_of_keras(c) for c in type(found).__mro__):
        return (
            found.__call__
        )  # Keras hands (y_true, y_pred) on by place, whatever `call` names them
    own = [m for m in METHODS if any(m in vars(c) for c in _own_classes(type(found)))]
    return getattr(found, own[0]) if own else found


def _is_loss_of_keras(cls: type) -> bool:
    return cls.__name__ == "Loss" and cls.__module__.split(".")[0] in KERAS


def _own_classes(cls: type) -> list[type]:
    """The class and its bases, without those of the libraries, whose methods only pass on."""
    libraries = ("torch", *KERAS, "builtins", "abc", "functools")
    return [c for c in cls.__mro__ if c.__module__.split(".")[0] not in libraries] or [cls]


def _source(found: Any, function: Any) -> str:
    for one in (found if inspect.isroutine(found) else type(found), function):
        try:
            return inspect.getsource(one)
        except (OSError, TypeError):
            continue
    return ""
