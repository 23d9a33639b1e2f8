"""A loss of one's own as a symbolic expression: value and gradient are those of the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Symbol, exp, log

from derive.axis import array, labels_axis, total
from derive.losses import LOSSES
from verify.check import Options, examine, specification_of

i = labels_axis().index("i")
s, t = array("s"), array("t")
BCE = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)
ROW = ([1.5, -0.25, 3.0], [0.0, 0.5, 1.0])


def test_an_expression_gives_what_the_oracle_gives():
    own, ours = (
        specification_of(BCE).truth(*ROW),
        specification_of("binary_cross_entropy").truth(*ROW),
    )
    assert own.value.overlaps(ours.value)
    assert all(a.overlaps(b) for a, b in zip(own.gradient, ours.gradient, strict=True))


def test_a_symbolic_loss_is_taken_with_its_facts():
    spec = specification_of(LOSSES["zlpr"])
    assert not spec.soft
    assert spec.value(*([2.0, -1.0], [1.0, 0.0])) == pytest.approx(
        specification_of("zlpr").value([2.0, -1.0], [1.0, 0.0]), abs=0, rel=1e-15
    )


def test_parameters_of_an_expression_must_be_given():
    scaled = BCE.xreplace({s[i]: Symbol("c", real=True) * s[i]})
    with pytest.raises(ValueError, match="has the parameter c"):
        specification_of(scaled)
    assert specification_of(scaled, {"c": 1.0}).value(*ROW) == pytest.approx(
        specification_of(BCE).value(*ROW)
    )


def test_scores_and_labels_must_be_told_apart():
    with pytest.raises(ValueError, match="expected one of scores and one of labels"):
        specification_of(total(s[i], i))
    with pytest.raises(ValueError, match="cannot hold anything against"):
        specification_of(7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec = 3", "which is int: expected one of"),
        ("spec = exp(Symbol('s'))", "has the arrays none"),
        (
            "spec = total(s[i] ** 2, i)",
            "has the arrays s: expected one of scores and one of labels",
        ),
        ("spec = t[i] * s[i]", "has a value for each i: sum over it"),
        ("spec = total(Function('f')(s[i]) * t[i], i)", "cannot be derived or printed"),
        ("spec = Sum(Indexed('s', 'k') * Indexed('t', 'k'), ('k', 0, 4))", "the axes none"),
        ("spec = total(c * t[i] * s[i], i)", "NameError: name 'c' is not defined"),
        ("def spec(x): return x", "missing 1 required positional argument"),
        ("other = 1", "has no 'spec'"),
    ],
)
def test_what_is_written_wrongly_is_told_how(tmp_path, text, words):
    path = tmp_path / "my_losses.py"
    path.write_text(
        "from sympy import Function, Indexed, Sum, Symbol, exp\n"
        "from derive.axis import array, labels_axis, total\n"
        'i, s, t = labels_axis().index("i"), array("s"), array("t")\n' + text + "\n"
    )
    with pytest.raises(ValueError, match=words):
        specification_of(f"{path}:spec")


def test_a_parameter_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="has no parameter 'gamma': it has none"):
        specification_of(BCE, {"gamma": 2.0})


def test_the_labels_name_says_what_they_are():
    y, one = array("y"), array("one_hot")
    hard, classes = (specification_of(BCE.xreplace({t[i]: x[i]})) for x in (y, one))
    assert (hard.soft, hard.one_class) == (False, False)
    assert (classes.soft, classes.one_class) == (True, True)


@pytest.mark.parametrize("name", ["soft_zlpr", "focal", "unified"])
def test_product_and_limit_are_those_of_the_oracle(name):
    own, ours = specification_of(LOSSES[name]), specification_of(name)
    row, vector = ([1.5, -0.25, 3.0], [0.0, 1.0, 1.0]), [1.0, -0.5, 2.0]
    mine, known = own.truth(*row, vector), ours.truth(*row, vector)
    for a, b in zip(mine.hvp, known.hvp, strict=True):
        assert abs(float(a) - float(b)) <= 1e-15 * abs(float(b))
    masked = [1.5, float("-inf"), 3.0], [1.0, 0.0, 0.0]
    assert own.value(*masked) == pytest.approx(ours.value(*masked), abs=0, rel=1e-15)


def test_without_a_limit_a_masked_row_has_no_value():
    spec = specification_of(total(t[i] * exp(-s[i]) + (1 - t[i]) * s[i] ** 2, i))
    assert spec.has_value([1.0, -2.0], [1.0, 0.0])
    assert not spec.has_value([1.0, float("-inf")], [1.0, 0.0])


def test_code_is_held_against_an_expression_in_a_file(toys, tmp_path):
    path = tmp_path / "my_losses.py"
    path.write_text(
        "from sympy import exp, log\n"
        "from derive.axis import array, labels_axis, total\n"
        'i = labels_axis().index("i")\n'
        's, t = array("s"), array("t")\n'
        "spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)\n"
    )
    right = examine(toys.binary, f"{path}:spec", Options(budget=5))
    assert right.verdict == "limited-range"
    assert right.range == "float64, float32, float16: all finite scores"  # 0 times -inf
    finite = Options(excluding=("mask -inf",), budget=5)
    assert examine(toys.binary, f"{path}:spec", finite).verdict == "equal"
    assert examine(toys.zlpr, f"{path}:spec", Options(budget=5)).verdict == "different"


# --- losses of others -----------------------------------------------------------------------------

j, k = labels_axis().indices("j k")
y = array("y")
alpha, beta = Symbol("alpha", real=True), Symbol("beta", real=True)


def p(index):
    return 1 / (1 + exp(-s[index]))


HIT, MISSED = total(t[i] * p(i), i), total(t[j] * (1 - p(j)), j)
TVERSKY = 1 - (1 + HIT) / (1 + HIT + alpha * MISSED + beta * total((1 - t[k]) * p(k), k))
LSEP = log(1 + total(total(y[i] * (1 - y[j]) * exp(s[j] - s[i]), j), i))
FOCAL = total(
    alpha * t[i] * (1 - p(i)) ** 2 * log(1 + exp(-s[i]))
    + (1 - alpha) * (1 - t[i]) * p(i) ** 2 * log(1 + exp(s[i])),
    i,
)


def sigmoid(x):
    return np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))


def tversky(scores, labels, alpha=0.3, beta=0.7):
    q = sigmoid(scores)
    hit, missed = (labels * q).sum(-1), (labels * sigmoid(-scores)).sum(-1)
    wrong = alpha * missed + beta * ((1 - labels) * q).sum(-1)
    return wrong / (1 + hit + wrong)


def tversky_turned(scores, labels):
    return tversky(scores, labels, 0.7, 0.3)


def lsep(scores, labels):
    present = np.where(labels > 0, -scores, -np.inf)
    absent = np.where(labels > 0, -np.inf, scores)
    with np.errstate(invalid="ignore"):
        pair = np.logaddexp.reduce(present, -1) + np.logaddexp.reduce(absent, -1)
        return np.logaddexp(0, np.where(np.isnan(pair), -np.inf, pair))


def lsep_of_exp(scores, labels):
    pairs = np.exp(scores[:, None, :] - scores[:, :, None])
    return np.log1p((pairs * labels[:, :, None] * (1 - labels)[:, None, :]).sum((1, 2)))


def focal(scores, labels, alpha=0.25):
    missed = sigmoid(-scores) ** 2 * np.logaddexp(0, -scores)
    seen = sigmoid(scores) ** 2 * np.logaddexp(0, scores)
    return (alpha * labels * missed + (1 - alpha) * (1 - labels) * seen).sum(-1)


def focal_alpha_for_both(scores, labels):
    return focal(scores, labels, 0.5) * 0.5


@pytest.mark.parametrize(
    ("target", "against", "parameters", "verdict"),
    [
        (tversky, TVERSKY, {"alpha": 0.3, "beta": 0.7}, "equal"),
        (tversky_turned, TVERSKY, {"alpha": 0.3, "beta": 0.7}, "different"),
        (lsep, LSEP, {}, "equal"),
        (lsep_of_exp, LSEP, {}, "limited-range"),
        (focal, FOCAL, {"alpha": 0.25}, "equal"),
        (focal_alpha_for_both, FOCAL, {"alpha": 0.25}, "different"),
    ],
)
def test_losses_of_others(target, against, parameters, verdict):
    options = Options(parameters=parameters, excluding=("mask -inf",), budget=8)
    result = examine(target, against, options)
    assert result.verdict == verdict, str(result)
