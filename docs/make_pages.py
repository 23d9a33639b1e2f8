"""The pages of figures, and the figures in the README: python docs/make_pages.py.

speed.md     what benchmarks/measured.json holds, which `lossproof bench --growth --json` wrote
accuracy.md  with --report FILE: what `lossproof verify --json FILE` found
README.md    the figures between comments such as <!-- speed --> and <!-- end -->; the errors
             from a report of all losses
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from page_accuracy import LOSSES, accuracy_page, seen
from page_speed import speed_page, told

DOCS = Path(__file__).resolve().parent
MEASURED = DOCS.parent / "benchmarks" / "measured.json"
README = DOCS.parent / "README.md"


def main(report: Path | None, measured: Path = MEASURED) -> None:
    """Write the pages whose figures are at hand."""
    found = json.loads(measured.read_text(encoding="utf-8"))
    _write(DOCS / "speed.md", speed_page(found))
    _write(README, told(README.read_text(encoding="utf-8"), found))
    if report is not None:
        errors = json.loads(report.read_text(encoding="utf-8"))
        _write(DOCS / "accuracy.md", accuracy_page(errors))
        if {comparison["loss"] for comparison in errors["accuracy"]} >= set(LOSSES):
            _write(README, seen(README.read_text(encoding="utf-8"), errors))


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The pages of figures.")
    parser.add_argument("--report", type=Path, help="A report of lossproof verify --json.")
    main(parser.parse_args().report)
