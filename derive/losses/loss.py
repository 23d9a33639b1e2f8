"""A loss as a symbolic object: its value, its closed forms, and the derivations that prove them.

The four derivations that every loss has (gradient, Hessian, Hessian-vector product, convexity) are
built here from the closed forms, each against the derivative of the value; the others are the
family's own. A family may replace one of the four by a topic of its own with the same name, where
its closed forms call for other steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr, Indexed, IndexedBase, Symbol

from derive.axis import Index, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import Facts
from derive.losses.symbols import i, j, s, v

Topic = Callable[[], Derivation]


@dataclass(frozen=True)
class SymbolicLoss:
    """One loss, over the label axis unless other indices are given.

    ``gradient`` and ``hvp`` are written at ``indices``, those of one score, ``hessian`` at
    ``indices`` and ``others``; ``squares`` is the quadratic form of the Hessian as a sum of
    squares, and ``flat`` the expression whose vanishing is all that a zero of that form allows
    (``v_j`` for a strictly convex loss). They are None for a loss whose convexity is derived in
    another way, by a topic of its own. ``parameters`` come with the value they have unless given;
    None for a largest order is no limit, the length of the row.
    """

    name: str
    family: str
    formula: str
    labels: IndexedBase
    facts: Facts
    value: Expr
    gradient: Expr
    hessian: Expr
    hvp: Expr
    squares: Expr | None = None
    flat: Expr | None = None
    names: tuple[tuple[Symbol, Expr], ...] = ()
    parameters: tuple[tuple[Symbol, float | None], ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_topics: Mapping[str, Topic] = field(default_factory=dict)
    indices: tuple[Index, ...] = (i,)
    others: tuple[Index, ...] = (j,)
    _derived: dict[str, Derivation] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def score(self) -> Indexed:
        """The score that the gradient is a derivative by."""
        return s[self.indices]

    @property
    def other_score(self) -> Indexed:
        """The score that the Hessian is a second derivative by."""
        return s[self.others]

    @property
    def topics(self) -> tuple[str, ...]:
        """Everything that can be derived about the loss."""
        common = ("gradient", "hessian", "hvp", "convexity")
        return (*(name for name in self.own_topics if name not in common), *common)

    def derive(self, topic: str) -> Derivation:
        """The derivation of one topic, decided as it is built; it is built once."""
        if topic not in self._derived:
            self._derived[topic] = self._build(topic)
        return self._derived[topic]

    def _build(self, topic: str) -> Derivation:
        common = {
            "gradient": self._derive_gradient,
            "hessian": self._derive_hessian,
            "hvp": self._derive_hvp,
            "convexity": self._derive_convexity,
        }
        topics = {**common, **self.own_topics}
        if topic not in topics:
            known = ", ".join(self.topics)
            raise ValueError(f"{self.name} has no derivation {topic!r}: choose one of {known}")
        return topics[topic]()

    def begin(self, topic: str, title: str, start: Expr) -> Derivation:
        """An empty derivation about this loss, with its claims, facts and names."""
        return Derivation(
            self.name, topic, title, start, self.claims.get(topic, ()), self.facts, self.names
        )

    def _derive_gradient(self) -> Derivation:
        start = partial(self.value, self.score)
        chain = self.begin("gradient", "Gradient", start).differentiate()
        return chain.to("collect the terms", self.gradient)

    def _derive_hessian(self) -> Derivation:
        chain = self.begin("hessian", "Hessian", self.unevaluated_hessian).differentiate()
        return chain.to("collect the terms", self.hessian)

    def _derive_hvp(self) -> Derivation:
        start = self._over_others(self.unevaluated_hessian * v[self.others])
        chain = self.begin("hvp", "Hessian-vector product", start)
        chain = chain.rewrite("insert the Hessian", self.unevaluated_hessian, self.hessian)
        return chain.to("sift the delta and collect", self.hvp)

    def _derive_convexity(self) -> Derivation:
        if self.squares is None or self.flat is None:
            raise TypeError(
                f"{self.name} has no squares: derive its convexity as a topic of its own"
            )
        title = "Convexity, and the directions without curvature"
        chain = self.begin("convexity", title, self._form(self.unevaluated_hessian))
        chain = chain.to("insert the Hessian", self._form(self.hessian))
        chain = chain.to("complete the squares", self.squares)
        chain = chain.nonnegative("every term is non-negative: the loss is convex", self.squares)
        return chain.forces("no curvature only along directions with", self.squares, self.flat)

    @property
    def unevaluated_hessian(self) -> Expr:
        """The second derivative of the value, not carried out."""
        return partial(self.value, self.score, self.other_score)

    def _form(self, matrix: Expr) -> Expr:
        """``sum v H v`` over all scores and all others."""
        rows = self._over_others(matrix * v[self.indices] * v[self.others])
        return over_all(rows, self.indices)

    def _over_others(self, summand: Expr) -> Expr:
        return over_all(summand, self.others)


def over_all(summand: Expr, indices: tuple[Index, ...]) -> Expr:
    """The sum over each of the indices, the last one innermost."""
    for index in reversed(indices):
        summand = total(summand, index)
    return summand
