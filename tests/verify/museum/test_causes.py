"""Causes are told from numbers: each fault of the museum, called as its card says, is named."""

from dataclasses import replace

import numpy as np
import pytest

from verify.check.cases import make_cases
from verify.check.causes import CAUSES, likely_causes
from verify.check.diagnosis import MESSAGES
from verify.check.faults import PARAMETERS, faults_of, truth_of
from verify.check.observation import Observation
from verify.check.probes import make_probes, truths
from verify.check.roundings import roundings_of
from verify.check.specification import specification_of
from verify.museum import FAULTY, RIGHT, Piece
from verify.museum.handle import play
from verify.museum.tour import installed
from verify.oracle.row import LOSSES

# These are seen by calling twice, the other way round, by deriving twice, or by waiting.
BY_RELATIONS = ("input-modified", "swapped-arguments", "second-derivative", "never-ends")
TOLD_BY_NUMBERS = [piece for piece in FAULTY if piece.cause not in BY_RELATIONS]
ALLOWED = 64
ROWS_A_DTYPE = 45
"""One or more of each class, and few enough for a test."""


def observe(piece: Piece, empty: Observation) -> Observation | None:
    """The piece on the rows of an observation; None for rows that it does not take."""
    s, t, takes = empty.scores, empty.labels, piece.takes
    if takes.labels != "multi-hot" and ((t > 0) & (t < 1)).any():
        return None
    try:
        rows = [specification_of(piece.against, piece.parameters).truth(x.tolist(), y.tolist())
                for x, y in zip(s, t, strict=True)]  # fmt: skip
    except ValueError:
        return None
    truth = np.array([float(row.value) for row in rows])
    nothing = np.zeros((len(s), int(takes.labels == "index list" and takes.filler == 0)))
    try:
        got = play(piece, np.hstack([nothing, s]), np.hstack([nothing, t]), empty.dtype)
    except Exception as error:
        return replace(empty, error=f"{type(error).__name__}: {error}", truth=truth)
    sizes = {"mean": len(s), "mean of labels": s.size, "row means": s.shape[-1]}
    count = sizes.get(takes.gives, 1)
    values = np.ravel(got.values) * count
    truth = truth if values.size == truth.size else truth.sum(keepdims=True)
    size = np.abs(s[np.isfinite(s) & (np.abs(s) < 1e7)]).max(initial=1.0)
    size = 256 * (size + 1) ** 2 if piece.against == "circle" else size
    # Keras makes float32 of a float64 result here and there
    single = takes.single or piece.framework == "keras"
    inner = "float32" if single and empty.dtype == "float64" else empty.dtype
    unit = ALLOWED * float(np.finfo(inner).eps) * size
    seen = replace(empty, got=values, truth=truth, excess=excess(values, truth, unit))
    slopes = np.array([[float(g) for g in row.gradient] for row in rows])
    if got.gradient is None or not slopes.size:
        return seen
    gradient = got.gradient[:, nothing.shape[1] :] * count
    return replace(seen, gradient=gradient, gradient_truth=slopes,
                   gradient_excess=excess(gradient, slopes, unit))  # fmt: skip


def excess(got: np.ndarray, truth: np.ndarray, unit: float) -> float:
    with np.errstate(all="ignore"):
        error = np.abs(got - truth) / (unit * np.maximum(1, np.abs(truth)))
    return float(np.where(np.isnan(error), np.inf, error).max())


def observations(piece: Piece) -> list[Observation]:
    """Probes; and if these are right, rows of each class in each dtype, and the witness."""
    specification = specification_of(piece.against, piece.parameters)
    empty = [Observation("probe", "", "float64", p.scores, p.labels)
             for p in make_probes(specification, soft=True)]  # fmt: skip
    seen = [o for o in (observe(piece, e) for e in empty) if o is not None]
    if not all(o.right for o in seen):
        return seen
    dtypes = ("float64",) if piece.framework in ("python", "jax") else ("float64", "float16")
    for dtype in dtypes:
        for case in make_cases(specification, dtype)[:ROWS_A_DTYPE]:
            row = np.array([case.scores]), np.array([case.labels])
            seen.append(observe(piece, Observation(case.kind, case.name, dtype, *row)))
    if piece.witness is not None:
        shown = np.array(piece.witness.scores), np.array(piece.witness.labels)
        seen.append(observe(piece, Observation("witness", "", piece.witness.dtype, *shown)))
    return [o for o in seen if o is not None]


@pytest.mark.parametrize("piece", TOLD_BY_NUMBERS, ids=lambda piece: piece.name)
def test_a_fault_is_named(piece: Piece) -> None:
    if not installed(piece.framework):
        pytest.skip(f"{piece.framework} is not installed")
    seen = observations(piece)
    if piece.cause == "constant-factor":  # as they come from a check: the truth made comparable
        seen = [replace(o, truth=0.1 * o.truth, excess=0.0, gradient=None) for o in seen]
    assert likely_causes(seen, piece.against, piece.parameters)[:1] == (piece.cause,)


@pytest.mark.parametrize("name", ["numpy_log1p_sums", "python_one_row", "numpy_soft_weights"])
def test_right_code_has_no_cause(name: str) -> None:
    (piece,) = (p for p in RIGHT if p.name == name)
    assert likely_causes(observations(piece), piece.against) == ()


def test_a_difference_that_nothing_explains_has_no_cause() -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(1, 4)), np.array([[1.0, 0.0, 0.0, 1.0]])
    seen = Observation("probe", "", "float64", scores, labels, got=np.array([17.0]),
                       truth=np.array([1.5]), excess=9.0)  # fmt: skip
    assert likely_causes([seen], "zlpr") == ()


def test_a_gradient_in_float32_has_no_fault_of_its_own() -> None:
    """Off by rounding it has neither a wrong sign nor a shift that is detached."""
    rng = np.random.default_rng(4)
    seen = []
    for _ in range(4):
        scores, labels = rng.normal(size=(1, 4)), np.array([[1.0, 0.0, 0.0, 1.0]])
        slopes = rng.normal(size=(1, 4))
        near = np.asarray(slopes.astype(np.float32), dtype=np.float64)
        seen.append(Observation("ordinary", "", "float64", scores, labels, got=np.array([1.5]),
                                truth=np.array([1.5]), gradient=near, gradient_truth=slopes,
                                gradient_excess=1e6))  # fmt: skip
    assert likely_causes(seen, "zlpr") == ()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_mean_over_all_labels_of_another_loss_is_seen(rows: int) -> None:
    """A sigmoid too many, and the mean taken over rows and labels: in one row as well."""
    specification = specification_of("binary_cross_entropy")
    model = next(f.model for f in faults_of("binary_cross_entropy") if f.cause == "sigmoid-twice")
    seen = []
    for probe in make_probes(specification, soft=False):
        got = model(probe.scores, probe.labels).sum(keepdims=True) / probe.scores.size
        truth = truths(specification, probe).sum(keepdims=True)
        seen.append(Observation("probe", "", "float64", probe.scores, probe.labels,
                                got=got, truth=truth, excess=9.0))  # fmt: skip
    own = [o for o in seen if (len(o.scores) == 1) == (rows == 1)]
    assert likely_causes(own, "binary_cross_entropy") == ("sigmoid-twice",)


@pytest.mark.parametrize("loss", ["circle", "unified"])
def test_a_softplus_that_is_cut_off_is_not_float32(loss: str) -> None:
    right = truth_of(loss)
    seen = []
    for score in np.linspace(0.45, 0.75, 41) if loss == "circle" else np.linspace(-15, 15, 41):
        scores, labels = np.array([[score, -score, 0.1 * score]]), np.array([[1.0, 0.0, 0.0]])
        truth = right(scores, labels)
        energy = truth + np.log(-np.expm1(-truth))
        got = np.where(energy > 20, energy, truth)
        seen.append(Observation("ordinary", "", "float64", scores, labels, got=got, truth=truth,
                                excess=excess(got, truth, 1e-14)))  # fmt: skip
    assert not all(o.value_right for o in seen)
    assert likely_causes(seen, loss) == ("softplus-threshold",)


def test_a_factor_that_is_a_number_of_labels_by_chance_is_no_cause() -> None:
    """A quarter of the loss on batches of 4 labels is no mean: batches of 3 and 5 show it."""
    specification = specification_of("focal")
    seen = []
    for probe in make_probes(specification, soft=False):
        truth = truths(specification, probe).sum(keepdims=True)
        seen.append(Observation("probe", "", "float64", probe.scores, probe.labels,
                                got=truth / 4, truth=truth, excess=9.0))  # fmt: skip
    assert likely_causes(seen, "focal") == ()


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("AssertionError: Torch not compiled with CUDA enabled", "device"),
        ("AttributeError: module 'numpy' has no attribute 'float'", "removed-name"),
        ("ModuleNotFoundError: No module named 'apex'", "missing-library"),
        ("SystemExit: 2", "runs-when-loaded"),
        ("no result within the time limit", "never-ends"),
        ("RuntimeError: Subtraction, the `-` operator, with a bool tensor", "bool-arithmetic"),
        ("MemoryError", "memory"),
        ("TypeError: JAX arrays are immutable", "input-modified"),
    ],
)
def test_messages(message: str, cause: str) -> None:
    seen = Observation("probe", "", "float64", np.zeros((1, 0)), np.zeros((1, 0)), error=message)
    assert likely_causes([seen], "zlpr") == (cause,)


@pytest.mark.parametrize("loss", LOSSES)
def test_fault_models_name_known_causes_and_differ_from_the_loss(loss: str) -> None:
    specification = specification_of(loss)
    probes = make_probes(specification, soft=False)
    for fault in faults_of(loss):
        assert fault.cause in CAUSES
        if fault.cause == "other-parameters":
            continue
        with np.errstate(all="ignore"):
            gaps = [
                np.sum(fault.model(p.scores, p.labels))
                - sum(specification.value(s.tolist(), t.tolist())
                      for s, t in zip(p.scores, p.labels, strict=True))
                for p in probes
            ]  # fmt: skip
        of_labels = ("labels-rounded", "labels-clipped", "labels-smoothed", "entropy-taken-off",
                     "hard-formula")  # fmt: skip
        of_rows = ("padding-counted", "max-for-sum", "wrong-axis", "rows-mixed")
        if fault.cause not in (*of_labels, *of_rows):
            assert np.nanmax(np.abs(gaps)) > 1e-6, fault.cause


@pytest.mark.parametrize("loss", LOSSES)
def test_roundings_are_the_loss_on_small_rows(loss: str) -> None:
    specification = specification_of(loss)
    probe = make_probes(specification, soft=False)[0]
    truth = sum(specification.value(s.tolist(), t.tolist())
                for s, t in zip(probe.scores, probe.labels, strict=True))  # fmt: skip
    for rounding in roundings_of(loss):
        assert rounding.cause in CAUSES
        with np.errstate(all="ignore"):
            value = float(np.sum(rounding.model(probe.scores, probe.labels)))
        assert value == pytest.approx(truth, rel=1e-2), rounding.cause


def test_causes_say_why_and_what_to_do() -> None:
    for name, cause in CAUSES.items():
        assert cause.id == name
        assert cause.title and cause.why and cause.cure
    assert {cause for _, cause in MESSAGES} <= set(CAUSES)
    assert set(PARAMETERS) <= set(LOSSES)
