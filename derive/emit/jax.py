"""Target ``jax``: functions on arrays, and a loss that takes part in automatic differentiation.

A value and its gradient come as one ``custom_jvp`` function with the rule

    d value = gradient . ds,    d gradient = H ds

with the Hessian-vector product that is derived. The rule is linear in ``ds``, and JAX transposes
it: forward and reverse, the first and the second derivative are the derived ones, and a third is
JAX's own, of the latter.
"""

from __future__ import annotations

from string import Template

from derive.emit.array_api import FunctionText, file, function
from derive.emit.differentiable import words
from derive.emit.formula import Formula
from derive.emit.recursions import Dialect

MOST = '''
def most(order, x):
    """The largest order of the batch; while it is being traced, the length it cannot exceed."""
    if not isinstance(order, jax.Array):
        return max(0, int(order))
    return x.shape[-1] if isinstance(order, jax.core.Tracer) else max(0, int(jnp.max(order)))
'''
JAX = Dialect("jax", "jnp", device=False, most=MOST)

RULE = Template(
    '''
@partial(${joint}.defjvp, symbolic_zeros=True)
def differentiate(${before}primals, tangents):
    """By s alone: what else varies would have been left out in silence."""
    if any(type(other) is not SymbolicZero for other in tangents[1:]):
        raise NotImplementedError(
            "$loss has derivatives by s alone: stop the gradients of all else"
        )
    $varied = primals
    value, gradient = ${joint}($names)
    change = jnp.sum(gradient * tangents[0], axis=$axes)
    along = ${along}($arrays, tangents[0]$further)
    return (value, gradient), (change, along)
'''.strip("\n")
)

LOSS = Template(
    '''
def $loss($signature):
    """The loss of each row; differentiable by s, twice, forward and reverse.

    Half precision is computed in float32 and rounded once; float64 stays. Other arrays are taken to
    the precision of s. Raises TypeError where s is not floating point.
    """
    s = jnp.asarray(s)
    if not jnp.issubdtype(s.dtype, jnp.floating):
        raise TypeError(f"s is of {s.dtype}: give a floating-point array")
    narrow, wide = s.dtype, jnp.promote_types(s.dtype, jnp.float32)
    $arrays = jnp.broadcast_arrays(*(jnp.asarray(each, dtype=wide) for each in ($arrays)))
    return ${joint}($names)[0].astype(narrow)
'''.strip("\n")
)


def jax_source(formula: Formula) -> str:
    """A file that imports JAX alone; with the loss itself where its derivatives are known.

    A single quantity is a function of arrays, computed in their dtype.
    """
    plain = function(formula, JAX)
    if formula.along is None:
        return file(formula, JAX, ["import jax", "import jax.numpy as jnp"], [plain])
    along = formula.along()
    fixed = _orders(formula)
    every = words(formula, along)
    before = "".join(f"{formula.arguments[place]}, " for place in fixed)
    varied = [str(a) for place, a in enumerate(formula.arguments) if place not in fixed]
    every |= {"before": before, "varied": ", ".join(varied)}
    wrapped = FunctionText([_decorator(fixed), *plain.lines], plain.loops)
    imports = [
        "from functools import partial",
        "",
        "import jax",
        "import jax.numpy as jnp",
        "from jax.custom_derivatives import SymbolicZero",
    ]
    rest = [RULE.substitute(every), LOSS.substitute(every)]
    return file(formula, JAX, imports, [wrapped, function(along, JAX)], rest)


def _orders(formula: Formula) -> list[int]:
    """The places of orders among the arguments: whole numbers, known when the loss is traced."""
    orders = {name for name, default in formula.defaults.items() if not isinstance(default, float)}
    return [place for place, a in enumerate(formula.arguments) if str(a) in orders]


def _decorator(fixed: list[int]) -> str:
    if not fixed:
        return "@jax.custom_jvp"
    return f"@partial(jax.custom_jvp, nondiff_argnums={tuple(fixed)})"
