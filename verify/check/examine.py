r"""The whole check: find out how the target is called, hold it against the truth, say what it is.

find       how it is called, by probes                             verify.check.discovery
relate     equal, a multiple, off by a constant, another loss      on the probes
sweep      each class of rows in each dtype                        verify.check.cases
relations  rows apart, permutations, repeated calls, inputs kept   verify.check.relations
search     Hypothesis climbs the error                             verify.check.search
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from verify.check.cases import CLASSES, Case, make_cases
from verify.check.discovery import also_by_class, discover
from verify.check.evidence import Evidence
from verify.check.fit import Fit
from verify.check.frameworks import FRAMEWORKS
from verify.check.observation import Observation
from verify.check.probes import make_probes, unequal_lists
from verify.check.relations import relations
from verify.check.result import Result
from verify.check.scales import find_scale_of_scores
from verify.check.search import search
from verify.check.specification import Specification, specification_of
from verify.check.target import CannotLoad, Target, load_target
from verify.check.trial import Trial
from verify.check.verdict import conclude, does_not_run
from verify.check.weigh import Weigher
from verify.one_at_a_time import one_at_a_time

__all__ = ["Options", "examine"]

BUDGET = 20.0
"""Seconds for the sweep and the search, by default: a check answers within half a minute."""
SEARCH_SHARE = 0.15
# What parameters are called in public code, by loss.
ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "asymmetric": {
        "gamma_positive": ("gamma_pos",),
        "gamma_negative": ("gamma_neg",),
        "margin": ("clip",),
    },
    "circle": {"scale": ("gamma",), "margin": ("m",)},
}
OTHERS = (
    *("softmax_cross_entropy", "hinge", "max_hinge", "lse_hinge"),
    *("soft_zlpr", "binary_cross_entropy", "zlpr", "unified", "combination_softmax", "order_r"),
    *("focal", "soft_focal", "asymmetric"),
)


@dataclass(frozen=True)
class Options:
    """What a user may say about a check.

    convention: fields of `Convention` that are not to be found out.  arguments: keyword arguments
    of the target.  parameters: those of the specification.  dtypes: only these.  excluding:
    classes of rows that are left out.  strict: lost digits of small losses count.  gradient: the
    target's gradient, scores and labels to an array.  budget: seconds.
    """

    convention: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Sequence[str] = ()
    excluding: Sequence[str] = ()
    strict: bool = False
    gradient: Callable[..., Any] | None = None
    budget: float = BUDGET


def examine(
    target: object,
    against: object,
    options: Options | None = None,
    *,
    guard: Callable[[], AbstractContextManager[Any]] = nullcontext,
    load_guard: Callable[[], AbstractContextManager[Any]] = nullcontext,
    progress: Callable[[str], object] = lambda stage: None,
) -> Result:
    """Hold the target against the specification, in this process, which does one such at a time.

    guard, load_guard: what each call and the loading stand in.  progress: is told of each stage.
    ValueError for a specification or an option that there is not; what the target does wrong is
    in the result.
    """
    chosen = options or Options()
    _check(chosen)
    with one_at_a_time:
        return _examined(target, against, chosen, guard, load_guard, progress)


def _examined(
    target: object,
    against: object,
    chosen: Options,
    guard: Callable[[], AbstractContextManager[Any]],
    load_guard: Callable[[], AbstractContextManager[Any]],
    progress: Callable[[str], object],
) -> Result:
    begun = time.monotonic()
    specification = specification_of(against, chosen.parameters)
    name = target if isinstance(target, str) else getattr(target, "__qualname__", repr(target))
    progress("load")
    try:
        with load_guard():
            loaded = load_target(target, chosen.arguments)
    except (KeyboardInterrupt, CannotLoad):
        raise
    except BaseException as error:  # a file may raise anything while it runs, even exit
        words = f"{type(error).__name__}: {error}"
        return does_not_run(str(name), specification.name, words)
    specification = _adopted(loaded, against, specification, chosen)
    progress("find out how it is called")
    found = discover(
        loaded, specification, chosen.convention, chosen.arguments, guard, _others(specification)
    )
    if found.fit is None:
        words = found.first_error
        if "required positional argument" in words or "required keyword-only" in words:
            words += (
                " (give it as an argument, NAME=VALUE; what is an array, in a function of scores "
            )
            words += "and labels around it)"
        return does_not_run(str(name), specification.name, words, found.tried)
    evidence = _gather(loaded, specification, found.fit, chosen, guard, progress, begun)
    result = conclude(str(name), evidence, chosen.strict)
    return replace(result, seconds=round(time.monotonic() - begun, 2))


def _check(options: Options) -> None:
    """ValueError for a class of rows or a dtype that there is not."""
    dtypes = tuple(dict.fromkeys(d for one in FRAMEWORKS.values() for d in one.dtypes))
    for what, given, known in (
        ("class of rows", options.excluding, tuple(CLASSES)),
        ("dtype", options.dtypes, dtypes),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ValueError(f"unknown {what} {unknown[0]!r}: expected one of {', '.join(known)}")


def _adopted(
    target: Target, against: object, specification: Specification, options: Options
) -> Specification:
    """The specification with the parameters that the target has by the same names."""
    own: dict[str, float] = {}
    defaults = {p.name: p.default for p in target.parameters}
    for name in specification.parameters:
        for alias in (name, *ALIASES.get(specification.name, {}).get(name, ())):
            value = getattr(target.call, alias, None)
            value = options.arguments.get(alias, defaults.get(alias, value))
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            if plain and name not in options.parameters:
                own[name] = float(value)
    if not own or not isinstance(against, str):
        return specification
    try:
        return specification_of(against, {**options.parameters, **own})
    except ValueError:  # a number that the loss cannot have says nothing about its parameter
        return specification


@cache
def _known(name: str) -> Specification:
    return specification_of(name)


def _others(specification: Specification) -> list[Specification]:
    """The other losses, with their usual parameters and with those that they share with this one.

    This one is among them with its usual parameters, where it has others here.
    """
    own = specification.parameters
    found = list(map(_known, OTHERS))
    for other in tuple(found):
        shared = {k: v for k, v in own.items() if k in other.parameters and v is not None}
        if any(other.parameters[k] != v for k, v in shared.items()):
            found.append(specification_of(other.name, shared))
    return [o for o in found if (o.name, o.parameters) != (specification.name, own)]


def _gather(
    target: Target,
    specification: Specification,
    fit: Fit,
    options: Options,
    guard: Callable[[], AbstractContextManager[Any]],
    progress: Callable[[str], object],
    begun: float,
) -> Evidence:
    """All that is seen of the target, as far as there is time."""
    trial = Trial(target, fit.convention, guard, options.gradient, fit.kept)
    weigher = Weigher(trial, specification, fit.figure if fit.rank == "scale" else 1.0)
    has_room = fit.convention.labels == "multi-hot" and (fit.soft or not specification.extended)
    probes = [
        weigher.probe(probe, "probe")
        for probe in make_probes(specification, has_room, trial.framework.compiles)
    ]
    evidence = Evidence(weigher, fit, tuple(probes))
    if fit.rank in ("unknown", "other"):
        return replace(evidence, scale_of_scores=find_scale_of_scores(weigher))
    if fit.rank == "lists":
        return replace(evidence, probes=(*probes, weigher.probe(unequal_lists(), "probe")))
    if fit.rank == "one row":
        return evidence
    deadline = begun + options.budget
    by_class = also_by_class(target, fit, specification, guard)
    if by_class is not None:
        evidence = replace(
            evidence, by_class=Weigher(replace(trial, convention=by_class, kept={}), specification)
        )
    seen, left = _sweep(evidence, options, has_room, progress, deadline)
    progress("relations")
    related = relations(weigher, specification) if fit.rank != "constant" else ()
    refused = _refused(seen)
    kept = tuple(one for one in seen if one.dtype not in refused)
    evidence = replace(evidence, seen=kept, refused=refused, left=left, relations=tuple(related))
    if fit.rank == "exact" and all(one.right for one in kept) and time.monotonic() < deadline:
        progress("search")
        taken = [d for d in _dtypes(weigher, options) if d not in refused]
        seconds = min(SEARCH_SHARE * options.budget, deadline - time.monotonic())
        evidence = replace(
            evidence,
            searched=search(weigher, specification, has_room, seconds, taken),
        )
    return evidence


def _sweep(
    evidence: Evidence,
    options: Options,
    has_room: bool,
    progress: Callable[[str], object],
    deadline: float,
) -> tuple[list[Observation], int]:
    """The rows of all classes in each dtype of the library; how many there was no time for."""
    fit, weigher = evidence.fit, evidence.weigher
    framework = weigher.trial.framework
    soft = has_room and fit.rank != "hard"
    bounded = fit.convention.input != "logits"
    queues = [
        make_cases(weigher.specification, dtype, soft=soft, bounded=bounded, few=framework.compiles)
        for dtype in _dtypes(weigher, options)
    ]
    cases = [
        case
        for turn in range(max(map(len, queues), default=0))
        for queue in queues
        for case in queue[turn : turn + 1]
        if case.kind not in options.excluding
    ]
    seen: list[Observation] = []
    classes: set[tuple[str, str]] = set()
    left = 0
    for case in cases:
        # no verdict without a row of each class in each dtype, whatever the time
        if time.monotonic() > deadline and (case.kind, case.dtype) in classes:
            left += 1
            continue
        classes.add((case.kind, case.dtype))
        if _unsupported(case, seen) or not weigher.specification.has_value(
            case.scores, case.labels
        ):
            continue
        progress(case.name)
        seen.append(evidence.weigher_of(case.soft).case(case))
    return seen, left


def _dtypes(weigher: Weigher, options: Options) -> list[str]:
    """Those of the library, or of these the chosen ones."""
    own = weigher.trial.framework.dtypes
    return [d for d in own if not options.dtypes or d in options.dtypes]


def _refused(seen: Sequence[Observation]) -> dict[str, str]:
    """The message for each dtype of which every row raised, where others are taken."""
    dtypes = {one.dtype for one in seen}
    raised = {d: [one.error for one in seen if one.dtype == d] for d in dtypes}
    found = {d: errors[0] for d, errors in raised.items() if all(errors)}
    return found if len(found) < len(dtypes) else {}


def _unsupported(case: Case, seen: Sequence[Observation]) -> bool:
    """Whether the first rows of the dtype all raised: it is not taken, and once is enough."""
    own = [one for one in seen if one.dtype == case.dtype]
    return len(own) >= 6 and all(one.error for one in own)
