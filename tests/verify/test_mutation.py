"""Mutants of every step of every derivation: refuted, or still true and shown to be so.

The id of a test is the id of the derivation. A mutant that is proved is examined once more, at
points that the decision did not use, so that a prover that says yes too often cannot pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flint import arb
from sympy import Expr, KroneckerDelta, S, exp

from derive import decide
from derive.axis import array, labels_axis, total
from derive.balls import OutsideDomain, enclose
from derive.calculus import free_indices
from derive.decide import sample_points
from derive.derivation import Derivation, Relation, Step
from derive.facts import soft
from derive.losses import LOSSES, SUBJECTS
from verify.mutation import Trial, mutants, root_mutants, spread, try_derivation
from verify.run import Task, mutants_a_step

TOPICS = [(name, topic) for name, subject in SUBJECTS.items() for topic in subject.topics]
LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t = array("s"), array("t")
# Points of this seed are none of those that decisions are made at.
SEED = 45
BITS = 192
MATRIX = ("gradient", "hessian")
# Equations with fewer mutants than this are too small to ask for five caught ones.
ENOUGH = 8


def statements(
    step: Step, most: int | None = None
) -> Iterator[tuple[str, Expr, Expr, Callable[[arb, arb], bool]]]:
    """The mutants of a step in the order of its trials: change, sides, and what refutes them."""
    if step.equation is not None:
        left, right = step.equation
        for mutant in spread(list(mutants(right)), most):
            yield mutant.change, left, mutant.expression, lambda a, b: not a.overlaps(b)
    elif step.relation is Relation.FORCES:
        for mutant in spread(list(root_mutants(step.left, step.right, step.facts)), most):
            yield mutant.change, step.left, mutant.expression, lambda a, b: a.is_zero() and b != 0
    else:
        yield "sign of the whole", -step.left, S.Zero, lambda a, b: a < b


def false_survivors(
    derivation: Derivation, trials: list[Trial], most: int | None = None
) -> list[str]:
    """The mutants called true that some further point shows to be false."""
    steps = derivation.steps
    checked = [(step, *statement) for step in steps for statement in statements(step, most)]
    assert [change for _, change, *_ in checked] == [trial.change for trial in trials]
    return [
        f"{trial.rule}: {trial.change}"
        for (step, _, left, right, refutes), trial in zip(checked, trials, strict=True)
        if trial.still_true and refuted_at_further_points(step, left, right, refutes)
    ]


def refuted_at_further_points(
    step: Step, left: Expr, right: Expr, refutes: Callable[[arb, arb], bool]
) -> bool:
    for point in sample_points((left, right), step.facts, 6, SEED):
        try:
            sides = enclose(left, point, BITS), enclose(right, point, BITS)
        except OutsideDomain:
            continue
        if refutes(*sides):
            return True
    return False


@pytest.mark.parametrize(("name", "topic"), TOPICS, ids=[f"{n}.{t}" for n, t in TOPICS])
def test_every_mutant_is_refuted_or_still_true(name: str, topic: str):
    derivation = SUBJECTS[name].derive(topic)
    most = mutants_a_step(Task(name, topic, thorough=True))
    trials = try_derivation(derivation, most)
    undecided = [t for t in trials if not t.caught and not t.still_true]
    assert not undecided, [f"{t.rule}: {t.change}: {t.evidence}" for t in undecided]
    assert false_survivors(derivation, trials, most) == []
    caught = sum(trial.caught for trial in trials)
    assert caught >= (5 if len(trials) >= ENOUGH else 1)


def test_gradients_and_hessians_have_hundreds_of_mutants():
    """Counted, not decided: a rule of mutation that falls silent shows here."""
    derivations = [loss.derive(topic) for loss in LOSSES.values() for topic in MATRIX]
    counts = [sum(1 for step in d.steps for _ in statements(step)) for d in derivations]
    assert sum(counts) > 1400
    # What is linear piece by piece has the second derivative 0, which is mutated in one way.
    assert min(n for d, n in zip(derivations, counts, strict=True) if d.result != 0) > 20


# The mutants -----------------------------------------------------------------------------------

CROSS = total(t[k] * exp(-s[k]), k)


def changes(expression: Expr) -> set[str]:
    return {mutant.change.split(" ")[0] for mutant in mutants(expression)}


def test_signs_factors_indices_and_exponents_are_all_changed():
    expression = s[i] * exp(-s[j]) / (1 + CROSS) ** 2
    assert changes(expression) == {"sign", "factor", "exponent", "index"}


def test_mutants_differ_from_the_formula_and_from_each_other():
    formula = (KroneckerDelta(i, j) + s[i] * exp(s[j])) / (1 + CROSS)
    found = [mutant.expression for mutant in mutants(formula)]
    assert formula not in found
    assert len(set(found)) == len(found)


def test_no_mutant_has_a_free_index_that_the_formula_has_not():
    """A changed index is one that is in reach: nothing leaks out of a sum."""
    formula = s[i] * total(t[k] * s[k] * total(exp(s[j] - s[k]), j), k)
    for mutant in mutants(formula):
        assert free_indices(mutant.expression) <= {i}, mutant.change


def test_indices_are_changed_inside_sums_too():
    formula = s[i] * total(t[k] * s[k], k)
    found = {mutant.expression for mutant in mutants(formula)}
    assert s[i] * total(t[k] * s[i], k) in found
    assert s[i] * total(t[i] * s[k], k) in found


def test_most_limits_the_mutants_of_each_step():
    derivation = LOSSES["soft_zlpr"].derive("gradient")
    few, all_ = try_derivation(derivation, most=3), try_derivation(derivation)
    assert len(few) == sum(min(3, sum(1 for _ in statements(step))) for step in derivation.steps)
    assert {t.change for t in few} <= {t.change for t in all_}


# A harness that cannot fail is worthless --------------------------------------------------------


def toy() -> Derivation:
    """The sum over two different labels, of which a mutant is zero for n <= 2 as the formula is."""
    apart = 1 - KroneckerDelta(j, k)
    chain = Derivation(
        "toy", "pairs", "Pairs", total(total(apart * s[j] * s[k], k), j), facts=soft(t)
    )
    return chain.to("all pairs less the diagonal", total(s[k], k) ** 2 - total(s[k] ** 2, k))


def test_a_prover_that_accepts_everything_is_seen(monkeypatch: pytest.MonkeyPatch):
    """With a prover that says yes and no examination before it, false survivors are reported."""
    derivation = toy()
    assert derivation.holds
    assert false_survivors(derivation, try_derivation(derivation)) == []
    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: True)
    monkeypatch.setattr(decide, "EXAMINATIONS", 0)
    trials = try_derivation(derivation)
    assert all(trial.still_true for trial in trials)
    assert false_survivors(derivation, trials)


@pytest.mark.parametrize("topic", ["gradient", "bounds", "optimum"])
def test_examination_alone_catches_what_a_yes_saying_prover_lets_through(
    topic: str, monkeypatch: pytest.MonkeyPatch
):
    """Each mutant that is false is refuted before the broken prover is asked, or is reported."""
    derivation = LOSSES["soft_zlpr"].derive(topic)
    true = [trial.still_true for trial in try_derivation(derivation)]
    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: True)
    trials = try_derivation(derivation)
    reported = false_survivors(derivation, trials)
    accepted = sum(trial.still_true for trial in trials)
    assert accepted - len(reported) <= sum(true)
    assert accepted < len(trials) / 10


def test_a_refuter_that_finds_nothing_is_seen(monkeypatch: pytest.MonkeyPatch):
    derivation = LOSSES["soft_zlpr"].derive("gradient")
    monkeypatch.setattr(decide, "_separating_point", lambda *arguments: None)
    trials = try_derivation(derivation, most=5)
    assert not any(trial.caught for trial in trials)
    assert not all(trial.still_true for trial in trials)
