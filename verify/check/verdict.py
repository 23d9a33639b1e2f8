r"""From what was seen to one verdict, and to findings that a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verify.check.cases import CLASSES
from verify.check.causes import CAUSES, likely_causes
from verify.check.evidence import Evidence, dtypes_of, is_soft
from verify.check.findings import Finding
from verify.check.fit import NEAR, Fit
from verify.check.observation import Observation
from verify.check.ranges import range_of
from verify.check.relations import CURVATURE, Relation
from verify.check.reproducer import reproducer
from verify.check.result import Result
from verify.check.shrink import shrunk

__all__ = ["conclude", "does_not_run"]


def does_not_run(target: str, against: str, words: str, tried: int = 0) -> Result:
    """The result for what gives no number at all."""
    ways = f" in any of {tried} ways of calling it" if tried > 1 else ""
    empty = Observation("probe", "call", "float64", np.zeros((1, 0)), np.zeros((1, 0)), error=words)
    causes = likely_causes([empty], against)
    finding = _with_cause(
        Finding("call", "call", (), f"it gives no number{ways}: {words}"), causes[:1]
    )
    detail = f"it does not run{ways}: {words}"
    return Result(target, against, "does-not-run", "nothing", (finding,), detail=detail,
                  causes=causes)  # fmt: skip


def conclude(target: str, evidence: Evidence, strict: bool = False) -> Result:
    """The verdict on the evidence."""
    verdict, detail = _verdict(evidence, strict)
    specification = evidence.weigher.specification
    causes = () if verdict == "equal" else _causes(evidence)
    findings = _findings(evidence, verdict, causes, strict)
    way = evidence.fit.convention
    parameters = ", ".join(
        f"{k} = {v:g}" for k, v in specification.parameters.items() if v is not None
    )
    described = way.describe()
    if specification.extended and not evidence.fit.soft:
        described["labels"] += " of 0 and 1"
    if evidence.by_class is not None:
        described["labels"] = "class index, and a distribution"
    assumed = {**described, **({"parameters": parameters} if parameters else {})}
    if not evidence.weigher.trial.has_gradient:
        assumed["gradient"] = f"not checked: {way.framework} has none"
    failing = next((f for f in findings if f.severity == "failure" and len(f.scores)), None)
    return Result(
        target=target,
        against=specification.name,
        verdict=verdict,
        range=range_of(evidence, verdict),
        findings=tuple(findings),
        assumed=assumed,
        reproducer=reproducer(evidence.weigher_of(_soft_finding(failing)).trial, failing)
        if failing
        else "",
        detail=detail,
        nearest=evidence.fit.nearest,
        causes=causes,
        ulps=_ulps(evidence.seen),
        unit=evidence.weigher.unit,
        rows=len(evidence.all_seen),
    )


def _verdict(evidence: Evidence, strict: bool) -> tuple[str, str]:
    """The slug, and one sentence of what it rests on."""
    fit = evidence.fit
    hard = [p for p in evidence.probes if not is_soft(p)]
    slopes_right = all(p.gradient_near(NEAR) for p in hard)
    has_slopes = any(p.gradient is not None for p in hard)
    if fit.rank in ("unknown", "other"):
        return _other_function(evidence, has_slopes)
    if fit.rank == "lists":
        return "limited-range", "right for lists of one length: what fills up a list is counted"
    if fit.rank == "one row":
        return "different", "right for batches of one row only: rows of a batch are mixed"
    if not slopes_right:
        return "gradient-wrong", _prefix(fit) + "the gradient is not that of the loss"
    unstable = [r for r in evidence.broken if r.name in ("determinism", "inputs kept")]
    if unstable:
        return "value-wrong", unstable[0].words
    if fit.rank == "scale":
        return "equal-up-to-scale", f"{fit.figure:.6g} times the loss"
    if fit.rank == "constant":
        return "equal-up-to-constant", "off by what depends on the labels alone, not on the scores"
    if fit.rank == "hard":
        return "hard-labels-only", "right for labels 0 and 1, not for labels between them"
    return _over_the_range(evidence, strict)


def _over_the_range(evidence: Evidence, strict: bool) -> tuple[str, str]:
    judged = [*evidence.probes, *evidence.seen, *evidence.searched]
    value_wrong = [o for o in judged if not o.value_right]
    slope_wrong = [o for o in judged if o.value_right and not o.gradient_right]
    broken = evidence.broken
    edges = all(o.kind in _MASKS_AT_THE_END for o in value_wrong)
    batches_wrong = any(r.seen is not None and not r.seen.value_right for r in broken)
    more_slopes = any(o.kind not in _MASKS_AT_THE_END for o in slope_wrong)
    if batches_wrong or (value_wrong and not (edges and more_slopes)):
        return "limited-range", "right in part of the range only"
    if slope_wrong and not broken and all(o.kind.startswith("mask") for o in slope_wrong):
        return "limited-range", "the gradient is not right where labels are masked"
    if slope_wrong or evidence.broken:
        return "gradient-wrong", "the value is right, the gradient is not everywhere"
    if evidence.only_bent_wrongly:
        return "limited-range", "value and gradient are right, the Hessian-vector product is not"
    if strict and any(o.tiny for o in judged):
        return "limited-range", "digits of small losses are lost"
    return "equal", "value and gradient are right" if evidence.weigher.trial.has_gradient else (
        "the value is right"
    )


# Where a value that is nan says less than a gradient that is wrong elsewhere.
_MASKS_AT_THE_END = ("mask -inf", "mask minimum")


def _other_function(evidence: Evidence, has_slopes: bool) -> tuple[str, str]:
    if evidence.fit.nearest:
        times = "" if evidence.fit.figure == 1 else f"{evidence.fit.figure:.6g} times "
        usual = evidence.fit.nearest == evidence.weigher.specification.name
        words = f"it is {times}{evidence.fit.nearest}" + (
            " with its usual parameters" if usual else ""
        )
        return "different", words
    if evidence.fit.swapped:
        return "different", "it is the loss with scores and labels the other way round"
    if evidence.scale_of_scores is not None:
        c, a = evidence.scale_of_scores
        words = f"the loss at {c:g} times the scores" + ("" if a == 1 else f", times {a:.6g}")
        return "equal-up-to-scale", words
    if has_slopes and all(p.gradient_right for p in evidence.probes):
        return "value-wrong", "the gradient is right, the value is not"
    return "different", "no way of calling it that was tried gives a loss known here"


def _prefix(fit: Fit) -> str:
    return {"scale": f"the value is {fit.figure:.6g} times the loss, ",
            "constant": "the value is right up to a constant, "}.get(fit.rank, "")  # fmt: skip


def _soft_finding(finding: Finding) -> bool:
    return bool(((np.array(finding.labels) > 0) & (np.array(finding.labels) < 1)).any())


def _causes(evidence: Evidence) -> tuple[str, ...]:
    """Those that the numbers show, and before them what a relation shows by itself."""
    own = [r.cause for r in evidence.broken if r.cause in CAUSES]
    own += ["second-derivative"] if evidence.only_bent_wrongly else []
    own += ["swapped-arguments"] if evidence.fit.swapped else []
    own += ["padding-counted"] if evidence.fit.rank == "lists" else []
    specification = evidence.weigher.specification
    shown = likely_causes(evidence.all_seen, specification.name, specification.parameters)
    mixed = ["rows-mixed"] if evidence.fit.rank == "one row" and not shown else []
    return tuple(dict.fromkeys([*own, *shown, *mixed]))


# --- findings -------------------------------------------------------------------------------------


def _findings(
    evidence: Evidence, verdict: str, causes: tuple[str, ...], strict: bool
) -> list[Finding]:
    """One for each class that fails, then the relations, then notes."""
    judged = [*evidence.probes, *evidence.seen, *evidence.searched]
    found: list[Finding] = []
    if verdict == "equal-up-to-constant" or evidence.scale_of_scores is not None:
        judged = [o for o in judged if o.kind != "probe"]
    if evidence.fit.rank == "one row":  # it takes several to see that they are mixed
        judged = [o for o in judged if len(o.scores) > 1 and not is_soft(o)] or judged
    wrong = [
        o for o in judged if not (o.gradient_right if evidence.fit.rank == "constant" else o.right)
    ]
    order = list(evidence.weigher.trial.framework.dtypes)
    places = {kind: place for place, kind in enumerate(("probe", *CLASSES))}
    wrong.sort(key=lambda o: (order.index(o.dtype), places.get(o.kind, len(places))))
    for kind in dict.fromkeys(o.kind for o in wrong):
        own = [o for o in wrong if o.kind == kind]
        found.append(_with_cause(_finding(evidence, own, shrink=len(found) < 4), causes))
    for broken in (r for r in evidence.relations if not r.holds):
        if broken.name == CURVATURE and broken.severity == "failure" and found:
            continue  # as wrong as the gradient that it comes of
        if broken.seen is not None and _follows(broken.seen, found):
            continue  # it is wrong as single rows are: nothing is shared
        found.append(_with_cause(_of_relation(evidence, broken), causes))
    tiny = [o for o in judged if o.tiny and o.right]
    if tiny:
        words = f"small losses lose digits: {_lost(tiny)} (log-sum-exp keeps their absolute size)"
        severity = "failure" if strict else "note"
        shown_tiny = _shown(evidence, _clearest(tiny), "value", dtypes_of(tiny), words)
        found.append(replace(shown_tiny, severity=severity, ulps=None))
    for dtype, words in evidence.refused.items():
        found.append(
            Finding("call", "dtype", (dtype,), f"it takes no {dtype}: {words}", severity="note")
        )
    if evidence.left:
        words = f"{evidence.left} rows were left out: there was no time"
        found.append(Finding("call", "time", (), words, severity="note"))
    return found


def _lost(tiny: Sequence[Observation]) -> str:
    """Below which loss digits are lost, and below which none is left, by dtype."""
    some: dict[str, float] = {}
    none: dict[str, float] = {}
    for dtype in dtypes_of(tiny):
        pairs = [(o.got, o.truth) for o in tiny if o.dtype == dtype and o.got is not None]
        some[dtype] = max(float(truth.max()) for _, truth in pairs)
        gone = [float(x.max()) for got, x in pairs if (np.abs(got - x) >= np.abs(x) / 2).any()]
        none |= {dtype: max(gone)} if gone else {}
    listed = [
        f"{words} {', '.join(f'{loss:.0e} in {dtype}' for dtype, loss in found.items())}"
        for words, found in (("some below", some), ("all below", none))
        if found
    ]
    return "; ".join(listed)


def _follows(seen: Observation, found: Sequence[Finding]) -> bool:
    """Whether a batch is wrong in what ordinary or masked rows are wrong in by themselves."""
    what = "gradient" if seen.value_right else "value"
    rows = [f for f in found if f.kind in ("probe", "ordinary", "mask -1e7")]
    return any(f.what in (what, "call") for f in rows)


def _clearest(tiny: Sequence[Observation]) -> Observation:
    """The one with the largest loss: the nearest to what a user meets."""
    return max(tiny, key=lambda o: float(o.truth.max()))


def _finding(evidence: Evidence, own: Sequence[Observation], shrink: bool) -> Finding:
    """The simplest of the observations of a class: the widest dtype, then the shortest row."""
    order = list(evidence.weigher.trial.framework.dtypes)
    first = min(own, key=lambda o: (order.index(o.dtype), o.scores.size, o.name))
    if shrink and first.kind != "probe":
        first = shrunk(evidence.weigher_of(is_soft(first)), first)
    what = "gradient" if first.value_right else "value"
    if first.error or (what == "gradient" and first.gradient_error):
        words = f"it raises {first.error or first.gradient_error}"
        return _shown(evidence, first, "call", dtypes_of(own), words)
    return _shown(evidence, first, what, dtypes_of(own), _in_words(first, what))


def _in_words(seen: Observation, what: str) -> str:
    got = seen.got if what == "value" else seen.gradient
    assert got is not None
    if np.isnan(got).any():
        return f"the {what} is nan"
    if np.isinf(got).any():
        return f"the {what} is infinite"
    if what == "value" and (got < 0).any() and (seen.truth >= 0).all():
        return "the value is negative"
    return f"the {what} is wrong"


def _shown(
    evidence: Evidence, seen: Observation, what: str, dtypes: tuple[str, ...], words: str
) -> Finding:
    """A finding with the numbers of the observation, at the worst place."""
    got, truth = seen.got, seen.truth
    ulps = seen.ulps
    if what == "gradient" and seen.gradient_truth is not None:
        got, truth, ulps = seen.gradient, seen.gradient_truth, seen.gradient_ulps
    # as many as tell the two apart
    digits = 17 if _numbers(got) == _numbers(truth) else 9
    return Finding(
        what=what,
        kind=seen.kind,
        dtypes=dtypes,
        words=words,
        scores=_rows(seen.scores),
        labels=_rows(seen.labels),
        got=_numbers(got, digits),
        expected=_numbers(truth, digits),
        ulps=ulps if what != "call" else None,
        claim=f"{evidence.weigher.specification.name}.{'value' if what == 'call' else what}",
    )


def _of_relation(evidence: Evidence, broken: Relation) -> Finding:
    return Finding(
        what="relation",
        kind=broken.name,
        dtypes=(evidence.fit.convention.widest,),
        words=broken.words,
        scores=_rows(broken.scores) if broken.scores is not None else (),
        labels=_rows(broken.labels) if broken.labels is not None else (),
        got="" if broken.got is None else f"{broken.got:.9g}",
        expected="" if broken.expected is None else f"{broken.expected:.9g}",
        cause=broken.cause,
        severity=broken.severity,
    )


def _with_cause(finding: Finding, causes: Sequence[str]) -> Finding:
    """With the likeliest cause in words."""
    name = finding.cause or (causes[0] if causes else "")
    if name not in CAUSES or finding.severity == "note":
        return replace(finding, cause="")
    return replace(finding, cause=name, why=CAUSES[name].why, cure=CAUSES[name].cure)


def _rows(array: np.ndarray) -> list[object]:
    return array[0].tolist() if len(array) == 1 else array.tolist()


def _numbers(array: np.ndarray | None, digits: int = 9) -> str:
    if array is None or not array.size:
        return "no number"
    flat = array.ravel().tolist()
    shown = ", ".join(f"{x:.{digits}g}" for x in flat[:8]) + (", ..." if len(flat) > 8 else "")
    return shown if len(flat) == 1 else f"({shown})"


def _ulps(seen: Sequence[Observation]) -> Mapping[str, float]:
    """The largest error of the value by dtype, over the rows that are right."""
    return {
        dtype: round(max(o.ulps for o in seen if o.dtype == dtype and o.value_right), 2)
        for dtype in dtypes_of([o for o in seen if o.value_right])
    }
