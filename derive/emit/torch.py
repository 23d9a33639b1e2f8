"""Target ``torch``: functions on tensors, and a loss that takes part in automatic differentiation.

A value and its gradient come as one ``autograd.Function`` with both as outputs. Its backward is
``ct_value * gradient + H ct_gradient`` with the Hessian-vector product that is derived, so that the
first and the second derivative are the derived ones; a third is PyTorch's own, of the latter.
"""

from __future__ import annotations

from string import Template

from derive.emit.array_api import file, function
from derive.emit.differentiable import words
from derive.emit.formula import Formula
from derive.emit.recursions import Dialect

MOST = '''
def most(order, x):
    """The largest order of the batch; where torch.compile or vmap hides it, the length."""
    if torch.is_tensor(order) and torch.compiler.is_compiling():
        return x.shape[-1]
    try:
        return max(0, int(order.max() if torch.is_tensor(order) else order))
    except RuntimeError:
        return x.shape[-1]
'''
# torch.max over an axis gives places as well, and moveaxis has no rule for vmap; torch.roll and
# torch.flip know axes as dims only.
TORCH = Dialect(
    "torch",
    "torch",
    device=True,
    words={"max": "amax", "moveaxis": "movedim"},
    phrases={
        r"roll\((.+?), axis=-1\)": r"roll(\1, dims=-1)",
        r"flip\((\w+), axis=-1\)": r"flip(\1, dims=(-1,))",
    },
    most=MOST,
)

DIFFERENTIABLE = Template(
    '''
class ${camel}Function(torch.autograd.Function):
    """Value and gradient by s; the derivatives of both are derived, not traced."""

    generate_vmap_rule = True

    @staticmethod
    def forward($names):
        return ${joint}($names)

    @staticmethod
    def setup_context(ctx, inputs, output):
        $names = inputs
        ctx.save_for_backward($arrays, output[1])
        ctx.scalars = ($scalars)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, by_value, by_gradient):
        if any(ctx.needs_input_grad[1:]):
            raise NotImplementedError(
                "$loss has derivatives by s alone: detach all else"
            )
        $arrays, gradient = ctx.saved_tensors
        parts = []
        if by_value is not None:
            parts.append(by_value[$spread] * gradient)
        if by_gradient is not None:
            parts.append(${along}($arrays, by_gradient, *ctx.scalars))
        return (sum(parts) if parts else None, *[None] * $others)


def $loss($signature, *, reduction="none"):
    """The loss of each row, or the mean or sum over all rows; differentiable twice by s.

    Half precision, also that of autocast, is computed in float32 and rounded once; float64 stays.
    Other arrays are taken to the precision of s. Raises TypeError where s is not floating point.
    """
    if not s.is_floating_point():
        raise TypeError(f"s is of {s.dtype}: give a floating-point tensor")
    narrow, wide = s.dtype, torch.promote_types(s.dtype, torch.float32)
    $arrays = torch.broadcast_tensors(*(each.to(wide) for each in ($arrays)))
    value, _ = ${camel}Function.apply($names)
    if reduction == "mean":
        value = value.mean()
    elif reduction == "sum":
        value = value.sum()
    elif reduction != "none":
        raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
    return value.to(narrow)


class $camel(torch.nn.Module):
    """The loss as a module of s and $labels, reduced to a mean unless told otherwise."""

    def __init__(self$parameters, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"no reduction {reduction!r}: choose none, mean or sum")
        self.reduction = reduction
        self.scalars = ($scalars)

    def forward(self, $arrays):
        return $loss($arrays, *self.scalars, reduction=self.reduction)
'''.strip("\n")
)


def torch_source(formula: Formula) -> str:
    """A file that imports PyTorch alone; with the loss as a module where its derivatives are known.

    A single quantity is a function of tensors, computed in their dtype.
    """
    functions = [function(formula, TORCH)]
    rest = []
    if formula.along is not None:
        along = formula.along()
        functions.append(function(along, TORCH))
        rest.append(DIFFERENTIABLE.substitute(words(formula, along)))
    return file(formula, TORCH, ["import torch"], functions, rest)
