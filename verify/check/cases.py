r"""The rows that a target is held against, by class: each class is one way to go wrong.

The rows are those of `verify.patterns`; a class is told from the numbers in a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verify.check.specification import Specification
from verify.formats import Format, format_of
from verify.patterns import Pattern, generator, rows

__all__ = ["CLASSES", "USUAL", "Case", "largest_logit", "make_cases"]

CLASSES: Mapping[str, str] = {
    "ordinary": "normal scores of deviation 1 and 10",
    "ties": "equal scores, and scores near 0",
    "small rows": "one label, no positive, or all positive",
    "soft": "labels between 0.05 and 0.95",
    "soft edges": "labels 0, 1e-9, 1/2, 1 - eps and 1",
    "confident": "right, and sure of it: the loss is small",
    "large": "scores near 100, and where exp overflows",
    "huge": "scores of 1e4 to 1e7",
    "wide": "300 labels",
    "mask -1e7": "a score of -1e7 masks its label",
    "mask -1e12": "a score of -1e12 masks its label",
    "mask minimum": "the least number of the dtype masks its label",
    "mask -inf": "a score of -inf masks its label",
}
WIDE = 300
SIZES = (2, 3, 10)
# The length of rows where few lengths are wanted, and how many rows of a class are then enough.
USUAL, ENOUGH = 4, 4
# What a row of the patterns is called there says which class it belongs to.
_PREFIXES = {
    "normal-1-": "ordinary",
    "normal-10-": "ordinary",
    "normal-": "large",
    "all-zero": "ties",
    "all-equal": "ties",
    "tied-maximum": "ties",
    "plus-minus": "large",
    "tied-at": "huge",
    "single-": "small rows",
    "all-": "small rows",
    "loss-": "confident",
    "gap-": "confident",
    "shared-": "large",
    "trained": "confident",
    "negative-above": "large",
    "positive-above": "large",
    "both-sides": "large",
    "near-": "large",
    "ramp-": "large",
    "subnormal": "ties",
    "below-eps": "ties",
    "size-": "huge",
    "mask--1e7": "mask -1e7",
    "mask--1e12": "mask -1e12",
    "mask-minimum": "mask minimum",
    "mask--inf": "mask -inf",
}


@dataclass(frozen=True)
class Case:
    """A row of scores and labels of a dtype, the class it belongs to, and what it is called."""

    kind: str
    name: str
    dtype: str
    scores: tuple[float, ...]
    labels: tuple[float, ...]

    @property
    def soft(self) -> bool:
        """Whether a label lies between 0 and 1."""
        return any(0 < t < 1 for t in self.labels)


def make_cases(
    specification: Specification,
    dtype: str,
    *,
    soft: bool = True,
    bounded: bool = False,
    few: bool = False,
) -> list[Case]:
    """The rows for a specification in a dtype, one of each class in turn.

    soft: with soft labels where the loss takes them.  bounded: only scores that a probability of
    the dtype can stand for.  few: of few lengths, as each costs a compilation.
    """
    form = format_of(dtype)
    patterns = [*rows(form, sizes=(USUAL,) if few else SIZES), *_more(form)]
    if few:
        patterns = [fitted for pattern in patterns if (fitted := _fitted(pattern, form))]
    groups: dict[str, list[Case]] = {name: [] for name in CLASSES}
    for pattern in patterns:
        kind = _kind(pattern.name)
        if kind is None or not _within(pattern, specification, form if bounded else None):
            continue
        for case in _labelled(kind, pattern, form, specification, soft):
            groups[case.kind].append(case)
    chosen = [_few(own) if few else own for own in groups.values() if own]
    return list(_in_turn(chosen))


def _more(form: Format) -> Iterator[Pattern]:
    """A wide row, and ordinary rows for labels at the edges."""
    rng = generator(form, "check-wide")
    scores = form.round(rng.normal(-2, 3, WIDE))
    yield Pattern("wide", scores, rng.random(WIDE) < 0.02, np.zeros(WIDE, dtype=bool))


def _kind(name: str) -> str | None:
    if name == "wide":
        return "wide"
    return next((kind for prefix, kind in _PREFIXES.items() if name.startswith(prefix)), None)


def largest_logit(form: Format) -> float:
    """Of the scores whose sigmoid is told from 1: where 1 - p has two bits left."""
    return float(math.floor(-math.log(4 * form.epsilon)))


def _within(pattern: Pattern, specification: Specification, bounded: Format | None) -> bool:
    """bounded: the format that is to hold the sigmoids of the scores."""
    s = pattern.scores
    if not 0 < len(s) <= specification.longest:
        return False
    kept = np.abs(s[~pattern.masked])
    if len(kept) and kept.max() > specification.largest:
        return False
    if pattern.masked.any() and not specification.masks:
        return False
    return bounded is None or bool(np.abs(s).max() <= largest_logit(bounded))


def _labelled(
    kind: str, pattern: Pattern, form: Format, specification: Specification, soft: bool
) -> Iterator[Case]:
    """The pattern with its own labels, and where the loss takes them with soft ones."""
    hard = pattern.positive.astype(np.float64)
    if specification.one_class:
        at = int(np.argmax(pattern.positive if pattern.positive.any() else ~pattern.masked))
        if pattern.masked[at]:
            return
        hard = np.asarray(np.arange(len(hard)) == at, dtype=np.float64)
    yield _case(kind, pattern, form, hard, "hard")
    if not (soft and specification.soft) or kind not in ("ordinary", "large", "confident"):
        return
    rng = generator(form, f"{pattern.name}/check-soft")
    n = len(hard)
    mild = np.clip(hard + np.where(hard > 0, -1, 1) * rng.uniform(0.05, 0.4, n), 0.05, 0.95)
    special = [0.0, max(1e-9, form.smallest_subnormal), 0.5, 1.0 - form.epsilon / 2, 1.0]
    edges = rng.choice(special, n)
    if specification.one_class:
        mild, edges = mild / mild.sum(), 0.9 * hard + 0.1 * np.full(n, 1 / n)
    if kind == "ordinary":
        yield _case("soft", pattern, form, mild, "soft")
    yield _case("soft edges", pattern, form, edges, "edges")


def _case(kind: str, pattern: Pattern, form: Format, labels: np.ndarray, form_name: str) -> Case:
    rounded = np.minimum(form.round(np.asarray(labels, dtype=np.float64)), 1.0)
    name = f"{form.name}/{pattern.name}/{form_name}"
    return Case(kind, name, form.name, tuple(pattern.scores.tolist()), tuple(rounded.tolist()))


def _fitted(pattern: Pattern, form: Format) -> Pattern | None:
    """A short row as one of the usual length: cut, or its last label again with a score near it."""
    n = len(pattern.scores)
    if n in (1, WIDE):
        return pattern
    if n < 2 or n > 2 * USUAL:
        return None
    places = np.minimum(np.arange(USUAL), n - 1)
    with np.errstate(invalid="ignore"):
        scores = pattern.scores[places] * np.where(np.arange(USUAL) < n, 1, 15 / 16)
    return Pattern(
        pattern.name, form.round(scores), pattern.positive[places], pattern.masked[places]
    )


def _few(own: Sequence[Case]) -> list[Case]:
    """So many of them as are enough, the first, the last, and some between; of small rows all."""
    if own[0].kind == "small rows" or len(own) <= ENOUGH:
        return list(own)
    places = np.linspace(0, len(own) - 1, ENOUGH).round().astype(int)
    return [own[place] for place in places]


def _in_turn(groups: Sequence[Sequence[Case]]) -> Iterator[Case]:
    """One of each group, then the next one of each: a run that is cut off has seen all classes."""
    for place in range(max(map(len, groups), default=0)):
        for group in groups:
            if place < len(group):
                yield group[place]
