"""Do the two halves of each notebook agree?  python .ci/pairs.py FOLDER

A pair is NAME.py (py:percent) and NAME.ipynb; the cells must be the same, in kind and text, and
neither half may be missing.  `jupytext --sync` repairs a pair.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext


def cells(path: Path) -> list[tuple[str, str]]:
    """Kind and text of each cell."""
    return [(cell.cell_type, cell.source.strip()) for cell in jupytext.read(path).cells]


def disagreement(script: Path) -> str | None:
    """What is wrong with the pair of this .py file, or None."""
    notebook = script.with_suffix(".ipynb")
    missing = [path.name for path in (script, notebook) if not path.exists()]
    if missing:
        return f"{missing[0]} is missing"
    ours, theirs = cells(script), cells(notebook)
    if ours == theirs:
        return None
    at = next(
        (k for k, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None
    )
    where = f"cell {at} differs" if at is not None else f"{len(ours)} and {len(theirs)} cells"
    return f"{script.name} and {notebook.name}: {where}; run jupytext --sync {script}"


def main(folder: Path) -> int:
    """Exit status: 0 if there are pairs and all agree."""
    scripts = sorted({path.with_suffix(".py") for path in folder.glob("[0-9]*.*")})
    problems = [problem for script in scripts if (problem := disagreement(script))]
    if not scripts:
        problems.append(f"no notebooks in {folder}")
    print("\n".join(problems) or f"{len(scripts)} pairs agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
