"""Coefficients of generating functions: ``[z^k] F(z)``, for a symbolic order k.

``F`` is a formal Laurent series in ``z``: with explicit lengths it is built from ``z``, sums,
products, powers, ``exp`` and ``log``, and it is expanded at ``z = 0`` in powers of which finitely
many are negative. The elementary symmetric polynomial is ``e_k(x) = [z^k] prod_j (1 + x_j z)``.

Taking a coefficient is linear, ``[z^{k-c}] F = [z^k] z^c F``, and ``k [z^k] F = [z^k] z F'``.

So an equation that is linear in coefficients of order k holds for every k if its two generating
functions are equal, and that is an identity in the symbol ``z``. Sums over orders, which are one
coefficient again, are closed in :mod:`derive.generating`; products and quotients of coefficients
are decided in :mod:`derive.extraction`.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Pow,
    Product,
    S,
    Sum,
    Symbol,
    exp,
    log,
    sympify,
)
from sympy.printing.precedence import PRECEDENCE

#: The variable of the generating functions.
Z = Symbol("z", positive=True)


class Bound(Expr):
    """A node that binds a symbol of its own."""

    is_extended_real = True
    is_commutative = True

    @property
    def bound(self) -> Symbol:
        """The symbol that is bound in the first argument."""
        return self.args[1]

    @property
    def free_symbols(self) -> set[Symbol]:
        """What is free inside, without the bound symbol."""
        return set(_free_symbols(self))

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        return self.func(self.args[0].diff(symbol), *self.args[1:])


# Whatever holds a coefficient is asked, and asks it.
@lru_cache(maxsize=4096)
def _free_symbols(node: Bound) -> frozenset[Symbol]:
    body, bound, *others = node.args
    return frozenset((body.free_symbols - {bound}).union(*(o.free_symbols for o in others)))


class Coefficient(Bound):
    """``[variable^order] series``: one coefficient of a formal Laurent series."""

    #: In print it binds as a product does: a power of it is a power of a bracket.
    precedence = PRECEDENCE["Mul"]

    def __new__(cls, series: Expr, variable: Symbol, order: Expr) -> Expr:
        """The series zero has the coefficients zero."""
        series, order = sympify(series), sympify(order)
        return S.Zero if series == 0 else Expr.__new__(cls, series, variable, order)

    @property
    def series(self) -> Expr:
        """The generating function."""
        return self.args[0]

    @property
    def order(self) -> Expr:
        """Which coefficient is taken."""
        return self.args[2]


class OrderSum(Bound):
    """``sum_{m = first}^{last} summand`` over the orders m; empty where ``last < first``."""

    def __new__(cls, summand: Expr, index: Symbol, first: Expr, last: Expr) -> Expr:
        """A sum of zeros is zero."""
        summand = sympify(summand)
        if summand == 0:
            return S.Zero
        return Expr.__new__(cls, summand, index, sympify(first), sympify(last))

    @property
    def summand(self) -> Expr:
        """What is summed."""
        return self.args[0]

    @property
    def first(self) -> Expr:
        """The least order."""
        return self.args[2]

    @property
    def last(self) -> Expr:
        """The largest order, or ``oo``."""
        return self.args[3]


def coefficient(series: Expr, order: Expr) -> Expr:
    """``[z^order] series`` in the variable :data:`Z`."""
    return Coefficient(series, Z, order)


def order_sum(summand: Expr, index: Symbol, first: Expr, last: Expr) -> Expr:
    """``sum_{index = first}^{last} summand``; ``last`` may be ``oo`` where finitely many terms
    differ from zero."""
    return OrderSum(summand, index, first, last)


def order(name: str) -> Symbol:
    """An order: a symbol for an integer that is not negative."""
    return Symbol(name, integer=True, nonnegative=True)


def height(expression: Expr) -> int:
    """How deep coefficients of coefficients are nested in the expression."""
    inner = (height(node.series) + 1 for node in expression.atoms(Coefficient))
    return max(inner, default=0)


def depth_of_sums(expression: Expr) -> int:
    """How deep sums over orders are nested in the expression."""
    inner = (depth_of_sums(node.summand) + 1 for node in expression.atoms(OrderSum))
    return max(inner, default=0)


# What kind of series ---------------------------------------------------------------------------


def is_polynomial(series: Expr, z: Symbol) -> bool:
    """True when the series is a polynomial in ``z`` for explicit lengths."""
    if series == z or z not in series.free_symbols:
        return True
    if isinstance(series, Pow):
        whole = isinstance(series.exp, Integer) and series.exp >= 0
        return whole and is_polynomial(series.base, z)
    if isinstance(series, Sum | Product):
        return is_polynomial(series.function, z)
    if isinstance(series, Add | Mul):
        return all(is_polynomial(argument, z) for argument in series.args)
    return False


def is_power_series(series: Expr, z: Symbol) -> bool:
    """True when no negative power of ``z`` occurs, and what is divided by is not 0 at ``z = 0``."""
    if is_polynomial(series, z):
        return True
    if isinstance(series, Sum | Product):
        return is_power_series(series.function, z)
    if isinstance(series, Add | Mul | exp):
        return all(is_power_series(argument, z) for argument in series.args)
    if isinstance(series, Pow | log):
        base, power = series.as_base_exp() if isinstance(series, Pow) else (series.args[0], S.One)
        constant = base.xreplace({z: S.Zero})
        started = bool(constant.is_positive) and is_power_series(base, z)
        return started and z not in power.free_symbols
    return False
