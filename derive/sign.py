"""Signs decided by structure, for every length of every axis.

``e^x > 0``; a sum of non-negative terms is non-negative, and positive once one term is; a square is
non-negative; ``1 - t >= 0`` for ``t`` in [0, 1]; ``a t + b (1 - t) > 0`` for positive ``a``, ``b``
(one of the weights is at least 1/2), and likewise with square roots of the weights; what is affine
in ``t`` has the sign that it has at both ends; ``[z^k] F >= 0`` where F is built without a minus;
an exponential or a logarithm lies on one side of its tangent, ``e^x >= 1 + x``; the largest
entry of an axis is at least each entry.
A sign that no rule yields is :attr:`Sign.UNKNOWN`, never a guess.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from sympy import (
    Add,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Poly,
    Pow,
    Product,
    S,
    Sum,
    Symbol,
    cancel,
    exp,
    expand,
    factor_terms,
    log,
)

from derive.axis import KEPT, Index
from derive.branches import name_of
from derive.calculus import free_indices, opened, replace_index
from derive.coefficients import Coefficient, OrderSum
from derive.facts import NOTHING_ASSUMED, Facts
from derive.ramps import Largest, TwoValued

# Each tangent that is tried leaves a rest with one curved term less: m! rests for m of them.
MOST_TANGENTS = 3


class Sign(Enum):
    """What is known of the sign of an expression, for all values that the facts allow."""

    POSITIVE = "> 0"
    NONNEGATIVE = ">= 0"
    UNKNOWN = "unknown"


# The parts of a fraction are asked for their signs wherever they are factors.
@lru_cache(maxsize=KEPT)
def sign(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> Sign:
    """The strongest of ``> 0`` and ``>= 0`` that the rules yield."""
    if expression.is_positive:
        return Sign.POSITIVE
    if isinstance(expression, exp):
        return Sign.POSITIVE if expression.args[0].is_extended_real is not False else Sign.UNKNOWN
    if isinstance(expression, Indexed) and facts.is_positive(expression.base):
        return Sign.POSITIVE
    if isinstance(expression, Indexed) and facts.in_unit_interval(expression.base):
        return Sign.NONNEGATIVE
    kinds = (kind for kind in type(expression).__mro__ if kind in _HANDLERS)
    handler = _HANDLERS.get(next(kinds, None))
    found = handler(expression, facts) if handler else Sign.UNKNOWN
    return Sign.NONNEGATIVE if found is Sign.UNKNOWN and expression.is_nonnegative else found


def is_positive(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> bool:
    """True when the rules yield ``> 0``."""
    return sign(expression, facts) is Sign.POSITIVE


def is_nonnegative(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> bool:
    """True when the rules yield ``>= 0`` or ``> 0``."""
    return sign(expression, facts) is not Sign.UNKNOWN


def _sign_of_sum(expression: Sum, facts: Facts) -> Sign:
    # Every axis has at least one entry, but masks may empty a sum: positivity needs the summand.
    return sign(expression.function, facts)


def _sign_of_product(expression: Product, facts: Facts) -> Sign:
    return sign(expression.function, facts)


def _sign_of_add(expression: Add, facts: Facts) -> Sign:
    if _is_below_largest(expression):
        return Sign.NONNEGATIVE
    bounded = _sign_by_bound(expression, facts)
    if bounded is Sign.POSITIVE or _is_weighted_average(expression, facts):
        return Sign.POSITIVE
    found = _sign_of_factored(expression, facts)
    if found is Sign.UNKNOWN:
        found = _sign_at_the_ends(expression, facts)
    if found is Sign.UNKNOWN and bounded is Sign.UNKNOWN:
        found = _sign_by_tangent(expression, facts)
    return bounded if found is Sign.UNKNOWN else found


def _is_below_largest(expression: Add) -> bool:
    """``max_k f_k - f_i`` for an index or, where i is bound by a sum around it, for that one."""
    for largest in (term for term in expression.args if isinstance(term, Largest)):
        bound, body = opened(largest)
        own = sorted(free_indices(expression) - free_indices(largest), key=name_of)
        entries = (replace_index(body, bound, i) for i in own if i.axis == bound.axis)
        if any(expand(expression - largest + entry) == 0 for entry in entries):
            return True
    return False


def _sign_by_tangent(expression: Add, facts: Facts) -> Sign:
    """What a term has over its tangent, and a rest that is not negative."""
    parts = [term.as_coeff_Mul() for term in expression.args]
    curved = [(c, part) for c, part in parts if isinstance(part, exp | log) and part.free_symbols]
    if len(curved) > MOST_TANGENTS:
        return Sign.UNKNOWN
    gaps = [abs(c) * tangent_gap(f, bool(c.is_positive), facts) for c, f in curved]
    found = {_sign_of_rest(expression - gap, facts) for gap in gaps if gap != 0}
    return next((of for of in (Sign.POSITIVE, Sign.NONNEGATIVE) if of in found), Sign.UNKNOWN)


def _sign_of_rest(rest: Expr, facts: Facts) -> Sign:
    """As it stands, or as one fraction: ``1 - N / (1 + N) - 1 / (1 + N) = 0``."""
    found = sign(rest, facts)
    return sign(cancel(rest), facts) if found is Sign.UNKNOWN else found


def tangent_gap(function: Expr, added: bool, facts: Facts = NOTHING_ASSUMED) -> Expr:
    """``e^x - 1 - x``, ``log A - 1 + 1/A`` or, of ``-log A``, ``A - 1 - log A``: never negative.

    It vanishes at one point only, ``x = 0`` or ``A = 1``. 0 for other functions.
    """
    if isinstance(function, exp) and added and function.args[0].is_extended_real is not False:
        return function - 1 - function.args[0]
    if isinstance(function, log) and is_positive(function.args[0], facts):
        inside = function.args[0]
        return function - 1 + 1 / inside if added else inside - 1 - function
    return S.Zero


def _sign_at_the_ends(expression: Add, facts: Facts) -> Sign:
    """Affine in an entry of [0, 1]: ``f(t) = (1 - t) f(0) + t f(1)``, of the sign at both ends."""
    for entry in sorted(expression.atoms(Indexed), key=name_of):
        if not facts.in_unit_interval(entry.base):
            continue
        at_0, at_1 = (expression.xreplace({entry: end}) for end in (S.Zero, S.One))
        if expand(expression - at_0 - entry * (at_1 - at_0)) != 0:
            continue
        ends = {sign(at_0, facts), sign(at_1, facts)}
        if Sign.UNKNOWN in ends:
            return Sign.UNKNOWN
        inside = facts.inside_unit_interval(entry.base) and Sign.POSITIVE in ends
        return Sign.POSITIVE if inside or ends == {Sign.POSITIVE} else Sign.NONNEGATIVE
    return Sign.UNKNOWN


def _sign_by_bound(expression: Add, facts: Facts) -> Sign:
    """``1 - t + ...``: what is subtracted is at most 1, the rest is non-negative."""
    least, strict = S.Zero, False
    for term in expression.args:
        number, rest = term.as_coeff_Mul()
        if rest == 1:
            least += number
        elif number.is_negative and _at_most_one(rest, facts):
            least += number
            strict = strict or _below_one(rest, facts)
        else:
            found = sign(term, facts)
            if found is Sign.UNKNOWN:
                return Sign.UNKNOWN
            strict = strict or found is Sign.POSITIVE
    if least.is_positive or (least.is_zero and strict):
        return Sign.POSITIVE
    return Sign.NONNEGATIVE if least.is_zero else Sign.UNKNOWN


def _at_most_one(expression: Expr, facts: Facts) -> bool:
    return all(
        isinstance(base, KroneckerDelta | TwoValued)
        or (isinstance(base, Indexed) and facts.in_unit_interval(base.base))
        for base in _bases_of_powers(expression)
    )


def _below_one(expression: Expr, facts: Facts) -> bool:
    return any(
        isinstance(base, Indexed) and facts.inside_unit_interval(base.base)
        for base in _bases_of_powers(expression)
    )


def _bases_of_powers(expression: Expr) -> list[Expr]:
    """The bases of the factors; a factor that is no positive power is its own base."""
    powers = ((factor, *factor.as_base_exp()) for factor in Mul.make_args(expression))
    return [base if power.is_positive else factor for factor, base, power in powers]


def _is_weighted_average(expression: Add, facts: Facts) -> bool:
    """A term ``a t^p`` and a term ``b (1 - t)^q`` with positive ``a``, ``b``, ``p``, ``q``."""
    weighted = {}
    for term in expression.args:
        for factor in Mul.make_args(term):
            base, power = factor.as_base_exp()
            if power.is_positive and is_nonnegative(base, facts):
                rest = term / factor
                if is_positive(rest, facts):
                    weighted[base] = term
    others = [term for term in expression.args if term not in weighted.values()]
    return any(1 - base in weighted for base in weighted) and all(
        is_nonnegative(term, facts) for term in others
    )


def _sign_of_factored(expression: Add, facts: Facts) -> Sign:
    """``c x - c y``: take the common factor out, within sums over one axis too."""
    merged = _merge_sums(expression)
    if merged != expression:
        return sign(merged, facts)
    factored = factor_terms(expression)
    _, rest = factored.as_coeff_Mul()
    return Sign.UNKNOWN if isinstance(rest, Add) else sign(factored, facts)


def _merge_sums(expression: Add) -> Expr:
    """``c sum_j f_j - c sum_j g_j = c sum_j (f_j - g_j)``."""
    merged: dict[tuple[Expr, Index], Expr] = {}
    rest = []
    for term in expression.args:
        aggregate = next((f for f in Mul.make_args(term) if isinstance(f, Sum)), None)
        if aggregate is None:
            rest.append(term)
            continue
        index, body = opened(aggregate)
        number, outer = (term / aggregate).as_coeff_Mul()
        merged[outer, index] = merged.get((outer, index), S.Zero) + number * body
    if len(merged) + len(rest) == len(expression.args):
        return expression
    sums = (c * index.axis.sum(factor_terms(f), index) for (c, index), f in merged.items())
    return Add(*rest, *sums)


def _sign_of_mul(expression: Mul, facts: Facts) -> Sign:
    signs = [sign(factor, facts) for factor in _with_sign_inside(expression)]
    if Sign.UNKNOWN in signs:
        return Sign.UNKNOWN
    return Sign.POSITIVE if all(s is Sign.POSITIVE for s in signs) else Sign.NONNEGATIVE


def _with_sign_inside(expression: Mul) -> list[Expr]:
    """The factors, a leading minus multiplied into the first bracket: ``-(t - 1) = 1 - t``."""
    number, rest = expression.as_coeff_Mul()
    factors = list(Mul.make_args(rest))
    position = next((k for k, f in enumerate(factors) if isinstance(f, Add)), None)
    if number.is_negative and position is not None:
        factors[position] = Add(*(-term for term in factors[position].args))
        number = -number
    return [number, *factors]


def _sign_of_pow(expression: Pow, facts: Facts) -> Sign:
    base, power = expression.args
    of_base = sign(base, facts)
    if of_base is Sign.POSITIVE:
        return Sign.POSITIVE
    if of_base is Sign.NONNEGATIVE and power.is_positive:
        return Sign.NONNEGATIVE
    return Sign.NONNEGATIVE if power.is_even and power.is_positive else Sign.UNKNOWN


def _sign_of_log(expression: log, facts: Facts) -> Sign:
    above_one = expression.args[0] - S.One
    return sign(above_one, facts)


def _sign_of_coefficient(expression: Coefficient, facts: Facts) -> Sign:
    """Of a series with coefficients ``>= 0``; ``> 0`` where the order counts what is multiplied."""
    series, z = expression.series, expression.bound
    if not _has_nonnegative_coefficients(series, (z,), facts):
        return Sign.UNKNOWN
    counted = _is_product_over_labels(series, z, facts) and _counts_labels(expression.order, facts)
    if counted or (_never_ends(series, z, facts) and expression.order.is_nonnegative):
        return Sign.POSITIVE
    return Sign.NONNEGATIVE


def _has_nonnegative_coefficients(
    series: Expr, variables: tuple[Symbol, ...], facts: Facts
) -> bool:
    """Built from non-negative parts by sums, products, powers, ``e^F`` and ``1 / (1 - F)``."""
    if not series.free_symbols & set(variables):
        return is_nonnegative(series, facts)
    if isinstance(series, Coefficient):
        inner = (*variables, series.bound)
        return _has_nonnegative_coefficients(series.series, inner, facts)
    if isinstance(series, Pow) and series.exp.is_Integer and series.exp.is_negative:
        rest = expand(1 - series.base)
        starts = rest.xreplace(dict.fromkeys(variables, S.Zero)) == 0
        return bool(series in variables) or (
            starts and _has_nonnegative_coefficients(rest, variables, facts)
        )
    if isinstance(series, Pow) and not (series.exp.is_Integer and series.exp.is_positive):
        return False
    if isinstance(series, Sum | Product):
        return _has_nonnegative_coefficients(series.function, variables, facts)
    if isinstance(series, Add) and series.is_polynomial(*variables):
        return all(is_nonnegative(c, facts) for c in Poly(series, *variables).coeffs())
    if isinstance(series, Add | Mul | exp | Pow):
        parts = series.args[:1] if isinstance(series, Pow) else series.args
        if isinstance(series, exp):
            parts = _series_parts_of_exponent(series.args[0], variables)
        return all(_has_nonnegative_coefficients(part, variables, facts) for part in parts)
    return series in variables


def _series_parts_of_exponent(exponent: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """What ``e^F`` multiplies that depends on the variables: ``e^{sum_j log f_j}`` has parts f."""
    dependent = [t for t in Add.make_args(exponent) if t.free_symbols & set(variables)]
    return [
        term.function.args[0] if isinstance(term, Sum) and isinstance(term.function, log) else term
        for term in dependent
    ]


def _is_product_over_labels(series: Expr, z: Symbol, facts: Facts) -> bool:
    """``prod_j (1 + x_j z)`` with positive ``x_j``: every order from 0 to n occurs."""
    if isinstance(series, exp) and isinstance(series.args[0], Sum):
        logarithm = series.args[0].function
        factor = logarithm.args[0] if isinstance(logarithm, log) else S.Zero
    else:
        factor = series.function if isinstance(series, Product) else S.Zero
    slope = expand((factor - 1) / z)
    return z not in slope.free_symbols and is_positive(slope, facts)


def _counts_labels(order: Expr, facts: Facts) -> bool:
    """An order that is the size of a subset of the labels."""
    if isinstance(order, Sum):
        return isinstance(order.function, Indexed) and order.function.base in facts.hard
    return order in facts.orders


def _never_ends(series: Expr, z: Symbol, facts: Facts) -> bool:
    """A factor ``1 / (1 - a z)`` with ``a > 0``, and a positive constant term of the others."""
    for factor in Mul.make_args(series):
        if isinstance(factor, Pow) and factor.exp == -1:
            slope = expand((1 - factor.base) / z)
            constant = (series / factor).subs(z, 0)
            if z not in slope.free_symbols and is_positive(slope, facts):
                return is_positive(constant, facts)
    return False


def _sign_of_order_sum(expression: OrderSum, facts: Facts) -> Sign:
    found = sign(expression.summand, facts)
    return found if found is Sign.UNKNOWN else Sign.NONNEGATIVE


def _sign_of_delta(expression: KroneckerDelta, facts: Facts) -> Sign:
    return Sign.NONNEGATIVE


_HANDLERS = {
    Coefficient: _sign_of_coefficient,
    OrderSum: _sign_of_order_sum,
    Product: _sign_of_product,
    Sum: _sign_of_sum,
    Add: _sign_of_add,
    Mul: _sign_of_mul,
    Pow: _sign_of_pow,
    log: _sign_of_log,
    KroneckerDelta: _sign_of_delta,
}
