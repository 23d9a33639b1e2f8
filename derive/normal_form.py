"""A normal form that decides equality for a symbolic number of terms.

An expression is rewritten as a rational function in *generators*: indexed entries, ``e^m`` for a
monomial ``m``, logarithms of irreducible positive factors, deltas, and sums whose summand is a
monomial that depends on the bound index in every factor. Six moves bring it there:

* ``exp`` of a sum is a product; ``log`` of a product is a sum (factors proved positive);
* what a hard label or a delta ``y`` decides is written by its two cases,
  ``f(y) = (1 - y) f(0) + y f(1)``, before a function is taken of it;
* ``prod_j f_j`` becomes ``exp(sum_j log f_j)``;
* ``sum_j`` is linear, gives out what does not depend on ``j``, and absorbs deltas;
* ``ramp(x) = x step(x)``, the largest of ``f_k`` is ``sum_k leads_k f_k``, and ``|x|^2 = x^2``
  (:mod:`derive.piecewise`);
* bound indices are named by their height in the nest, and a nest that does not factor is written
  in one order of its sums (:mod:`derive.nests`), so that equal sums are the same object.

A difference whose numerator then vanishes is zero for every length. The converse is not claimed:
generators can satisfy relations that are not used, which is why a non-zero normal form is never
taken as a refutation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import lcm
from typing import Any, ClassVar

from sympy import (
    Abs,
    Add,
    Dummy,
    Expr,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    default_sort_key,
    exp,
    expand,
    factorrat,
    fraction,
    log,
)
from sympy.core.function import Function

from derive.axis import Index
from derive.branches import nodes_of
from derive.calculus import opened, over, resolve, sift
from derive.coefficients import Coefficient, OrderSum, depth_of_sums
from derive.extraction import Series, absorb, enter_coefficient, over_common_poles
from derive.facts import NOTHING_ASSUMED, Facts
from derive.generating import closed
from derive.piecewise import (
    enter_largest,
    enter_leads,
    enter_ramp,
    enter_size,
    enter_step,
)
from derive.polynomials import cancelled, expanded, factored, numerator_of
from derive.powers import SignedFactors, enter_power
from derive.ramps import Largest, leads, ramp, step
from derive.relations import cases, contract
from derive.sign import is_positive
from derive.summation import enter_sum


def normal_form(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> Expr:
    """The expression as one cancelled fraction in canonical generators."""
    expression = _resolved(expression)
    ring = Generators(facts, _root(expression))
    numerator, denominator = fraction(ring.cancel(ring.enter(expression)))
    return ring.leave(ring.cancel(_reduced(ring, numerator) / denominator))


def vanishes(expression: Expr, facts: Facts = NOTHING_ASSUMED) -> bool:
    """True when the expression is zero for every length and every value the facts allow."""
    expression = _resolved(expression)
    ring = Generators(facts, _root(expression))
    return bool(_reduced(ring, numerator_of(ring.enter(expression))) == 0)


def _resolved(expression: Expr) -> Expr:
    """Without derivatives, and sifted: as one fraction a term without a delta hides the others.

    What is summed would be multiplied out over the delta first, and a coefficient take it inside.
    """
    expression = resolve(expression)
    return sift(expression)


def _reduced(ring: Generators, numerator: Expr, orders_inside: bool = True) -> Expr:
    """The numerator reduced by every relation, those among coefficients of series included."""
    numerator = contract(ring, numerator)
    if not ring.series_of:
        return numerator
    inside = absorb(ring, numerator) if orders_inside else numerator
    return contract(ring, over_common_poles(ring, inside))


def _root(expression: Expr) -> int:
    """The least common denominator of all rational exponents: generators are that root."""
    exponents = [power.exp for power in nodes_of(expression, Pow)]
    scales = [
        term.as_coeff_Mul()[0]
        for exponential in nodes_of(expression, exp)
        for term in Add.make_args(expand(exponential.args[0]))
    ]
    return lcm(1, *(q.q for q in exponents + scales if isinstance(q, Rational)))


def _is_cancelled(value: Expr) -> bool:
    """A monomial, or a sum of monomials over nothing with whole coefficients."""
    terms = Add.make_args(value)
    factors = (factor.as_base_exp() for term in terms for factor in Mul.make_args(term))
    return all(
        (base.is_Integer and power == 1) or (base.is_Symbol and power.is_Integer and power > 0)
        if len(terms) > 1
        else base.is_Rational or (base.is_Symbol and power.is_Integer)
        for base, power in factors
    )


class Generators:
    """The generators met so far, and the way into and out of polynomials in them."""

    def __init__(self, facts: Facts, root: int) -> None:
        self.facts = facts
        self.root = root
        # How many bound symbols are in reach; each is named by the number of those around it, so
        # that equal sums side by side are one expression, and what is known of it is found again.
        self.depth = 0
        self.bound: dict[Symbol, int] = {}
        self.entered: dict[Expr, Expr] = {}
        self.symbol_of: dict[Expr, Symbol] = {}
        self.atom_of: dict[Symbol, Expr] = {}
        self.keys: dict[Symbol, Any] = {}
        self.free: dict[Symbol, set[Symbol]] = {}
        # A generator g with g^q = radicand, for roots of what is not a monomial.
        self.radicals: dict[Symbol, tuple[int, Expr]] = {}
        # Generators that are coefficients, and the series that they belong to.
        self.series_of: dict[Symbol, Series] = {}

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
        return self.generator(expression) ** self._unit_power(expression)

    def leave(self, value: Expr) -> Expr:
        """The value with every generator symbol replaced by what it stands for."""
        return value.xreplace(self.atom_of)

    def cancel(self, value: Expr) -> Expr:
        """One cancelled fraction, the same however the value came to be."""
        if _is_cancelled(value):
            return value
        return cancelled(value, self.ordered(value))

    def ordered(self, value: Expr) -> list[Symbol]:
        """Its generators by what they stand for: SymPy would order them by when they were met."""
        return sorted(value.free_symbols, key=self._key)

    def _key(self, symbol: Symbol) -> Any:
        if symbol not in self.keys:
            self.keys[symbol] = default_sort_key(self.atom_of[symbol])
        return self.keys[symbol]

    def fraction(self, expression: Expr) -> tuple[Expr, Expr]:
        """Numerator, reduced by the relations, and denominator of the expression in generators."""
        numerator, denominator = fraction(self.cancel(self.enter(expression)))
        return contract(self, numerator), denominator

    @contextmanager
    def inside(self, symbol: Symbol) -> Iterator[Symbol]:
        """Where an index or a variable is bound: under a name that nothing else in reach has."""
        name = f"_at_{self.depth}"
        own = isinstance(symbol, Index)
        private = symbol.axis.index(name) if own else Symbol(f"_z{name}", positive=True)
        self.bound[private] = self.depth
        self.depth += 1
        try:
            yield private
        finally:
            self.depth -= 1

    # Generators -------------------------------------------------------------------------------

    def generator(self, atom: Expr) -> Symbol:
        """The generator that stands for the atom."""
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

    def depends(self, value: Expr, symbol: Symbol) -> bool:
        """True when a generator of the value depends on the symbol, an index or a variable."""
        return any(
            symbol in self._free(generator)
            for generator in value.free_symbols
            if generator in self.atom_of
        )

    def _free(self, generator: Symbol) -> set[Symbol]:
        if generator not in self.free:
            self.free[generator] = self.atom_of[generator].free_symbols
        return self.free[generator]

    # Ways in ----------------------------------------------------------------------------------

    def parity(self, exponent: Expr) -> Expr:
        """``(-1)^m``, which is a sign whatever the integer m: its square is 1."""
        signs = S.One
        for term in Add.make_args(expand(self.leave(self.cancel(self.enter(exponent))))):
            number, rest = term.as_coeff_Mul()
            if rest == 1:
                signs *= S.NegativeOne**number
            elif not (isinstance(number, Integer) and number.is_even):
                odd = rest if isinstance(number, Integer) else term
                signs *= self.generator(Pow(S.NegativeOne, odd))
        return signs

    def _enter_exp(self, exponential: exp) -> Expr:
        return self._exp_of(self.enter(exponential.args[0]))

    def _exp_of(self, value: Expr) -> Expr:
        branches = cases(self, value)
        if branches:
            weight, at_0, at_1 = branches
            return self._exp_of(at_0) * (1 - weight + weight * self._exp_of(expand(at_1 - at_0)))
        exponent = expand(self.leave(value))
        monomials = (self._exp_of_monomial(*t.as_coeff_Mul()) for t in Add.make_args(exponent))
        return Mul(*monomials)

    def _exp_of_monomial(self, coefficient: Expr, monomial: Expr) -> Expr:
        if isinstance(monomial, log):
            return self.enter(Pow(monomial.args[0], coefficient))
        if not isinstance(coefficient, Rational):
            monomial, coefficient = coefficient * monomial, S.One
        scale = Rational(1, self.root)
        power = coefficient * self.root
        if not isinstance(power, Integer):
            scale, power = coefficient, S.One
        return self.generator(exp(scale * monomial)) ** power

    def _enter_log(self, logarithm: log) -> Expr:
        # Only what is reduced by the relations has the factors, and their signs, that it can have.
        # Powers of an order stay outside of coefficients: as factors they go out of the log.
        parts = fraction(self.cancel(self.enter(logarithm.args[0])))
        numerator, denominator = (_reduced(self, part, orders_inside=False) for part in parts)
        return self._log_of(self.cancel(numerator / denominator))

    def _log_of(self, value: Expr) -> Expr:
        branches = cases(self, value, positive=True)
        if branches:
            weight, at_0, at_1 = branches
            return (1 - weight) * self._log_of(at_0) + weight * self._log_of(at_1)
        number, factors, rest = self.factors(value, is_positive)
        if rest == 1 and number.is_negative:
            return self.generator(log(self.leave(value)))
        terms = [multiplicity * self._log_of_factor(f) for f, multiplicity in factors]
        known = Add(self._log_of_number(abs(number)), *terms)
        # Where the log exists, what is left has the sign of the number: its logs stay together.
        left = self.leave(rest if number.is_positive else -rest)
        return known if left == 1 else known + self.generator(log(left))

    def factors(self, value: Expr, has_sign: Callable[[Expr, Facts], bool]) -> SignedFactors:
        """``number * prod factor^power * rest``: factors of known sign, and the rest of unknown."""
        number, factors, rest = S.One, [], S.One
        for part, direction in zip(fraction(value), (1, -1), strict=True):
            constant, found = factored(part, self.ordered(part))
            number *= constant**direction
            for factor, multiplicity in found:
                # Factoring fixes no sign: the factor or its negative, whichever has it.
                candidates = (factor, expanded(-factor))
                oriented = [c for c in candidates if has_sign(self.leave(c), self.facts)][:1]
                if not oriented:
                    rest *= factor ** (direction * multiplicity)
                    continue
                number *= (1 if oriented == [factor] else -1) ** multiplicity
                factors.append((oriented[0], direction * multiplicity))
        return number, factors, rest

    def _log_of_number(self, number: Rational) -> Expr:
        """Logarithms of primes are independent over the rationals."""
        return Add(*(m * self.generator(log(Integer(p))) for p, m in factorrat(number).items()))

    def _log_of_factor(self, factor: Expr) -> Expr:
        atom = self.leave(factor)
        if isinstance(atom, exp):
            return self.enter(atom.args[0])
        base, power = atom.as_base_exp()
        if isinstance(power, Rational) and power != 1:
            return power * self.generator(log(base))
        return self.generator(log(atom))

    def _enter_product(self, product: Product) -> Expr:
        index, body = opened(product)
        if isinstance(body, Add) and body.as_coeff_Add()[0].is_negative:
            return self.parity(index.axis.size) * self.enter(over(product, index, -body))
        return self.enter(exp(index.axis.sum(log(body), index)))

    def _enter_function(self, function: Function) -> Expr:
        arguments = (self.leave(self.cancel(self.enter(argument))) for argument in function.args)
        return self.generator(function.func(*arguments))

    # Sums -------------------------------------------------------------------------------------

    def _enter_order_sum(self, total: OrderSum) -> Expr:
        found = closed(total)
        if found is not None:
            return self.enter(found)
        # Named by its height among sums over orders: the sums inside have other names.
        index = Symbol(f"_m_{depth_of_sums(total)}", integer=True, nonnegative=True)
        summand = self.leave(self.cancel(self.enter(total.summand.xreplace({total.bound: index}))))
        limits = (self.leave(self.cancel(self.enter(limit))) for limit in total.args[2:])
        return self.generator(OrderSum(summand, index, *limits))

    _HANDLERS: ClassVar[dict[Any, Callable[[Any, Any], Expr]]] = {
        Coefficient: enter_coefficient,
        OrderSum: _enter_order_sum,
        exp: _enter_exp,
        log: _enter_log,
        Pow: enter_power,
        Sum: enter_sum,
        Product: _enter_product,
        KroneckerDelta: generator,
        Largest: enter_largest,
        leads: enter_leads,
        ramp: enter_ramp,
        step: enter_step,
        Abs: enter_size,
        Function: _enter_function,
    }
