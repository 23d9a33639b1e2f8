"""Common factors of a sum, taken out where that saves digits.

``p_i v_i - p_i sum_k p_k v_k`` is ``p_i (v_i - mean)``, and ``f - f sigmoid(x)`` is
``f sigmoid(-x)``: the first form of each subtracts two numbers that may agree in every digit.
"""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Add, Expr, Indexed, Mul, Pow, S
from sympy import exp as exponential

from derive.calculus import free_indices
from derive.nodes import Sealed, quotient, sigmoid, weighted_exp


def collected(terms: list[Expr]) -> Expr:
    """The sum with what several terms share taken out: ``p_i (v_i - sum p v)``, not ``p v - ...``.

    Shared are quotients and sigmoids, which depend on an index, and then what all terms have left.
    """
    terms = _split_residual(_without_complements(list(Add.make_args(Add(*terms)))))
    candidates = (factor for term in terms for factor in _plain_factors(term))
    for shared in dict.fromkeys(filter(_is_probability, candidates)):
        inside = [term for term in terms if shared in _plain_factors(term)]
        if len(inside) > 1:
            outside = [term for term in terms if term not in inside]
            rest = [Mul(*without(_plain_factors(term), shared)) for term in inside]
            product = shared * _with_common_factors(rest)
            return collected([*outside, product]) if outside else product
    return Add(*terms)


def _is_probability(factor: Expr) -> bool:
    share = isinstance(factor, exponential | weighted_exp) and factor.has(Sealed)
    return (share or isinstance(factor, quotient | sigmoid)) and bool(free_indices(factor))


def _plain_factors(term: Expr) -> list[Expr]:
    """The factors, with ``f^2`` as ``f`` and ``f``."""
    factors = []
    for factor in Mul.make_args(term):
        base, power = factor.as_base_exp() if isinstance(factor, Pow) else (factor, S.One)
        whole = power.is_Integer and power > 0
        factors += [base] * int(power) if whole else [factor]
    return factors


def _with_common_factors(terms: list[Expr]) -> Expr:
    common = [
        factor
        for factor in _plain_factors(terms[0])
        if not factor.is_Number and all(factor in _plain_factors(term) for term in terms)
    ]
    common = list(dict.fromkeys(common))
    rest = [Mul(*without(_plain_factors(term), *common)) for term in terms]
    return Mul(*common, collected(rest))


def _without_complements(terms: list[Expr]) -> list[Expr]:
    """``f - f sigmoid(x) = f sigmoid(-x)``, which does not cancel."""
    for term in terms:
        for factor in _plain_factors(term):
            if isinstance(factor, sigmoid) and (partner := -term / factor) in terms:
                others = without(terms, term, partner)
                product = partner * sigmoid(-factor.args[0])
                return _without_complements([*others, product])
    return terms


def _split_residual(terms: list[Expr]) -> list[Expr]:
    """``sigmoid(x) - w = (1 - w) sigmoid(x) - w sigmoid(-x)``, exact for labels w of 0 and 1."""
    if len(terms) == 2:
        for one, other in (terms, terms[::-1]):
            if isinstance(one, sigmoid) and isinstance(-other, Indexed):
                return [(1 + other) * one, other * sigmoid(-one.args[0])]
    return terms


def without(factors: Iterable[Expr], *gone: Expr) -> list[Expr]:
    kept = list(factors)
    for factor in gone:
        kept.remove(factor)
    return kept
