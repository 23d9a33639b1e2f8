"""Ramps, steps and largest entries in the normal form.

``ramp(x) = x step(x)``, ``step(-x) = 1 - step(x)`` and ``max_k f_k = sum_k leads_k f_k``: what is
left are steps and leaders, generators with the values 0 and 1 (:mod:`derive.ramps`).
"""

from __future__ import annotations

from typing import Protocol

from sympy import Expr

from derive import relations
from derive.axis import Index
from derive.calculus import opened, replace_index
from derive.ramps import Largest, leads, ramp, step
from derive.relations import cases


class Ring(relations.Ring, Protocol):
    """What ramps need of the ring of generators."""

    def cancel(self, value: Expr) -> Expr:
        """One cancelled fraction."""

    def enter_bound(self, body: Expr, index: Index) -> tuple[Index, Expr]:
        """The body in generators, under a name of the index that nothing else is named by."""


def enter_ramp(ring: Ring, node: ramp) -> Expr:
    """``ramp(x) = x step(x)``."""
    (x,) = node.args
    return ring.enter(x) * ring.enter(step(x))


def enter_step(ring: Ring, node: step) -> Expr:
    """``step(-x) = 1 - step(x)``: one of the two is the generator; by cases of labels."""
    return _step_of(ring, ring.cancel(ring.enter(node.args[0])))


def _step_of(ring: Ring, value: Expr) -> Expr:
    branches = cases(ring, value)
    if branches:
        weight, at_0, at_1 = (ring.cancel(part) for part in branches)
        return (1 - weight) * _step_of(ring, at_0) + weight * _step_of(ring, at_1)
    x = ring.leave(value)
    known: Expr = step(x)
    if known.is_number:
        return known
    if x.could_extract_minus_sign():
        return 1 - ring.generator(step(-x))
    return ring.generator(known)


def enter_largest(ring: Ring, node: Largest) -> Expr:
    """``max_k f_k = sum_k leads_k f_k``."""
    largest = _named_by_rule(ring, node)
    index, body = opened(largest)
    return ring.enter(index.axis.sum(leads(largest, index) * body, index))


def enter_leads(ring: Ring, node: leads) -> Expr:
    """A generator for each place."""
    largest, place = node.args
    return ring.generator(leads(_named_by_rule(ring, largest), place))


def _named_by_rule(ring: Ring, node: Largest) -> Largest:
    """Its body in normal form, its index by a name that nothing else has."""
    bound, body = opened(node)
    private, value = ring.enter_bound(body, bound)
    index = bound.axis.index("_largest")
    body = replace_index(ring.leave(ring.cancel(value)), private, index)
    return Largest(body, index.axis.limits(index))
