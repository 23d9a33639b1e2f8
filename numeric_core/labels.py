"""Labels before a loss sees them: smoothing, mixup, the labels that a teacher gives.

    smooth       (1 - eps) t + eps / n            classes that exclude each other
    smooth_each  (1 - eps) t + eps / 2            labels by themselves
    mixup        lambda t + (1 - lambda) t'       t' another sample's
    from_logits  softmax(z / T), sigma(z / T), or sigma(2 z / T) for soft ZLPR

All return the dtype of what they are given, on its device, and are computed in float32 at least.
The results are sums of positive terms: 4 ulp of each label, however small.

After smoothing, the best scores are as far apart as the labels say and no further: softmax
cross-entropy ends at a gap of log(1 + n (1 - eps) / eps), binary cross-entropy at +-L with
L = log((2 - eps) / eps), soft ZLPR at +-L / 2, with a value of 2 log(1 + n sqrt(eps (2 - eps)) / 2)
there, which no training brings down (derivations labels.smoothing-gap, -each, -floor).

A masked label must stay 0: pass `kept`, the labels that count.
"""

from __future__ import annotations

import math
from typing import Any

from numeric_core import checks
from numeric_core.losses.softmax import softmax_cross_entropy
from numeric_core.losses.zlpr import binary_cross_entropy, soft_zlpr
from numeric_core.namespace import (
    Array,
    Namespace,
    compute_dtype,
    constant,
    finfo_max,
    is_floating,
    known,
    namespace,
    on_host,
    read,
    round_to,
    wider_dtype,
)

__all__ = ["LINKS", "from_logits", "mixup", "smooth", "smooth_each"]

_LOSSES: dict[str, Any] = {
    "softmax": softmax_cross_entropy,
    "sigmoid": binary_cross_entropy,
    "soft_zlpr": soft_zlpr,
}
LINKS = tuple(_LOSSES)
"""The links that `from_logits` knows."""


def smooth(labels: Array, epsilon: float, *, kept: Array | None = None, axis: int = -1) -> Array:
    """(1 - eps) t + eps / n: each row keeps its sum where that is 1.

    labels: (*batch, n) floats in [0, 1], the class axis anywhere; epsilon: in [0, 1].  kept:
    booleans of the same shape; the n of a row is then the number of its kept classes, and the
    others have label 0.

    eps is shared by all n classes, the target too, which is left with 1 - eps + eps / n (as
    PyTorch's label_smoothing and Keras's CategoricalCrossentropy do; others share it among the
    n - 1 other classes, which is this with eps n / (n - 1)).

    Raises TypeError for labels that are no floats or kept that is not boolean, ValueError for
    labels or epsilon outside [0, 1], a kept of another shape, a label > 0 that is not kept.

    Source: Szegedy et al. 2016, section 7; derivations labels.smoothing, labels.smoothing-gap.
    """
    xp, t = _prepared(labels, kept, epsilon=epsilon)
    position = checks.axis_of(labels, axis, "labels")
    if kept is None:
        count: Array = constant(xp, float(max(labels.shape[position], 1)), t)
    else:
        count = xp.sum(xp.astype(kept, t.dtype), axis=position, keepdims=True)
        count = xp.where(count > 0, count, xp.ones_like(count))
    return _towards(xp, t, epsilon, 1.0 / count, kept, labels.dtype)


def smooth_each(labels: Array, epsilon: float, *, kept: Array | None = None) -> Array:
    """(1 - eps) t + eps / 2: each label is a choice of two, and eps is shared by both.

    labels, epsilon, kept, errors: as for `smooth`, any shape.  For soft ZLPR and binary
    cross-entropy: a row's sum is not kept, it moves towards n / 2.  The signs of the best scores
    stay, for epsilon < 1.

    Source: 9064 section 10 (claim 9064-40), Keras's BinaryCrossentropy; derivations
    labels.smoothing-each, labels.smoothing-floor.
    """
    xp, t = _prepared(labels, kept, epsilon=epsilon)
    return _towards(xp, t, epsilon, constant(xp, 0.5, t), kept, labels.dtype)


def mixup(labels: Array, weight: float | Array, partner: Array) -> Array:
    """lambda t_r + (1 - lambda) t_{partner(r)} for every sample r, along the first axis.

    labels: (samples, ...) floats in [0, 1].  weight: lambda in [0, 1], one number, or floats
    (samples,).  partner: integers (samples,) in 0..samples-1, a permutation as a rule; the inputs
    of the model are mixed with the same weight and partner.

    For softmax and binary cross-entropy the loss of the mixed labels is the mixed loss; for soft
    ZLPR it is at least that (derivations labels.mixup-linear, labels.mixup-zlpr).  Labels of 0 and
    1 become soft ones: use soft_zlpr, not zlpr.

    Raises TypeError for labels or weights that are no floats and partners that are no integers,
    ValueError for values out of range and shapes that do not fit.

    Source: Zhang et al. 2018, eq. 1; claim 9064-41.
    """
    xp, t = _prepared(labels)
    if labels.ndim == 0:
        raise ValueError("labels of mixup must have a sample axis, got a 0-dimensional array")
    samples = int(labels.shape[0])
    _check_partner(xp, partner, samples)
    share = _weight(xp, weight, t)
    other = xp.take(t, partner, axis=0)
    return round_to(xp, share * t + (1.0 - share) * other, labels.dtype)


def from_logits(
    scores: Array, temperature: float = 1.0, *, link: str = "softmax", axis: int = -1
) -> Array:
    """The labels that a teacher's scores stand for, at a temperature: the shape of scores.

        link         label              for a student trained with
        "softmax"    softmax(z / T)     softmax_cross_entropy
        "sigmoid"    sigma(z / T)       binary_cross_entropy
        "soft_zlpr"  sigma(2 z / T)     soft_zlpr: its best scores are z / T; of sigma(z / T) it
                                        would learn half of them

    scores: (*batch, n), finite or -inf (masked: label 0; so is a score up to max(-1e7,
    finfo.min), at every temperature).  temperature: positive.  T -> 0: the class of the largest
    score, or the sign of each; T -> inf: all 1 / n, or 1 / 2.

    The student's scores are divided by T too.  Its gradient is then of order 1 / T^2 for large T,
    so that its loss is multiplied by T^2 beside a loss on hard labels (Hinton, Vinyals and Dean
    2015, section 2; derivations labels.temperature-softmax, -bce, -zlpr).  That keeps the order,
    not the size: at T near 1 the gradient is smaller than T^2 promises wherever it saturates.

    Error: 4 ulp for float32 and halves; in float64 |z - max z| / T ulp more, of the quotient.

    Raises TypeError for scores that are no floats, ValueError for nan, +inf, a temperature that is
    not positive, another link, and a row of masked classes under softmax.
    """
    checks.finite_number("temperature", temperature, positive=True)
    if link not in LINKS:
        raise ValueError(f"link must be one of {', '.join(LINKS)}, got {link!r}")
    xp = namespace(scores=scores)
    checks.floating(xp, "scores", scores)
    position = checks.axis_of(scores, axis)
    x, masked = _wide(xp, scores), scores <= checks.mask_bound(xp, scores.dtype)
    if 0 not in scores.shape:
        checks.score_values(read(xp.min(x)), read(xp.max(x)))
    if link == "softmax":
        x = _below_largest(xp, x, masked, position)
    x = _divided(xp, x, temperature, masked)
    of: dict[str, Any] = {
        "softmax": softmax_cross_entropy,
        "sigmoid": binary_cross_entropy,
        "soft_zlpr": soft_zlpr,
    }
    label = of[link].probabilities(x, axis=axis)
    return round_to(xp, xp.where(masked, xp.zeros_like(label), label), scores.dtype)


def _wide(xp: Namespace, x: Array) -> Array:
    """In float64, where the library has it."""
    x = xp.astype(x, compute_dtype(xp, x.dtype), copy=False)
    wider = wider_dtype(xp, x)
    return x if wider is None else xp.astype(x, wider)


def _below_largest(xp: Namespace, x: Array, masked: Array, position: int) -> Array:
    """z - max z: what softmax depends on, so that the quotient by T is as exact as it can be."""
    if x.shape[position] == 0:
        return x
    if known(xp.any(xp.all(masked, axis=position))) is True:
        checks.no_masked_rows(xp, xp.moveaxis(masked, position, -1))
    lowest = constant(xp, -finfo_max(xp, x.dtype), x)
    top = xp.max(xp.where(masked, lowest, x), axis=position, keepdims=True)
    # A mask such as the lowest number less the largest would be out of range.
    kept = xp.where(masked, xp.zeros_like(x), x)
    return xp.where(masked, lowest, kept - top)


def _divided(xp: Namespace, x: Array, temperature: float, masked: Array) -> Array:
    """z / T, at most half the largest number; -inf where masked, which a T > 1 would undo."""
    edge = 0.5 * finfo_max(xp, x.dtype) * min(temperature, 1.0)
    kept = xp.where(masked, xp.zeros_like(x), xp.clip(x, -edge, edge))
    return xp.where(masked, constant(xp, -math.inf, x), kept / temperature)


def _prepared(
    labels: Array, kept: Array | None = None, *, epsilon: float = 0.0
) -> tuple[Namespace, Array]:
    """Checked labels in the compute dtype."""
    _check_unit("epsilon", epsilon)
    arrays = {"labels": labels} if kept is None else {"labels": labels, "kept": kept}
    xp = namespace(**arrays)
    checks.floating(xp, "labels", labels)
    checks.label_range(xp, labels)
    if kept is not None:
        _check_kept(xp, kept, labels)
    return xp, xp.astype(labels, compute_dtype(xp, labels.dtype), copy=False)


def _towards(
    xp: Namespace, t: Array, epsilon: float, uniform: Array, kept: Array | None, dtype: object
) -> Array:
    """(1 - eps) t + eps uniform; 0 where a label does not count."""
    mixed = (1.0 - epsilon) * t + epsilon * uniform
    if kept is not None:
        mixed = xp.where(kept, mixed, xp.zeros_like(mixed))
    return round_to(xp, mixed, dtype)


def _weight(xp: Namespace, weight: float | Array, t: Array) -> Array:
    """lambda in the compute dtype, with the dimensions of the labels."""
    if isinstance(weight, (int, float)):
        _check_unit("weight", weight)
        return constant(xp, float(weight), t)
    if not is_floating(namespace(labels=t, weight=weight), weight.dtype):
        raise TypeError(f"weight must be a number or floats, got dtype {weight.dtype}")
    if tuple(weight.shape) != (t.shape[0],):
        raise ValueError(
            f"weight must be one number or have the shape ({t.shape[0]},), one for each sample, "
            f"got {tuple(weight.shape)}"
        )
    if known(xp.all((weight >= 0) & (weight <= 1))) is False:
        raise ValueError(f"weight must lie in [0, 1], got {_ends(xp, weight)}")
    return xp.reshape(xp.astype(weight, t.dtype), (t.shape[0], *(1 for _ in t.shape[1:])))


def _check_unit(name: str, value: float) -> None:
    checks.finite_number(name, value)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")


def _check_kept(xp: Namespace, kept: Array, labels: Array) -> None:
    if not xp.isdtype(kept.dtype, "bool"):
        raise TypeError(f"kept must be booleans, True where a label counts, got dtype {kept.dtype}")
    if tuple(kept.shape) != tuple(labels.shape):
        raise ValueError(
            f"kept must have the shape of labels, {tuple(labels.shape)}, got {tuple(kept.shape)}"
        )
    if known(xp.any(~kept & (labels > 0))) is True:
        raise ValueError(
            "a label > 0 is not kept: expected label 0 wherever kept is False; correct the labels"
        )


def _check_partner(xp: Namespace, partner: Array, samples: int) -> None:
    namespace(partner=partner)
    if not xp.isdtype(partner.dtype, "integral"):
        raise TypeError(f"partner must be integers, one for each sample, got dtype {partner.dtype}")
    if tuple(partner.shape) != (samples,):
        raise ValueError(
            f"partner must have the shape ({samples},), one for each sample, got "
            f"{tuple(partner.shape)}"
        )
    if known(xp.all((partner >= 0) & (partner < samples))) is False:
        raise ValueError(f"partner must lie in 0..{samples - 1}, got {_ends(xp, partner)}")


def _ends(xp: Namespace, x: Array) -> str:
    return f"values from {on_host(xp.min(x))} to {on_host(xp.max(x))}"
