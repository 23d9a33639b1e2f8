"""A folder that holds either the old site or the whole new one, and never loses a foreign file.

The site is written into a new folder beside, which then takes the name. A folder is replaced only
if it is empty or a site of ours: it has the list of what was written (`LISTING`) and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

__all__ = ["LISTING", "check_folder", "replace_folder"]

#: The file that names all files of a site, one a line.
LISTING = "files.txt"
_TITLE = "# written by lossproof verify --report"


def check_folder(folder: Path) -> None:
    """ValueError if the site could not be written there, or if something else would be lost."""
    parent = folder.resolve().parent
    if not parent.is_dir():
        raise ValueError(f"cannot write {folder}: there is no folder {parent}")
    if not os.access(parent, os.W_OK):
        raise ValueError(f"cannot write {folder}: nothing may be written into {parent}")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"cannot write a report to {folder}: it is a file, a folder is expected")
    foreign = sorted({path.name for path in folder.iterdir()} - _listed(folder))
    if foreign:
        names = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise ValueError(
            f"cannot write a report to {folder}: it holds {names}, which no report has; expected "
            "is a new or an empty folder, or one with an earlier report"
        )


def _listed(folder: Path) -> set[str]:
    try:
        first, *names = (folder / LISTING).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return set()
    return {*names, LISTING} if first == _TITLE else set()


def replace_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, by name, in place of what was there; errors of the system are raised."""
    check_folder(folder)
    target = folder.resolve()  # a link to a folder stays a link
    new = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        new.chmod(0o777 & ~_umask())
        listing = "\n".join([_TITLE, *sorted(files)]) + "\n"
        for name, text in {**files, LISTING: listing}.items():
            (new / name).write_text(text, encoding="utf-8")
        _exchange(new, target)
    finally:
        rmtree(new, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    """The new folder takes the name; the old one is put back if it cannot, else removed."""
    if not target.exists():
        new.rename(target)
        return
    old = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent)) / "old"
    try:
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
    finally:
        rmtree(old.parent, ignore_errors=True)


def _umask() -> int:
    """What the user's new files may not have; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
