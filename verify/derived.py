"""Derivations by subject and topic, each made once in a process: tasks and ledger share them."""

from __future__ import annotations

from derive.derivation import Derivation
from derive.losses import SymbolicLoss, Theory, subject_named

__all__ = ["derivation_of"]

_MADE: dict[tuple[str, str], tuple[SymbolicLoss | Theory, Derivation]] = {}


def derivation_of(subject: str, topic: str) -> Derivation:
    """The derivation, decided as it is built; again only where the name stands for another subject.

    ValueError names the subjects or the topics that there are.
    """
    own = subject_named(subject)
    made = _MADE.get((subject, topic))
    if made is None or made[0] is not own:
        made = _MADE[subject, topic] = (own, own.derive(topic))
    return made[1]
