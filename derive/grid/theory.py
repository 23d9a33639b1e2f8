"""What the derivations about the n x m losses share: labels at a link, overlaps of classes."""

from __future__ import annotations

from sympy import Expr, exp, sqrt

from derive.axis import Index, total
from derive.calculus import map_entries
from derive.derivation import Derivation
from derive.facts import Facts
from derive.grid.sums import STRICTLY_SOFT, h, p, s, t
from derive.lattice.theory import Names


def begin(
    topic: str,
    title: str,
    start: Expr,
    facts: Facts = STRICTLY_SOFT,
    claims: tuple[str, ...] = (),
    names: Names = (),
) -> Derivation:
    """An empty derivation about the n x m losses."""
    return Derivation("grid", topic, title, start, claims, facts, names)


def softmax2(sample: Index, own: Index) -> Expr:
    """``softmax_j(2 s_ij)``."""
    return exp(2 * s[sample, own]) / total(exp(2 * s[sample, h]), h)


def at_softmax2(expression: Expr) -> Expr:
    """The expression with every row of labels replaced by ``softmax(2s)``."""
    return map_entries(expression, t, softmax2)


def shared(sample: Index, own: Index, other: Index) -> Expr:
    """``sqrt(t_ij t_ik)``, what a sample adds to the overlap of two classes."""
    return sqrt(t[sample, own]) * sqrt(t[sample, other])


def overlap(own: Index, other: Index) -> Expr:
    """``G_jk = sum_i sqrt(t_ij t_ik)``."""
    return total(shared(p, own, other), p)
