"""Ramps, steps, largest entries and absolute values in the normal form.

``ramp(x) = x step(x)``, ``step(-x) = 1 - step(x)`` and ``max_k f_k = sum_k leads_k f_k``: what is
left are steps and leaders, generators with the values 0 and 1 (:mod:`derive.ramps`). ``|x y| =
|x| |y|``, and ``|x|`` of a factor of unknown sign is a generator with ``|x|^2 = x^2``; off the kink
its derivative is ``|x| / x``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sympy import Abs, Add, Expr, Mul, Symbol, expand, fraction

from derive import relations
from derive.calculus import free_indices, opened, replace_index
from derive.polynomials import expanded, factored
from derive.ramps import Largest, leads, ramp, step
from derive.relations import cases
from derive.sign import is_nonnegative


class Ring(relations.Ring, Protocol):
    """What ramps need of the ring of generators."""

    def cancel(self, value: Expr) -> Expr:
        """One cancelled fraction."""

    def ordered(self, value: Expr) -> list[Symbol]:
        """Its generators by what they stand for."""


def enter_ramp(ring: Ring, node: ramp) -> Expr:
    """``ramp(x) = x step(x)``."""
    (x,) = node.args
    return ring.enter(x) * ring.enter(step(x))


def enter_step(ring: Ring, node: step) -> Expr:
    """``step(-x) = 1 - step(x)``: one of the two is the generator; by cases of labels."""
    return _step_of(ring, ring.cancel(ring.enter(node.args[0])))


def _step_of(ring: Ring, value: Expr) -> Expr:
    branches = _by_cases(ring, value, _step_of)
    if branches is not None:
        return branches
    x = ring.leave(value)
    known: Expr = step(x)
    if known.is_number:
        return known
    if x.could_extract_minus_sign():
        return 1 - ring.generator(step(-x))
    return ring.generator(known)


def _by_cases(ring: Ring, value: Expr, f: Callable[[Ring, Expr], Expr]) -> Expr | None:
    """``f(y) = (1 - y) f(0) + y f(1)`` for a label or step y in the value; None where none is."""
    branches = cases(ring, value)
    if branches is None:
        return None
    weight, at_0, at_1 = (ring.cancel(part) for part in branches)
    return (1 - weight) * f(ring, at_0) + weight * f(ring, at_1)


def enter_largest(ring: Ring, node: Largest) -> Expr:
    """``max_k f_k = sum_k leads_k f_k``."""
    index, body = opened(node)
    return ring.enter(index.axis.sum(leads(_named_by_rule(ring, node), index) * body, index))


def enter_leads(ring: Ring, node: leads) -> Expr:
    """A generator for each place."""
    largest, place = node.args
    return ring.generator(leads(_named_by_rule(ring, largest), place))


def _named_by_rule(ring: Ring, node: Largest) -> Largest:
    """Its body in normal form, its index by a name that nothing else has.

    What all entries have in common, a term or a positive factor, does not decide which of them is
    the largest, and is left out.
    """
    bound, body = opened(node)
    index = bound.axis.index("_largest")
    with ring.inside(bound) as private:
        value = ring.enter(replace_index(body, bound, private))
        terms = Add.make_args(expand(ring.leave(ring.cancel(value))))
    own = Add(*(term for term in terms if private in free_indices(term))).primitive()[1]
    return Largest(replace_index(own, private, index), index.axis.limits(index))


def enter_size(ring: Ring, node: Abs) -> Expr:
    """``|x|``, factor by factor; by cases of labels."""
    return _size_of(ring, ring.cancel(ring.enter(node.args[0])))


def _size_of(ring: Ring, value: Expr) -> Expr:
    branches = _by_cases(ring, value, _size_of)
    if branches is not None:
        return branches
    above, below = (_size_of_polynomial(ring, part) for part in fraction(value))
    return above / below


def _size_of_polynomial(ring: Ring, value: Expr) -> Expr:
    number, factors = factored(value, ring.ordered(value))
    return Mul(abs(number), *(_size_of_factor(ring, f) ** power for f, power in factors))


def _size_of_factor(ring: Ring, factor: Expr) -> Expr:
    for oriented in (factor, expanded(-factor)):
        if is_nonnegative(ring.leave(oriented), ring.facts):
            return oriented
    x = ring.leave(factor)
    size = ring.generator(Abs(-x if x.could_extract_minus_sign() else x, evaluate=False))
    ring.radicals[size] = (2, expand(factor**2))
    return size
