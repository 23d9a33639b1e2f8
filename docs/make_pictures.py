"""The pictures of the documentation, from the numbers themselves: python docs/make_pictures.py.

    first    correct digits of a small loss, and the probability that a score stands for
    lattice  each loss as its index set
    newton   error of Newton's recursion for log Z_k over spread and k, next to the stable method
    balance  how evenly the classes pull on a model, for the losses of n samples x m classes
    digits   the same losses on imbalanced digits
    ledger   a tile for each statement of the documents, with its verdict
    printed  what the printed code gives on each library, in each format
    museum   a tile for each cause of a fault that was seen in public, by the verdict of a check

The figures of `digits` are those that `benchmarks/digits.py` stored. The growth of the times comes
from `python -m benchmarks --growth`: clocks differ in every run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
from draw_balance import balance
from draw_digits import digits
from draw_first import first
from draw_lattice import lattice
from draw_ledger import ledger
from draw_museum import museum
from draw_newton import newton
from draw_printed import printed
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
}


def main(folder: Path) -> None:
    """Write every picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")
    with plt.rc_context(STYLE):
        for name, draw in PICTURES.items():
            figure = draw()
            save(figure, folder, name)
            plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
