"""A statement in symbols, ``left relation right`` under facts, for every length: decided, mutated.

A mutant changes one sign, factor, index or exponent on either side, turns the relation round, or
takes away an assumption.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Expr, Indexed, Pow, S, Sum, exp, expand, log, together

from derive.coefficients import Coefficient
from derive.decide import Decision, Undecided, equal, nonnegative, positive
from derive.derivation import Relation, Step
from derive.facts import NOTHING_ASSUMED, Facts
from derive.inference import forces
from derive.printing import text
from verify.mutation import mutants, root_mutants

__all__ = ["Statement", "above", "at_least", "equation", "of_step"]


@dataclass(frozen=True)
class Statement:
    """``left relation right``; ``FORCES`` is ``left = 0`` only where ``right = 0``."""

    left: Expr
    relation: Relation
    right: Expr
    facts: Facts = NOTHING_ASSUMED

    def decide(self) -> Decision:
        """Proved for every length, refuted at a point, or undecided."""
        if self.relation is Relation.EQUAL:
            return equal(self.left, self.right, self.facts)
        if self.relation is Relation.FORCES:
            return forces(self.left, self.right, self.facts)
        of_sign = positive if self.relation is Relation.POSITIVE else nonnegative
        decision = of_sign(self.left - self.right, self.facts)
        if isinstance(decision, Undecided):
            # Over one denominator the terms that differ in sign may cancel.
            return of_sign(_over_one_denominator(self.left - self.right), self.facts)
        return decision

    def describe(self) -> str:
        """One line of text."""
        return f"{text(self.left)} {self.relation.value} {text(self.right)}"

    def mutants(self) -> Iterator[tuple[str, Statement]]:
        """Each changed statement with what was changed, in words."""
        if self.relation is Relation.EQUAL:
            yield from self._changed_sides()
        elif self.relation is Relation.FORCES:
            for mutant in root_mutants(self.left, self.right, self.facts):
                yield f"right: {mutant.change}", replace(self, right=mutant.expression)
        else:
            yield "the relation turned round", replace(self, left=self.right, right=self.left)
            yield from self._changed_bound()
        if self._has_a_meaning_without_facts and self.relation is not Relation.FORCES:
            yield "without the assumptions", replace(self, facts=NOTHING_ASSUMED)

    @property
    def _has_a_meaning_without_facts(self) -> bool:
        """Not where labels count an order, or stand under a root or a log by themselves."""
        both = self.left, self.right
        counted = any(side.has(Coefficient) for side in both)
        partial = {node for side in both for node in side.atoms(Pow, log)}
        bound = any(_is_of_labels(node) for node in partial if not node.has(Sum))
        return self.facts != NOTHING_ASSUMED and not counted and not bound

    def _changed_sides(self) -> Iterator[tuple[str, Statement]]:
        for mutant in mutants(self.right):
            yield f"right: {mutant.change}", replace(self, right=mutant.expression)
        for mutant in mutants(self.left):
            yield f"left: {mutant.change}", replace(self, left=mutant.expression)

    def _changed_bound(self) -> Iterator[tuple[str, Statement]]:
        """Of an inequality only changes that are decided either way say something of it."""
        yield "sign of the left side", replace(self, left=-self.left)
        if self.right != 0:
            yield "sign of the right side", replace(self, right=-self.right)
            yield "factor 2 on the right side", replace(self, right=2 * self.right)
            yield "factor 1/2 on the left side", replace(self, left=self.left / 2)
        yield "equality", replace(self, relation=Relation.EQUAL)


def _is_of_labels(node: Expr) -> bool:
    """A root or a log of entries that no exponential makes positive."""
    rooted = isinstance(node, log) or not node.exp.is_integer
    return bool(rooted and node.args[0].has(Indexed) and not node.args[0].has(exp))


def _over_one_denominator(difference: Expr) -> Expr:
    numerator, denominator = together(difference).as_numer_denom()
    return expand(numerator) / denominator


def equation(left: Expr, right: Expr, facts: Facts = NOTHING_ASSUMED) -> Statement:
    """``left = right``."""
    return Statement(left, Relation.EQUAL, right, facts)


def at_least(left: Expr, right: Expr = S.Zero, facts: Facts = NOTHING_ASSUMED) -> Statement:
    """``left >= right``."""
    return Statement(left, Relation.NONNEGATIVE, right, facts)


def above(left: Expr, right: Expr = S.Zero, facts: Facts = NOTHING_ASSUMED) -> Statement:
    """``left > right``."""
    return Statement(left, Relation.POSITIVE, right, facts)


def of_step(step: Step) -> Statement:
    """What a step of a derivation rests on."""
    if step.equation is not None:
        return equation(*step.equation, step.facts)
    return Statement(step.left, step.relation, step.right, step.facts)
