"""The grids are what they claim: on the format, admissible, reproducible, and counted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from verify.coverage import cover
from verify.formats import FORMATS, format_of
from verify.grid.coverage import GridCoverage
from verify.grid.patterns import mask_threshold
from verify.grid.samples import GRID_LABELS, GRID_VECTORS, GridSample, quick_grids, thorough_grids
from verify.measure import References
from verify.oracle.grid import GRIDS, GridOracle


@pytest.fixture(scope="module")
def sets():
    return {loss: quick_grids(loss) for loss in GRIDS}


def _grid(scores, labels, vector=None, dtype="float64"):
    vector = np.ones(np.shape(scores)) if vector is None else vector
    arrays = (np.asarray(x, dtype=np.float64) for x in (scores, labels, vector))
    return GridSample("a", dtype, *arrays)


def test_every_number_is_on_the_format_and_admissible(sets):
    for sample in (sample for samples in sets.values() for sample in samples):
        form = format_of(sample.dtype)
        shapes = {x.shape for x in (sample.scores, sample.labels, sample.vector)}
        assert len(shapes) == 1 and sample.scores.ndim == 2, sample.id
        for values in (sample.scores, sample.labels, sample.vector):
            np.testing.assert_array_equal(form.round(values), values, err_msg=sample.id)
        assert np.isfinite(sample.vector).all() and not np.isposinf(sample.scores).any(), sample.id
        masked = sample.scores <= mask_threshold(form)
        assert not (masked & (sample.labels > 0)).any(), sample.id
        assert ((sample.labels >= 0) & (sample.labels <= 1)).all(), sample.id


def test_rows_of_labels_are_distributions_within_rounding_or_zero(sets):
    for sample in (sample for samples in sets.values() for sample in samples):
        total = sample.labels.sum(axis=-1)
        tolerance = sample.labels.shape[-1] * format_of(sample.dtype).epsilon
        assert ((np.abs(total - 1) <= max(tolerance, 1e-8)) | (total == 0)).all(), sample.id


def test_ids_are_unique_and_the_numbers_reproducible(sets):
    samples = sets["grid_pairwise"]
    assert len({sample.id for sample in samples}) == len(samples)
    for first, second in zip(samples, quick_grids("grid_pairwise"), strict=True):
        assert first.id == second.id
        for name in ("scores", "labels", "vector"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_each_kind_of_label_meets_each_vector_in_each_format(sets):
    for loss, samples in sets.items():
        met = {tuple(s.id.split("/")[i] for i in (0, 2, 3)) for s in samples}
        expected = {(d, k, v) for d in FORMATS for k in GRID_LABELS[loss] for v in GRID_VECTORS}
        assert met == expected


def test_the_optimum_makes_the_gradient_of_the_losses_with_a_symmetric_optimum_vanish():
    for loss in ("grid_pairwise", "grid_mirrored", "grid_centered"):
        oracle = References(GridOracle(loss))
        wanted = "float64/normal-1-n7-m2/optimum"
        (sample,) = (s for s in quick_grids(loss, ("float64",)) if s.id.startswith(wanted))
        reference = oracle(sample)
        assert all(float(abs(g)) < 1e-15 for g in reference.gradient)
        assert all(float(scale) > 1e-6 for scale in reference.gradient_scale)


def test_the_oracle_is_asked_for_masks_at_minus_infinity():
    masked = _grid([[-1e12, 1.0, -1e7], [0.5, -2.0, 1.0]], [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    assert masked.exact[0] == [[-math.inf, 1.0, -math.inf], [0.5, -2.0, 1.0]]
    assert _grid([[-65504.0, 1.0]], [[0.0, 1.0]], dtype="float16").exact[0] == [[-math.inf, 1.0]]
    assert _grid([[-65504.0, 1.0]], [[0.0, 1.0]], dtype="float32").exact[0] == [[-65504.0, 1.0]]


def test_all_losses_together_cover_every_feature_and_each_dtype_has_tiny_losses(sets):
    missing = []
    for loss, samples in sets.items():
        oracle = References(GridOracle(loss))
        for sample in samples:
            if sample.scores.size < 1000:
                oracle(sample)
        missing.append(set(cover(samples, oracle.known, GridCoverage).missing))
        for dtype in FORMATS:
            own = cover((s for s in samples if s.dtype == dtype), oracle.known, GridCoverage)
            assert own.features["loss subnormal"] and own.features["loss below the range"], dtype
    assert set.intersection(*missing) == set()


def test_the_thorough_set_contains_the_quick_cases_and_wide_grids():
    small = {s.id for s in quick_grids("grid_mirrored", ("float32",))}
    whole = thorough_grids("grid_mirrored", ("float32",))
    assert small <= {s.id for s in whole}
    assert {(10_000, 3), (200, 100), (1000, 10)} <= {s.scores.shape for s in whole}


MASKED_SAMPLE = _grid([[-np.inf, -np.inf], [0.0, 1.0]], [[0.0] * 2, [0.5] * 2])
ONE_FAR = _grid([[31.0, 0.0], [0.5, 0.0]], [[0.0, 1.0]] * 2)
TRAINED = _grid([[25.0, 0.0], [0.0, 25.0]], [[1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("sample", "feature"),
    [
        (_grid(np.zeros((0, 3)), np.zeros((0, 3))), "n = 0"),
        (_grid([[1.0]], [[1.0]]), "m = 1"),
        (_grid([[1.0, 1.0]], [[1.0, 0.0]]), "ties in a sample"),
        (_grid([[1.0, 2.0]] * 2, [[1.0, 0.0]] * 2), "equal samples"),
        (_grid([[1.0, 2.0]] * 2, [[1.0, 0.0]] * 2), "all samples of one class"),
        (_grid([[1.0, 2.0, 3.0]], [[0.5, 0.5, 0.0]]), "a class without samples"),
        (MASKED_SAMPLE, "a sample masked as a whole"),
        (_grid([[-np.inf, 2.0], [-1e7, 1.0]], [[0.0, 1.0]] * 2), "a class masked in every sample"),
        (_grid([[-np.inf, 2.0, -1e12]], [[0.0, 1.0, 0.0]]), "all but one class masked"),
        (_grid([[1.0, 2.0], [0.5, 0.0]], [[0.0, 0.0], [0.5, 0.5]]), "a sample without labels"),
        (_grid([[31.0, 0.0]], [[0.0, 1.0]]), "a sample wrong by 30"),
        (_grid([[31.0, 0.0]], [[1.0, 0.0]]), "a sample right by 30"),
        (ONE_FAR, "one sample outweighs the others by 30"),
        (TRAINED, "trained: every sample right by 20"),
        (_grid([[1.0, 2.0]], [[0.5, 0.5]], [[3.0, 3.0]]), "v constant in each sample"),
        (_grid([[-1e12, 2.0]], [[0.0, 1.0]]), "mask -1e12"),
    ],
)
def test_each_feature_is_found_where_it_is_and_only_there(sample, feature):
    assert cover([sample], kind=GridCoverage).features[feature] == 1
    labels = [[0.25, 0.75, 0.0], [0.125, 0.25, 0.625], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]]
    scores = [[0.25, 0.5, -0.125], [2.0, 3.0, 1.5], [0.5, 4.0, 2.0], [1.0, 5.0, 3.0]]
    vector = [[1.0, 2.0, 4.0], [3.0, 2.5, 0.5], [1.0, 1.5, 2.0], [0.25, 1.0, 3.0]]
    assert cover([_grid(scores, labels, vector)], kind=GridCoverage).features[feature] == 0


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss 'zlpr'"):
        quick_grids("zlpr")
