r"""Finding out how a target is called: from the names in its signature, then by probes.

Every way of calling it that its signature admits is tried on small batches.  A way that gives the
truth is taken at once; else the one that comes nearest, in this order:

    exact > exact for hard labels > exact for batches of one row > a positive multiple >
    off by what depends on the labels alone > another known loss > anything that runs

Names that are clear bind: with `y_true` and `y_pred` in the signature only one order is tried.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verify.check.convention import INPUTS, LABEL_FORMS, LAYOUTS, PER_ROW, REDUCTIONS, Convention
from verify.check.frameworks import Numbers, framework_named, frameworks_for
from verify.check.probes import Probe, make_probes, truths
from verify.check.specification import Specification
from verify.check.target import Target
from verify.check.trial import Failed, Trial

__all__ = ["CLOSENESS", "Fit", "Found", "also_by_class", "discover"]

# float32 inside a target leaves 1e-7 of relative error on these batches; a formula that is another
# one is off by far more.
CLOSENESS = 1e-5
RANKS = ("exact", "hard", "one row", "scale", "constant", "other", "unknown")
PADDINGS = (-1, -100, 0)

_SCORES = ("logit", "score", "y_pred", "pred", "input", "output", "y_hat", "yhat", "sim", "prob")
_LABELS = ("y_true", "target", "label", "true", "gt", "truth", "multi_hot", "onehot", "one_hot")
_SHORT_SCORES, _SHORT_LABELS = ("s", "x", "z", "p", "f", "o"), ("t", "y")


@dataclass(frozen=True)
class Fit:
    """How the numbers of a convention relate to the truth; figure: the multiple, if it is one."""

    convention: Convention
    rank: str
    figure: float = 1.0
    nearest: str = ""

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
    fits: list[Fit] = []
    errors: dict[str, int] = {}
    tried = 0
    runs: list[tuple[Convention, list[Answer]]] = []
    for convention in _candidates(target, specification, given, options):
        if convention.layout == "row" and any(fit.rank == "one row" for fit in fits):
            continue  # it takes batches and mixes their rows: that it takes a row is no convention
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
        fit = _fit(convention, answers, specification, given)
        fits.append(fit)
        if fit.rank == "exact":
            break
    best = min(fits, key=lambda fit: fit.order, default=None)
    if best is not None and best.rank == "unknown":
        best = _other(runs, specification, others, given) or _plain(runs, target, guard, given)
    if best is not None and best.convention.labels == "indices":
        best = replace(best, convention=_padded(target, best.convention, specification, guard))
    return Found(best, tried, errors)


# --- what may be tried ----------------------------------------------------------------------------


def _candidates(
    target: Target,
    specification: Specification,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Iterator[Convention]:
    names = [given["framework"]] if "framework" in given else None
    frameworks = [framework_named(n) for n in names] if names else frameworks_for(target)
    taken = {name: value for name, value in options.items() if _takes(target, name)}
    orders = _orders(target, given, taken)
    for framework in frameworks:
        for layout in _choices(given, "layout", _layouts(framework.name)):
            for labels in _choices(given, "labels", _label_forms(specification)):
                for kind in _choices(given, "input", _inputs(target, specification)):
                    for scores_first, places in orders:
                        yield Convention(
                            framework=framework.name,
                            scores_first=scores_first,
                            names=places,
                            input=kind,
                            labels=labels,
                            layout=layout,
                            padding=given.get("padding"),
                            options=taken,
                        )


def _choices(given: Mapping[str, Any], name: str, usual: Sequence[str]) -> Sequence[str]:
    known = {"layout": LAYOUTS, "labels": LABEL_FORMS, "input": INPUTS}[name]
    if name not in given:
        return usual
    if given[name] not in known:
        raise ValueError(f"unknown {name} {given[name]!r}: expected one of {', '.join(known)}")
    return (given[name],)


def _layouts(framework: str) -> tuple[str, ...]:
    """Lists of floats are rows rather than batches."""
    first = ("row", "rows") if framework == "python" else ("rows", "row")
    return (*first, "heads", "columns", "spans")


def _label_forms(specification: Specification) -> tuple[str, ...]:
    if specification.one_class:
        return ("multi-hot", "class", "integers")
    return ("multi-hot", "integers", "indices", "indices from 1", "signs")


def _inputs(target: Target, specification: Specification) -> tuple[str, ...]:
    names = " ".join(p.name.lower() for p in target.parameters)
    kinds = ("softmax", "log-softmax", "sigmoid") if specification.one_class else ("sigmoid",)
    if "logit" in names:
        return ("logits",)
    if "log_prob" in names or "logprob" in names:
        return ("log-softmax", "logits")
    return (*kinds, "logits") if "prob" in names else ("logits", *kinds)


def _takes(target: Target, name: str) -> bool:
    kinds = {p.name: p.kind for p in target.parameters}
    return name in kinds or inspect.Parameter.VAR_KEYWORD in kinds.values()


def _orders(
    target: Target, given: Mapping[str, Any], taken: Mapping[str, Any]
) -> list[tuple[bool, tuple[str, str] | None]]:
    """(scores first, names) as the signature has them, or both orders where it does not say."""
    if "names" in given:
        return [(True, tuple(given["names"]))]
    if "scores_first" in given:
        return [(bool(given["scores_first"]), None)]
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [p.name for p in target.parameters if p.kind in plain and p.name not in taken]
    scores = next((name for name in places if _is(name, _SCORES, _SHORT_SCORES)), None)
    labels = next(
        (n for n in places if n != scores and _is(n, _LABELS, _SHORT_LABELS)),
        None,
    )
    if scores is not None and labels is not None and {scores, labels} != set(places[:2]):
        return [(True, (scores, labels))]
    if scores is not None and labels is not None:
        return [(scores == places[0], None)]
    return [(True, None), (False, None)]


def _is(name: str, parts: Sequence[str], short: Sequence[str]) -> bool:
    lower = name.lower()
    if lower in short:
        return True
    other = _LABELS if parts is _SCORES else _SCORES
    return any(part in lower for part in parts) and not any(lower.startswith(o) for o in other)


# --- what came out --------------------------------------------------------------------------------


def _ask(trial: Trial, specification: Specification) -> list[Answer]:
    """The answers to all probes; soft labels may fail, hard ones may not."""
    answers = []
    for probe in make_probes(specification, soft=trial.convention.labels in ("multi-hot", "signs")):
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
        fits.append(Fit(replace(convention, reduction=reduction), rank, figure))
    return min(fits, key=lambda fit: fit.order, default=Fit(convention, "unknown"))


def _only_hard(convention: Convention, answers: Sequence[Answer]) -> bool:
    """Whether no soft label was taken in a form that has room for them."""
    no_room = convention.labels in ("class", "indices", "indices from 1")
    return not no_room and not any(answer.probe.soft for answer in answers)


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
        fits = [_close(g, x) for a, (g, x) in zip(answers, pairs, strict=True) if chosen(a.probe)]
        return bool(fits) and all(fits)

    if exact(lambda probe: True):
        return "exact", 1.0
    if exact(lambda probe: not probe.soft):
        return "hard", 1.0
    if exact(lambda probe: probe.rows == 1) or exact(lambda p: p.rows == 1 and not p.soft):
        return "one row", 1.0
    got, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        ratio = float(np.median(got / truth))
    if ratio > 0 and np.isfinite(ratio) and _close(got, ratio * truth):
        return "scale", ratio
    gaps: dict[int, list[Numbers]] = {}
    for answer, (g, x) in zip(answers, pairs, strict=True):
        gaps.setdefault(answer.probe.twin, []).append(g - x)
    if all(len(pair) == 2 and _close(*pair) for pair in gaps.values()):
        return "constant", float(got[0] - truth[0])
    return "unknown", 1.0


def _close(got: Numbers, truth: Numbers) -> bool:
    return bool(np.allclose(got, truth, rtol=CLOSENESS, atol=CLOSENESS))


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
            if fit.rank in ("exact", "hard"):
                return replace(fit, rank="other", nearest=other.name)
    return None


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
    convention: Convention,
    specification: Specification,
    guard: Callable[[], AbstractContextManager[Any]],
) -> Convention:
    """With the padding value that leaves a batch with lists of different lengths right."""
    if convention.padding is not None:
        return convention
    scores = np.array([[0.3, -0.8, 1.1, 0.4], [1.3, 0.2, -0.6, -0.1]])
    labels = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    probe = Probe(scores, labels, False, 0)
    for padding in (*PADDINGS, scores.shape[1]):
        padded = replace(convention, padding=padding)
        try:
            got = Trial(target, padded, guard).totals(scores, labels)
        except Failed:
            continue
        if _close(np.array([got.sum()]), np.array([truths(specification, probe).sum()])):
            return padded
    return convention
