"""Capture-safe differentiation of expressions with sums and products over symbolic axes.

The derivative of an indexed entry is ``d s_j / d s_i = delta_ij``; everything else is the chain
rule. Two things go wrong in general tools and are guarded here: a bound index that has the name of
the index of differentiation is renamed first (SymPy differentiates by the bound index instead,
sympy#21891), and deltas are sifted by the axis of the index, so that no ``Piecewise`` and no
leaked index is left (sympy#27359).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TypeAlias

from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    IndexedBase,
    KroneckerDelta,
    Mul,
    Pow,
    Product,
    S,
    Sum,
    Symbol,
    log,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import Function

from derive.axis import KEPT, Index, total
from derive.branches import has_delta, nodes_of, with_arguments
from derive.coefficients import Coefficient, OrderSum
from derive.ramps import Largest, leads

Variable: TypeAlias = Indexed | Symbol
Aggregate: TypeAlias = Sum | Product


class Partial(Expr):
    """An unevaluated partial derivative ``d expression / d variable``."""

    @property
    def expression(self) -> Expr:
        """What is differentiated."""
        return self.args[0]

    @property
    def variable(self) -> Variable:
        """What it is differentiated by."""
        return self.args[1]


def opened(aggregate: Aggregate, taken: Collection[Index] = ()) -> tuple[Index, Expr]:
    """The outermost bound index and what is summed (or multiplied) over it.

    SymPy flattens nested sums into one with several limits, the outermost last; this undoes it.
    The index is renamed when ``taken`` holds it: inner sums are renamed along, as they must be.
    """
    *inner, limits = aggregate.limits
    index = limits[0]
    if not isinstance(index, Index) or limits != index.axis.limits(index):
        raise ValueError(
            f"{aggregate} does not run over a whole axis: write it with Axis.sum or Axis.product"
        )
    body = aggregate.func(aggregate.function, *inner) if inner else aggregate.function
    if index not in taken:
        return index, body
    fresh = index.axis.fresh({*taken, *indices_of(aggregate)})
    return fresh, renamed(body, {index: fresh})


def over(aggregate: Aggregate, index: Index, body: Expr) -> Expr:
    """A sum (or product) of the same kind over the whole axis of ``index``."""
    return aggregate.func(body, index.axis.limits(index))


# Every mutant shares all but one branch of its tree with the others; each branch is searched once.
@lru_cache(maxsize=KEPT)
def indices_of(expression: Expr) -> frozenset[Index]:
    """Every index that occurs, free or bound."""
    if isinstance(expression, Index):
        return frozenset((expression,))
    return frozenset().union(*(indices_of(argument) for argument in expression.args))


def renamed(expression: Expr, names: Mapping[Index, Index]) -> Expr:
    """Every index that has another name under it, all at once, the bound ones too."""
    return _renamed(expression, tuple((old, new) for old, new in names.items() if old != new))


# A printer renames an expression, then each of its branches, and has most of them again.
@lru_cache(maxsize=KEPT)
def _renamed(expression: Expr, names: tuple[tuple[Index, Index], ...]) -> Expr:
    occurring = indices_of(expression)
    own = tuple(pair for pair in names if pair[0] in occurring)
    if not own:
        return expression
    if isinstance(expression, Index):
        return own[0][1]
    arguments = (_renamed(argument, own) for argument in expression.args)
    if isinstance(expression, Indexed):
        return entry(*arguments)
    new = {name for _, name in own}
    image = expression.func(*arguments)
    return image if new & occurring or len(new) < len(own) else _known_as(image, expression)


def _known_as(image: Expr, expression: Expr) -> Expr:
    """The expression under new names, of which SymPy knows what it knows of the expression.

    It asks each exponent whether it is 0, and seldom finds out, after a search of all that is
    assumed.
    """
    is_new = type(image) is type(expression) and image._assumptions is image.default_assumptions
    if is_new and expression._assumptions is not expression.default_assumptions:
        image._assumptions = expression._assumptions.copy()
    return image


@lru_cache(maxsize=KEPT)
def entry(base: IndexedBase, *indices: Expr) -> Indexed:
    """``base[indices]``: SymPy makes each entry anew and works out what is assumed of it."""
    return Indexed(base, *indices)


@lru_cache(maxsize=KEPT)
def free_indices(expression: Expr) -> frozenset[Index]:
    """The indices that occur free."""
    if isinstance(expression, Index):
        return frozenset((expression,))
    if isinstance(expression, ExprWithLimits):
        bound = {limits[0] for limits in expression.limits}
        return free_indices(expression.function) - bound
    return frozenset().union(*(free_indices(argument) for argument in expression.args))


def derivative(expression: Expr, variable: Variable) -> Expr:
    """``d expression / d variable`` with deltas left in place."""
    if isinstance(expression, Partial):
        return derivative(resolve(expression), variable)
    if isinstance(expression, Indexed):
        return _derivative_of_entry(expression, variable)
    if isinstance(expression, Symbol):
        return S.One if expression == variable else S.Zero
    if isinstance(expression, Sum | Product):
        return _derivative_of_aggregate(expression, variable)
    if isinstance(expression, Largest):
        return _derivative_of_largest(expression, variable)
    if isinstance(expression, Coefficient | OrderSum):
        return _derivative_inside(expression, variable)
    if isinstance(expression, Add):
        return Add(*(derivative(term, variable) for term in expression.args))
    if isinstance(expression, Mul):
        return _derivative_of_product(expression.args, variable)
    if isinstance(expression, Pow):
        return _derivative_of_power(expression, variable)
    if isinstance(expression, KroneckerDelta) or not expression.args:
        return S.Zero
    if isinstance(expression, Abs):
        (x,) = expression.args
        return expression / x * derivative(x, variable)  # off the kink
    if isinstance(expression, Function):
        return Add(
            *(
                expression.fdiff(position) * derivative(argument, variable)
                for position, argument in enumerate(expression.args, start=1)
            )
        )
    raise TypeError(f"cannot differentiate {type(expression).__name__}: {expression}")


def _derivative_of_entry(entry: Indexed, variable: Variable) -> Expr:
    if not isinstance(variable, Indexed) or entry.base != variable.base:
        return S.Zero
    pairs = zip(entry.indices, variable.indices, strict=True)
    return Mul(*(KroneckerDelta(a, b) for a, b in pairs))


def _derivative_of_aggregate(aggregate: Aggregate, variable: Variable) -> Expr:
    taken = free_indices(variable) if isinstance(variable, Indexed) else frozenset()
    index, body = opened(aggregate, taken)
    slope = derivative(body, variable)
    if slope == 0:
        return S.Zero
    if isinstance(aggregate, Sum):
        return over(aggregate, index, slope)
    # Logarithmic derivative: the factors of the products used here are positive.
    return aggregate * total(slope / body, index)


def _derivative_of_largest(largest: Largest, variable: Variable) -> Expr:
    """That of the entry which is the largest, ``sum_k leads_k df_k``."""
    taken = free_indices(variable) if isinstance(variable, Indexed) else frozenset()
    index, body = opened(largest, taken)
    slope = derivative(body, variable)
    return S.Zero if slope == 0 else index.axis.sum(leads(largest, index) * slope, index)


def _derivative_inside(node: Coefficient | OrderSum, variable: Variable) -> Expr:
    """``d [z^k] F = [z^k] dF``, and a sum over orders term by term: the orders are no variables."""
    body, *others = node.args
    if any(derivative(order, variable) != 0 for order in others[1:]):
        raise ValueError(f"{node} cannot be differentiated by {variable}: its order depends on it")
    return node.func(derivative(body, variable), *others)


def _derivative_of_product(factors: tuple[Expr, ...], variable: Variable) -> Expr:
    terms = []
    for position, factor in enumerate(factors):
        slope = derivative(factor, variable)
        if slope != 0:
            terms.append(Mul(*factors[:position], slope, *factors[position + 1 :]))
    return Add(*terms)


def _derivative_of_power(power: Pow, variable: Variable) -> Expr:
    base, exponent = power.args
    slope = exponent * base ** (exponent - 1) * derivative(base, variable)
    growth = derivative(exponent, variable)
    return slope + power * log(base) * growth if growth != 0 else slope


def sift(expression: Expr) -> Expr:
    """Carry out every ``sum_j delta_ij f_j = f_i`` and contract ``delta_ij`` powers."""
    if not has_delta(expression):
        return expression
    if isinstance(expression, Sum):
        return _sift_sum(expression)
    if isinstance(expression, Pow) and isinstance(expression.base, KroneckerDelta):
        return expression.base if expression.exp.is_positive else expression
    if not expression.args or isinstance(expression, Indexed | KroneckerDelta):
        return expression
    return with_arguments(expression, (sift(argument) for argument in expression.args))


@lru_cache(maxsize=KEPT)
def _has_partial(expression: Expr) -> bool:
    return isinstance(expression, Partial) or any(map(_has_partial, expression.args))


def _sift_sum(aggregate: Sum) -> Expr:
    index, body = opened(aggregate)
    body = sift(body)
    if not any(index in delta.args for delta in nodes_of(body, KroneckerDelta)):
        return over(aggregate, index, body)
    sifted, kept = [], []
    for term in _terms_by_delta(body):
        target = _delta_target(term, index)
        if target is None:
            kept.append(term)
        else:
            sifted.append(replace_index(term, index, target))
    return Add(*sifted, *([over(aggregate, index, Add(*kept))] if kept else []))


def _terms_by_delta(body: Expr) -> list[Expr]:
    """The terms of ``body``, with only those brackets opened that hide a delta."""
    if isinstance(body, Add):
        return [term for argument in body.args for term in _terms_by_delta(argument)]
    for factor in Mul.make_args(body):
        if isinstance(factor, Add) and has_delta(factor):
            rest = body / factor
            return [term for part in factor.args for term in _terms_by_delta(rest * part)]
    return [body]


def _delta_target(term: Expr, index: Index) -> Index | None:
    """The index that a delta factor of ``term`` ties ``index`` to, if there is one."""
    for factor in Mul.make_args(term):
        if isinstance(factor, KroneckerDelta) and index in factor.args:
            other = next(argument for argument in factor.args if argument != index)
            if not isinstance(other, Index) or other.axis != index.axis:
                raise ValueError(
                    f"{factor} ties {index} of the axis {index.axis.name!r} to {other}, which does "
                    "not run over the same axis"
                )
            return other
    return None


@lru_cache(maxsize=KEPT)
def replace_index(expression: Expr, index: Index, target: Index) -> Expr:
    """Substitute a free index; bound indices of the target's name are renamed before."""
    if index not in free_indices(expression):
        return expression
    if isinstance(expression, ExprWithLimits):
        bound, body = opened(expression, {target})
        return over(expression, bound, replace_index(body, index, target))
    if isinstance(expression, Index):
        return target
    arguments = (replace_index(argument, index, target) for argument in expression.args)
    if isinstance(expression, Indexed):
        return entry(*arguments)
    image = expression.func(*arguments)
    return image if target in free_indices(expression) else _known_as(image, expression)


def alike(left: Expr, right: Expr) -> bool:
    """True when the two differ in the names of bound indices at most."""
    return bound_by_depth(left) == bound_by_depth(right)


@lru_cache(maxsize=KEPT)
def bound_by_depth(expression: Expr, depth: int = 0) -> Expr:
    """The expression with each bound index named by the number of sums and products around it."""
    if isinstance(expression, Sum | Product):
        index, body = opened(expression)
        name = index.axis.index(f"_bound_{depth}")
        return over(expression, name, bound_by_depth(replace_index(body, index, name), depth + 1))
    if not expression.args or isinstance(expression, Indexed):
        return expression
    named = (bound_by_depth(argument, depth) for argument in expression.args)
    return with_arguments(expression, named)


def under_names(expression: Expr, names: Mapping[Expr, Expr]) -> Expr:
    """Derivatives carried out, then each named part, sifted or not, by its name.

    What holds whatever the names stand for holds of the expression.
    """
    by_indices: dict[frozenset[Index], dict[Expr, Expr]] = {}
    for part, name in names.items():
        by_indices.setdefault(free_indices(part), {})[part] = name
    return _under_names(resolve(expression), by_indices, {})


_Names = dict[Expr, Expr]


def _under_names(
    expression: Expr,
    by_indices: Mapping[frozenset[Index], _Names],
    forms: dict[frozenset[Index], _Names],
) -> Expr:
    """``forms`` are the parts by their free indices, as far as they have been asked for."""
    if not _has_sum(expression):
        return expression
    free = free_indices(expression)
    if free in by_indices:
        if free not in forms:
            forms[free] = _forms(by_indices[free])
        name = forms[free].get(bound_by_depth(expression))
        if name is not None:
            return name
    parts = (_under_names(part, by_indices, forms) for part in expression.args)
    return with_arguments(expression, parts)


def _forms(names: _Names) -> _Names:
    """The names by how their parts may be written."""
    return {bound_by_depth(form): n for part, n in names.items() for form in (part, sift(part))}


@lru_cache(maxsize=KEPT)
def _has_sum(expression: Expr) -> bool:
    return isinstance(expression, Sum) or any(map(_has_sum, expression.args))


def map_entries(expression: Expr, array: IndexedBase, image: Callable[..., Expr]) -> Expr:
    """Replace every entry ``array[i, ...]`` by ``image(i, ...)``."""
    return expression.replace(
        lambda node: isinstance(node, Indexed) and node.base == array,
        lambda node: image(*node.indices),
    )


def resolve(expression: Expr) -> Expr:
    """Carry out every :class:`Partial` in the expression, innermost first, and sift."""
    if isinstance(expression, Partial):
        return sift(derivative(resolve(expression.expression), expression.variable))
    if not _has_partial(expression):
        return expression
    return with_arguments(expression, (resolve(argument) for argument in expression.args))


def partial(expression: Expr, *variables: Variable) -> Expr:
    """The unevaluated derivative by each variable in turn."""
    for variable in variables:
        expression = Partial(expression, variable)
    return expression
