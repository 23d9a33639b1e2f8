r"""Finding out how a target is called: from the names in its signature, then by probes.

Every way of calling it that its signature admits is tried on small batches.  A way that gives the
truth is taken at once; else the one that comes nearest, in the order of `verify.check.fit`.
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
from verify.check.convention import SIDES, Convention
from verify.check.fit import NEAR, Answer, Fit, fit_of, is_close
from verify.check.frameworks import Numbers
from verify.check.observation import Observation
from verify.check.probes import Probe, make_probes, truths, unequal_lists
from verify.check.specification import Specification
from verify.check.target import Target
from verify.check.trial import Failed, Trial

__all__ = ["Found", "also_by_class", "discover"]

PADDINGS = (-1, -100, 0)


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
    again = fit_of(convention, answers, specification, {"reduction": convention.reduction})
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
    return fit_of(turned, answers, specification, {}).rank in ("exact", "hard")


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
        fit = replace(fit_of(convention, answers, specification, given), kept=trial.kept)
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
            fit = fit_of(convention, hard, other, given)
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
            reduction = "mean" if is_close(again, answer.raw) else "sum"
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
        if is_close(np.array([got.sum()]), truth, NEAR):
            return replace(fit, convention=padded)
    return replace(fit, rank="lists") if from_1 else fit
