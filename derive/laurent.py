"""Truncated Laurent series ``z^v (c_0 + c_1 z + ... + c_{L-1} z^{L-1})`` over balls.

The coefficients are balls, or series in another variable again. Everything is carried to a fixed
number of terms, counted from the lowest power, as is usual for floating-point series: a series that
is asked for a coefficient beyond its last term says so, and is then computed longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from flint import arb

#: A ball, or a series in another variable.
Scalar: TypeAlias = Any


class TooShort(ArithmeticError):
    """A coefficient beyond the last term that was carried."""


class Laurent:
    """A series by the exponent of its first term and its coefficients.

    Its level tells its variable from those of the series that are its coefficients: a scalar of a
    lower level is a constant. A ball has level 0.
    """

    def __init__(self, start: int, terms: Sequence[Scalar], level: int = 1) -> None:
        exact_zeros = next((k for k, c in enumerate(terms) if not _is_zero(c)), 0)
        self.start = start + exact_zeros
        self.terms = list(terms)[exact_zeros:]
        self.level = level

    @classmethod
    def variable(cls, length: int, level: int = 1) -> Laurent:
        """The series ``z``."""
        return cls(1, [arb(1)] + [arb(0)] * (length - 1), level)

    def __getitem__(self, exponent: int) -> Scalar:
        """The coefficient of ``z^exponent``."""
        if exponent >= self.end:
            raise TooShort(f"the coefficient of order {exponent}, of a series up to {self.end - 1}")
        return self.terms[exponent - self.start] if exponent >= self.start else arb(0)

    @property
    def end(self) -> int:
        """The first exponent that is not known."""
        return self.start + len(self.terms)

    def __add__(self, other: Laurent) -> Laurent:
        start, end = min(self.start, other.start), min(self.end, other.end)
        return Laurent(start, [plus(self[e], other[e]) for e in range(start, end)], self.level)

    def __mul__(self, other: Laurent) -> Laurent:
        length = min(len(self.terms), len(other.terms))
        products = [_convolved(self.terms, other.terms, order) for order in range(length)]
        return Laurent(self.start + other.start, products, self.level)

    def inverse(self) -> Laurent:
        """``1 / f``; the first term must not be zero."""
        lead = inverse(self.terms[0])
        found = [lead]
        for order in range(1, len(self.terms)):
            rest = _convolved(self.terms[1:], found, order - 1)
            found.append(times(times(arb(-1), lead), rest))
        return Laurent(-self.start, found, self.level)

    def exp(self) -> Laurent:
        """``g = e^f``, from ``g' = f' g``; no negative power may occur."""
        terms = self._from_zero()
        slopes = [times(arb(order), term) for order, term in enumerate(terms)][1:]
        found = [exponential(terms[0])]
        for order in range(1, len(terms)):
            found.append(times(arb(1) / order, _convolved(slopes, found, order - 1)))
        return Laurent(0, found, self.level)

    def log(self) -> Laurent:
        """``g = log f``, from ``g' = f' / f``; the series must start with a constant."""
        terms = self._from_zero()
        slope = [times(arb(order), term) for order, term in enumerate(terms)][1:]
        inverted = Laurent(0, terms, self.level).inverse()
        quotient = (_convolved(slope, inverted.terms, order) for order in range(len(slope)))
        rest = [times(arb(1) / (order + 1), term) for order, term in enumerate(quotient)]
        return Laurent(0, [logarithm(terms[0]), *rest], self.level)

    def _from_zero(self) -> list[Scalar]:
        """The coefficients from order 0 on."""
        if self.start < 0:
            raise ArithmeticError(f"a series that starts at order {self.start} has no exp or log")
        return [self[order] for order in range(self.end)]


def level(value: Scalar) -> int:
    """How many variables the scalar is a series in."""
    return value.level if isinstance(value, Laurent) else 0


def _is_zero(value: Scalar) -> bool:
    """Exactly zero."""
    return not isinstance(value, Laurent) and bool(value == 0)


def _convolved(left: Sequence[Scalar], right: Sequence[Scalar], order: int) -> Scalar:
    """``sum_m left_m right_{order - m}``."""
    total: Scalar = arb(0)
    for m in range(max(0, order - len(right) + 1), min(order + 1, len(left))):
        total = plus(total, times(left[m], right[order - m]))
    return total


def plus(left: Scalar, right: Scalar) -> Scalar:
    """The sum of two scalars."""
    if type(left) is type(right) is arb:
        return left + right
    left, right = _lifted(left, right), _lifted(right, left)
    return left + right


def times(left: Scalar, right: Scalar) -> Scalar:
    """The product of two scalars."""
    if type(left) is type(right) is arb:
        return left * right
    left, right = _lifted(left, right), _lifted(right, left)
    return left * right


def _lifted(value: Scalar, beside: Scalar) -> Scalar:
    """The scalar as a constant series of the level of the other, if that is higher."""
    if level(value) >= level(beside):
        return value
    length = max(beside.end, len(beside.terms), 1)
    constant = Laurent(0, [value, *[arb(0)] * (length - 1)], beside.level)
    # An exact zero has no first term: all of its terms are kept.
    if _is_zero(value):
        constant.start, constant.terms = 0, [arb(0)] * length
    return constant


def inverse(value: Scalar) -> Scalar:
    """``1 / value``."""
    if isinstance(value, Laurent):
        return value.inverse()
    if value == 0:
        raise ZeroDivisionError("a series that is 0 has no inverse")
    return 1 / value


def exponential(value: Scalar) -> Scalar:
    """``e^value``."""
    return value.exp()


def logarithm(value: Scalar) -> Scalar:
    """``log value``, of a positive number or a series that starts with one."""
    if not isinstance(value, Laurent) and value <= 0:
        raise ArithmeticError(f"the log of {value}")
    return value.log()


def power(base: Scalar, exponent: int) -> Scalar:
    """``base^exponent``."""
    if not isinstance(base, Laurent):
        return base**exponent
    factor, result = base if exponent >= 0 else base.inverse(), arb(1)
    for _ in range(abs(exponent)):
        result = times(result, factor)
    return result
