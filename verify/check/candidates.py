"""The ways of calling a target that its signature admits, the likeliest first.

Names that are clear bind: with `y_true` and `y_pred` in the signature only one order is tried,
`logits` are no probabilities, and `s_p` and `s_n` are the scores of either side.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from verify.check.convention import INPUTS, LABEL_FORMS, LAYOUTS, SIDES, Convention
from verify.check.libraries import framework_named, frameworks_for
from verify.check.specification import Specification
from verify.check.target import Target

__all__ = ["candidates"]

_SCORES = ("logit", "score", "y_pred", "pred", "input", "output", "y_hat", "yhat", "sim", "prob")
_LABELS = ("y_true", "target", "label", "true", "gt", "truth", "multi_hot", "onehot", "one_hot")
_SIDE_NAMES = {
    "positive": {"p", "sp", "ap", "pos", "positive", "positives"},
    "negative": {"n", "sn", "an", "neg", "negative", "negatives"},
}
_SHORT_SCORES, _SHORT_LABELS = ("s", "x", "z", "p", "f", "o"), ("t", "y")


def candidates(
    target: Target,
    specification: Specification,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Iterator[Convention]:
    """All of them; what is in `given` (fields of `Convention`) is as it says."""
    names = [given["framework"]] if "framework" in given else None
    frameworks = [framework_named(n) for n in names] if names else frameworks_for(target)
    taken = {name: value for name, value in options.items() if _takes(target, name)}
    sides = _sides(target, taken)
    parted = given.get("labels", SIDES) == SIDES and bool(sides)
    orders = _given_orders(given) or (sides if parted else _orders(target, taken))
    forms = (SIDES,) if parted else _label_forms(specification)
    for framework in frameworks:
        for layout in _choices(given, "layout", _layouts(framework.name)):
            for labels in _choices(given, "labels", forms):
                if labels == SIDES and layout not in ("rows", "row"):
                    continue
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
                            widest=given.get("widest", "float64"),
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


Orders = list[tuple[bool, tuple[str, str] | None]]


def _given_orders(given: Mapping[str, Any]) -> Orders:
    """(scores first, names) as they are given; none if they are not."""
    if "names" in given:
        return [(True, tuple(given["names"]))]
    return [(bool(given["scores_first"]), None)] if "scores_first" in given else []


def _orders(target: Target, taken: Mapping[str, Any]) -> Orders:
    """(scores first, names) as the signature has them, or both orders where it does not say."""
    places = _places(target, taken)
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


def _sides(target: Target, taken: Mapping[str, Any]) -> Orders:
    """The order of two sides where the first two names say so: `s_p, s_n` or `neg, pos`."""
    first, *rest = [*_places(target, taken)[:2], ""]
    kinds = [_side(name) for name in (first, rest[0])]
    return [(kinds[0] == "positive", None)] if set(kinds) == {"positive", "negative"} else []


def _side(name: str) -> str:
    parts = set(re.split("_", name.lower()))
    return next((kind for kind, known in _SIDE_NAMES.items() if len(parts & known) == 1), "")


def _places(target: Target, taken: Mapping[str, Any]) -> list[str]:
    """The parameters that may be given by position."""
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in target.parameters if p.kind in plain and p.name not in taken]


def _is(name: str, parts: Sequence[str], short: Sequence[str]) -> bool:
    lower = name.lower()
    if lower in short:
        return True
    other = _LABELS if parts is _SCORES else _SCORES
    return any(part in lower for part in parts) and not any(lower.startswith(o) for o in other)
