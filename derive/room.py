"""The room that a shift leaves: exponents up to 60 stay as they are.

In ``log(1 + sum_j w_j e^{x_j})`` exponentials up to e^60 = 1e26 need no shift: a float32 sum of
1e12 of them is finite (3e38), and 1 + sum is formed without cancellation whenever the sum is tiny.
So the shift ``max(max_j x_j, 0)`` may be ``max(max_j x_j - 60, 0)``.
"""

from __future__ import annotations

from sympy import Add, Expr, S
from sympy import log as logarithm

from derive.branches import nodes_of
from derive.nodes import Shift, larger

ROOM = 60


def with_room(expression: Expr) -> Expr:
    """A stable form of first derivatives under the shifts that logarithms of the same sums have.

    A formula holds for every value of a shift, so that ``max(x, 0)`` may become
    ``max(x - 60, 0)``: a value and its gradient then have their exponentials and sums in common.
    Quotients stay finite, ``e^60`` above a sum that holds it; their squares in float32 would not.
    """
    shifts = (node for node in nodes_of(expression, Shift) if _is_bounded_below(node.definition))
    return expression.xreplace(
        {shift: Shift(larger(_bounded(shift.definition) - ROOM, S.Zero)) for shift in shifts}
    )


def _is_bounded_below(definition: Expr) -> bool:
    """``max(x, 0)`` of exponents: neither a lowered one, of logarithms, nor one with room."""
    if not isinstance(definition, larger) or S.Zero not in definition.args:
        return False
    return not definition.has(logarithm) and -ROOM not in Add.make_args(_bounded(definition))


def _bounded(definition: Expr) -> Expr:
    return next(argument for argument in definition.args if argument != 0)
