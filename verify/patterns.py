r"""Rows of scores on which formulas for these losses are known to break.

A pattern is a row of scores of one format, which of its labels are positive, and which are masked.
Each family below is one way to go wrong: ties, sizes 0 and 1, losses at the bottom of the format,
a model that has learnt its data, one score far from the rest, the edges of the range of exp,
subnormal and huge scores, masks, and ordinary normal scores.

Each row has a random generator of its own, seeded by its name, so that adding one changes no other.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verify.formats import Format, Vector

__all__ = ["MASK_CONSTANT", "SEED", "Generator", "Mask", "Pattern"]
__all__ += ["generator", "long_row", "rows"]

SEED = 7359  # the number of the document that introduces ZLPR
# The largest mask constant in use (document 9064, s12); at or below it a negative is masked.
MASK_CONSTANT = -1e7

Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Generator = np.random.Generator


@dataclass(frozen=True, eq=False)
class Pattern:
    """Scores, and which labels are positive; `masked` ones are negatives that count as absent."""

    name: str
    scores: Vector
    positive: Mask
    masked: Mask


def _pattern(
    name: str, scores: Sequence[float] | Vector, positive: Sequence[int] | Mask, form: Format
) -> Pattern:
    """Scores are put on the grid; masked is what stands at or below -1e7 or the minimum."""
    values = form.round(np.asarray(scores, dtype=np.float64))
    chosen = np.zeros(len(values), dtype=bool)
    chosen[positive] = True
    masked = ~chosen & (values <= max(MASK_CONSTANT, -form.max))
    return Pattern(name, values, chosen, masked)


def _random_rows(form: Format, *, sizes: Sequence[int]) -> Iterator[Pattern]:
    """Normal scores of several scales, positives at random: the ordinary case."""
    for scale in (1, 10, 40, 100):
        for n in sizes:
            name = f"normal-{scale}-n{n}"
            rng = generator(form, name)
            yield _pattern(name, rng.normal(0, scale, n), rng.random(n) < 0.3, form)


def _ties(form: Format) -> Iterator[Pattern]:
    """Equal scores: within one side, across the sides, at the maximum."""
    yield _pattern("all-zero", [0.0] * 5, [1, 3], form)
    yield _pattern("all-equal", [1.5] * 4, [0], form)
    yield _pattern("tied-maximum", [7.0, 7.0, -3.0, 7.0, -3.0], [0], form)
    yield _pattern("plus-minus-100", [100.0, -100.0] * 3, [0, 1, 5], form)
    yield _pattern("tied-at-1e4", [1e4, 1e4, -1e4, -1e4], [0, 2], form)


def _kinks(form: Format) -> Iterator[Pattern]:
    """Differences of scores that are exactly 0 or 1, and one unit in the last place beside them."""
    step = form.epsilon
    yield _pattern("steps-of-one", [1.0, 0.0, 2.0, 1.0 - step, 1.0 + step], [0], form)
    yield _pattern("behind-by-one", [3.0, 2.0, 2.0, 2.0 - step, -1.0], [0], form)
    yield _pattern("two-ahead", [0.5, 0.75, 0.75, -4.0], [0], form)
    yield _pattern("level", [2.0, 2.0 + 2.0 * step, 2.0 - step], [1], form)


def _sizes(form: Format) -> Iterator[Pattern]:
    """No label, one label, no negative, no positive."""
    yield _pattern("empty", [], [], form)
    for s in (-40.0, -0.5, 0.0, 3.0, 40.0):
        yield _pattern(f"single-positive-at-{s:g}", [s], [0], form)
        yield _pattern(f"single-negative-at-{s:g}", [s], [], form)
    rng = generator(form, "one-sided")
    scores = rng.normal(0, 5, 7)
    yield _pattern("all-positive", scores, range(7), form)
    yield _pattern("all-negative", scores, [], form)


def _tiny_losses(form: Format) -> Iterator[Pattern]:
    """Losses near the bottom of the format: e^{-a}, or e^{-2a} where only differences count."""
    smallest = -math.log(form.smallest_normal)
    subnormal = smallest + form.bits / 2 * math.log(2)
    depths = {
        "small": min(smallest - 3.0, 300 * math.log(10)),  # 1e-300 in float64
        "subnormal": subnormal,
        "below-range": smallest + (form.bits + 6) * math.log(2),
    }
    for name, depth in depths.items():
        for share in (1.0, 0.5):
            a = depth * share
            yield _pattern(f"loss-{name}-{share:g}", [a, -a, -a - 0.25, -a - 1.5], [0], form)
    yield _pattern("gap-40", [40.0, 0.0], [0], form)
    yield _pattern("gap-40-wrong", [40.0, 0.0], [1], form)
    yield _pattern("gap-20-each", [20.0, -20.0, -20.0], [0], form)
    yield _pattern("shared-maximum-trap", [110.0, -3.0, -2.0], [1], form)


def _trained(form: Format) -> Iterator[Pattern]:
    """A model that has learnt its data: positives from 20 up, negatives from -20 down."""
    for n in (6, 60):
        rng = generator(form, f"trained-{n}")
        positive = np.arange(n) < max(1, n // 10)
        size = 20 + rng.exponential(3.0, n)
        yield _pattern(f"trained-n{n}", np.where(positive, size, -size), positive, form)


def _dominated(form: Format) -> Iterator[Pattern]:
    """One score far from all others, on either side, right or wrong: 1 - p is lost here."""
    rng = generator(form, "dominated")
    rest = rng.normal(0, 1, 7)
    for height in (12.0, 37.0, 80.0, 300.0):
        yield _pattern(f"negative-above-by-{height:g}", [height, *rest], [2, 5], form)
        yield _pattern(f"positive-above-by-{height:g}", [height, *rest], [0], form)
        yield _pattern(f"positive-below-by-{height:g}", [-height, *rest], [0, 3], form)
        yield _pattern(f"both-sides-by-{height:g}", [height, -height, *rest], [1, 4], form)


def _exponent_range(form: Format) -> Iterator[Pattern]:
    """Scores at which exp begins to overflow or to underflow, and rows that span the range."""
    edge = math.log(form.max)
    for sign, side in ((1.0, "over"), (-1.0, "under")):
        rng = generator(form, f"near-{side}flow")
        scores = sign * edge * rng.uniform(0.68, 1.25, 12)
        yield _pattern(f"near-{side}flow", scores, [1, 4, 7], form)
        yield _pattern(f"near-{side}flow-mixed", scores * np.resize([1, -1], 12), [0, 5], form)
    ramp = np.linspace(-2.2 * edge, 0.0, 16)
    yield _pattern("ramp-down", ramp, [15], form)
    yield _pattern("ramp-up", -ramp, [0, 3], form)
    yield _pattern("ramp-both", [*np.linspace(-2 * edge, 2 * edge, 17)], [0, 8, 16], form)


def _extreme_scores(form: Format) -> Iterator[Pattern]:
    """Subnormal scores, signed zeros, and magnitudes from 1e4 to the largest that fit."""
    least = form.smallest_subnormal
    yield _pattern("subnormal", [least, -least, 3 * least, 0.0, -0.0], [0, 3], form)
    yield _pattern("below-epsilon", [form.epsilon / 4, -form.epsilon / 4, 1.0], [1], form)
    for size in (1e4, 1e7, 1e12, 1e30):
        if 4 * size < form.max:
            name = f"size-{size:g}"
            yield _pattern(f"{name}-right", [size, -size / 2, -0.75 * size, 1.0], [0], form)
            yield _pattern(f"{name}-wrong", [size, 0.5 * size, -1.0, 2.0], [2], form)
            yield _pattern(f"{name}-close", [size, size * (1 - 2 * form.epsilon), 0.5], [1], form)


def _overflowing_losses(form: Format) -> Iterator[Pattern]:
    """Losses that may exceed the format, whose true value is then +-inf; and scores that nearly do.

    A positive at or below -1e7 would count as masked, so only float16 has room for the second row.
    """
    big = 0.75 * form.max
    yield _pattern("sum-overflows", [big, 0.9 * big, 1.0], [2], form)
    yield _pattern("sum-overflows-masked", [big, 0.9 * big, 1.0, -form.max], [2], form)
    if big < 1e7:
        yield _pattern("difference-overflows", [big, -big, 0.0], [1], form)


def _masks(form: Format) -> Iterator[Pattern]:
    """Negatives that are masked out, by every constant in use."""
    constants = {"-inf": -math.inf, "-1e7": -1e7, "-1e12": -1e12, "minimum": -form.max}
    for name, m in constants.items():
        if m == -math.inf or m >= -form.max:
            yield _pattern(f"mask-{name}", [2.0, m, -1.5, m, 0.25, m], [0, 4], form)
            yield _pattern(f"mask-{name}-tiny", [20.0, -20.0, -20.0, m], [0], form)
            yield _pattern(f"mask-{name}-all-negatives", [m, 3.0, m, m], [1], form)
            yield _pattern(f"mask-{name}-no-positive", [m, 1.0, -2.0], [], form)
    mixed = [m for m in constants.values() if m == -math.inf or m >= -form.max]
    yield _pattern("mask-mixed", [*mixed, 1.0, -1.0, 30.0], [len(mixed)], form)


def rows(form: Format, *, sizes: Sequence[int]) -> Iterator[Pattern]:
    """Every short pattern, and normal rows of the sizes given."""
    for family in (_ties, _kinks, _sizes, _tiny_losses, _trained, _dominated):
        yield from family(form)
    for family in (_exponent_range, _extreme_scores, _overflowing_losses, _masks):
        yield from family(form)
    yield from _random_rows(form, sizes=sizes)


def long_row(form: Format, n: int, positives: int | None = None) -> Pattern:
    """n normal scores of standard deviation 10; so many positive, or one label in a thousand."""
    name = f"long-n{n}" if positives is None else f"long-n{n}-k{positives}"
    rng = generator(form, name)
    scores = rng.normal(0, 10, n)
    if positives is None:
        return _pattern(name, scores, rng.random(n) < 1e-3, form)
    return _pattern(name, scores, rng.choice(n, positives, replace=False).tolist(), form)


def generator(form: Format, name: str) -> Generator:
    """The random generator of one row: its stream depends on format and name alone."""
    return np.random.default_rng([SEED, zlib.crc32(f"{form.name}/{name}".encode())])
