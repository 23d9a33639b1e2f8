"""Stable form: the same value, written so that floats neither overflow nor cancel.

Numbers that may be huge are carried as ``mantissa * e^exponent``. A sum of exponentials gets one
shift, its largest exponent, which leaves the sum::

    c + sum_j w_j e^{x_j} = e^m (c e^{-m} + sum_j w_j e^{x_j - m})        for every m

so a logarithm of it is ``m + log(...)`` and in a quotient the ``e^m`` cancels: what is left,
``w_i e^{x_i - m} / (c e^{-m} + ...)``, is made of numbers in [0, 1]. The shift ``m`` is the maximum
of 0 (when c is there) and of the ``x_j`` *whose weight is not 0*: a label that is masked by a huge
score and the weight 0 must not decide the scale of the others.

The rules that are used here, one line each with domain and counterexample, are in
:mod:`derive.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from sympy import Add, Expr, Indexed, IndexedBase, KroneckerDelta, Mul, Pow, Product, S, Sum
from sympy import exp as exponential
from sympy import expand
from sympy import log as logarithm

from derive.axis import Index, total
from derive.calculus import free_indices, opened, over, replace_index
from derive.nodes import (
    ArgLargest,
    Largest,
    Shift,
    expm1,
    finite,
    gated,
    larger,
    log1p,
    off_top,
    quotient,
    sigmoid,
    softplus,
    weighted_exp,
)
from derive.reduction import is_reciprocal, reduction_form, split_factor

# Exponents up to this are not shifted inside log(1 + sum): e^60 = 1e26, so a float32 sum of 1e12
# such terms is finite (3e38), and 1 + sum is formed without cancellation whenever the sum is tiny.
ROOM = 60


def stable_form(expression: Expr) -> Expr:
    """An expression of the same value whose floats stay in range; see the module's text.

    ``derive.nodes.plain`` of the result is equal to the expression for every value of the shifts.
    """
    return _stable(reduction_form(expression))


@dataclass(frozen=True)
class Family:
    """Terms ``weight_j e^{exponent_j + offset}`` of a shifted sum; an index of None: one term."""

    index: Index | None
    weight: Expr
    exponent: Expr
    offset: Expr

    def at(self, index: Index | None) -> Family:
        """The member at another index."""
        if self.index is None or index is None or index == self.index:
            return self
        weight = replace_index(self.weight, self.index, index)
        exponent = replace_index(self.exponent, self.index, index)
        return Family(index, weight, exponent, self.offset)

    @property
    def term(self) -> Expr:
        """The member as a node."""
        return weighted_exp(self.weight, self.exponent + self.offset)


@dataclass(frozen=True)
class Scaled:
    """``mantissa * e^exponent``, and the families whose members it is made of."""

    mantissa: Expr
    exponent: Expr
    families: tuple[Family, ...] = ()


def _grows(expression: Expr) -> bool:
    """True when an exponential of something that is not a number occurs."""
    return any(not e.args[0].is_number for e in expression.atoms(exponential))


# --- dispatch ---


def _stable(expression: Expr) -> Expr:
    if not expression.args or isinstance(expression, Indexed | IndexedBase | KroneckerDelta):
        return expression
    if isinstance(expression, Add):
        return _collected([_stable(term) for term in expression.args])
    if isinstance(expression, logarithm):
        return _stable_log(expression.args[0])
    if isinstance(expression, Mul | Sum | Pow) and _grows(expression):
        return _stable_product(expression)
    if isinstance(expression, Sum | Product):
        index, body = opened(expression)
        return over(expression, index, _stable(body))
    return expression.func(*(_stable(argument) for argument in expression.args))


def _collected(terms: list[Expr]) -> Expr:
    """The sum with what several terms share as one quotient taken out: ``p_i (v_i - sum p v)``."""
    if len(terms) == 2 and S.One in terms:
        other = next(term for term in terms if term != S.One)
        if isinstance(-other, sigmoid):
            return sigmoid(-(-other).args[0])
    terms = list(Add.make_args(Add(*terms)))
    quotients = [
        factor
        for term in terms
        for factor in Mul.make_args(term)
        if isinstance(factor, quotient) and free_indices(factor)
    ]
    for shared in dict.fromkeys(quotients):
        inside = [term for term in terms if shared in Mul.make_args(term)]
        if len(inside) > 1:
            outside = [term for term in terms if term not in inside]
            rest = Add(*(Mul(*_without(Mul.make_args(term), shared)) for term in inside))
            return _collected([*outside, shared * rest]) if outside else shared * rest
    return Add(*terms)


def _without(factors: Iterable[Expr], *gone: Expr) -> list[Expr]:
    kept = list(factors)
    for factor in gone:
        kept.remove(factor)
    return kept


# --- sums of exponentials ---


@dataclass(frozen=True)
class Part:
    """One term of a sum: ``mantissa e^exponent``, times ``sum_index weight e^own`` if indexed."""

    mantissa: Expr
    exponent: Expr
    index: Index | None = None
    weight: Expr = S.One
    own: Expr = S.Zero
    families: tuple[Family, ...] = ()

    @property
    def largest(self) -> Expr:
        """The exponent that decides the scale of this term."""
        if self.index is None:
            return _gate(self.exponent, self.mantissa)
        return Largest(
            _gate(self.own + self.exponent, self.weight), self.index.axis.limits(self.index)
        )

    def shifted(self, shift: Expr) -> tuple[Expr, Family | None]:
        """The term with ``e^shift`` taken out, and the family that it belongs to."""
        if self.index is not None:
            family = Family(self.index, self.weight, self.own, self.exponent - shift)
            return self.mantissa * total(family.term, self.index), family
        if self.exponent == 0 or not free_indices(self.mantissa):
            return self.mantissa * exponential(self.exponent - shift), None
        family = Family(None, self.mantissa, self.exponent, -shift)
        return family.term, family


def _gate(exponent: Expr, weight: Expr) -> Expr:
    return gated(exponent, weight) if free_indices(weight) else exponent


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
    families = tuple(family for each in scaled for family in each.families)
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


def scaled_sum(expression: Expr, room: int = 0) -> Scaled:
    """A positive sum as ``mantissa * e^shift`` with the shift that keeps the mantissa in range."""
    parts = [_part(term) for term in Add.make_args(expression)]
    shift = _shift([part.largest for part in parts], room)
    terms = [part.shifted(shift) for part in parts]
    own = tuple(family for _, family in terms if family is not None)
    nested = tuple(family for part in parts for family in part.families)
    return Scaled(Add(*(term for term, _ in terms)), shift, own + nested)


def _shift(exponents: list[Expr], room: int) -> Shift:
    distinct = list(dict.fromkeys(exponents))
    if len(distinct) == 1:
        only = distinct[0]
        return Shift(finite(only) if only.has(gated) else only)
    others = [exponent for exponent in distinct if exponent != 0]
    largest = reduce(larger, others)
    return Shift(larger(largest - room, S.Zero) if S.Zero in distinct else largest)


# --- quotients ---


@dataclass
class Fraction:
    """A product being put together: ``e^exponent * prod numerators / prod denominators``."""

    exponent: Expr
    others: list[Expr]
    numerators: list[Expr] = field(default_factory=list)
    denominators: list[Expr] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)

    def divide(self, base: Expr, power: int) -> None:
        """Divide by ``base ** power``, a sum of exponentials."""
        scaled = scaled_sum(base)
        self.exponent -= power * scaled.exponent
        self.denominators += [scaled.mantissa] * power
        self.families += list(scaled.families) * power

    def multiply_by_sum(self, factor: Sum) -> None:
        """Multiply by a sum over exponentials, under the shift of a denominator if one fits."""
        index, body = opened(factor)
        exponent, inner, rest = _factors(body)
        weights = [_stable(weight) for weight in (*inner, *rest)]
        for family in self.families:
            member = family.at(index)
            if member.exponent == exponent and _divides(member.weight, weights):
                weights = _without(weights, *_weights(member.weight))
                self._take(family)
                self.exponent -= family.offset
                self.numerators.append(total(Mul(member.term, *weights), index))
                return
        scaled = scaled_sum(factor)
        self.exponent += scaled.exponent
        self.numerators.append(scaled.mantissa)

    def multiply_by_members(self) -> None:
        """Write exponentials in the numerator as members of the families of denominators."""
        self.exponent = expand(self.exponent)
        for family in tuple(self.families):
            for index in sorted(free_indices(self.exponent), key=str):
                self._try(family, index)

    def _try(self, family: Family, index: Index) -> None:
        if family not in self.families or not _same_axis(family.index, index):
            return
        member = family.at(index)
        left = expand(self.exponent - member.exponent)
        if len(Add.make_args(left)) >= len(Add.make_args(self.exponent)) and left != 0:
            return
        weight = member.weight if _divides(member.weight, self.others) else S.One
        self.others = _without(self.others, *_weights(weight))
        self._take(family)
        self.numerators.append(weighted_exp(weight, member.exponent + member.offset))
        self.exponent = expand(left - member.offset)

    def _take(self, family: Family) -> None:
        self.families.remove(family)

    def value(self) -> Expr:
        """The product: denominators divide what belongs to them, so that each quotient is small."""
        scale, numerators, denominators = expand(self.exponent), self.numerators, self.denominators
        if scale != 0:
            numerators = [exponential(scale), *numerators]
        pairs = min(len(numerators), len(denominators))
        quotients = [
            quotient(a, b) for a, b in zip(numerators[:pairs], denominators[:pairs], strict=True)
        ]
        inverse = [1 / b for b in denominators[pairs:]]
        return Mul(*self.others, *quotients, *numerators[pairs:], *inverse)


def _same_axis(own: Index | None, index: Index) -> bool:
    return own is None or own.axis == index.axis


def _weights(weight: Expr) -> list[Expr]:
    return [] if weight == 1 else list(Mul.make_args(weight))


def _divides(weight: Expr, factors: list[Expr]) -> bool:
    return all(factors.count(part) >= 1 for part in _weights(weight))


def _stable_product(expression: Expr) -> Expr:
    exponent, sums, others = _factors(expression)
    kept, divisors = [], []
    for factor in others:
        if is_reciprocal(factor) and isinstance(factor.base, Add | Sum) and _grows(factor.base):
            divisors.append((factor.base, -int(factor.exp)))
        else:
            kept.append(factor)
    exponent, sigmoids, divisors = _take_sigmoids(exponent, divisors)
    fraction = Fraction(exponent, [*map(_stable_power, kept), *sigmoids])
    if not divisors and len(sums) == 1 and exponent == 0:
        index, body = opened(sums[0])
        return Mul(*fraction.others, total(_stable(body), index))
    for base, power in divisors:
        fraction.divide(base, power)
    for factor in sums:
        fraction.multiply_by_sum(factor)
    fraction.multiply_by_members()
    return fraction.value()


def _stable_power(factor: Expr) -> Expr:
    if isinstance(factor, Pow):
        return Pow(_stable(factor.base), _stable(factor.exp))
    return _stable(factor)


def _take_sigmoids(
    exponent: Expr, divisors: list[tuple[Expr, int]]
) -> tuple[Expr, list[Expr], list[tuple[Expr, int]]]:
    """``e^{r x} / (1 + e^x)^k = sigmoid(x)^r sigmoid(-x)^{k-r}`` wherever ``0 <= r <= k``."""
    sigmoids, rest = [], []
    for base, power in divisors:
        x = _one_plus_exp(base)
        if x is None:
            rest.append((base, power))
            continue
        r = min(range(power + 1), key=lambda k: _length(exponent - k * x))
        exponent = expand(exponent - r * x)
        sigmoids += [sigmoid(x) ** r, sigmoid(-x) ** (power - r)]
    return exponent, sigmoids, rest


def _length(exponent: Expr) -> int:
    value = expand(exponent)
    return 0 if value == 0 else len(Add.make_args(value))


def _one_plus_exp(base: Expr) -> Expr | None:
    """``x`` when the expression is ``1 + e^x``."""
    if isinstance(base, Add) and len(base.args) == 2 and S.One in base.args:
        other = next(term for term in base.args if term != S.One)
        if isinstance(other, exponential):
            return expand(other.args[0])
    return None


# --- logarithms ---


def _stable_log(argument: Expr) -> Expr:
    if isinstance(argument, Product):
        return argument_sum(argument)
    if isinstance(argument, exponential):
        return _stable(argument.args[0])
    if isinstance(argument, Mul | Pow) and _grows(argument):
        return _log_of_product(argument)
    if isinstance(argument, Add | Sum) and _grows(argument):
        return _log_of_sum(argument)
    if isinstance(argument, Add) and S.One in argument.args:
        return log1p(_stable(argument - 1))
    return logarithm(_stable(argument))


def argument_sum(product: Product) -> Expr:
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
    x = _one_plus_exp(argument)
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
    scaled = scaled_sum(argument, room=ROOM)
    rest = scaled.mantissa - exponential(-scaled.exponent)
    return scaled.exponent + log1p(expm1(-scaled.exponent) + rest)


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


__all__ = ["ROOM", "scaled_sum", "split_factor", "stable_form"]
