"""Derivations: chains of steps, each decided by machine, whose trace is the computation.

A step states ``left relation right`` and carries the rule that led to it, its conditions and the
decision. The result of a derivation is the right-hand side of its last equation, so that a trace
cannot drift from what is used. A derivation holds when every one of its steps is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from sympy import Expr, Indexed, IndexedBase, S, Symbol

from derive.branches import nodes_of
from derive.calculus import alike, free_indices, replace_index, resolve, under_names
from derive.decide import Decision, equal, nonnegative, positive
from derive.facts import NOTHING_ASSUMED, Facts
from derive.inference import forces
from derive.render import as_html, render, summary
from derive.series import at, first_order
from derive.sign import is_nonnegative, is_positive
from derive.step import Relation, Step


@dataclass(frozen=True, repr=False)
class Derivation:
    """A titled chain of decided steps.

    ``claims`` are the ids of the statements it decides; ``names`` abbreviates subexpressions when
    the derivation is shown, and never takes part in a decision.
    """

    loss: str
    topic: str
    title: str
    start: Expr
    claims: tuple[str, ...] = ()
    facts: Facts = NOTHING_ASSUMED
    names: tuple[tuple[Symbol, Expr], ...] = ()
    steps: tuple[Step, ...] = field(default_factory=tuple)

    @property
    def id(self) -> str:
        """``loss.topic``: the claim id of the derivation itself."""
        return f"{self.loss}.{self.topic}"

    @property
    def result(self) -> Expr:
        """Where the chain has come to: the right-hand side of its last step."""
        chained = (Relation.EQUAL, Relation.TRUNCATES)
        sides = [step.right for step in self.steps if step.relation in chained and not step.aside]
        return sides[-1] if sides else self.start

    @property
    def holds(self) -> bool:
        """True when there is a step and every step is proved."""
        return bool(self.steps) and all(step.holds for step in self.steps)

    def to(self, rule: str, target: Expr | Callable[[Expr], Expr], note: str = "") -> Derivation:
        """The chain goes on: the current expression equals ``target`` (or ``target(current)``)."""
        before = self.result
        after = target(before) if callable(target) else target
        if after == before and self.steps:
            return self  # a rewrite that changes nothing is not a step
        return self._add(rule, before, Relation.EQUAL, after, note)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _repr_markdown_(self) -> str:
        return render(self, "markdown")

    def __str__(self) -> str:
        return render(self, "text")

    def __repr__(self) -> str:
        return f"<Derivation {self.id}: {summary(self)}>"

    def assuming(self, facts: Facts) -> Derivation:
        """The same chain under other facts about the arrays, for the steps that follow."""
        return replace(self, facts=facts)

    def differentiate(self) -> Derivation:
        """Carry out the partial derivatives of the current expression, capture-safe."""
        return self.to("differentiate", resolve)

    def lemma(
        self,
        rule: str,
        left: Expr,
        right: Expr,
        note: str = "",
        named: Mapping[Expr, Expr] | None = None,
    ) -> Derivation:
        """An equation beside the chain, whatever the named parts are where some are named."""
        return self._general(rule, (left, right), named or {}, note, aside=True)

    def rewrite(
        self,
        rule: str,
        part: Expr,
        equal_part: Expr,
        note: str = "",
        named: Mapping[Expr, Expr] | None = None,
        through: Mapping[Expr, Expr] | None = None,
    ) -> Derivation:
        """Equals for equals: a part of the current expression, wherever it occurs, is another.

        Decided by ``part = equal_part`` alone, which holds for every value of its free indices and
        so for those that the expression binds; with names in it as :meth:`generally` has them.
        Names to prove it ``through`` stand for their parts once derivatives are carried out, and do
        not appear in the step. Raises ``ValueError`` where the part is not found.
        """
        before = self.result
        after = before.xreplace({part: equal_part})
        if after == before:
            raise ValueError(f"{part} does not occur in {before}: nothing to rewrite")
        equation = (part.xreplace(named or {}), equal_part.xreplace(named or {}))
        _check_names(named or {}, (part, equal_part), equation, self.facts)
        general = self._through(through, *equation) if through else None
        decision = equal(*equation, self.facts, believed=True, general=general)
        step = Step(
            rule, before, Relation.EQUAL, after, decision, self.facts, note, equation=equation
        )
        return replace(self, steps=(*self.steps, step))

    def _through(self, names: Mapping[Expr, Expr], left: Expr, right: Expr) -> tuple[Expr, Expr]:
        """Both sides under those of the names that either side has a part for."""
        sides = under_names(left, names), under_names(right, names)
        _check_names(names, (left, right), sides, self.facts)
        return sides

    def generally(
        self, rule: str, target: Expr, named: Mapping[Expr, Expr], note: str = ""
    ) -> Derivation:
        """The current expression equals the target, whatever the named parts of both are.

        Each part is given the name of an array entry with all the indices it depends on, or of a
        symbol; the equality of names is decided, and so holds for these parts. A name that is
        positive stands for a part that is. Raises ``ValueError`` where a name could not stand for
        its parts.
        """
        return self._general(rule, (self.result, target), named, note, aside=False)

    def _general(
        self,
        rule: str,
        sides: tuple[Expr, Expr],
        named: Mapping[Expr, Expr],
        note: str,
        aside: bool,
    ) -> Derivation:
        equation = (sides[0].xreplace(named), sides[1].xreplace(named))
        _check_names(named, sides, equation, self.facts)
        decision = equal(*equation, self.facts, believed=True)
        step = Step(
            rule,
            sides[0],
            Relation.EQUAL,
            sides[1],
            decision,
            self.facts,
            note,
            aside,
            None,
            equation,
        )
        return replace(self, steps=(*self.steps, step))

    def positive(self, rule: str, expression: Expr, note: str = "") -> Derivation:
        """``expression > 0``."""
        return self._add(rule, expression, Relation.POSITIVE, S.Zero, note)

    def nonnegative(self, rule: str, expression: Expr, note: str = "") -> Derivation:
        """``expression >= 0``."""
        return self._add(rule, expression, Relation.NONNEGATIVE, S.Zero, note)

    def forces(self, rule: str, expression: Expr, root: Expr, note: str = "") -> Derivation:
        """``expression = 0`` only where ``root = 0``."""
        return self._add(rule, expression, Relation.FORCES, root, note)

    def truncate(self, rule: str, graded: Expr, grade: Symbol, kept: Expr) -> Derivation:
        """Keep the orders 0 and 1 in ``grade`` of a factor of the current expression.

        ``graded`` at grade 1 is the factor; ``kept`` must be its value plus its slope at grade 0.
        What is dropped is stated: the factor less what is kept.
        """
        factor = at(graded, grade, S.One)
        after = self.result.xreplace({factor: kept})
        if after == self.result:
            raise ValueError(f"{factor} does not occur in {self.result}: nothing to truncate")
        equation = (first_order(graded, grade), kept)
        step = Step(
            rule,
            self.result,
            Relation.TRUNCATES,
            after,
            equal(*equation, self.facts, believed=True),
            self.facts,
            dropped=factor - kept,
            equation=equation,
        )
        return replace(self, steps=(*self.steps, step))

    def _add(self, rule: str, left: Expr, relation: Relation, right: Expr, note: str) -> Derivation:
        equation = (left, right) if relation is Relation.EQUAL else None
        decision = self._decide(left, relation, right)
        step = Step(rule, left, relation, right, decision, self.facts, note, equation=equation)
        return replace(self, steps=(*self.steps, step))

    def _decide(self, left: Expr, relation: Relation, right: Expr) -> Decision:
        if relation is Relation.EQUAL:
            return equal(left, right, self.facts, believed=True)
        if relation is Relation.FORCES:
            return forces(left, right, self.facts)
        return (positive if relation is Relation.POSITIVE else nonnegative)(left, self.facts)


_Sides = tuple[Expr, Expr]


def _check_names(named: Mapping[Expr, Expr], sides: _Sides, under: _Sides, facts: Facts) -> None:
    """A name that occurs is new, has the indices and the sign of its part, and names one family."""
    families: dict[Expr, tuple[Expr, tuple[Expr, ...]]] = {}
    taken = set().union(*(side.free_symbols | nodes_of(side, IndexedBase) for side in sides))
    occurring = set().union(*(nodes_of(side, kind) for side in under for kind in (Indexed, Symbol)))
    for part, name in named.items():
        if name not in occurring:
            continue
        base, indices = (name.base, name.indices) if isinstance(name, Indexed) else (name, ())
        if base in taken:
            raise ValueError(f"{name} occurs already: name {part} by something new")
        if not free_indices(part) <= set(indices):
            raise ValueError(f"{part} has an index that its name {name} has not")
        if name.is_nonnegative and not _has_sign_of(name, part, facts):
            raise ValueError(f"{name} has a sign that is not known of {part}")
        first, where = families.setdefault(base, (part, indices))
        if not alike(_at(first, where, indices), part):
            raise ValueError(f"{name} is the name of {first} and of {part}")


@lru_cache(maxsize=256)
def _has_sign_of(name: Expr, part: Expr, facts: Facts) -> bool:
    return is_positive(part, facts) if name.is_positive else is_nonnegative(part, facts)


def _at(part: Expr, where: tuple[Expr, ...], indices: tuple[Expr, ...]) -> Expr:
    """The part written at other indices."""
    between = [index.axis.index(f"_{place}") for place, index in enumerate(where)]
    for old, new in (*zip(where, between, strict=True), *zip(between, indices, strict=True)):
        part = replace_index(part, old, new)
    return part


__all__ = ["Derivation", "Relation", "Step"]
