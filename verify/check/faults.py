r"""Formulas with one fault each, in plain NumPy: what a target computes if that is what is wrong.

Each model takes scores and labels (b, n) to a loss for each row (b,), or to one number (1,) for
the batch where the fault is that rows are mixed.  They are written like the code that has the
fault, so that their numbers can be told from those of the loss and of each other.

With N = sum of (1 - t) e^s and P = sum of t e^-s, ZLPR is log(1 + N) + log(1 + P):

    missing-minus    P = sum of t e^s, or N = sum of (1 - t) e^-s, or both
    one-left-out     log N + log P          side-left-out    one of the two
    one-not-shifted  m + log(1 + sum e^(x - m)), m = max x, on each side
    mean-inside-log  means for sums         mean-for-sum     the log of a mean with the 1 in it

What comes of the arithmetic is in `verify.check.roundings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

import numeric_core
from verify.check.frameworks import Numbers

__all__ = ["BY_LABEL", "FAMILY", "NONE", "Fault", "Model", "Parameters", "faults_of", "log_sum_exp"]
__all__ += ["sides", "sigmoid", "truth_of"]

Model = Callable[[Numbers, Numbers], Numbers]
Parameters = Mapping[str, float | None]
NONE: Parameters = {}

FAMILY = ("zlpr", "soft_zlpr")
BY_LABEL = ("binary_cross_entropy", "focal", "soft_focal", "asymmetric")
HINGES = ("hinge", "max_hinge", "lse_hinge")
# Values that the parameters of public code have; those of the papers are among them.
PARAMETERS: dict[str, tuple[dict[str, float], ...]] = {
    "focal": tuple({"gamma": g, "alpha": a} for g in (0.0, 1.0, 2.0, 3.0) for a in (0.25, 0.75))
    + tuple({"gamma": g} for g in (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)),
    "asymmetric": tuple(
        {"gamma_positive": p, "gamma_negative": q, "margin": m}
        for p in (0.0, 1.0)
        for q in (2.0, 4.0)
        for m in (0.0, 0.05)
    ),
    "circle": tuple({"scale": c, "margin": m} for c in (1, 32, 64, 80, 256) for m in (0.25, 0.4)),
    "unified": tuple({"scale": c, "margin": m} for c in (1, 10, 30, 64) for m in (0.0, 0.1, 0.5)),
    "hinge": ({"margin": 0.0}, {"margin": 1.0}),
    "max_hinge": ({"margin": 0.0}, {"margin": 1.0}),
    "lse_hinge": ({"margin": 0.0}, {"margin": 1.0}),
    "zlpr": ({"threshold": 0.5}, {"threshold": 1.0}),
    "order_r": ({"order": 1}, {"order": 2}, {"order": 3}),
}
TEMPERATURES = (0.05, 0.07, 0.1, 0.25, 0.5, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0, 30.0, 64.0)
SMOOTHINGS = (0.1, 0.05, 0.2, 0.01, 0.02, 0.15, 0.3)
"""The first is that of Szegedy et al., arXiv:1512.00567, and the default of timm."""


@dataclass(frozen=True)
class Fault:
    """A cause, and what is computed under it.  free: only up to a factor of the batch's sizes."""

    cause: str
    model: Model
    free: bool = False


def truth_of(loss: str, **parameters: float | None) -> Model:
    """The loss itself, with other parameters if they are given; nan where it has no value."""
    made = getattr(numeric_core, loss)
    chosen = type(made)(**parameters) if parameters else made

    def model(s: Numbers, t: Numbers) -> Numbers:
        try:
            return np.asarray(chosen(s, t), dtype=np.float64)
        except (ValueError, TypeError):
            return np.full(len(s), np.nan)

    return model


def log_sum_exp(x: Numbers, axis: int = -1) -> Numbers:
    """log sum e^x, -inf for nothing but -inf."""
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    return np.asarray(np.squeeze(top, axis) + np.log(np.exp(x - top).sum(axis=axis)))


def sides(s: Numbers, t: Numbers) -> tuple[Numbers, Numbers]:
    """s + log(1 - t) and -s + log t, -inf where the label is not on that side."""
    low = np.asarray(-np.inf, dtype=s.dtype)
    negative = np.where(t < 1, s + np.log(np.where(t < 1, 1 - t, 1)), low)
    return negative, np.where(t > 0, -s + np.log(np.where(t > 0, t, 1)), low)


def _one_plus(x: Numbers) -> Numbers:
    return log_sum_exp(np.concatenate([np.zeros_like(x[:, :1]), x], axis=-1))


def faults_of(loss: str, parameters: Parameters = NONE) -> Iterator[Fault]:
    """The faults that a target for this loss may have, the commonest first."""
    right = truth_of(loss, **parameters)
    if loss in FAMILY:
        yield from _of_the_family()
    if loss in BY_LABEL:
        yield from _by_label(loss, right, parameters)
    if loss == "softmax_cross_entropy":
        yield from _of_softmax(right)
    if loss in HINGES:
        yield from (Fault("max-for-sum", truth_of("max_hinge", margin=m)) for m in (0.0, 1.0))
    if loss == "circle":
        yield Fault("margin-sign", _circle)
    if loss == "unified":
        yield from _of_pairs()
    yield from _of_labels(loss, right)
    yield from _of_scores(loss, right)
    yield from _of_batches(loss, right)
    yield from (Fault("other-parameters", truth_of(loss, **p)) for p in PARAMETERS.get(loss, ()))


def _two(left: Callable[[Numbers], Numbers], right: Callable[[Numbers], Numbers]) -> Model:
    """left of the negatives' terms plus right of the positives'."""

    def model(s: Numbers, t: Numbers) -> Numbers:
        negative, positive = sides(s, t)
        return left(negative) + right(positive)

    return model


def _of_the_family() -> Iterator[Fault]:
    nothing: Callable[[Numbers], Numbers] = lambda x: np.zeros(len(x))  # noqa: E731
    for up, down in ((1, 1), (-1, -1), (-1, 1)):
        yield Fault("missing-minus", partial(_signs, up=up, down=down))
    yield Fault("one-left-out", _two(log_sum_exp, log_sum_exp))
    yield Fault("one-left-out", _two(_one_plus, log_sum_exp))
    yield Fault("one-left-out", _two(log_sum_exp, _one_plus))
    yield Fault("side-left-out", _two(_one_plus, nothing))
    yield Fault("side-left-out", _two(nothing, _one_plus))
    for floor in (0.0, -np.inf):
        side = partial(_not_shifted, floor=floor)
        yield Fault("one-not-shifted", _two(side, side))
    yield Fault("mean-inside-log", _two(_mean_in, _mean_in))
    yield Fault("mean-inside-log", _two(_mean_of_side, _mean_of_side))
    yield Fault("mean-for-sum", _two(_mean_all, _mean_all))
    yield Fault("counted-twice", partial(_twice, again=0.0))
    yield Fault("counted-twice", partial(_twice, again=1.0))
    for count in (1, 2, 3):
        yield Fault("padding-counted", partial(_padded, count=count))
    yield Fault("labels-as-rows", truth_of("binary_cross_entropy"))
    for constant in (1e2, 1e4, 1e12):
        yield Fault("hard-formula", partial(_hard_formula, constant=constant))
    for eps in (0.1, 0.05, 0.01, 1e-3, 1e-7):
        yield Fault("labels-clipped", partial(_cut, eps=eps))


def _signs(s: Numbers, t: Numbers, *, up: int, down: int) -> Numbers:
    """e^(up s) of the negatives, e^(down s) of the positives; (1, -1) is the loss."""
    return _one_plus(sides(up * s, t)[0]) + _one_plus(sides(-down * s, t)[1])


def _not_shifted(x: Numbers, *, floor: float) -> Numbers:
    top = np.max(x, axis=-1, keepdims=True, initial=floor)
    return np.asarray(top[:, 0] + np.log1p(np.exp(x - top).sum(axis=-1)))


def _mean_in(x: Numbers) -> Numbers:
    return np.asarray(np.log1p(np.exp(x).mean(axis=-1)))


def _mean_of_side(x: Numbers) -> Numbers:
    count = np.maximum((x > -np.inf).sum(axis=-1), 1)
    return np.asarray(np.log1p(np.exp(x).sum(axis=-1) / count))


def _mean_all(x: Numbers) -> Numbers:
    return _one_plus(x) - np.log(x.shape[-1] + 1)


def _twice(s: Numbers, t: Numbers, *, again: float) -> Numbers:
    """Each negative twice, and again times each positive among them."""
    negative = np.log1p((np.exp(s) * (2 * (1 - t) + again * t)).sum(axis=-1))
    return np.asarray(negative + _one_plus(sides(s, t)[1]))


def _padded(s: Numbers, t: Numbers, *, count: int) -> Numbers:
    """Rows are filled up with a positive of score 0, to `count` labels at least."""
    filled = np.maximum(max(count, int(t.sum(axis=-1).max())) - t.sum(axis=-1), 0)
    positive = np.logaddexp(_one_plus(sides(s, t)[1]), np.log(filled))
    return np.asarray(_one_plus(sides(s, t)[0]) + positive)


def _hard_formula(s: Numbers, t: Numbers, *, constant: float) -> Numbers:
    signed = (1 - 2 * t) * s
    return _one_plus(signed - t * constant) + _one_plus(signed - (1 - t) * constant)


def _cut(s: Numbers, t: Numbers, *, eps: float) -> Numbers:
    """Labels clipped to [eps, 1 - eps], those at the ends on one side only."""
    negative, positive = sides(s, np.clip(t, eps, 1 - eps))
    low = np.asarray(-np.inf, dtype=s.dtype)
    negative, positive = np.where(t < 1 - eps, negative, low), np.where(t > eps, positive, low)
    return _one_plus(negative) + _one_plus(positive)


def _by_label(loss: str, right: Model, parameters: Parameters) -> Iterator[Fault]:
    yield Fault("sigmoid-twice", lambda s, t: right(sigmoid(s), t))
    yield Fault("missing-minus", lambda s, t: right(-s, t))
    if loss == "binary_cross_entropy":
        yield Fault("missing-minus", _absolute)
        yield Fault("softmax-for-sigmoid", _softmax_for_sigmoid)
        yield Fault("side-left-out", lambda s, t: np.sum(t * np.logaddexp(0, -s), axis=-1))
        yield Fault("side-left-out", lambda s, t: np.sum((1 - t) * np.logaddexp(0, s), axis=-1))
    if loss == "focal" and parameters.get("alpha") is not None:
        yield Fault("alpha-for-both", partial(_alpha_for_both, parameters=parameters))
    if loss == "focal":
        for gamma in (2.0, 1.0, 3.0):
            yield Fault("focal-weight", partial(_focal_weight, gamma=gamma))
            yield Fault("factor-for-exponent", partial(_factor, gamma=gamma))
    if loss == "asymmetric":
        for margin, gamma in ((0.05, 4.0), (0.05, 2.0)):
            yield Fault("margin-sign", partial(_shifted_up, margin=margin, gamma=gamma))


def sigmoid(s: Numbers) -> Numbers:
    return np.asarray(np.exp(-np.logaddexp(0, -s)))


def _absolute(s: Numbers, t: Numbers) -> Numbers:
    terms = np.maximum(s, 0) - s * t + np.log1p(np.exp(np.minimum(np.abs(s), 700)))
    return np.asarray(terms.sum(axis=-1))


def _softmax_for_sigmoid(s: Numbers, t: Numbers) -> Numbers:
    log_p = s - log_sum_exp(s)[:, None]
    return np.asarray(-(t * log_p + (1 - t) * np.log1p(-np.exp(log_p))).sum(axis=-1))


def _focal_weight(s: Numbers, t: Numbers, *, gamma: float) -> Numbers:
    """Every label weighted with (1 - p)^g, or every label with p^g."""
    own = np.where(t > 0, s, -s)
    return np.asarray((sigmoid(-s) ** gamma * np.logaddexp(0, -own)).sum(axis=-1))


def _alpha_for_both(s: Numbers, t: Numbers, *, parameters: Parameters) -> Numbers:
    """a for positives and negatives, not a and 1 - a."""
    alpha = parameters["alpha"] or 0.0
    return alpha * truth_of("focal", **{**parameters, "alpha": None})(s, t)


def _factor(s: Numbers, t: Numbers, *, gamma: float) -> Numbers:
    own = np.where(t > 0, s, -s)
    return np.asarray((gamma * sigmoid(-own) * np.logaddexp(0, -own)).sum(axis=-1))


def _shifted_up(s: Numbers, t: Numbers, *, margin: float, gamma: float) -> Numbers:
    """p + m of the negatives for p - m."""
    p = np.minimum(sigmoid(s) + margin, 1.0)
    negative = -(p**gamma) * np.log(np.maximum(1 - p, 1e-12))
    return np.asarray(np.where(t > 0, np.logaddexp(0, -s), negative).sum(axis=-1))


def _circle(s: Numbers, t: Numbers) -> Numbers:
    """c a (s + m) for the negatives, c a (s - 1 - m) for the positives; c = 256, m = 1/4."""
    scale, m = 256.0, 0.25
    positive = -scale * np.maximum(1 + m - s, 0) * (s - (1 + m))
    negative = scale * np.maximum(s + m, 0) * (s + m)
    energy = log_sum_exp(np.where(t > 0, positive, -np.inf))
    return np.logaddexp(0, energy + log_sum_exp(np.where(t > 0, -np.inf, negative)))


def _of_softmax(right: Model) -> Iterator[Fault]:
    def of_softmax(s: Numbers, t: Numbers) -> Numbers:
        return right(np.exp(s - log_sum_exp(s)[:, None]), t)

    def less_entropy(s: Numbers, t: Numbers) -> Numbers:
        entropy = -(t * np.log(np.where(t > 0, t, 1))).sum(axis=-1)
        return right(s, t) - entropy

    def over_the_batch(s: Numbers, t: Numbers) -> Numbers:
        return np.asarray((t * (log_sum_exp(s, axis=0)[None] - s)).sum(axis=-1))

    yield Fault("softmax-twice", of_softmax)
    yield Fault("softmax-twice", lambda s, t: right(sigmoid(s), t))
    yield Fault("entropy-taken-off", less_entropy)
    yield Fault("wrong-axis", over_the_batch)
    yield Fault("missing-minus", lambda s, t: right(-s, t))


def _of_pairs() -> Iterator[Fault]:
    yield Fault("one-left-out", _two(log_sum_exp, log_sum_exp))
    yield Fault("sum-of-logs", _sum_over_pairs)
    yield Fault("rows-mixed", _shift_of_others, free=True)


def _shift_of_others(s: Numbers, t: Numbers) -> Numbers:
    """m_i + log(e^-m_i + S_k e^-m_k), mean over rows i and k; m the largest lead, S the sum."""
    leads = s[:, None, :] - s[:, :, None]
    top = leads.max(axis=(1, 2))[:, None]
    counts = t[:, :, None] * (1 - t)[:, None, :]
    total = (np.exp(leads - top[..., None]) * counts).sum(axis=(1, 2))
    return np.asarray((top + np.log(np.exp(-top) + total)).mean(keepdims=True).ravel())


def _sum_over_pairs(s: Numbers, t: Numbers) -> Numbers:
    leads = np.logaddexp(0, s[:, None, :] - s[:, :, None])
    return np.asarray((leads * t[:, :, None] * (1 - t)[:, None, :]).sum(axis=(1, 2)))


def _of_labels(loss: str, right: Model) -> Iterator[Fault]:
    for least in (0.5, 0.0):
        yield Fault("labels-rounded", partial(_rounded, right=right, least=least))
    yield Fault("labels-rounded", partial(_largest, right=right))
    for eps in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 0.1, 0.01):
        yield Fault("labels-clipped", partial(_clipped, right=right, eps=eps))
    for eps in SMOOTHINGS:
        for ways in ("all", "others", "two") if loss in BY_LABEL else ("all", "others"):
            yield Fault("labels-smoothed", partial(_smoothed, right=right, eps=eps, ways=ways))


def _rounded(s: Numbers, t: Numbers, *, right: Model, least: float) -> Numbers:
    return right(s, (t > least).astype(s.dtype))


def _largest(s: Numbers, t: Numbers, *, right: Model) -> Numbers:
    return right(s, np.eye(t.shape[-1], dtype=s.dtype)[np.argmax(t, axis=-1)])


def _clipped(s: Numbers, t: Numbers, *, right: Model, eps: float) -> Numbers:
    return right(s, np.clip(t, eps, 1 - eps))


def _smoothed(s: Numbers, t: Numbers, *, right: Model, eps: float, ways: str) -> Numbers:
    """(1 - eps) t, and eps in equal parts for all labels, all but this one, or yes and no."""
    n = t.shape[-1]
    part = {"all": eps / n, "others": (1 - t) * eps / max(n - 1, 1), "two": eps / 2}[ways]
    return right(s, (1 - eps) * t + part)


def _of_scores(loss: str, right: Model) -> Iterator[Fault]:
    for temperature in TEMPERATURES:
        yield Fault("temperature", partial(_cooled, right=right, temperature=temperature))
    for base in (2.0, 10.0):
        yield Fault("log-base", partial(_in_base, right=right, base=base))


def _cooled(s: Numbers, t: Numbers, *, right: Model, temperature: float) -> Numbers:
    return right(s / temperature, t)


def _in_base(s: Numbers, t: Numbers, *, right: Model, base: float) -> Numbers:
    return right(s, t) / np.log(base)


def _of_batches(loss: str, right: Model) -> Iterator[Fault]:
    if loss in FAMILY:
        yield Fault("one-log-a-batch", _one_log, free=True)
        yield Fault("rows-mixed", _all_with_all, free=True)
    if loss in BY_LABEL:
        yield Fault("rows-mixed", partial(_each_with_all, right=right), free=True)
    if loss not in BY_LABEL:
        yield Fault("wrong-axis", lambda s, t: right(s.T, t.T).sum(keepdims=True), free=True)


def _one_log(s: Numbers, t: Numbers) -> Numbers:
    return np.asarray(sum(_one_plus(x.reshape(1, -1)) for x in sides(s, t)))


def _all_with_all(s: Numbers, t: Numbers) -> Numbers:
    each = np.log1p((1 - t) @ np.exp(s).T) + np.log1p(t @ np.exp(-s).T)
    return np.asarray(each.mean(keepdims=True).ravel())


def _each_with_all(s: Numbers, t: Numbers, *, right: Model) -> Numbers:
    pairs = [right(s, np.roll(t, k, axis=0)).sum() for k in range(len(s))]
    return np.array([sum(pairs) / len(s)])
