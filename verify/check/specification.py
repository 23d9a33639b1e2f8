r"""The loss to hold against: the truth about a row, enclosed, and what rows there are.

A loss of ours is named, and its truth are the balls of `verify.oracle`.  A loss of the user's is a
symbolic expression with an axis, in a file: `my_losses.py:spec`.  Its value is evaluated by the
code that `derive` emits for mpmath, its gradient by that of the derivative that `derive` takes; the
precision is doubled until two results agree to 80 bits.

    from sympy import exp, log
    from derive.axis import array, labels_axis, total
    i = labels_axis().index("i")
    s, t = array("s"), array("t")
    spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
from flint import arb
from sympy import Expr, Indexed, IndexedBase, Symbol

from derive.axis import Index
from derive.calculus import partial as unevaluated_partial
from derive.calculus import resolve
from derive.emit import Formula, compile_formula
from derive.facts import Facts, hard, soft
from derive.losses.loss import SymbolicLoss
from verify.check.target import load_attribute
from verify.oracle import AGREEMENT_BITS, LOSSES, BallOracle, Reference
from verify.oracle.differentiation import MAX_BITS
from verify.oracle.row import HARD, ONE_CLASS

__all__ = ["Specification", "specification_of"]

Truth = Callable[..., Reference]
# No model's scores go beyond.
LARGEST_SCORE = 1e7
LABEL_NAMES = ("t", "y", "label", "labels", "target", "targets", "y_true")


@dataclass(frozen=True)
class Specification:
    """A loss: its name and parameters, and `truth(scores, labels, vector)` of a row.

    soft: labels may lie between 0 and 1.  extended: to such labels the loss was extended here, and
    the usual one is for labels 0 and 1.  one_class: the labels of a row sum to 1.  masks: scores
    may be -inf.  spread: the standard deviation of ordinary scores; largest: none is beyond.
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

    def value(self, scores: Sequence[float], labels: Sequence[float]) -> float:
        """The value as the nearest float."""
        return float(self.truth(scores, labels).value)


def specification_of(against: object, parameters: Mapping[str, Any] | None = None) -> Specification:
    """The specification named, at an address, or given as a symbolic loss or expression.

    ValueError for a name that no loss has, a parameter that the loss has not, or an expression
    whose scores and labels cannot be told.
    """
    given = dict(parameters or {})
    if isinstance(against, Specification):
        return against
    if isinstance(against, str) and ":" not in against:
        return _ours(against, given)
    spec = load_attribute(against) if isinstance(against, str) else against
    if callable(spec) and not isinstance(spec, Expr | SymbolicLoss):
        spec = spec()
    name = against.rpartition(":")[2] if isinstance(against, str) else "specification"
    if isinstance(spec, SymbolicLoss):
        defaults = {str(symbol): value for symbol, value in spec.parameters}
        return _symbolic(
            spec.name, spec.value, spec.score.base, spec.labels, spec.facts, {**defaults, **given}
        )
    if isinstance(spec, Expr):
        scores, labels = _arrays(spec)
        facts = hard(labels) if str(labels) == "y" else soft(labels)
        return _symbolic(name, spec, scores, labels, facts, given)
    raise ValueError(
        f"cannot hold anything against {against!r}: expected one of {', '.join(LOSSES)}, or "
        "file.py:name of a symbolic loss or expression"
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


# --- symbolic specifications ----------------------------------------------------------------------


def _arrays(expression: Expr) -> tuple[IndexedBase, IndexedBase]:
    """The scores and the labels: labels by their name, the other array are the scores."""
    bases = sorted({entry.base for entry in expression.atoms(Indexed)}, key=str)
    labels = [base for base in bases if str(base) in LABEL_NAMES]
    scores = [base for base in bases if base not in labels]
    if len(labels) != 1 or len(scores) != 1:
        raise ValueError(
            f"the expression has the arrays {', '.join(map(str, bases)) or 'none'}: expected one "
            f"of scores and one of labels, the latter named one of {', '.join(LABEL_NAMES)}"
        )
    return scores[0], labels[0]


def _symbolic(
    name: str,
    value: Expr,
    scores: IndexedBase,
    labels: IndexedBase,
    facts: Facts,
    parameters: Mapping[str, Any],
) -> Specification:
    axes = {index.axis for index in value.atoms(Index)}
    if len(axes) != 1:
        raise ValueError(f"{name} runs over {len(axes)} axes: expected one, that of the labels")
    (axis,) = axes
    lengths_and_arrays = {axis.size, *(base.label for base in (scores, labels))}
    free = {x for x in value.free_symbols if type(x) is Symbol} - lengths_and_arrays
    missing = sorted(str(x) for x in free if parameters.get(str(x)) is None)
    if missing:
        raise ValueError(f"{name} has the parameter {missing[0]}: give it, {missing[0]}=...")
    chosen = {x: parameters[str(x)] for x in sorted(free, key=str)}
    where = axis.fresh(value.atoms(Index))
    slope = resolve(unevaluated_partial(value, scores[where]))
    arguments = (scores, labels, *chosen)
    functions = (
        compile_formula(Formula("value", value, (), arguments), "mpmath"),
        compile_formula(Formula("gradient", slope, (where,), arguments), "mpmath"),
    )
    return Specification(
        name=name,
        truth=cache_rows(_Emitted(name, functions, tuple(chosen.values()))),
        parameters={str(x): number for x, number in chosen.items()},
        soft=not facts.is_hard(labels),
        one_class=facts.sums_to_one(labels),
        masks=False,
    )


@dataclass(frozen=True)
class _Emitted:
    """Emitted value and gradient, in as many digits as it takes."""

    name: str
    functions: tuple[Callable[..., Any], Callable[..., Any]]
    parameters: tuple[float, ...]

    def __call__(
        self,
        scores: Sequence[float],
        labels: Sequence[float],
        vector: Sequence[float] | None = None,
    ) -> Reference:
        """Value and gradient; the scale of a component is the largest one of the row."""
        bits, before = 4 * AGREEMENT_BITS, self._at(2 * AGREEMENT_BITS, scores, labels)
        while bits <= MAX_BITS:
            now = self._at(bits, scores, labels)
            if all(map(_agree, now, before)):
                value, *gradient = map(_ball, now)
                largest = [abs(x) for x in gradient]
                top = largest[0] if largest else arb(0)
                for x in largest[1:]:
                    top = top.max(x)
                return Reference(value, gradient, [top] * len(gradient), [], [], range(0), bits)
            bits, before = 2 * bits, now
        raise ArithmeticError(f"{self.name} did not settle at {MAX_BITS} bits")

    def _at(self, bits: int, scores: Sequence[float], labels: Sequence[float]) -> list[Any]:
        with mpmath.workprec(bits):
            row = [[mpmath.mpf(x) for x in numbers] for numbers in (scores, labels)]
            value, gradient = (f(*row, *map(mpmath.mpf, self.parameters)) for f in self.functions)
            return [mpmath.mpf(value), *map(mpmath.mpf, gradient)]


def _agree(now: Any, before: Any) -> bool:
    with mpmath.workprec(2 * AGREEMENT_BITS):
        return bool(abs(now - before) <= mpmath.ldexp(abs(now), -AGREEMENT_BITS))


def _ball(x: Any) -> arb:
    mantissa, exponent = x.man_exp
    return arb((int(mantissa) if x > 0 else -int(mantissa), exponent))
