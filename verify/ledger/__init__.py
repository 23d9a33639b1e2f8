"""The ledger: every statement of the documents, and each of ours, with its verdict.

Each document has its module, a tuple ``ENTRIES`` in the order of the document; our own results,
among them what holds in place of a refuted statement, are in :mod:`verify.ledger.own`. An entry is
data and evidence (:mod:`~verify.ledger.entry`, :mod:`~verify.ledger.evidence`);
:mod:`~verify.ledger.judge` weighs the evidence and holds it against what is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from verify.ledger import d7359, d9064, d9158, sce, survey
from verify.ledger.entry import Entry, Verdict
from verify.ledger.own import (
    around,
    code,
    floors,
    grid,
    hinge,
    labels,
    pitfalls,
    probability,
    related,
    soft,
    softmax,
    steepness,
)
from verify.ledger.own import sce as own_sce

__all__ = ["BY_MODULE", "DOCUMENTS", "ENTRIES", "Entry", "Verdict"]
__all__ += ["entry_named", "module_of", "select"]

#: Each module of the ledger with its entries.
BY_MODULE: dict[str, tuple[Entry, ...]] = {
    module.__name__: module.ENTRIES
    for module in (
        *(d7359, d9064, d9158, sce, survey),
        *(
            around,
            code,
            floors,
            grid,
            hinge,
            labels,
            own_sce,
            pitfalls,
            probability,
            related,
            soft,
            softmax,
            steepness,
        ),
    )
}
ENTRIES: dict[str, Entry] = {entry.id: entry for own in BY_MODULE.values() for entry in own}
DOCUMENTS = tuple(dict.fromkeys(entry.document for entry in ENTRIES.values()))
_MODULES = {entry.id: name for name, own in BY_MODULE.items() for entry in own}


def entry_named(name: str) -> Entry:
    """The entry of that id; an unknown id is answered with those that are near."""
    if name not in ENTRIES:
        near = get_close_matches(name, ENTRIES, n=5, cutoff=0.4)
        told = f"did you mean {', '.join(near)}?" if near else f"the ids are {_shown(ENTRIES)}"
        raise ValueError(f"no statement has the id {name!r}: {told}")
    return ENTRIES[name]


def _shown(names: Iterable[str]) -> str:
    first = list(names)[:5]
    return ", ".join(first) + ", ..."


def module_of(name: str) -> str:
    """The module that the entry is written in."""
    return _MODULES[entry_named(name).id]


def select(documents: Iterable[str] = (), verdicts: Iterable[str] = ()) -> list[Entry]:
    """The entries of these documents with these verdicts; of all where none is named."""
    wanted, allowed = set(documents), {_verdict(name) for name in verdicts}
    unknown = wanted - set(DOCUMENTS)
    if unknown:
        known = ", ".join(DOCUMENTS)
        raise ValueError(f"no document {', '.join(sorted(unknown))}: the documents are {known}")
    return [
        entry
        for entry in ENTRIES.values()
        if (not wanted or entry.document in wanted) and (not allowed or entry.verdict in allowed)
    ]


def _verdict(name: str) -> Verdict:
    recorded = [verdict for verdict in Verdict if verdict is not Verdict.UNDECIDED]
    if name not in recorded:
        raise ValueError(f"no verdict {name!r}: choose one of {', '.join(recorded)}")
    return Verdict(name)
