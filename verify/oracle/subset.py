r"""The truth about subsets: log Z_k, who is in, who is out, and who is in together.

A subset S of n labels, of a size in a given range, has the weight prod_{i in S} m_i e^{x_i}.  Sizes
{k} give Z_k = e_k(e^x), sizes 0..K the sum of e_0..e_K.  Everything is counted from the heaviest
subset T: with c between the smallest exponent in T and the largest outside, S differs from T by
taking a labels with V_i = m_i e^{x_i - c} and dropping b with W_j = e^{c - x_j} / m_j, so that

    Z = prod_{T} m_i e^{x_i} * Q,   Q = sum over the allowed (a, b) of e^{c (a-b)} e_a(V) e_b(W),

where V and W are at most about 1 and Q = 1 + rest: no number overflows, and no two are subtracted,
however far apart the scores are.  For {k} allowed is a = b; for 0..K it is a - b <= K - |T|.

P(i in S) and P(i not in S) are shares of Q, read off the two products with one leaf left out
(`verify.oracle.products`).  With marks u_j on the labels that are in S, the same shares give
sum_j u_j P(i and j in S) and sum_j u_j P(i not in S, j in S): a covariance, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flint import arb

from verify.oracle.balls import ONE, ZERO
from verify.oracle.products import Coefficients, Jet, Leaf, Product, Shares, pairing

__all__ = ["Coupled", "Membership", "Subsets"]

# exp has no enclosure beyond this, so a centre is a float that is kept inside.
FLOAT_MAX = 1.7976931348623157e308

Couple = Callable[[Coefficients], Coefficients]


class Coupled:
    """Q = sum_ab c_ab V_a W_b for two products of leaves, and every leaf's share of it.

    `forth` maps the coefficients of W to sum_b c_ab W_b for each a, `back` those of V to
    sum_a c_ab V_a for each b.
    """

    def __init__(self, v: Product, w: Product, forth: Couple, back: Couple) -> None:
        self._v, self._w = v, w
        root_v, root_w = v.root, w.root
        self._seen_by_v: Jet = tuple(map(forth, root_w))
        self._seen_by_w: Jet = tuple(map(back, root_v))
        first = self._seen_by_v[0]
        # The term V_0 W_0 = 1 is left out before anything is summed.
        alone = forth([ZERO, *root_w[0][1:]])[0]
        self.rest = alone + pairing(first[1:], root_v[0][1:])
        self.total = pairing(first, root_v[0])
        self.marks = tuple(
            pairing(first, of_v) + pairing(of_w, root_v[0])
            for of_v, of_w in zip(root_v[1:], self._seen_by_v[1:], strict=True)
        )

    def shares(self) -> tuple[dict[int, Shares], dict[int, Shares]]:
        """Of Q, for the leaves of V and of W that were asked for; not yet divided by it."""
        return self._v.shares(self._seen_by_v), self._w.shares(self._seen_by_w)


class Membership(NamedTuple):
    """P(i in S) and P(i not in S); and for each kind of mark the mean of the marks in S there."""

    inside: arb
    outside: arb
    inside_marks: tuple[arb, ...]
    outside_marks: tuple[arb, ...]


class Subsets:
    """The distribution over the subsets of exactly `size` labels, or of at most `size`.

    `exponents` x_i and `weights` m_i > 0 (None: all 1) as balls; `marks` has for each kind one
    number >= 0 for each label.  `asked` are the labels whose membership will be asked for.

    >>> Subsets([arb(0)] * 4, 2).total
    6.00000000000000
    """

    def __init__(
        self,
        exponents: Sequence[arb],
        size: int,
        *,
        at_most: bool = False,
        weights: Sequence[arb] | None = None,
        marks: Sequence[Sequence[arb]] = (),
        asked: Sequence[int] = (),
    ) -> None:
        n = len(exponents)
        if not 0 <= size <= n:
            raise ValueError(f"subsets of {n} labels have 0 to {n} of them, got size {size}")
        self.exponents, self.weights = exponents, weights
        keys = self._keys()
        self.heaviest, centre = _heaviest(keys, size, at_most)
        self._asked = asked
        slack = size - len(self.heaviest) if at_most else None
        self._coupled = self._couple(arb(centre), slack, marks)

    @property
    def rest(self) -> arb:
        """Q - 1: the weight of all other subsets over that of the heaviest."""
        return self._coupled.rest

    @property
    def total(self) -> arb:
        """Q."""
        return self._coupled.total

    @property
    def log_partition(self) -> arb:
        """log Z = sum_T (x_i + log m_i) + log(1 + rest)."""
        return sum(map(self.log_weight, self.heaviest), ZERO) + self.rest.log1p()

    @property
    def mean_marks(self) -> tuple[arb, ...]:
        """For each kind, the mean of sum_{j in S} marks_j."""
        return tuple(mark / self.total for mark in self._coupled.marks)

    def log_weight(self, i: int) -> arb:
        """x_i + log m_i."""
        x = self.exponents[i]
        return x if self.weights is None else x + self.weights[i].log()

    def membership(self) -> list[Membership]:
        """One for each label asked for, in that order."""
        of_v, of_w = self._coupled.shares()
        taken = {self._outside[place]: share for place, share in of_v.items()}
        dropped = {self._inside[place]: share for place, share in of_w.items()}
        q = self.total
        found = []
        for i in self._asked:
            if i in taken:
                stay, take, stay_marks, take_marks = taken[i]
            else:
                take, stay, take_marks, stay_marks = dropped[i]
            inside = tuple(mark / q for mark in take_marks)
            outside = tuple(mark / q for mark in stay_marks)
            found.append(Membership(take / q, stay / q, inside, outside))
        return found

    def _keys(self) -> list[float]:
        """x_i + log m_i as floats: they only choose T and the centre."""
        if self.weights is None:
            return [float(x) for x in self.exponents]
        logs = (float(m.log()) for m in self.weights)
        return [float(x) + log for x, log in zip(self.exponents, logs, strict=True)]

    def _couple(self, centre: arb, slack: int | None, marks: Sequence[Sequence[arb]]) -> Coupled:
        top = set(self.heaviest)
        self._inside = sorted(top)
        self._outside = [i for i in range(len(self.exponents)) if i not in top]
        none = (ZERO,) * len(marks)
        of_label = list(zip(*marks, strict=True)) or [()] * len(self.exponents)
        v = [Leaf(self._power(i, centre), none, of_label[i]) for i in self._outside]
        w = [Leaf(ONE / self._power(i, centre), of_label[i], none) for i in self._inside]
        order_w = min(len(v), len(w)) if slack is None else len(w)
        order_v = order_w if slack is None else min(len(v), len(w) + slack)
        wanted = set(self._asked)
        v_asked = [place for place, i in enumerate(self._outside) if i in wanted]
        w_asked = [place for place, i in enumerate(self._inside) if i in wanted]
        products = (
            Product(v, order_v, v_asked, kinds=len(marks)),
            Product(w, order_w, w_asked, kinds=len(marks)),
        )
        if slack is None:
            return Coupled(*products, _same, _same)
        fall = (-centre).exp()
        return Coupled(
            *products,
            lambda of_w: _forth(of_w, order_v, slack, fall),
            lambda of_v: _back(of_v, order_w, slack, fall),
        )

    def _power(self, i: int, centre: arb) -> arb:
        power = (self.exponents[i] - centre).exp()
        return power if self.weights is None else power * self.weights[i]


def _heaviest(keys: Sequence[float], size: int, at_most: bool) -> tuple[list[int], float]:
    """T, and c between the two exponents that decide about it (0 where the size does not)."""
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)
    if at_most:
        positive = sum(key > 0 for key in keys)
        if positive <= size:
            return order[:positive], 0.0
    if size in (0, len(keys)):
        return order[:size], 0.0
    middle = keys[order[size - 1]] / 2 + keys[order[size]] / 2
    return order[:size], min(max(middle, 0.0 if at_most else -FLOAT_MAX), FLOAT_MAX)


def _same(coefficients: Coefficients) -> Coefficients:
    return coefficients


def _forth(of_w: Coefficients, order: int, slack: int, fall: arb) -> list[arb]:
    """U_a = sum over b >= a - slack of e^{-c (b - a)} W_b; c = 0 unless slack is 0."""
    seen = [ZERO] * (order + 1)
    following = ZERO
    for b in range(len(of_w) - 1, -1, -1):
        following = of_w[b] + fall * following
        if b + slack <= order:
            seen[b + slack] = following
    for a in range(min(slack, order + 1)):
        seen[a] = following
    return seen


def _back(of_v: Coefficients, order: int, slack: int, fall: arb) -> list[arb]:
    """Y_b = sum over a <= b + slack of e^{-c (b - a)} V_a; c = 0 unless slack is 0."""
    seen = []
    before = sum(of_v[:slack], ZERO)
    for b in range(order + 1):
        before = fall * before + (of_v[b + slack] if b + slack < len(of_v) else ZERO)
        seen.append(before)
    return seen
