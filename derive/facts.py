"""What is assumed of the arrays in a statement: the domain of each, stated once and shown.

The assumptions travel with every statement, are printed with it, are used by the normal form and
the sign rules, and are obeyed by the points at which the refuter evaluates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from re import sub

from sympy import IndexedBase, Symbol


@dataclass(frozen=True)
class Facts:
    """Domains of arrays; an array that is not named is real.

    ``unit``: entries in [0, 1] (soft labels). ``open_unit``: entries in (0, 1).
    ``hard``: entries in {0, 1}. ``distribution``: entries in [0, 1] that sum to 1 over the axis.
    ``rows``: entries in [0, 1] of an array with two indices, each row of which sums to 1 over the
    last index. ``open_rows``: such rows without a zero. ``hard_rows``: one 1 in each row.
    ``orders``: integer symbols k with 0 <= k <= n, the sizes of a subset of the labels.
    ``fractions``: symbols in (0, 1), such as a margin in probability.
    """

    unit: frozenset[IndexedBase] = field(default_factory=frozenset)
    open_unit: frozenset[IndexedBase] = field(default_factory=frozenset)
    hard: frozenset[IndexedBase] = field(default_factory=frozenset)
    distribution: frozenset[IndexedBase] = field(default_factory=frozenset)
    rows: frozenset[IndexedBase] = field(default_factory=frozenset)
    open_rows: frozenset[IndexedBase] = field(default_factory=frozenset)
    hard_rows: frozenset[IndexedBase] = field(default_factory=frozenset)
    orders: frozenset[Symbol] = field(default_factory=frozenset)
    fractions: frozenset[Symbol] = field(default_factory=frozenset)

    def in_unit_interval(self, base: IndexedBase) -> bool:
        """True when every entry lies in [0, 1]."""
        return base in self.unit | self.open_unit or self.is_hard(base) or self.sums_to_one(base)

    def inside_unit_interval(self, base: IndexedBase) -> bool:
        """True when every entry lies in (0, 1)."""
        return base in self.open_unit

    def is_positive(self, base: IndexedBase) -> bool:
        """True when every entry is known to be positive: a row of one class holds a 1."""
        return base in self.open_unit | self.open_rows

    def is_hard(self, base: IndexedBase) -> bool:
        """True when every entry is 0 or 1."""
        return base in self.hard | self.hard_rows

    def has_rows(self, base: IndexedBase) -> bool:
        """True when the entries sum to 1 over the last index, whatever the others are."""
        return base in self.rows | self.open_rows | self.hard_rows

    def sums_to_one(self, base: IndexedBase) -> bool:
        """True when the entries are a distribution, or rows of one."""
        return base in self.distribution or self.has_rows(base)

    def describe(self) -> tuple[str, ...]:
        """One formula in LaTeX for each assumption."""
        filled = self._fill(
            unit=r"{0}_i \in [0, 1]",
            open_unit=r"{0}_i \in (0, 1)",
            hard=r"{0}_i \in \{{0, 1\}}",
            distribution=r"{0}_i \ge 0, \; \textstyle\sum_i {0}_i = 1",
            rows=r"{0}_{{ij}} \ge 0, \; \textstyle\sum_j {0}_{{ij}} = 1",
            open_rows=r"{0}_{{ij}} > 0, \; \textstyle\sum_j {0}_{{ij}} = 1",
            hard_rows=r"{0}_{{ij}} \in \{{0, 1\}}, \; \textstyle\sum_j {0}_{{ij}} = 1",
            orders=r"0 \le {0} \le n",
            fractions=r"0 < {0} < 1",
        )
        return tuple(single_subscripts(formula) for formula in filled)

    def describe_text(self) -> tuple[str, ...]:
        """One line of text for each assumption."""
        return self._fill(
            unit="{0}_i in [0, 1]",
            open_unit="{0}_i in (0, 1)",
            hard="{0}_i in {{0, 1}}",
            distribution="{0}_i >= 0, Σ_i {0}_i = 1",
            rows="{0}_ij >= 0, Σ_j {0}_ij = 1",
            open_rows="{0}_ij > 0, Σ_j {0}_ij = 1",
            hard_rows="{0}_ij in {{0, 1}}, Σ_j {0}_ij = 1",
            orders="0 <= {0} <= n",
            fractions="0 < {0} < 1",
        )

    def _fill(self, **templates: str) -> tuple[str, ...]:
        return tuple(
            template.format(base)
            for kind, template in templates.items()
            for base in sorted(getattr(self, kind), key=str)
        )


def single_subscripts(latex: str) -> str:
    """``t_0_i`` as ``t_{0, i}``: LaTeX has no subscript of a subscripted letter."""
    return sub(r"([A-Za-z])_(\w)_(?:\{([^{}]*)\}|(\w))", r"\1_{\2, \3\4}", latex)


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


def rows(*bases: IndexedBase) -> Facts:
    """Rows of non-negative entries that sum to 1 over the last index."""
    return Facts(rows=frozenset(bases))


def open_rows(*bases: IndexedBase) -> Facts:
    """Rows of positive entries that sum to 1 over the last index."""
    return Facts(open_rows=frozenset(bases))


def hard_rows(*bases: IndexedBase) -> Facts:
    """Rows with one entry 1 and every other 0."""
    return Facts(hard_rows=frozenset(bases))


def choosing(order: Symbol, facts: Facts = NOTHING_ASSUMED) -> Facts:
    """The order counts a subset of the labels, ``0 <= order <= n``; and the other facts."""
    return replace(facts, orders=facts.orders | {order})
