"""The CUDA kernels: their threads on the host, and all of it on a GPU.

Without a GPU CuPy is stood in for (`cupy_stand_in`): the launches are those that a device would
get, the mathematics is that of the `.cuh` files but for three instructions of the device.
"""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

import cupy_stand_in
import ml_dtypes
import numpy as np
import pytest
from cuda_cases import (
    DTYPES,
    LOSSES,
    assert_near,
    assert_same,
    back,
    batch,
    larger_share,
    not_to_be_called,
    on_device,
    plainly,
    truth,
    ulp,
)

import numeric_core as nc
from numeric_core.kernels import cuda
from numeric_core.kernels.cuda import plan, source
from verify.compare import family_of
from verify.measure import References, measure

MEASURED = (
    *("zlpr", "soft_zlpr", "softmax_cross_entropy"),
    *("binary_cross_entropy", "unified", "focal", "asymmetric"),
)
# One width of what is read at a time, each of the kernels.
LENGTHS = (8, 64, 1000, 8192, 32_768, 40_000)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", LOSSES)
def test_against_the_plain_version(cupy: Any, name: str, n: int, dtype: Any) -> None:
    scores, labels = batch(name, n, dtype)
    value, gradient = on_device(cupy, LOSSES[name], scores, labels)
    true_value, true_gradient, side = truth(name, scores, labels)
    assert_near(value, true_value, true_value, dtype)
    assert_near(gradient, true_gradient, side, dtype)
    alone = LOSSES[name](cupy.asarray(scores), cupy.asarray(labels))
    np.testing.assert_array_equal(back(alone), value, strict=True)


@pytest.mark.parametrize("n", [1, 7, 33, 1023, 16_385])
@pytest.mark.parametrize("name", LOSSES)
def test_lengths_that_are_read_one_by_one(cupy: Any, name: str, n: int) -> None:
    scores, labels = batch(name, n, np.float32, rows=5)
    value, gradient = on_device(cupy, LOSSES[name], scores, labels)
    true_value, true_gradient, side = truth(name, scores, labels)
    assert_near(value, true_value, true_value, np.float32)
    assert_near(gradient, true_gradient, side, np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("loss", MEASURED)
def test_against_the_oracle(cupy: Any, loss: str, dtype: Any) -> None:
    family = family_of(loss)
    few = [x for x in family.quick(loss) if x.dtype == np.dtype(dtype).name and 0 < x.n <= 3000]
    # one width each: what is compiled is compiled above
    wide = [x for x in few if x.n % (plan.LOAD // np.dtype(dtype).itemsize) == 0][::3]
    assert len(wide) >= 8

    class Route:
        name = "core, compiled"
        known = getattr(nc, loss)

        def value(self, scores: Any, labels: Any) -> Any:
            return back(self.known(*map(cupy.asarray, (scores[None], labels[None]))))[0]

        def gradient(self, scores: Any, labels: Any) -> Any:
            return on_device(cupy, self.known, scores[None], labels[None])[1][0]

    table = measure(
        loss, Route(), wide, References(family.oracle(loss)), quantities=("value", "gradient")
    )
    assert table.passed, [line.cells() for line in table.beyond()] or table.failures[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", LOSSES)
def test_masked_labels_have_an_answer(
    cupy: Any, name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(LOSSES[name]), "_plain_value_and_grad", not_to_be_called)
    scores, labels = batch(name, 1000, dtype)
    assert np.isneginf(scores).any(axis=-1).all()
    _, gradient = on_device(cupy, LOSSES[name], scores, labels)
    assert np.all(gradient[np.isneginf(scores)] == 0.0)


def test_which_kernel_is_launched(cupy: Any) -> None:
    if not isinstance(cupy.asarray(np.zeros(1)), np.ndarray):
        pytest.skip("the launches are seen on the host")
    parts = ["part_sums", "merge_parts", "part_gradient"]
    for n, expected in (
        (64, [("resident_some", 1, 128)]),
        (4096, [("resident_some", 3, 256)]),
        (8192, [("resident_one", 3, 512)]),
        (16_384, [("resident_one", 3, 1024)]),
        (32_768, [("resident_long", 3, 1024)]),
        (40_000, list(zip(parts, (9, 3, 9), (256,) * 3, strict=True))),
    ):
        cupy_stand_in.LAUNCHED.clear()
        on_device(cupy, nc.soft_zlpr, *batch("soft_zlpr", n, np.float32))
        assert list(expected) == cupy_stand_in.LAUNCHED


def test_a_device_with_less_shared_memory(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(cupy.asarray(np.zeros(1)), np.ndarray):
        pytest.skip("a device has what it has")
    scores, labels = batch("soft_zlpr", 32_768, np.float32)
    value, gradient = on_device(cupy, nc.soft_zlpr, scores, labels)
    monkeypatch.setitem(cupy_stand_in.ATTRIBUTES, "MaxSharedMemoryPerBlockOptin", 101_376)
    cuda._shared_memory.cache_clear()
    cupy_stand_in.LAUNCHED.clear()
    other = on_device(cupy, nc.soft_zlpr, scores, labels)
    assert cupy_stand_in.LAUNCHED[0] == ("part_sums", 6, 256)
    np.testing.assert_allclose(other[0], value, rtol=1e-6)
    np.testing.assert_allclose(other[1], gradient, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n", [64, 1000, 8192, 40_000])
@pytest.mark.parametrize("name", LOSSES)
def test_bits_do_not_depend_on_the_batch(cupy: Any, name: str, n: int) -> None:
    scores, labels = batch(name, n, np.float32, rows=4)
    value, gradient = on_device(cupy, LOSSES[name], scores, labels)
    some = [3, 1, 0, 0, 2, 3, 1]
    part = on_device(cupy, LOSSES[name], scores[some], labels[some])
    assert_same(part, (value[some], gradient[some]))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [64, 1000, 40_000])
def test_soft_zlpr_of_hard_labels_is_zlpr(cupy: Any, n: int, dtype: Any) -> None:
    scores, labels = batch("zlpr", n, dtype)
    soft = on_device(cupy, nc.soft_zlpr, scores, labels)
    assert_same(soft, on_device(cupy, nc.zlpr, scores, labels))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax", "bce", "unified"])
def test_odd_rows_are_the_plain_versions(cupy: Any, name: str, dtype: Any) -> None:
    scores, labels = batch(name, 1000, dtype, rows=4)
    scores[1] = np.linspace(-300.0, 300.0, 1000)
    scores[3, 1:] = -100.0
    value, gradient = on_device(cupy, LOSSES[name], scores, labels)
    odd = [1, 3]
    nc.use_kernels(False)
    assert_same(
        (value[odd], gradient[odd]), on_device(cupy, LOSSES[name], scores[odd], labels[odd])
    )
    assert not np.isnan(value.astype(float)).any() and np.isfinite(gradient.astype(float)).all()


@pytest.mark.parametrize("name", ["zlpr", "softmax, index"])
def test_any_axis_and_layout(cupy: Any, name: str) -> None:
    scores, labels = batch(name, 1000, np.float32, rows=6)
    s = np.moveaxis(scores.reshape(3, 2, 1000), -1, 0)
    t = labels.reshape(3, 2) if labels.ndim == 1 else np.moveaxis(labels.reshape(3, 2, -1), -1, 0)
    value, gradient = on_device(cupy, LOSSES[name], s, t, axis=0)
    rows = on_device(cupy, LOSSES[name], scores, labels)
    assert value.shape == (3, 2) and gradient.shape == s.shape
    assert_same((value.reshape(-1), np.moveaxis(gradient, 0, -1).reshape(6, -1)), rows)


def test_a_row_and_a_view_that_begins_anywhere(cupy: Any) -> None:
    scores, labels = batch("zlpr", 1001, np.float32, rows=1)
    rows = cupy.asarray(scores[:, 1:].copy()), cupy.asarray(labels[:, 1:].copy())
    views = cupy.asarray(scores)[0, 1:], cupy.asarray(labels)[0, 1:]
    value, gradient = (back(x) for x in nc.zlpr.value_and_grad(*views))
    assert value.shape == () and gradient.shape == (1000,)
    assert_same((value[None], gradient[None]), map(back, nc.zlpr.value_and_grad(*rows)))


@pytest.mark.parametrize("name", ["zlpr", "bce"])
def test_a_gradient_in_an_array_given(cupy: Any, name: str) -> None:
    scores, labels = (cupy.asarray(x) for x in batch(name, 1000, np.float32))
    value, gradient = LOSSES[name].value_and_grad(scores, labels)
    room = cupy.zeros(scores.shape, np.float32)
    other, out = LOSSES[name].value_and_grad(scores, labels, out=room)
    assert out is room
    assert_same(map(back, (other, out)), map(back, (value, gradient)))
    # the scores are read while their gradient is written
    other, out = LOSSES[name].value_and_grad(scores, labels, out=scores)
    assert out is scores
    assert_same(map(back, (other, out)), map(back, (value, gradient)))


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16, np.float32])
def test_kinds_of_labels(cupy: Any, kind: Any) -> None:
    scores, labels = batch("zlpr", 1000, np.float32)
    true = on_device(cupy, nc.zlpr, scores, labels)
    assert_same(on_device(cupy, nc.zlpr, scores, labels.astype(kind)), true)


SPOILT = {
    "nan": (math.nan, None, "must not be nan"),
    "inf": (math.inf, None, r"got \+inf"),
    "label": (None, 1.5, "labels must lie in|must be 0 or 1"),
    "negative label": (None, -0.5, "labels must lie in|must be 0 or 1"),
    "masked positive": (-math.inf, 1.0, "marked positive"),
}


@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("n", [1000, 40_000])
@pytest.mark.parametrize("name", [*LOSSES][:3] + [*LOSSES][4:])
def test_errors_are_the_plain_versions(cupy: Any, name: str, n: int, fault: str) -> None:
    scores, labels = batch(name, n, np.float32)
    labels = labels.astype(np.float32)
    score, label, message = SPOILT[fault]
    scores[1, 7] = scores[1, 7] if score is None else score
    labels[1, 7] = labels[1, 7] if label is None else label
    with pytest.raises(ValueError, match=message):
        on_device(cupy, LOSSES[name], scores, labels)


@pytest.mark.parametrize("name", ["unified", "unified, scale"])
def test_rows_without_pairs(cupy: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nc.Unified, "_plain_value_and_grad", not_to_be_called)
    scores, labels = batch("zlpr", 1000, np.float32)
    scores[1], labels[0], labels[1] = 1.0, False, True
    value, gradient = on_device(cupy, LOSSES[name], scores, labels)
    assert np.all(value[:2] == 0.0) and np.all(gradient[:2] == 0.0) and value[2] > 0.0


@pytest.mark.parametrize("scale", [1.3, 2.0, 0.1])
def test_scores_times_a_scale_keep_their_digits(cupy: Any, scale: float) -> None:
    loss = nc.Unified(scale=scale, margin=0.2)
    scores, labels = batch("unified", 1000, np.float32)
    # |x| up to 50, of which half an ulp is 16 of e^x
    scores *= np.float32(4.0 / scale)
    true, gradient = plainly(loss, scores.astype(np.float64), labels.astype(np.float64))
    value, slopes = on_device(cupy, loss, scores, labels)
    assert_near(value, true, true, np.float32)
    side = larger_share(loss, scores.astype(np.float64), labels.astype(np.float64))
    assert_near(slopes, gradient, side, np.float32)


@pytest.mark.parametrize("side", ["negatives", "positives"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_term_counts_as_0_where_it_is_all_there_is(cupy: Any, dtype: Any, side: str) -> None:
    # the exponentials of one side count as 0 in the dtype, but not their products with the other's
    far, gap = (dtype(x) for x in ((135.0, 55.0) if dtype == np.float32 else (780.0, 90.0)))
    first, sign = np.arange(1000) == 0, -1.0 if side == "negatives" else 1.0
    scores = np.where(first, gap - far, -far)
    labels = first if side == "negatives" else ~first
    value, gradient = on_device(cupy, nc.unified, -dtype(sign) * scores, labels)
    true = math.log1p(999.0 * math.exp(-float(gap)))
    assert abs(value - true) <= 4 * ulp(true, dtype)
    np.testing.assert_allclose(gradient[0], sign * true, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [64, 40_000])
def test_tiny_and_huge_losses(cupy: Any, n: int, dtype: Any) -> None:
    scores, labels = batch("zlpr", n, dtype)
    gap = dtype(80.0 if dtype == np.float32 else 690.0)
    scores[:] = np.where(labels, gap, -gap)
    scores[1], labels[1] = -gap * dtype(1e4), False
    scores[2], labels[2] = gap * dtype(1e4), False
    value = back(nc.binary_cross_entropy(cupy.asarray(scores), cupy.asarray(labels)))
    tiny = n * math.exp(-float(gap))
    assert abs(value[0] - tiny) <= 4 * ulp(tiny, dtype)
    assert value[1] == 0.0 and value[2] == dtype(n) * scores[2, 0]


def test_sums_of_subnormal_losses_keep_their_digits(cupy: Any) -> None:
    scores, labels = np.full((1, 40_000), -34.0, np.float32), np.zeros((1, 40_000), bool)
    value, _ = on_device(cupy, nc.focal, scores, labels)
    # p^2 log1p(e), p = e / (1 + e): 5e-45 each, less than four times the smallest subnormal
    e = math.exp(-34.0)
    assert abs(value[0] - 4e4 * e**3) <= ulp(4e4 * e**3, np.float32)


@pytest.mark.parametrize(
    ("loss", "dtype"),
    [
        (nc.focal, np.float64),
        (nc.Asymmetric(gamma_negative=2.5), np.float32),
        (nc.Unified(margin=33.0), np.float32),
    ],
    ids=["float64", "power 2.5", "margin 33"],
)
def test_what_has_no_kernel_is_the_plain_versions(cupy: Any, loss: Any, dtype: Any) -> None:
    scores, labels = batch("zlpr", 64, dtype)
    given = cupy.asarray(scores), cupy.asarray(labels)
    nc.use_kernels(False)
    true = [back(x) for x in loss.value_and_grad(*given)]
    nc.use_kernels(True)
    assert_same([back(x) for x in loss.value_and_grad(*given)], true)
    assert cupy_stand_in.LAUNCHED == []


def test_which_rows_are_read_twice(cupy: Any) -> None:
    if not isinstance(cupy.asarray(np.zeros(1)), np.ndarray):
        pytest.skip("the launches are seen on the host")
    parts = [("part_sums", 9, 256), ("merge_parts", 3, 256)]
    for name in ("bce", "focal", "asymmetric"):
        cupy_stand_in.LAUNCHED.clear()
        on_device(cupy, LOSSES[name], *batch(name, 40_000, np.float32))
        assert parts == cupy_stand_in.LAUNCHED


def test_the_polynomials_are_those_for_numpy() -> None:
    pytest.importorskip("numba")
    from numeric_core.kernels.by_label import Q

    tables = re.findall(r"table\[\] = \{(.*?)\}", source._text("by_label.cuh"), re.DOTALL)
    for text, dtype, true in zip(tables, (np.float32, np.float64), Q.values(), strict=True):
        given = [dtype(each.strip().removesuffix("f")) for each in text.split(",")]
        assert given == [dtype(each) for each in true]


@pytest.mark.parametrize("index", [-1, 1000])
def test_a_class_that_does_not_exist(cupy: Any, index: int) -> None:
    scores, labels = batch("softmax, index", 1000, np.float32)
    labels[1] = index
    with pytest.raises(ValueError, match=r"class index must lie in 0\.\.999"):
        on_device(cupy, nc.softmax_cross_entropy, scores, labels)


def test_kernels_can_be_left_out(cupy: Any) -> None:
    scores, labels = (cupy.asarray(x) for x in batch("zlpr", 64, np.float32))
    nc.use_kernels(False)
    nc.zlpr.value_and_grad(scores, labels)
    assert cupy_stand_in.LAUNCHED == []


def test_what_is_compiled_is_kept(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = source.source("zlpr", "float32", "same", 4)
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kept"))
    file = source._binary(text, "90")
    assert list((tmp_path / "kept").iterdir()) == [file]
    monkeypatch.setattr(source, "_compiled", lambda *given: pytest.fail("compiled again"))
    assert source._binary(text, "90") == file


def test_a_folder_that_cannot_be_written(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "a file" / "folder"))
    file = source._binary(source.source("zlpr", "float32", "same", 4), "90")
    assert file.is_file() and tmp_path not in file.parents
    shutil.rmtree(file.parent)


def test_what_nvrtc_says_is_told(cupy: Any) -> None:
    with pytest.raises(RuntimeError, match=r"NVRTC failed: .*typo"):
        source._binary(source._text("device.cuh") + "typo", "90")


@pytest.mark.parametrize("real", [4, 8])
def test_every_label_has_a_place(real: int) -> None:
    slots = plan.KEPT // real
    for n in [*range(1, 3000), *range(3000, 40_000, 61), *(2**k for k in range(18))]:
        launch = plan.resident(n, real, shared=232_448)
        if launch is None:
            assert n > 2 * plan.LARGEST * slots
            continue
        most = slots * 2 if launch.kernel == "resident_long" else slots
        for itemsize in (2, 4) if real == 4 else (8,):
            width = plan.width(n, itemsize)
            assert n % width == 0 and width * itemsize <= plan.LOAD
            assert n // width <= launch.team * (most // width)
        assert launch.threads % launch.team == 0 and launch.team & (launch.team - 1) == 0
        assert launch.threads % 32 == 0 and launch.blocks(7) * launch.threads >= 7 * launch.team
