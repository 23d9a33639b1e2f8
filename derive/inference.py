"""Where an expression vanishes: the one inference that equality and sign do not cover.

A sum of non-negative terms is zero only where each term is; a product with a positive factor only
where the other factor is; a square only where its root is. With these, "equality only if" and
"strictly convex" are decided for every length.
"""

from __future__ import annotations

from sympy import Add, Expr, Mul, Pow, Sum

from derive.calculus import free_indices, opened
from derive.decide import Decision, Proved, Undecided
from derive.facts import NOTHING_ASSUMED, Facts
from derive.sign import is_nonnegative, is_positive


def forces(expression: Expr, root: Expr, facts: Facts = NOTHING_ASSUMED) -> Decision:
    """Does ``expression = 0`` imply ``root = 0`` (for every value of the free indices of root)?"""
    terms = Add.make_args(expression)
    if len(terms) > 1 and not all(is_nonnegative(term, facts) for term in terms):
        return Undecided("a term has no known sign")
    if any(_term_forces(term, root, facts) for term in terms):
        return Proved("a vanishing sum of non-negative terms")
    return Undecided("no term vanishes only with the root")


def _term_forces(term: Expr, root: Expr, facts: Facts) -> bool:
    if isinstance(term, Sum):
        return _sum_forces(term, root, facts)
    factors = Mul.make_args(term)
    return any(
        _factor_forces(factor, root, facts)
        and all(is_positive(other, facts) for other in factors if other != factor)
        for factor in factors
    )


def _sum_forces(aggregate: Sum, root: Expr, facts: Facts) -> bool:
    """Each term of a sum of non-negative terms vanishes, so one may pick the root's index."""
    index, body = opened(aggregate)
    if not is_nonnegative(body, facts):
        return False
    candidates = [i for i in free_indices(root) if i.axis == index.axis]
    return any(_term_forces(body.xreplace({index: i}), root, facts) for i in candidates)


def _factor_forces(factor: Expr, root: Expr, facts: Facts) -> bool:
    base = factor.base if isinstance(factor, Pow) and factor.exp.is_positive else factor
    return base in (root, -root) or (isinstance(base, Sum) and _sum_forces(base, root, facts))
