"""Relations among the generators of the normal form, used to reduce a numerator.

``delta_ij f_j = delta_ij f_i`` and ``delta^2 = delta``; ``y^k = y`` for labels in {0, 1} and for
steps, and ``f(y) = (1 - y) f(0) + y f(1)`` for these and deltas under any function ``f``;
``y_i f(s_i) = y_i f(sum_j y_j s_j)`` for the label of one class; what two steps decide of each
other (:mod:`derive.implied`); the square of the sign ``(-1)^m`` is 1; ``r^q = f`` for a root
``r = f^{1/q}``. Each is used in one direction only, so that the reduction ends: indices that deltas
tie together are written as the first of them, powers are lowered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from sympy import Add, Expr, Indexed, KroneckerDelta, Mul, Poly, Pow, S, Symbol

from derive import extraction
from derive.axis import Index
from derive.calculus import replace_index
from derive.facts import Facts
from derive.implied import without_implied
from derive.polynomials import expanded
from derive.ramps import TwoValued, step
from derive.sign import is_positive


class Ring(extraction.Ring, Protocol):
    """What the relations need of a ring of generators."""

    facts: Facts
    radicals: dict[Symbol, tuple[int, Expr]]
    bound: dict[Symbol, int]


_NO_VALUE = (S.ComplexInfinity, S.NaN)


def cases(ring: Ring, value: Expr, positive: bool = False) -> tuple[Expr, Expr, Expr] | None:
    """The first hard label, delta or step ``g`` in the value, and the value at both values of it.

    None where there is no such generator, or where ``positive`` is asked for and is not known of
    both values: a function of the value is then not defined in both cases.
    """
    symbol = next((g for g in ring.ordered(value) if _is_two_valued(ring, g)), None)
    if symbol is None:
        return None
    at_0, at_1 = (value.xreplace({symbol: number}) for number in (S.Zero, S.One))
    if at_0.has(*_NO_VALUE) or at_1.has(*_NO_VALUE):
        return None
    if positive and not (_is_positive(ring, at_0) and _is_positive(ring, at_1)):
        return None
    return symbol ** _unit(ring, symbol), at_0, at_1


def _is_positive(ring: Ring, value: Expr) -> bool:
    """Positive by the sign rules, in each case where there are cases."""
    return is_positive(ring.leave(value), ring.facts) or cases(ring, value, True) is not None


def _is_two_valued(ring: Ring, symbol: Symbol) -> bool:
    base, _ = ring.atom_of[symbol].as_base_exp()
    return isinstance(base, KroneckerDelta | TwoValued) or (
        isinstance(base, Indexed) and ring.facts.is_hard(base.base)
    )


def _unit(ring: Ring, symbol: Symbol) -> int:
    """The power of the generator that is the label itself."""
    return ring.root if isinstance(ring.atom_of[symbol].as_base_exp()[0], Indexed) else 1


def contract(ring: Ring, numerator: Expr) -> Expr:
    """The numerator reduced by every relation, multiplied out."""
    numerator = expanded(numerator)
    for symbol, (degree, radicand) in ring.radicals.items():
        numerator = _reduce_radical(numerator, symbol, degree, radicand)
    if not any(_is_related(ring, symbol) for symbol in numerator.free_symbols):
        return numerator
    terms, by_deltas = _parted(ring, numerator)
    alone = (_contract_term(ring, term) for term in terms)
    tied = (_contract_deltas(ring, deltas, Add(*rest)) for deltas, rest in by_deltas.items())
    return expanded(Add(*alone, *tied))


def _is_related(ring: Ring, symbol: Symbol) -> bool:
    """Whether a relation may hold of the generator: all but those of radicals."""
    base, _ = ring.leave(symbol).as_base_exp()
    known = isinstance(base, KroneckerDelta | TwoValued) or base is S.NegativeOne
    return known or (isinstance(base, Indexed) and ring.facts.is_hard(base.base))


def _parted(
    ring: Ring, numerator: Expr
) -> tuple[list[Expr], dict[tuple[KroneckerDelta, ...], list[Expr]]]:
    """The terms without a delta, and what is left of those with the same deltas."""
    deltas = {
        symbol: atom
        for symbol in ring.ordered(numerator)
        if isinstance(atom := ring.atom_of.get(symbol), KroneckerDelta)
    }
    if not deltas:
        return list(Add.make_args(numerator)), {}
    terms: list[Expr] = []
    by_deltas: dict[tuple[KroneckerDelta, ...], list[Expr]] = {}
    for term in Add.make_args(numerator):
        powers = term.as_powers_dict()
        own = tuple(symbol for symbol in deltas if symbol in powers)
        if own:
            rest = Mul(*(base**power for base, power in powers.items() if base not in deltas))
            by_deltas.setdefault(tuple(deltas[symbol] for symbol in own), []).append(rest)
        else:
            terms.append(term)
    return terms, by_deltas


def _reduce_radical(value: Expr, symbol: Symbol, degree: int, radicand: Expr) -> Expr:
    """``r^k = r^{k mod q} f^{k div q}``."""
    if not value.has(symbol):
        return value
    terms = Poly(value, symbol).terms()
    parts = (c * symbol ** (k % degree) * radicand ** (k // degree) for (k,), c in terms)
    return expanded(Add(*parts))


def _contract_term(ring: Ring, term: Expr) -> Expr:
    known = _with_one_class(ring, term)
    return _contract_steps(ring, _contract_labels(ring, term)) if known is None else known


def _contract_deltas(ring: Ring, deltas: tuple[KroneckerDelta, ...], rest: Expr) -> Expr:
    """Write each class of indices that the deltas make equal as its first member."""
    first = _first_of_class(ring, deltas)
    tied = Mul(*(KroneckerDelta(a, b) for a, b in first.items()))
    moved = {symbol: _moved(ring, symbol, first) for symbol in rest.free_symbols}
    return ring.enter(tied) * contract(ring, rest.xreplace(moved))


def _moved(ring: Ring, symbol: Symbol, first: Mapping[Index, Index]) -> Expr:
    """The generator at the first indices of the classes."""
    atom = ring.leave(symbol)
    for index, representative in first.items():
        atom = replace_index(atom, index, representative)
    return ring.enter(atom)


def _first_of_class(ring: Ring, deltas: Iterable[KroneckerDelta]) -> dict[Index, Index]:
    """For each tied index but the first of its class: the first, the innermost that is bound.

    Then ``1 + x_j - delta_ij x_i`` under a sum over j is ``1 + (1 - delta_ij) x_j``, whose sign
    shows; free indices come by name.
    """
    classes: list[set[Index]] = []
    for delta in deltas:
        touched = [group for group in classes if group & set(delta.args)]
        classes = [group for group in classes if group not in touched]
        classes.append(set(delta.args).union(*touched))
    ordered = [sorted(group, key=lambda i: (-ring.bound.get(i, -1), str(i))) for group in classes]
    return {index: group[0] for group in ordered for index in group[1:]}


def _with_one_class(ring: Ring, term: Expr) -> Expr | None:
    """``y_i f(s_i) = y_i f(S)`` with ``S = sum_j y_j s_j``, the entry at the one class of y.

    None where the term has no such label or nothing to say of it. Under a sum over i what is left
    is then a constant, and ``y_i s_i`` by itself, whose sum is S.
    """
    one_class = ring.facts.hard & ring.facts.distribution
    for factor in Mul.make_args(term) if one_class else ():
        label = ring.leave(factor.as_base_exp()[0]).as_base_exp()[0]
        if not (isinstance(label, Indexed) and label.base in one_class):
            continue
        (index,) = label.indices
        own = ring.leave(term / factor)
        entries = {entry for entry in own.atoms(Indexed) if entry.indices == (index,)}
        alone = [f for f in Mul.make_args(own) if index in f.free_symbols]
        if not entries or (index in ring.bound and len(alone) == 1 and alone[0] in entries):
            continue
        picked = own.xreplace({entry: _picked(entry, label) for entry in entries})
        return contract(ring, factor * ring.enter(picked))
    return None


def _picked(entry: Indexed, label: Indexed) -> Expr:
    """``sum_j y_j s_j`` for the entry ``s_i``, 1 for the label itself."""
    if entry.base == label.base:
        return S.One
    index = label.indices[0].axis.index("_picked")
    return index.axis.sum(label.base[index] * entry.base[index], index)


def _contract_steps(ring: Ring, term: Expr) -> Expr:
    """What two steps decide of each other."""
    atoms = ((symbol, ring.atom_of.get(symbol)) for symbol in term.free_symbols)
    steps = {symbol: atom for symbol, atom in atoms if isinstance(atom, step)}
    if len(steps) < 2:
        return term
    ordered = {symbol: steps[symbol] for symbol in ring.ordered(Mul(*steps))}
    known = without_implied(term, ordered, ring.facts)
    return term if known is None else contract(ring, known)


def _contract_labels(ring: Ring, term: Expr) -> Expr:
    factors = []
    for factor in Mul.make_args(term):
        base, power = factor.as_base_exp()
        atom = ring.leave(base) if base.is_Symbol else base
        atom = atom.base if isinstance(atom, Pow) else atom
        if isinstance(atom, Indexed) and ring.facts.is_hard(atom.base) and power.is_positive:
            factor = base**ring.root
        elif isinstance(atom, TwoValued) and power.is_positive:
            factor = base
        elif atom is S.NegativeOne:
            factor = base ** (power % 2)
        factors.append(factor)
    return Mul(*factors)
