"""The same formula where no exponent is large: no shift, no gate, one exponential for both signs.

A formula holds for every value of a shift. Where each exponent x lies in [-60, 60], every shift
that a 1 beside the sum keeps from falling below 0 may be 0: no maximum is looked for, no weight
needs a gate, since ``e^x`` is finite, and of ``e^x`` and ``e^{-x} = 1 / e^x`` one is computed. The
quotient rounds once more, by half an ulp. Outside, in one entry or in one nan, the careful form is
carried out instead.

This is for values and first derivatives: the square of a sum of such exponentials may overflow in
float32. And for targets that may look at their arrays before they go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr, Indexed, S, exp

from derive.calculus import free_indices, renamed
from derive.coefficients import Coefficient
from derive.emit.forms import Form
from derive.emit.formula import Formula
from derive.emit.lowering import Lowering, lowered
from derive.nodes import Largest, Shift, difference, expm1, larger, weighted_exp
from derive.recursion import OfElements
from derive.room import ROOM

__all__ = ["Moderate", "moderate", "unshifted"]


@dataclass(frozen=True)
class Moderate:
    """The program, and the numbers of the operations that must lie in [-limit, limit]."""

    work: Lowering
    exponents: tuple[int, ...]
    limit: int = ROOM


def moderate(formula: Formula, target: str, forms: Sequence[Form]) -> Moderate | None:
    """The program without shifts; None where a shift has no 1 beside its sum, or nothing is saved.

    ``forms`` are the stable forms of the results.
    """
    if not formula.rewrite or not (formula.also or not formula.outputs):
        return None
    expressions = [expression for expression, _ in forms]
    shifts = {shift for expression in expressions for shift in expression.atoms(Shift)}
    if not shifts or not all(_beside_one(shift.definition) for shift in shifts):
        return None
    plain = [(unshifted(expression), outputs) for expression, outputs in forms]
    if any(expression.has(Shift, Largest, Coefficient, OfElements) for expression, _ in plain):
        return None
    return _with_guard(lowered(formula, target, plain, _has_both_signs(plain)))


def _beside_one(definition: Expr) -> bool:
    """``max(x, 0)``: what the exponents are lowered by, at least by 0."""
    return isinstance(definition, larger) and S.Zero in definition.args


def unshifted(expression: Expr) -> Expr:
    """The value at 0 of every shift, and no gate."""
    if isinstance(expression, Shift):
        return S.Zero
    if not expression.args or isinstance(expression, Indexed):
        return expression
    inner = expression.func(*map(unshifted, expression.args))
    if isinstance(inner, weighted_exp):
        return inner.meaning()
    vanishing = isinstance(inner, difference | expm1) and set(inner.args) == {S.Zero}
    return S.Zero if vanishing else inner


def _has_both_signs(forms: Sequence[Form]) -> bool:
    """Whether an exponential and its reciprocal occur, at whichever indices."""
    found = {
        renamed(node.args[0], {index: index.axis.index("_") for index in free_indices(node)})
        for expression, _ in forms
        for node in expression.atoms(exp)
    }
    return any(exponent != 0 and -exponent in found for exponent in found)


def _with_guard(work: Lowering) -> Moderate | None:
    """The exponents that are left; None where there is none that is an array."""
    found = {
        op.operands[0]
        for op in work.ops
        if op.kind == "exp" and work.frame(op.operands[0]) is not None
    }
    return Moderate(work, tuple(sorted(found))) if found else None
