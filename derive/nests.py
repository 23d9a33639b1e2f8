"""Nested sums whose summand cannot be split: one writing for every order of summation.

``sum_j a_j sum_k M_jk b_k = sum_k b_k sum_j M_jk a_j``: finite sums commute, and each order of the
indices pulls other factors out of the inner sums. The nest is flattened into one product over all
its indices, nested again in every order, and the least of the results is kept. Isomorphic nests
have the same results in the same set, so that neither the order of summation nor the names of the
indices matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any

from sympy import Expr, Integer, Mul, Sum

from derive.axis import KEPT, Index
from derive.calculus import free_indices, opened, renamed, replace_index

# Indices of a nest that is put in order: 120 orders at five. The square of a sum over samples and
# classes, summed over the logs, has five; a larger nest is kept as it was met, which decides less
# but nothing wrong.
LARGEST_NEST = 5

Key = Callable[[Expr], Any]


def least_nest(aggregate: Sum, key: Key) -> Expr:
    """The nest of sums in that order of its indices whose writing has the least key."""
    bases = (factor.as_base_exp()[0] for factor in Mul.make_args(aggregate.function))
    if len(aggregate.limits) == 1 and not any(isinstance(base, Sum) for base in bases):
        return aggregate
    names = (f"_nest_{number}" for number in range(LARGEST_NEST + 1))
    bound: list[Index] = []
    factors = _flattened(aggregate, names, bound)
    if not 1 < len(bound) <= LARGEST_NEST:
        return aggregate
    return min((nested(factors, order) for order in permutations(bound)), key=key)


def _flattened(aggregate: Sum, names: Iterator[str], bound: list[Index]) -> list[Expr]:
    """The factors under all sums of the nest, which go by names of their own in ``bound``."""
    index, body = opened(aggregate)
    name = next(names, None)
    if name is None:
        return []
    own = index.axis.index(name)
    bound.append(own)
    factors: list[Expr] = []
    for factor in Mul.make_args(replace_index(body, index, own)):
        base, power = factor.as_base_exp()
        if isinstance(base, Sum) and isinstance(power, Integer) and power > 0:
            for _ in range(min(int(power), LARGEST_NEST)):
                factors += _flattened(base, names, bound)
        else:
            factors.append(factor)
    return factors


def nested(factors: Sequence[Expr], order: Sequence[Index]) -> Expr:
    """The sum of the product over all indices, the first of ``order`` innermost.

    Each sum holds the factors that depend on its index and no others; its index is named by its
    height in the nest.
    """
    outside = list(factors)
    for index in order:
        inside = Mul(*(factor for factor in outside if index in free_indices(factor)))
        outside = [factor for factor in outside if index not in free_indices(factor)]
        canonical = index.axis.index(f"_{height(inside)}")
        outside.append(index.axis.sum(renamed(inside, {index: canonical}), canonical))
    return Mul(*outside)


@lru_cache(maxsize=KEPT)
def height(summand: Expr) -> int:
    """One more than the height of the sums inside: a name that no inner sum has."""
    if isinstance(summand, Sum):
        return 1 + height(opened(summand)[1])
    return max(map(height, summand.args), default=1)
