"""Stable form: the same value, written so that floats neither overflow nor cancel.

Numbers that may be huge are carried as ``mantissa * e^exponent``. A sum of exponentials gets one
shift, its largest exponent, which leaves the sum::

    c + sum_j w_j e^{x_j} = e^m (c e^{-m} + sum_j w_j e^{x_j - m})        for every m

so a logarithm of it is ``m + log(...)`` and in a quotient the ``e^m`` cancels: what is left,
``w_i e^{x_i - m} / (c e^{-m} + ...)``, is made of numbers in [0, 1]. The shift ``m`` is the maximum
of 0 (when c is there) and of the ``x_j`` *whose weight is not 0*: a label that is masked by a huge
score and the weight 0 must not decide the scale of the others. Any other weight is not seen: under
a logarithm beside 1, ``m`` is lowered once the sum is known (:func:`derive.scaled.log_with_one`).

The rules that are used here, one line each with domain and counterexample, are in
:mod:`derive.rules`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from sympy import Add, Expr, Indexed, IndexedBase, KroneckerDelta, Mul, Pow, Product, S, Sum, expand
from sympy import exp as exponential
from sympy import log as logarithm

from derive.axis import KEPT, Index, total
from derive.branches import has_delta, name_of, nodes_of, with_arguments
from derive.calculus import free_indices, opened, over, replace_index
from derive.collect import collected, without
from derive.nodes import (
    ArgLargest,
    Largest,
    Sealed,
    Shift,
    finite,
    gated,
    log1p,
    off_top,
    settled,
    sigmoid,
    softplus,
    weighted_exp,
)
from derive.recursion import OfElements, left_out_weights, recursion_form
from derive.reduction import is_reciprocal, left_out, reduction_form, split_sum
from derive.room import ROOM
from derive.scaled import Fraction, Part, Scaled, join, log_with_one, weight_factors
from derive.sigmoids import is_bounded, one_plus_exp, take_sigmoids

# What is already in its stable form.
LEAVES = (Indexed, IndexedBase, KroneckerDelta, Sealed)


def stable_form(expression: Expr) -> Expr:
    """An expression of the same value whose floats stay in range; see the module's text.

    ``derive.nodes.plain`` of the result is equal to the expression for every value of the shifts.
    """
    reduced = reduction_form(recursion_form(expression))
    return _stable(_settled(reduced, _weights(reduced)))


# Each branch of a product is asked, and each branch of that.
@lru_cache(maxsize=KEPT)
def _grows(expression: Expr) -> bool:
    """True when an exponential of something that is not a number occurs."""
    if isinstance(expression, exponential) and not expression.args[0].is_number:
        return True
    return any(map(_grows, expression.args))


# --- dispatch ---


def _stable(expression: Expr) -> Expr:
    if not expression.args or isinstance(expression, LEAVES):
        return expression
    if isinstance(expression, Add):
        return collected([_stable(term) for term in expression.args])
    if isinstance(expression, logarithm):
        return _stable_log(expression.args[0])
    if isinstance(expression, Mul | Sum | Pow) and _grows(expression):
        return _stable_product(expression)
    if isinstance(expression, Sum):
        return _stable_sum(expression)
    if isinstance(expression, Product):
        index, body = opened(expression)
        return over(expression, index, _stable(body))
    return with_arguments(expression, (_stable(argument) for argument in expression.args))


def _stable_sum(expression: Sum) -> Expr:
    """The sum of the stable body; the sign of the body stands before the sum."""
    index, body = opened(expression)
    inner = _stable(body)
    return -total(-inner, index) if inner.could_extract_minus_sign() else total(inner, index)


# --- sums over the other indices ---

# What multiplies an exponential wherever it is summed, by the exponential.
Weights: TypeAlias = dict[Expr, set[Expr]]


def _settled(expression: Expr, weights: Weights) -> Expr:
    """Each ``sum_{k != j} w_k e^{x_k}`` as ``e^m`` and a sum in range, ``m = max_k x_k``.

    Inner ones first, so that sums of such sums are sums of exponentials again. The scale may be
    that of the index left out, the sum then 0: right beside 1 and above a sum, where what is so
    much smaller does not count, but not under a logarithm or a bar of its own.
    """
    if not has_delta(expression) or isinstance(expression, LEAVES):
        return expression
    if isinstance(expression, logarithm | Pow) and not _holds_one(expression.args[0]):
        return expression
    if isinstance(expression, Mul):
        return _spread_settled([_settled(factor, weights) for factor in expression.args])
    if not isinstance(expression, Sum):
        settled_ones = (_settled(argument, weights) for argument in expression.args)
        return with_arguments(expression, settled_ones)
    index, body = opened(expression)
    terms = Add.make_args(_settled(body, weights))
    if not all(_is_settleable(term, index) for term in terms):
        return total(Add(*terms), index)
    return Add(*(_settled_sum(*_gates(term, index), index, weights) for term in terms))


def _is_settleable(term: Expr, index: Index) -> bool:
    return _gates(term, index)[0] != 1 and _grows(term)


def _spread_settled(factors: list[Expr]) -> Expr:
    """The product, opened over sums of settled sums: each has its own scale."""
    for factor in factors:
        if isinstance(factor, Add) and any(nodes_of(term, settled) for term in factor.args):
            rest = without(factors, factor)
            return Add(*(_spread_settled([*rest, term]) for term in factor.args))
    return Mul(*factors)


def _holds_one(expression: Expr) -> bool:
    return isinstance(expression, Add) and S.One in expression.args


def _gates(term: Expr, index: Index) -> tuple[Expr, Expr]:
    """The brackets ``1 - delta_jk`` of a term, and the rest; 1 if that still depends on j."""
    gates = Mul(*left_out(term, index))
    rest = term / gates
    return (gates, rest) if free_indices(gates) & free_indices(rest) <= {index} else (S.One, term)


def _settled_sum(gates: Expr, term: Expr, index: Index, weights: Weights) -> Expr:
    spread = next(filter(_is_sum_of_exps, Mul.make_args(term)), None)
    if spread is not None:
        parts = (term / spread * part for part in spread.args)
        return Add(*(_settled_sum(gates, part, index, weights) for part in parts))
    fraction = _fraction(term)
    outer, own = split_sum(fraction.exponent, index)
    fraction.exponent = S.Zero
    if own == 0:
        return exponential(outer) * settled(total(gates * fraction.value(), index))
    pattern = _pattern(own, index)
    weight = Mul(
        *(f for f in fraction.others if f.xreplace(pattern) in weights[own.xreplace(pattern)])
    )
    shift = _shift_over(own, weight, index)
    fraction.others = without(fraction.others, *weight_factors(weight))
    body = weighted_exp(weight, own - shift) * fraction.value()
    return exponential(outer + shift) * settled(total(gates * body, index))


def _shift_over(exponent: Expr, weight: Expr, index: Index) -> Shift:
    """The largest exponent with a weight, its bound index named by rule: equal ones are one."""
    bound = index.axis.fresh(free_indices(exponent * weight) - {index})
    exponent, weight = (replace_index(part, index, bound) for part in (exponent, weight))
    if weight == 1:
        return Shift(Largest(exponent, bound.axis.limits(bound)))
    return Shift(finite(Largest(gated(exponent, weight), bound.axis.limits(bound))))


def _weights(expression: Expr) -> Weights:
    """For each exponential of a sum over other indices, the factors that all such sums share."""
    found: Weights = {}
    for node in nodes_of(expression, Sum):
        index, body = opened(node)
        gates, rest = _gates(body, index)
        if gates != 1:
            exponent, _, others = _factors(rest)
            own = split_sum(exponent, index)[1]
            pattern = _pattern(own, index)
            factors = {factor.xreplace(pattern) for factor in others}
            found[own.xreplace(pattern)] = found.get(own.xreplace(pattern), factors) & factors
    return found


def _pattern(exponent: Expr, index: Index) -> dict[Index, Index]:
    """Names for the indices of an exponent that are the same wherever it stands."""
    others = sorted(free_indices(exponent) - {index}, key=name_of)
    names = {other: other.axis.index(f"_{place}") for place, other in enumerate(others, start=1)}
    return {index: index.axis.index("_0"), **names}


# --- sums of exponentials ---


def scaled_sum(expression: Expr, room: int = 0) -> Scaled:
    """A positive sum as ``mantissa * e^shift``; see :func:`derive.scaled.join`."""
    return join([_part(term) for term in Add.make_args(expression)], room)


def _part(term: Expr) -> Part:
    """Read one term; a product of several sums is scaled sum by sum."""
    exponent, sums, others = _factors(term)
    mantissa = _stable(Mul(*others))
    if len(sums) == 1:
        index, body = opened(sums[0])
        own, inner, rest = _factors(body)
        weight = _stable(Mul(*inner, *rest))
        return Part(mantissa, exponent, index, weight, own)
    scaled = [scaled_sum(factor) for factor in sums]
    families = tuple(family for each in scaled for family in each.own + each.nested)
    mantissa *= Mul(*(each.mantissa for each in scaled))
    exponent += Add(*(each.exponent for each in scaled))
    return Part(mantissa, exponent, families=families)


def _factors(term: Expr) -> tuple[Expr, list[Sum], list[Expr]]:
    """Exponent, sums of exponentials, and the other factors of a product."""
    exponent, sums, others = S.Zero, [], []
    for factor in Mul.make_args(term):
        if isinstance(factor, exponential):
            exponent += expand(factor.args[0])
        elif isinstance(factor, Sum) and _grows(factor):
            sums.append(factor)
        else:
            others.append(factor)
    return exponent, sums, others


# --- quotients ---


def _stable_product(expression: Expr) -> Expr:
    exponent, sums, others = _factors(expression)
    kept, divisors = _divisors(others)
    divides = bool(divisors) or exponent.has(OfElements)
    spread = next((factor for factor in kept if divides and _is_sum_of_exps(factor)), None)
    if spread is not None:
        rest = expression / spread
        return _stable(Add(*(rest * term for term in spread.args)))
    if not divisors and len(sums) == 1 and exponent == 0:
        return Mul(*map(_stable_power, kept), _stable_sum(sums[0]))
    fraction = _fraction(expression)
    return _share(fraction) if fraction.exponent.has(OfElements) else fraction.value()


def _divisors(factors: list[Expr]) -> tuple[list[Expr], list[tuple[Expr, int]]]:
    """The factors that are no sums of exponentials under a bar; those sums, with their powers."""
    kept, divisors = [], []
    for factor in factors:
        if is_reciprocal(factor) and _is_scaled(factor.base):
            divisors.append((factor.base, -int(factor.exp)))
        else:
            kept.append(factor)
    return kept, divisors


def _is_scaled(base: Expr) -> bool:
    """A sum of exponentials of any size."""
    return isinstance(base, Add | Sum) and _grows(base) and not is_bounded(base)


def _fraction(expression: Expr) -> Fraction:
    """The product, what stands above a sum written in terms of that sum's own shift."""
    exponent, sums, others = _factors(expression)
    kept, divisors = _divisors(others)
    exponent, sigmoids, divisors = take_sigmoids(exponent, divisors)
    fraction = Fraction(exponent, [*map(_stable_power, kept), *sigmoids])
    for base, power in divisors:
        fraction.divide(scaled_sum(base), power)
    for factor in sums:
        _multiply_by_sum(fraction, factor)
    fraction.take_members()
    return fraction


def _share(fraction: Fraction) -> Expr:
    """``w_i e^{x_i + log e - log e'}``: no share where the weight is 0, whatever the score."""
    weights = left_out_weights(fraction.exponent)
    own = [f for f in fraction.others if f.as_base_exp()[0] in weights]
    fraction.others = without(fraction.others, *own)
    exponent, fraction.exponent = fraction.exponent, S.Zero
    return weighted_exp(Mul(*own), exponent) * fraction.value()


def _multiply_by_sum(fraction: Fraction, factor: Sum) -> None:
    index, body = opened(factor)
    exponent, inner, rest = _factors(body)
    if not fraction.take_sum(index, exponent, [_stable(weight) for weight in (*inner, *rest)]):
        scaled = scaled_sum(factor)
        fraction.exponent += scaled.exponent
        fraction.others.append(scaled.mantissa)


def _is_sum_of_exps(factor: Expr) -> bool:
    """A sum with a term that is a multiple of an exponential: each term needs its own scale."""
    if not isinstance(factor, Add):
        return False
    return any(exponent != 0 or sums for exponent, sums, _ in map(_factors, factor.args))


def _stable_power(factor: Expr) -> Expr:
    if not isinstance(factor, Pow):
        return _stable(factor)
    x = one_plus_exp(factor.base)
    if x is not None and not factor.exp.is_Integer and factor.exp.could_extract_minus_sign():
        return sigmoid(-x) ** _stable(-factor.exp)
    return Pow(_stable(factor.base), _stable(factor.exp))


# --- logarithms ---


def _stable_log(argument: Expr) -> Expr:
    if isinstance(argument, Product):
        return _sum_of_logs(argument)
    if isinstance(argument, exponential):
        return _stable(argument.args[0])
    if isinstance(argument, Mul | Pow) and _grows(argument):
        return _log_of_product(argument)
    if _is_scaled(argument):
        return _log_of_sum(argument)
    if isinstance(argument, Add) and S.One in argument.args:
        return log1p(_stable(argument - 1))
    return logarithm(_stable(argument))


def _sum_of_logs(product: Product) -> Expr:
    """``log prod_j f_j = sum_j log f_j``: the product may overflow, the sum does not."""
    index, body = opened(product)
    return total(_stable_log(body), index)


def _log_of_product(argument: Expr) -> Expr:
    exponent, logs, rest = S.Zero, [], []
    for factor in Mul.make_args(argument):
        base, power = (factor.base, factor.exp) if isinstance(factor, Pow) else (factor, S.One)
        if isinstance(factor, exponential):
            exponent += factor.args[0]
        elif isinstance(base, Add | Sum | Product) and _grows(base):
            logs.append(power * _stable_log(base))
        else:
            rest.append(factor)
    if -softplus(exponent) in logs:  # x - softplus(x) = -softplus(-x), without the cancellation
        logs[logs.index(-softplus(exponent))] = -softplus(-exponent)
        exponent = S.Zero
    if rest:
        logs.append(logarithm(_stable(Mul(*rest))))
    return Add(_stable(exponent), *logs)


def _log_of_sum(argument: Expr) -> Expr:
    x = one_plus_exp(argument)
    if x is not None:
        return softplus(x)
    value = _stable(argument)
    if isinstance(value, sigmoid):
        return -softplus(-value.args[0])
    if isinstance(argument, Sum):
        return _log_partition(argument)
    if S.One not in argument.args:
        scaled = scaled_sum(argument)
        return scaled.exponent + logarithm(scaled.mantissa)
    return log_with_one(scaled_sum(argument, room=ROOM))


def _log_partition(argument: Sum) -> Expr:
    """``log sum_j e^{x_j}``: without weights the largest term is taken out as 1."""
    index, body = opened(argument)
    exponent, sums, others = _factors(body)
    if sums or others != []:
        scaled = scaled_sum(argument)
        return scaled.exponent + logarithm(scaled.mantissa)
    limits = index.axis.limits(index)
    shift = Shift(Largest(exponent, limits))
    rest = off_top(exponential(exponent - shift), index, ArgLargest(exponent, limits))
    return shift + log1p(total(rest, index))
