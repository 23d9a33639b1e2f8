"""Options that commands share, and the help below one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

__all__ = ["OWN_LOSS", "cluster_option", "processors"]

# Below --help of check; the mark keeps its lines.
OWN_LOSS = """\b
A loss of your own, in a file my_losses.py, for --against my_losses.py:spec:
  from sympy import exp, log
  from derive.axis import array, labels_axis, total
  i = labels_axis().index("i")
  s = array("s")  # scores
  t = array("t")  # labels in [0, 1]; y: 0 and 1; one_hot: of sum 1
  spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)
Further symbols are parameters: -p NAME=NUMBER.
"""


def processors() -> int:
    """So many processes, unless another number is asked for."""
    return min(4, os.cpu_count() or 1)


def cluster_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--cluster, for what can be done on other machines."""
    return click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on the Dask cluster whose scheduler listens here, such as tcp://host:8786.",
    )(command)
