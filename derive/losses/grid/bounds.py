"""Bounds of the gradient with the best constants.

A gradient is a sum of shares that raise the score less a sum of shares that lower it. What a share
lacks of 1 is the rest of its log over the log's argument, which is positive: so the gradient is
within the number of shares that can be near 1 at a time. With ``x = e^{s_ij}`` and the other scores
fixed, the distance to the lower bound is x times what stays bounded for x -> 0, and the distance to
the upper one 1/x times what stays bounded for x -> inf: no smaller constants will do.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr

from derive.derivation import Derivation
from derive.losses.loss import SymbolicLoss


@dataclass(frozen=True)
class Bound:
    """One side: the constant, its distance to the gradient, and the same with x or 1/x in front.

    ``argument`` are two writings of the argument of a log times x or 1/x, from which its limit is
    read.
    """

    constant: Expr
    distance: Expr
    scale: Expr
    bracket: Expr
    note: str
    argument: tuple[Expr, Expr] | None = None


def derive_bounds(loss: SymbolicLoss, lower: Bound, upper: Bound, rest: Expr) -> Derivation:
    """``-lower.constant < gradient < upper.constant``; ``rest`` is what a share lacks of 1."""
    title, start = "Gradient bounds with the best constants", lower.constant + loss.gradient
    chain = loss.begin("bounds", title, start)
    chain = chain.to("what a share lacks of 1 is the rest of its log", lower.distance)
    chain = chain.positive("the rest holds the constant term of the log", rest)
    chain = chain.nonnegative("hence the lower bound", lower.distance)
    chain = chain.lemma("likewise above", upper.constant - loss.gradient, upper.distance)
    chain = chain.nonnegative("hence the upper bound", upper.distance)
    for side, end in ((lower, "-inf"), (upper, "+inf")):
        rule = f"the distance for s_ij -> {end}"
        chain = chain.lemma(rule, side.distance, side.scale * side.bracket, side.note)
        if side.argument:
            chain = chain.lemma("where this stays above 0", *side.argument)
    return chain
