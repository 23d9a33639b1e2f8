"""Steps that decide one another, used to reduce a term of the normal form.

Off the kinks, where no argument is 0, for steps of ``a`` and ``b`` in one product::

    b - a >= 0:   step(a) step(b) = step(a)        a + b <= 0:   step(a) step(b) = 0
    a + b >= 0:   step(a) step(b) = step(a) + step(b) - 1

The first, as ``a > 0`` is ``b > 0`` then; the second, as not both are positive; the third, as one
of them is.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from sympy import Expr, Mul, S, Symbol

from derive.facts import Facts
from derive.ramps import step
from derive.sign import is_nonnegative

__all__ = ["product_of_steps", "without_implied"]


def without_implied(term: Expr, steps: dict[Symbol, step], facts: Facts) -> Expr | None:
    """The term with the first two of its steps that decide each other reduced, or None.

    ``steps`` are the generators in the term that stand for steps, each there to the first power.
    """
    for (g, first), (h, second) in combinations(steps.items(), 2):
        parts = product_of_steps(first.args[0], second.args[0], facts)
        if parts is not None:
            number, of_first, of_second = parts
            rest = term.xreplace({g: S.One, h: S.One})
            return Mul(rest, number + of_first * g + of_second * h)
    return None


@lru_cache(maxsize=1 << 12)
def product_of_steps(a: Expr, b: Expr, facts: Facts) -> tuple[int, int, int] | None:
    """``step(a) step(b)`` as ``x + y step(a) + z step(b)``, or None where the facts say nothing."""
    if is_nonnegative(b - a, facts):
        return 0, 1, 0
    if is_nonnegative(a - b, facts):
        return 0, 0, 1
    if is_nonnegative(a + b, facts):
        return -1, 1, 1
    return (0, 0, 0) if is_nonnegative(-a - b, facts) else None
