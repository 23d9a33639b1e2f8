"""What is stated around a loss, in symbols and at examples: smoothed labels, a teacher's labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flint import arb
from sympy import Expr, Symbol, exp

from derive.axis import total
from derive.losses.symbols import LABELS, k, s, t, v, y
from numeric_core import labels, spans
from verify.ledger.balls import Enclosure

#: eps in (0, 1) as ``1 / (1 + a)``, as in the derivations, and what n - 1 of n classes have of it.
ODDS = Symbol("a", positive=True)
RATE = (1 - 1 / LABELS.size) / (1 + ODDS)

#: The negatives' sums of two heads; what is under the log in one row of both, and what is not.
FIRST = total((1 - y[k]) * exp(s[k]), k)
SECOND = total((1 - t[k]) * exp(v[k]), k)
IN_ONE_ROW, CROSSED = 1 + total((1 - y[k]) * exp(s[k]) + (1 - t[k]) * exp(v[k]), k), FIRST * SECOND


def among_others(label: Expr) -> Expr:
    """``(1 - delta) y + (1 - y) delta / (n - 1)``, with ``delta / (n - 1) = eps / n``."""
    return (1 - RATE) * label + (1 - label) / (1 + ODDS) / LABELS.size


def gaps_of_smoothed_labels() -> list[Enclosure]:
    """``log(1 + n (1 - eps) / eps)`` with eps = 0.1 among 10, 1000 and 30 000 classes."""
    names, found = ("gap at the least loss", "bound"), []
    for classes, ends in ((10, (4.5, 4.55)), (1000, (9.1, 9.15)), (30000, (12.5, 12.55))):
        gap, where = (1 + arb(classes) * 9).log(), f"eps = 0.1, n = {classes}"
        found += [
            Enclosure(where, gap, sign, arb(end), names)
            for sign, end in zip("><", ends, strict=True)
        ]
    return found


def temperature_squared_is_a_limit() -> list[Enclosure]:
    """T^2 times the size of the gradient by the first score: 5/2 in the limit of large T."""
    bounds = {1: ("<", "0.5"), 4: ("<", "1.7"), 100: (">", "2.49")}
    names, who = ("T^2 |gradient|", "bound"), "student (0, 0), teacher (10, 0)"
    return [
        Enclosure(f"{who}, T = {heat}", _scaled(heat), sign, arb(b), names)
        for heat, (sign, b) in bounds.items()
    ]


def _scaled(temperature: int) -> arb:
    """``T^2 (sigma(10/T) - 1/2) / T``."""
    return temperature * (_sigma(arb(10) / temperature) - arb(1) / 2)


# The library's own labels and scores --------------------------------------------------------------


def library_labels() -> list[Enclosure]:
    """Smoothed and distilled labels in float64 against balls, by their worst entry."""
    label, scores, epsilon = np.asarray([1.0, 0.0, 0.25]), np.asarray([2.0, -1.0, 30.0]), 0.1
    share = arb(epsilon)
    among = [(1 - share) * arb(t) + share / 3 for t in label]
    alone = [(1 - share) * arb(t) + share / 2 for t in label]
    total = sum(((arb(z) / 3).exp() for z in scores), arb(0))
    softmax = [(arb(z) / 3).exp() / total for z in scores]
    doubled = [_sigma(2 * arb(z) / 3) for z in scores]
    found = {
        "smooth((1, 0, 1/4), 0.1)": (labels.smooth(label, epsilon), among),
        "smooth_each((1, 0, 1/4), 0.1)": (labels.smooth_each(label, epsilon), alone),
        "from_logits((2, -1, 30), T = 3)": (labels.from_logits(scores, 3.0), softmax),
        "from_logits((2, -1, 30), T = 3, soft_zlpr)": (
            labels.from_logits(scores, 3.0, link="soft_zlpr"),
            doubled,
        ),
    }
    names = ("largest relative error", "bound")
    return [
        Enclosure(where, _error(*pair), "<", arb("5e-15"), names) for where, pair in found.items()
    ]


def _sigma(x: arb) -> arb:
    return 1 / (1 + (-x).exp())


def _error(got: Iterable[float], exact: list[arb]) -> arb:
    """The largest relative error."""
    return max((abs(arb(float(g)) / e - 1) for g, e in zip(got, exact, strict=True)), key=_middle)


def _middle(x: arb) -> float:
    return float(x.mid())


#: Tokens, coordinates, and a span of far tokens; the base is that of the printed code.
TOKENS, SIZE, SPAN, BASE = 200, 8, (150, 190), 10000


def library_spans() -> list[Enclosure]:
    """One score of two equal vectors ``(1, 1/2, 1, 1/2, ...)`` in float64, by the cosines."""
    tokens = np.tile([1.0, 0.5], (TOKENS, SIZE // 2))
    got = arb(float(spans.scores(tokens, tokens, scaled=False)[SPAN]))
    length = SPAN[1] - SPAN[0]
    exact = sum((arb("1.25") * (length * _angle(e)).cos() for e in range(SIZE // 2)), arb(0))
    where = f"d = {SIZE}, tokens {SPAN[0]} and {SPAN[1]}, q = k = (1, 1/2, 1, 1/2, ...)"
    return [Enclosure(where, abs(got - exact), "<", arb("1e-13"), ("error", "bound"))]


def angles_of_float32() -> list[Enclosure]:
    """The largest error of a cosine at token 99 999, its angle rounded to float32 twice."""
    place, angles = 99999, [_angle(e) for e in range(SIZE // 2)]
    coarse = [arb(float(np.float32(place) * np.float32(float(theta.mid())))) for theta in angles]
    pairs = zip(coarse, angles, strict=True)
    error = max((abs(angle.cos() - (place * theta).cos()) for angle, theta in pairs), key=_middle)
    return [Enclosure("token 99 999, d = 8", error, ">", arb("1e-5"), ("error", "bound"))]


def _angle(pair: int) -> arb:
    """``theta_e = base^(-2e/d)``."""
    return arb(BASE) ** (arb(-2 * pair) / SIZE)
