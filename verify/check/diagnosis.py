"""Which fault explains what was seen: the one whose formula gives the same wrong numbers.

A fault explains an observation if its number lies nearer to what was got than the truth does, by a
factor of 20, or if both are not finite.  Faults are taken one by one, each that explains most of
what is left; one that is wrong where the target is right explains nothing.  On ordinary rows a
fault of the formula shows everywhere, and is to explain nearly all of them; a rounding shows in
some rows only.  Errors, gradients, constant factors and what no fault explains are told by rules.
Errors of the size of float32 in float64 hide among larger ones, and are looked for by themselves.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

import numeric_core
from verify.check.faults import BY_LABEL, NONE, Fault, Parameters, faults_of, truth_of
from verify.check.frameworks import Numbers
from verify.check.observation import Observation
from verify.check.roundings import roundings_of

__all__ = ["likely_causes"]

# What a message says of its cause; the first that fits.
MESSAGES = (
    (r"cuda|no nvidia|hip gpu|mps device|expected all tensors to be on the same device", "device"),
    (r"systemexit|keyboardinterrupt", "runs-when-loaded"),
    (r"modulenotfounderror|no module named", "missing-library"),
    (r"has no attribute|cannot import name|got an unexpected keyword", "removed-name"),
    (r"no answer within|time limit|timed? ?out", "never-ends"),
    (r"memory", "memory"),
    (r"overflowerror|math range error|math domain error", "overflow"),
    (r"with a bool|bool tensor|boolean subtract", "bool-arithmetic"),
    (r"int64|expected scalar type|dtype|must be (float|floating)|integer", "label-dtype"),
    (r"in-?place operation|does not support item assignment|immutable|read-only", "input-modified"),
    (r"shape|size|dimension|broadcast|index .* out of", "shape"),
)
# How near a number is to be, relative to the largest that enters it, where the target is right.
NEAR = {"float64": 1e-6, "float32": 1e-3, "float16": 5e-2}
PLAIN = {"float64": 1e-14, "float32": 5e-6, "float16": 1e-2}
EXPLAINED = 0.05
SAME = 1e-5
"""Where any number of rows or labels may be a factor, few digits agree by chance."""
SHARE_OF_PROBES, SHARE_OF_WRONG, SHARE_OF_RIGHT = 0.9, 0.3, 0.9
LOOKED_AT = 60
# What a single number for a batch (rows, labels) may have been divided or multiplied by.
SIZES = (lambda b, n: 1, lambda b, n: b, lambda b, n: n, lambda b, n: b * n)
SINGLE = 1e-9, 1e-5
"""Errors of float32 arithmetic in float64 results, relative."""
CERTAIN = 7.0
"""From this |s| on, 1 - sigmoid(|s|) is lost in float16; 16 in float32, 36 in float64."""


def likely_causes(
    observations: Sequence[Observation], loss: str, parameters: Parameters = NONE
) -> tuple[str, ...]:
    """Ids of `CAUSES`, the likeliest first; () where nothing that is known fits.

    loss, parameters: what the observations were held against.
    """
    known = [o for o in observations if o.dtype in NEAR]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found, left = _of_values(known, loss, parameters)
        found += [*_of_gradients(known, loss), *_of_factor(known, loss, parameters)]
        found += _of_remains(left)
    return tuple(dict.fromkeys(found or _of_messages(observations)))


# --- values ---------------------------------------------------------------------------------------


def _of_values(
    seen: Sequence[Observation], loss: str, parameters: Parameters
) -> tuple[list[str], list[Observation]]:
    """The faults that explain wrong values, and what they leave unexplained."""
    judged = [o for o in seen if o.got is not None or _overflowed(o)]
    wrong = [o for o in judged if not o.value_right]
    if not wrong or not hasattr(numeric_core, loss):
        return [], wrong
    formulas, roundings = faults_of(loss, parameters), roundings_of(loss, parameters)
    safe = [o for o in wrong if o.kind == "probe" and not _is_single(o)]
    if safe:  # another function: the ordinary rows show it best
        right = [o for o in judged if o.value_right and o.kind == "probe"]
        return _cover(safe, right, [*formulas, *roundings], SHARE_OF_PROBES)[0], []
    right = [o for o in judged if o.value_right]
    single = [o for o in wrong if _is_single(o)]
    large = [o for o in wrong if not _is_single(o)] or wrong
    faults = [*roundings, *formulas]
    found, left = _cover(_spread(large), _spread(right), faults, SHARE_OF_WRONG)
    if not found or large is wrong:
        return found, left if found else wrong
    small = _unexplained(single, [fault for fault in faults if fault.cause in found])
    if len(small) > len(large) and _as_large_as_single(small):
        return ["single-inside", *found], left
    return found, [*left, *small]


def _overflowed(seen: Observation) -> bool:
    return bool(re.search("OverflowError|math (range|domain) error|ZeroDivision", seen.error))


def _unexplained(seen: Sequence[Observation], faults: Sequence[Fault]) -> list[Observation]:
    """What none of the faults explains."""
    explained = set().union(*(_explained(fault, seen) for fault in faults))
    return [o for k, o in enumerate(seen) if k not in explained]


def _spread(seen: Sequence[Observation]) -> Sequence[Observation]:
    """At most 60 of them, evenly."""
    step = max(1, -(-len(seen) // LOOKED_AT))
    return seen[::step]


def _cover(
    wrong: Sequence[Observation],
    right: Sequence[Observation],
    faults: Iterable[Fault],
    share: float,
) -> tuple[list[str], list[Observation]]:
    """The faults that explain what is wrong, the one that explains most first; what is left."""
    explains: list[tuple[str, set[int]]] = []
    for fault in faults:
        own = _explained(fault, wrong)
        if len(own) < share * len(wrong):
            continue
        fine = len(_explained(fault, right))
        if fine >= SHARE_OF_RIGHT * len(right):
            explains.append((fault.cause, own))
        if len(own) == len(wrong) and fine == len(right):
            break
    found: list[str] = []
    left = set(range(len(wrong)))
    while left and explains:
        cause, own = max(explains, key=lambda pair: len(pair[1] & left))
        if not own & left:
            break
        found.append(cause)
        left -= own
    return found, [wrong[k] for k in sorted(left)]


def _explained(fault: Fault, seen: Sequence[Observation]) -> set[int]:
    """Which of them agree with the fault; single numbers for batches up to one kind of size."""
    predicted = [_predicted(fault, o) for o in seen]
    free = [_is_free(fault, o) for o in seen]
    best: set[int] = set()
    for size in SIZES if any(free) else SIZES[:1]:
        for power in (1, -1):
            own = set()
            for k, o in enumerate(seen):
                factor = float(size(*o.scores.shape)) ** power if free[k] else 1.0
                if _agrees(o, predicted[k] * factor, SAME if free[k] else EXPLAINED):
                    own.add(k)
            best = max(best, own, key=len)
    return best


def _predicted(fault: Fault, seen: Observation) -> Numbers:
    s, t = seen.scores.astype(seen.dtype), seen.labels.astype(seen.dtype)
    predicted = np.asarray(fault.model(s, t), dtype=np.float64)
    one_number = seen.got is not None and seen.got.size == 1
    return predicted.sum(keepdims=True) if one_number else predicted


def _is_free(fault: Fault, seen: Observation) -> bool:
    """Whether what the reduction was is not known: a batch is one number, and it is wrong."""
    alone = seen.kind == "probe" and not seen.value_right
    return seen.got is not None and seen.got.size == 1 and (fault.free or alone)


def _agrees(seen: Observation, predicted: Numbers, within: float) -> bool:
    """Whether the numbers are those; within: as a part of the error that is to be explained."""
    if seen.got is None:
        return not bool(np.isfinite(predicted).all())
    got, truth = seen.got, seen.truth
    if predicted.shape != got.shape or (_kinds(predicted) != _kinds(got)).any():
        return False
    finite = np.isfinite(got)
    off, size = np.abs(got - predicted)[finite], np.maximum(1, np.abs(got))[finite]
    allowed = np.maximum(PLAIN[seen.dtype] * size, within * np.abs(got - truth)[finite])
    if seen.value_right:
        allowed = NEAR[seen.dtype] * np.maximum(size, _largest(seen.scores))
    return bool((off <= allowed).all())


def _kinds(values: Numbers) -> Numbers:
    """0 for a finite number, else which of nan, inf and -inf it is."""
    return np.where(np.isfinite(values), 0, 1 + np.isposinf(values) + 2 * np.isneginf(values))


def _largest(scores: Numbers) -> float:
    kept = np.abs(scores[np.isfinite(scores)])
    return float(kept[kept < 1e7].max(initial=1.0))


def _of_factor(seen: Sequence[Observation], loss: str, parameters: Parameters) -> list[str]:
    """What a constant factor is, where the truth was multiplied by it for comparison."""
    if not hasattr(numeric_core, loss):
        return []
    plain = [o for o in seen if o.kind == "probe" and o.got is not None and o.value_right]
    ratios: list[float] = []
    for o in plain:
        base = truth_of(loss, **parameters)(o.scores, o.labels)
        base = base.sum(keepdims=True) if o.truth.size < base.size else base
        ratios += (o.truth / base).tolist() if o.truth.shape == base.shape else []
    if not ratios or not np.allclose(ratios, ratios[0], rtol=1e-9) or abs(ratios[0] - 1) < 1e-9:
        return []
    bases = (1 / np.log(2), 1 / np.log(10))
    return ["log-base" if np.isclose(ratios[0], bases, rtol=1e-6).any() else "constant-factor"]


# --- gradients ------------------------------------------------------------------------------------


def _of_gradients(seen: Sequence[Observation], loss: str) -> list[str]:
    """What is wrong with a gradient whose value is right."""
    wrong = [o for o in seen if o.value_right and not o.gradient_right and o.gradient is not None]
    if not wrong:
        return []
    finite = [o for o in wrong if np.isfinite(_pair(o)[0]).all()]
    if not finite:
        return [_of_nan(wrong, loss)]
    rules = [
        ("no-gradient", _is_zero),
        ("backward-sign", _has_sign),
        ("detached-shift", _lacks_one),
    ]
    if loss == "circle":
        rules.insert(1, ("detached-weights", _holds_weights))
    return [c for c, holds in rules if np.mean([holds(o) for o in finite]) >= SHARE_OF_RIGHT][:1]


def _of_nan(wrong: Sequence[Observation], loss: str) -> str:
    """Where it is not a number: at certain labels, on empty sides, under masks."""
    if loss in BY_LABEL and all((np.abs(o.scores) > CERTAIN).any() for o in wrong):
        return "root-at-zero"
    one_sided = all(((o.labels == 0).all(-1) | (o.labels == 1).all(-1)).any() for o in wrong)
    return "empty-side" if one_sided else "nan-gradient"


def _pair(seen: Observation) -> tuple[Numbers, Numbers]:
    assert seen.gradient is not None and seen.gradient_truth is not None
    return seen.gradient, seen.gradient_truth


def _is_zero(seen: Observation) -> bool:
    return not _pair(seen)[0].any()


def _has_sign(seen: Observation) -> bool:
    got, truth = _pair(seen)
    near = np.sqrt(PLAIN[seen.dtype])
    turned = (got * truth < 0) & (np.abs(truth) > near)
    return bool(turned.any() and np.allclose(np.abs(got), np.abs(truth), rtol=near, atol=near))


def _lacks_one(seen: Observation) -> bool:
    """Off by 1 at the largest term of a sum, or by 1/k at each of k that tie; right elsewhere."""
    got, truth = _pair(seen)
    off = np.abs(got - truth)
    off = off[~(off < 1e-3)]
    ties = np.round(1 / off)
    whole = all((np.isclose(off, 1 / k, atol=1e-3).sum() % k) == 0 for k in ties if k)
    return bool(off.size and whole and np.isclose(off * ties, 1, atol=1e-2).all())


def _holds_weights(seen: Observation) -> bool:
    got, truth = _pair(seen)
    held = numeric_core.Circle(detach_weights=True).value_and_grad(seen.scores, seen.labels)[1]
    near = np.abs(got - held).max() < 0.05 * np.abs(got - truth).max()
    return bool(near)


# --- what else ------------------------------------------------------------------------------------


def _of_messages(seen: Sequence[Observation]) -> list[str]:
    texts = [o.error or o.gradient_error for o in seen if o.error or o.gradient_error]
    found = (
        next((cause for words, cause in MESSAGES if re.search(words, text, re.I)), None)
        for text in texts
    )
    return [cause for cause in found if cause]


def _of_remains(left: Sequence[Observation]) -> list[str]:
    """What no fault explains, from where it is wrong alone."""
    left = [o for o in left if o.got is not None]
    found = []
    single = [o for o in left if _is_single(o)]
    if len(single) >= SHARE_OF_WRONG * len(left) > 0 and _as_large_as_single(single):
        found.append("single-inside")
        left = [o for o in left if o not in single]
    if not left:
        return found
    if all(o.dtype == "float16" for o in left):
        found.append("half-range")
    elif all(np.isneginf(o.scores).any() and not np.isfinite(_got(o)).all() for o in left):
        found.append("zero-times-infinity")
    elif all((o.scores < -1e6).any() for o in left):
        found.append("mask")
    return found


def _got(seen: Observation) -> Numbers:
    assert seen.got is not None
    return seen.got


def _is_single(seen: Observation) -> bool:
    """Whether a float64 number is off by no more than float32 arithmetic costs."""
    if seen.got is None or seen.dtype != "float64":
        return False
    off = _relative(seen)
    return bool((off < SINGLE[1]).all() and (off > 0).any())


def _as_large_as_single(seen: Sequence[Observation]) -> bool:
    """Whether most are off by as much as that: what is smaller comes from elsewhere."""
    return bool(np.median([_relative(o).max() for o in seen]) > SINGLE[0])


def _relative(seen: Observation) -> Numbers:
    size = np.maximum(_largest(seen.scores), np.abs(seen.truth))
    return np.asarray(np.abs(_got(seen) - seen.truth) / size)
