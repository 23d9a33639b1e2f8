"""Truncation by a grade: how an infinite or exponential expansion is cut, for symbolic length.

A product ``prod_j (1 + x_j)^{t_j}`` is given a grade ``z``: ``P(z) = prod_j (1 + z x_j)^{t_j}``.
Its orders in ``z`` are the orders of the expansion, so that "first order" means
``P(0) + P'(0)``, with the exact remainder ``P(1) - P(0) - P'(0) = int_0^1 (1 - z) P''(z) dz``.
This holds for every ``x_j > -1``, also where the binomial series itself diverges (``x_j > 1``).
"""

from __future__ import annotations

from sympy import Expr, Product, S, Symbol

from derive.calculus import Partial, resolve

#: The grade of an expansion.
GRADE = Symbol("z", nonnegative=True)


def at(expression: Expr, symbol: Symbol, value: Expr) -> Expr:
    """The expression with the symbol set to a value; products of ones are dropped."""
    return expression.xreplace({symbol: value}).replace(
        lambda node: isinstance(node, Product) and node.function == 1, lambda node: S.One
    )


def slope(graded: Expr, grade: Symbol = GRADE) -> Expr:
    """``dP / dz``."""
    return resolve(Partial(graded, grade))


def first_order(graded: Expr, grade: Symbol = GRADE) -> Expr:
    """``P(0) + P'(0)``: what a truncation to first order keeps."""
    return at(graded, grade, S.Zero) + at(slope(graded, grade), grade, S.Zero)


def second_order(graded: Expr, grade: Symbol = GRADE) -> Expr:
    """``P''(0) / 2``: the first of the orders that are dropped."""
    return at(slope(slope(graded, grade), grade), grade, S.Zero) / 2
