r"""What floats make of formulas that are right on paper, dtype by dtype.

Each model computes in the dtype of its scores, the way such code is written:

    overflow            log(1 + sum e^x)                shared-maximum   one shift for both sums
    mask-constant       x - t C, C = 1e12 ...           softplus-threshold   softplus(x) = x > 20
    sparse-cancellation log(e^a - e^b), clipped         epsilon-in-log   p clipped to [eps, 1 - eps]
    log-of-probability  log of a p that rounds to 0     infinity-less-infinity   s + log t
    empty-side          -inf - -inf where a side is empty
    power-sums          Newton's identities
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

import numeric_core
from verify.check.faults import FAMILY, NONE, Fault, Model, Parameters, log_sum_exp, truth_of
from verify.check.frameworks import Numbers

__all__ = ["roundings_of"]

Weights = tuple[float, float, float, float]
# What is written for infinity in public code, and for a number that is almost 0.
CONSTANTS = (1e12, 1e4, 1e2, 1e3, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e15, 1e30)
EPSILONS = (0.0, 1e-7, 1e-10, 1e-12, 1e-8, 1e-6, 1e-5, 1e-4, 1e-15, 1e-16, 1e-30)
SOFTPLUS_THRESHOLD = 20.0
"""The default of torch.nn.functional.softplus."""


def roundings_of(loss: str, parameters: Parameters = NONE) -> Iterator[Fault]:
    """The ways in which the arithmetic of such code fails, the commonest first."""
    right = truth_of(loss, **parameters)
    if loss in FAMILY:
        yield from _of_the_family(loss)
    if loss in ("binary_cross_entropy", "focal", "asymmetric"):
        yield from _of_probabilities(*_weights(loss, parameters))
    if loss == "softmax_cross_entropy":
        yield Fault("overflow", lambda s, t: _plain_softmax(s, t))
        for eps in EPSILONS:
            name = "epsilon-in-log" if eps else "log-of-probability"
            yield Fault(name, partial(_log_of_softmax, eps=eps))
    if loss == "combination_softmax":
        yield Fault("power-sums", _newton)
    if loss in ("unified", "circle"):
        yield Fault("softplus-threshold", partial(_cut_off, right=right))
    if loss == "unified":
        for chosen in (True, False):
            yield Fault("overflow", partial(_plain_pairs, chosen=chosen))
    if loss == "circle":
        yield Fault("one-left-out", _circle_energy)
    yield Fault("zero-times-infinity", partial(_zero_times_infinity, right=right))
    yield Fault("empty-side", partial(_empty_side, right=right))


def _of_the_family(loss: str) -> Iterator[Fault]:
    for chosen in (False, True):
        yield Fault("overflow", partial(_plain, chosen=chosen))
    yield Fault("shared-maximum", _shared)
    for constant in CONSTANTS:
        yield Fault("mask-constant", partial(_masked, constant=constant))
    for eps in EPSILONS:
        yield Fault("sparse-cancellation", partial(_by_subtraction, eps=eps))
    yield Fault("softplus-threshold", _softplus)
    if loss == "soft_zlpr":
        yield Fault("infinity-less-infinity", _logs_of_labels)


def _weighed(powers: Numbers, weights: Numbers, chosen: bool) -> Numbers:
    """The product, or (chosen) 0 where the weight is 0, however large the power is."""
    return np.where(weights > 0, powers * weights, 0) if chosen else powers * weights


def _plain(s: Numbers, t: Numbers, *, chosen: bool) -> Numbers:
    negative = _weighed(np.exp(s), 1 - t, chosen).sum(axis=-1)
    positive = _weighed(np.exp(-s), t, chosen).sum(axis=-1)
    return np.asarray(np.log(1 + negative) + np.log(1 + positive))


def _shared(s: Numbers, t: Numbers) -> Numbers:
    signed = np.where(t > 0, -s, s)
    top = np.maximum(signed.max(axis=-1, keepdims=True), 0)
    powers, one = np.exp(signed - top), np.exp(-top[:, 0])
    negative, positive = (powers * (1 - t)).sum(axis=-1), (powers * t).sum(axis=-1)
    return np.asarray(2 * top[:, 0] + np.log(one + negative) + np.log(one + positive))


def _with_zero(x: Numbers) -> Numbers:
    return np.concatenate([x, np.zeros_like(x[:, :1])], axis=-1)


def _masked(s: Numbers, t: Numbers, *, constant: float) -> Numbers:
    signed = np.where(t > 0, -s, s)
    negative, positive = signed - t * constant, signed - (1 - t) * constant
    return log_sum_exp(_with_zero(negative)) + log_sum_exp(_with_zero(positive))


def _by_subtraction(s: Numbers, t: Numbers, *, eps: float) -> Numbers:
    everything = log_sum_exp(_with_zero(s))
    chosen = log_sum_exp(np.where(t > 0, s, -np.inf))
    rest = np.maximum(1 - np.exp(chosen - everything), eps)
    positive = log_sum_exp(_with_zero(np.where(t > 0, -s, -np.inf)))
    return np.asarray(positive + everything + np.log(rest))


def _softplus(s: Numbers, t: Numbers) -> Numbers:
    total = np.zeros(len(s), dtype=s.dtype)
    for x in (np.where(t > 0, -np.inf, s), np.where(t > 0, -s, -np.inf)):
        energy = log_sum_exp(x)
        total = total + np.where(energy > SOFTPLUS_THRESHOLD, energy, np.logaddexp(0, energy))
    return np.asarray(total)


def _cut_off(s: Numbers, t: Numbers, *, right: Model) -> Numbers:
    """log(1 + e^x), x itself from 20 on."""
    value = right(s, t)
    energy = value + np.log(-np.expm1(-value))
    return np.where(energy > SOFTPLUS_THRESHOLD, energy, value)


def _logs_of_labels(s: Numbers, t: Numbers) -> Numbers:
    negative, positive = s + np.log(1 - t), -s + np.log(t)
    return log_sum_exp(_with_zero(negative)) + log_sum_exp(_with_zero(positive))


def _weights(loss: str, parameters: Parameters) -> tuple[Weights, float]:
    """Factor and exponent of the positives' weight a (1 - p)^g, then of the negatives'; margin."""
    made = type(getattr(numeric_core, loss))(**parameters)
    alpha, gamma = getattr(made, "alpha", None), getattr(made, "gamma", 0.0)
    a, b = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    powers = getattr(made, "gamma_positive", gamma), getattr(made, "gamma_negative", gamma)
    return (a, powers[0], b, powers[1]), getattr(made, "margin", 0.0)


def _of_probabilities(weights: Weights, margin: float) -> Iterator[Fault]:
    yield Fault("overflow", partial(_log_one_plus_exp, weights=weights, margin=margin))
    for eps in EPSILONS:
        name = "epsilon-in-log" if eps else "log-of-probability"
        for way in ("clip", "floor", "add") if eps else ("clip",):
            model = partial(_log_of_sigmoid, eps=eps, way=way, weights=weights, margin=margin)
            yield Fault(name, model)


def _log_one_plus_exp(s: Numbers, t: Numbers, *, weights: Weights, margin: float) -> Numbers:
    a, g, b, h = weights
    missed, invented = np.log(1 + np.exp(-s)), np.log(1 + np.exp(s))
    p = 1 / (1 + np.exp(-s))
    if margin:
        invented = -np.log(np.minimum(1 - p + margin, 1))
    negative = b * np.maximum(p - margin, 0) ** h * invented
    return np.asarray((t * a * (1 - p) ** g * missed + (1 - t) * negative).sum(axis=-1))


def _log_of_sigmoid(
    s: Numbers,
    t: Numbers,
    *,
    eps: float,
    way: str,
    weights: Weights,
    margin: float,
) -> Numbers:
    """log p and log(1 - p), p clipped, kept from 0 alone, or with eps added inside the logs."""
    a, g, b, h = weights
    p = 1 / (1 + np.exp(-s))
    q = np.minimum(1 - p + margin, 1)
    logs = {
        "clip": lambda x: np.log(np.clip(x, eps, 1 - eps)),
        "floor": lambda x: np.log(np.maximum(x, eps)),
        "add": lambda x: np.log(x + eps),
    }[way]
    positive = np.where(t > 0, t * a * (1 - p) ** g * logs(p), 0)
    negative = np.where(t < 1, (1 - t) * b * (1 - q) ** h * logs(q), 0)
    return np.asarray(-(positive + negative).sum(axis=-1))


def _plain_softmax(s: Numbers, t: Numbers) -> Numbers:
    return np.asarray((t * (np.log(np.exp(s).sum(axis=-1, keepdims=True)) - s)).sum(axis=-1))


def _log_of_softmax(s: Numbers, t: Numbers, *, eps: float) -> Numbers:
    p = np.exp(s - s.max(axis=-1, keepdims=True))
    p = np.clip(p / p.sum(axis=-1, keepdims=True), eps, 1 - eps)
    return np.asarray(-np.where(t > 0, t * np.log(p), 0).sum(axis=-1))


def _plain_pairs(s: Numbers, t: Numbers, *, chosen: bool) -> Numbers:
    weights = t[:, :, None] * (1 - t)[:, None, :]
    pairs = _weighed(np.exp(s[:, None, :] - s[:, :, None]), weights, chosen)
    return np.asarray(np.log(1 + pairs.sum(axis=(1, 2))))


def _circle_energy(s: Numbers, t: Numbers) -> Numbers:
    """The log of the sum over pairs: the 1 beside it is lost in the sum but where all is well."""
    scale, m = 256.0, 0.25
    positive = -scale * np.maximum(1 + m - s, 0) * (s - (1 - m))
    negative = scale * np.maximum(s + m, 0) * (s - m)
    energy = log_sum_exp(np.where(t > 0, positive, -np.inf))
    return np.asarray(energy + log_sum_exp(np.where(t > 0, -np.inf, negative)))


def _newton(s: Numbers, t: Numbers) -> Numbers:
    return np.array([_newton_row(x, y) for x, y in zip(s, t, strict=True)])


def _newton_row(s: Numbers, t: Numbers) -> float:
    k, top = int(t.sum()), s.max(initial=0.0)
    x = np.exp(s - top)
    e = [1.0]
    for j in range(1, k + 1):
        e.append(sum((-1) ** (i - 1) * e[j - i] * float(np.sum(x**i)) for i in range(1, j + 1)) / j)
    return float(np.log(e[k]) + k * top - s[t > 0].sum())


def _zero_times_infinity(s: Numbers, t: Numbers, *, right: Model) -> Numbers:
    """The loss, nan in rows with a score of -inf."""
    return np.where(np.isneginf(s).any(axis=-1), np.nan, right(s, t))


def _empty_side(s: Numbers, t: Numbers, *, right: Model) -> Numbers:
    """The loss, nan in rows without a score above -inf on one of the sides."""
    present = s > -np.inf
    empty = ~(present & (t < 1)).any(axis=-1) | ~(present & (t > 0)).any(axis=-1)
    return np.where(empty, np.nan, right(s, t))
