"""Each verdict on code that earns it, with what was assumed and what was found."""

from __future__ import annotations

import numpy as np
import pytest

from verify.check import Options, examine


@pytest.mark.parametrize(
    ("name", "against", "verdict"),
    [
        ("zlpr", "zlpr", "equal"),
        ("zlpr_labels_first", "zlpr", "equal"),
        ("zlpr_mean", "zlpr", "equal"),
        ("zlpr_of_columns", "zlpr", "equal"),
        ("zlpr_of_lists", "zlpr", "equal"),
        ("soft_zlpr", "soft_zlpr", "equal"),
        ("binary", "binary_cross_entropy", "limited-range"),  # 0 times -inf is nan
        ("binary_of_probabilities", "binary_cross_entropy", "equal"),
        ("zlpr_of_exp", "soft_zlpr", "limited-range"),
        ("zlpr", "soft_zlpr", "hard-labels-only"),
        ("half_zlpr", "zlpr", "equal-up-to-scale"),
        ("warm_zlpr", "zlpr", "equal-up-to-scale"),
        ("zlpr_and_count", "zlpr", "equal-up-to-constant"),
        ("random_binary", "binary_cross_entropy", "value-wrong"),
        ("binary_in_place", "binary_cross_entropy", "value-wrong"),
        ("zlpr_of_the_batch", "zlpr", "different"),
        ("zlpr_swapped", "zlpr", "different"),
        ("only_negatives", "zlpr", "different"),
        ("binary_mean", "zlpr", "different"),
        ("zlpr_of_sides", "zlpr", "equal"),
        ("zlpr_of_sides", "binary_cross_entropy", "different"),
        ("clipped_probabilities", "binary_cross_entropy", "limited-range"),
    ],
)
def test_verdict(toys, name, against, verdict):
    result = examine(getattr(toys, name), against, Options(budget=5))
    assert result.verdict == verdict, str(result)
    assert result.equal == (verdict == "equal")
    failures = [finding for finding in result.findings if finding.severity == "failure"]
    explained = verdict in ("equal", "equal-up-to-scale", "equal-up-to-constant")
    assert explained or failures


@pytest.mark.parametrize(
    ("name", "against", "assumed"),
    [
        ("zlpr_labels_first", "zlpr", {"arguments": "(labels, scores)", "reduction": "none"}),
        ("zlpr_mean", "zlpr", {"arguments": "(scores, labels)", "reduction": "mean"}),
        ("zlpr_of_columns", "zlpr", {"shape": "(n, batch)"}),
        ("zlpr_of_lists", "zlpr", {"labels": "indices filled up with -1"}),
        ("binary_of_probabilities", "binary_cross_entropy", {"scores": "sigmoid"}),
        ("binary_mean", "binary_cross_entropy", {"reduction": "mean over all"}),
        ("one_row", "binary_cross_entropy", {"shape": "(n,)"}),
        ("zlpr_of_sides", "zlpr", {"arguments": "(positives' scores, negatives' scores)"}),
        ("unified_of_lists", "unified", {"arguments": "(negatives' scores, positives' scores)"}),
        ("unified_of_lists", "unified", {"shape": "(k,) and (n - k,)", "library": "python"}),
    ],
)
def test_what_was_assumed(toys, name, against, assumed):
    result = examine(getattr(toys, name), against, Options(budget=5))
    assert assumed.items() <= result.assumed.items(), result.assumed


def test_code_for_span_scores_is_called_with_them(toys):
    result = examine(toys.zlpr_of_spans, "zlpr", Options(dtypes=["float64"], budget=5))
    assert result.verdict == "equal", str(result)
    assert result.assumed["shape"] == "(batch, 1, n)"


def test_what_is_missing_is_said_and_can_be_given(toys):
    result = examine(toys.binary_over_boxes, "binary_cross_entropy", Options(budget=5))
    assert result.verdict == "does-not-run"
    assert "num_boxes" in result.detail and "NAME=VALUE" in result.detail
    options = Options(arguments={"num_boxes": 1}, excluding=("mask -inf",), budget=5)
    given = examine(toys.binary_over_boxes, "binary_cross_entropy", options)
    assert given.verdict == "equal", str(given)
    assert given.assumed["reduction"] == "sum of means over labels"


def test_the_nearest_known_loss_is_named(toys):
    result = examine(toys.binary_mean, "zlpr", Options(budget=5))
    assert result.nearest == "binary_cross_entropy"


def test_swapped_arguments_are_a_cause(toys):
    result = examine(toys.zlpr_swapped, "zlpr", Options(budget=5))
    assert result.cause == "swapped-arguments"


def test_the_scale_is_told(toys):
    assert "0.5 times" in examine(toys.half_zlpr, "zlpr", Options(budget=5)).detail
    assert "3 times the scores" in examine(toys.warm_zlpr, "zlpr", Options(budget=5)).detail


def test_the_range_is_where_exp_ends(toys):
    result = examine(toys.zlpr_of_exp, "zlpr", Options(dtypes=["float32"], budget=5))
    assert "|score| up to 88.7" in result.range  # log of the largest float32 is 88.72


def test_findings_are_shrunk_and_hold(toys):
    result = examine(toys.zlpr_of_exp, "zlpr", Options(dtypes=["float64"], budget=5))
    large = next(finding for finding in result.findings if finding.kind == "large")
    assert len(large.scores) == 1
    with np.errstate(all="ignore"):
        got = toys.zlpr_of_exp(np.array([large.scores]), np.array([large.labels]))
    assert not np.isfinite(got).all()


def test_a_gradient_of_its_own_is_checked(toys):
    result = examine(toys.WithGradient(), "binary_cross_entropy", Options(budget=5))
    assert result.verdict == "gradient-wrong"
    given = Options(budget=5, gradient=lambda s, t: 1 / (1 + np.exp(-s)) - t)
    right = examine(toys.binary, "binary_cross_entropy", given)
    assert right.verdict == "limited-range" and "gradient" not in right.assumed


def test_gradients_by_two_sides_are_put_together(toys):
    small = {"excluding": ("large", "huge", "wide"), "budget": 5, "dtypes": ["float64"]}
    right = examine(toys.Sides(), "zlpr", Options(**small))
    assert right.verdict == "equal", str(right)
    wrong = examine(toys.Sides(2.0), "zlpr", Options(**small))
    assert wrong.verdict == "gradient-wrong"
    assert "positives = np.array" in wrong.reproducer and "negatives = np.array" in wrong.reproducer


def test_options_are_obeyed(toys):
    masks = ("mask -inf",)
    options = Options(excluding=masks, dtypes=["float64"], budget=5)
    result = examine(toys.binary, "binary_cross_entropy", options)
    assert result.verdict == "equal"
    assert result.range == "float64: all"
    with pytest.raises(ValueError, match="Weighted needs weight"):
        examine(toys.Weighted, "binary_cross_entropy")
    weighted = Options(arguments={"weight": 2.0}, excluding=masks, dtypes=["float64"], budget=5)
    assert examine(toys.Weighted, "binary_cross_entropy", weighted).verdict == "equal-up-to-scale"


def test_strict_counts_lost_digits(toys):
    options = Options(excluding=("mask -inf",), budget=5)
    assert examine(toys.zlpr, "zlpr", options).verdict == "equal"

    def by_log_sum_exp(scores, labels):
        return np.log(np.exp(toys.zlpr(scores, labels)))

    strict = Options(excluding=("mask -inf", "large", "huge"), dtypes=["float64"], strict=True)
    assert examine(by_log_sum_exp, "zlpr", strict).verdict == "limited-range"


def test_unknown_choices_are_answered_with_the_known(toys):
    with pytest.raises(ValueError, match="unknown layout 'sideways': expected one of rows"):
        examine(toys.zlpr, "zlpr", Options(convention={"layout": "sideways"}))
    with pytest.raises(ValueError, match="unknown framework 'abacus'"):
        examine(toys.zlpr, "zlpr", Options(convention={"framework": "abacus"}))
    with pytest.raises(ValueError, match="unknown loss 'zlprr'"):
        examine(toys.zlpr, "zlprr")


def test_float32_is_asked_where_float64_is_not_taken(toys):
    result = examine(
        toys.binary_of_single,
        "binary_cross_entropy",
        Options(budget=5, excluding=("mask -inf",)),
    )
    assert result.verdict == "equal", str(result)
    assert result.range == "float32: all"
    assert result.assumed["scores"] == "logits of float32 or less"
    refused = {d for f in result.findings if f.kind == "dtype" for d in f.dtypes}
    assert refused == {"float64", "float16"}


def test_another_loss_is_named_with_the_parameters_that_both_have(toys):
    result = examine(toys.energy_of_sides, "circle", Options(budget=5))
    assert (result.verdict, result.nearest) == ("different", "unified"), str(result)


def test_two_sides_of_one_row_are_a_way_of_calling(toys):
    result = examine(toys.sides_of_one_row, "zlpr", Options(budget=5))
    assert result.assumed["shape"] == "(k,) and (n - k,)"
    assert result.verdict == "limited-range", str(result)  # exp of plain scores


def test_a_clip_of_probabilities_is_named(toys):
    result = examine(toys.clipped_probabilities, "binary_cross_entropy", Options(budget=5))
    assert result.causes[:1] == ("epsilon-in-log",)


def test_float32_inside_is_named_before_what_larger_errors_show(toys):
    single = examine(toys.binary_in_single, "binary_cross_entropy", Options(budget=5))
    assert single.verdict == "limited-range" and "only to" in single.range
    assert single.causes[0] == "single-inside" and len(single.causes) > 1, single.causes
    # the same fault without the cast
    result = examine(toys.binary, "binary_cross_entropy", Options(budget=5))
    assert result.causes == ("zero-times-infinity",)


def test_the_range_of_hard_labels_is_that_of_hard_rows(toys):
    result = examine(toys.zlpr, "soft_zlpr", Options(budget=5))
    assert result.range.startswith("labels 0 and 1; float64")
    assert "ordinary" not in result.range


def test_rows_that_are_mixed_are_shown_as_a_batch(toys):
    result = examine(toys.zlpr_of_the_batch, "zlpr", Options(budget=5))
    (finding,) = [f for f in result.findings if f.severity == "failure"]
    assert np.shape(finding.scores)[0] > 1
    assert set(np.unique(finding.labels)) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["focal", "circle", "asymmetric", "soft_zlpr", "hinge"])
def test_our_own_losses_are_equal(name):
    result = examine(f"lossproof:{name}", name, Options(budget=5))
    assert result.verdict == "equal", str(result)
