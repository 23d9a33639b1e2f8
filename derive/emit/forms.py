"""The stable forms of the results of a formula: what array targets evaluate."""

from __future__ import annotations

from typing import TypeAlias

from sympy import Expr

from derive.axis import Index
from derive.emit.formula import Formula
from derive.room import with_room
from derive.stable import stable_form

__all__ = ["Form", "forms_of"]

# A stable form, and the indices of the result that it is.
Form: TypeAlias = tuple[Expr, tuple[Index, ...]]


def forms_of(formula: Formula) -> list[Form]:
    """The stable form of each result; results side by side have the same shifts."""
    return [(_stable(formula, each.expression), each.outputs) for each in formula.results]


def _stable(formula: Formula, expression: Expr) -> Expr:
    if not formula.rewrite:
        return expression
    form = stable_form(expression)
    return with_room(form) if formula.also else form
