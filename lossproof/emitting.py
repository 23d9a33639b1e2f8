"""Every file of every loss: loss x quantity x target, where the target has a text for it.

The files of a loss share its derivations and are one unit of work. What has been emitted is kept
until a source changes, so that a run that is broken off goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from derive.emit import TARGETS, UnsupportedNode, emit, file_name
from derive.formulas import QUANTITIES, formula_of
from derive.losses import LOSSES
from verify.cache import Cache
from verify.sources import digest_of
from verify.work import carry_out

__all__ = ["Emission", "Written", "emissions", "write_all"]


@dataclass(frozen=True)
class Emission:
    """The files of one loss, by their names."""

    loss: str
    quantities: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return self.loss

    @property
    def file(self) -> str:
        """The name that its result is kept under."""
        return f"emit/{self.loss}.json"

    def key(self) -> str:
        """What the texts depend on."""
        return f"{digest_of('derive.formulas')} {self.quantities} {self.targets}"

    def do(self) -> tuple[dict[str, str], list[str]]:
        """The texts by file name, and the names of those that the target has no text for."""
        texts, without = {}, []
        for quantity in self.quantities:
            formula = formula_of(self.loss, quantity)
            for target in self.targets:
                name = file_name(formula, target)
                try:
                    texts[name] = emit(formula, target)
                except UnsupportedNode:
                    without.append(name)
        return texts, without


@dataclass
class Written:
    """What a run has done to a folder."""

    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


def emissions(only: Iterable[str] = ()) -> list[Emission]:
    """One for each loss; restricted to the losses, quantities and targets that are named.

    Raises ``ValueError`` for a name that is none of them.
    """
    kinds: tuple[Sequence[str], ...] = (tuple(LOSSES), QUANTITIES, tuple(TARGETS))
    wanted = list(only)
    unknown = [name for name in wanted if not any(name in kind for kind in kinds)]
    if unknown:
        known = "; ".join(", ".join(kind) for kind in kinds)
        raise ValueError(
            f"{unknown[0]!r} is neither a loss nor a quantity nor a target: choose of {known}"
        )
    losses, quantities, targets = (
        tuple(name for name in kind if name in wanted) or tuple(kind) for kind in kinds
    )
    return [Emission(loss, quantities, targets) for loss in losses]


def write_all(
    folder: Path,
    works: Sequence[Emission],
    jobs: int,
    advance: Callable[[str], object],
    cache: Cache | None = None,
) -> Written:
    """Emit them into the folder, each file whole as soon as its loss is done."""
    written = Written()
    for done in carry_out(works, jobs, cache):
        texts, without = done.result
        for name, text in texts.items():
            (written.changed if _replaced(folder / name, text) else written.same).append(name)
        written.without += without
        advance(done.work.title)
    return written


def _replaced(path: Path, text: str) -> bool:
    """Whether the file had another text; it is then the old one or the whole new one."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return True
