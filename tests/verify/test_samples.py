"""The samples are what they claim: on the grid, admissible, reproducible, and counted."""

from __future__ import annotations

import numpy as np
import pytest

from verify.coverage import FEATURES, SCORE_FEATURES, cover
from verify.formats import FORMATS, format_of
from verify.measure import References
from verify.oracle import LOSSES, BallOracle
from verify.oracle.row import HARD
from verify.samples import LABELS, SHORTER_LONG, Sample, quick, thorough


@pytest.fixture(scope="module")
def sets():
    return {loss: quick(loss) for loss in LABELS}


def _row(scores, labels, vector=None, dtype="float64", name="a"):
    vector = [1.0] * len(scores) if vector is None else vector
    arrays = (np.asarray(x, dtype=np.float64) for x in (scores, labels, vector))
    return Sample(name, dtype, *arrays)


def test_samples_exist_for_every_loss_of_the_oracle():
    assert set(LABELS) == set(LOSSES)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rounding_is_that_of_numpy(dtype):
    rng = np.random.default_rng(7)
    form = format_of(dtype)
    span = form.emax + form.bits + 4
    values = rng.normal(size=4000) * np.ldexp(1.0, rng.integers(-span, form.emax + 2, 4000))
    edges = np.asarray([0.0, -0.0, np.inf, -np.inf, form.max, form.smallest_subnormal / 2])
    values = np.concatenate([values, edges, form.max * np.asarray([1 + 1e-9, 1 + form.epsilon])])
    with np.errstate(over="ignore", under="ignore"):
        expected = values.astype(dtype).astype(np.float64)
    np.testing.assert_array_equal(form.round(values), expected)


def test_rounding_to_bfloat16_keeps_eight_bits():
    form = format_of("bfloat16")
    values = np.asarray([1.0 + 2.0**-8, 1.0 + 3 * 2.0**-8, 1e-9, -1e7, 3.4e38])
    expected = [1.0, 1.0 + 2.0**-6, 137 * 2.0**-37, -153 * 2.0**16, np.inf]
    np.testing.assert_array_equal(form.round(values), expected)


@pytest.mark.parametrize("loss", list(LABELS))
def test_every_number_is_on_the_grid_and_admissible(sets, loss):
    for sample in sets[loss]:
        form = format_of(sample.dtype)
        for values in (sample.scores, sample.labels, sample.vector):
            np.testing.assert_array_equal(form.round(values), values, err_msg=sample.id)
        assert ((sample.labels >= 0) & (sample.labels <= 1)).all(), sample.id
        assert np.isfinite(sample.vector).all(), sample.id
        masked = sample.scores <= max(-1e7, -form.max)
        assert not (masked & (sample.labels > 0)).any(), sample.id
        assert not np.isposinf(sample.scores).any(), sample.id
        if loss in HARD:
            assert np.isin(sample.labels, (0, 1)).all(), sample.id


def test_ids_are_unique_and_the_numbers_reproducible(sets):
    samples = sets["soft_zlpr"]
    assert len({sample.id for sample in samples}) == len(samples)
    for first, second in zip(samples, quick("soft_zlpr"), strict=True):
        assert first.id == second.id
        for name in ("scores", "labels", "vector"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_one_dtype_alone_gives_the_same_rows(sets):
    alone = {sample.id: sample for sample in quick("zlpr", ("float16",))}
    for sample in sets["zlpr"]:
        if sample.dtype == "float16":
            np.testing.assert_array_equal(sample.scores, alone[sample.id].scores)


def test_random_rows_are_not_the_same_row_again_and_again(sets):
    rows = {tuple(s.scores) for s in sets["unified"] if s.id.split("/")[1].startswith("normal-")}
    assert len(rows) == 4 * 3 * len(FORMATS)  # scales x sizes x dtypes


def test_each_loss_meets_a_long_row(sets):
    for loss, samples in sets.items():
        (long_row,) = (s for s in samples if s.n >= 10**4)
        assert long_row.n == SHORTER_LONG.get(loss, 10**6), loss
        assert long_row.dtype in ("float32", "float64"), loss
        assert len(long_row.components) > 500


@pytest.mark.parametrize("loss", list(SHORTER_LONG))
def test_the_thorough_set_has_a_million_labels_for_every_loss(loss):
    assert {s.n for s in thorough(loss, ("float32",))} >= {0, 1000, 10**6}


def test_the_thorough_set_contains_the_quick_cases():
    small = {s.id for s in quick("zlpr", ("float16",))}
    assert small <= {s.id for s in thorough("zlpr", ("float16",))}


def test_all_losses_together_cover_every_feature(sets):
    samples, references = [], {}
    for loss, rows in sets.items():
        oracle = References(BallOracle(loss))
        for sample in rows:
            renamed = Sample(
                f"{loss}/{sample.id}", sample.dtype, sample.scores, sample.labels, sample.vector
            )
            samples.append(renamed)
            if sample.n < 10**5:
                references[renamed.id] = oracle(sample)
    coverage = cover(samples, references)
    assert coverage.missing == []
    assert coverage.smallest_n == 0 and coverage.largest_n == 10**6
    assert set(coverage.dtypes) == set(FORMATS)
    assert "not covered" not in coverage.text()
    assert coverage.as_dict()["samples"] == len(samples)
    # Each dtype has the tiny losses, not only the widest one.
    for dtype in FORMATS:
        own = cover((s for s in samples if s.dtype == dtype), references)
        assert own.features["loss subnormal"] and own.features["loss below the range"], dtype


def test_coverage_counts_numbers_and_not_names():
    impostor = _row([1.0, 2.0], [1.0, 0.0], name="float64/ties/mask-inf/t-half")
    coverage = cover([impostor])
    assert not coverage.features["ties"]
    assert not coverage.features["mask -inf"]
    assert "ties" in coverage.missing and "n = 0" in coverage.missing
    assert "not covered: " in coverage.text()


@pytest.mark.parametrize(
    ("sample", "feature"),
    [
        (_row([1.0, 1.0], [1.0, 0.0]), "ties"),
        (_row([], []), "n = 0"),
        (_row([-np.inf, 0.0], [0.0, 1.0]), "mask -inf"),
        (_row([-65504.0, 0.0], [0.0, 1.0], dtype="float16"), "mask minimum of the dtype"),
        (_row([-1e12, 0.0], [0.0, 1.0]), "mask -1e12"),
        (_row([1e-310, 0.0], [0.0, 1.0]), "subnormal scores"),
        (_row([1e-40, 0.0], [0.0, 1.0], dtype="float32"), "subnormal scores"),
        (_row([0.0, 0.0], [1 - 2**-53, 0.5]), "t = 1 - eps"),
        (_row([40.0, 0.0], [1.0, 0.0]), "logit gap of 40"),
        (_row([31.0, 0.0, 5.0], [0.0, 0.0, 1.0]), "one negative dominates by 30"),
        (_row([-31.0, 0.0, 5.0], [1.0, 1.0, 0.0]), "one positive dominates by 30"),
        (_row([25.0, -25.0], [1.0, 0.0]), "trained: positives >= 20, negatives <= -20"),
        (_row([1.0, -9.0], [1.0, 0.0], [0.0, 1.0]), "v = e_k at the largest |s|"),
        (_row([1.0, -9.0], [1.0, 0.0], [3.0, 3.0]), "v constant"),
        (_row([1.0, -9.0], [1.0, 0.0], [1.0, -1.0]), "v of random signs"),
        (_row([1.0, -9.0], [1.0, 0.0], [1e-4, -1e2]), "v over five decades"),
    ],
)
def test_each_feature_is_found_where_it_is_and_only_there(sample, feature):
    assert cover([sample]).features[feature] == 1
    assert (
        cover([_row([0.25, 0.5, -0.125], [0.25, 0.75, 0.3], [1.0, 2.0, 4.0])]).features[feature]
        == 0
    )


def test_smallest_loss_is_that_of_the_oracle():
    sample = _row([345.0, -345.0], [1.0, 0.0])
    references = {sample.id: BallOracle("unified")(sample.scores.tolist(), sample.labels.tolist())}
    assert cover([sample], references).smallest_loss.startswith("2.17174")  # e^-690
    assert cover([sample]).smallest_loss == "not asked"


def test_features_are_listed_once():
    assert len(set(FEATURES)) == len(FEATURES)
    assert set(SCORE_FEATURES) < set(FEATURES)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown loss 'hinge_of_fate'"):
        quick("hinge_of_fate")
    with pytest.raises(ValueError, match="unknown dtype 'float8'"):
        quick("zlpr", ("float8",))
