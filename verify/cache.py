"""Results kept between runs, one file each: what has not changed is not decided again.

A result is kept under a key, the hash of all that it depends on; with another key it is decided
anew. Each file is written whole as soon as its result is there, so that a run that is broken off
goes on where it was; a file that cannot be read is only a result to be found again.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from verify.files import write_atomically
from verify.plain import NotPlain, as_plain, from_plain

__all__ = ["Cache", "cache_folder"]

#: The environment variable that names another folder.
VARIABLE = "LOSSPROOF_CACHE"


def cache_folder() -> Path:
    """The user's folder for caches, by the conventions of the system."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "lossproof"


class Cache:
    """Results by name and key, in one folder; the name of a result is the path of its file."""

    def __init__(self, folder: Path | None = None) -> None:
        """The folder is made when something is kept; by default that of the user."""
        self.folder = folder or cache_folder()

    def get(self, name: str, key: str) -> Any | None:
        """What is kept under the name, if it has this key and can be read."""
        try:
            kept = json.loads(self._file(name).read_text(encoding="utf-8"))
            return from_plain(kept["value"]) if kept["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError, NotPlain):
            return None

    def put(self, name: str, key: str, value: object) -> None:
        """Keep it in place of what was kept; a folder that cannot be written keeps nothing.

        NotPlain where the value is not one that would be read back as it is.
        """
        data = {"key": key, "value": as_plain(value)}
        try:
            self._file(name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(name), data)
        except OSError:
            return

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"
