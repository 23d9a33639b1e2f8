r"""The loss to hold against: the truth about a row, enclosed, and what rows there are.

A loss of ours is named, and its truth are the balls of `verify.oracle`.  A loss of the user's is a
symbolic expression with an axis, in a file, `my_losses.py:spec`: `verify.check.symbolic`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sympy import Expr

from derive.losses.loss import SymbolicLoss
from verify.check.symbolic import HOW, SymbolicTruth, truth_of_expression, truth_of_loss
from verify.check.target import CannotLoad, load_attribute
from verify.oracle import LOSSES, BallOracle, Reference
from verify.oracle.row import HARD, ONE_CLASS

__all__ = ["Specification", "specification_of"]

Truth = Callable[..., Reference]
# No model's scores go beyond.
LARGEST_SCORE = 1e7
LONGEST_ROW = 300
# An expression with a sum over pairs takes the cube of the length for its gradient.
LONGEST_OF_OWN = 20


@dataclass(frozen=True)
class Specification:
    """A loss: its name and parameters, and `truth(scores, labels, vector)` of a row.

    soft: labels may lie between 0 and 1.  extended: to such labels the loss was extended here, and
    the usual one is for labels 0 and 1.  one_class: the labels of a row sum to 1.  masks: scores
    may be -inf.  spread: the standard deviation of ordinary scores; largest: none is beyond.
    longest: no row has more labels, as the truth of one would take seconds.
    """

    name: str
    truth: Truth
    parameters: Mapping[str, float | None]
    soft: bool
    one_class: bool
    masks: bool = True
    spread: float = 1.5
    extended: bool = False
    largest: float = LARGEST_SCORE
    longest: int = LONGEST_ROW

    def value(self, scores: Sequence[float], labels: Sequence[float]) -> float:
        """The value as the nearest float."""
        return float(self.truth(scores, labels).value)

    def has_value(self, scores: Sequence[float], labels: Sequence[float]) -> bool:
        """Whether the loss has a value there: some expressions have none at -inf."""
        try:
            self.truth(scores, labels)
        except ValueError:
            return False
        return True


def specification_of(against: object, parameters: Mapping[str, Any] | None = None) -> Specification:
    """The specification named, at an address, or given as a symbolic loss or expression.

    ValueError for a name that no loss has, a parameter that the loss has not, a file that does not
    run, or an expression that is none of a loss; it says what is expected.
    """
    given = dict(parameters or {})
    if isinstance(against, Specification):
        return against
    if isinstance(against, str) and ":" not in against:
        return _ours(against, given)
    spec = _loaded(against)
    if isinstance(spec, SymbolicLoss):
        return _own(truth_of_loss(spec, given))
    if isinstance(spec, Expr):
        name = against.rpartition(":")[2] if isinstance(against, str) else "specification"
        return _own(truth_of_expression(name, spec, given))
    raise ValueError(
        f"cannot hold anything against {against!r}, which is {type(spec).__name__}: expected one "
        f"of {', '.join(LOSSES)}, or file.py:name of a symbolic expression, as in {HOW}"
    )


def _loaded(against: object) -> Any:
    """What is at the address; of a function without parameters, what it returns."""
    try:
        spec: Any = load_attribute(against) if isinstance(against, str) else against
        made = callable(spec) and not isinstance(spec, Expr | SymbolicLoss)
        return spec() if made else spec
    except CannotLoad:
        raise
    except Exception as error:  # the file is the user's, and may raise anything
        words = f"{type(error).__name__}: {error}"
        raise ValueError(f"cannot make a specification of {against!r}: {words}") from error


def _own(truth: SymbolicTruth) -> Specification:
    return Specification(
        name=truth.name,
        truth=cache_rows(truth),
        parameters=truth.parameters,
        soft=truth.soft,
        one_class=truth.one_class,
        longest=LONGEST_OF_OWN,
    )


def _ours(name: str, parameters: Mapping[str, float]) -> Specification:
    oracle = BallOracle(name, **parameters)
    return Specification(
        name=name,
        truth=cache_rows(oracle),
        parameters=oracle.parameters,  # type: ignore[arg-type]
        soft=name not in HARD,
        one_class=name in ONE_CLASS,
        extended=name in ("unified", "order_r"),
        # the scores of Circle loss are cosines, and a finite one is no mask there
        masks=name != "circle",
        spread=0.3 if name == "circle" else 1.5,
        largest=4.0 if name == "circle" else LARGEST_SCORE,
    )


def cache_rows(oracle: Callable[..., Reference]) -> Truth:
    """The oracle, asked once for a row."""

    @cache
    def known(*row: tuple[float, ...] | None) -> Reference:
        return oracle(*row)

    def truth(
        scores: Sequence[float], labels: Sequence[float], vector: Sequence[float] | None = None
    ) -> Reference:
        asked = None if vector is None else tuple(map(float, vector))
        return known(tuple(map(float, scores)), tuple(map(float, labels)), asked)

    return truth
