"""Derivations: the trace is the computation, and a wrong step shows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sympy import Expr, S, Symbol, exp, log

from derive.axis import array, labels_axis, total
from derive.calculus import partial, resolve
from derive.decide import Proved, Refuted, Undecided
from derive.derivation import Derivation, Relation
from derive.facts import NOTHING_ASSUMED, hard, soft
from derive.series import GRADE

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t = array("s"), array("t")
Z = total(exp(s[k]), k)
A = 1 + total(t[k] * exp(-s[k]), k)
GRADED = LABELS.product((1 + GRADE * exp(-s[k])) ** t[k], k)
PRODUCT = LABELS.product((1 + exp(-s[k])) ** t[k], k)


def begin(start: Expr) -> Derivation:
    return Derivation("toy", "topic", "A toy", start, facts=soft(t))


def test_the_result_is_the_right_side_of_the_last_chain_step():
    chain = begin(partial(log(Z), s[i]))
    assert chain.result == partial(log(Z), s[i])
    chain = chain.differentiate()
    assert chain.result == resolve(partial(log(Z), s[i]))
    chain = chain.to("as a power", exp(s[i]) * Z**-1)
    chain = chain.to("under one exponential", exp(s[i] - log(Z)))
    assert chain.result == exp(s[i] - log(Z)) == chain.steps[-1].right
    assert chain.holds


def test_each_link_starts_where_the_one_before_ended():
    chain = begin(log(Z**2)).to("power", 2 * log(Z)).to("twice", lambda e: e / 2 + log(Z))
    chained = [step for step in chain.steps if step.relation is Relation.EQUAL]
    assert chained[0].left == chain.start
    assert all(b.left == a.right for a, b in pairwise(chained))


def test_a_lemma_and_a_sign_do_not_move_the_chain():
    chain = begin(log(Z)).lemma("aside", exp(log(Z)), Z).positive("sum", Z).nonnegative("sum", Z)
    chain = chain.forces("square", Z * s[i] ** 2, s[i])
    assert chain.result == log(Z)
    assert [step.aside for step in chain.steps] == [True, False, False, False]
    assert chain.holds


def test_a_part_is_rewritten_by_its_own_equation_also_under_a_sum():
    share = exp(s[j]) / Z
    start = total(partial(log(Z), s[j]) * t[j], j)
    chain = begin(start).rewrite("slope", partial(log(Z), s[j]), share)
    assert chain.result == total(share * t[j], j)
    assert chain.holds
    assert chain.steps[0].equation == chain.steps[0].reason == (partial(log(Z), s[j]), share)
    assert "since ∂/∂s_j" in str(chain)
    assert "Since $" in chain._repr_markdown_()
    assert "since" in chain._repr_html_()


def test_a_wrong_rewriting_is_refuted_and_one_of_nothing_is_an_error():
    chain = begin(total(partial(log(Z), s[j]) * t[j], j))
    wrong = chain.rewrite("slope", partial(log(Z), s[j]), exp(s[j]))
    assert isinstance(wrong.steps[0].decision, Refuted)
    with pytest.raises(ValueError, match="nothing to rewrite"):
        chain.rewrite("absent", partial(log(Z), s[i]), exp(s[i]) / Z)


def test_an_equality_that_holds_whatever_its_parts_are():
    part = log(1 + exp(s[j]) * Z)
    x = array("x")
    chain = begin(total((t[j] + 1) * part, j))
    split = total(t[j] * part, j) + total(part, j)
    chain = chain.generally("split", split, {part: x[j]})
    assert chain.holds
    assert chain.result == split
    assert chain.steps[0].reason == (
        total((t[j] + 1) * x[j], j),
        total(t[j] * x[j], j) + total(x[j], j),
    )
    wrong = begin(total((t[j] + 1) * part, j)).generally("split", total(part, j), {part: x[j]})
    assert isinstance(wrong.steps[0].decision, Refuted)


def test_a_name_must_be_able_to_stand_for_its_parts():
    x, here, there = array("x"), exp(s[i]) * Z, exp(s[j]) * Z
    chain = begin(total(there, j) + here)
    target = total(there, j) + here
    assert chain.generally("same", target, {here: x[i], there: x[j]}).holds
    with pytest.raises(ValueError, match="has an index that its name"):
        chain.generally("too few indices", target, {there: x[i]})
    with pytest.raises(ValueError, match="is the name of"):
        chain.generally("two families", target, {here: x[i], exp(s[j]): x[j]})
    with pytest.raises(ValueError, match="occurs already"):
        chain.generally("not new", target, {here: s[i]})


def test_a_wrong_formula_is_refuted_and_the_derivation_does_not_hold():
    right = begin(partial(log(Z), s[i])).differentiate()
    wrong = right.to("collect", exp(-s[i]) / Z)
    assert right.holds
    assert not wrong.holds
    assert isinstance(wrong.steps[-1].decision, Refuted)
    assert "refuted" in str(wrong)


def test_one_wrong_step_in_the_middle_is_enough():
    chain = begin(log(Z)).to("wrong", 2 * log(Z)).to("and true", log(Z**2))
    assert [step.holds for step in chain.steps] == [False, True]
    assert not chain.holds


def test_an_undecided_step_does_not_hold():
    x = exp(s[k])
    chain = begin(total(1 / ((1 + x) * (2 + x)), k))
    chain = chain.to("two poles", total(1 / (1 + x), k) - total(1 / (2 + x), k))
    assert isinstance(chain.steps[-1].decision, Undecided)
    assert not chain.holds


@pytest.mark.parametrize(
    "step",
    [
        lambda chain: chain.positive("wrong", s[i]),
        lambda chain: chain.nonnegative("wrong", -Z),
        lambda chain: chain.forces("wrong", total(t[k] * s[k] ** 2, k), s[i]),
        lambda chain: chain.lemma("wrong", Z, 1 + Z),
    ],
    ids=["positive", "nonnegative", "forces", "lemma"],
)
def test_every_kind_of_wrong_step_shows(step):
    chain = step(begin(log(Z)).to("power", log(Z**2) / 2))
    assert not chain.steps[-1].holds
    assert not chain.holds


def test_a_derivation_without_a_step_does_not_hold():
    assert not begin(log(Z)).holds


def test_a_derivative_is_proved_through_the_name_of_a_part():
    """The name stands for the sum after it is differentiated, whatever its index is called."""
    known, name = 1 + total(exp(s[k]), k), Symbol("N", positive=True)
    slope = total(exp(s[i]), i)
    part, right = partial(log(known), s[j]), exp(s[j]) / (1 + slope)
    chain = begin(part).rewrite("slope", part, right, through={known: name})
    assert chain.holds
    assert chain.steps[-1].equation == (part, right)
    wrong = begin(part).rewrite("slope", part, 2 * right, through={known: name})
    assert not wrong.holds
    with pytest.raises(ValueError, match="occurs already"):
        begin(part).rewrite("slope", part, right, through={known: s[j]})


def test_a_rewrite_that_changes_nothing_is_not_a_step():
    chain = begin(log(Z)).to("power", log(Z**2) / 2)
    assert chain.to("same", chain.result) is chain
    assert begin(log(Z)).differentiate().steps[0].left == log(Z)  # the first line is always shown


def test_a_derivation_never_changes():
    chain = begin(log(Z))
    chain.to("power", log(Z**2) / 2)
    assert chain.steps == ()


def test_facts_hold_for_the_steps_that_follow():
    chain = begin(t[i] ** 2).lemma("soft labels", t[i] ** 2, t[i])
    chain = chain.assuming(hard(t)).to("hard labels", t[i])
    assert [type(step.decision) for step in chain.steps] == [Refuted, Proved]
    assert chain.steps[0].facts == soft(t)
    assert chain.steps[1].facts == hard(t)


# Truncation ------------------------------------------------------------------------------------


def test_a_truncation_states_what_it_drops():
    chain = begin(log(PRODUCT)).truncate("first order", GRADED, GRADE, A)
    step = chain.steps[-1]
    assert chain.holds
    assert chain.result == log(A)
    assert step.relation is Relation.TRUNCATES
    assert step.dropped == PRODUCT - A


@pytest.mark.parametrize(
    "kept",
    [A + 1, 2 * A, 1 + total((1 - t[k]) * exp(-s[k]), k), 1 + total(t[k] * exp(s[k]), k), S.One],
    ids=["constant", "factor", "weight", "sign", "order"],
)
def test_a_truncation_to_a_wrong_first_order_is_refuted(kept: Expr):
    chain = begin(log(PRODUCT)).truncate("first order", GRADED, GRADE, kept)
    assert isinstance(chain.steps[-1].decision, Refuted)
    assert not chain.holds


def test_a_truncation_of_a_factor_that_does_not_occur_is_an_error():
    with pytest.raises(ValueError, match=r"does not occur .*nothing to truncate"):
        begin(log(Z)).truncate("first order", GRADED, GRADE, A)


def test_a_truncation_is_no_equality():
    chain = begin(log(PRODUCT)).truncate("first order", GRADED, GRADE, A)
    assert isinstance(chain.lemma("equal?", log(PRODUCT), log(A)).steps[-1].decision, Refuted)


def test_the_id_names_loss_and_topic():
    assert begin(log(Z)).id == "toy.topic"
    assert begin(log(Z)).assuming(NOTHING_ASSUMED).id == "toy.topic"


def test_a_positive_name_stands_for_a_positive_part_only():
    """``log(a b) = log a + log b`` for positive a, b: not for parts of another sign."""
    a, b = (array(name, positive=True)[j] for name in "ab")
    known, other, unknown = 1 + exp(s[j]), exp(s[j]), s[j] - 1
    chain = begin(log(known * other)).generally("apart", log(known) + log(other), {known: a})
    assert chain.holds
    chain = begin(log(known * unknown))
    with pytest.raises(ValueError, match="has a sign that is not known"):
        chain.generally("apart", log(known) + log(unknown), {known: a, unknown: b})
