"""From a loss to what can be emitted: the results of its derivations as formulas.

Nothing is emitted that is not proved: the expression of a formula is the last step of a derivation
that holds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

from derive.axis import Index
from derive.derivation import Derivation
from derive.emit import Formula
from derive.emit.formula import Argument, Result
from derive.losses import loss_named
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import s, v

#: The quantities that every loss has.
QUANTITIES = ("value", "gradient", "value_and_grad", "hvp", "hessian")
#: Value and gradient in one, and what their derivatives need besides.
VALUE_AND_GRAD = "value_and_grad"


# What there is one value for, by the number of indices of a score.
_ROWS = {1: "row by row", 2: "grid by grid of samples and classes"}


class NotProved(RuntimeError):
    """A derivation has a step that is not proved: nothing rests on it."""


@cache
def formula_of(name: str, quantity: str) -> Formula:
    """The formula of one quantity of a loss, ready for :func:`derive.emit.emit`.

    Raises ``ValueError`` for a loss or a quantity that is not known and :class:`NotProved` where
    the derivation does not hold.
    """
    loss = loss_named(name)
    if quantity not in QUANTITIES:
        raise ValueError(f"no quantity {quantity!r}: choose one of {', '.join(QUANTITIES)}")
    if quantity == VALUE_AND_GRAD:
        return _value_and_grad(name)
    derivation = proved(loss, quantity) if quantity in loss.topics else None
    result = loss.value if quantity == "value" or derivation is None else derivation.result
    return Formula(
        name=f"{name}_{quantity}",
        expression=result,
        outputs=_outputs(loss, quantity),
        arguments=_arguments(loss, quantity),
        defaults={str(symbol): default for symbol, default in loss.parameters},
        claims=(f"{name}.{quantity}", *(derivation.claims if derivation else ())),
        doc=f"{quantity.capitalize()} of {name}, {_ROWS[len(loss.indices)]}.",
    )


def _value_and_grad(name: str) -> Formula:
    """Both results of the same arguments; the gradient changes along a vector as the hvp says."""
    value, gradient = formula_of(name, "value"), formula_of(name, "gradient")
    return replace(
        value,
        name=f"{name}_{VALUE_AND_GRAD}",
        claims=tuple(dict.fromkeys((f"{name}.{VALUE_AND_GRAD}", *value.claims, *gradient.claims))),
        doc=value.doc.replace("Value", "Value and gradient", 1),
        also=(Result("gradient", gradient.expression, gradient.outputs),),
        along=partial(formula_of, name, "hvp"),
    )


def proved(loss: SymbolicLoss, topic: str) -> Derivation:
    """The derivation of a topic, if every step of it is proved."""
    derivation = loss.derive(topic)
    if not derivation.holds:
        broken = next(step for step in derivation.steps if not step.holds)
        raise NotProved(f"{derivation.id}: step {broken.rule!r} is {broken.decision}")
    return derivation


def _outputs(loss: SymbolicLoss, quantity: str) -> tuple[Index, ...]:
    """The free indices of a quantity: those of a score, and of another one for the Hessian."""
    if quantity == "value":
        return ()
    return loss.indices + loss.others if quantity == "hessian" else loss.indices


def _arguments(loss: SymbolicLoss, quantity: str) -> tuple[Argument, ...]:
    vector = (v,) if quantity == "hvp" else ()
    return (s, loss.labels, *vector, *(symbol for symbol, _ in loss.parameters))
