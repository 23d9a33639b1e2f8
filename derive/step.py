"""One step of a derivation: a statement about two sides, and the decision on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sympy import Expr

from derive.decide import Decision, Proved
from derive.facts import Facts


class Relation(Enum):
    """What a step states about its two sides."""

    EQUAL = "="
    POSITIVE = ">"
    NONNEGATIVE = ">="
    FORCES = "= 0  ==>  0 ="
    TRUNCATES = "~"


@dataclass(frozen=True)
class Step:
    """One decided statement ``left relation right`` under its facts.

    A truncation is decided by an ``equation`` of its own: value plus slope at grade 0 against what
    is kept; a rewriting by that of the part that is replaced. For any other equality the equation
    is the statement itself.
    """

    rule: str
    left: Expr
    relation: Relation
    right: Expr
    decision: Decision
    facts: Facts
    note: str = ""
    aside: bool = False
    dropped: Expr | None = None
    equation: tuple[Expr, Expr] | None = None

    @property
    def reason(self) -> tuple[Expr, Expr] | None:
        """The equation that a rewriting rests on, where it is not the statement itself."""
        whole = self.relation is not Relation.EQUAL or self.equation == (self.left, self.right)
        return None if whole else self.equation

    @property
    def holds(self) -> bool:
        """True when the step is proved."""
        return isinstance(self.decision, Proved)
