r"""Whether a target is the loss at a multiple of the scores: f(s) = a l(c s).

The multiples tried are those in use (temperatures, scales of cosine similarities) and the numbers
in the source; a is 1 or 1/c, or any one number.
"""

from __future__ import annotations

import re

import numpy as np

from verify.check.fit import CLOSENESS
from verify.check.probes import Probe, make_probes, truths
from verify.check.trial import Failed
from verify.check.weigh import Weigher

__all__ = ["find_scale_of_scores"]

# Temperatures and scales in use: 1/2 and 2 of the link, 0.07 of contrastive losses, 64 of faces.
IN_USE = (0.5, 2.0, 0.1, 10.0, 0.05, 20.0, 0.07, 0.2, 5.0, 4.0, 0.25, 3.0, 30.0, 64.0, 0.01, 100.0)
_NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:[eE][-+]?\d+)?")
MOST_NUMBERS = 24


def find_scale_of_scores(weigher: Weigher) -> tuple[float, float] | None:
    """(c, a) with f(s) = a l(c s) on all probes of hard labels, c != 1; None if there is none."""
    probes = make_probes(weigher.specification, soft=False)
    if weigher.trial.convention.layout == "row":
        probes = [one for probe in probes for one in probe.split()]
    try:
        got = [float(weigher.trial.totals(p.scores, p.labels).sum()) for p in probes]
    except Failed:
        return None
    for c in _candidates(weigher.trial.target.source):
        scaled = [Probe(c * p.scores, p.labels, p.soft, p.twin) for p in probes]
        truth = [float(truths(weigher.specification, p).sum()) for p in scaled]
        a = _multiple(np.array(got), np.array(truth))
        if a is not None:
            return c, a
    return None


def _candidates(source: str) -> list[float]:
    own = [float(text) for text in dict.fromkeys(_NUMBER.findall(source))][:MOST_NUMBERS]
    both = [x for number in own if 1e-3 <= number <= 1e3 for x in (number, 1 / number)]
    return [c for c in dict.fromkeys([*IN_USE, *both]) if c != 1]


def _multiple(got: np.ndarray, truth: np.ndarray) -> float | None:
    with np.errstate(all="ignore"):
        a = float(np.median(got / truth))
    if not (np.isfinite(a) and a > 0):
        return None
    return a if np.allclose(got, a * truth, rtol=CLOSENESS, atol=CLOSENESS) else None
