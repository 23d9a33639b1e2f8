r"""The distribution over k-subsets of one row, settled: P(S) = e^{sum_S s} / Z_k, Z_k = e_k(e^s).

    distribution    log Z_k, P(i in S), P(i not in S)           from the heaviest subset
    log_partitions  log Z_0 .. log Z_K at once                  from the product itself
    pairwise        P(i and j in S) = P(i in S) P(j in S | i in S), the second factor being the
                    inclusion of j among k-1 of the others
    patterns        P(S meets M in A) = prod_A x Z_{k-|A|}(labels outside M) / Z_k, A within M

Every number is nonnegative until the logarithm is taken, and log Z_k may be near 0: so the
precision doubles until each number is known to 2^-80 of itself or is certainly below 2^-1094.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple, TypeVar

from flint import arb, ctx

from verify.oracle.balls import ONE, ZERO
from verify.oracle.differentiation import AGREEMENT_BITS, MAX_BITS, NEGLIGIBLE_EXPONENT
from verify.oracle.products import Leaf, Product
from verify.oracle.subset import Subsets

__all__ = ["Distribution", "distribution", "log_partitions", "pairwise", "patterns"]

FIRST_BITS = 128

T = TypeVar("T")


class Distribution(NamedTuple):
    """log Z_k, and P(i in S), P(i not in S) for each place asked for."""

    log_partition: arb
    inside: list[arb]
    outside: list[arb]


def distribution(
    scores: Sequence[float], k: int, places: Sequence[int] | None = None
) -> Distribution:
    """The numbers of one row at `places` (all of them by default); -inf is a label never drawn.

    >>> float(distribution([0.0] * 5, 2).log_partition) == math.log(10)
    True
    """
    kept = _kept(scores, k)
    asked = range(len(scores)) if places is None else places
    place = {i: at for at, i in enumerate(kept)}
    present = [place[i] for i in asked if i in place]

    def compute() -> Distribution:
        subsets = Subsets([arb(scores[i]) for i in kept], k, asked=present)
        members = dict(zip(present, subsets.membership(), strict=True))
        inside = [members[place[i]].inside if i in place else ZERO for i in asked]
        outside = [members[place[i]].outside if i in place else ONE for i in asked]
        return Distribution(subsets.log_partition, inside, outside)

    return _settled(compute, lambda d: (d.log_partition, *d.inside, *d.outside))


def log_partitions(scores: Sequence[float], max_k: int) -> list[arb]:
    """log Z_0 .. log Z_max_k; scores below 10^18 in size, -inf is a label never drawn."""
    kept = _kept(scores, max_k)

    def compute() -> list[arb]:
        leaves = [Leaf(arb(scores[i]).exp()) for i in kept]
        (coefficients,) = Product(leaves, max_k).root
        return [z.log() for z in coefficients]

    return _settled(compute, lambda logs: logs)


def pairwise(scores: Sequence[float], k: int) -> list[list[arb]]:
    """P(i and j in S), the inclusion of i on the diagonal; for short rows, k >= 1."""
    whole = distribution(scores, k)
    table = []
    for i, inside in enumerate(whole.inside):
        others = [*scores[:i], *scores[i + 1 :]]
        given = distribution(others, k - 1).inside if not inside.is_zero() else [ZERO] * len(others)
        given.insert(i, ONE)
        table.append([inside * p for p in given])
    return table


def patterns(scores: Sequence[float], k: int, watched: Sequence[int]) -> dict[tuple[int, ...], arb]:
    """For each set A of the labels watched, at most k of them: P(A is what S has of them)."""
    outside = [i for i in _kept(scores, k) if i not in set(watched)]

    def compute() -> dict[tuple[int, ...], arb]:
        power = {i: arb(scores[i]).exp() for i in watched}
        (rest,) = Product([Leaf(arb(scores[i]).exp()) for i in outside], k).root
        weights = {}
        for size in range(min(k, len(watched)) + 1):
            for chosen in combinations(sorted(watched), size):
                weights[chosen] = math.prod((power[i] for i in chosen), start=rest[k - size])
        total = sum(weights.values(), ZERO)
        return {chosen: weight / total for chosen, weight in weights.items()}

    return _settled(compute, lambda cells: cells.values())


def _kept(scores: Sequence[float], k: int) -> list[int]:
    """The labels above -inf; ValueError if fewer than k are there."""
    kept = [i for i, s in enumerate(scores) if s != -math.inf]
    if not 0 <= k <= len(kept):
        raise ValueError(f"k must lie in 0..{len(kept)}, the number of scores above -inf, got {k}")
    return kept


def _settled(compute: Callable[[], T], numbers: Callable[[T], Iterable[arb]]) -> T:
    bits = FIRST_BITS
    while bits <= MAX_BITS:
        with ctx.workprec(bits):
            result = compute()
            if all(map(_known, numbers(result))):
                return result
        bits *= 2
    raise ArithmeticError(f"the distribution over subsets did not settle at {MAX_BITS} bits")


def _known(x: arb) -> bool:
    return x.rel_accuracy_bits() >= AGREEMENT_BITS or abs(x) < arb((1, NEGLIGIBLE_EXPONENT))
