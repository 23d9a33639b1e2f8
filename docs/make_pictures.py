"""The pictures of the documentation, from the numbers themselves: python docs/make_pictures.py.

With a folder: into that one; with names after it: only those, as in `... docs/pictures speed`.

    first    correct digits of a small loss, and the probability that a score stands for
    lattice  each loss as its index set
    newton   error of Newton's recursion for log Z_k over spread and k, next to the stable method
    balance  how evenly the classes pull on a model, for the losses of n samples x m classes
    digits   the same losses on imbalanced digits
    ledger   a tile for each statement of the documents, with its verdict
    printed  what the printed code gives on each library, in each format
    museum   a tile for each cause of a fault that was seen in public, by the verdict of a check
    speed    value and gradient beside a = b + c and what else there is
    growth   the same of the combination softmax over n and over k
    lengths  of other losses over n

The figures of `digits` are those that `benchmarks/digits.py` stored, the times those of `lossproof
bench --growth --json benchmarks/measured.json`: clocks differ in every run. `docs/make_pages.py`
writes the same times as tables.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from draw_balance import balance
from draw_digits import digits
from draw_first import first
from draw_growth import growth, lengths
from draw_lattice import lattice
from draw_ledger import ledger
from draw_museum import museum
from draw_newton import newton
from draw_printed import printed
from draw_speed import speed
from look import STYLE, save
from matplotlib import pyplot as plt

PICTURES = {
    "first": first,
    "lattice": lattice,
    "newton": newton,
    "balance": balance,
    "digits": digits,
    "ledger": ledger,
    "printed": printed,
    "museum": museum,
    "speed": speed,
    "growth": growth,
    "lengths": lengths,
}


def main(folder: Path, names: Sequence[str] = ()) -> None:
    """Write every picture, or those of these names, into the folder."""
    unknown = sorted(set(names) - set(PICTURES))
    if unknown:
        sys.exit(f"no picture is named {', '.join(unknown)}: expected {', '.join(PICTURES)}")
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")
    with plt.rc_context(STYLE):
        for name in names or PICTURES:
            try:
                figure = PICTURES[name]()
            except LookupError as error:  # a stored run that was not asked for all
                if names:
                    sys.exit(f"{name}: {error}")
                print(f"left out: {name}: {error}")
                continue
            save(figure, folder, name)
            plt.close(figure)


if __name__ == "__main__":
    folder, *chosen = sys.argv[1:] or [str(Path(__file__).parent / "pictures")]
    main(Path(folder), chosen)
