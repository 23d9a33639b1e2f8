"""Bad input, found before the work and told in one line; what the commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

__all__ = ["INTERRUPTED", "Problem", "check_writable", "checkout", "on", "or_problem"]

P = ParamSpec("P")
T = TypeVar("T")

# 128 + SIGINT, the exit status that shells give to what Ctrl-C ends.
INTERRUPTED = 130


class Problem(click.ClickException):
    """Bad input, told in one line with what was expected; exit status 2."""

    exit_code = 2


def checkout(*places: Path) -> Path:
    """The first of the places that holds the benchmarks."""
    for place in places:
        if (place / "benchmarks" / "contenders.py").is_file():
            return place
    raise Problem(f"no benchmarks in {places[-1]}: expected a checkout of lossproof")


@contextmanager
def on(place: AbstractContextManager[None]) -> Iterator[None]:
    """Inside the context; that it cannot be entered is the user's to mend."""
    with ExitStack() as stack:
        or_problem(stack.enter_context, place)
        yield


def or_problem(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call it, and turn the errors that restate the user's input into a message."""
    try:
        return function(*arguments, **named)
    except ValueError as error:
        raise Problem(str(error)) from error


def check_writable(path: Path | None) -> None:
    """Before the work, not after it."""
    if path is not None and not path.parent.is_dir():
        raise Problem(f"cannot write {path}: there is no folder {path.parent}")
