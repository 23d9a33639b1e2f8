"""Sums over a whole axis in the normal form: linear, and split into summands of one kind.

A summand is one fraction in generators. Its denominator is parted into what is free of the bound
index, which goes out, and the factors that depend on it; the numerator is expanded in powers of
these, ``N / f^m = sum_k N_k / f^{m-k}``. Each monomial gives out what is free of the index, is
sifted by a delta, is taken inside a coefficient, or is a generator ``sum_j monomial``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sympy import (
    Add,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Poly,
    S,
    Sum,
    Symbol,
    default_sort_key,
    expand_mul,
    fraction,
)

from derive import relations
from derive.axis import Index
from derive.calculus import free_indices, opened, over, replace_index
from derive.coefficients import Coefficient
from derive.extraction import gathered
from derive.nests import least_nest, nested
from derive.polynomials import divided, factored
from derive.ramps import leads
from derive.relations import contract
from derive.sign import is_positive

_Factors = list[tuple[Expr, int]]


class Ring(relations.Ring, Protocol):
    """What a sum needs of the ring of generators."""

    def cancel(self, value: Expr) -> Expr:
        """One cancelled fraction."""


def enter_sum(ring: Ring, aggregate: Sum) -> Expr:
    index, body = opened(aggregate)
    # One fraction of many coefficients is large: they are summed term by term.
    terms = Add.make_args(expand_mul(body, deep=False)) if body.has(Coefficient) else (body,)
    return Add(*(_sum_of(ring, term, index) for term in terms))


def _sum_of(ring: Ring, body: Expr, index: Index) -> Expr:
    with ring.inside(index) as private:
        value = ring.enter(replace_index(body, index, private))
        numerator, denominator = fraction(ring.cancel(_contracted(ring, value)))
        outer, laurent, dense = _split_denominator(ring, denominator, private)
        parts = _adic(ring, contract(ring, numerator), dense, private)
        sums = [_sum_of_terms(ring, top, laurent, below, private) for top, below in parts]
    return Add(*sums) / outer


def _contracted(ring: Ring, value: Expr) -> Expr:
    """The value with its numerator reduced: only then do all common factors show."""
    numerator, denominator = fraction(ring.cancel(value))
    return contract(ring, numerator) / denominator


def _split_denominator(ring: Ring, denominator: Expr, index: Index) -> tuple[Expr, Expr, _Factors]:
    """Factors free of the index, generators that depend on it, and the other factors."""
    constant, factors = factored(denominator, ring.ordered(denominator))
    outer, laurent, dense = constant, S.One, []
    for factor, multiplicity in factors:
        if not ring.depends(factor, index):
            outer *= factor**multiplicity
        elif factor.is_Symbol:
            laurent *= factor**multiplicity
        else:
            dense.append((factor, multiplicity))
    return outer, laurent, dense


def _adic(
    ring: Ring, numerator: Expr, dense: _Factors, index: Index
) -> Iterator[tuple[Expr, Expr]]:
    """Expand in powers of each factor: ``N / f^m = sum_k N_k / f^{m-k}``, ``N_k`` reduced."""
    if not dense:
        yield numerator, S.One
        return
    (factor, multiplicity), *others = dense
    symbols = _main_symbols(ring, factor, index)
    for power in range(multiplicity, 0, -1):
        if numerator == 0:
            return
        numerator, remainder = divided(numerator, factor, symbols)
        for top, below in _adic(ring, remainder, others, index):
            yield top, below * factor**power
    yield from _adic(ring, numerator, others, index)


def _main_symbols(ring: Ring, factor: Expr, index: Index) -> list[Symbol]:
    """What a factor is divided in: what the sum binds, if a positive monomial leads there.

    Then ``x_j / (1 + x_j z) = (1 - 1 / (1 + x_j z)) / z``. Any other leading coefficient may
    vanish, so that nothing is divided by it.
    """
    ordered = ring.ordered(factor)
    bound = [symbol for symbol in ordered if ring.depends(symbol, index)]
    leading = Poly(factor, *bound).LC()
    monomial = all(
        part.is_Number or (part.is_Symbol and is_positive(ring.leave(part), ring.facts))
        for part in (f.as_base_exp()[0] for f in Mul.make_args(leading))
    )
    return bound if monomial else ordered


def _sum_of_terms(ring: Ring, numerator: Expr, laurent: Expr, dense: Expr, index: Index) -> Expr:
    bound = {symbol for symbol in numerator.free_symbols if ring.depends(symbol, index)}
    by_inside: dict[Expr, list[Expr]] = {}
    for term in Add.make_args(numerator) if numerator != 0 else ():
        outside, inside = term.as_independent(*bound, as_Add=False) if bound else (term, S.One)
        by_inside.setdefault(inside, []).append(outside)
    return Add(
        *(
            Add(*outside) * _sum_of_monomial(ring, inside / laurent, dense, index)
            for inside, outside in by_inside.items()
        )
    )


def _sum_of_monomial(ring: Ring, monomial: Expr, dense: Expr, index: Index) -> Expr:
    for factor in Mul.make_args(monomial):
        atom = ring.atom_of.get(factor)
        if isinstance(atom, KroneckerDelta):
            target = next(a for a in atom.args if a != index)
            rest = ring.leave(monomial / factor / dense)
            return ring.enter(replace_index(rest, index, target))
    summand = ring.leave(ring.cancel(monomial / dense) if dense != 1 else monomial)
    if summand == 1:
        return ring.enter(index.axis.size)
    certain = _over_distribution(ring, summand, index)
    if certain is not None:
        return ring.enter(certain)
    inside = gathered(ring, monomial / dense, index)
    if inside is not None:
        return ring.enter(inside)
    return ring.generator(least_nest(nested((summand,), (index,)), default_sort_key))


def _over_distribution(ring: Ring, summand: Expr, index: Index) -> Expr | None:
    """``sum_j t_ij = 1``, also inside: ``sum_j sum_i t_ij f_i = sum_i f_i``. None for the rest."""
    if _is_probability(ring, summand, index):
        return S.One
    if not isinstance(summand, Sum):
        return None
    bound, body = opened(summand, (index,))
    factors = Mul.make_args(body)
    dependent = Mul(*(factor for factor in factors if index in free_indices(factor)))
    certain = _over_distribution(ring, dependent, index)
    return None if certain is None else over(summand, bound, body / dependent * certain)


def _is_probability(ring: Ring, summand: Expr, index: Index) -> bool:
    """An entry of a distribution at the bound index, or of a row of one at its last index.

    So is the largest entry of an axis: it is at one place.
    """
    if isinstance(summand, leads):
        largest, place = summand.args
        return bool(place == index) and index not in free_indices(largest)
    if not isinstance(summand, Indexed):
        return False
    *others, last = summand.indices
    by_rows = ring.facts.has_rows(summand.base) and index not in others
    return last == index and (by_rows or (not others and summand.base in ring.facts.distribution))
