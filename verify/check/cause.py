"""A fault by name, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cause"]


@dataclass(frozen=True)
class Cause:
    """A fault by name.  why: what the code does; cure: what it should do."""

    id: str
    title: str
    why: str
    cure: str
