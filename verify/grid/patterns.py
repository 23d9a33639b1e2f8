r"""Grids of scores on which formulas for the losses of n samples x m classes are known to break.

A pattern is an array of scores (n, m), the class that each sample belongs to, and which entries
are masked.  A sample of class `NO_CLASS` is masked as a whole: its labels are 0.  The families are
those of rows (`verify.patterns`), and beside them what only a grid has: a sample that outweighs all
others in the sum inside the log, samples of very different depth, classes without samples, classes
that are masked in some samples or in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verify.formats import Format, Vector
from verify.patterns import MASK_CONSTANT, Mask, generator

__all__ = ["NO_CLASS", "GridPattern", "grids", "long_grid", "mask_threshold"]

NO_CLASS = -1
# Sizes (n, m) of the ordinary grids: one sample, two classes, more classes than samples and fewer.
QUICK_SIZES = ((1, 2), (2, 3), (7, 2), (5, 4), (3, 11), (40, 5))


@dataclass(frozen=True, eq=False)
class GridPattern:
    """Scores (n, m), the class of each sample (n,), and the masked entries (n, m)."""

    name: str
    scores: Vector
    classes: Sequence[int]
    masked: Mask


def mask_threshold(form: Format) -> float:
    """At or below it a score is a mask: -1e7, or the least number of a format that ends above."""
    return max(MASK_CONSTANT, -form.max)


def _pattern(
    name: str, scores: Sequence[Sequence[float]] | Vector, classes: Sequence[int], form: Format
) -> GridPattern:
    """Scores are rounded to the format; a class that a sample belongs to is never masked."""
    values = form.round(np.asarray(scores, dtype=np.float64))
    return GridPattern(name, values, tuple(classes), values <= mask_threshold(form))


def _ties(form: Format) -> Iterator[GridPattern]:
    """Equal scores: of all, of samples, at the maximum on the right and on the wrong class."""
    yield _pattern("all-zero", np.zeros((4, 3)), [0, 1, 2, 1], form)
    yield _pattern("all-equal", np.full((3, 2), 1.5), [0, 1, 1], form)
    yield _pattern("equal-samples", [[1.0, -2.0, 0.5]] * 3, [0, 0, 2], form)
    yield _pattern("tied-maximum", [[7.0, 7.0, -3.0], [-3.0, 7.0, 7.0]], [0, 0], form)
    yield _pattern("plus-minus-100", [[100.0, -100.0], [-100.0, 100.0]] * 2, [0, 0, 1, 1], form)
    yield _pattern("tied-at-1e4", [[1e4, 1e4, -1e4], [-1e4, -1e4, 1e4]], [0, 2], form)


def _sizes(form: Format) -> Iterator[GridPattern]:
    """No sample, one sample, one class, two; classes without samples; all samples of one class."""
    yield _pattern("no-sample", np.zeros((0, 3)), [], form)
    yield _pattern("one-class", [[3.0], [-40.0], [0.0]], [0, 0, 0], form)
    rng = generator(form, "grid-sizes")
    for gap in (-40.0, -0.5, 3.0, 40.0):
        yield _pattern(f"one-sample-ahead-by-{gap:g}", [[gap, 0.0, -1.0]], [0], form)
    scores = rng.normal(0, 4, (6, 4))
    yield _pattern("a-class-without-samples", scores, [0, 1, 1, 3, 0, 3], form)
    yield _pattern("all-of-one-class", scores, [2] * 6, form)
    yield _pattern("each-class-twice", rng.normal(0, 2, (6, 3)), [0, 1, 2] * 2, form)


def _tiny_losses(form: Format) -> Iterator[GridPattern]:
    """Every sample right: losses near the bottom of the format, together or one above the rest."""
    smallest = -math.log(form.smallest_normal)
    depths = {
        "small": min(smallest - 3.0, 300 * math.log(10)),  # 1e-300 in float64
        "subnormal": smallest + form.bits / 2 * math.log(2),
        "below-range": smallest + (form.bits + 6) * math.log(2),
    }
    for name, a in depths.items():
        scores = [[a, 0.0, -0.5], [-1.25, a - 1.0, 0.25], [0.0, 0.25, a + 1.0]]
        yield _pattern(f"loss-{name}", scores, [0, 1, 2], form)
        # The mean of two scores is half as far from the larger one.
        yield _pattern(f"loss-{name}-centered", [[2 * a, 0.0], [0.25, 2 * a]], [0, 1], form)
        apart = [[a, 0.0, -0.5], [-1.25, 0.5 * a, 0.25], [0.0, 0.25, 2 * a]]
        yield _pattern(f"loss-{name}-of-one-sample", apart, [0, 0, 0], form)
    yield _pattern("gap-40", [[40.0, 0.0], [0.0, 40.0]], [0, 1], form)
    yield _pattern("gap-40-wrong", [[40.0, 0.0], [0.0, 40.0]], [1, 0], form)


def _trained(form: Format) -> Iterator[GridPattern]:
    """A model that has learnt its data: the class of each sample 20 or more above the others."""
    for n, m in ((5, 3), (30, 4)):
        rng = generator(form, f"grid-trained-{n}")
        classes = rng.integers(0, m, n)
        scores = rng.normal(0, 1, (n, m))
        scores[np.arange(n), classes] += 20 + rng.exponential(3.0, n)
        yield _pattern(f"trained-n{n}-m{m}", scores, classes.tolist(), form)


def _dominated(form: Format) -> Iterator[GridPattern]:
    """One sample far more wrong, or one class far above: all else is lost in the sum beside it."""
    rng = generator(form, "grid-dominated")
    rest = rng.normal(0, 1, (4, 3))
    for height in (12.0, 37.0, 80.0, 300.0):
        first = np.concatenate([[[height, 0.0, -1.0]], rest])
        yield _pattern(f"wrong-by-{height:g}", first, [1, 0, 1, 2, 2], form)
        yield _pattern(f"right-by-{height:g}", first, [0, 0, 1, 2, 2], form)
        yield _pattern(f"below-by-{height:g}", first * [[-1], [1], [1], [1], [1]], [0] * 5, form)
        column = rest + np.asarray([height, 0.0, 0.0])
        yield _pattern(f"class-above-by-{height:g}", column, [0, 1, 2, 0], form)


def _exponent_range(form: Format) -> Iterator[GridPattern]:
    """Scores at which exp, or that of a difference, begins to overflow or to underflow."""
    edge = math.log(form.max)
    rng = generator(form, "grid-range")
    for sign, name in ((1.0, "over"), (-1.0, "under")):
        scores = sign * edge * rng.uniform(0.68, 1.25, (4, 3))
        yield _pattern(f"near-{name}flow", scores, [0, 1, 2, 2], form)
    alternating = edge * rng.uniform(0.3, 0.7, (4, 3)) * np.resize([1, -1], (4, 3))
    yield _pattern("differences-near-the-edge", alternating, [0, 1, 2, 0], form)
    ramp = np.linspace(-2.2 * edge, 2.2 * edge, 9)
    ramps = np.stack([ramp, ramp[::-1], np.roll(ramp, 4)])
    yield _pattern("ramp", ramps, [8, 8, 2], form)


def _extreme_scores(form: Format) -> Iterator[GridPattern]:
    """Subnormal scores, signed zeros, and magnitudes from 1e4 to the largest that fit."""
    least = form.smallest_subnormal
    yield _pattern("subnormal", [[least, -least, 3 * least], [0.0, -0.0, least]], [0, 2], form)
    close = [[form.epsilon / 4, -form.epsilon / 4], [1.0, 1.0 + form.epsilon]]
    yield _pattern("below-epsilon", close, [1, 0], form)
    for size in (1e4, 1e12, 1e30):
        if 4 * size < form.max:
            near = size * (1 - 2 * form.epsilon)
            right = [[size, -1e4, 1.0], [0.5, size, -2.0]]
            yield _pattern(f"size-{size:g}-right", right, [0, 1], form)
            wrong = [[size, 0.5 * size, -1.0], [1.0, 0.25 * size, 0.5]]
            yield _pattern(f"size-{size:g}-wrong", wrong, [2, 0], form)
            yield _pattern(
                f"size-{size:g}-close", [[size, near, 0.5], [near, size, near]], [1, 0], form
            )


def _overflowing_losses(form: Format) -> Iterator[GridPattern]:
    """Losses that may exceed the format, whose true value is then inf.

    Each score is below half of the largest number, so that differences are numbers.
    """
    big = 0.45 * form.max
    wrong = [[big, 1.0, 0.5], [1.0, 0.9 * big, 0.0], [0.5, 0.0, 0.8 * big]]
    yield _pattern("sum-overflows", wrong, [1, 2, 0], form)
    if form.max < -MASK_CONSTANT:
        far = 0.75 * form.max
        yield _pattern("difference-overflows", [[far, -far], [0.0, 1.0]], [1, 0], form)


def _masks(form: Format) -> Iterator[GridPattern]:
    """Classes that are masked by every constant in use, samples without labels, both."""
    constants = {"-inf": -math.inf, "-1e7": -1e7, "-1e12": -1e12, "minimum": -form.max}
    allowed = {name: m for name, m in constants.items() if m == -math.inf or m >= -form.max}
    for name, m in allowed.items():
        some = [[2.0, m, -1.5, 0.25], [m, 1.0, m, 0.5], [0.0, -3.0, 4.0, m]]
        yield _pattern(f"mask-{name}", some, [0, 1, 2], form)
        lone = [[m, 3.0, m], [1.0, m, -1.0], [m, m, 0.5]]
        yield _pattern(f"mask-{name}-all-others", lone, [1, 2, 2], form)
        column = [[20.0, -20.0, m], [-20.0, 20.0, m], [-1.0, 0.0, m]]
        yield _pattern(f"mask-{name}-of-a-class", column, [0, 1, 1], form)
        whole = [[1.0, -2.0, 0.5], [m, m, m], [3.0, 300.0, -4.0]]
        yield _pattern(f"mask-{name}-of-a-sample", whole, [2, NO_CLASS, 0], form)
    mixed = [[*allowed.values(), 1.0, -1.0], [0.5, *allowed.values(), 30.0]]
    yield _pattern("mask-mixed", mixed, [len(allowed), 0], form)
    unlabelled = [[100.0, 0.0, -3.0], [1.0, 2.0, 3.0], [-1e4, 1e4, 0.0]]
    yield _pattern("samples-without-labels", unlabelled, [NO_CLASS, 0, NO_CLASS], form)
    yield _pattern("no-labels-at-all", [[1.0, 2.0], [-3.0, 0.5]], [NO_CLASS] * 2, form)


def _random_grids(form: Format, sizes: Sequence[tuple[int, int]]) -> Iterator[GridPattern]:
    """Normal scores of several scales, classes at random: the ordinary case."""
    for scale in (1, 10, 40, 100):
        for n, m in sizes:
            name = f"normal-{scale}-n{n}-m{m}"
            rng = generator(form, f"grid-{name}")
            scores = rng.normal(0, scale, (n, m))
            yield _pattern(name, scores, rng.integers(0, m, n).tolist(), form)


def grids(form: Format, *, sizes: Sequence[tuple[int, int]] = QUICK_SIZES) -> Iterator[GridPattern]:
    """Every short pattern, and normal grids of the sizes given."""
    for family in (_ties, _sizes, _tiny_losses, _trained, _dominated):
        yield from family(form)
    for family in (_exponent_range, _extreme_scores, _overflowing_losses, _masks):
        yield from family(form)
    yield from _random_grids(form, sizes)


def long_grid(form: Format, n: int, m: int) -> GridPattern:
    """n samples of m classes of unequal frequency, normal scores of standard deviation 8."""
    name = f"long-n{n}-m{m}"
    rng = generator(form, f"grid-{name}")
    frequency = 0.5 ** np.arange(min(m, 12))
    classes = rng.choice(len(frequency), n, p=frequency / frequency.sum())
    return _pattern(name, rng.normal(0, 8, (n, m)), classes.tolist(), form)
