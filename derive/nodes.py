"""The nodes that rewritten expressions use, each with the plain expression that it means.

A rewritten formula stays an expression. ``log1p(x)`` means ``log(1 + x)``; ``weighted_exp(w, x)``
means ``w e^x`` (and is 0 where ``w`` is 0, whatever ``x``); a :class:`Shift` is a quantity whose
value does not matter, because the formula holds for every value of it. :func:`plain` puts the
meanings back, so that a rewriting can be decided as an equality.
"""

from __future__ import annotations

from typing import Any

from sympy import Expr, Function, IndexedBase, KroneckerDelta, S, Symbol, exp, log

from derive.axis import Index
from derive.branches import name_of
from derive.ramps import Largest


class Node(Function):
    """A function that a printer knows, and that :func:`plain` can take away."""

    def meaning(self) -> Expr:
        """The same value in plain functions."""
        raise NotImplementedError(type(self).__name__)


class Sealed(Node):
    """A node that is stable as it is: its arguments are read as a whole, never rewritten."""


class settled(Sealed):
    """The sum that it holds, in range: its scale stands outside as an exponential of a shift."""

    nargs = 1

    def meaning(self) -> Expr:
        return self.args[0]


class log1p(Node):
    """``log(1 + x)``."""

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """``log1p(0) = 0``."""
        return S.Zero if x == 0 else None

    def meaning(self) -> Expr:
        return log(1 + self.args[0])


class expm1(Node):
    """``e^x - 1``."""

    nargs = 1

    def meaning(self) -> Expr:
        return exp(self.args[0]) - 1


class softplus(Node):
    """``log(1 + e^x)``, evaluated as ``max(x, 0) + log1p(e^{-|x|})``."""

    nargs = 1

    def meaning(self) -> Expr:
        return log(1 + exp(self.args[0]))


class sigmoid(Node):
    """``1 / (1 + e^{-x})``, evaluated through ``e^{-|x|}``."""

    nargs = 1

    def meaning(self) -> Expr:
        return 1 / (1 + exp(-self.args[0]))


class weighted_exp(Node):
    """``w e^x``, and 0 where ``w`` is 0, whatever ``x`` is."""

    nargs = 2

    @classmethod
    def eval(cls, weight: Expr, exponent: Expr) -> Expr | None:
        """A constant weight needs no gate."""
        return weight * exp(exponent) if weight.is_Number else None

    def meaning(self) -> Expr:
        return self.args[0] * exp(self.args[1])


class quotient(Node):
    """``a / b`` kept as one quantity: a probability, not a factor of ``a`` and one of ``1/b``."""

    nargs = 2

    def meaning(self) -> Expr:
        return self.args[0] / self.args[1]


class difference(Node):
    """``a - b`` kept as one quantity, rounded once, whatever it is added to."""

    nargs = 2

    def meaning(self) -> Expr:
        return self.args[0] - self.args[1]


class off_top(Node):
    """``(1 - delta(index, top)) value``: the value left out at one index of the axis."""

    nargs = 3

    def meaning(self) -> Expr:
        value, index, top = self.args
        return (1 - KroneckerDelta(index, top)) * value


class ArgLargest(Largest):
    """``argmax_j f_j`` over a whole axis: an index."""


class larger(Function):
    """``max(a, b)``, entry by entry."""

    nargs = 2


class gated(Function):
    """``x`` where ``w`` is not 0, and ``-inf`` where it is: what ``max`` must not see."""

    nargs = 2


class finite(Function):
    """``x``, and 0 where ``x`` is ``-inf``: the maximum over no entry at all.

    As the definition of a :class:`Shift` it marks a maximum that may be one; the shift is then
    ``-inf`` as a scale, and 0 where it is subtracted from entries.
    """

    nargs = 1


class Shift(Expr):
    """A quantity that a formula holds for every value of; ``definition`` is the value it is given.

    The definition decides the floats, never the mathematics. The one exception is
    ``Shift(Largest(f))`` beside an :class:`ArgLargest`: it then means ``f`` at the index left out,
    and the formula holds for every such index.
    """

    is_commutative = True
    is_extended_real = True

    @property
    def definition(self) -> Expr:
        """The value that emitted code gives it."""
        return self.args[0]


def plain(expression: Expr) -> Expr:
    """The expression with each node replaced by its meaning and each shift by a free symbol.

    Two expressions are then compared for every value of the shifts.
    """
    tops = {top.args: top for top in expression.atoms(ArgLargest)}
    return _plain(expression, tops, {})


def _plain(expression: Expr, tops: dict[Any, ArgLargest], names: dict[Expr, Expr]) -> Expr:
    if isinstance(expression, Shift):
        key = expression.definition.args
        return _at_top(tops[key]) if key in tops else _free_value(expression, names)
    if isinstance(expression, ArgLargest):
        return _top_index(expression)
    if not expression.args or not expression.has(Node, Shift):
        return expression
    inner = expression.func(*(_plain(argument, tops, names) for argument in expression.args))
    return inner.meaning() if isinstance(inner, Node) else inner


def _free_value(shift: Shift, names: dict[Expr, Expr]) -> Expr:
    indices = sorted((s for s in shift.free_symbols if isinstance(s, Index)), key=name_of)
    # Entries of one array under different indices are one family: name by the shape of it.
    pattern = shift.xreplace({index: Symbol(f"_{k}") for k, index in enumerate(indices)})
    name = names.setdefault(pattern, Symbol(f"shift_{len(names) + 1}", real=True))
    return IndexedBase(name)[tuple(indices)] if indices else name


def _top_index(top: ArgLargest) -> Index:
    index: Index = top.limits[0][0]
    return index.axis.index(f"top_{index}")


def _at_top(top: ArgLargest) -> Expr:
    index: Index = top.limits[0][0]
    return top.function.xreplace({index: _top_index(top)})
