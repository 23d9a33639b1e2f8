"""The terms of a sum in the order in which they lose least: ``(s_j - m) - log1p(...)``."""

from __future__ import annotations

from sympy import Add, Expr, Indexed, Mul, Sum

from derive.axis import Index
from derive.calculus import free_indices
from derive.nodes import Largest, Shift, difference, finite, larger

# Terms that are added first in a sum: entries, maxima, shifts and their differences.
FLAT = (Indexed, Shift, Largest, larger, difference)


def without_empty(term: Expr) -> Expr:
    """A shift that is subtracted, with 0 for the maximum over no entry."""
    factors = (
        finite(factor)
        if isinstance(factor, Shift) and isinstance(factor.definition, finite)
        else factor
        for factor in Mul.make_args(-term)
    )
    return Mul(*factors)


def by_index(node: Add) -> list[Expr]:
    """The terms; in a sum over several indices those of one index are one term, on a vector."""
    if len(free_indices(node)) < 2:
        return list(node.args)
    groups: dict[frozenset[Index], list[Expr]] = {}
    for term in node.args:
        groups.setdefault(free_indices(term), []).append(term)
    vectors = [Add(*terms) for free, terms in groups.items() if len(free) == 1]
    return vectors + [term for free, terms in groups.items() if len(free) != 1 for term in terms]


def order_in_sum(term: Expr) -> tuple[bool, bool]:
    """Entries, shifts and numbers first: ``(s_j - m) - log1p(...)`` keeps what ``m + ...`` loses.

    Among equals, what is added comes before what is subtracted.
    """
    return is_curved(term), term.could_extract_minus_sign()


def is_curved(term: Expr) -> bool:
    return not all(
        factor.is_Atom or isinstance(factor, FLAT) or _is_picked(factor)
        for factor in Mul.make_args(term)
    )


def _is_picked(factor: Expr) -> bool:
    """``sum_j y_j s_j``: with a one-hot label it is an entry."""
    if not isinstance(factor, Sum):
        return False
    parts = Mul.make_args(factor.function)
    return len(parts) == 2 and all(isinstance(part, Indexed) for part in parts)
