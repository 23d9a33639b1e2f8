"""What `lossproof emit` does: one file, or every file into a folder."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lossproof.problems import INTERRUPTED, Problem, or_problem

__all__ = ["emit_all", "text_of"]


def text_of(loss: str, quantity: str, target: str) -> str:
    """The text of one file, derived and proved now."""
    with _all_kept():
        from derive.emit import UnsupportedNode
        from derive.emit import emit as source_of
        from derive.formulas import formula_of

        formula = or_problem(formula_of, loss, quantity)
        try:
            return or_problem(source_of, formula, target)
        except UnsupportedNode as error:
            raise Problem(str(error)) from error


@contextmanager
def _all_kept() -> Iterator[None]:
    """Without the search for unused cycles: one derivation leaves few, its imports none.

    While SymPy is imported, the search takes a fifth of the time.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def emit_all(folder: Path, only: tuple[str, ...], jobs: int) -> None:
    """Every file into the folder, told in two lines."""
    from rich.console import Console

    from lossproof.emitting import emissions, write_all
    from lossproof.screen import counted_bar
    from verify.cache import Cache

    works = or_problem(emissions, only)
    console = Console()
    try:
        with counted_bar(console, len(works), "emitting") as advance:
            written = write_all(folder, works, jobs, advance, Cache())
    except KeyboardInterrupt:
        console.print("broken off; what was emitted is kept: run it again to go on")
        sys.exit(INTERRUPTED)
    changed, same = len(written.changed), len(written.same)
    console.print(f"{changed} files written, {same} as they were, in {folder}", soft_wrap=True)
    if written.without:
        missing = ", ".join(written.without)
        console.print(f"no text for: {missing}", soft_wrap=True)
