r"""Derivatives of a loss from its definition alone, twice.

`by_differences` (mpmath) knows the definition only as a black box f.  With h = 2^(-P/6) at P bits,

    df/ds_i   ~ [f(s + h e_i) - f(s - h e_i)] / 2h,
    (H v)_i   ~ [f(s + h e_i + h v) - f(s + h e_i - h v)
                 - f(s - h e_i + h v) + f(s - h e_i - h v)] / 4h^2,

whose error is O(h^2), and P is doubled until two successive answers agree to 2^-80.

`by_series` (Arb) runs the definition over power series: f(s + x u) has the coefficients f,
u.grad f and u^T H u / 2 =: q(u), and polarisation gives e_i^T H v = q(e_i + v) - q(e_i) - q(v).
Its numbers are balls that contain the truth; the precision is doubled until they are small.

Neither sees a formula for a gradient.  Both cost O(n) evaluations, so they serve small rows, where
they judge the closed formulas of `verify.oracle.closed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mpmath
from flint import arb, arb_series, ctx

from verify.oracle.definitions import DEFINITIONS, Arithmetic
from verify.oracle.row import Row, parameters_of, read_row

__all__ = ["AGREEMENT_BITS", "MAX_BITS", "NEGLIGIBLE_EXPONENT", "Derivatives"]
__all__ += ["by_differences", "by_series", "differences_of", "series_of"]

# 80 bits beyond the point are 27 more than float64 has: an error of 2^-27 ulp is not seen.
AGREEMENT_BITS = 80
# 2^-1074 is the smallest float64; 20 bits below it, a magnitude counts as 0.
NEGLIGIBLE_EXPONENT = -1094
# float64 exponents span 2^11, so sums of such numbers need some 2^12 bits; two doublings to spare.
MAX_BITS = 1 << 14
FIRST_BITS = 256

Evaluate = Callable[[int], list[Any]]
BlackBox = Callable[[Arithmetic], Callable[[list[Any]], Any]]
"""A loss as a function of its scores alone, for the kind of number that it is asked for."""


@dataclass(frozen=True)
class Derivatives:
    """Value, gradient (n) and Hessian-vector product (n, or empty).

    From `by_series` the balls enclose the truth; from `by_differences` they are single points.
    """

    value: arb
    gradient: list[arb]
    hvp: list[arb]


def by_differences(
    loss: str,
    scores: Sequence[float],
    labels: Sequence[float],
    vector: Sequence[float] | None = None,
    **parameters: float,
) -> Derivatives:
    """Value, gradient and hvp by difference quotients in mpmath; finite values only."""
    row = _finite_row(loss, scores, labels, vector)
    numbers = differences_of(_black_box(loss, row, parameters), row.scores, row.vector)
    return _scatter(numbers, row)


def by_series(
    loss: str,
    scores: Sequence[float],
    labels: Sequence[float],
    vector: Sequence[float] | None = None,
    **parameters: float,
) -> Derivatives:
    """Value, gradient and hvp as balls, by power series over Arb; finite values only."""
    row = _finite_row(loss, scores, labels, vector)
    numbers = series_of(_black_box(loss, row, parameters), row.scores, row.vector)
    return _scatter(numbers, row)


def _black_box(loss: str, row: Row, given: Mapping[str, float]) -> BlackBox:
    filled = parameters_of(loss, given)
    return lambda arithmetic: partial(
        DEFINITIONS[loss], labels=row.labels, arithmetic=arithmetic, **filled
    )


def differences_of(
    box: BlackBox, scores: Sequence[float], vector: Sequence[float] | None
) -> list[arb]:
    """[f, df/ds_1, ..., (H v)_1, ...] of f = box(arithmetic), by difference quotients."""
    evaluate = partial(_differences, box, scores, vector)
    return [_exact_ball(x) for x in _double_until(evaluate, _successive_agree)]


def series_of(box: BlackBox, scores: Sequence[float], vector: Sequence[float] | None) -> list[arb]:
    """[f, df/ds_1, ..., (H v)_1, ...] of f = box(arithmetic), by power series over balls."""
    return _double_until(partial(_series, box, scores, vector), _balls_are_small)


def _finite_row(
    loss: str,
    scores: Sequence[float],
    labels: Sequence[float],
    vector: Sequence[float] | None,
) -> Row:
    row = read_row(loss, scores, labels, vector)
    if row.infinite:
        raise ValueError(f"{loss} is +inf here: a score of -inf carries a positive label")
    return row


def _exact_ball(x: Any) -> arb:
    """The mpf as a ball of radius 0; the mantissa of an mpf is stored without its sign."""
    mantissa, exponent = x.man_exp
    return arb((int(mantissa) if x > 0 else -int(mantissa), exponent))


def _scatter(numbers: list[arb], row: Row) -> Derivatives:
    """Put the numbers of the kept labels back at their places, 0 elsewhere."""
    count = len(row.kept)
    gradient = [arb(0)] * row.size
    hvp = [arb(0)] * (0 if row.vector is None else row.size)
    for place, i in enumerate(row.kept):
        gradient[i] = numbers[1 + place]
        if row.vector is not None:
            hvp[i] = numbers[1 + count + place]
    return Derivatives(numbers[0], gradient, hvp)


def _double_until(
    evaluate: Evaluate, settled: Callable[[list[Any], list[Any] | None], bool]
) -> list[Any]:
    bits, before = FIRST_BITS, None
    while bits <= MAX_BITS:
        now = evaluate(bits)
        if settled(now, before):
            return now
        bits, before = 2 * bits, now
    raise ArithmeticError(f"the oracle did not settle at {MAX_BITS} bits")


def _successive_agree(now: list[Any], before: list[Any] | None) -> bool:
    if before is None:
        return False
    with mpmath.workprec(2 * AGREEMENT_BITS):
        negligible = mpmath.ldexp(1, NEGLIGIBLE_EXPONENT)
        return all(
            abs(a - b) <= mpmath.ldexp(max(abs(a), negligible), -AGREEMENT_BITS)
            for a, b in zip(now, before, strict=True)
        )


def _balls_are_small(now: list[Any], _: list[Any] | None) -> bool:
    negligible = arb((1, NEGLIGIBLE_EXPONENT))
    return all(x.rel_accuracy_bits() >= AGREEMENT_BITS or abs(x) < negligible for x in now)


def _differences(
    box: BlackBox, scores: Sequence[float], vector: Sequence[float] | None, bits: int
) -> list[Any]:
    """[value, gradient..., hvp...] with step 2^(-bits/6): truncation error 2^(-bits/3)."""
    with mpmath.workprec(bits):
        step = mpmath.ldexp(1, -(bits // 6))
        centre = [mpmath.mpf(s) for s in scores]
        units = _units(len(centre), mpmath.mpf)
        f = partial(_at, box(Arithmetic(mpmath.mpf, mpmath.exp, mpmath.log, _is_positive)), centre)
        numbers = [f()]
        numbers += [(f((step, e)) - f((-step, e))) / (2 * step) for e in units]
        if vector is not None:
            # The product is linear in v: a vector of largest entry 1 keeps the step small.
            size = mpmath.mpf(max((abs(v) for v in vector), default=0.0)) or mpmath.mpf(1)
            v = [mpmath.mpf(x) / size for x in vector]
            numbers += [size * _mixed(f, step, e, v) for e in units]
        return numbers


def _mixed(f: Callable[..., Any], h: Any, e: list[Any], v: list[Any]) -> Any:
    corners = f((h, e), (h, v)) - f((h, e), (-h, v)) - f((-h, e), (h, v)) + f((-h, e), (-h, v))
    return corners / (4 * h * h)


def _at(definition: Callable[..., Any], scores: list[Any], *steps: tuple[Any, list[Any]]) -> Any:
    """The definition at scores + sum of (h, direction) steps."""
    moved = list(scores)
    for h, direction in steps:
        moved = [s + h * d if d else s for s, d in zip(moved, direction, strict=True)]
    return definition(moved)


def _series(
    box: BlackBox, scores: Sequence[float], vector: Sequence[float] | None, bits: int
) -> list[Any]:
    """[value, gradient..., hvp...] from the Taylor coefficients along e_i, v and e_i + v."""
    with ctx.workprec(bits):
        definition = box(Arithmetic(arb, _exp_series, _log_series, _starts_positive))
        centre = [arb(s) for s in scores]
        units = _units(len(centre), arb)
        zero = [arb(0)] * len(centre)
        along = [_taylor(definition, centre, e) for e in units]
        numbers = [_taylor(definition, centre, zero)[0], *(c[1] for c in along)]
        if vector is not None:
            v = [arb(x) for x in vector]
            q_v = _taylor(definition, centre, v)[2]
            for e, c in zip(units, along, strict=True):
                both = _taylor(definition, centre, [a + b for a, b in zip(e, v, strict=True)])
                numbers.append(both[2] - c[2] - q_v)
        return numbers


def _taylor(definition: Callable[..., Any], scores: list[Any], direction: list[Any]) -> list[Any]:
    """The coefficients of 1, x, x^2 in f(scores + x direction)."""
    moved = [arb_series([s, d], prec=3) for s, d in zip(scores, direction, strict=True)]
    result = arb_series([0], prec=3) + definition(moved)
    coefficients = result.coeffs()
    return [*coefficients, *[arb(0)] * (3 - len(coefficients))]


def _exp_series(x: Any) -> Any:
    return x.exp()


def _log_series(x: Any) -> Any:
    return x.log()


def _is_positive(x: Any) -> bool:
    return bool(x > 0)


def _starts_positive(x: Any) -> bool:
    """Whether the series is above 0 where its variable is 0."""
    return bool(x.coeffs() and x.coeffs()[0] > 0)


def _units(n: int, number: Callable[[int], Any]) -> list[list[Any]]:
    return [[number(int(i == k)) for i in range(n)] for k in range(n)]
