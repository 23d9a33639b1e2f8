"""A subject that is derived and not emitted: topics, each with its derivation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr, Symbol

from derive.derivation import Derivation
from derive.facts import NOTHING_ASSUMED, Facts

Topic = Callable[[], Derivation]
Names = tuple[tuple[Symbol, Expr], ...]


@dataclass(frozen=True)
class Theory:
    """A name, a formula in text, and the derivations by topic; a topic is derived when asked for.

    It is shown and verified as a loss is, and has no value of its own to emit.
    """

    name: str
    formula: str
    by_topic: Mapping[str, Topic]
    _derived: dict[str, Derivation] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def topics(self) -> tuple[str, ...]:
        """Everything that can be derived about the subject."""
        return tuple(self.by_topic)

    def derive(self, topic: str) -> Derivation:
        """The derivation of one topic, decided as it is built; it is built once."""
        if topic not in self.by_topic:
            known = ", ".join(self.topics)
            raise ValueError(f"{self.name} has no derivation {topic!r}: choose one of {known}")
        if topic not in self._derived:
            self._derived[topic] = self.by_topic[topic]()
        return self._derived[topic]


def begin(
    topic: str,
    title: str,
    start: Expr,
    facts: Facts = NOTHING_ASSUMED,
    claims: tuple[str, ...] = (),
    names: Names = (),
) -> Derivation:
    """An empty derivation about the lattice."""
    return Derivation("lattice", topic, title, start, claims, facts, names)
