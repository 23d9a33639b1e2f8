"""Labels and spans: every topic proved, what is false refuted, the theorems against numbers.

The id of a test is the id of the derivation, so that a red test names the mathematics.
"""

from __future__ import annotations

import mpmath
import pytest
from mpmath import mpf
from sympy import S, sqrt

from derive.axis import total
from derive.decide import Proved, Refuted, equal
from derive.facts import distribution, hard, soft
from derive.labels import LABEL_THEORY, mixing, smoothing, temperature
from derive.labels.parts import arguments, soft_zlpr
from derive.lattice.sums import k, s, t
from derive.losses import SUBJECTS
from derive.spans import BOTH, FIRST, KEY, QUERY, SPANS, dot, e, turned
from verify.mutation import try_derivation

TOPICS = [(theory, topic) for theory in (LABEL_THEORY, SPANS) for topic in theory.topics]
IDS = [f"{theory.name}.{topic}" for theory, topic in TOPICS]


@pytest.mark.parametrize(("theory", "topic"), TOPICS, ids=IDS)
def test_derivation_holds_and_no_mutant_of_it_is_certified(theory, topic):
    derivation = theory.derive(topic)
    assert derivation.id == f"{theory.name}.{topic}"
    for step in derivation.steps:
        assert isinstance(step.decision, Proved), f"{step.rule}: {step.decision}"
    assert derivation.holds
    trials = try_derivation(derivation, 6)
    assert trials
    assert all(trial.caught or trial.still_true for trial in trials)
    assert any(trial.caught for trial in trials)


def test_are_subjects_beside_the_losses():
    assert SUBJECTS["labels"] is LABEL_THEORY
    assert SUBJECTS["spans"] is SPANS


# What does not hold -----------------------------------------------------------------------------


def test_half_an_epsilon_for_each_class_does_not_keep_the_sum():
    """The convention of independent labels, used on a distribution."""
    sum_of_labels = total(smoothing.alone(t[k]), k)
    assert isinstance(equal(sum_of_labels, S.One, distribution(t)), Refuted)


def test_mixing_labels_is_not_mixing_losses_in_soft_zlpr():
    label = [
        lambda at: mixing.mixed(t[at], mixing.u[at]),
        lambda at: t[at],
        lambda at: mixing.u[at],
    ]
    mix, first, second = (soft_zlpr(each, lambda at: s[at]) for each in label)
    decision = equal(mix, mixing.mixed(first, second), soft(t, mixing.u))
    assert isinstance(decision, Refuted)


def test_of_plain_sigmoids_soft_zlpr_learns_other_scores_than_the_teachers():
    left = temperature.residual(temperature.sigmoid_label).xreplace({s: temperature.u})
    assert isinstance(equal(left, S.Zero), Refuted)


def test_a_turn_of_one_token_alone_changes_the_score():
    query, key = ((first[e], second[e]) for first, second in (QUERY, KEY))
    start = turned(query, FIRST[e])
    assert isinstance(equal(dot(turned(start, BOTH[e]), key), dot(start, key)), Refuted)


def test_the_floor_is_twice_the_log():
    positive, _ = arguments(lambda at: smoothing.alone(t[at]), smoothing.best)
    other = 1 + smoothing.n * sqrt(1 + 2 * smoothing.ODDS) / (1 + smoothing.ODDS)
    assert isinstance(equal(positive, other, hard(t)), Refuted)


# Against numbers --------------------------------------------------------------------------------

SCORES, TEACHER = ("1.5", "-0.5", "2"), ("0.25", "1", "-1")


def _gradient(loss, scores):
    """Of a loss of a list, by mpmath's own derivative."""

    def at(index):
        def along(x):
            return loss([*scores[:index], x, *scores[index + 1 :]])

        return mpmath.diff(along, scores[index])

    return [at(index) for index in range(len(scores))]


def _softmax(x):
    return [mpmath.exp(a) / sum(map(mpmath.exp, x)) for a in x]


def _sigma(x):
    return 1 / (1 + mpmath.exp(-x))


def _zlpr(label, score):
    a = 1 + sum(t * mpmath.exp(-s) for t, s in zip(label, score, strict=True))
    return mpmath.log(a) + mpmath.log(
        1 + sum((1 - t) * mpmath.exp(s) for t, s in zip(label, score, strict=True))
    )


def _bce(label, score):
    pairs = zip(label, score, strict=True)
    return -sum(t * mpmath.log(_sigma(s)) + (1 - t) * mpmath.log(_sigma(-s)) for t, s in pairs)


def _entropy(label, score):
    return -sum(t * mpmath.log(p) for t, p in zip(label, _softmax(score), strict=True))


def _limits(loss):
    """The coefficients of ``b^2`` that the theory has, at the scores above."""
    d = [mpf(a) - mpf(b) for a, b in zip(SCORES, TEACHER, strict=True)]
    n = len(d)
    return {
        "softmax": [(x - sum(d) / n) / n for x in d],
        "bce": [x / 4 for x in d],
        "zlpr": [2 * x / (n + 2) - 2 * sum(d) / (n + 2) ** 2 for x in d],
    }[loss]


@pytest.mark.parametrize(
    ("name", "loss", "link"),
    [
        ("softmax", _entropy, _softmax),
        ("bce", _bce, lambda x: [_sigma(a) for a in x]),
        ("zlpr", _zlpr, lambda x: [_sigma(2 * a) for a in x]),
    ],
)
def test_temperature_squared_times_the_gradient_nears_its_limit(name, loss, link):
    with mpmath.workdps(60):
        temperature = mpf(10) ** 8
        label = link([mpf(u) / temperature for u in TEACHER])
        scores = [mpf(x) for x in SCORES]
        slopes = _gradient(lambda x: loss(label, [a / temperature for a in x]), scores)
        for slope, limit in zip(slopes, _limits(name), strict=True):
            assert abs(slope * temperature**2 / limit - 1) < mpf("1e-6")


def test_smoothed_labels_have_their_least_loss_at_the_gap_and_at_the_floor():
    with mpmath.workdps(40):
        epsilon, n = mpf("0.1"), 4
        target = [1 - epsilon + epsilon / n] + [epsilon / n] * (n - 1)
        gap = mpmath.log(1 + n * (1 - epsilon) / epsilon)
        slopes = _gradient(lambda x: _entropy(target, x), [gap, mpf(0), mpf(0), mpf(0)])
        assert max(map(abs, slopes)) < mpf("1e-15")
        each = [1 - epsilon / 2] + [epsilon / 2] * (n - 1)
        best = mpmath.log((2 - epsilon) / epsilon) / 2
        scores = [best] + [-best] * (n - 1)
        assert max(map(abs, _gradient(lambda x: _zlpr(each, x), scores))) < mpf("1e-15")
        floor = 2 * mpmath.log(1 + n * mpmath.sqrt(epsilon * (2 - epsilon)) / 2)
        assert abs(_zlpr(each, scores) - floor) < mpf("1e-35")
        far = [2 * x for x in scores]
        assert max(map(abs, _gradient(lambda x: _bce(each, x), far))) < mpf("1e-15")
