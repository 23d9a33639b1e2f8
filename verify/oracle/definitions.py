r"""The losses as the documents write them, for any kind of number.

Nothing here is rearranged for floats.  The formulas are read next to the documents, term by term,
and are then run in arithmetic that can afford it: mpmath numbers of any precision, or power series
over real balls.

    softmax_cross_entropy   -sum_j t_j log(e^{s_j} / sum_i e^{s_i})                       7359-1
    binary_cross_entropy    sum_i t_i log(1 + e^{-s_i}) + (1 - t_i) log(1 + e^{s_i})      9064-10
    zlpr                    log(1 + sum_{neg,pos} e^{s_i - s_j} + sum_neg e^{s_i - s_0}
                                  + sum_pos e^{s_0 - s_j})                                7359-10
    soft_zlpr               log(1 + sum_i t_i e^{-s_i}) + log(1 + sum_i (1-t_i) e^{s_i})  9064-16
    unified                 log(1 + sum_{i,j} (1-t_i) t_j e^{scale (s_i - s_j + margin)}) 7359-9
    combination_softmax     -log(e^{s_{t_1} + .. + s_{t_k}} / Z_k)                        7359-2
    padded_combination_softmax
                            the same with K labels of n scores and a class of score s_0 that may
                            be drawn again and again: Z_K + e^{s_0} (Z_{K-1} + ...)       7359-5
    order_r                 log sum_{a<=r} e_a(t e^{-s}) + log sum_{b<=r} e_b((1-t) e^{s})

The hinge family is in `verify.oracle.definitions_hinge`.
The losses that ZLPR is compared with are in `verify.oracle.definitions_related`.
ZLPR is taken with its cross terms, before it is factorised, and the unified loss with its double
sum: so the factorised forms that the numeric core uses are tested, not assumed.  Sums over subsets
run over the subsets, one by one.
A term of weight 0 is left out, not multiplied by 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from verify.oracle.arithmetic import Arithmetic
from verify.oracle.definitions_hinge import hinge, lse_hinge, max_hinge
from verify.oracle.definitions_related import asymmetric, circle, focal, soft_focal

__all__ = ["DEFINITIONS", "Arithmetic"]

Number = Any  # mpf, arb or arb_series; and a float for a label


Definition = Callable[..., Number]


def softmax_cross_entropy(
    scores: Sequence[Number], labels: Sequence[float], arithmetic: Arithmetic
) -> Number:
    """-sum_j t_j log(e^{s_j} / sum_i e^{s_i})."""
    number, exp, log = arithmetic[:3]
    powers = [exp(s) for s in scores]
    partition = sum(powers)
    return -sum(
        (number(t) * log(e / partition) for e, t in zip(powers, labels, strict=True) if t),
        number(0.0),
    )


def binary_cross_entropy(
    scores: Sequence[Number], labels: Sequence[float], arithmetic: Arithmetic
) -> Number:
    """sum_i t_i log(1 + e^{-s_i}) + (1 - t_i) log(1 + e^{s_i})."""
    number, exp, log = arithmetic[:3]
    total = number(0.0)
    for s, t in zip(scores, labels, strict=True):
        if t > 0:
            total = total + number(t) * log(1 + exp(-s))
        if t < 1:
            total = total + (1 - number(t)) * log(1 + exp(s))
    return total


def zlpr(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    threshold: float = 0.0,
) -> Number:
    """log(1 + sum_{neg,pos} e^{s_i-s_j} + sum_neg e^{s_i-s_0} + sum_pos e^{s_0-s_j})."""
    number, exp, log = arithmetic[:3]
    s0 = number(threshold)
    negatives = [s for s, t in zip(scores, labels, strict=True) if t == 0]
    positives = [s for s, t in zip(scores, labels, strict=True) if t == 1]
    inside = number(1.0)
    for i in negatives:
        inside = inside + exp(i - s0) + sum(exp(i - j) for j in positives)
    for j in positives:
        inside = inside + exp(s0 - j)
    return log(inside)


def soft_zlpr(scores: Sequence[Number], labels: Sequence[float], arithmetic: Arithmetic) -> Number:
    """log(1 + sum_i t_i e^{-s_i}) + log(1 + sum_i (1 - t_i) e^{s_i})."""
    number, exp, log = arithmetic[:3]
    pairs = list(zip(scores, labels, strict=True))
    positive = sum((number(t) * exp(-s) for s, t in pairs if t > 0), number(1.0))
    negative = sum(((1 - number(t)) * exp(s) for s, t in pairs if t < 1), number(1.0))
    return log(positive) + log(negative)


def unified(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    scale: float = 1.0,
    margin: float = 0.0,
) -> Number:
    """log(1 + sum_{i,j} (1 - t_i) t_j e^{scale (s_i - s_j + margin)}), i = j included."""
    number, exp, log = arithmetic[:3]
    gamma, m = number(scale), number(margin)
    pairs = list(zip(scores, labels, strict=True))
    inside = number(1.0)
    for s_i, t_i in pairs:
        for s_j, t_j in pairs:
            if t_i < 1 and t_j > 0:
                weight = (1 - number(t_i)) * number(t_j)
                inside = inside + weight * exp(gamma * (s_i - s_j + m))
    return log(inside)


def combination_softmax(
    scores: Sequence[Number], labels: Sequence[float], arithmetic: Arithmetic
) -> Number:
    """-log(e^{sum of the k scores labelled} / Z_k), Z_k = sum over all subsets of k labels."""
    number, exp, log = arithmetic[:3]
    target = sum((s for s, t in zip(scores, labels, strict=True) if t == 1), number(0.0))
    k = sum(t == 1 for t in labels)
    return log(_partition([exp(s) for s in scores], k, number)) - target


def padded_combination_softmax(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    max_labels: float = math.inf,
    threshold: float = 0.0,
) -> Number:
    """-log(e^{sum of the k scores labelled + (K-k) s_0} / sum_{j<=K} e^{(K-j) s_0} Z_j)."""
    number, exp, log = arithmetic[:3]
    s0 = number(threshold)
    most = int(min(max_labels, len(scores)))
    chosen = [s for s, t in zip(scores, labels, strict=True) if t == 1]
    powers = [exp(s) for s in scores]
    padded = sum(
        (exp((most - j) * s0) * _partition(powers, j, number) for j in range(most + 1)),
        number(0.0),
    )
    return log(padded) - sum(chosen, number(0.0)) - (most - len(chosen)) * s0


def order_r(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    order: float = 2,
) -> Number:
    """log sum_{a<=r} e_a(t e^{-s}) + log sum_{b<=r} e_b((1 - t) e^{s})."""
    number, exp, log = arithmetic[:3]
    pairs = list(zip(scores, labels, strict=True))
    positive = [number(t) * exp(-s) for s, t in pairs if t > 0]
    negative = [(1 - number(t)) * exp(s) for s, t in pairs if t < 1]
    sides = (
        sum((_partition(side, a, number) for a in range(int(order) + 1)), number(0.0))
        for side in (positive, negative)
    )
    return sum(map(log, sides), number(0.0))


def _partition(weights: Sequence[Number], k: int, number: Callable[[float], Number]) -> Number:
    """Z_k: the products over all subsets of k weights, added up."""
    total = number(0.0)
    for subset in combinations(weights, k):
        product = number(1.0)
        for weight in subset:
            product = product * weight
        total = total + product
    return total


DEFINITIONS: Mapping[str, Definition] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": hinge,
    "max_hinge": max_hinge,
    "lse_hinge": lse_hinge,
    "binary_cross_entropy": binary_cross_entropy,
    "zlpr": zlpr,
    "soft_zlpr": soft_zlpr,
    "unified": unified,
    "combination_softmax": combination_softmax,
    "padded_combination_softmax": padded_combination_softmax,
    "order_r": order_r,
    "focal": focal,
    "soft_focal": soft_focal,
    "asymmetric": asymmetric,
    "circle": circle,
}
