"""Value and gradient of the printed code against the oracle: right, or wrong in which way.

An error counts in ulp of the dtype at the oracle's scale, as everywhere; 4 are right. Of a gradient
the worst entry counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from flint import arb, ctx

from verify.accuracy import ulp_error
from verify.formats import format_of
from verify.ledger.balls import BITS
from verify.ledger.printed.cases import CASES, Case
from verify.ledger.printed.libraries import LIBRARIES, Library
from verify.ledger.printed.snippets import SNIPPETS, Snippet
from verify.oracle import BallOracle, Reference

__all__ = ["RECORD", "Cell", "Kind", "Outcome", "cells", "measured", "recorded"]

#: What PyTorch and JAX gave, with their versions.
RECORD = Path(__file__).with_name("recorded.json")
# The accuracy contract of this library, in ulp.
RIGHT = 4.0
# An error above a tenth leaves no digit.
NO_DIGIT = 0.1


class Kind(StrEnum):
    """What a number is beside the truth, the best first."""

    RIGHT = "right"
    DIGITS = "digits lost"
    WRONG = "wrong"
    ZERO = "zero"
    SIGN = "wrong sign"
    INFINITE = "inf"
    NAN = "nan"


@dataclass(frozen=True)
class Outcome:
    """A number held against the truth.

    ``figure`` is the error in ulp where it is right, relative to the scale where digits are lost,
    the factor to the truth where it is wrong.
    """

    kind: Kind
    got: float
    truth: float
    figure: float | None = None


@dataclass(frozen=True)
class Cell:
    """One run; the gradient is None where there is none, for want of one or at an infinite loss."""

    snippet: str
    library: str
    dtype: str
    case: str
    value: Outcome
    gradient: Outcome | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What was run."""
        return (self.snippet, self.library, self.dtype, self.case)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, numbers that JSON has not as text."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return str(value) if isinstance(value, Kind) else value


def measured(snippet: Snippet, library: Library, dtype: str, case: Case) -> Cell:
    """Run the code on the row, its numbers rounded to the dtype, and judge what comes out."""
    truth = _truth(snippet.loss, case.name, dtype)
    with ctx.workprec(BITS):
        value, gradient = library.run(snippet, case.labels, case.scores, dtype)
        judged = _judged(value, truth.value, abs(truth.value), dtype)
        return Cell(
            snippet.name, library.name, dtype, case.name, judged, _worst(gradient, truth, dtype)
        )


@cache
def _truth(loss: str, case: str, dtype: str) -> Reference:
    form, row = format_of(dtype), CASES[case]
    rounded = (form.round(np.asarray(x, dtype=np.float64)) for x in (row.scores, row.labels))
    return BallOracle(loss)(*(x.tolist() for x in rounded))


def _worst(gradient: list[Any] | None, truth: Reference, dtype: str) -> Outcome | None:
    if gradient is None or not truth.gradient:
        return None
    parts = zip(gradient, truth.gradient, truth.gradient_scale, strict=True)
    found = [_judged(got, own, scale, dtype) for got, own, scale in parts]
    return max(found, key=lambda outcome: (list(Kind).index(outcome.kind), _size(outcome)))


def _size(outcome: Outcome) -> float:
    """How far off: ulp, or the log of the factor."""
    if outcome.figure is None or outcome.kind in (Kind.RIGHT, Kind.DIGITS):
        return outcome.figure or 0.0
    return abs(math.log(outcome.figure)) if outcome.figure > 0 else math.inf


def _judged(got: float | arb, truth: arb, scale: arb, dtype: str) -> Outcome:
    number, own = float(got), float(truth)
    if math.isnan(number):
        return Outcome(Kind.NAN, number, own)
    error = _ulps(got, truth, scale, dtype)
    if error <= RIGHT:
        return Outcome(Kind.RIGHT, number, own, _rounded(error))
    if math.isinf(number):
        return Outcome(Kind.INFINITE, number, own)
    if number == 0:
        return Outcome(Kind.ZERO, number, own)
    if number * own < 0:
        return Outcome(Kind.SIGN, number, own)
    relative = float(abs(arb(got) - truth) / scale)
    if relative < NO_DIGIT:
        return Outcome(Kind.DIGITS, number, own, _rounded(relative))
    return Outcome(Kind.WRONG, number, own, _rounded(number / own) if own else None)


def _ulps(got: float | arb, truth: arb, scale: arb, dtype: str) -> float:
    """A ball is rounded to the dtype first: what is judged is the formula."""
    number = float(got)
    if isinstance(got, arb):
        number = float(format_of(dtype).round(np.asarray(number)))
    return ulp_error(number, truth, scale, dtype)


def _rounded(number: float) -> float:
    """To three digits: more of them are no fact."""
    return float(f"{number:.3g}")


def runs(library: Library) -> Iterator[tuple[Snippet, str, Case]]:
    """What is run on a library."""
    for snippet in SNIPPETS.values():
        for dtype in library.dtypes:
            for case in CASES.values():
                if case.loss == snippet.loss:
                    yield snippet, dtype, case


def of_library(name: str) -> tuple[Cell, ...]:
    """All cells of a library, run now."""
    library = LIBRARIES[name]()
    return tuple(measured(snippet, library, dtype, case) for snippet, dtype, case in runs(library))


@cache
def recorded() -> tuple[Cell, ...]:
    """The cells of PyTorch and JAX as they were measured."""
    kept = json.loads(RECORD.read_text())
    return tuple(_cell(data) for data in kept["cells"])


def _cell(data: dict[str, Any]) -> Cell:
    own = {name: data[name] for name in ("snippet", "library", "dtype", "case")}
    value, gradient = (_outcome(data[name]) for name in ("value", "gradient"))
    assert value is not None
    return Cell(**own, value=value, gradient=gradient)


def _outcome(data: dict[str, Any] | None) -> Outcome | None:
    if data is None:
        return None
    figure = data["figure"]
    numbers = float(data["got"]), float(data["truth"]), figure if figure is None else float(figure)
    return Outcome(Kind(data["kind"]), *numbers)


@cache
def cells() -> tuple[Cell, ...]:
    """The whole table: exact arithmetic and NumPy run now, PyTorch and JAX as recorded."""
    return (*of_library("exact"), *of_library("numpy"), *recorded())


def record() -> None:
    """Measure PyTorch and JAX, and write down what they give, with their versions."""
    import jax
    import torch

    found = [cell.as_dict() for name in ("torch", "jax") for cell in of_library(name)]
    versions = {"torch": torch.__version__, "jax": jax.__version__, "numpy": np.__version__}
    lines = ",\n".join(json.dumps(cell) for cell in found)
    RECORD.write_text(f'{{"versions": {json.dumps(versions)},\n"cells": [\n{lines}\n]}}\n')
