"""A run in a file, from its first case on; and what such a file holds, to go on from there.

    {"machine": {...}, "size": "full", "complete": false, "left_out": [...], "rows": [...]}

It is written anew, whole or not at all, whenever a case is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.run import Row
from verify.files import write_atomically

__all__ = ["Surroundings", "rows_of"]


@dataclass(frozen=True)
class Surroundings:
    """What all rows of a file have in common."""

    machine: Mapping[str, str]
    size: str
    left_out: Sequence[str]

    def write(self, file: Path, rows: Sequence[Row], complete: bool) -> None:
        """Put the rows in place of what the file held; OSError where the system refuses."""
        found: dict[str, Any] = {"machine": dict(self.machine), "size": self.size}
        found |= {"complete": complete, "left_out": list(self.left_out)}
        write_atomically(file, found | {"rows": [row.as_dict() for row in rows]})

    def earlier(self, file: Path) -> list[Row]:
        """The rows that the file has, none where there is no file.

        ValueError where they are of another machine, of other versions or of another size, since
        one file would then tell two stories.
        """
        if not file.exists():
            return []
        found = json.loads(file.read_text(encoding="utf-8"))
        known = found["machine"] | {"size": found.get("size", "")}
        here = dict(self.machine) | {"size": self.size}
        for name in sorted(known.keys() | here.keys()):
            if known.get(name) != here.get(name):
                raise ValueError(
                    f"{file} was measured with {name} {known.get(name)}, now it is"
                    f" {here.get(name)}: expected the same; write to another file"
                )
        return rows_of(found)


def rows_of(found: Mapping[str, Any]) -> list[Row]:
    """The rows of what a file holds."""
    names = [field.name for field in fields(Row)]
    return [
        Row(**{n: row[n] for n in names} | {"shape": tuple(row["shape"])}) for row in found["rows"]
    ]
