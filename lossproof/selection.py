"""What ``--only`` names: a statement, a loss or theory, a family of losses, or a document.

A name that is both, such as ``zlpr``, is the family: its losses, and the theory of that name. With
losses come the statements of the ledger that rest on their derivations, with a document all of its
statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from derive.losses import LOSSES, SUBJECTS
from verify.ledger import DOCUMENTS, ENTRIES

__all__ = ["Selection", "families", "selected"]

# Names that are answered with, at most.
SHOWN = 5


@dataclass(frozen=True)
class Selection:
    """Subjects to derive and to measure, and the ids of the statements to decide."""

    subjects: tuple[str, ...]
    ids: tuple[str, ...]


def families() -> Mapping[str, tuple[str, ...]]:
    """The subjects of each family, by the name of its module; a theory is a family of its own."""
    found: dict[str, list[str]] = {}
    for name in SUBJECTS:
        found.setdefault(LOSSES[name].family if name in LOSSES else name, []).append(name)
    return {family: tuple(names) for family, names in found.items()}


def selected(names: Sequence[str]) -> Selection:
    """What the names select, in the order of the whole; everything where none is given.

    ValueError answers an unknown name with those that are near.
    """
    if not names:
        return Selection(tuple(SUBJECTS), tuple(ENTRIES))
    by_family = families()
    subjects, ids = set[str](), set[str]()
    for name in names:
        if name in ENTRIES:
            ids.add(name)
        elif name in DOCUMENTS:
            ids |= {entry.id for entry in ENTRIES.values() if entry.document == name}
        elif name in by_family or name in SUBJECTS:
            chosen = by_family.get(name, (name,))
            subjects |= set(chosen)
            ids |= set(_resting_on(chosen))
        else:
            raise ValueError(_unknown(name, [*by_family, *SUBJECTS, *DOCUMENTS, *ENTRIES]))
    return Selection(
        tuple(name for name in SUBJECTS if name in subjects),
        tuple(name for name in ENTRIES if name in ids),
    )


def _resting_on(subjects: Iterable[str]) -> list[str]:
    """The statements whose evidence is a derivation of one of the subjects."""
    wanted = set(subjects)
    return [
        entry.id
        for entry in ENTRIES.values()
        if wanted & {subject for subject, _ in entry.evidence.derivations}
    ]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, dict.fromkeys(known), n=SHOWN, cutoff=0.5)
    told = f"did you mean {', '.join(near)}?" if near else f"the families are {_joined(families())}"
    what = "statement" if "-" in name else "statement, loss, family or document"
    return f"no {what} is named {name!r}: {told}"


def _joined(names: Iterable[str]) -> str:
    return f"{', '.join(names)}; the documents {', '.join(DOCUMENTS)}"
