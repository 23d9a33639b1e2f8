"""Three routes to the same number, compared: the numeric core, the emitted code, the oracle.

* The numeric core is held to the accuracy contract, component by component, one row at a time and
  in batches: by itself, and where a loss has a kernel compiled by Numba, by that.  Grids are
  measured as they are, and in larger ones, for which there are other ways.
* The code emitted for mpmath, run with enough digits, must agree with the oracle to half an ulp of
  float64: two independent formulas, no float in between. This ties the derivation to the
  definition at points that no symbolic step has seen.
* The code emitted for NumPy is the printed formula made safe from overflow. Its differences are
  taken as printed, so its error is stated against the size of the quantity: 1 for values below 1
  and for gradients, the largest entry of the vector for Hessian-vector products.  Where the formula
  has coefficients of products, they are computed as logarithms: an error of one ulp of the largest
  logarithm is one of all that is made from it, and that is the size then.  So it is over a grid:
  the exponents are differences of scores, rounded as printed.
* The kernels emitted for C and numba (in the long run) are compiled here and held to the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import numpy as np

import numeric_core
from derive.formulas import NotProved
from derive.losses import loss_named
from verify import native
from verify.accuracy import SUBSET_LOSSES, AccuracyTable, Failure
from verify.arrays import MpfArrays
from verify.coverage import Coverage, cover
from verify.formats import format_of
from verify.grid.coverage import GridCoverage
from verify.grid.samples import quick_grids, thorough_grids
from verify.measure import References, Route, measure
from verify.oracle import BallOracle, Reference
from verify.oracle.grid import GRIDS, GridOracle
from verify.routes import (
    EmittedRoute,
    LargeGridRoute,
    compiled_quantities,
    compiled_route,
    core_route,
    has_kernel,
)
from verify.samples import Sample, quick, thorough

__all__ = ["Comparison", "compare_routes"]

# The plain formula loses as many bits as its exponents have (|x| / log 2 for 1 - sigma(x), twice
# for a product). In rows they are scores: with |s| <= 800 that is under 2400 of these bits. Over
# grids, where sums are long, they are differences of scores: with |s| <= 200 under 1200.
MPMATH_BITS = {"rows": 4000, "grids": 1600}
MPMATH_LARGEST_SCORE = {"rows": 800.0, "grids": 200.0}
MPMATH_LARGEST = 6
# Products of all labels but one, for every label, take a tenth of a second at that precision: of
# the loss with two of them and three kinds of labels, every third row.
MPMATH_EVERY = {"order_r": 3}
# Parameters that are no power of two and no float32, so that every product is rounded.
VARIANTS: Mapping[str, Sequence[Mapping[str, float]]] = {
    "zlpr": ({"threshold": 0.3}, {"threshold": -40.7}),
    "unified": ({"scale": 1.3, "margin": 0.2}, {"scale": 64.0, "margin": 0.25}),
    "padded_combination_softmax": (
        {"max_labels": 4, "threshold": 0.3},
        {"max_labels": 60, "threshold": -40.7},
    ),
    "order_r": ({"order": 1}, {"order": 3}),
    "focal": ({"gamma": 1.3, "alpha": 0.25}, {"gamma": 0.0}),
    "asymmetric": (
        {"gamma_positive": 1.3, "gamma_negative": 2.7, "margin": 0.1},
        {"gamma_positive": 1.0, "gamma_negative": 3.0, "margin": 0.0},
    ),
    "circle": ({"scale": 80.3, "margin": 0.4}, {"scale": 1.0, "margin": -0.3}),
    # Leads that the margin makes exactly 0, and those that no sum of rounded numbers gets right.
    "hinge": ({"margin": 1.0}, {"margin": 0.3}),
    "max_hinge": ({"margin": 1.0}, {"margin": 0.3}),
    "lse_hinge": ({"margin": 1.0}, {"margin": -0.3}),
}
# A printed formula with a sum over the other classes under a bar and under a step: it needs such a
# class, and a sum that the format holds.
STEP_OF_SUM = ("lse_hinge",)
# On a kink any subgradient will do: the core takes 0, printed code the first of the tied entries.
FIRST_OF_TIED = ("max_hinge",)
EVERY_VARIANT = 3
# A long row of a loss that counts subsets costs seconds; other parameters do without.
VARIANT_LONGEST = 10_000
# A scale other than 1 saturates scores near the largest float (see `numeric_core.Unified`).
VARIANT_LARGEST_SCORE = 1e30
# What stands for the sample of a route that could not be made.
NO_SAMPLE = "-"
# An emitted float formula is judged on scores up to the size that the contract names, and where it
# is a loop over the labels in Python, on rows up to this length.
EMITTED_LARGEST_SCORE = 1e4
EMITTED_LONGEST_LOOP = 2000
# The default scale of Circle loss.
CIRCLE_SCALE = 256.0
# The bound of emitted code, 8 ulp, is the root of that many roundings of an ulp.
EMITTED_STEPS = 64


@dataclass(frozen=True)
class Family:
    """Losses of one kind of input: what they are tried on, their truth, what is to be covered."""

    name: str
    quick: Callable[[str], Sequence[Sample]]
    thorough: Callable[[str], Sequence[Sample]]
    oracle: Callable[[str], Callable[..., Reference]]
    coverage: type[Coverage]


ROWS = Family("rows", quick, thorough, BallOracle, Coverage)
SAMPLES_BY_CLASSES = Family("grids", quick_grids, thorough_grids, GridOracle, GridCoverage)


def family_of(loss: str) -> Family:
    """Rows of labels, or grids of samples x classes."""
    return SAMPLES_BY_CLASSES if loss in GRIDS else ROWS


@dataclass
class Comparison:
    """The accuracy of all routes of one loss, and what the samples covered."""

    loss: str
    table: AccuracyTable
    coverage: Coverage

    @property
    def problems(self) -> list[str]:
        """One line for everything that is out of bounds or failed."""
        beyond = [
            f"{line.loss}: {line.quantity} by the {line.route} route in {line.dtype} is off by "
            f"{line.error:.3g} ulp, allowed are {line.bound:g} ({line.cells()[-1]})"
            for line in self.table.beyond()
        ]
        return beyond + [_failure_in_words(failure) for failure in self.table.failures]

    def as_dict(self) -> dict[str, object]:
        """The comparison as plain data."""
        table = self.table.as_dict()
        return {"loss": self.loss, **table, "coverage": self.coverage.as_dict()}


def _failure_in_words(failure: Failure) -> str:
    if failure.sample == NO_SAMPLE:
        return f"{failure.loss}: no {failure.route} code was made: {failure.message}"
    what = f"{failure.quantity} by the {failure.route} route failed on {failure.sample}"
    return f"{failure.loss}: {what}: {failure.message}"


def compare_routes(loss: str, long: bool = False) -> Comparison:
    """Measure every route of a loss over its samples."""
    family = family_of(loss)
    samples = (family.thorough if long else family.quick)(loss)
    references = References(family.oracle(loss))
    printed = [sample for sample in samples if _is_printable(loss, sample, references)]
    tables = [
        measure(loss, core_route(loss), samples, references),
        measure(loss, core_route(loss, "core, batch"), samples, references, batch=True),
        _measure_emitted(loss, "mpmath", lambda r: _measure_mpmath(r, loss, printed, references)),
        _measure_emitted(loss, "numpy", lambda r: _measure_floats(r, loss, printed, references)),
    ]
    tables += [
        _measure_emitted(loss, each, lambda r: _measure_floats(r, loss, printed, references))
        for each in native.targets(long)
    ]
    tables += [_measure_compiled(loss, samples, references)]
    if loss in GRIDS:
        tables += [_measure_large(loss, samples, references)]
    tables += [_measure_variant(loss, samples, **one) for one in VARIANTS.get(loss, ())]
    coverage = cover(samples, references.known, family.coverage)
    return Comparison(loss, AccuracyTable().merge(*tables), coverage)


def _measure_variant(loss: str, samples: Sequence[Sample], **parameters: float) -> AccuracyTable:
    """The core at other parameters than the default ones, on a part of the samples."""
    route = core_route(loss, _named("core", parameters), **parameters)
    references = References(BallOracle(loss, **parameters))
    within = [x for x in samples if np.all(x.scores <= VARIANT_LARGEST_SCORE)]
    most = parameters.get("max_labels", math.inf)
    longest = VARIANT_LONGEST if loss in SUBSET_LOSSES else math.inf
    chosen = [x for x in within if x.labels.sum() <= most and x.n <= longest][::EVERY_VARIANT]
    compiled = _measure_compiled(loss, chosen, references, **parameters)
    return measure(loss, route, chosen, references).merge(compiled)


def _measure_compiled(
    loss: str, samples: Sequence[Sample], references: References, **parameters: float
) -> AccuracyTable:
    """The kernel of the loss, where it has one and Numba is installed."""
    quantities = compiled_quantities(loss, **parameters)
    chosen = [sample for sample in samples if quantities and has_kernel(loss, sample)]
    route = compiled_route(loss, _named("core, compiled", parameters), **parameters)
    return measure(loss, route, chosen, references, quantities=quantities)


def _measure_large(loss: str, samples: Sequence[Sample], references: References) -> AccuracyTable:
    """Value and gradient by the plain ways of large grids, in the dtypes that are not rounded."""
    chosen = [x for x in samples if x.scores.size and x.dtype in ("float32", "float64")]
    route = LargeGridRoute(getattr(numeric_core, loss))
    return measure(loss, route, chosen, references, quantities=("value", "gradient"))


def _named(route: str, parameters: Mapping[str, float]) -> str:
    return ", ".join([route, *(f"{key}={value:g}" for key, value in parameters.items())])


def _measure_emitted(
    loss: str, target: str, measured: Callable[[Any], AccuracyTable]
) -> AccuracyTable:
    """The table of an emitted route, or what keeps the code from being emitted."""
    try:
        compiled = target in native.targets(long=True)
        route = native.KernelRoute(loss, target) if compiled else EmittedRoute(loss, target)
    except NotProved as error:
        table = AccuracyTable()
        table.failures.append(
            Failure(loss, f"emitted {target}", "code", "-", NO_SAMPLE, str(error))
        )
        return table
    return measured(route)


def _measure_mpmath(
    route: EmittedRoute, loss: str, samples: Sequence[Sample], references: References
) -> AccuracyTable:
    exact, family = bool(loss_named(loss).facts.distribution), family_of(loss).name
    reach = MPMATH_LARGEST_SCORE[family]
    chosen = [x for x in samples if _is_small(x, reach) and not (exact and label_sum(x) != 1)]
    chosen = chosen[:: MPMATH_EVERY.get(loss, 1)]
    with mpmath.workprec(MPMATH_BITS[family]):
        return measure(loss, route, chosen, references, arrays=MpfArrays())


def label_sum(sample: Sample) -> Fraction:
    """The exact sum of the labels: where a derivation assumes that it is 1, it must be."""
    return sum((Fraction(label) for label in sample.labels.tolist()), Fraction(0))


def _measure_floats(
    route: Route, loss: str, samples: Sequence[Sample], references: References
) -> AccuracyTable:
    chosen = [sample for sample in samples if _is_ordinary(sample)]
    if loss in SUBSET_LOSSES:
        chosen = [sample for sample in chosen if sample.n <= EMITTED_LONGEST_LOOP]
    return measure(loss, route, chosen, references, size=partial(_size, loss))


def _size(loss: str, sample: Sample) -> float:
    """1, or with coefficients a bound of the logarithms: the j largest |s| and log C(n, j) for e_j.

    Over a grid, where exponents are differences of two scores, 1 and the largest of these.
    Of Circle loss, whose exponents are c s^2, the largest of these times the largest slope.
    Else j goes up to the number of positives, to n without a limit of labels, to the order 2. The
    recursion rounds a logarithm of that size once a label, and n roundings add up as sqrt(n) does.
    """
    if loss in GRIDS:
        return 1.0 + float(np.max(np.ptp(sample.scores, axis=-1)))
    if loss == "circle":
        reach = 1.0 + float(np.max(np.abs(sample.scores)))
        return (1.0 + CIRCLE_SCALE * reach**2) * (1.0 + 2.0 * CIRCLE_SCALE * reach)
    if loss not in SUBSET_LOSSES:
        return 1.0
    n, k = sample.n, int(sample.labels.sum())
    most = {"combination_softmax": k, "order_r": min(2, n)}.get(loss, n)
    largest = float(np.sort(np.abs(sample.scores))[n - most :].sum())
    half = min(most, n // 2)
    choices = math.lgamma(n + 1) - math.lgamma(half + 1) - math.lgamma(n - half + 1)
    return (1.0 + largest + choices) * max(1.0, math.sqrt(n / EMITTED_STEPS))


def _is_printable(loss: str, sample: Sample, references: References) -> bool:
    """Whether the printed formula has a value there, and the derivative that the core takes."""
    if loss in FIRST_OF_TIED:
        others = sample.scores[sample.labels == 0]
        target = sample.scores[sample.labels == 1]
        return not (len(others) and others.max() == target.max())
    if loss not in STEP_OF_SUM:
        return True
    value = references(sample).value
    return sample.n > 1 and not 0 < value < format_of(sample.dtype).smallest_normal


def _is_ordinary(sample: Sample) -> bool:
    """Finite scores up to the size of the contract, in a dtype that is computed as it is."""
    within = np.abs(sample.scores) <= EMITTED_LARGEST_SCORE
    return sample.dtype in ("float32", "float64") and len(within) > 0 and bool(within.all())


def _is_small(sample: Sample, reach: float) -> bool:
    within = np.abs(sample.scores) <= reach
    size = sample.scores.size
    return sample.dtype == "float64" and 0 < size <= MPMATH_LARGEST and bool(within.all())
