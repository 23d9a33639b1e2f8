"""What is assumed of the arrays in a statement: the domain of each, stated once and shown.

The assumptions travel with every statement, are printed with it, are used by the normal form and
the sign rules, and are obeyed by the points at which the refuter evaluates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sympy import IndexedBase, Symbol


@dataclass(frozen=True)
class Facts:
    """Domains of arrays; an array that is not named is real.

    ``unit``: entries in [0, 1] (soft labels). ``open_unit``: entries in (0, 1).
    ``hard``: entries in {0, 1}. ``distribution``: entries in [0, 1] that sum to 1 over the axis.
    ``orders``: integer symbols k with 0 <= k <= n, the sizes of a subset of the labels.
    """

    unit: frozenset[IndexedBase] = field(default_factory=frozenset)
    open_unit: frozenset[IndexedBase] = field(default_factory=frozenset)
    hard: frozenset[IndexedBase] = field(default_factory=frozenset)
    distribution: frozenset[IndexedBase] = field(default_factory=frozenset)
    orders: frozenset[Symbol] = field(default_factory=frozenset)

    def in_unit_interval(self, base: IndexedBase) -> bool:
        """True when every entry lies in [0, 1]."""
        return base in self.unit | self.open_unit | self.hard | self.distribution

    def inside_unit_interval(self, base: IndexedBase) -> bool:
        """True when every entry lies in (0, 1)."""
        return base in self.open_unit

    def describe(self) -> tuple[str, ...]:
        """One formula in LaTeX for each assumption."""
        return self._fill(
            unit=r"{0}_i \in [0, 1]",
            open_unit=r"{0}_i \in (0, 1)",
            hard=r"{0}_i \in \{{0, 1\}}",
            distribution=r"{0}_i \ge 0, \; \textstyle\sum_i {0}_i = 1",
            orders=r"0 \le {0} \le n",
        )

    def describe_text(self) -> tuple[str, ...]:
        """One line of text for each assumption."""
        return self._fill(
            unit="{0}_i in [0, 1]",
            open_unit="{0}_i in (0, 1)",
            hard="{0}_i in {{0, 1}}",
            distribution="{0}_i >= 0, Σ_i {0}_i = 1",
            orders="0 <= {0} <= n",
        )

    def _fill(self, **templates: str) -> tuple[str, ...]:
        return tuple(
            template.format(base)
            for kind, template in templates.items()
            for base in sorted(getattr(self, kind), key=str)
        )


NOTHING_ASSUMED = Facts()


def soft(*bases: IndexedBase) -> Facts:
    """Entries in [0, 1]."""
    return Facts(unit=frozenset(bases))


def strictly_soft(*bases: IndexedBase) -> Facts:
    """Entries in (0, 1)."""
    return Facts(open_unit=frozenset(bases))


def hard(*bases: IndexedBase) -> Facts:
    """Entries in {0, 1}."""
    return Facts(hard=frozenset(bases))


def distribution(*bases: IndexedBase) -> Facts:
    """Non-negative entries that sum to 1."""
    return Facts(distribution=frozenset(bases))


def choosing(order: Symbol, facts: Facts = NOTHING_ASSUMED) -> Facts:
    """The order counts a subset of the labels, ``0 <= order <= n``; and the other facts."""
    return replace(facts, orders=facts.orders | {order})
