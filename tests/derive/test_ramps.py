"""Ramps, steps and the largest entry: rules proved, false rules refuted, kinks left open."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
from flint import arb
from sympy import Rational, S, Symbol, diff, exp, log

from derive.axis import Axis, array, total
from derive.balls import Point, enclose, write_out
from derive.calculus import partial, resolve
from derive.decide import Proved, Refuted, Undecided, equal, nonnegative, positive
from derive.emit import compile_formula
from derive.facts import distribution
from derive.formulas import QUANTITIES, formula_of
from derive.losses.symbols import LABELS, i, j, k, s, t, v, y
from derive.printing import latex, text
from derive.ramps import Largest, leads, maximum, ramp, step
from verify.mutation import mutants

X, A = Symbol("x", real=True), Symbol("a", nonnegative=True)
Y, B = Symbol("y", real=True), Symbol("b", positive=True)
TOP = Largest(s[k], LABELS.limits(k))
LED = Largest(s[k] - t[k], LABELS.limits(k))
SEED = 4


def at(*scores: str, **scalars: str) -> Point:
    entries = {("s", (p,)): Rational(x) for p, x in enumerate(scores)}
    named = {Symbol(name, real=True): Rational(x) for name, x in scalars.items()}
    return Point({LABELS: len(scores) or 1}, {i: 0}, entries, named)


TRUE = {
    "ramp is x step": (ramp(X), X * step(X)),
    "the two ramps": (ramp(X) - ramp(-X), X),
    "their sum is the size": (ramp(X) + ramp(-X), X * (2 * step(X) - 1)),
    "step twice": (step(X) ** 3, step(X)),
    "the two steps": (step(X) + step(-X), S.One),
    "a step that another implies": (step(X) * step(X + B), step(X)),
    "a step beside a ramp": (ramp(X) * step(X + B), ramp(X)),
    "steps of which one is 0": (step(X - B) * step(-X), S.Zero),
    "steps of which one is 1": ((1 - step(X)) * (1 - step(B - X)), S.Zero),
    "three steps in a row": (step(X) * step(X + 1) * step(X - B), step(X - B)),
    "a ramp of a ramp": (ramp(ramp(X) - B), ramp(X - B)),
    "a step under exp": (exp(X * step(X)), 1 + step(X) * (exp(X) - 1)),
    "a step under log": (log(1 + step(X)), log(2) * step(X)),
    "a known sign": (ramp(-A) + step(1 + A) - ramp(A), 1 - A),
    "derivative of a ramp": (partial(ramp(X) ** 2, X), 2 * ramp(X)),
    "derivative of a step": (partial(step(X), X), S.Zero),
    "one entry leads": (total(leads(TOP, j), j), S.One),
    "the entry that leads": (total(leads(TOP, j) * s[j], j), TOP),
    "a leader twice": (leads(TOP, i) ** 2, leads(TOP, i)),
    "the largest of shifted": (Largest(s[k] + X, LABELS.limits(k)), TOP + X),
    "derivative of the largest": (partial(TOP, s[i]), leads(TOP, i)),
    "the whole gradient": (total(partial(TOP, s[i]), i), S.One),
    "the gap to softplus": (
        log(1 + exp(X)) - ramp(X),
        step(X) * log(1 + exp(-X)) + step(-X) * log(1 + exp(X)),
    ),
}
FALSE = {
    "the implied step does not imply": (step(X) * step(X + B), step(X + B)),
    "a step of another number": (step(X) * step(X + Y), step(X)),
    "ramp is no number": (ramp(X), X),
    "nor its square a step": (ramp(X) ** 2, ramp(X)),
    "one step only": (step(X) + step(1 - X), S.One),
    "not every entry leads": (leads(TOP, i), S.One),
    "the second is not the first": (leads(TOP, i), leads(TOP, j)),
    "no largest of a sum": (Largest(2 * s[k], LABELS.limits(k)), TOP),
    "nor of opposites": (Largest(-s[k], LABELS.limits(k)), -TOP),
    "nor is it the sum": (TOP, total(s[k], k)),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_statements_are_proved(name: str) -> None:
    left, right = TRUE[name]
    assert isinstance(equal(resolve(left), right), Proved)
    assert not isinstance(equal(resolve(left), right + 1), Proved)


@pytest.mark.parametrize("name", FALSE)
def test_false_statements_are_refuted(name: str) -> None:
    assert isinstance(equal(*FALSE[name]), Refuted)


def test_signs() -> None:
    assert isinstance(nonnegative(ramp(X) * step(s[i])), Proved)
    assert isinstance(nonnegative(1 - step(X)), Proved)
    assert isinstance(nonnegative(1 - leads(TOP, i) * step(X)), Proved)
    assert isinstance(nonnegative(TOP - s[i]), Proved)
    assert isinstance(nonnegative(total(TOP - s[j], j)), Proved)
    assert isinstance(nonnegative(LED - s[i] + t[i]), Proved)
    assert isinstance(nonnegative(TOP - 2 * s[i]), Refuted)
    assert isinstance(nonnegative(s[i] - TOP), Refuted)
    assert isinstance(nonnegative(LED - s[i] + t[j]), Refuted)
    assert isinstance(positive(TOP - s[i]), Refuted)


def test_the_largest_of_one_axis_is_not_bounded_by_entries_of_another() -> None:
    other = Axis("others", Symbol("m", integer=True, positive=True), "pqr").index("p")
    u = array("u")
    assert not isinstance(nonnegative(TOP - u[other]), Proved)


def test_weights_of_a_largest_entry_sum_to_the_weight_of_one() -> None:
    facts = distribution(t)
    assert isinstance(equal(total(leads(TOP, j) * total(t[k], k), j), S.One, facts), Proved)


def test_on_a_kink_a_step_decides_nothing() -> None:
    kink = enclose(step(s[i]), at("0"), 64)
    assert kink.overlaps(arb(0)) and kink.overlaps(arb(1)) and not kink.overlaps(arb(2))
    assert enclose(s[i] * step(s[i]), at("0"), 64) == 0
    assert enclose(ramp(s[i]), at("0"), 64) == 0
    assert enclose(step(s[i]), at("1/2"), 64) == 1 and enclose(step(s[i]), at("-2"), 64) == 0


def test_at_a_tie_no_entry_leads_for_certain() -> None:
    assert enclose(leads(TOP, i), at("1", "3"), 64) == 0
    assert enclose(leads(TOP, i), at("4", "3"), 64) == 1
    tie = enclose(leads(TOP, i), at("3", "3"), 64)
    assert tie.overlaps(arb(0)) and tie.overlaps(arb(1))
    assert enclose(TOP, at("3", "3"), 64) == 3
    assert enclose(leads(TOP, i), at("3"), 64) == 1


def test_written_out_the_derivative_is_taken_by_sympy() -> None:
    point = at("1", "3", "-2")
    written = write_out(TOP, point)
    assert isinstance(written, maximum)
    slopes = [diff(written, symbol) for symbol in written.args]
    assert [enclose(slope, point, 64) for slope in slopes] == [0, 1, 0]


def test_a_false_statement_that_only_a_kink_would_show_is_not_refuted() -> None:
    """At x = 0 alone step(x) and 1 - step(-x) could differ: no statement is about that point."""
    assert isinstance(equal(step(X), 1 - step(-X)), Proved)
    assert not isinstance(equal(X**2 * step(X), X**2 * step(X + 1)), Proved | Undecided)


def test_text_and_latex() -> None:
    assert text(ramp(X)) == "max(x, 0)" and text(step(X)) == "[x > 0]"
    assert text(TOP) == "max_k(s_k)" and text(leads(TOP, i)) == "[i = argmax_k(s_k)]"
    assert latex(ramp(X)) == r"\max\left(x, 0\right)"
    assert latex(TOP**2) == r"\left(\max_{k} s_{k}\right)^{2}"
    assert latex(ramp(X) ** 2) == r"\max\left(x, 0\right)^{2}"
    assert text(LED * X) == "x*max_k(s_k - t_k)"
    assert latex(step(X)) == r"\left[x > 0\right]"
    assert latex(TOP) == r"\max_{k} s_{k}"
    assert latex(leads(TOP, i)) == r"\left[i = \operatorname{argmax}_{k} s_{k}\right]"


def test_mutants_of_a_largest_change_its_body_only() -> None:
    changed = {mutant.expression for mutant in mutants(Largest(2 * s[k] + X, LABELS.limits(k)))}
    assert Largest(2 * s[k] - X, LABELS.limits(k)) in changed
    assert all(isinstance(expression, Largest) for expression in changed)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", ["hinge", "max_hinge", "lse_hinge"])
def test_emitted_code_of_both_array_targets(name: str, quantity: str) -> None:
    """NumPy on batches against its array API twin; zero where the loss is linear."""
    rng = np.random.default_rng(SEED)
    scores, vector = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    labels = np.eye(4)[rng.integers(0, 4, size=(2, 3))]
    given = (scores, labels, vector) if quantity == "hvp" else (scores, labels)
    formula = formula_of(name, quantity)
    ours = compile_formula(formula, "numpy")(*given, m=0.25)
    theirs = compile_formula(formula, "array-api")(*map(array_api_strict.asarray, given), m=0.25)
    if quantity == "value_and_grad":
        pairs, shapes = list(zip(ours, theirs, strict=True)), [(2, 3), (2, 3, 4)]
    else:
        pairs = [(ours, theirs)]
        shapes = [{"value": (2, 3), "hessian": (2, 3, 4, 4)}.get(quantity, (2, 3, 4))]
    linear = name != "lse_hinge" and quantity in ("hvp", "hessian")
    for (one, other), shape in zip(pairs, shapes, strict=True):
        assert one.shape == tuple(other.shape) == shape
        assert np.allclose(one, np.asarray(other), rtol=1e-14)
        assert bool(np.any(one)) is not linear


def test_the_gradient_of_a_sum_of_ramps_counts() -> None:
    slope = resolve(partial(total(y[k] * ramp(s[k] - v[k]), k), s[i]))
    assert isinstance(equal(slope, y[i] * step(s[i] - v[i])), Proved)
