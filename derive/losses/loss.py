"""A loss as a symbolic object: its value, its closed forms, and the derivations that prove them.

The four derivations that every loss has (gradient, Hessian, Hessian-vector product, convexity) are
built here from the closed forms, each against the derivative of the value; the others are the
family's own. A family may replace one of the four by a topic of its own with the same name, where
its closed forms call for other steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr, IndexedBase, Symbol

from derive.axis import total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import Facts
from derive.losses.symbols import i, j, s, v

Topic = Callable[[], Derivation]


@dataclass(frozen=True)
class SymbolicLoss:
    """One loss over the label axis.

    ``gradient`` and ``hvp`` are written at ``i``, ``hessian`` at ``i, j``; ``squares`` is the
    quadratic form of the Hessian as a sum of squares, and ``flat`` the expression whose vanishing
    is all that a zero of that form allows (``v_j`` for a strictly convex loss). They are None for a
    loss whose convexity is derived in another way, by a topic of its own. ``parameters`` come with
    the value they have unless given; None for a largest order is no limit, the length of the row.
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

    @property
    def topics(self) -> tuple[str, ...]:
        """Everything that can be derived about the loss."""
        common = ("gradient", "hessian", "hvp", "convexity")
        return (*(name for name in self.own_topics if name not in common), *common)

    def derive(self, topic: str) -> Derivation:
        """The derivation of one topic, decided as it is built."""
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
        start = partial(self.value, s[i])
        chain = self.begin("gradient", "Gradient", start).differentiate()
        return chain.to("collect the terms", self.gradient)

    def _derive_hessian(self) -> Derivation:
        start = partial(self.value, s[i], s[j])
        chain = self.begin("hessian", "Hessian", start).differentiate()
        return chain.to("collect the terms", self.hessian)

    def _derive_hvp(self) -> Derivation:
        matrix = partial(self.value, s[i], s[j])
        chain = self.begin("hvp", "Hessian-vector product", total(matrix * v[j], j))
        chain = chain.to("insert the Hessian", total(self.hessian * v[j], j))
        return chain.to("sift the delta and collect", self.hvp)

    def _derive_convexity(self) -> Derivation:
        if self.squares is None or self.flat is None:
            raise TypeError(
                f"{self.name} has no squares: derive its convexity as a topic of its own"
            )

        def form(matrix: Expr) -> Expr:
            return total(total(matrix * v[i] * v[j], j), i)

        start = form(partial(self.value, s[i], s[j]))
        chain = self.begin("convexity", "Convexity, and the directions without curvature", start)
        chain = chain.to("insert the Hessian", form(self.hessian))
        chain = chain.to("complete the squares", self.squares)
        chain = chain.nonnegative("every term is non-negative: the loss is convex", self.squares)
        return chain.forces("no curvature only along directions with", self.squares, self.flat)
