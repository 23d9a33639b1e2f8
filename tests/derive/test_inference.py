"""Where an expression vanishes: what a zero forces, and what it does not."""

from __future__ import annotations

import pytest
from sympy import Expr, KroneckerDelta, Rational, S, exp, log, sqrt

from derive import inference
from derive.axis import array, labels_axis, total
from derive.balls import enclose
from derive.decide import Proved, Refuted
from derive.facts import NOTHING_ASSUMED, Facts, hard, soft, strictly_soft
from derive.inference import forces
from derive.zeros import zero_without

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t, v, y = array("s"), array("t"), array("v"), array("y")


def pairs(weight_j: Expr, weight_k: Expr) -> Expr:
    return total(total(weight_j * weight_k * (v[j] - v[k]) ** 2, k), j)


HOLDS: dict[str, tuple[Expr, Expr, Facts]] = {
    "a square": ((s[i] - s[j]) ** 2, s[i] - s[j], NOTHING_ASSUMED),
    "its root of either sign": ((s[i] - s[j]) ** 2, s[j] - s[i], NOTHING_ASSUMED),
    "a positive factor": (exp(s[i]) * (1 + exp(s[j])) * v[i], v[i], NOTHING_ASSUMED),
    "a sum of squares": (total(v[k] ** 2, k), v[i], NOTHING_ASSUMED),
    "a weighted sum of squares": (total(exp(s[k]) * v[k] ** 2, k), v[i], NOTHING_ASSUMED),
    "a sum under a positive factor": (exp(s[j]) * total(v[k] ** 2, k), v[i], NOTHING_ASSUMED),
    "one of several terms": (total(v[k] ** 2, k) + pairs(S.One, S.One), v[i], NOTHING_ASSUMED),
    "pairs": (pairs(exp(s[j]), exp(s[k])), v[i] - v[j], NOTHING_ASSUMED),
    "weights inside (0, 1)": (total(t[k] * v[k] ** 2, k), v[i], strictly_soft(t)),
    "weights that may be zero, kept": (total(t[k] * v[k] ** 2, k), t[i] * v[i], soft(t)),
    "hard weights, kept": (total((1 - y[k]) * v[k] ** 2, k), (1 - y[i]) * v[i], hard(y)),
    "an average of roots": (
        (sqrt(t[i]) * exp(s[i]) + sqrt(1 - t[i])) * (t[i] - exp(s[i])),
        t[i] - exp(s[i]),
        soft(t),
    ),
    "a log above one": (log(1 + t[i] * v[i] ** 2), t[i] * v[i], soft(t)),
    "an exponential above its tangent": (exp(v[i]) - 1 - v[i], v[i], NOTHING_ASSUMED),
    "weighted exponentials above their tangents": (
        total((1 - KroneckerDelta(j, k)) * exp(s[k]) * (exp(v[k] - v[j]) - 1 - v[k] + v[j]), k),
        (1 - KroneckerDelta(i, j)) * (v[i] - v[j]),
        NOTHING_ASSUMED,
    ),
    "a log below its tangent": (
        exp(s[i]) * v[i] ** 2 - log(1 + exp(s[i]) * v[i] ** 2),
        exp(s[i]) * v[i] ** 2,
        NOTHING_ASSUMED,
    ),
}
# Not forced: a weight may vanish instead, or terms may cancel.
FAILS: dict[str, tuple[Expr, Expr, Facts]] = {
    "soft weights": (total(t[k] * v[k] ** 2, k), v[i], soft(t)),
    "hard weights": (total(y[k] * v[k] ** 2, k), v[i], hard(y)),
    "pairs with hard weights": (pairs(1 - y[j], y[k]), v[i] - v[j], hard(y)),
    "terms that cancel": (total(v[k], k), v[i], NOTHING_ASSUMED),
    "two terms of unknown sign": (v[i] - s[i], v[i], NOTHING_ASSUMED),
    "another index only": (v[j] ** 2, v[i], NOTHING_ASSUMED),
    "off the diagonal only": (
        total(total((1 - KroneckerDelta(j, k)) * (v[j] * v[k]) ** 2, k), j),
        v[i],
        NOTHING_ASSUMED,
    ),
    "shift of all entries": (pairs(S.One, S.One), v[i], NOTHING_ASSUMED),
    "nothing that vanishes": (exp(s[i]), v[i], NOTHING_ASSUMED),
    "a log that may vanish elsewhere": (log(1 + s[i] * v[i]), v[i], NOTHING_ASSUMED),
    "an exponential above another line": (exp(v[i]) - 1 - 2 * v[i], v[i], NOTHING_ASSUMED),
    "a log of what may be one": (log(1 + t[i]) * v[i] ** 2, v[i], soft(t)),
}


@pytest.mark.parametrize("name", HOLDS)
def test_forces(name: str):
    expression, root, facts = HOLDS[name]
    assert isinstance(forces(expression, root, facts), Proved)


@pytest.mark.parametrize("name", FAILS)
def test_does_not_force(name: str):
    expression, root, facts = FAILS[name]
    assert not isinstance(forces(expression, root, facts), Proved)


# Those with a zero at arrays that are constant, 0, 1/2 or 1, where the root is another number.
REFUTED = (
    "soft weights",
    "hard weights",
    "off the diagonal only",
    "shift of all entries",
    "a log that may vanish elsewhere",
    "a log of what may be one",
)


@pytest.mark.parametrize("name", REFUTED)
def test_an_exact_zero_refutes(name: str):
    expression, root, facts = FAILS[name]
    decision = forces(expression, root, facts)
    assert isinstance(decision, Refuted)
    found = decision.counterexample
    assert found.left.is_zero() and not found.right.contains(0)
    assert enclose(expression, found.point, 300).is_zero()
    assert not enclose(root, found.point, 300).contains(0)


@pytest.mark.parametrize("name", HOLDS)
def test_the_inference_and_the_zeros_agree(name: str):
    """No zero of what is proved to force a root lies off it; a shifted root is off all of them."""
    expression, root, facts = HOLDS[name]
    assert zero_without(expression, root, facts) is None
    if zero_without(expression, S.One, facts) is not None:
        assert isinstance(forces(expression, root + 1, facts), Refuted)


def test_a_prover_that_infers_too_much_is_contradicted(monkeypatch: pytest.MonkeyPatch):
    """Zeros are looked for before anything is inferred."""
    monkeypatch.setattr(inference, "_term_forces", lambda *arguments: True)
    assert isinstance(forces(total(t[k] * v[k] ** 2, k), v[i], soft(t)), Refuted)


def test_the_points_obey_the_facts():
    open_labels = forces((t[i] - Rational(1, 2)) ** 2 * v[i], v[i], strictly_soft(t))
    assert isinstance(open_labels, Refuted)
    assert set(open_labels.counterexample.point.entries.values()) >= {Rational(1, 2)}
    positive = array("p", positive=True)
    assert zero_without(positive[i] * v[i], v[i], NOTHING_ASSUMED) is None
    assert zero_without(t[i] * (1 - t[i]) * v[i], v[i], strictly_soft(t)) is None


def test_facts_decide_whether_curvature_vanishes():
    """The same form is strictly convex for labels inside (0, 1) and only so there."""
    form = total(t[k] * exp(-s[k]) * v[k] ** 2, k)
    assert isinstance(forces(form, v[i], strictly_soft(t)), Proved)
    assert isinstance(forces(form, v[i], soft(t)), Refuted)
