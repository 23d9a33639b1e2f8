"""Where an expression vanishes: the one inference that equality and sign do not cover.

A sum of non-negative terms is zero only where each term is; a product with a positive factor only
where the other factor is; a square only where its root is. With these, "equality only if" and
"strictly convex" are decided for every length.
"""

from __future__ import annotations

from sympy import Add, Expr, Mul, Pow, Sum

from derive.calculus import free_indices, opened, replace_index
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
    critical = [f for f in Mul.make_args(term) if not is_positive(f, facts)]
    if len(critical) == 1 and isinstance(critical[0], Sum):
        return _sum_forces(critical[0], root, facts)
    # A product vanishes where the product of the bases of its powers does.
    bases = Mul(*(f.base if isinstance(f, Pow) and f.exp.is_positive else f for f in critical))
    return bases in (root, -root)


def _sum_forces(aggregate: Sum, root: Expr, facts: Facts) -> bool:
    """Each term of a sum of non-negative terms vanishes, so one may pick the root's index."""
    index, body = opened(aggregate)
    if not is_nonnegative(body, facts):
        return False
    free = sorted(free_indices(root), key=str)
    candidates = [i for i in free if i.axis == index.axis]
    return any(_term_forces(replace_index(body, index, i), root, facts) for i in candidates)
