"""Mutants that are called true as well, examined once more at points that no decision has used."""

from __future__ import annotations

from collections.abc import Iterator

from flint import arb

from derive.balls import OutsideDomain, enclose
from derive.decide import sample_points
from derive.derivation import Relation
from verify.derived import derivation_of
from verify.ledger.entry import Evidence
from verify.ledger.evidence import All, Decided, Derived, Unsupported
from verify.ledger.judge import Judgement
from verify.ledger.statement import Statement, of_step

# None of the points that decisions are made at.
SEED = 45
POINTS, BITS = 6, 192


def false_survivors(evidence: Evidence, judgement: Judgement) -> list[str]:
    """The mutants that are called true and that some further point shows to be false.

    Mutants are known by what was changed, which two may share (an index of one of two factors, say)
    of which one is true: they are reported where all of them are false.
    """
    true = {(trial.rule, trial.change) for trial in judgement.trials if trial.still_true}
    alike: dict[tuple[str, str], list[Statement]] = {}
    for statement in statements(evidence) if true else ():
        for change, mutant in statement.mutants():
            alike.setdefault((statement.describe(), change), []).append(mutant)
    return [
        f"{rule}: {change}"
        for (rule, change), mutants in alike.items()
        if (rule, change) in true and all(is_false_somewhere(mutant) for mutant in mutants)
    ]


def statements(evidence: Evidence) -> Iterator[Statement]:
    """The statements in symbols that the evidence decides and mutates."""
    if isinstance(evidence, Decided):
        yield from evidence.statements
    elif isinstance(evidence, Derived):
        steps = derivation_of(evidence.subject, evidence.topic).steps
        yield from (of_step(step) for step in steps if step.rule in evidence.rules)
    elif isinstance(evidence, All):
        for part in evidence.parts:
            yield from statements(part)
    elif isinstance(evidence, Unsupported):
        yield from statements(evidence.conclusion)


def is_false_somewhere(statement: Statement) -> bool:
    sides = (statement.left, statement.right)
    for point in sample_points(sides, statement.facts, POINTS, SEED):
        try:
            left, right = (enclose(side, point, BITS) for side in sides)
        except OutsideDomain:
            continue
        if _contradicts(statement.relation, left, right):
            return True
    return False


def _contradicts(relation: Relation, left: arb, right: arb) -> bool:
    if relation is Relation.EQUAL:
        return not left.overlaps(right)
    if relation is Relation.FORCES:
        return bool(left.is_zero()) and not right.contains(0)
    return bool(left <= right) if relation is Relation.POSITIVE else bool(left < right)
