r"""A loss of one's own as a symbolic expression: its value, gradient and Hessian-vector product.

    from sympy import exp, log
    from derive.axis import array, labels_axis, total
    i = labels_axis().index("i")
    s, t = array("s"), array("t")                # scores; labels, named t, y, label, target, ...
    spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)

Further symbols are parameters, to be given by name.  The labels are soft; if they are named y they
are 0 and 1, if one_hot they sum to 1; in a `derive.losses.SymbolicLoss` the facts say so.  `derive`
takes the derivatives

    g_i = dl / ds_i        (H v)_i = sum_j v_j dg_i / ds_j

and emits all three for mpmath; there the precision is doubled until two results agree to 80 bits.
A score of -inf stands for the limit: it is -2^(1100 + bits), and two results agree if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import mpmath
from flint import arb
from sympy import Expr, Indexed, IndexedBase, Symbol

from derive.axis import Axis, Index, total
from derive.calculus import free_indices, resolve
from derive.calculus import partial as unevaluated_partial
from derive.emit import Formula, compile_formula
from derive.facts import Facts, distribution, hard, soft
from derive.losses.loss import SymbolicLoss
from verify.oracle import AGREEMENT_BITS, Reference
from verify.oracle.differentiation import MAX_BITS, NEGLIGIBLE_EXPONENT

__all__ = ["HOW", "SymbolicTruth", "truth_of_expression", "truth_of_loss"]

HOW = (
    'i = labels_axis().index("i"); s, t = array("s"), array("t"); '
    "spec = total(t[i] * log(1 + exp(-s[i])), i)"
)
LABEL_NAMES = ("t", "y", "one_hot", "label", "labels", "target", "targets", "y_true")
# float64 ends at 2^1024.
BEYOND_FLOATS = 1100
# A limit that is reached at all is reached at once; the exponential of a huge number is slow.
LIMIT_BITS = 1280
Emitted = Callable[..., Any]


@dataclass(frozen=True)
class SymbolicTruth:
    """Emitted value, gradient and Hessian-vector product, in as many digits as it takes."""

    name: str
    functions: tuple[Emitted, Emitted, Emitted]
    parameters: Mapping[str, float]
    soft: bool
    one_class: bool

    def __call__(
        self,
        scores: Sequence[float],
        labels: Sequence[float],
        vector: Sequence[float] | None = None,
    ) -> Reference:
        """All of it at a row; the scale of a component is the largest one of the row.

        ValueError where the expression has no finite real value or does not settle.
        """
        bits, before = 4 * AGREEMENT_BITS, self._at(2 * AGREEMENT_BITS, scores, labels, vector)
        most = LIMIT_BITS if -inf in scores else MAX_BITS
        while bits <= most:
            now = self._at(bits, scores, labels, vector)
            if all(map(_agree, now, before)):
                return _reference(list(map(_ball, now)), len(scores), bits)
            bits, before = 2 * bits, now
        raise ValueError(f"{self.name} did not settle at {most} bits for the scores {scores}")

    def _at(
        self,
        bits: int,
        scores: Sequence[float],
        labels: Sequence[float],
        vector: Sequence[float] | None,
    ) -> list[Any]:
        value, gradient, product = self.functions
        given = [scores, labels] if vector is None else [scores, labels, vector]
        try:
            with mpmath.workprec(bits):
                low = mpmath.ldexp(-1, BEYOND_FLOATS + bits)
                row = [[low if x == -inf else mpmath.mpf(x) for x in numbers] for numbers in given]
                named = {k: mpmath.mpf(x) for k, x in self.parameters.items()}
                found = [value(*row[:2], **named), *gradient(*row[:2], **named)]
                found += [] if vector is None else list(product(*row, **named))
                numbers = [mpmath.mpf(x) for x in found]
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"{self.name} has no value at the scores {scores}: {error}") from error
        if not all(map(mpmath.isfinite, numbers)):
            raise ValueError(f"{self.name} is not finite at the scores {scores}")
        return numbers


def truth_of_loss(loss: SymbolicLoss, parameters: Mapping[str, Any]) -> SymbolicTruth:
    """That of a symbolic loss, its parameters as they are unless given."""
    defaults = {str(symbol): value for symbol, value in loss.parameters}
    arrays = loss.score.base, loss.labels
    return _truth(loss.name, loss.value, arrays, loss.facts, {**defaults, **parameters})


def truth_of_expression(name: str, value: Expr, parameters: Mapping[str, Any]) -> SymbolicTruth:
    """That of an expression; ValueError, with how to write it, where it cannot be one of a loss."""
    scores, labels = _arrays(name, value)
    kinds = {"y": hard, "one_hot": distribution}
    facts = kinds.get(str(labels), soft)(labels)
    return _truth(name, value, (scores, labels), facts, parameters)


def _arrays(name: str, expression: Expr) -> tuple[IndexedBase, IndexedBase]:
    """The scores and the labels: labels by their name, the other array are the scores."""
    bases = sorted({entry.base for entry in expression.atoms(Indexed)}, key=str)
    labels = [base for base in bases if str(base) in LABEL_NAMES]
    scores = [base for base in bases if base not in labels]
    if len(labels) != 1 or len(scores) != 1:
        raise ValueError(
            f"{name} has the arrays {', '.join(map(str, bases)) or 'none'}: expected one of scores "
            f"and one of labels, the latter named one of {', '.join(LABEL_NAMES)}, as in {HOW}"
        )
    return scores[0], labels[0]


def _axis(name: str, value: Expr) -> Axis:
    """The axis of the labels, of which no index is left free."""
    axes = {index.axis for index in value.atoms(Index)}
    if len(axes) != 1:
        named = ", ".join(sorted(axis.name for axis in axes)) or "none"
        raise ValueError(f"{name} runs over the axes {named}: expected that of labels, as in {HOW}")
    free = sorted(map(str, free_indices(value)))
    if free:
        raise ValueError(f"{name} has a value for each {free[0]}: sum over it, as in {HOW}")
    return axes.pop()


def _truth(
    name: str,
    value: Expr,
    arrays: tuple[IndexedBase, IndexedBase],
    facts: Facts,
    given: Mapping[str, Any],
) -> SymbolicTruth:
    scores, labels = arrays
    axis = _axis(name, value)
    chosen = _parameters(name, value, {axis.size, scores.label, labels.label}, given)
    i = axis.fresh(value.atoms(Index))
    j = axis.fresh({*value.atoms(Index), i})
    # a name that no array or symbol of the expression has
    vector = IndexedBase(f"{scores}_{labels}_v", real=True)
    arguments = (*arrays, *chosen)
    try:
        slope = resolve(unevaluated_partial(value, scores[i]))
        product = resolve(total(vector[j] * unevaluated_partial(slope, scores[j]), j))
        functions = (
            compile_formula(Formula("value", value, (), arguments), "mpmath"),
            compile_formula(Formula("gradient", slope, (i,), arguments), "mpmath"),
            compile_formula(Formula("hvp", product, (i,), (*arrays, vector, *chosen)), "mpmath"),
        )
    except (TypeError, NotImplementedError) as error:
        raise ValueError(f"{name} has a part that cannot be derived or printed: {error}") from error
    numbers = {str(symbol): number for symbol, number in chosen.items()}
    one_class = facts.sums_to_one(labels)
    return SymbolicTruth(name, functions, numbers, not facts.is_hard(labels), one_class)


def _parameters(
    name: str, value: Expr, bound: set[Any], given: Mapping[str, Any]
) -> dict[Symbol, float]:
    """The numbers of the symbols; ValueError for one that is missing, or that there is not."""
    free = {x for x in value.free_symbols if type(x) is Symbol} - bound
    missing = sorted(str(x) for x in free if given.get(str(x)) is None)
    if missing:
        raise ValueError(f"{name} has the parameter {missing[0]}: give it, {missing[0]}=...")
    unknown = sorted(set(given) - {str(x) for x in free})
    if unknown:
        known = ", ".join(sorted(map(str, free))) or "none"
        raise ValueError(f"{name} has no parameter {unknown[0]!r}: it has {known}")
    return {x: given[str(x)] for x in sorted(free, key=str)}


# --- numbers --------------------------------------------------------------------------------------


def _agree(now: Any, before: Any) -> bool:
    with mpmath.workprec(2 * AGREEMENT_BITS):
        size = max(abs(now), mpmath.ldexp(1, NEGLIGIBLE_EXPONENT))
        return bool(abs(now - before) <= mpmath.ldexp(size, -AGREEMENT_BITS))


def _ball(x: Any) -> arb:
    mantissa, exponent = x.man_exp
    return arb((int(mantissa) if x > 0 else -int(mantissa), exponent))


def _reference(balls: list[arb], n: int, bits: int) -> Reference:
    gradient, product = balls[1 : n + 1], balls[n + 1 :]
    scales = (_largest(gradient), _largest(product))
    return Reference(balls[0], gradient, scales[0], product, scales[1], range(n), bits)


def _largest(parts: Sequence[arb]) -> list[arb]:
    """The largest size among them, for each."""
    top = arb(0)
    for part in parts:
        top = top.max(abs(part))
    return [top] * len(parts)
