"""Span scores with rotary positions (Su et al. 2021, eq. 12 to 16; GlobalPointer, Su 2021).

A span from token i to token j has the score ``(R_i q)^T (R_j k)``. ``R_i`` turns the pair of
coordinates number e by the angle ``i theta_e``, so that ``R_i R_j = R_{i+j}``; rotations keep dot
products, hence

    (R_{i+a} q)^T (R_{j+a} k) = (R_a R_i q)^T (R_a R_j k) = (R_i q)^T (R_j k):

the score depends on ``j - i`` alone. A rotation is written by the tangent x of half its angle,
``cos = (1 - x^2) / (1 + x^2)``, ``sin = 2 x / (1 + x^2)``: all angles but pi.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, S, Symbol, exp, log

from derive.axis import Axis, array, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import hard
from derive.lattice.sums import i as span
from derive.lattice.sums import k as other
from derive.lattice.sums import s, t
from derive.lattice.theory import Theory

#: The pairs of coordinates.
PAIRS = Axis("pairs", Symbol("m", integer=True, positive=True), letters="efgh")
e = PAIRS.index("e")
#: Both coordinates of each pair, of q and of k.
QUERY, KEY = (array("q"), array("r")), (array("k"), array("l"))
#: Tangents of half the angles that the tokens are turned by, and of one more turn of both.
FIRST, LAST, BOTH = array("x"), array("y"), array("z")
Pair = tuple[Expr, Expr]


def _cosine_and_sine(tangent: Expr) -> Pair:
    return (1 - tangent**2) / (1 + tangent**2), 2 * tangent / (1 + tangent**2)


def turned(pair: Pair, tangent: Expr) -> Pair:
    """The pair of coordinates turned by the angle whose half has this tangent."""
    cosine, sine = _cosine_and_sine(tangent)
    return cosine * pair[0] - sine * pair[1], sine * pair[0] + cosine * pair[1]


def dot(first: Pair, second: Pair) -> Expr:
    """``q^T k`` as a sum over the pairs."""
    return total(first[0] * second[0] + first[1] * second[1], e)


def _pair(arrays: tuple[IndexedBase, IndexedBase]) -> Pair:
    return arrays[0][e], arrays[1][e]


def derive_relative() -> Derivation:
    """Turning both tokens further by the same angles leaves the score as it is."""
    query, key = _pair(QUERY), _pair(KEY)
    further = [turned(turned(pair, at[e]), BOTH[e]) for pair, at in ((query, FIRST), (key, LAST))]
    chain = _begin("relative", "The score of a span depends on its length alone", dot(*further))
    score = dot(turned(query, FIRST[e]), turned(key, LAST[e]))
    note = "both positions moved by a, as R_{i+a} = R_a R_i"
    chain = chain.to("rotations keep dot products", score, note)
    lengths = dot(turned(query, FIRST[e]), turned(query, FIRST[e]))
    chain = chain.lemma("and lengths", lengths, dot(query, query))
    return chain.lemma("by the angle between the positions", score, _by_difference(query, key))


def _by_difference(query: Pair, key: Pair) -> Expr:
    """With cosine and sine of the difference of the angles, by the addition theorems."""
    (cos_i, sin_i), (cos_j, sin_j) = (_cosine_and_sine(at[e]) for at in (FIRST, LAST))
    cosine, sine = cos_i * cos_j + sin_i * sin_j, sin_j * cos_i - cos_j * sin_i
    straight = query[0] * key[0] + query[1] * key[1]
    return total(straight * cosine + (query[1] * key[0] - query[0] * key[1]) * sine, e)


def derive_masks() -> Derivation:
    """A span that is masked, label 0 and ``e^s = 0``, is in neither value nor gradient of ZLPR."""
    kept = array("m")
    facts = hard(t, kept)
    positives = 1 + total(kept[other] * t[other] * exp(-s[other]), other)
    negatives = 1 + total(kept[other] * (1 - t[other]) * exp(s[other]), other)
    start = partial(log(positives) + log(negatives), s[span])
    chain = _begin("masks", "Masked spans in ZLPR", start).assuming(facts)
    gradient = kept[span] * (
        (1 - t[span]) * exp(s[span]) / negatives - t[span] * exp(-s[span]) / positives
    )
    chain = chain.differentiate().to("a factor m of each entry, 0 where masked", gradient)
    own = (1 - kept[span]) * gradient
    return chain.lemma("the gradient of a masked span", own, S.Zero)


def _begin(topic: str, title: str, start: Expr) -> Derivation:
    return Derivation("spans", topic, title, start)


SPANS = Theory(
    name="spans",
    formula="(R_i q)^T (R_j k)",
    by_topic={"relative": derive_relative, "masks": derive_masks},
)
