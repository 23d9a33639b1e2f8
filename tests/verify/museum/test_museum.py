"""The cards of the museum, held against the oracle: no check takes part."""

import math
import re
import warnings
from collections import Counter

import numpy as np
import pytest

from verify.check import libraries
from verify.check.causes import CAUSES
from verify.check.findings import VERDICTS
from verify.museum import FAULTY, PIECES, RIGHT, Piece
from verify.museum.handle import load, play, reduced
from verify.museum.piece import HERE
from verify.museum.tour import Tour, Visit, installed, tour
from verify.oracle import BallOracle

INF = math.inf
HINGES = ("hinge", "max_hinge", "lse_hinge")
BOUND = 64
"""Errors in eps of the largest number that a formula works on: what log-sum-exp code reaches."""


def named(piece: Piece) -> str:
    return f"{piece.room}/{piece.name}"


def needs_library(piece: Piece) -> None:
    if not installed(piece.framework):
        pytest.skip(f"{piece.framework} is not installed")


def truth(piece: Piece, scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and gradient as the piece is to give them."""
    s = np.array(scores, dtype=float)
    if piece.takes.labels == "index list" and piece.takes.filler == 0:
        s[:, 0] = -INF  # no label
    oracle = BallOracle(piece.against, **piece.parameters)
    rows = [oracle(x.tolist(), y.tolist()) for x, y in zip(s, labels, strict=True)]
    values = reduced(np.array([float(r.value) for r in rows]), piece.takes, s.shape[-1])
    sizes = {"mean": len(s), "mean of labels": s.size, "row means": s.shape[-1]}
    count = sizes.get(piece.takes.gives, 1)
    return values, np.array([[float(g) for g in r.gradient] for r in rows]) / count


def size_of(piece: Piece, scores: np.ndarray) -> float:
    """The largest number that the formula works on."""
    largest = float(np.abs(scores[np.isfinite(scores) & (np.abs(scores) < 1e7)]).max(initial=1.0))
    return 256 * (largest + 1) ** 2 if piece.against == "circle" else max(1.0, largest)


def hard_labels(piece: Piece, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if piece.takes.labels == "class index" or piece.against in HINGES:
        return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    labels = (rng.random(shape) < 0.4).astype(float)
    labels[:, 0] = 0.0
    return labels


def rows_for(piece: Piece, dtype: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Rows of each kind that a right piece must be right on."""
    rng = np.random.default_rng(7)
    small = piece.against == "circle" or piece.takes.probabilities
    ordinary = rng.normal(0, 0.4 if small else 2.0, (4, 5)).astype(dtype).astype(float)
    found = [
        ("ordinary", ordinary, hard_labels(piece, (4, 5), 1)),
        ("ties", np.full((3, 4), 0.5), hard_labels(piece, (3, 4), 2)),
    ]
    if small:
        return found
    large = rng.normal(0, 60.0, (4, 5)).astype(dtype).astype(float)
    found.append(("large", large, hard_labels(piece, (4, 5), 3)))
    for mask in (-1e4, float(np.finfo(dtype).min), -INF):
        masked, labels = ordinary.copy(), hard_labels(piece, (4, 5), 4)
        masked[:, 2] = mask
        if labels.sum() == len(labels):
            labels[labels[:, 2] > 0] = np.eye(5)[4]
        labels[:, 2] = 0.0
        found.append((f"mask {mask:g}", masked, labels))
    return found


@pytest.mark.parametrize("piece", RIGHT, ids=named)
def test_a_right_piece_is_right(piece: Piece) -> None:
    needs_library(piece)
    for dtype in ("float64", "float32") if piece.framework != "python" else ("float64",):
        eps = float(np.finfo("float32" if piece.takes.single else dtype).eps)
        for kind, scores, labels in rows_for(piece, dtype):
            value, gradient = truth(piece, scores, labels)
            given = scores
            if piece.takes.probabilities:
                given = 1 / (1 + np.exp(-scores))
            got = play(piece, given, labels, dtype)
            allowed = BOUND * eps * np.maximum(np.abs(value), size_of(piece, scores))
            assert np.all(np.abs(got.values - value) <= allowed), (kind, dtype)
            if got.gradient is not None:
                most = np.abs(gradient).max(initial=1.0) * size_of(piece, scores)
                assert np.abs(got.gradient - gradient).max() <= BOUND * eps * most, (kind, dtype)


SEEN_BY_VALUE = [p for p in FAULTY if p.witness and p.witness.of == "value"]
SEEN_BY_GRADIENT = [p for p in FAULTY if p.witness and p.witness.of == "gradient"]
SEEN_BY_CURVATURE = [p for p in FAULTY if p.witness and p.witness.of == "hvp"]
SEEN_BY_RUNNING = [p for p in FAULTY if p.witness and p.witness.of == "run"]


def shown(piece: Piece) -> tuple[np.ndarray, np.ndarray, str]:
    assert piece.witness is not None
    return np.array(piece.witness.scores), np.array(piece.witness.labels), piece.witness.dtype


@pytest.mark.parametrize("piece", SEEN_BY_VALUE, ids=named)
def test_a_witness_shows_a_wrong_value(piece: Piece) -> None:
    needs_library(piece)
    scores, labels, dtype = shown(piece)
    value, _ = truth(piece, scores, labels)
    got = play(piece, scores, labels, dtype).values
    allowed = BOUND * float(np.finfo(dtype).eps) * size_of(piece, scores)
    assert not np.all(np.abs(got - value) <= allowed)


@pytest.mark.parametrize("piece", SEEN_BY_GRADIENT, ids=named)
def test_a_witness_shows_a_wrong_gradient_beside_a_right_value(piece: Piece) -> None:
    needs_library(piece)
    scores, labels, _ = shown(piece)
    value, gradient = truth(piece, scores, labels)
    got = play(piece, scores, labels)
    assert got.gradient is not None
    assert np.all(np.abs(got.values - value) <= BOUND * 2e-16 * size_of(piece, scores))
    assert not np.abs(got.gradient - gradient).max() <= 1e-3


@pytest.mark.parametrize("piece", SEEN_BY_CURVATURE, ids=named)
def test_a_witness_shows_a_wrong_second_derivative(piece: Piece) -> None:
    torch = pytest.importorskip("torch")
    scores, labels, _ = shown(piece)
    point, vector = torch.tensor(scores, requires_grad=True), np.ones_like(scores)
    value = load(piece)(point, torch.tensor(labels)).sum()
    (slope,) = torch.autograd.grad(value, point, create_graph=True)
    got = np.zeros_like(scores)
    if slope.requires_grad:
        got = torch.autograd.grad(slope.sum(), point)[0].numpy()
    oracle = BallOracle(piece.against, **piece.parameters)
    rows = zip(scores.tolist(), labels.tolist(), vector.tolist(), strict=True)
    wanted = np.array([[float(x) for x in oracle(*row).hvp] for row in rows])
    assert np.abs(slope.detach().numpy() - truth(piece, scores, labels)[1]).max() < 1e-12
    assert np.abs(got - wanted).max() > 0.1


@pytest.mark.parametrize("piece", SEEN_BY_RUNNING, ids=named)
def test_a_witness_stops_it(piece: Piece) -> None:
    needs_library(piece)
    scores, labels, _ = shown(piece)
    with pytest.raises((AttributeError, AssertionError, OverflowError, RuntimeError)):
        play(piece, scores, labels)


def test_a_call_that_writes_into_its_scores() -> None:
    (piece,) = (p for p in FAULTY if p.witness is not None and p.witness.of == "input")
    scores, labels, _ = shown(piece)
    given = scores.copy()
    first = load(piece)(given, labels)
    assert np.abs(first - truth(piece, scores, labels)[0]).max() < 1e-12
    assert not np.array_equal(given, scores)


LIMITED = [p for p in FAULTY if p.verdict == "limited-range" and p.cause != "labels-clipped"]


@pytest.mark.parametrize("piece", LIMITED, ids=named)
def test_a_piece_of_limited_range_is_right_on_plain_rows(piece: Piece) -> None:
    needs_library(piece)
    scores = np.array([[0.25, -1.0, 0.5, -0.75], [1.0, 0.25, -0.5, 0.75]])
    labels = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    value, _ = truth(piece, scores, labels)
    assert np.abs(play(piece, scores, labels).values - value).max() < 1e-5


def test_labels_that_are_clipped_are_right_inside() -> None:
    (piece,) = (p for p in FAULTY if p.cause == "labels-clipped")
    needs_library(piece)
    scores, labels = np.array([[1.5, -0.5, 0.25]]), np.array([[0.75, 0.125, 0.5]])
    assert play(piece, scores, labels).values == pytest.approx(truth(piece, scores, labels)[0])


SCALED = {"constant-factor": 0.1, "log-base": 1 / math.log(2)}


@pytest.mark.parametrize("piece", [p for p in FAULTY if p.cause in SCALED], ids=named)
def test_a_scaled_piece_is_a_multiple(piece: Piece) -> None:
    needs_library(piece)
    scores, labels, _ = shown(piece)
    factor = SCALED[str(piece.cause)]
    assert play(piece, scores, labels).values == pytest.approx(
        factor * truth(piece, scores, labels)[0]
    )


@pytest.mark.parametrize(
    "piece", [p for p in FAULTY if p.verdict == "equal-up-to-constant"], ids=named
)
def test_a_shifted_piece_is_off_by_what_the_labels_say(piece: Piece) -> None:
    needs_library(piece)
    scores, labels, _ = shown(piece)
    gaps = [
        play(piece, s, labels).values - truth(piece, s, labels)[0] for s in (scores, 2 - scores)
    ]
    assert gaps[0] == pytest.approx(gaps[1])
    assert np.abs(gaps[0]).min() > 0.01


@pytest.mark.parametrize("piece", [p for p in FAULTY if p.verdict == "hard-labels-only"], ids=named)
def test_a_piece_for_hard_labels_is_right_on_them(piece: Piece) -> None:
    needs_library(piece)
    scores = np.array([[0.25, -1.0, 0.5, -0.75], [1.0, 0.25, -0.5, 0.75]])
    labels = np.array([[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    assert play(piece, scores, labels).values == pytest.approx(truth(piece, scores, labels)[0])


def test_every_file_has_a_card_and_every_card_a_file() -> None:
    for room, pieces in (("faulty", FAULTY), ("right", RIGHT)):
        files = {path.stem for path in (HERE / room).glob("*.py")}
        assert files == {piece.name for piece in pieces}
        assert all(piece.room == room and piece.path.exists() for piece in pieces)
    assert max(Counter(piece.name for piece in PIECES).values()) == 1


def test_cards_of_faults_are_complete() -> None:
    assert len(FAULTY) >= 25
    assert len(RIGHT) >= 25
    for piece in FAULTY:
        assert piece.cause in CAUSES, piece.name
        assert piece.verdict in set(VERDICTS) - {"equal"}, piece.name
        assert re.match(r"https://(gist\.)?github\.com/", str(piece.seen_at)), piece.name
        assert piece.witness is not None or piece.cause == "never-ends", piece.name
    assert {piece.verdict for piece in FAULTY} == set(VERDICTS) - {"equal"}
    libraries_shown = {"numpy", "torch", "jax", "tensorflow", "keras", "python"}
    assert {piece.framework for piece in PIECES} == libraries_shown


class Said:
    """An outcome."""

    def __init__(self, verdict: str, *causes: str) -> None:
        self.verdict = verdict
        self.causes = causes


def test_a_tour_counts_what_was_found_and_named() -> None:
    pieces = [p for p in PIECES if p.framework == "python"]

    def check(piece: Piece) -> Said:
        if piece.name == "python_one_row":
            return Said("different", "one-left-out")
        return Said(piece.verdict, *([piece.cause] if piece.cause else []))

    made = tour(check, pieces)
    faulty = sum(p.room == "faulty" for p in pieces)
    assert (made.found, made.named, made.false_alarms) == (faulty, faulty, 1)
    assert not made.perfect
    assert f"false alarms            1/{len(pieces) - faulty}" in made.describe()
    assert "python_one_row: different (one-left-out), and the card says equal" in made.describe()
    assert made.as_dict()["named"] == faulty


def test_a_tour_that_finds_nothing() -> None:
    made = tour(lambda piece: Said("equal"), [p for p in PIECES if p.framework == "python"], jobs=2)
    assert (made.found, made.named, made.false_alarms) == (0, 0, 0)


def test_a_fault_with_another_name_is_found_and_not_named() -> None:
    piece = next(p for p in FAULTY if p.framework == "python")
    made = Tour((Visit(piece, piece.verdict, "temperature", 0.1),))
    assert (made.found, made.named) == (1, 0)


def test_pieces_of_a_library_that_is_not_there_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: name == "sys" or None)
    made = tour(lambda piece: Said("equal"))
    assert {v.piece.framework for v in made.visits} == {"python"}
    assert len(made.visits) + len(made.left_out) == len(PIECES)
    assert "left out" in made.describe()


def test_pieces_give_no_warnings_of_their_own_on_plain_rows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for piece in RIGHT:
            if piece.framework == "python":
                play(piece, [[0.5, -1.0, 0.25]], [[1.0, 0.0, 0.0]])
