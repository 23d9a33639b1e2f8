r"""Coefficients of long products of 1 + x_i z over Arb balls, each factor in turn left out.

A leaf is one label: it stays (z^0, weight 1) or is taken (z^1, weight x >= 0).  A state of a
product is one choice for every leaf; the coefficient of z^a sums the weights of the states that
take a leaves.  Marks are numbers m >= 0 that a leaf adds to a state by staying or by being taken,
and beside the plain polynomial E travels one polynomial for each kind of mark,

    N = sum over states of (sum of the marks) (product of the weights),   N_12 = N_1 E_2 + E_1 N_2.

Leaves are multiplied pairwise (a product tree).  A linear form of the root's coefficients, given
by its adjoint A (the form is sum_a A_a E_a), is carried down by the transposed product

    (A_left)_j = sum_l A_{j+l} (E_right)_l,

so that a leaf receives what all the other leaves weigh where it stays and where it is taken.
Every term is nonnegative: nothing is subtracted, and the balls stay as tight as their numbers.
A product of n leaves to order m costs O(n log^2) for m ~ n and O(n m) for small m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flint import arb, arb_poly

from verify.oracle.balls import ONE, ZERO

__all__ = ["Jet", "Leaf", "Product", "Shares", "pairing"]

# Leaves that nobody asks about are multiplied one by one in runs of this many: up to there that
# costs less than the Python around a tree of polynomials.
RUN = 32

Coefficients = Sequence[arb]
Jet = tuple[Coefficients, ...]
"""Coefficients of E, then those of N for each kind of mark."""


class Leaf(NamedTuple):
    """One factor: its weight when taken, and the marks that it adds when it stays or is taken."""

    take: arb
    stay_marks: tuple[arb, ...] = ()
    take_marks: tuple[arb, ...] = ()


class Shares(NamedTuple):
    """The states in which one leaf stays, and is taken: their weight and their marks."""

    stay: arb
    take: arb
    stay_marks: tuple[arb, ...] = ()
    take_marks: tuple[arb, ...] = ()


@dataclass(frozen=True)
class _Node:
    """A product of leaves, and the two it was made of; a leaf asked for carries its place."""

    polys: tuple[arb_poly, ...]
    children: tuple[_Node, _Node] | None = None
    place: int | None = None
    asked: bool = False


class Product:
    """The product of all leaves to the order given; `asked` are the places to be left out in turn.

    `kinds` says how many kinds of marks the leaves carry.

    >>> Product([Leaf(arb(2)), Leaf(arb(3))], 2).root
    ([1.00000000000000, 5.00000000000000, 6.00000000000000],)
    """

    def __init__(
        self, leaves: Sequence[Leaf], order: int, asked: Sequence[int] = (), *, kinds: int = 0
    ) -> None:
        self.leaves = leaves
        self.order = order
        self._kinds = kinds
        self._node = self._multiply(self._nodes(sorted(set(asked))))

    @property
    def root(self) -> Jet:
        """The coefficients of z^0..z^order."""
        length = self.order + 1
        return tuple(_padded(p.coeffs()[:length], length) for p in self._node.polys)

    def shares(self, adjoint: Jet) -> dict[int, Shares]:
        """For each place asked for, the form's states in which its leaf stays and is taken.

        `adjoint` has the form's adjoint, and for each kind of mark the adjoint that marks outside
        of this product add to it.
        """
        found: dict[int, Shares] = {}
        pending = [(self._node, adjoint)]
        while pending:
            node, above = pending.pop()
            if node.place is not None:
                found[node.place] = _shares(self.leaves[node.place], above)
            if node.children is None:
                continue
            left, right = node.children
            if left.asked:
                pending.append((left, _carried(above, right, left)))
            if right.asked:
                pending.append((right, _carried(above, left, right)))
        return found

    def _nodes(self, asked: Sequence[int]) -> list[_Node]:
        singles = [_Node(_factor(self.leaves[i]), None, i, True) for i in asked]
        chosen = set(asked)
        rest = [leaf for i, leaf in enumerate(self.leaves) if i not in chosen]
        runs = (rest[at : at + RUN] for at in range(0, len(rest), RUN))
        return singles + [_Node(_one_by_one(run, self.order, self._kinds)) for run in runs]

    def _multiply(self, nodes: list[_Node]) -> _Node:
        if not nodes:
            return _Node((arb_poly([1]), *[arb_poly([0])] * self._kinds))
        while len(nodes) > 1:
            pairs = zip(nodes[::2], nodes[1::2], strict=False)
            joined = [
                _Node(_times(a.polys, b.polys, self.order), (a, b), None, a.asked or b.asked)
                for a, b in pairs
            ]
            nodes = joined + nodes[2 * len(joined) :]
        return nodes[0]


def pairing(adjoint: Coefficients, coefficients: Coefficients) -> arb:
    """sum_a A_a E_a."""
    return sum((a * e for a, e in zip(adjoint, coefficients, strict=True)), ZERO)


def _factor(leaf: Leaf) -> tuple[arb_poly, ...]:
    marks = zip(leaf.stay_marks, leaf.take_marks, strict=True)
    return (arb_poly([ONE, leaf.take]), *(arb_poly([m, leaf.take * t]) for m, t in marks))


def _one_by_one(run: Sequence[Leaf], order: int, kinds: int) -> tuple[arb_poly, ...]:
    """The product of a run of leaves, by e_j <- e_j + x e_{j-1} from the top order down."""
    top = min(len(run), order)
    e = [ONE] + [ZERO] * top
    marked = [[ZERO] * (top + 1) for _ in range(kinds)]
    for count, leaf in enumerate(run, start=1):
        x = leaf.take
        kinds_of = list(zip(marked, leaf.stay_marks, leaf.take_marks, strict=True))
        for j in range(min(count, top), 0, -1):
            taken = x * e[j - 1]
            for n, stay, take in kinds_of:
                n[j] += x * n[j - 1]
                if take is not ZERO:
                    n[j] += take * taken
                if stay is not ZERO:
                    n[j] += stay * e[j]
            e[j] += taken
        for n, stay, _ in kinds_of:
            n[0] += stay * e[0]
    return (arb_poly(e), *map(arb_poly, marked))


def _times(a: tuple[arb_poly, ...], b: tuple[arb_poly, ...], order: int) -> tuple[arb_poly, ...]:
    """E_1 E_2 and N_1 E_2 + E_1 N_2, to the order given."""
    plain = a[0] * b[0]
    marked = (m * b[0] + a[0] * n for m, n in zip(a[1:], b[1:], strict=True))
    return tuple(_truncated(p, order) for p in (plain, *marked))


def _truncated(p: arb_poly, order: int) -> arb_poly:
    return p if p.length() <= order + 1 else arb_poly(p.coeffs()[: order + 1])


def _carried(adjoint: Jet, sibling: _Node, node: _Node) -> Jet:
    """The adjoint of a node from that of the product above it: its sibling is multiplied in."""
    width = max(p.length() for p in node.polys)
    plain, *marked = adjoint
    weight, *marks = sibling.polys
    carried = [_transposed(plain, weight, width)]
    for above, mark in zip(marked, marks, strict=True):
        own = _transposed(above, weight, width)
        other = _transposed(plain, mark, width)
        carried.append([x + y for x, y in zip(own, other, strict=True)])
    return tuple(carried)


def _transposed(adjoint: Coefficients, p: arb_poly, width: int) -> list[arb]:
    """sum_l A_{j+l} p_l for j < width: a part of the product with p turned round."""
    coefficients = p.coeffs()
    if not coefficients:
        return [ZERO] * width
    turned = arb_poly(coefficients[::-1])
    lead = len(coefficients) - 1
    product = (arb_poly(list(adjoint[: width + lead])) * turned).coeffs()
    return _padded(product[lead : lead + width], width)


def _padded(coefficients: Coefficients, length: int) -> list[arb]:
    return [*coefficients, *[ZERO] * (length - len(coefficients))]


def _shares(leaf: Leaf, adjoint: Jet) -> Shares:
    (stay, take), *marked = (_padded(a, 2)[:2] for a in adjoint)
    x = leaf.take
    own = zip(marked, leaf.stay_marks, leaf.take_marks, strict=True)
    both = [(n[0] + m * stay, x * (n[1] + t * take)) for n, m, t in own]
    return Shares(stay, x * take, tuple(s for s, _ in both), tuple(t for _, t in both))
