r"""Finding out how a target is called: from the names in its signature, then by probes.

Every way of calling it that its signature admits is tried on small batches.  A way that gives the
truth is taken at once; else the one that comes nearest, in this order:

    exact > off by what depends on the labels alone > exact for hard labels > for lists of one
    length > for batches of one row > a positive multiple > another known loss > anything that runs
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verify.check.candidates import candidates
from verify.check.causes import likely_causes
from verify.check.convention import ONLY_HARD, PER_ROW, REDUCTIONS, SIDES, Convention
from verify.check.frameworks import Numbers
from verify.check.observation import Observation
from verify.check.probes import Probe, make_probes, truths, unequal_lists
from verify.check.specification import Specification
from verify.check.target import Target
from verify.check.trial import Failed, Trial

__all__ = ["CLOSENESS", "Fit", "Found", "also_by_class", "discover"]

# float32 inside a target leaves 1e-7 of relative error on these batches.
CLOSENESS = 1e-5
# A label or a probability kept away from its ends by 1e-5 leaves 1e-4: still this loss, though not
# to the last digit, which is weighed later.  Another formula is off by far more.
NEAR = 1e-3
RANKS = ("exact", "constant", "hard", "lists", "one row", "scale", "other", "unknown")
PADDINGS = (-1, -100, 0)


@dataclass(frozen=True)
class Fit:
    """How the numbers of a convention relate to the truth.

    figure: the multiple, or the largest difference, if that is what it is.  soft: whether labels
    between 0 and 1 were right as well.  swapped: with the arguments the other way round it fits.
    kept: what was compiled of it.
    """

    convention: Convention
    rank: str
    figure: float = 1.0
    nearest: str = ""
    soft: bool = True
    swapped: bool = False
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def order(self) -> int:
        """0 is best."""
        return RANKS.index(self.rank)


@dataclass(frozen=True)
class Found:
    """The fit chosen (None where nothing runs), and what each other way of calling ended in."""

    fit: Fit | None
    tried: int
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_error(self) -> str:
        """The message that most ways of calling ended in."""
        return max(self.errors, key=lambda text: self.errors[text], default="")


def also_by_class(
    target: Target,
    fit: Fit,
    specification: Specification,
    guard: Callable[[], AbstractContextManager[Any]],
) -> Convention | None:
    """The same with class indices for labels, where the target takes these as well."""
    if not specification.one_class or fit.rank != "exact" or fit.convention.labels != "multi-hot":
        return None
    convention = replace(fit.convention, labels="class")
    try:
        answers = _ask(Trial(target, convention, guard), specification)
    except Failed:
        return None
    again = _fit(convention, answers, specification, {"reduction": convention.reduction})
    return again.convention if again.rank == "exact" else None


def _fits_swapped(
    target: Target,
    fit: Fit,
    specification: Specification,
    guard: Callable[[], AbstractContextManager[Any]],
) -> bool:
    """Whether it is the loss against what the names in its signature say."""
    way = fit.convention
    names = None if way.names is None else (way.names[1], way.names[0])
    turned = replace(way, scores_first=not way.scores_first, names=names)
    try:
        answers = _ask(Trial(target, turned, guard), specification)
    except Failed:
        return False
    return _fit(turned, answers, specification, {}).rank in ("exact", "hard")


@dataclass(frozen=True)
class Answer:
    """What came out of a probe."""

    probe: Probe
    raw: Numbers


def discover(
    target: Target,
    specification: Specification,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    guard: Callable[[], AbstractContextManager[Any]],
    others: Sequence[Specification] = (),
) -> Found:
    """The convention of the target; what is in `given` (fields of `Convention`) is not searched."""
    found = _discover(target, specification, given, options, guard, others)
    if found.fit is None and any(re.search("float|double|dtype", e, re.I) for e in found.errors):
        # its constants are of float32, and its library mixes no dtypes
        single = {**given, "widest": "float32"}
        again = _discover(target, specification, single, options, guard, others)
        return found if again.fit is None else again
    return found


def _discover(
    target: Target,
    specification: Specification,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    guard: Callable[[], AbstractContextManager[Any]],
    others: Sequence[Specification],
) -> Found:
    fits: list[Fit] = []
    errors: dict[str, int] = {}
    tried = 0
    runs: list[tuple[Convention, list[Answer]]] = []
    for convention in candidates(target, specification, given, options):
        if any(_settles(fit, convention) for fit in fits):
            continue
        if convention.labels == "signs" and any(fit.rank == "hard" for fit in fits):
            continue  # it rounds its labels, and so makes 0 and 1 of any signs
        if (
            convention.layout == "row"
            and convention.labels != SIDES
            and _took_batches(runs, convention)
        ):
            continue  # it takes batches, wrongly: that it also takes a row is no convention
        tried += 1
        trial = Trial(target, convention, guard)
        try:
            answers = _ask(trial, specification)
        except Failed as error:
            errors[str(error)] = errors.get(str(error), 0) + 1
            if error.endless:
                break  # each way of calling it would take as long
            continue
        runs.append((convention, answers))
        fit = replace(_fit(convention, answers, specification, given), kept=trial.kept)
        fits.append(fit)
        if fit.rank == "exact":
            break
    best = min(fits, key=lambda fit: fit.order, default=None)
    if best is not None and best.rank == "unknown":
        likely = [run for run in runs if _explained(run, specification, target)] or runs
        best = _other(runs, specification, others, given) or _plain(likely, target, guard, given)
        best = replace(best, swapped=_fits_swapped(target, best, specification, guard))
    if best is not None and best.convention.labels.startswith("indices"):
        best = _padded(target, best, specification, guard)
    return Found(best, tried, errors)


def _settles(fit: Fit, convention: Convention) -> bool:
    """Whether it is this loss in some way, and so takes that layout and not another.

    Two sides come as a row each in most code: rows of a batch that are mixed settle nothing there.
    """
    open_still = ("unknown", "one row") if convention.labels == SIDES else ("unknown",)
    return fit.rank not in open_still and fit.convention.layout != convention.layout


# --- what came out --------------------------------------------------------------------------------


def _ask(trial: Trial, specification: Specification) -> list[Answer]:
    """The answers to all probes; soft labels may fail, hard ones may not."""
    answers = []
    few = trial.framework.compiles
    soft = trial.convention.labels == "multi-hot"
    for probe in make_probes(specification, soft, few):
        try:
            answers.append(Answer(probe, _raw(trial, probe)))
        except Failed:
            if not probe.soft:
                raise
    return answers


def _raw(trial: Trial, probe: Probe) -> Numbers:
    if trial.convention.layout != "row":
        return trial.run(probe.scores, probe.labels).raw
    rows = [trial.run(one.scores, one.labels).raw for one in probe.split()]
    return np.array([row.reshape(-1) for row in rows])


def _took_batches(runs: Sequence[tuple[Convention, list[Answer]]], convention: Convention) -> bool:
    """Whether an array library's code ran on batches, called in the same way otherwise."""
    alike = replace(convention, layout="rows")
    return convention.framework != "python" and any(other == alike for other, _ in runs)


def _fit(
    convention: Convention,
    answers: Sequence[Answer],
    specification: Specification,
    given: Mapping[str, Any],
) -> Fit:
    """The best that any reduction makes of the answers."""
    fits = []
    for reduction in (given["reduction"],) if "reduction" in given else REDUCTIONS:
        pairs = [_pair(answer, reduction, convention, specification) for answer in answers]
        if any(pair is None for pair in pairs):
            continue
        known = [pair for pair in pairs if pair is not None]
        rank, figure = _relate(answers, known)
        if rank == "exact" and specification.soft and _only_hard(convention, answers):
            rank = "hard"
        soft = rank != "hard"
        if rank == "hard" and specification.extended:
            rank = "exact"
        fits.append(Fit(replace(convention, reduction=reduction), rank, figure, soft=soft))
    return min(fits, key=lambda fit: fit.order, default=Fit(convention, "unknown"))


def _only_hard(convention: Convention, answers: Sequence[Answer]) -> bool:
    """Whether no soft label was taken in a form that has room for them."""
    return convention.labels not in ONLY_HARD and not any(answer.probe.soft for answer in answers)


def _pair(
    answer: Answer, reduction: str, convention: Convention, specification: Specification
) -> tuple[Numbers, Numbers] | None:
    """Got and truth, row by row or for the batch; None where the shape does not fit."""
    rows, n = answer.probe.scores.shape
    exact = truths(specification, answer.probe)
    raw = answer.raw
    if reduction == "elements":
        if raw.size != rows * n:
            return None
        turned = raw.T if convention.layout == "columns" else raw
        return turned.reshape(rows, n).sum(axis=-1), exact
    count = REDUCTIONS[reduction](rows, n)
    if reduction in PER_ROW:
        # numbers by row have an axis for it, else one row would pass for a batch
        return (raw.reshape(-1) * count, exact) if raw.size == rows and raw.ndim else None
    return (raw.reshape(1) * count, exact.sum(keepdims=True)) if raw.size == 1 else None


def _relate(
    answers: Sequence[Answer], pairs: Sequence[tuple[Numbers, Numbers]]
) -> tuple[str, float]:
    """The relation of all numbers to their truths."""

    def exact(chosen: Callable[[Probe], bool]) -> bool:
        fits = [
            _close(g, x, NEAR) for a, (g, x) in zip(answers, pairs, strict=True) if chosen(a.probe)
        ]
        return bool(fits) and all(fits)

    if exact(lambda probe: True):
        return "exact", 1.0
    gaps: dict[int, list[Numbers]] = {}
    for answer, (g, x) in zip(answers, pairs, strict=True):
        gaps.setdefault(answer.probe.twin, []).append(g - x)
    # not relative to the gap: 1e12 less 1e12 and a bit is no constant
    size = max(1.0, *(float(np.abs(x).max()) for _, x in pairs)) * CLOSENESS
    if all(len(p) == 2 and bool((np.abs(p[0] - p[1]) <= size).all()) for p in gaps.values()):
        every = np.concatenate([gap for pair in gaps.values() for gap in pair])
        return "constant", float(every[np.abs(every).argmax()])
    if exact(lambda probe: not probe.soft):
        return "hard", 1.0
    if exact(lambda probe: probe.rows == 1) or exact(lambda p: p.rows == 1 and not p.soft):
        return "one row", 1.0
    got, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        ratio = float(np.median(got / truth))
    if ratio > 0 and np.isfinite(ratio) and _close(got, ratio * truth):
        return "scale", ratio
    return "unknown", 1.0


def _close(got: Numbers, truth: Numbers, within: float = CLOSENESS) -> bool:
    return bool(np.allclose(got, truth, rtol=within, atol=within))


def _other(
    runs: Sequence[tuple[Convention, list[Answer]]],
    specification: Specification,
    others: Sequence[Specification],
    given: Mapping[str, Any],
) -> Fit | None:
    """Another loss that the numbers are those of."""
    for convention, answers in runs:
        for other in others:
            hard = [a for a in answers if not a.probe.soft or other.soft]
            if other.one_class != specification.one_class and not specification.one_class:
                continue
            fit = _fit(convention, hard, other, given)
            if fit.rank in ("exact", "hard", "scale"):
                return replace(fit, rank="other", nearest=other.name)
    return None


def _explained(
    run: tuple[Convention, list[Answer]], specification: Specification, target: Target
) -> bool:
    """Whether some known fault gives these numbers: then the target is meant to be called so."""
    seen = []
    for answer in run[1]:
        probe, exact = answer.probe, truths(specification, answer.probe)
        if answer.raw.size == 1 and probe.rows > 1:
            exact = exact.sum(keepdims=True)
        elif answer.raw.size != probe.rows:
            return False
        got = answer.raw.reshape(-1)
        seen.append(
            Observation(
                "probe", "", "float64", probe.scores, probe.labels, got, "", exact, excess=2.0
            )
        )
    return bool(likely_causes(seen, specification.name, specification.parameters))


def _plain(
    runs: Sequence[tuple[Convention, list[Answer]]],
    target: Target,
    guard: Callable[[], AbstractContextManager[Any]],
    given: Mapping[str, Any],
) -> Fit:
    """The first way that runs; of a single number, a mean is what twice the rows do not change."""
    convention, answers = runs[0]
    if "reduction" in given:
        return Fit(replace(convention, reduction=given["reduction"]), "unknown")
    answer = next(a for a in answers if a.probe.rows == 3)
    rows, n = answer.probe.scores.shape
    if answer.raw.size == rows:
        reduction = "none"
    elif answer.raw.size == rows * n:
        reduction = "elements"
    else:
        doubled = [np.concatenate([x, x]) for x in (answer.probe.scores, answer.probe.labels)]
        twice = Probe(doubled[0], doubled[1], soft=False, twin=0)
        try:
            again = _raw(Trial(target, convention, guard), twice)
            reduction = "mean" if _close(again, answer.raw) else "sum"
        except Failed:
            reduction = "sum"
    return Fit(replace(convention, reduction=reduction), "unknown")


def _padded(
    target: Target,
    fit: Fit,
    specification: Specification,
    guard: Callable[[], AbstractContextManager[Any]],
) -> Fit:
    """With the padding value that leaves a batch with lists of different lengths right.

    Where class 0 is kept free for it, no other value can fill up: a batch that is wrong then
    makes the target wrong.
    """
    convention = fit.convention
    if convention.padding is not None or fit.rank != "exact":
        return fit
    probe = unequal_lists()
    from_1 = convention.labels == "indices from 1"
    truth = np.array([truths(specification, probe).sum()])
    for padding in (None,) if from_1 else (*PADDINGS, probe.scores.shape[1]):
        padded = replace(convention, padding=padding)
        try:
            got = Trial(target, padded, guard).totals(probe.scores, probe.labels)
        except Failed:
            continue
        if _close(np.array([got.sum()]), truth, NEAR):
            return replace(fit, convention=padded)
    return replace(fit, rank="lists") if from_1 else fit
