"""What occurs in an expression, found branch by branch and kept for each.

Expressions share most of their branches with those that they are made from, and a walk asks the
same of each branch again: SymPy would search the whole tree every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sympy import Expr, KroneckerDelta

from derive.axis import KEPT

__all__ = ["has_delta", "name_of", "nodes_of", "with_arguments"]


@lru_cache(maxsize=KEPT)
def nodes_of(expression: Expr, kind: Any) -> frozenset[Expr]:
    """Every node of a kind, as ``expression.atoms(kind)`` has them."""
    own = (expression,) if isinstance(expression, kind) else ()
    return frozenset(own).union(*(nodes_of(argument, kind) for argument in expression.args))


@lru_cache(maxsize=KEPT)
def has_delta(expression: Expr) -> bool:
    """Whether a Kronecker delta occurs."""
    return isinstance(expression, KroneckerDelta) or any(map(has_delta, expression.args))


@lru_cache(maxsize=KEPT)
def name_of(node: Any) -> str:
    """``str(node)``, which makes a printer for each: a key to sort by."""
    return str(node)


def with_arguments(expression: Expr, arguments: Iterable[Expr]) -> Expr:
    """The same node over other arguments; the expression itself where they are its own."""
    new = tuple(arguments)
    if all(one is other for one, other in zip(new, expression.args, strict=True)):
        return expression
    return expression.func(*new)
