r"""Is the distribution over k-subsets computed to 1e-14?  And is it what is drawn from?

Rows of scores from the regimes in which a formula for Z_k = e_k(e^s) is known to break, each with
its orders k (`verify.subset_rows`), are put through `numeric_core.subset` and held against Arb
balls:

    error = |got - truth| / |truth|      of log Z_k, of every P(i in S), of every P(i and j in S)

(below the smallest normal number of the dtype, relative to that).  The stable method is held to
1e-14 in float64 and 1e-6 in float32; the recursion of document 002 is measured and not judged, and
`verify.newton` maps where it ends.  `verify.draws` tests what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from flint import arb

from numeric_core import subset
from verify.accuracy import Failure, relative_errors
from verify.draws import DrawCheck, check_draws
from verify.formats import Vector, format_of
from verify.newton import NewtonMap, newton_map
from verify.oracle.distribution import Distribution, distribution, log_partitions, pairwise
from verify.subset_rows import Case, cases

__all__ = ["BOUNDS", "SubsetLine", "SubsetReport", "SubsetWorst", "check_subsets"]

# The contract of the family, relative to the truth.
BOUNDS: Mapping[str, float] = {"float64": 1e-14, "float32": 1e-6}
# Of longer rows so many inclusions are compared, at least.
COMPARED = 256
# Up to these lengths all orders at once, all pairs, and the numbers themselves in the report.
LONGEST_WITH_ALL_ORDERS = 200
LONGEST_WITH_PAIRS = 12
LONGEST_SHOWN = 200
# Draws of a chi-square test: a share of 1 in 100 is then known to one in fourteen of itself.
DRAWS = {"quick": 20_000, "thorough": 400_000}


@dataclass(frozen=True)
class SubsetWorst:
    """The largest relative error of a line, and the input that attains it."""

    error: float
    case: str
    n: int
    k: int
    place: int
    got: float
    true: str
    scores: str


Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class SubsetLine:
    """One line of the table; `beyond` counts the errors above the bound, also of the recursion."""

    regime: str
    quantity: str
    method: str
    dtype: str
    count: int = 0
    beyond: int = 0
    worst: SubsetWorst | None = None

    @property
    def error(self) -> float:
        """The largest relative error."""
        return self.worst.error if self.worst else 0.0

    @property
    def within(self) -> bool:
        """Whether it is within the bound; the recursion has none."""
        return self.method == "newton" or (self.count > 0 and self.error <= BOUNDS[self.dtype])


@dataclass
class SubsetReport:
    """The accuracy of the distribution over k-subsets, Newton's failures, and the draws."""

    lines: dict[Key, SubsetLine] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    newton: NewtonMap | None = None
    draws: list[DrawCheck] = field(default_factory=list)

    def record(self, key: Key, errors: Sequence[float], worst: SubsetWorst) -> None:
        """Add comparisons, the largest error being `worst`."""
        old = self.lines.get(key, SubsetLine(*key))
        kept = worst if old.worst is None or worst.error > old.worst.error else old.worst
        beyond = old.beyond + sum(error > BOUNDS[old.dtype] for error in errors)
        self.lines[key] = SubsetLine(*key, old.count + len(errors), beyond, kept)

    @property
    def problems(self) -> list[str]:
        """One line for everything that is out of bounds or failed."""
        beyond = [
            f"subset: {line.quantity} of {line.regime} in {line.dtype} is off by {line.error:.2g}, "
            f"allowed are {BOUNDS[line.dtype]:g} ({line.worst.case if line.worst else '-'})"
            for line in self.lines.values()
            if not line.within
        ]
        raised = [f"subset: {f.quantity} failed on {f.sample}: {f.message}" for f in self.failures]
        return beyond + raised + [problem for check in self.draws for problem in check.problems]

    def as_dict(self) -> dict[str, object]:
        """The report as plain data; an infinite error is the string "inf"."""
        return {
            "passed": not self.problems,
            "lines": [_plain(vars(line) | {"within": line.within}) for line in self.lines.values()],
            "failures": [vars(failure) for failure in self.failures],
            "newton": None if self.newton is None else _plain(vars(self.newton)),
            "draws": [check.as_dict() for check in self.draws],
        }


def _plain(value: object) -> object:
    if isinstance(value, SubsetWorst):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def check_subsets(long: bool = False) -> SubsetReport:
    """Everything about the distribution: accuracy by regime, Newton's map, the draws."""
    report = SubsetReport()
    truths: dict[tuple[str, int], Distribution] = {}
    for dtype in BOUNDS:
        for case in cases(format_of(dtype), long=long):
            for k in case.orders:
                # A long row is the same in both dtypes, and so is the truth about it.
                key = (case.name if case.regime == "long" else f"{dtype}/{case.name}", k)
                if key not in truths:
                    truths[key] = distribution(case.scores.tolist(), k, _places(case))
                _measure(report, case, k, dtype, truths[key])
            _measure_all_orders(report, case, dtype)
            _measure_pairs(report, case, dtype)
    report.newton = newton_map()
    report.draws = check_draws(DRAWS["thorough" if long else "quick"])
    return report


def _places(case: Case) -> list[int]:
    """All labels; or of a long row the heaviest, the lightest, and some between."""
    n = len(case.scores)
    if n <= COMPARED:
        return list(range(n))
    order = np.argsort(case.scores)
    chosen = np.concatenate([order[:32], order[-64:], order[:: n // COMPARED]])
    return [int(i) for i in np.unique(chosen)]


def _measure(report: SubsetReport, case: Case, k: int, dtype: str, truth: Distribution) -> None:
    """log Z_k by both methods, and the inclusion probabilities."""
    scores = case.scores.astype(dtype)
    for method in ("stable", "newton"):
        key = (case.regime, "log Z_k", method, dtype)
        log_z = partial(subset.log_partition, scores, k, method=method)
        _record(report, case, k, key, log_z, [truth.log_partition])

    def inclusion() -> Vector:
        found: Vector = np.asarray(subset.inclusion_probabilities(scores, k))[_places(case)]
        return found

    _record(report, case, k, (case.regime, "inclusion", "stable", dtype), inclusion, truth.inside)


def _measure_all_orders(report: SubsetReport, case: Case, dtype: str) -> None:
    """log Z_0..log Z_K from one call, K the largest order asked for."""
    if len(case.scores) > LONGEST_WITH_ALL_ORDERS:
        return
    most = max(case.orders)
    truth = log_partitions(case.scores.tolist(), most)
    every = partial(subset.log_partitions, case.scores.astype(dtype), most)
    _record(report, case, most, (case.regime, "log Z_0..K", "stable", dtype), every, truth)


def _measure_pairs(report: SubsetReport, case: Case, dtype: str) -> None:
    """P(i and j in S) for every pair of a short row."""
    if len(case.scores) > LONGEST_WITH_PAIRS:
        return
    for k in (k for k in case.orders if k > 0):
        truth = [p for line in pairwise(case.scores.tolist(), k) for p in line]
        pairs = partial(subset.pairwise_inclusion, case.scores.astype(dtype), k)
        _record(report, case, k, (case.regime, "pairs", "stable", dtype), pairs, truth)


def _record(
    report: SubsetReport,
    case: Case,
    k: int,
    key: Key,
    compute: Callable[[], Vector],
    truth: list[arb],
) -> None:
    """The errors of one computation, or what it raised."""
    _, quantity, method, dtype = key
    name = f"{dtype}/{case.name}, k = {k}"
    try:
        got = np.asarray(compute(), dtype=np.float64).ravel().tolist()
        errors = relative_errors(got, truth, dtype)
    except Exception as error:  # what is on trial may raise anything, or answer in a wrong shape
        message = f"{type(error).__name__}: {error}"
        report.failures.append(Failure("subset", method, quantity, dtype, name, message))
        return
    at = max(range(len(errors)), key=errors.__getitem__)
    shown = str(case.scores.tolist()) if len(case.scores) <= LONGEST_SHOWN else "see the case"
    true = truth[at].str(21, radius=False)
    worst = SubsetWorst(errors[at], name, len(case.scores), k, at, got[at], true, shown)
    report.record(key, errors, worst)
