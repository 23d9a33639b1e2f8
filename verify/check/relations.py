r"""What holds for any loss of a row, asked of the target without the truth or on whole batches.

the same answer twice; scores and labels left as they were
the order of the labels and of the rows does not matter; rows twice are their loss twice
a batch of unlike rows is the rows one by one: no maximum and no sum is shared
columns masked with -1e7 change nothing, nor does a shift where the loss has none
the Hessian-vector product, by the library's autograd
the result has the dtype of the scores
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from verify.check.convention import SIDES
from verify.check.frameworks import Numbers
from verify.check.observation import Observation
from verify.check.probes import Probe, make_probes
from verify.check.specification import Specification
from verify.check.trial import Failed, Trial
from verify.check.weigh import Weigher

__all__ = ["CURVATURE", "Relation", "relations"]

CURVATURE = "Hessian-vector product"
# Ordinary scores in float64: the sums of two orders differ by less.
TOLERANCE = 1e-9
# float64 code that works in float32 inside is held to this.
LOWER_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Relation:
    """One relation: whether it holds, and if not the input and the two numbers that differ.

    severity: note where no verdict hangs on it.  seen: the observation behind it, if there is one.
    """

    name: str
    holds: bool
    words: str = ""
    cause: str = ""
    scores: Numbers | None = None
    labels: Numbers | None = None
    got: float | None = None
    expected: float | None = None
    severity: str = "failure"
    seen: Observation | None = None


def relations(weigher: Weigher, specification: Specification) -> list[Relation]:
    """All of them, in order; one that cannot be asked is left out."""
    trial = weigher.trial
    probes = [p for p in make_probes(specification, soft=False) if p.rows > 1]
    probe = probes[0]
    if trial.convention.layout == "row":
        probe = probe.split()[0]
    found: list[Relation] = []
    for ask in (_repeated, _kept, _order_of_labels, _order_of_rows, _dtype):
        try:
            found += ask(trial, probe)
        except Failed:
            continue  # the sweep tells of calls that fail
    if trial.convention.layout != "row":
        found += _batches(weigher, specification)
    if specification.masks and trial.convention.input == "logits":
        found += _masked_columns(weigher, probe)
    return [*found, *_curvature(weigher, probe)]


def _total(trial: Trial, scores: Numbers, labels: Numbers) -> float:
    return float(trial.totals(scores, labels).sum())


def _same(trial: Trial, probe: Probe, a: float, b: float) -> bool:
    lower = trial.run(probe.scores, probe.labels).dtype == "float32"
    tolerance = LOWER_TOLERANCE if lower else TOLERANCE
    return bool(np.isclose(a, b, rtol=tolerance, atol=tolerance))


def _repeated(trial: Trial, probe: Probe) -> Iterator[Relation]:
    once = _total(trial, probe.scores, probe.labels)
    for _ in range(1 if trial.framework.compiles else 2):
        again = _total(trial.anew(), probe.scores, probe.labels)
        if not _same(trial, probe, once, again):
            words = "the same call gives another number each time"
            yield Relation(
                "determinism",
                False,
                words,
                "random-result",
                probe.scores,
                probe.labels,
                again,
                once,
            )
            return
    yield Relation("determinism", True)


def _kept(trial: Trial, probe: Probe) -> Iterator[Relation]:
    changed = trial.changed(probe.scores, probe.labels)
    words = f"the call writes into its {changed}: the next call on the same array is another one"
    yield Relation("inputs kept", not changed, words, "input-modified", probe.scores, probe.labels)


def _order_of_labels(trial: Trial, probe: Probe) -> Iterator[Relation]:
    order = np.roll(np.arange(probe.scores.shape[1]), 1)
    once = _total(trial, probe.scores, probe.labels)
    turned = probe.scores[:, order], probe.labels[:, order]
    again = _total(trial, *turned)
    words = "the order of the labels changes the loss"
    yield Relation(
        "permutation of labels",
        _same(trial, probe, once, again),
        words,
        "",
        turned[0],
        turned[1],
        again,
        once,
    )


def _order_of_rows(trial: Trial, probe: Probe) -> Iterator[Relation]:
    if probe.rows == 1:
        return
    once = trial.totals(probe.scores, probe.labels)
    backward = trial.totals(probe.scores[::-1], probe.labels[::-1])[::-1]
    words = "the order of the rows changes the loss"
    yield Relation(
        "permutation of rows",
        bool(np.allclose(once, backward, rtol=LOWER_TOLERANCE)),
        words,
        "",
        probe.scores[::-1],
        probe.labels[::-1],
    )
    twice = [np.concatenate([x, x]) for x in (probe.scores, probe.labels)]
    doubled, single = _total(trial, *twice), 2 * float(once.sum())
    words = "rows that stand twice in a batch are not their loss twice"
    yield Relation(
        "duplication of rows",
        _same(trial, probe, doubled, single),
        words,
        "",
        twice[0],
        twice[1],
        doubled,
        single,
    )


def _dtype(trial: Trial, probe: Probe) -> Iterator[Relation]:
    for dtype in trial.framework.dtypes[:2]:
        returned = trial.run(probe.scores, probe.labels, dtype).dtype
        if returned and returned != dtype:
            words = f"scores of {dtype} give a loss of {returned}"
            yield Relation("dtype of the result", False, words, severity="note")


def _batches(weigher: Weigher, specification: Specification) -> Iterator[Relation]:
    """Rows of unlike size side by side."""
    rng = np.random.default_rng(7359)
    scores = rng.normal(0, 1, (3, 4)) * specification.spread
    labels = np.zeros((3, 4))
    labels[[0, 1, 2], [1, 3, 0]] = 1.0
    if not specification.one_class and weigher.trial.convention.labels != SIDES:
        labels[1, 2] = 1.0
    far = 1.0 if weigher.trial.convention.input != "logits" else 300.0
    for name, offset in (("unlike rows", [far, 0.0, -far]), ("like rows", [0.0, 0.0, 0.0])):
        moved = scores + np.array(offset)[:, None] * (specification.name != "circle")
        seen = weigher.probe(Probe(moved, labels, False, 0), "batch")
        words = f"a batch of {name} is not its rows one by one"
        yield Relation(f"batch of {name}", seen.right, words, "", moved, labels, seen=seen)


def _masked_columns(weigher: Weigher, probe: Probe) -> Iterator[Relation]:
    """A column of -1e7 that no label marks; circle counts it as e^0 each, as it should."""
    if weigher.specification.name == "circle" or weigher.specification.one_class:
        return
    b = probe.rows
    scores = np.concatenate([probe.scores, np.full((b, 2), -1e7)], axis=1)
    labels = np.concatenate([probe.labels, np.zeros((b, 2))], axis=1)
    seen = weigher.probe(Probe(scores, labels, False, 0), "batch")
    words = "two columns masked with -1e7 change the loss"
    yield Relation("masked columns", seen.right, words, "", scores, labels, seen=seen)


def _curvature(weigher: Weigher, probe: Probe) -> Iterator[Relation]:
    """H v on ordinary rows, where both sides have it.

    What raises does no harm: who needs the product is told.  A wrong one is told by nobody else.
    """
    trial, way = weigher.trial, weigher.trial.convention
    if not trial.framework.autograd or trial.gradient_of is not None:
        return
    if way.input != "logits" or way.widest != "float64":
        return
    for row in probe.split()[: 1 if trial.framework.compiles else None]:
        try:
            wrong = _wrong_product(weigher, row)
        except Failed as error:
            yield Relation(CURVATURE, False, f"it raises {error}", severity="note")
            return
        if wrong is not None:
            yield wrong
            return
    yield Relation(CURVATURE, True)


def _wrong_product(weigher: Weigher, row: Probe) -> Relation | None:
    """What is wrong with H v of a row, v = (1, -1/2, 1, ...); None if nothing, or nothing known."""
    vector = np.where(np.arange(row.scores.shape[1]) % 2 == 0, 1.0, -0.5)[None]
    numbers = (row.scores[0].tolist(), row.labels[0].tolist(), vector[0].tolist())
    truth = weigher.specification.truth(*numbers)
    exact = np.array([float(x) for x in truth.hvp]) * weigher.scale
    if exact.size != row.scores.size:
        return None
    got = weigher.trial.hvp(row.scores, row.labels, vector).ravel()
    size = max(1.0, float(np.abs(exact).max()))
    if np.allclose(got, exact, rtol=0, atol=LOWER_TOLERANCE * size):
        return None
    at = int(np.argmax(np.where(np.isfinite(got), np.abs(got - exact), np.inf)))
    words = f"the Hessian times {numbers[2]} is wrong at label {at}"
    shown = row.scores, row.labels, float(got[at]), float(exact[at])
    return Relation(CURVATURE, False, words, "second-derivative", *shown)
