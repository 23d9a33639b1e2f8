"""A normal form that decides equality for a symbolic number of terms.

An expression is rewritten as a rational function in *generators*: indexed entries, ``e^m`` for a
monomial ``m``, logarithms of irreducible positive factors, deltas, and sums whose summand is a
monomial that depends on the bound index in every factor. Four moves bring it there:

* ``exp`` of a sum is a product; ``log`` of a product is a sum (factors proved positive);
* ``prod_j f_j`` becomes ``exp(sum_j log f_j)``;
* ``sum_j`` is linear, gives out what does not depend on ``j``, and absorbs deltas;
* bound indices are named by their height in the nest, so that equal sums are the same object.

A difference whose numerator then vanishes is zero for every length. The converse is not claimed:
generators can satisfy relations that are not used, which is why a non-zero normal form is never
taken as a refutation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lcm
from typing import Any

from sympy import (
    Add,
    Dummy,
    Expr,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    Poly,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    cancel,
    exp,
    expand,
    factor_list,
    factorint,
    fraction,
    log,
    reduced,
    together,
)
from sympy.core.function import Function

from derive.axis import Index
from derive.calculus import opened, replace_index, resolve
from derive.facts import NOTHING_ASSUMED, Facts
from derive.sign import is_positive


_Factors = list[tuple[Expr, int]]


def normal_form(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> Expr:
    """The expression as one cancelled fraction in canonical generators."""
    expression = resolve(expression)
    ring = Generators(facts, _root(expression))
    value = ring.enter(expression)
    numerator, denominator = fraction(cancel(together(value)))
    return ring.leave(cancel(ring.contract(numerator) / denominator))


def vanishes(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> bool:
    """True when the expression is zero for every length and every value the facts allow."""
    expression = resolve(expression)
    ring = Generators(facts, _root(expression))
    numerator, _ = fraction(together(ring.enter(expression)))
    return bool(ring.contract(numerator) == 0)


def _root(expression: Expr) -> int:
    """The least common denominator of all rational exponents: generators are that root."""
    exponents = [power.exp for power in expression.atoms(Pow)]
    scales = [
        term.as_coeff_Mul()[0]
        for exponential in expression.atoms(exp)
        for term in Add.make_args(expand(exponential.args[0]))
    ]
    return lcm(1, *(q.q for q in exponents + scales if isinstance(q, Rational)))


class Generators:
    """The generators met so far, and the way into and out of polynomials in them."""

    def __init__(self, facts: Facts, root: int) -> None:
        self.facts = facts
        self.root = root
        self.sums = 0
        self.entered: dict[Expr, Expr] = {}
        self.symbol_of: dict[Expr, Symbol] = {}
        self.atom_of: dict[Symbol, Expr] = {}
        # A generator g with g^q = radicand, for roots of what is not a monomial.
        self.radicals: dict[Symbol, tuple[int, Expr]] = {}

    def enter(self, expression: Expr) -> Expr:
        """The expression as a rational expression in generator symbols."""
        if expression not in self.entered:
            self.entered[expression] = self._enter(expression)
        return self.entered[expression]

    def _enter(self, expression: Expr) -> Expr:
        if isinstance(expression, Rational):
            return expression
        if isinstance(expression, Add | Mul):
            return expression.func(*(self.enter(argument) for argument in expression.args))
        for kind, handler in self._HANDLERS.items():
            if isinstance(expression, kind):
                return handler(self, expression)
        return self._generator(expression) ** self._unit_power(expression)

    def leave(self, value: Expr) -> Expr:
        """The value with every generator symbol replaced by what it stands for."""
        return value.xreplace(self.atom_of)

    def contract(self, numerator: Expr) -> Expr:
        """Use the relations among generators: deltas, 0/1 labels, roots."""
        numerator = expand(numerator)
        for symbol, (degree, radicand) in self.radicals.items():
            numerator = self._reduce_radical(numerator, symbol, degree, radicand)
        terms = [self._contract_term(term) for term in Add.make_args(numerator)]
        return expand(Add(*terms))

    # Generators -------------------------------------------------------------------------------

    def _generator(self, atom: Expr) -> Symbol:
        if atom not in self.symbol_of:
            symbol = Dummy(positive=True)
            self.symbol_of[atom] = symbol
            self.atom_of[symbol] = self._meaning(atom)
        return self.symbol_of[atom]

    def _meaning(self, atom: Expr) -> Expr:
        return Pow(atom, Rational(1, self.root)) if self._unit_power(atom) > 1 else atom

    def _unit_power(self, atom: Expr) -> int:
        """Entries and parameters are powers of their root; sums, logs and deltas are not."""
        return self.root if isinstance(atom, Indexed | Symbol) else 1

    def _depends(self, value: Expr, index: Index) -> bool:
        return any(
            index in self.atom_of[symbol].free_symbols
            for symbol in value.free_symbols
            if symbol in self.atom_of
        )

    # Ways in ----------------------------------------------------------------------------------

    def _enter_power(self, power: Pow) -> Expr:
        base, exponent = power.args
        if not isinstance(exponent, Rational):
            return self.enter(exp(exponent * log(base)))
        entered = self.enter(base)
        if isinstance(exponent, Integer):
            return entered**exponent
        return self._root_of(entered, exponent)

    def _root_of(self, value: Expr, exponent: Rational) -> Expr:
        """``value^exponent``, monomial factors exactly and the rest as a radical generator."""
        numerator, denominator = fraction(cancel(together(value)))
        result = S.One
        for part, direction in ((numerator, 1), (denominator, -1)):
            constant, factors = factor_list(part)
            result *= Pow(constant, direction * exponent)
            for factor, multiplicity in factors:
                result *= self._power_of_factor(factor, direction * multiplicity * exponent)
        return result

    def _power_of_factor(self, factor: Expr, exponent: Rational) -> Expr:
        if isinstance(exponent, Integer):
            return factor**exponent
        if factor.is_Symbol and (power := exponent).q == 1:
            return factor**power
        if factor.is_Symbol and self._unit_power(self._unrooted(factor)) == self.root > 1:
            return factor**exponent
        radical = self._generator(Pow(self.leave(factor), Rational(1, exponent.q)))
        self.radicals[radical] = (exponent.q, factor)
        return radical**exponent.p

    def _unrooted(self, symbol: Symbol) -> Expr:
        atom = self.atom_of[symbol]
        return atom.base if isinstance(atom, Pow) else atom

    def _enter_exp(self, exponential: exp) -> Expr:
        exponent = expand(self.leave(self.enter(exponential.args[0])))
        result = S.One
        for term in Add.make_args(exponent):
            result *= self._exp_of_monomial(*term.as_coeff_Mul())
        return result

    def _exp_of_monomial(self, coefficient: Expr, monomial: Expr) -> Expr:
        if isinstance(monomial, log):
            return self.enter(Pow(monomial.args[0], coefficient))
        if not isinstance(coefficient, Rational):
            monomial, coefficient = coefficient * monomial, S.One
        scale = Rational(1, self.root)
        power = coefficient * self.root
        if not isinstance(power, Integer):
            scale, power = coefficient, S.One
        return self._generator(exp(scale * monomial)) ** power

    def _enter_log(self, logarithm: log) -> Expr:
        value = cancel(together(self.enter(logarithm.args[0])))
        number, factors = S.One, []
        for part, direction in zip(fraction(value), (1, -1), strict=True):
            constant, found = factor_list(part)
            number *= constant**direction
            for factor, multiplicity in found:
                oriented = self._positive(factor)
                if oriented is None:
                    return self._generator(log(self.leave(value)))
                number *= (1 if oriented == factor else -1) ** multiplicity
                factors.append((oriented, direction * multiplicity))
        if not number.is_positive:
            return self._generator(log(self.leave(value)))
        terms = [multiplicity * self._log_of_factor(f) for f, multiplicity in factors]
        return Add(self._log_of_number(number), *terms)

    def _positive(self, factor: Expr) -> Expr | None:
        """The factor or its negative, whichever is positive; factoring fixes no sign."""
        candidates = (factor, expand(-factor))
        return next((c for c in candidates if is_positive(self.leave(c), self.facts)), None)

    def _log_of_number(self, number: Rational) -> Expr:
        """Logarithms of primes are independent over the rationals."""
        primes = list(factorint(number.p).items()) + [(b, -m) for b, m in factorint(number.q).items()]
        return Add(*(m * self._generator(log(Integer(base))) for base, m in primes))

    def _log_of_factor(self, factor: Expr) -> Expr:
        atom = self.leave(factor)
        if isinstance(atom, exp):
            return self.enter(atom.args[0])
        base, power = atom.as_base_exp()
        if isinstance(power, Rational) and power != 1:
            return power * self._log_of_factor_atom(base)
        return self._log_of_factor_atom(atom)

    def _log_of_factor_atom(self, atom: Expr) -> Expr:
        return self._generator(log(atom))

    def _enter_delta(self, delta: KroneckerDelta) -> Expr:
        return self._generator(delta)

    def _enter_product(self, product: Product) -> Expr:
        index, body = opened(product)
        return self.enter(exp(index.axis.sum(log(body), index)))

    def _enter_function(self, function: Function) -> Expr:
        arguments = (self.leave(cancel(self.enter(argument))) for argument in function.args)
        return self._generator(function.func(*arguments))

    # Sums -------------------------------------------------------------------------------------

    def _enter_sum(self, aggregate: Sum) -> Expr:
        index, body = opened(aggregate)
        self.sums += 1
        private = index.axis.index(f"_{index.name}_{self.sums}")
        value = self.enter(replace_index(body, index, private))
        numerator, denominator = fraction(cancel(together(value)))
        outer, laurent, dense = self._split_denominator(denominator, private)
        parts = self._adic(self.contract(numerator), dense)
        sums = (self._sum_of_terms(top, laurent, below, private) for top, below in parts)
        return Add(*sums) / outer

    def _split_denominator(self, denominator: Expr, index: Index) -> tuple[Expr, Expr, _Factors]:
        """Factors free of the index, generators that depend on it, and the other factors."""
        constant, factors = factor_list(denominator)
        outer, laurent, dense = constant, S.One, []
        for factor, multiplicity in factors:
            if not self._depends(factor, index):
                outer *= factor**multiplicity
            elif factor.is_Symbol:
                laurent *= factor**multiplicity
            else:
                dense.append((factor, multiplicity))
        return outer, laurent, dense

    def _adic(self, numerator: Expr, dense: _Factors) -> Iterator[tuple[Expr, Expr]]:
        """Expand in powers of each factor: ``N / f^m = sum_k N_k / f^{m-k}``, ``N_k`` reduced."""
        if not dense:
            yield numerator, S.One
            return
        (factor, multiplicity), *others = dense
        symbols = [g for g in self.atom_of if g in factor.free_symbols]
        for power in range(multiplicity, 0, -1):
            if numerator == 0:
                return
            (quotient,), remainder = reduced(numerator, [factor], *symbols, order="lex")
            for top, below in self._adic(expand(remainder), others):
                yield top, below * factor**power
            numerator = expand(quotient)
        yield from self._adic(numerator, others)

    def _sum_of_terms(self, numerator: Expr, laurent: Expr, dense: Expr, index: Index) -> Expr:
        result = S.Zero
        for term in Add.make_args(numerator):
            if term == 0:
                continue
            outside, inside = S.One, S.One
            for factor in Mul.make_args(term):
                if self._depends(factor, index):
                    inside *= factor
                else:
                    outside *= factor
            result += outside * self._sum_of_monomial(inside / laurent, dense, index)
        return result

    def _sum_of_monomial(self, monomial: Expr, dense: Expr, index: Index) -> Expr:
        for factor in Mul.make_args(monomial):
            atom = self.atom_of.get(factor)
            if isinstance(atom, KroneckerDelta):
                target = next(a for a in atom.args if a != index)
                rest = self.leave(monomial / factor / dense)
                return self.enter(replace_index(rest, index, target))
        summand = self.leave(cancel(monomial / dense) if dense != 1 else monomial)
        if summand == 1:
            return self.enter(index.axis.size)
        if isinstance(summand, Indexed) and summand.base in self.facts.distribution:
            return S.One
        canonical = index.axis.index(f"_{_height(summand)}")
        return self._generator(index.axis.sum(summand.xreplace({index: canonical}), canonical))

    # Relations --------------------------------------------------------------------------------

    def _reduce_radical(self, value: Expr, symbol: Symbol, degree: int, radicand: Expr) -> Expr:
        if not value.has(symbol):
            return value
        polynomial = Poly(value, symbol)
        terms = (
            c * symbol ** (k % degree) * radicand ** (k // degree)
            for (k,), c in polynomial.terms()
        )
        return expand(Add(*terms))

    def _contract_term(self, term: Expr) -> Expr:
        for symbol in sorted(term.free_symbols, key=str):
            atom = self.atom_of.get(symbol)
            if isinstance(atom, KroneckerDelta):
                return self._contract_delta(term, symbol, atom)
        return self._contract_labels(term)

    def _contract_delta(self, term: Expr, symbol: Symbol, delta: KroneckerDelta) -> Expr:
        """``delta_ij f_j = delta_ij f_i`` and ``delta^2 = delta``."""
        keep, drop = sorted(delta.args, key=str)
        rest = self.leave(term / symbol ** _degree(term, symbol))
        rest = self.enter(replace_index(rest, drop, keep))
        return symbol * self.contract(rest) if rest.free_symbols else symbol * rest

    def _contract_labels(self, term: Expr) -> Expr:
        """``y^k = y`` for labels in {0, 1}."""
        factors = []
        for factor in Mul.make_args(term):
            base, power = factor.as_base_exp()
            atom = self.leave(base) if base.is_Symbol else base
            atom = atom.base if isinstance(atom, Pow) else atom
            if isinstance(atom, Indexed) and atom.base in self.facts.hard and power.is_positive:
                factor = base**self.root
            factors.append(factor)
        return Mul(*factors)

    _HANDLERS: dict[Any, Callable[[Any, Any], Expr]] = {
        exp: _enter_exp,
        log: _enter_log,
        Pow: _enter_power,
        Sum: _enter_sum,
        Product: _enter_product,
        KroneckerDelta: _enter_delta,
        Function: _enter_function,
    }


def _degree(term: Expr, symbol: Symbol) -> int:
    return int(Poly(term, symbol).degree())


def _height(summand: Expr) -> int:
    """One more than the height of the sums inside: a name that no inner sum has."""
    inner = [_height(opened(aggregate)[1]) for aggregate in summand.atoms(Sum)]
    return 1 + max(inner, default=0)
