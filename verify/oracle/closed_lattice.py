r"""The closed formulas of the losses that count subsets, over Arb balls.

    combination_softmax         log Z_k - sum_pos s, Z_k = e_k(e^s), k positives
    padded_combination_softmax  log sum_{j<=K} e_j(e^{s - s_0}) - sum_pos (s - s_0)
    order_r                     log sum_{a<=r} e_a(t e^{-s}) + log sum_{b<=r} e_b((1-t) e^{s})
    lattice                     log sum over (a, b) in I of e_a((1-t) e^{s}) e_b(t e^{-s})

Each is the log partition of a distribution over subsets S (`verify.oracle.subset`), less a linear
term.  The gradient is P(i in S) for a negative and -P(i not in S) for a positive, q_i - p_i with
the two sides of order_r and of the lattice.  The Hessian is a covariance, and its product with v
is measured by the larger of its positive and its negative part, which are those of

    (H v)_i = sum_j u_j P(i in S, j in S) - P(i in S) sum_j u_j P(j in S),

each sum split by the sign of u_j ("i not in S" throughout where the gradient is -P(i not in S)).
u = v in general.  Where every S has k labels a constant in v changes nothing, so that u_j is
v_j less the mean of v over S, sum_l P_l (v_j - v_l) / k; the second term is 0 and the parts are

    sum_j P(i and j in S) [ sum_{v_l < v_j} P_l (v_j - v_l) - sum_{v_l > v_j} P_l (v_l - v_j) ] / k,

for k = 1 those of softmax.  On the lattice S is what differs from the labels: i counts +1 where it
is taken among the v = (1-t) e^{s}, -1 among the w = t e^{-s}.
`verify.oracle.differentiation` confirms each line from the definition alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flint import arb

from verify.oracle.balls import (
    NOTHING,
    ONE,
    ZERO,
    Numbers,
    Places,
    Signed,
    Term,
    log_one_plus_exp,
    logistic,
    mass_by_value,
    signed,
    split,
    spread,
)
from verify.oracle.products import Coefficients, Leaf, Product
from verify.oracle.row import Row
from verify.oracle.subset import Coupled, Membership, Subsets

__all__ = ["IndexSet", "combination_softmax", "lattice", "order_r", "padded_combination_softmax"]

IndexSet = Callable[[int, int], bool]
# Up to this many different entries of the vector, the mass on each is counted along with the
# subsets; beyond, the inclusion of every label is computed first.
FEW_VALUES = 3


def combination_softmax(row: Row, places: Places) -> Numbers:
    """log Z_k - sum_pos s."""
    scores = [arb(s) for s in row.scores]
    positives = _positives(row)
    if row.vector is None or not positives:
        subsets = Subsets(scores, len(positives), asked=places)
        gradient = [_slope(row, i, m) for i, m in zip(places, subsets.membership(), strict=True)]
        nothing = [] if row.vector is None else [NOTHING] * len(places)
        return Numbers(_loss(subsets, positives), gradient, nothing)
    return _with_centred_product(row, scores, positives, row.vector, places)


def _with_centred_product(
    row: Row, scores: list[arb], positives: set[int], vector: Sequence[float], places: Places
) -> Numbers:
    """The mass on each value of the vector, then u_j for the labels in S, then their means."""
    k = len(positives)
    values = sorted(set(vector))
    if len(values) <= FEW_VALUES:
        marks = [[ONE if v == value else ZERO for v in vector] for value in values]
        subsets = Subsets(scores, k, marks=marks, asked=places)
        mass = dict(zip(values, subsets.mean_marks, strict=True))
        around = spread(mass, values)
        rises, falls = ([part[value] for value in values] for part in around)
    else:
        everyone = Subsets(scores, k, asked=range(len(scores))).membership()
        around = spread(mass_by_value(vector, (m.inside for m in everyone)), values)
        marks = [[part[v] for v in vector] for part in around]
        subsets = Subsets(scores, k, marks=marks, asked=places)
        rises, falls = [ONE, ZERO], [ZERO, ONE]
    gradient, product = [], []
    for i, member in zip(places, subsets.membership(), strict=True):
        gradient.append(_slope(row, i, member))
        inside = row.labels[i] == 0
        seen = member.inside_marks if inside else member.outside_marks
        up, down = (
            sum((mark * weight for mark, weight in zip(seen, weights, strict=True)), ZERO) / k
            for weights in (rises, falls)
        )
        product.append(Term(up, down) if inside else Term(down, up))
    return Numbers(_loss(subsets, positives), gradient, product)


def padded_combination_softmax(
    row: Row, places: Places, *, max_labels: float, threshold: float
) -> Numbers:
    """log sum_{j<=K} e_j(e^x) - sum_pos x, x = s - threshold."""
    x = [arb(s) - arb(threshold) for s in row.scores]
    positives = _positives(row)
    if len(positives) > max_labels:
        raise ValueError(
            f"padded_combination_softmax takes at most {max_labels:g} positives, "
            f"got {len(positives)}"
        )
    if max_labels >= len(x):
        return _independent(row, x, places)
    marks = [] if row.vector is None else split(row.vector)
    subsets = Subsets(x, int(max_labels), at_most=True, marks=marks, asked=places)
    members = list(zip(places, subsets.membership(), strict=True))
    gradient = [_slope(row, i, member) for i, member in members]
    value = _loss(subsets, positives)
    if row.vector is None:
        return Numbers(value, gradient, [])
    means = Signed(*subsets.mean_marks)
    return Numbers(value, gradient, [_curve(row, i, member, means) for i, member in members])


def _independent(row: Row, x: list[arb], places: Places) -> Numbers:
    """All sizes are allowed: each label for itself, binary cross-entropy."""
    signs = [1 if t == 0 else -1 for t in row.labels]
    value = sum((log_one_plus_exp(sign * y) for sign, y in zip(signs, x, strict=True)), ZERO)
    shares = [(signs[i], logistic(signs[i] * x[i]), logistic(-signs[i] * x[i])) for i in places]
    gradient = [signed(sign * share) for sign, share, _ in shares]
    if row.vector is None:
        return Numbers(value, gradient, [])
    v = row.vector
    curves = [arb(v[i]) * a * b for i, (_, a, b) in zip(places, shares, strict=True)]
    return Numbers(value, gradient, [signed(curve) for curve in curves])


class _Side(NamedTuple):
    """One side of order_r: its log partition, and for each place P_i and the parts of (H v)_i."""

    log_partition: arb
    inclusion: dict[int, arb]
    product: dict[int, Term]


def order_r(row: Row, places: Places, *, order: float) -> Numbers:
    """log sum_{a<=r} e_a(t e^{-s}) + log sum_{b<=r} e_b((1-t) e^{s})."""
    scores = [arb(s) for s in row.scores]
    labels = [arb(t) for t in row.labels]
    p = _side(row, [-s for s in scores], labels, places, int(order))
    q = _side(row, scores, [ONE - t for t in labels], places, int(order))
    value = p.log_partition + q.log_partition
    gradient = [Term(q.inclusion.get(i, ZERO), p.inclusion.get(i, ZERO)) for i in places]
    if row.vector is None:
        return Numbers(value, gradient, [])
    both = ((p.product.get(i, NOTHING), q.product.get(i, NOTHING)) for i in places)
    return Numbers(value, gradient, [Term(x.up + y.up, x.down + y.down) for x, y in both])


def _side(row: Row, x: list[arb], weights: list[arb], places: Places, order: int) -> _Side:
    """Subsets of at most `order` of the labels whose weight is not 0."""
    present = [i for i, weight in enumerate(weights) if not weight.is_zero()]
    place = {i: k for k, i in enumerate(present)}
    asked = [i for i in places if i in place]
    subsets = Subsets(
        [x[i] for i in present],
        min(order, len(present)),
        at_most=True,
        weights=[weights[i] for i in present] if _some_soft(row) else None,
        marks=[] if row.vector is None else split([row.vector[i] for i in present]),
        asked=[place[i] for i in asked],
    )
    members = dict(zip(asked, subsets.membership(), strict=True))
    inclusion = {i: member.inside for i, member in members.items()}
    product = {}
    if row.vector is not None:
        means = Signed(*subsets.mean_marks)
        product = {
            i: _covariance(m.inside, Signed(*m.inside_marks), means) for i, m in members.items()
        }
    return _Side(subsets.log_partition, inclusion, product)


def _some_soft(row: Row) -> bool:
    return any(t not in (0, 1) for t in row.labels)


def lattice(row: Row, places: Places, *, index_set: IndexSet) -> Numbers:
    """log sum over (a, b) in I of e_a(v) e_b(w), by the two products multiplied out."""
    n = len(row.scores)
    plus, minus = split(row.vector or [0.0] * n)
    powers = [arb(s).exp() for s in row.scores]
    taken = zip(row.labels, powers, plus, minus, strict=True)
    nothing = (ZERO, ZERO)
    v, w = [], []
    for t, power, up, down in taken:
        v.append(Leaf((ONE - arb(t)) * power, nothing, (up, down)))
        w.append(Leaf(arb(t) / power, nothing, (down, up)))
    allowed = [[index_set(a, b) for b in range(n + 1)] for a in range(n + 1)]
    turned = [list(column) for column in zip(*allowed, strict=True)]
    coupled = Coupled(
        Product(v, n, places, kinds=2),
        Product(w, n, places, kinds=2),
        lambda of_w: _sums(allowed, of_w),
        lambda of_v: _sums(turned, of_v),
    )
    q = coupled.total
    value = coupled.rest.log1p() if allowed[0][0] else q.log()
    means = Signed(*(mark / q for mark in coupled.marks))
    of_v, of_w = coupled.shares()
    gradient = [Term(of_v[i].take / q, of_w[i].take / q) for i in places]
    if row.vector is None:
        return Numbers(value, gradient, [])
    product = []
    for i, slope in zip(places, gradient, strict=True):
        rise, fall = (Signed(*(m / q for m in of[i].take_marks)) for of in (of_v, of_w))
        of_a, of_b = _covariance(slope.up, rise, means), _covariance(slope.down, fall, means)
        product.append(Term(of_a.up + of_b.down, of_a.down + of_b.up))
    return Numbers(value, gradient, product)


def _sums(allowed: Sequence[Sequence[bool]], coefficients: Coefficients) -> list[arb]:
    """For each index the sum of the coefficients that it allows."""
    return [
        sum((e for e, yes in zip(coefficients, line, strict=True) if yes), ZERO) for line in allowed
    ]


def _positives(row: Row) -> set[int]:
    return {i for i, t in enumerate(row.labels) if t == 1}


def _loss(subsets: Subsets, positives: set[int]) -> arb:
    """log Z less the log weight of the positives; what is in both is not even written down."""
    heaviest = set(subsets.heaviest)
    gained = sum(map(subsets.log_weight, sorted(heaviest - positives)), ZERO)
    lost = sum(map(subsets.log_weight, sorted(positives - heaviest)), ZERO)
    return gained - lost + subsets.rest.log1p()


def _slope(row: Row, i: int, member: Membership) -> Term:
    """P(i in S) for a negative, -P(i not in S) for a positive."""
    return Term(member.inside, ZERO) if row.labels[i] == 0 else Term(ZERO, member.outside)


def _curve(row: Row, i: int, member: Membership, means: Signed) -> Term:
    """The parts of (H v)_i by the sign that the gradient has at i."""
    if row.labels[i] == 0:
        return _covariance(member.inside, Signed(*member.inside_marks), means)
    turned = _covariance(member.outside, Signed(*member.outside_marks), means)
    return Term(turned.down, turned.up)


def _covariance(share: arb, seen: Signed, means: Signed) -> Term:
    """The parts of E[1_i U] - E[1_i] E[U], U = plus - minus."""
    return Term(seen.plus + share * means.minus, seen.minus + share * means.plus)
