"""The measure sees what it should: tenths of an ulp, naive formulas, and routes that fail."""

from __future__ import annotations

import json
import math
import pickle

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from verify.accuracy import BOUNDS, AccuracyTable, ulp_error
from verify.arrays import MpfArrays, NumpyArrays
from verify.formats import FORMATS, format_of
from verify.measure import References, measure
from verify.oracle import BallOracle
from verify.samples import Sample, quick


@pytest.fixture(autouse=True)
def _working_precision():
    with ctx.workprec(256):
        yield


def _error(got, truth, dtype="float64", scale=None):
    return ulp_error(got, arb(truth), abs(arb(truth)) if scale is None else arb(scale), dtype)


# --- ulp_error ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", list(FORMATS))
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 3.0])
def test_fractions_of_an_ulp_are_seen(dtype, share):
    form = format_of(dtype)
    for got in (1.0, 1.5, form.smallest_normal, form.smallest_subnormal * 3, form.max):
        unit = arb((1, form.ulp_exponent(math.frexp(got)[1] - 1)))
        truth = arb(got) - share * unit if got == form.max else arb(got) + share * unit
        assert ulp_error(got, truth, truth, dtype) == pytest.approx(share, abs=1e-12)


def test_an_error_of_three_tenths_is_not_rounded_away():
    truth = arb(1) + arb(3) / 10 * arb((1, -52))
    assert float(truth) == 1.0
    assert ulp_error(1.0, truth, truth, "float64") == pytest.approx(0.3, rel=1e-12)


def test_the_ulp_below_a_power_of_two_is_the_smaller_one():
    truth = 1 - arb((1, -70))  # float(truth) is 1, whose ulp is twice that of the truth
    assert ulp_error(1.0, truth, truth, "float64") == pytest.approx(2.0**-17, rel=1e-9)


def test_the_error_is_measured_at_the_scale():
    assert _error(2.0**-52, 0.0, scale=1.0) == 1.0
    assert _error(1e-300, 0.0) == pytest.approx(1e-300 / 5e-324, rel=0.02)
    assert _error(0.0, 0.0) == 0.0
    assert ulp_error(0.0, arb(-5000).exp(), arb(-5000).exp(), "float64") < 1e-300


def test_the_radius_of_the_truth_counts_against_the_result():
    assert ulp_error(1.0, arb(1, 2.0**-52), arb(1), "float64") == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_what_is_not_finite(dtype):
    largest = format_of(dtype).max
    half = arb((1, format_of(dtype).emax - format_of(dtype).bits))
    assert _error(math.nan, 1.0, dtype) == math.inf
    assert _error(math.inf, 1.0, dtype) == math.inf
    assert _error(math.inf, largest, dtype) == math.inf
    assert ulp_error(math.inf, largest + half, largest + half, dtype) == 0.0
    assert ulp_error(-math.inf, -largest - half, largest + half, dtype) == 0.0
    assert ulp_error(-math.inf, largest + half, largest + half, dtype) == math.inf
    assert ulp_error(math.inf, arb.pos_inf(), arb.pos_inf(), dtype) == 0.0
    assert ulp_error(largest, arb.pos_inf(), arb.pos_inf(), dtype) == math.inf
    assert ulp_error(math.nan, arb.pos_inf(), arb.pos_inf(), dtype) == math.inf


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_correct_rounding_is_within_half_an_ulp(dtype):
    form, rng = format_of(dtype), np.random.default_rng(3)
    for x in rng.normal(size=300) * 2.0 ** rng.integers(form.emin - form.bits, form.emax, 300):
        got = float(form.round(np.asarray([x]))[0])
        assert _error(got, float(x), dtype) <= 0.5


@pytest.mark.parametrize("exponent", [-1080, -1076, -1075, -1074, -1050, -1023, -1021, 0])
def test_an_mpf_is_rounded_once_also_to_a_subnormal(exponent):
    rng = np.random.default_rng(3)
    with mpmath.workprec(200):
        numbers = [
            mpmath.ldexp(mpmath.mpf(int(x)), exponent - 63)
            for x in rng.integers(1 << 62, 1 << 63, 50)
        ]
        # Half a step and a little beyond 53 bits: rounded twice, it goes the other way.
        numbers += [mpmath.ldexp((1 << 62) + (1 << 10) + 1, exponent - 62)]
        for x, got in zip(numbers, MpfArrays().floats(numbers), strict=True):
            truth = arb((int(x.man_exp[0]), x.man_exp[1]))
            assert ulp_error(got, truth, truth, "float64") <= 0.5
    assert MpfArrays().floats([mpmath.mpf("-inf"), mpmath.mpf(0)]) == [-math.inf, 0.0]


# --- routes ---------------------------------------------------------------------------------------


class Naive:
    """Soft ZLPR as typed from the page: log(1 + sum exp)."""

    name = "naive"

    def value(self, s, t):
        with np.errstate(all="ignore"):
            positive = np.log(1 + np.sum(t * np.exp(-s), axis=-1))
            return (positive + np.log(1 + np.sum((1 - t) * np.exp(s), axis=-1))).astype(s.dtype)

    def gradient(self, s, t):
        with np.errstate(all="ignore"):
            p, q = t * np.exp(-s), (1 - t) * np.exp(s)
            total_p, total_q = (np.sum(x, axis=-1, keepdims=True) for x in (p, q))
            return (q / (1 + total_q) - p / (1 + total_p)).astype(s.dtype)

    def hvp(self, s, t, v):
        with np.errstate(all="ignore"):
            p, q = t * np.exp(-s), (1 - t) * np.exp(s)
            p, q = (x / (1 + np.sum(x, axis=-1, keepdims=True)) for x in (p, q))
            p_mean, q_mean = (np.sum(x * v, axis=-1, keepdims=True) for x in (p, q))
            return (q * (v - q_mean) + p * (v - p_mean)).astype(s.dtype)


class Precise:
    """The same three numbers in mpmath at 2000 bits, by formulas of its own."""

    name = "mpmath"

    @staticmethod
    def _sides(s, t):
        s, t = [mpmath.mpf(x) for x in s], [mpmath.mpf(x) for x in t]
        pairs = list(zip(s, t, strict=True))
        p = [w * mpmath.exp(-x) if w else mpmath.mpf(0) for x, w in pairs]
        q = [(1 - w) * mpmath.exp(x) if w < 1 else mpmath.mpf(0) for x, w in pairs]
        return p, 1 + sum(p), q, 1 + sum(q)

    def value(self, s, t):
        with mpmath.workprec(2000):
            _, a, _, b = self._sides(s, t)
            return mpmath.log(a) + mpmath.log(b)

    def gradient(self, s, t):
        with mpmath.workprec(2000):
            p, a, q, b = self._sides(s, t)
            return [y / b - x / a for x, y in zip(p, q, strict=True)]

    def hvp(self, s, t, v):
        with mpmath.workprec(2000):
            p, a, q, b = self._sides(s, t)
            products = []
            for part, total in ((p, a), (q, b)):
                mean = sum(x * w for x, w in zip(part, v, strict=True)) / total
                products.append([x / total * (w - mean) for x, w in zip(part, v, strict=True)])
            return [x + y for x, y in zip(*products, strict=True)]


def _sample(scores, labels, vector=None, dtype="float64", name="sample"):
    vector = np.ones(len(scores)) if vector is None else vector
    arrays = (np.asarray(x, dtype=np.float64) for x in (scores, labels, vector))
    return Sample(name, dtype, *arrays)


@pytest.fixture(scope="module")
def oracle():
    return References(BallOracle("soft_zlpr"))


@pytest.fixture(scope="module")
def samples():
    return [s for s in quick("soft_zlpr", ("float64", "float32")) if s.n <= 12]


def _line(table, quantity, dtype="float64"):
    return next(x for x in table if (x.quantity, x.dtype) == (quantity, dtype))


@pytest.mark.parametrize(("depth", "least"), [(20.0, 1e5), (40.0, 1e15), (690.0, 1e15)])
def test_naive_log_of_one_plus_is_caught_at_tiny_losses(oracle, depth, least):
    sample = _sample([depth, -depth, -depth], [1.0, 0.0, 0.0], name=f"tiny-{depth}")
    table = measure("soft_zlpr", Naive(), [sample], oracle)
    line = _line(table, "value")
    assert line.error > least and not line.within and not table.passed
    assert line.worst.sample == sample.id and line.worst.n == 3
    assert f"scores=[{depth}, {-depth}, {-depth}]" in line.worst.input


def test_naive_formulas_fail_over_the_samples_in_every_quantity(oracle, samples):
    table = measure("soft_zlpr", Naive(), samples, oracle)
    assert {line.quantity for line in table.beyond()} == {"value", "gradient", "hvp"}
    assert _line(table, "value", "float32").error == math.inf  # exp(110) overflows in float32


def test_a_correct_route_passes_over_the_same_samples(oracle, samples):
    # exp(1e30) in mpmath needs more bits than this route has, so the huge scores stay out.
    moderate = [s for s in samples if np.max(np.abs(s.scores), initial=0.0) < 2000]
    own = [s for s in moderate if s.dtype == "float64"]
    table = measure("soft_zlpr", Precise(), own, oracle, arrays=MpfArrays())
    assert table.passed, table.beyond()
    assert all(line.error <= 0.5 for line in table) and len(list(table)) == 3


def test_a_sign_or_a_factor_in_the_gradient_is_caught(oracle, samples):
    class Flipped(Precise):
        def gradient(self, s, t):
            return [-x for x in super().gradient(s, t)]

        def hvp(self, s, t, v):
            return [x * (1 + 1e-14) for x in super().hvp(s, t, v)]

    own = [s for s in samples if "normal" in s.id and s.dtype == "float64"]
    table = measure("soft_zlpr", Flipped(), own, oracle, arrays=MpfArrays())
    assert {line.quantity for line in table.beyond()} == {"gradient", "hvp"}


def test_batches_give_the_numbers_of_single_rows(oracle, samples):
    single = measure("soft_zlpr", Naive(), samples, oracle, quantities=["value"])
    batch = measure("soft_zlpr", Naive(), samples, oracle, quantities=["value"], batch=True)
    assert [x.count for x in single] == [x.count for x in batch]
    assert _line(single, "value").worst.sample == _line(batch, "value").worst.sample


def test_a_batch_that_mixes_its_rows_is_caught(oracle):
    class Mixing(Naive):
        def value(self, s, t):
            return np.flip(super().value(s, t))

    rows = [_sample([0.0, 1.0 + k], [1.0, 0.0], name=f"row-{k}") for k in range(3)]
    assert measure("soft_zlpr", Naive(), rows, oracle, quantities=["value"], batch=True).passed
    assert not measure("soft_zlpr", Mixing(), rows, oracle, quantities=["value"], batch=True).passed


class Broken(Naive):
    name = "broken"

    def gradient(self, s, t):
        raise FloatingPointError("lost a digit")

    def hvp(self, s, t, v):
        return super().hvp(s, t, v)[..., :-1]

    def value(self, s, t):
        return super().value(s, t).astype(np.float16)


def test_a_route_that_raises_or_answers_in_another_shape_or_dtype_fails(oracle):
    sample = _sample([1.0, -1.0], [1.0, 0.0], name="plain")
    table = measure("soft_zlpr", Broken(), [sample], oracle)
    messages = {failure.quantity: failure.message for failure in table.failures}
    assert messages["gradient"] == "FloatingPointError: lost a digit"
    assert "shape (1,), expected (2,)" in messages["hvp"]
    assert "dtype float16, expected that of scores, float64" in messages["value"]
    assert {failure.sample for failure in table.failures} == {"plain"}
    assert not table.passed


def test_ctrl_c_is_not_swallowed(oracle):
    class Interrupted(Naive):
        def value(self, s, t):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("soft_zlpr", Interrupted(), [_sample([0.0], [1.0])], oracle)


def test_a_dtype_that_the_library_lacks_is_reported_as_not_run(oracle):
    sample = _sample([1.0], [1.0], dtype="bfloat16")
    table = measure("soft_zlpr", Naive(), [sample], oracle, arrays=NumpyArrays())
    assert table.not_run[("soft_zlpr", "naive", "value", "bfloat16")] == 1
    assert not list(table) and not table.passed  # nothing compared is no pass


def test_an_infinite_truth_is_met_by_infinity(oracle):
    class Overflowing(Naive):
        def value(self, s, t):
            return np.asarray(np.inf, dtype=s.dtype)

    sample = _sample([60000.0, -60000.0], [0.0, 1.0], dtype="float16", name="over")
    table = measure("soft_zlpr", Overflowing(), [sample], oracle, quantities=["value"])
    assert _line(table, "value", "float16").error == 0.0


def test_empty_rows_have_a_value_and_nothing_else(oracle):
    table = measure("soft_zlpr", Naive(), [_sample([], [], name="none")], oracle)
    assert next((line.quantity, line.count) for line in table) == ("value", 1)
    assert _line(table, "gradient").count == 0


def test_the_oracle_is_asked_once_for_each_sample():
    asked = []

    class Counting(BallOracle):
        def __call__(self, *row):
            asked.append(row)
            return super().__call__(*row)

    oracle = References(Counting("soft_zlpr"))
    rows = [_sample([0.5], [1.0], name="once")]
    progress = []
    for _ in range(2):
        measure("soft_zlpr", Naive(), rows, oracle, progress=progress.append)
    assert len(asked) == 1 and progress == [1, 1]


# --- the table ------------------------------------------------------------------------------------


def test_tables_merge_survive_pickling_and_become_json(oracle):
    tiny = measure("soft_zlpr", Naive(), [_sample([40.0], [1.0], name="tiny")], oracle)
    plain = measure("soft_zlpr", Naive(), [_sample([0.5], [1.0], name="plain")], oracle)
    broken = measure("soft_zlpr", Broken(), [_sample([0.5], [1.0], name="plain")], oracle)
    merged = pickle.loads(pickle.dumps(plain)).merge(tiny, broken)
    line = _line(merged, "value")
    assert (line.count, line.worst.sample) == (2, "tiny")
    assert len(merged.failures) == len(broken.failures) > 0
    data = json.loads(json.dumps(merged.as_dict(), allow_nan=False))
    assert data["passed"] is False
    assert data["lines"][0]["worst"]["sample"] == "tiny"
    assert data["lines"][0]["bound"] == BOUNDS["float64"] == 4.0
    assert len(line.cells()) == len(AccuracyTable.columns)


def test_an_infinite_error_is_written_as_text(oracle):
    class Lost(Naive):
        def value(self, s, t):
            return np.asarray(np.nan)

    table = measure("soft_zlpr", Lost(), [_sample([0.5], [1.0])], oracle, quantities=["value"])
    data = json.loads(json.dumps(table.as_dict(), allow_nan=False))
    assert data["lines"][0]["max_ulp"] == "inf" and data["lines"][0]["worst"]["got"] == "nan"


def test_an_empty_table_has_not_passed():
    assert not AccuracyTable().passed
