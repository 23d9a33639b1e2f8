"""The code that the documents print, as it was run: a table for each program.

A row of a table is a row of scores and labels, a column a library in a format; a cell says what
value and gradient are beside the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verify.ledger import Verdict
from verify.ledger.printed import CASES, SNIPPETS, Case, Cell, Kind, Snippet, cells

__all__ = ["KINDS", "LIBRARIES", "Look", "Program", "programs"]

#: The libraries by the names that their users know.
LIBRARIES = {"exact": "exact", "numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}


@dataclass(frozen=True)
class Look:
    """The sign of an outcome, the verdict whose colours it has, and what it means."""

    sign: str
    like: Verdict
    meaning: str


KINDS: Mapping[Kind, Look] = {
    Kind.RIGHT: Look("✓", Verdict.PROVED, "off by 4 ulp at most"),
    Kind.DIGITS: Look("~", Verdict.CONFIRMED, "some digits are right"),
    Kind.WRONG: Look("✗", Verdict.UNSUPPORTED, "no digit is right"),
    Kind.ZERO: Look("0", Verdict.EMPIRICAL, "0, and the truth is not"),
    Kind.SIGN: Look("±", Verdict.REFUTED, "the other sign: training goes the wrong way"),
    Kind.INFINITE: Look("∞", Verdict.ILL_POSED, "infinite, and the truth is not"),
    Kind.NAN: Look("?", Verdict.REFUTED, "not a number"),
}


@dataclass(frozen=True)
class Program:
    """A piece of code, its columns (library, format), its rows of cells in their order."""

    snippet: Snippet
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Case, tuple[Cell, ...]], ...]

    @property
    def words(self) -> str:
        """What it does, as its docstring says."""
        return " ".join((self.snippet.run.__doc__ or "").replace("``", "").split())

    @property
    def groups(self) -> list[tuple[str, list[str]]]:
        """The formats of each library."""
        names = dict.fromkeys(library for library, _ in self.columns)
        return [(LIBRARIES[n], [dtype for x, dtype in self.columns if x == n]) for n in names]


def programs(found: Iterable[Cell] | None = None) -> list[Program]:
    """Every program that was run, by default on all libraries."""
    by_key = {cell.key: cell for cell in (cells() if found is None else found)}
    columns = tuple(dict.fromkeys((library, dtype) for _, library, dtype, _ in by_key))
    return [
        _program(SNIPPETS[name], columns, by_key) for name in dict.fromkeys(k[0] for k in by_key)
    ]


def _program(
    snippet: Snippet,
    columns: tuple[tuple[str, str], ...],
    by_key: Mapping[tuple[str, str, str, str], Cell],
) -> Program:
    rows = (
        (case, tuple(by_key[snippet.name, *column, case.name] for column in columns))
        for case in CASES.values()
        if case.loss == snippet.loss
    )
    return Program(snippet, columns, tuple(rows))
