"""Judgements kept between runs, one file each: what has not changed is not decided again.

A judgement is kept under a key, the hash of the entry and of all sources it depends on; with
another key it is decided anew. Each file is written whole as soon as its entry is judged, so that a
run that is broken off goes on where it was.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from verify.files import write_atomically

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
    """Plain data by name and key, in one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """The folder is made when something is kept; by default that of the user."""
        self.folder = (folder or cache_folder()) / "ledger"

    def get(self, name: str, key: str) -> dict[str, Any] | None:
        """What is kept under the name, if it has this key and can be read."""
        try:
            kept = json.loads(self._file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept["value"] if isinstance(kept, dict) and kept.get("key") == key else None

    def put(self, name: str, key: str, value: dict[str, Any]) -> None:
        """Keep it in place of what was kept; a folder that cannot be written keeps nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(name), {"key": key, "value": value})
        except OSError:
            return

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"
