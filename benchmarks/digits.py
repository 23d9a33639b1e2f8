"""Which loss for few samples of some classes? Handwritten digits, made imbalanced.

    python benchmarks/digits.py [--repeats N] [--processes P] [--out FILE]

The data is scikit-learn's `load_digits` (1797 images of 8 x 8 pixels, ships with the package). In
each repeat the classes are put in a new order, and the training set has 100 samples of the first
class, geometrically fewer of the next, and 4 of the last: 312 in all. 20 other samples of each
class decide on the weight decay, 50 more are the test set.

Each loss trains the same two models, linear scores and one hidden layer of tanh, by L-BFGS on the
whole training set (the sum over samples is inside the log, so there are no mini-batches), from the
same start, with the same budget of evaluations. The objective is

    l(scores, labels) / l(0, labels) + decay |W|^2 / 2,

so that one grid of decays fits losses of different size. The decay is that with the best balanced
accuracy on the validation set, for each loss, model, kind of labels and repeat by itself; a tie
goes to the smaller log-loss. Labels are hard, or smoothed: (1 - eps) t + eps / m.

Reported, on the test set, with the standard error over the repeats:

    balanced   mean recall of the classes: accuracy where all classes are equally frequent
    as trained accuracy where the classes are as frequent as in training
    rare       mean recall of the three rarest classes
    frequent   mean recall of the three most frequent
    log-loss   mean of -log of the probability of the right class, classes as in training (of the
               truncated loss: with its constants, also where the answer is the argmax of s)
    ECE        expected calibration error of the likeliest class in ten bins, classes as in training
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import lossproof

Floats = np.ndarray[Any, np.dtype[np.float64]]

CLASSES, PIXELS, INK_LEVELS = 10, 64, 16
# digits has 174 to 183 samples of each class: 50 + 20 + 100 leaves none out of reach.
TEST, VALIDATION, MOST, FEWEST = 50, 20, 100, 4
HIDDEN = 32
EVALUATIONS = 200
DECAYS = tuple(10.0**p for p in (-7, -6, -5, -4, -3, -2, -1))
SMOOTHING = {"hard": 0.0, "smoothed": 0.1}
THIRD = CLASSES // 3
BINS = 10
SEED = 9158
FIGURES_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Part:
    """Images (n, pixels) and their classes (n,), numbered from the most frequent to the rarest."""

    images: Floats
    classes: np.ndarray


@dataclass(frozen=True)
class Split:
    """One repeat."""

    train: Part
    validation: Part
    test: Part


@dataclass(frozen=True)
class Objective:
    """A loss to train with, and the probabilities that its scores stand for.

    slope: value and gradient for scores and labels (n, m), given the class counts.
    decode: probabilities of new scores, given scores and labels of the training set and the counts.
    choose: what the predicted class is the argmax of; None for the probabilities.
    """

    slope: Callable[[Floats, Floats, Floats], tuple[float, Floats]]
    decode: Callable[[Floats, Floats, Floats, Floats], Floats]
    choose: Callable[[Floats], Floats] | None = None


def counts() -> np.ndarray:
    """Training samples of each class, most frequent first: geometric from MOST to FEWEST."""
    return np.rint(np.geomspace(MOST, FEWEST, CLASSES)).astype(int)


def split(repeat: int) -> Split:
    """Training, validation and test set of a repeat."""
    rng = np.random.default_rng([SEED, repeat])
    data = load_digits()
    images = data.data / INK_LEVELS
    rows = [rng.permutation(np.flatnonzero(data.target == c)) for c in rng.permutation(CLASSES)]
    ends = {"test": (0, TEST), "validation": (TEST, TEST + VALIDATION)}
    parts = {name: [row[a:b] for row in rows] for name, (a, b) in ends.items()}
    size = zip(rows, counts(), strict=True)
    parts["train"] = [row[TEST + VALIDATION :][:count] for row, count in size]
    return Split(**{name: _part(images, rows) for name, rows in parts.items()})


def _part(images: Floats, rows: list[np.ndarray]) -> Part:
    classes = np.repeat(np.arange(CLASSES), [len(row) for row in rows])
    return Part(images[np.concatenate(rows)], classes)


def labels_of(part: Part, smoothing: float) -> Floats:
    """(1 - eps) one-hot + eps / m: (n, m)."""
    return (1 - smoothing) * np.eye(CLASSES)[part.classes] + smoothing / CLASSES


def softmax(scores: Floats) -> Floats:
    """Rows of probabilities."""
    return np.asarray(lossproof.softmax_cross_entropy.probabilities(scores))


def cross_entropy(
    scores: Floats, labels: Floats, weights: Floats | None = None, shift: Floats | float = 0.0
) -> tuple[float, Floats]:
    """Sum of softmax cross-entropies, of weighted samples, of scores shifted by class."""
    value, gradient = lossproof.softmax_cross_entropy.value_and_grad(
        scores + shift, labels, check=False
    )
    if weights is None:
        return float(value.sum()), gradient
    each = labels @ weights
    return float(each @ value), each[:, None] * gradient


def grid_slope(loss: Any) -> Callable[[Floats, Floats, Floats], tuple[float, Floats]]:
    """Value and gradient of a loss over the whole grid."""

    def slope(scores: Floats, labels: Floats, counts: Floats) -> tuple[float, Floats]:
        value, gradient = loss.value_and_grad(scores, labels, check=False)
        return float(value), gradient

    return slope


def grid_objective(loss: Any) -> Objective:
    """A loss over the grid whose probabilities need nothing but the scores."""
    return Objective(grid_slope(loss), lambda scores, *training: loss.probabilities(scores))


def with_constants(scores: Floats, train: Floats, labels: Floats, counts: Floats) -> Floats:
    """softmax(2s + log D) with the class constants of the training set."""
    constants = lossproof.grid_truncated.log_constants(train, labels)
    return np.asarray(lossproof.grid_truncated.probabilities(scores, log_constants=constants))


def objectives() -> dict[str, Objective]:
    """The losses that are compared, by name."""
    truncated = grid_slope(lossproof.grid_truncated)
    return {
        "cross-entropy": Objective(
            lambda s, t, counts: cross_entropy(s, t), lambda s, *training: softmax(s)
        ),
        "class weights": Objective(
            lambda s, t, counts: cross_entropy(s, t, weights=1 / counts),
            lambda s, *training: softmax(s),
        ),
        "logit adjustment": Objective(
            lambda s, t, counts: cross_entropy(s, t, shift=np.log(counts)),
            lambda s, train, labels, counts: softmax(s + np.log(counts)),
            choose=lambda s: s,
        ),
        "truncated, argmax s": Objective(truncated, with_constants, choose=lambda s: s),
        "truncated, with constants": Objective(truncated, with_constants),
        "centered": grid_objective(lossproof.grid_centered),
        "pairwise": grid_objective(lossproof.grid_pairwise),
        "mirrored": grid_objective(lossproof.grid_mirrored),
    }


@dataclass(frozen=True)
class Model:
    """Scores from images: linear, or with one hidden layer of tanh.

    The parameters are one vector; shapes: the matrices and offsets it consists of, in turn.
    """

    shapes: tuple[tuple[int, ...], ...]

    def parts(self, parameters: Floats) -> list[Floats]:
        """The matrices and offsets."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        flat = np.split(parameters, ends[:-1])
        return [x.reshape(shape) for x, shape in zip(flat, self.shapes, strict=True)]

    def start(self, repeat: int) -> Floats:
        """Zeros for a linear model; hidden weights N(0, 1 / inputs), the same for every loss."""
        rng = np.random.default_rng([SEED, repeat, len(self.shapes)])
        parts = [np.zeros(shape) for shape in self.shapes]
        if len(parts) > 2:
            parts[0] = rng.normal(0, PIXELS**-0.5, self.shapes[0])
            parts[2] = rng.normal(0, HIDDEN**-0.5, self.shapes[2])
        return np.concatenate([x.ravel() for x in parts])

    def layers(self, parameters: Floats, images: Floats) -> list[Floats]:
        """Images, hidden values if any, scores."""
        found, parts = [images], self.parts(parameters)
        for place in range(0, len(parts), 2):
            found[-1] = np.tanh(found[-1]) if place else found[-1]
            found.append(found[-1] @ parts[place] + parts[place + 1])
        return found

    def back(self, parameters: Floats, layers: list[Floats], slope: Floats) -> Floats:
        """Gradient by the parameters from that by the scores."""
        parts, found = self.parts(parameters), []
        for place in reversed(range(0, len(parts), 2)):
            below = layers[place // 2]
            found += [slope.sum(axis=0), (below.T @ slope).ravel()]
            slope = slope @ parts[place].T * (1 - below**2)
        return np.concatenate(found[::-1])


MODELS = {
    "linear": Model(((PIXELS, CLASSES), (CLASSES,))),
    "one hidden layer": Model(((PIXELS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,))),
}


def matrices_only(model: Model) -> Floats:
    """1 for the entries of matrices, 0 for offsets: only the former decay."""
    return np.concatenate([np.full(int(np.prod(x)), float(len(x) == 2)) for x in model.shapes])


def train(
    model: Model,
    objective: Objective,
    part: Part,
    labels: Floats,
    decay: float,
    repeat: int,
    evaluations: int = EVALUATIONS,
    callback: Callable[[Floats], None] | None = None,
) -> Floats:
    """The parameters after L-BFGS has used its budget, or has converged."""
    shape, decays = labels.shape, decay * matrices_only(model)
    number = counts().astype(float)
    unit = objective.slope(np.zeros(shape), labels, number)[0]

    def slope(parameters: Floats) -> tuple[float, Floats]:
        layers = model.layers(parameters, part.images)
        value, gradient = objective.slope(layers[-1], labels, number)
        pull = decays * parameters
        whole = value / unit + 0.5 * float(pull @ parameters)
        return whole, model.back(parameters, layers, gradient / unit) + pull

    options = {"maxfun": evaluations, "maxiter": evaluations, "ftol": 0.0, "gtol": 1e-9}
    start = model.start(repeat)
    with threadpool_limits(1, user_api="blas"):  # the matrices are small
        found = minimize(
            slope, start, jac=True, method="L-BFGS-B", options=options, callback=callback
        )
    return np.asarray(found.x)


def recalls(right: np.ndarray, classes: np.ndarray) -> Floats:
    """Share of right answers in each class."""
    return np.bincount(classes, right, CLASSES) / np.bincount(classes, minlength=CLASSES)


def calibration_error(top: Floats, right: np.ndarray, weights: Floats) -> float:
    """sum over bins of share |accuracy - mean probability of the predicted class|."""
    place = np.minimum((top * BINS).astype(int), BINS - 1)
    gap = np.bincount(place, weights * (right - top), BINS)
    return float(np.abs(gap).sum())


def judge(objective: Objective, scores: Floats, p: Floats, part: Part) -> dict[str, float]:
    """The figures of the table."""
    answers = (p if objective.choose is None else objective.choose(scores)).argmax(axis=1)
    recall = recalls(answers == part.classes, part.classes)
    share = counts() / counts().sum()
    weights = (share / np.bincount(part.classes))[part.classes]
    surprise = -np.log(np.maximum(p[np.arange(len(p)), part.classes], np.finfo(float).tiny))
    right = p.argmax(axis=1) == part.classes
    return {
        "balanced": float(recall.mean()),
        "as trained": float(recall @ share),
        "rare": float(recall[-THIRD:].mean()),
        "frequent": float(recall[:THIRD].mean()),
        "log-loss": float(weights @ surprise),
        "ECE": calibration_error(p.max(axis=1), right, weights),
    }


def run_repeat(repeat: int) -> list[dict[str, Any]]:
    """Every loss, model and kind of labels on one split."""
    data, found = split(repeat), []
    for model in MODELS:
        for kind in SMOOTHING:
            for names in _trained_alike():
                found += best_decays(data, model, kind, names, repeat)
    return found


def _trained_alike() -> list[list[str]]:
    """Names of objectives, those together that train the same model and read it differently."""
    together: dict[int, list[str]] = {}
    table = objectives()
    for name, objective in table.items():
        together.setdefault(id(objective.slope), []).append(name)
    return list(together.values())


def best_decays(
    data: Split, model: str, kind: str, names: list[str], repeat: int
) -> list[dict[str, Any]]:
    """Train with each decay; for each reading the figures of the best one."""
    table, net = objectives(), MODELS[model]
    labels = labels_of(data.train, SMOOTHING[kind])
    best: dict[str, tuple[tuple[float, float], dict[str, Any]]] = {}
    for decay in DECAYS:
        parameters = train(net, table[names[0]], data.train, labels, decay, repeat)
        seen, held, new = (
            net.layers(parameters, part.images)[-1]
            for part in (data.train, data.validation, data.test)
        )
        for name in names:
            objective = table[name]
            known = seen, labels, counts().astype(float)
            on_held = judge(objective, held, objective.decode(held, *known), data.validation)
            rank = (on_held["balanced"], -on_held["log-loss"])
            if name not in best or rank > best[name][0]:
                figures = judge(objective, new, objective.decode(new, *known), data.test)
                key = {"repeat": repeat, "loss": name, "model": model, "labels": kind}
                best[name] = rank, {**key, "decay": decay, **figures}
    return [row for _, row in best.values()]


FIGURES = ("balanced", "as trained", "rare", "frequent", "log-loss", "ECE")


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard error over the repeats, for each model, kind of labels and loss."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["labels"], row["loss"]), []).append(row)
    return [
        {"model": model, "labels": kind, "loss": loss, **_figures(group)}
        for (model, kind, loss), group in groups.items()
    ]


def _figures(group: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    found = {}
    for name in FIGURES:
        x = np.array([row[name] for row in group])
        found[name] = float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))
    return found


def show(lines: list[dict[str, Any]]) -> None:
    """Print the table."""
    for model in MODELS:
        for kind in SMOOTHING:
            print(f"\n{model}, {kind} labels\n{'':26}" + "".join(f"{x:>16}" for x in FIGURES))
            for line in lines:
                if (line["model"], line["labels"]) == (model, kind):
                    cells = (f"{mean:9.3f} ±{error:5.3f}" for mean, error in map(line.get, FIGURES))
                    print(f"{line['loss']:26}" + "".join(cells))


def main() -> None:
    """Run, show and store."""
    parser = argparse.ArgumentParser(description="The losses on imbalanced digits.")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FIGURES_FILE)
    given = parser.parse_args()
    begin = perf_counter()
    runs = Parallel(n_jobs=given.processes)(
        delayed(run_repeat)(repeat) for repeat in range(given.repeats)
    )
    rows = [row for run in runs for row in run]
    show(summary(rows))
    print(f"\n{given.repeats} repeats, {perf_counter() - begin:.0f} s")
    given.out.write_text(json.dumps(rows, indent=None).replace("}, ", "},\n ") + "\n")


if __name__ == "__main__":
    main()
