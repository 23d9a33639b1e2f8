"""Files that are either the old ones or the whole new ones."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: Mapping[str, object]) -> None:
    """Write JSON so that the file is either the old one or the whole new one."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as handle:
        handle.write(text + "\n")
    try:
        os.replace(handle.name, path)
    except OSError:
        os.unlink(handle.name)
        raise
