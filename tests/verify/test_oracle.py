"""The oracle against its own second and third computation, known values, and its limits."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest
from flint import arb, ctx

from verify.oracle import (
    AGREEMENT_BITS,
    LOSSES,
    BallOracle,
    by_differences,
    by_series,
)
from verify.oracle.closed_related import ABSENT

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = [
    ("softmax_cross_entropy", {}),
    ("hinge", {}),
    ("hinge", {"margin": 0.75}),
    ("max_hinge", {"margin": 0.75}),
    ("lse_hinge", {}),
    ("lse_hinge", {"margin": -0.75}),
    ("binary_cross_entropy", {}),
    ("zlpr", {}),
    ("zlpr", {"threshold": 0.75}),
    ("soft_zlpr", {}),
    ("unified", {}),
    ("unified", {"scale": 2.0, "margin": 0.25}),
    ("combination_softmax", {}),
    ("padded_combination_softmax", {}),
    ("padded_combination_softmax", {"max_labels": 2, "threshold": 0.75}),
    ("order_r", {}),
    ("order_r", {"order": 1}),
    ("order_r", {"order": 3}),
    ("focal", {}),
    ("focal", {"gamma": 1.3, "alpha": 0.25}),
    ("soft_focal", {}),
    ("soft_focal", {"beta": 2.5}),
    ("asymmetric", {}),
    ("asymmetric", {"gamma_positive": 1.0, "gamma_negative": 1.0, "margin": 0.25}),
    ("circle", {}),
    ("circle", {"scale": 3.0, "margin": -0.5}),
]
ONE_CLASS = ("softmax_cross_entropy", "hinge", "max_hinge", "lse_hinge")
HARD = (
    *ONE_CLASS[1:],
    "zlpr",
    "combination_softmax",
    "padded_combination_softmax",
    "focal",
    "asymmetric",
    "circle",
)
SEED = 20200425


@pytest.fixture(autouse=True)
def _working_precision():
    with ctx.workprec(256):
        yield


def _random_row(rng, loss, n, spread, most=math.inf):
    scores = [rng.gauss(0, spread) for _ in range(n)]
    vector = [rng.choice([-1, 1]) * 10 ** rng.uniform(-3, 3) for _ in range(n)]
    if loss in ONE_CLASS:
        labels = [0.0] * n
        labels[rng.randrange(n)] = 1.0
        if loss not in HARD and rng.random() < 0.5:
            labels = [rng.random() / n for _ in range(n)]
    elif loss in HARD or rng.random() < 0.4:
        labels = [float(rng.random() < 0.4) for _ in range(n)]
    else:
        labels = [rng.choice([0.0, 1e-9, 0.5, 1 - 2**-53, 1.0, rng.random()]) for _ in range(n)]
    while sum(labels) > most:
        labels[labels.index(1.0)] = 0.0
    return scores, labels, vector


def _numbers(answer):
    return [answer.value, *answer.gradient, *answer.hvp]


def _scales(reference):
    return [abs(reference.value), *reference.gradient_scale, *reference.hvp_scale]


@pytest.mark.parametrize(("loss", "parameters"), VARIANTS)
def test_three_computations_of_the_same_numbers_agree(loss, parameters):
    rng = random.Random(f"{SEED} {loss} {parameters}")
    for spread in (0.5, 5.0, 30.0, 120.0):
        for n in (1, 2, 4):
            row = _random_row(rng, loss, n, spread, parameters.get("max_labels", math.inf))
            reference = BallOracle(loss, **parameters)(*row)
            series = by_series(loss, *row, **parameters)
            differences = by_differences(loss, *row, **parameters)
            numbers = zip(
                _numbers(reference),
                _scales(reference),
                _numbers(series),
                _numbers(differences),
                strict=True,
            )
            for closed, scale, ball, point in numbers:
                slack = scale * arb((1, 4 - AGREEMENT_BITS)) + arb((1, -1090))
                assert closed.overlaps(ball), (row, closed, ball)
                assert closed.rad() <= slack and ball.rad() <= slack, row
                # a label so far below the others is lost in a difference of sums: twice 0 agrees
                if scale > abs(reference.value) * arb((1, -200)):
                    assert abs(closed - point) <= slack, (row, closed, point)


def test_balls_are_compared_by_a_measure_that_sees_a_wrong_sign_or_factor():
    row = ([1.0, -2.0, 0.5], [1.0, 0.0, 0.25], [1.0, 2.0, -1.0])
    reference, series = BallOracle("soft_zlpr")(*row), by_series("soft_zlpr", *row)
    for closed, ball in zip(_numbers(reference), _numbers(series), strict=True):
        assert not closed.overlaps(-ball)
        assert not closed.overlaps(ball * (1 + arb((1, -70))))


def test_the_oracle_imports_neither_of_the_packages_that_it_judges():
    script = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numeric_core", "derive", "sympy", "torch", "jax", "scipy"}:
            raise ImportError(f"the oracle reached for {name}")
sys.meta_path.insert(0, Wall())
from verify.oracle import BallOracle, by_differences, by_series
for loss in ("softmax_cross_entropy", "binary_cross_entropy", "zlpr", "soft_zlpr", "unified"):
    row = ([1.0, -1.0], [1.0, 0.0], [1.0, 0.5])
    BallOracle(loss)(*row), by_differences(loss, *row), by_series(loss, *row)
assert not {"numeric_core", "derive", "sympy"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("loss", "scores", "labels", "expected"),
    [
        # log(1 + e^110 + e^-2) + log(1 + e^3) = 110 + 3.0485873515737421
        ("zlpr", [110.0, -3.0, -2.0], [0.0, 1.0, 0.0], 113.04858735157374),
        (
            "zlpr",
            [20.0, -20.0, -20.0],
            [1.0, 0.0, 0.0],
            6.183460856694788e-09,
        ),  # 3 e^-20 - 2.5 e^-40
        ("softmax_cross_entropy", [40.0, 0.0], [1.0, 0.0], 4.248354255291589e-18),  # ~ e^-40
        ("softmax_cross_entropy", [40.0, 0.0], [0.0, 1.0], 40.0),
        ("binary_cross_entropy", [0.0, 0.0], [1.0, 0.0], 2 * math.log(2)),
        ("soft_zlpr", [0.0], [0.5], 2 * math.log(1.5)),
        ("unified", [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], math.log(3)),
        ("binary_cross_entropy", [], [], 0.0),
        ("unified", [], [], 0.0),
    ],
)
def test_known_values(loss, scores, labels, expected):
    assert float(BallOracle(loss)(scores, labels).value) == pytest.approx(
        expected, rel=1e-15, abs=0
    )


def test_gradient_known_at_zero_scores():
    # soft ZLPR, n = 1, s = 0: q - p = (1-t)/(2-t) - t/(1+t); t = 1/4 gives 3/7 - 1/5.
    reference = BallOracle("soft_zlpr")([0.0], [0.25])
    assert (reference.gradient[0] * 35 - 8).contains(0)
    assert (reference.gradient_scale[0] * 7 - 3).contains(0)


def test_exactly_vanishing_gradient_is_enclosed_at_the_scale_of_its_terms():
    reference = BallOracle("soft_zlpr")([0.0], [0.5])  # sigma(2 s) = 1/2: the minimum
    assert reference.gradient[0].contains(0)
    assert (reference.gradient_scale[0] * 3 - 1).contains(0)


def test_scale_is_the_true_value_where_terms_have_one_sign():
    reference = BallOracle("softmax_cross_entropy")([60.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    for value, scale in zip(reference.gradient, reference.gradient_scale, strict=True):
        assert abs(value).overlaps(scale)
    assert -1e-25 < reference.gradient[0] < 0


@pytest.mark.parametrize("mask", [-math.inf, -1e7, -1e12, -1.7976931348623157e308])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_masked_negative_changes_nothing(loss, mask):
    if loss == "circle" and mask > ABSENT:
        pytest.skip("a finite score is no mask to Circle loss: see the next test")
    oracle = BallOracle(loss)
    plain = oracle([2.0, -1.0, 0.5], [1.0, 0.0, 0.0], [1.0, -2.0, 0.25])
    masked = oracle([2.0, mask, -1.0, 0.5], [1.0, 0.0, 0.0, 0.0], [1.0, 3.0, -2.0, 0.25])
    tiny = arb((1, -1094))
    assert abs(masked.value - plain.value) < 1e-30
    for was, now in ((plain.gradient, masked.gradient), (plain.hvp, masked.hvp)):
        assert abs(now[1]) < tiny
        for a, b in zip(was, [now[0], *now[2:]], strict=True):
            assert abs(a - b) < 1e-30


def test_a_negative_far_below_the_margin_counts_as_one_in_circle_loss():
    oracle = BallOracle("circle")
    with_mask, at_margin = (oracle([0.5, s, 0.25], [1.0, 0.0, 0.0]) for s in (-1e7, -0.25))
    assert with_mask.value.overlaps(at_margin.value)
    # x(0.25) = 0 too: two negatives of weight 1 instead of one, and e^{256 (1/4 - 1/16)} = e^48
    without = oracle([0.5, 0.25], [1.0, 0.0])
    assert abs(with_mask.value - without.value - arb(2).log()) < 1e-20


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("size", [1e4, 1e12, 1e30, 1.7e308])
def test_huge_scores_have_tight_finite_answers(loss, size):
    row = ([size, 0.5 * size, -1.0], [0.0, 0.0, 1.0], [1.0, 2.0, -0.5])
    reference = BallOracle(loss)(*row)
    for number, scale in zip(_numbers(reference), _scales(reference), strict=True):
        assert number.is_finite()
        assert number.rad() <= scale * arb((1, -AGREEMENT_BITS)) or abs(number) < arb((1, -1094))
    if loss == "circle":
        assert abs(reference.value / (256 * arb(size) ** 2) - 1) < 0.01
        return
    if loss == "asymmetric":  # its negatives cost at most (1 - m)^4 log(1 / m) each
        bound = 2 * arb(0.95) ** 4 * arb(20).log() + arb(1).exp().log1p()
        assert abs(reference.value - bound) < 1e-12
        return
    added = ("binary_cross_entropy", "padded_combination_softmax", "order_r")
    largest = 1.5 if loss in (*added, "focal", "soft_focal", "hinge") else 1.0
    assert abs(reference.value / arb(size) - largest) < 0.01


@pytest.mark.parametrize(("loss", "parameters"), VARIANTS)
@pytest.mark.parametrize("size", [1e12, 3e17, 1e25])  # on both sides of where a shift is taken out
def test_huge_scores_agree_with_the_definition(loss, parameters, size):
    labels = [0.0, 1.0, 0.0] if loss in (*HARD, "softmax_cross_entropy") else [0.25, 1.0, 0.0]
    for scores in ([size, -1.0, 0.5 * size], [size, size * (1 - 2**-52), 3.0], [1.0, -size, 2.0]):
        row = (scores, labels, [1.0, 2.0, -0.5])
        reference, series = (
            BallOracle(loss, **parameters)(*row),
            by_series(loss, *row, **parameters),
        )
        for closed, ball in zip(_numbers(reference), _numbers(series), strict=True):
            assert closed.overlaps(ball), (row, closed, ball)


def test_large_finite_positive_keeps_its_large_loss():
    reference = BallOracle("zlpr")([-1.7e308, -1.0], [1.0, 0.0])
    assert abs(reference.value / arb(1.7e308) - 1) < 1e-30


@pytest.mark.parametrize("loss", list(LOSSES))
def test_positive_at_minus_infinity_costs_infinity(loss):
    reference = BallOracle(loss)([-math.inf, 1.0], [1.0, 0.0], [1.0, 1.0])
    assert reference.value == arb.pos_inf()
    assert reference.gradient == [] and reference.hvp == []


def test_unified_has_no_pair_without_a_negative():
    reference = BallOracle("unified")([-math.inf, 1.0], [1.0, 1.0], [1.0, 1.0])
    assert reference.value == 0


def test_components_are_those_of_the_full_row():
    rng = random.Random(SEED)
    row = _random_row(rng, "soft_zlpr", 12, 8.0)
    row[0][3], row[1][3] = -math.inf, 0.0
    full, some = BallOracle("soft_zlpr")(*row), BallOracle("soft_zlpr")(*row, components=[7, 3, 0])
    for place, i in enumerate([7, 3, 0]):
        assert some.gradient[place].overlaps(full.gradient[i])
        assert some.hvp[place].overlaps(full.hvp[i])


def test_hessian_is_symmetric_and_its_columns_are_products():
    columns = BallOracle("unified", scale=2.0).hessian([0.5, -1.0, 2.0], [0.25, 1.0, 0.0])
    for i in range(3):
        for k in range(3):
            assert columns[i][k].overlaps(columns[k][i])


def test_softmax_hessian_annihilates_a_constant_vector():
    reference = BallOracle("softmax_cross_entropy")([1.0, 2.0, -3.0], [1.0, 0.0, 0.0], [0.7] * 3)
    assert all(x == 0 for x in reference.hvp)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("zlpr", [1.0], [0.5]), "0 and 1, got 0.5"),
        (("soft_zlpr", [math.nan], [0.5]), "finite or -inf, got nan"),
        (("soft_zlpr", [math.inf], [0.5]), "finite or -inf, got inf"),
        (("soft_zlpr", [1.0], [1.5]), r"\[0, 1\], got 1.5"),
        (("soft_zlpr", [1.0], [0.5, 0.5]), "one length, got 1, 2"),
        (("soft_zlpr", [1.0], [0.5], [math.inf]), "vector must be finite"),
        (("softmax_cross_entropy", [], []), "at least one score"),
        (("unified", [-math.inf], [0.5]), "difference of two infinite scores"),
    ],
)
def test_bad_rows_are_refused_in_words(arguments, message):
    loss, *row = arguments
    with pytest.raises(ValueError, match=message):
        BallOracle(loss)(*row)


@pytest.mark.parametrize(
    ("loss", "parameters", "message"),
    [
        ("hinge_of_fate", {}, "unknown loss 'hinge_of_fate'"),
        ("zlpr", {"scale": 2.0}, r"no parameter \['scale'\]: it has threshold"),
        ("unified", {"margin": math.inf}, "must be finite"),
    ],
)
def test_bad_oracles_are_refused_in_words(loss, parameters, message):
    with pytest.raises(ValueError, match=message):
        BallOracle(loss, **parameters)


def test_a_million_labels():
    rng = random.Random(SEED)
    n = 1_000_000
    scores = [rng.gauss(0, 10) for _ in range(n)]
    labels = [float(rng.random() < 1e-3) for _ in range(n)]
    vector = [rng.choice([-1.0, 1.0]) for _ in range(n)]
    reference = BallOracle("zlpr")(scores, labels, vector, components=[0, n // 2, n - 1])
    # The gradient of log(1 + sum e^x) lies in (0, 1), so 30 digits are 30 digits of the value.
    assert reference.value.rel_accuracy_bits() > 100
    direct = math.log1p(
        math.fsum(math.exp(s) for s, t in zip(scores, labels, strict=True) if not t)
    )
    direct += math.log1p(math.fsum(math.exp(-s) for s, t in zip(scores, labels, strict=True) if t))
    assert float(reference.value) == pytest.approx(direct, rel=1e-14)
