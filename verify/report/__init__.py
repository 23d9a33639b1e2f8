"""The report of a run as a static site that stands alone.

`write_report` makes all pages and puts them in place of an earlier report, whole or not at all.
Nothing is fetched from anywhere: formulas are MathML, pictures are SVG in the page, the fonts are
those of the reader's system, and without scripts everything can still be read.
"""

from __future__ import annotations

from pathlib import Path

from verify.report.folder import check_folder, replace_folder
from verify.report.site import pages
from verify.run import Report

__all__ = ["check_folder", "write_report"]


def write_report(report: Report, folder: Path) -> None:
    """Write the site of the report; ValueError if the folder holds anything else.

    OSError where the system refuses; the earlier site is then as it was.
    """
    check_folder(folder)
    replace_folder(folder, pages(report))
