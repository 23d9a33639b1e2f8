r"""How far a result is from the truth, in units of the last place; and the worst that was seen.

    error(got) = |got - truth| / ulp(scale)

ulp is that of the dtype judged, at the error scale of the number (`verify.oracle`): its own
magnitude where its terms have one sign, otherwise its largest term.  The truth is a ball and is
never rounded, so a correctly rounded result shows an error of at most 0.5.  Near 0 an ulp is the
smallest subnormal.

Non-finite results: nan is an infinite error; so is +-inf where the truth rounds to a finite number.
Where the truth rounds to +-inf, that is right, with error 0.

The bounds are those of the accuracy contract: 4 ulp in float32 and float64, 1 ulp in float16 and
bfloat16, where wider arithmetic is rounded once.  The losses that count subsets multiply up to n
factors, and are held to 1e-14 and 1e-6 relative instead of 4 ulp.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from flint import arb, ctx

from verify.formats import Format, format_of

__all__ = ["BOUNDS", "AccuracyTable", "Failure", "Line", "Worst"]
__all__ += ["relative_errors", "ulp_error", "ulp_errors"]

BOUNDS: Mapping[str, float] = {"float16": 1.0, "bfloat16": 1.0, "float32": 4.0, "float64": 4.0}
# An ulp is at most 2^-52 of its number in float64, 2^-23 in float32; 1e-14 and 1e-6 are 45.04 and
# 8.39 of those.
SUBSET_BOUNDS: Mapping[str, float] = {**BOUNDS, "float32": 8.0, "float64": 45.0}
SUBSET_LOSSES = frozenset({"combination_softmax", "padded_combination_softmax", "order_r"})
# Emitted float code follows the printed formula; its error is stated against the size of the
# quantity (`verify.compare`), and sums of up to 10^6 terms and exponents of two roundings stay
# below twice the contract.
EMITTED_BOUND = 8.0
EMITTED_IN_FLOATS = ("emitted numpy", "emitted c", "emitted numba")
# got - truth is formed with this many bits; any error that matters keeps over a hundred of them.
WORKING_BITS = 256


def ulp_error(got: float, truth: arb, scale: arb, dtype: str) -> float:
    """|got - truth| / ulp(scale) in `dtype`, or inf; `got` is a number of that dtype."""
    return ulp_errors([got], [truth], [scale], dtype)[0]


def ulp_errors(
    got: Sequence[float], truth: Sequence[arb], scale: Sequence[arb], dtype: str
) -> list[float]:
    """The error of each component; ValueError if the three lengths differ."""
    form = format_of(dtype)
    with ctx.workprec(WORKING_BITS):
        return [_error(g, x, s, form) for g, x, s in zip(got, truth, scale, strict=True)]


def _error(got: float, truth: arb, scale: arb, form: Format) -> float:
    if not math.isfinite(got):
        right = not math.isnan(got) and _rounds_to_infinity(truth, got, form)
        return 0.0 if right else math.inf
    if not truth.is_finite():
        return math.inf
    unit = form.ulp_exponent(_binade(scale))
    # abs_upper counts the ball's own radius against the result, never for it.
    return float((arb(got) - truth).abs_upper() * _power_of_two(-unit))


def relative_errors(got: Sequence[float], truth: Sequence[arb], dtype: str) -> list[float]:
    """|got - truth| / |truth|, from below the smallest normal number on relative to that."""
    smallest = arb(format_of(dtype).smallest_normal)
    with ctx.workprec(WORKING_BITS):
        return [_relative(g, x, smallest) for g, x in zip(got, truth, strict=True)]


def _relative(got: float, truth: arb, smallest: arb) -> float:
    if not math.isfinite(got):
        return math.inf
    return float((arb(got) - truth).abs_upper() / abs(truth).max(smallest))


def _rounds_to_infinity(truth: arb, infinity: float, form: Format) -> bool:
    """IEEE 754, 4.3.1: to nearest, all from max + ulp(max)/2 up goes to infinity."""
    outward = truth if infinity > 0 else -truth
    if not outward.is_finite():
        return bool(outward == arb.pos_inf())
    limit = arb(form.max) + arb((1, form.emax - form.bits))
    return bool(outward >= limit)


def _binade(x: arb) -> int:
    """floor(log2 |x|) of the midpoint; a number of no size lies below every format."""
    near = abs(float(x))
    if math.isfinite(near):
        mantissa, exponent = math.frexp(near)
        # A float exactly at a power of two may have been rounded up to it; then look closer.
        if mantissa > 0.5 and exponent > -1021:
            return exponent - 1
    whole, exponent_of_mid = (int(part) for part in x.mid().man_exp())
    return whole.bit_length() + exponent_of_mid - 1 if whole else -(1 << 30)


@cache
def _power_of_two(exponent: int) -> arb:
    return arb((1, exponent))


@dataclass(frozen=True)
class Worst:
    """The largest error of one kind, with the input that attains it."""

    error: float
    sample: str
    index: int
    got: float
    true: str
    scale: str
    n: int
    input: str


@dataclass(frozen=True)
class Failure:
    """A sample on which a route raised, or answered with the wrong shape or dtype."""

    loss: str
    route: str
    quantity: str
    dtype: str
    sample: str
    message: str


Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Line:
    """One line of the table: a loss, a route, a quantity, a dtype."""

    loss: str
    route: str
    quantity: str
    dtype: str
    count: int
    worst: Worst | None

    @property
    def bound(self) -> float:
        """The largest error that is allowed for this route and dtype."""
        if self.route in EMITTED_IN_FLOATS:
            return EMITTED_BOUND
        return (SUBSET_BOUNDS if self.loss in SUBSET_LOSSES else BOUNDS)[self.dtype]

    @property
    def error(self) -> float:
        """The largest error seen, in ulp; 0 where nothing was compared."""
        return self.worst.error if self.worst else 0.0

    @property
    def within(self) -> bool:
        """Whether the largest error is within the bound; false where nothing was compared."""
        return self.count > 0 and self.error <= self.bound

    def cells(self) -> tuple[str, ...]:
        """The line as text, in the order of `AccuracyTable.columns`."""
        where = f"{self.worst.sample}[{self.worst.index}]" if self.worst else "-"
        figures = (f"{self.error:.3g}", f"{self.bound:g}", f"{self.count}")
        return (self.loss, self.route, self.quantity, self.dtype, *figures, where)


@dataclass
class AccuracyTable:
    """Max errors by loss, route, quantity and dtype; with failures and what was not run."""

    columns = ("loss", "route", "quantity", "dtype", "max ulp", "bound", "compared", "worst input")

    _lines: dict[Key, Line] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    not_run: dict[Key, int] = field(default_factory=dict)

    def record(self, key: Key, count: int, worst: Worst | None) -> None:
        """Add `count` comparisons whose largest error is `worst`."""
        old = self._lines.get(key, Line(*key, 0, None))
        kept = max((w for w in (old.worst, worst) if w), key=lambda w: w.error, default=None)
        self._lines[key] = Line(*key, old.count + count, kept)

    def skip(self, key: Key) -> None:
        """Note a sample that the route's library has no dtype for."""
        self.not_run[key] = self.not_run.get(key, 0) + 1

    def merge(self, *others: AccuracyTable) -> AccuracyTable:
        """A table with the comparisons, failures and omissions of all."""
        merged = AccuracyTable()
        for table in (self, *others):
            for key, line in table._lines.items():
                merged.record(key, line.count, line.worst)
            merged.failures += table.failures
            for key, count in table.not_run.items():
                merged.not_run[key] = merged.not_run.get(key, 0) + count
        return merged

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def beyond(self) -> list[Line]:
        """The lines whose largest error is above their bound."""
        return [line for line in self if not line.within]

    @property
    def passed(self) -> bool:
        """Something was compared, all of it within its bound, and nothing failed."""
        return bool(self._lines) and not self.beyond() and not self.failures

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON, which has no inf: such an error is the string "inf"."""
        return {
            "passed": self.passed,
            "lines": [_line_as_dict(line) for line in self],
            "failures": [vars(failure) for failure in self.failures],
            "not_run": [[*key, count] for key, count in self.not_run.items()],
        }


def _line_as_dict(line: Line) -> dict[str, object]:
    worst = line.worst and {name: _plain(value) for name, value in vars(line.worst).items()}
    identity = {name: getattr(line, name) for name in ("loss", "route", "quantity", "dtype")}
    figures = {"max_ulp": _plain(line.error), "bound": line.bound, "within": line.within}
    return {**identity, **figures, "count": line.count, "worst": worst}


def _plain(value: object) -> object:
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def table_of(tables: Iterable[AccuracyTable]) -> AccuracyTable:
    """All tables merged into one."""
    return AccuracyTable().merge(*tables)
