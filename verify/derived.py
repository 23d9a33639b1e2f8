"""Derivations by subject and topic: tasks, ledger and report share them, each is made once."""

from __future__ import annotations

from derive.derivation import Derivation
from derive.losses import subject_named

__all__ = ["derivation_of"]


def derivation_of(subject: str, topic: str) -> Derivation:
    """The derivation; ValueError names the subjects or the topics that there are."""
    return subject_named(subject).derive(topic)
