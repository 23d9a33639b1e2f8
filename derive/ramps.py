"""Ramps, steps and the largest entry of an axis: what is linear piece by piece.

``ramp(x) = max(x, 0) = x step(x)`` and ``step(x)`` is 1 above 0 and 0 below; ``Largest`` is
``M = max_k f_k`` and ``leads(M, i)`` tells whether ``f_i`` is that entry. Off the kinks, where no
``x`` is 0 and the largest entry is one only::

    ramp' = step      step' = 0      step^2 = step      step(-x) = 1 - step(x)
    dM = sum_k leads(M, k) df_k      M = sum_k leads(M, k) f_k      sum_k leads(M, k) = 1

A statement with them is one off the kinks. On a kink a step is anything from 0 to 1 here, which
holds the limits from both sides, so that no true statement is refuted there; code takes
``step(0) = 0`` and the first of equal entries, which is one of the subgradients.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sympy import Expr, Function, Integer, S, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

__all__ = ["Largest", "TwoValued", "leads", "maximum", "ramp", "step"]


class TwoValued(Function):
    """A function with the values 0 and 1 only, constant off the kinks."""

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_finite(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True

    def fdiff(self, argindex: int = 1) -> Expr:
        """0: the kinks are left out."""
        return S.Zero


class step(TwoValued):
    """1 where ``x > 0``, else 0."""

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """A sign that is known decides."""
        if x.is_positive:
            return S.One
        return S.Zero if x.is_nonpositive else None


class ramp(Function):
    """``max(x, 0)``."""

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """A sign that is known decides."""
        if x.is_nonnegative:
            return x
        return S.Zero if x.is_nonpositive else None

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True

    def fdiff(self, argindex: int = 1) -> Expr:
        """The step of the same argument."""
        return step(self.args[0])


class Largest(ExprWithLimits):
    """``max_j f_j`` over a whole axis."""

    is_commutative = True
    is_extended_real = True
    is_number = False

    def __new__(cls, body: Expr, *limits: tuple[Any, ...]) -> Largest:
        """The body is kept as it is: nothing is evaluated."""
        return Expr.__new__(cls, body, *(S(limit) for limit in limits))

    @property
    def free_symbols(self) -> set[Symbol]:
        """Those of the body without the index, and the length."""
        return set(_free_symbols(self))


# Whatever holds a maximum is asked for its sign, and asks the maximum whether it is a number.
@lru_cache(maxsize=4096)
def _free_symbols(largest: Largest) -> frozenset[Symbol]:
    indices = {limits[0] for limits in largest.limits}
    lengths = (bound.free_symbols for limits in largest.limits for bound in limits[1:])
    return frozenset((largest.function.free_symbols - indices).union(*lengths))


class leads(TwoValued):
    """``leads(M, i)``: 1 where the entry at ``i`` is the largest of ``M``, else 0."""

    nargs = 2


class maximum(Function):
    """The largest of finitely many numbers: :class:`Largest` written out for one length."""

    def _eval_is_extended_real(self) -> bool:
        return True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Whether that argument is the largest."""
        return leads(self, Integer(argindex - 1))
