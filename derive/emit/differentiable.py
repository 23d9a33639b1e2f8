"""The words of a file whose loss takes part in automatic differentiation.

Such a file has the value with its gradient, the Hessian-vector product, and around them what the
library wants: ``d value = gradient . ds`` and ``d gradient = H ds``.
"""

from __future__ import annotations

from derive.emit.formula import Formula

SUFFIX = "_value_and_grad"


def words(formula: Formula, along: Formula) -> dict[str, str]:
    """What the templates of torch and jax have places for."""
    arrays = [str(array) for array in formula.arrays]
    scalars = [str(a) for a in formula.arguments if str(a) not in arrays]
    loss = loss_name(formula)
    return {
        "loss": loss,
        "camel": "".join(part.capitalize() for part in loss.split("_")),
        "joint": formula.name,
        "along": along.name,
        "signature": formula.signature(),
        "parameters": formula.signature().removeprefix(", ".join(arrays)),
        "names": ", ".join([*arrays, *scalars]),
        "arrays": ", ".join(arrays),
        "labels": ", ".join(arrays[1:]),
        "scalars": ", ".join(scalars) + "," * (len(scalars) == 1),
        "further": "".join(f", {name}" for name in scalars),
        "others": str(len(formula.arguments) - 1),
        "spread": ", ".join(["...", *["None"] * len(formula.indices)]),
        "axes": str(tuple(range(-len(formula.indices), 0))),
    }


def loss_name(formula: Formula) -> str:
    """``soft_zlpr`` for the formula ``soft_zlpr_value_and_grad``."""
    name = formula.name.removesuffix(SUFFIX)
    return name if name != formula.name else f"{name}_loss"
