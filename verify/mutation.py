"""Mutants of true formulas: one sign, factor, index or exponent changed, and nothing else.

A verifier that cannot fail is worthless. Each equation of a derivation is mutated in every place
that the rules below reach, and the decision must refute the mutant. A mutant that is proved is
still true (a sign in front of zero, say): it is reported as such and never counted as caught.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Add, Expr, Indexed, Mul, Pow, Product, Rational, S, Sum, exp

from derive.axis import Index
from derive.calculus import free_indices, opened, over
from derive.coefficients import Coefficient, OrderSum
from derive.decide import Decision, Proved, Refuted, equal, nonnegative
from derive.derivation import Derivation, Relation, Step
from derive.facts import Facts
from derive.inference import forces
from derive.ramps import Largest
from derive.zeros import zero_without


@dataclass(frozen=True)
class Mutant:
    """A changed formula, and what was changed in words."""

    change: str
    expression: Expr


@dataclass(frozen=True)
class Trial:
    """A mutant of one step and what was decided on it, as plain data."""

    derivation: str
    rule: str
    change: str
    evidence: str
    caught: bool
    still_true: bool

    @classmethod
    def of(cls, derivation: str, rule: str, change: str, decision: Decision) -> Trial:
        """The trial that ended in this decision."""
        refuted, proved = isinstance(decision, Refuted), isinstance(decision, Proved)
        return cls(derivation, rule, change, str(decision), refuted, proved)


def mutants(expression: Expr) -> Iterator[Mutant]:
    """Every mutant of the expression by one change, each different from it and from the others."""
    if expression == 0:
        yield Mutant("1 in place of 0", S.One)
    seen = {expression}
    for mutant in _mutants(expression, sorted(free_indices(expression), key=str)):
        if mutant.expression not in seen:
            seen.add(mutant.expression)
            yield mutant


def try_derivation(derivation: Derivation, most: int | None = None) -> list[Trial]:
    """Mutate every step of a derivation, at most ``most`` times each, and decide the mutants."""
    return [
        Trial.of(derivation.id, step.rule, change, decision)
        for step in derivation.steps
        for change, decision in _try_step(step, most)
    ]


def _try_step(step: Step, most: int | None) -> Iterator[tuple[str, Decision]]:
    if step.equation is not None:
        left, right = step.equation
        for mutant in spread(list(mutants(right)), most):
            yield mutant.change, equal(left, mutant.expression, step.facts)
    elif step.relation is Relation.FORCES:
        for mutant in spread(list(root_mutants(step.left, step.right, step.facts)), most):
            yield mutant.change, forces(step.left, mutant.expression, step.facts)
    else:
        yield "sign of the whole", nonnegative(-step.left, step.facts)


def root_mutants(expression: Expr, root: Expr, facts: Facts) -> Iterator[Mutant]:
    """Other roots that the zeros of the expression would force: shifted by 1, or changed as others.

    Of the changed ones only those that a zero, found exactly, tells from the root: a factor may
    change and the root vanish as before.
    """
    shifted = Mutant("root shifted by 1", root + 1)
    for mutant in (shifted, *mutants(root)):
        if zero_without(expression, mutant.expression, facts) is not None:
            yield mutant


def spread(found: list[Mutant], most: int | None) -> list[Mutant]:
    """At most ``most`` of them, evenly spaced, so that every kind and depth has its chance."""
    if most is None or len(found) <= most:
        return found
    return [found[position * len(found) // most] for position in range(most)]


def _mutants(node: Expr, free: list[Index]) -> Iterator[Mutant]:
    yield from _mutants_here(node, free)
    if isinstance(node, Indexed):
        return
    if isinstance(node, Sum | Product | Largest):
        index, body = opened(node)
        # Entries of a maximum stay at their places: others would tie, and a tie decides nothing.
        within = [index] if isinstance(node, Largest) else [*free, index]
        for inner in _mutants(body, within):
            yield Mutant(inner.change, over(node, index, inner.expression))
        return
    for position, argument in enumerate(node.args):
        for inner in _mutants(argument, free):
            arguments = [*node.args[:position], inner.expression, *node.args[position + 1 :]]
            yield Mutant(inner.change, node.func(*arguments))


def _mutants_here(node: Expr, free: list[Index]) -> Iterator[Mutant]:
    if isinstance(node, Add):
        for term in node.args:
            yield Mutant(f"sign of {term}", node - 2 * term)
            yield Mutant(f"factor 2 on {term}", node + term)
    elif isinstance(node, Mul | Sum):
        yield Mutant(f"sign of {node}", -node)
        yield Mutant(f"factor 2 on {node}", 2 * node)
    elif isinstance(node, exp):
        yield Mutant(f"sign of the exponent of {node}", exp(-node.args[0]))
        yield Mutant(f"factor 2 in the exponent of {node}", exp(2 * node.args[0]))
    elif isinstance(node, Pow) and isinstance(node.exp, Rational):
        yield Mutant(f"exponent of {node}", Pow(node.base, node.exp + 1))
    elif isinstance(node, Coefficient):
        yield Mutant(
            f"order {node.order} of a coefficient", node.func(*node.args[:2], node.order + 1)
        )
    elif isinstance(node, OrderSum):
        yield from _other_bounds(node)
    elif isinstance(node, Indexed):
        yield from _other_index(node, free)


def _other_bounds(node: OrderSum) -> Iterator[Mutant]:
    body, index, first, last = node.args
    yield Mutant(f"sign of {node}", -node)
    yield Mutant(f"first order {first}", node.func(body, index, first + 1, last))
    if last is not S.Infinity:
        yield Mutant(f"last order {last}", node.func(body, index, first, last - 1))


def _other_index(entry: Indexed, free: list[Index]) -> Iterator[Mutant]:
    for position, index in enumerate(entry.indices):
        for other in free:
            if other != index and other.axis == index.axis:
                indices = [*entry.indices[:position], other, *entry.indices[position + 1 :]]
                yield Mutant(
                    f"index {index} of {entry} read as {other}", entry.base[tuple(indices)]
                )
