"""Dual numbers: a value and its derivative along one direction, for sums and products of arrays.

    (a + epsilon a') (b + epsilon b') = a b + epsilon (a b' + a' b),   epsilon^2 = 0

What is linear acts on both parts; what is bilinear follows the product rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from numeric_core.namespace import Array

__all__ = ["Dual", "Number", "bilinear", "leading", "linear"]


@dataclass(frozen=True)
class Dual:
    """value + epsilon tangent, epsilon^2 = 0: a number and its derivative along one direction."""

    value: Array
    tangent: Array

    def map(self, function: Callable[[Array], Array]) -> Dual:
        """A linear function of both."""
        return Dual(function(self.value), function(self.tangent))


Number: TypeAlias = Any
"""An array or a `Dual`: all that is done to it is linear, or goes through `bilinear`."""


def leading(x: Number) -> Array:
    """The value of a dual number, or the array."""
    return x.value if isinstance(x, Dual) else x


def linear(function: Callable[[Array], Array], x: Number) -> Number:
    """A linear function of a number, applied to what it is made of."""
    return x.map(function) if isinstance(x, Dual) else function(x)


def bilinear(function: Callable[[Array, Array], Array], a: Number, b: Number) -> Number:
    """A function that is linear in a and in b; both are arrays, or both are Dual."""
    if not isinstance(a, Dual) or not isinstance(b, Dual):
        return function(a, b)
    tangent = function(a.value, b.tangent) + function(a.tangent, b.value)
    return Dual(function(a.value, b.value), tangent)
