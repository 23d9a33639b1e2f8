"""What a kind of number must offer for a loss to be evaluated in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Arithmetic"]

Number = Any  # mpf, arb or arb_series; and a float for a label


class Arithmetic(NamedTuple):
    """Reading a float exactly, exp and log, and whether a number is above 0."""

    number: Callable[[float], Number]
    exp: Callable[[Number], Number]
    log: Callable[[Number], Number]
    positive: Callable[[Number], bool]
