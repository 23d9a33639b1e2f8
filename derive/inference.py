"""Where an expression vanishes: the one inference that equality and sign do not cover.

A sum of non-negative terms is zero only where each term is; a product with a positive factor only
where the other factor is; a square only where its root is; ``log(1 + x)`` only where ``x`` is; and
``e^x - 1 - x`` only at ``x = 0``. With these, "equality only if" and "strictly convex" are decided
for every length.
"""

from __future__ import annotations

from sympy import Add, Expr, Mul, Pow, S, Sum, log

from derive.axis import Index
from derive.calculus import free_indices, opened, replace_index
from derive.decide import Decision, Proved, Refuted, Undecided
from derive.facts import NOTHING_ASSUMED, Facts
from derive.sign import is_nonnegative, is_positive, tangent_gap
from derive.zeros import zero_without


def forces(expression: Expr, root: Expr, facts: Facts = NOTHING_ASSUMED) -> Decision:
    """Does ``expression = 0`` imply ``root = 0`` (for every value of the free indices of root)?

    Refuted by a point at which the expression is exactly 0 and the root is not; it is looked for
    before anything is proved.
    """
    found = zero_without(expression, root, facts)
    if found is not None:
        return Refuted(found)
    return _inferred(expression, root, facts)


def _inferred(expression: Expr, root: Expr, facts: Facts) -> Decision:
    if root == 0:
        return Proved("the root is zero anyway")
    terms = (expression,) if _tangent(expression, facts) else Add.make_args(expression)
    if len(terms) > 1 and not all(is_nonnegative(term, facts) for term in terms):
        return Undecided("a term has no known sign")
    if any(_term_forces(term, root, facts) for term in terms):
        return Proved("a vanishing sum of non-negative terms")
    return Undecided("no term vanishes only with the root")


def _term_forces(term: Expr, root: Expr, facts: Facts) -> bool:
    critical = _critical(term, facts)
    # A product vanishes where the product of the bases of its powers does, or a multiple of it.
    base = Mul(*(_base(factor, facts) for factor in critical))
    if base in (root, -root) or _is_multiple(base, root):
        return True
    inner = next((factor for factor in critical if _is_sum(factor, facts)), None)
    return inner is not None and _inside_forces(inner, Mul(*critical) / inner, root, facts)


def _is_multiple(base: Expr, root: Expr) -> bool:
    return base != 0 and bool((root / base).is_number and root != 0)


def _is_sum(factor: Expr, facts: Facts) -> bool:
    """Over an axis, or of terms that are: to be looked at term by term."""
    of_sums = isinstance(factor, Add) and factor.has(Sum) and _tangent(factor, facts) is None
    return of_sums or isinstance(factor, Sum)


def _inside_forces(inner: Sum | Add, outer: Expr, root: Expr, facts: Facts) -> bool:
    """``c sum f = sum c f``: each term of a vanishing sum of non-negative terms vanishes."""
    if isinstance(inner, Sum):
        index, body = opened(inner, free_indices(outer))
        return _sum_forces(index, outer * body, root, facts)
    terms = [outer * term for term in inner.args]
    known = all(is_nonnegative(term, facts) for term in terms)
    return known and any(_term_forces(term, root, facts) for term in terms)


def _critical(term: Expr, facts: Facts) -> list[Expr]:
    """The factors that may vanish."""
    return [factor for factor in Mul.make_args(term) if not is_positive(factor, facts)]


def _base(factor: Expr, facts: Facts) -> Expr:
    """What vanishes wherever the factor does."""
    if isinstance(factor, Pow) and factor.exp.is_positive:
        return _base(factor.base, facts)
    if isinstance(factor, log) and is_nonnegative(factor.args[0] - 1, facts):
        return Mul(*(_base(part, facts) for part in _critical(factor.args[0] - 1, facts)))
    return _tangent(factor, facts) or factor


def _tangent(expression: Expr, facts: Facts) -> Expr | None:
    """``x`` of ``e^x - 1 - x``, and ``A - 1`` of ``A - 1 - log A`` and ``log A - 1 + 1/A``."""
    for term in Add.make_args(expression) if expression != 0 else ():
        if tangent_gap(term, True, facts) == expression:
            return term.args[0] - (S.One if isinstance(term, log) else S.Zero)
        if tangent_gap(-term, False, facts) == expression:
            return (-term).args[0] - 1
    return None


def _sum_forces(index: Index, body: Expr, root: Expr, facts: Facts) -> bool:
    """Each term of a sum of non-negative terms vanishes, so one may pick the root's index."""
    if not is_nonnegative(body, facts):
        return False
    free = sorted(free_indices(root), key=str)
    candidates = [i for i in free if i.axis == index.axis]
    return any(_term_forces(replace_index(body, index, i), root, facts) for i in candidates)
