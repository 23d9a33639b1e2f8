"""The hinge family: exact rational leads, kinks and ties, masks, all libraries, all dtypes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from core_reference import COMMON_SHAPE, Arrays, Backend, Exact, to_numpy, ulps
from mpmath import mpf

import numeric_core as nc

FAMILY = ("hinge", "max_hinge", "lse_hinge")
each_loss = pytest.mark.parametrize("name", FAMILY)
CLASSES = {"hinge": nc.Hinge, "max_hinge": nc.MaxHinge, "lse_hinge": nc.LSEHinge}
SEED = 2004
MARGINS = (0.0, 1.0, 0.3)
# Digits of the mpmath reference: e^-800 beside 1, and 40 more.
DIGITS = 400


def leads(s: Any, target: int, margin: float) -> dict[int, Fraction]:
    """Every other class that is not at -inf with its lead, exactly."""
    others = (i for i in range(len(s)) if i != target and s[i] != -math.inf)
    own = Fraction(float(s[target])) - Fraction(margin)
    return {i: Fraction(float(s[i])) - own for i in others}


def expected(name: str, s: Any, target: int, margin: float) -> tuple[mpf, list[mpf]]:
    """Value and gradient from the definition, with step(0) = 0 and the first of equal scores."""
    lead, gradient = leads(s, target, margin), [mpf(0)] * len(s)
    if name == "hinge":
        shares = {i: mpf(1) for i, x in lead.items() if x > 0}
        value = sum((number(lead[i]) for i in shares), mpf(0))
    elif name == "max_hinge":
        top = max(lead, key=lambda i: (lead[i], -i), default=None)
        shares = {top: mpf(1)} if top is not None and lead[top] > 0 else {}
        value = number(lead[top]) if shares else mpf(0)
    else:
        powers = {i: mpmath.exp(number(x)) for i, x in lead.items()}
        total = sum(powers.values(), mpf(0))
        value = max(mpmath.log(total), mpf(0)) if total else mpf(0)
        shares = {i: e / total for i, e in powers.items()} if value > 0 else {}
    for i, share in shares.items():
        gradient[i] = share
    gradient[target] = -sum(shares.values(), mpf(0))
    return value, gradient


def number(x: Fraction) -> mpf:
    return mpf(x.numerator) / x.denominator


def batch(dtype: Any, shape: tuple[int, ...] = COMMON_SHAPE) -> tuple[Any, Any]:
    """Rows of several sizes, one of them of quarters, where leads are exactly 0 and scores tie."""
    rng = np.random.default_rng(SEED)
    s = rng.normal(size=shape) * np.asarray([0.01, 1.0, 30.0, 1.0])[:, None]
    s[3] = rng.integers(-4, 5, size=shape[1]) / 4
    return s.astype(dtype), rng.integers(0, shape[1], size=shape[0])


@each_loss
@pytest.mark.parametrize("margin", MARGINS)
def test_value_and_gradient_are_those_of_the_definition(
    arrays: Arrays, name: str, margin: float
) -> None:
    loss, flushes = CLASSES[name](margin=margin), arrays.backend is Backend.JAX
    for dtype in arrays.dtypes:
        s, target = batch(dtype)
        value, gradient = loss.value_and_grad(arrays(s), arrays(target))
        assert to_numpy(value).dtype == s.dtype
        with mpmath.workdps(DIGITS):
            for row in range(len(s)):
                true, slope = expected(name, s[row], int(target[row]), margin)
                pairs = [(to_numpy(value)[row], true)]
                pairs += zip(to_numpy(gradient)[row], slope, strict=True)
                for got, exact in pairs:
                    assert ulps(got, Exact.of([exact]), dtype, flushes) <= 4, (s[row], margin)


@each_loss
def test_class_index_and_one_hot_rows_are_the_same(arrays: Arrays, name: str) -> None:
    s, target = batch(np.float32)
    loss = CLASSES[name](margin=0.5)
    by_index = loss.value_and_grad(arrays(s), arrays(target))
    one_hot = np.eye(s.shape[1])[target]
    for kind in (np.int64, bool, np.float32):
        by_rows = loss.value_and_grad(arrays(s), arrays(one_hot.astype(kind)))
        for a, b in zip(by_index, by_rows, strict=True):
            assert np.array_equal(to_numpy(a), to_numpy(b))


@each_loss
def test_axis_shape_and_dtype(arrays: Arrays, name: str) -> None:
    loss = getattr(nc, name)
    for dtype in (*arrays.dtypes, np.float16):
        if dtype == np.float16 and arrays.backend is Backend.STRICT:
            continue  # the standard has no float16
        s, target = batch(dtype)
        t = np.eye(s.shape[1], dtype=dtype)[target]
        value, gradient = loss.value_and_grad(arrays(s), arrays(t))
        moved = loss.value_and_grad(arrays(s.T.copy()), arrays(t.T.copy()), axis=0)
        product = loss.hvp(arrays(s), arrays(t), arrays(s))
        assert np.array_equal(to_numpy(moved[0]), to_numpy(value))
        assert np.array_equal(to_numpy(moved[1]).T, to_numpy(gradient))
        for result, shape in ((value, (4,)), (gradient, (4, 5)), (product, (4, 5))):
            assert tuple(result.shape) == shape and to_numpy(result).dtype == dtype
        assert tuple(loss.hessian(arrays(s), arrays(t)).shape) == (4, 5, 5)


@each_loss
def test_at_a_kink_the_derivative_is_zero(arrays: Arrays, name: str) -> None:
    """One other class exactly at the target, the others far below: the loss is 0 and flat."""
    s = arrays([[1.25, 1.25, -math.inf], [0.25, -math.inf, 0.25]], np.float32)
    target = arrays([0, 2])
    value, gradient = getattr(nc, name).value_and_grad(s, target)
    assert not np.any(to_numpy(value)) and not np.any(to_numpy(gradient))


def test_of_equal_largest_scores_the_first_one_counts(arrays: Arrays) -> None:
    s = arrays([[0.0, 2.0, 2.0, 1.0]], np.float32)
    gradient = nc.max_hinge.value_and_grad(s, arrays([3]))[1]
    assert np.array_equal(to_numpy(gradient), [[0, 1, 0, -1]])


def test_a_margin_is_the_float64_it_is(arrays: Arrays) -> None:
    """0.1 rounded to float32 is above 0.1: beside the score 0.1f the lead is not 0."""
    near = float(np.float32(0.1))
    s = arrays([[near, 0.0]], np.float32)
    value, gradient = nc.Hinge(margin=0.1).value_and_grad(s, arrays([0]))
    assert not np.any(to_numpy(value)) and not np.any(to_numpy(gradient))
    value, gradient = nc.Hinge(margin=near).value_and_grad(s, arrays([0]))
    assert not np.any(to_numpy(gradient))
    value, gradient = nc.Hinge(margin=near + 1e-12).value_and_grad(s, arrays([0]))
    assert math.isclose(float(to_numpy(value)[0]), near + 1e-12 - near, rel_tol=1e-3)
    assert np.array_equal(to_numpy(gradient), [[-1, 1]])


@pytest.mark.parametrize("below", [0, 1], ids=["next below", "next"])
def test_lse_hinge_keeps_its_sign_where_the_log_cancels(below: int) -> None:
    """log 2 less the float64 next to it is 2.3e-17: the step is decided by its sign."""
    target = math.log(2.0) if not below else math.nextafter(math.log(2.0), 1.0)
    s = np.asarray([target, 0.0, 0.0])
    with mpmath.workdps(DIGITS):
        true = mpmath.log(2) - mpf(target)
        value, gradient = nc.lse_hinge.value_and_grad(s, np.asarray(0))
        if true > 0:
            assert abs(mpf(float(value)) - true) < mpf(2) ** -80
            assert np.array_equal(gradient, [-1, 0.5, 0.5])
        else:
            assert value == 0 and not np.any(gradient)


@each_loss
@pytest.mark.parametrize("mask", [-math.inf, -1e7, float(np.finfo(np.float32).min)])
def test_masked_classes_have_no_part(arrays: Arrays, name: str, mask: float) -> None:
    loss = CLASSES[name](margin=0.25)
    s, v = [0.5, 1.5, -1.0], [1.0, -2.0, 0.5]
    plain = [loss(arrays([s], np.float32), arrays([0]))]
    masked = [loss(arrays([[*s, mask]], np.float32), arrays([0]))]
    plain.append(loss.value_and_grad(arrays([s], np.float32), arrays([0]))[1])
    long = loss.value_and_grad(arrays([[*s, mask]], np.float32), arrays([0]))[1]
    product = loss.hvp(
        arrays([[*s, mask]], np.float32), arrays([0]), arrays([[*v, 3.0]], np.float32)
    )
    masked.append(long[:, :3])
    for a, b in zip(plain, masked, strict=True):
        assert np.array_equal(to_numpy(a), to_numpy(b))
    assert to_numpy(long)[0, 3] == 0 and to_numpy(product)[0, 3] == 0


@each_loss
def test_one_class_alone_has_no_loss(arrays: Arrays, name: str) -> None:
    loss = CLASSES[name](margin=1.0)
    for s in ([[3.0]], [[3.0, -math.inf]]):
        value, gradient = loss.value_and_grad(arrays(s, np.float32), arrays([0]))
        assert not np.any(to_numpy(value)) and not np.any(to_numpy(gradient))


@each_loss
def test_huge_scores_stay_finite(arrays: Arrays, name: str) -> None:
    for dtype in arrays.dtypes:
        big = float(np.finfo(dtype).max) / 4
        s = arrays([[-big, big, 1.0], [big, -big, 0.0]], dtype)
        value, gradient = getattr(nc, name).value_and_grad(s, arrays([1, 2]))
        assert np.array_equal(to_numpy(value), np.asarray([0, big], dtype))
        assert np.array_equal(to_numpy(gradient), [[0, 0, 0], [1, 0, -1]])


def test_the_losses_are_ordered_and_cross_entropy_is_above(arrays: Arrays) -> None:
    s, target = batch(np.float32)
    a, b = arrays(s), arrays(target)
    values = [to_numpy(loss(a, b)) for loss in (nc.max_hinge, nc.hinge, nc.lse_hinge)]
    assert np.all(values[0] <= values[1]) and np.all(values[0] <= values[2])
    assert np.all(values[2] <= to_numpy(nc.softmax_cross_entropy(a, b)))


def test_the_hessian_of_lse_hinge_is_that_of_the_softmax_of_the_others(arrays: Arrays) -> None:
    s, target = batch(np.float32)
    hessian = to_numpy(nc.lse_hinge.hessian(arrays(s), arrays(target)))
    assert np.array_equal(hessian, np.swapaxes(hessian, 1, 2))
    v = np.random.default_rng(SEED).normal(size=s.shape).astype(np.float32)
    product = to_numpy(nc.lse_hinge.hvp(arrays(s), arrays(target), arrays(v)))
    assert np.allclose(np.einsum("bij,bj->bi", hessian, v), product, rtol=1e-4, atol=1e-6)
    with mpmath.workdps(DIGITS):
        for row, c in enumerate(target):
            true, p = expected("lse_hinge", s[row], int(c), 0.0)
            p = [share if i != c and true > 0 else mpf(0) for i, share in enumerate(p)]
            mean = sum(q * mpf(float(x)) for q, x in zip(p, v[row], strict=True))
            for i, q in enumerate(p):
                assert (
                    abs(float(product[row, i]) - float(q * (mpf(float(v[row, i])) - mean))) < 1e-6
                )


@each_loss
def test_torch_autograd_of_the_value_is_our_gradient(name: str) -> None:
    torch = Backend.TORCH.load()
    s, target = (torch.from_numpy(x) for x in batch(np.float64))
    s = s[:3].requires_grad_(True)
    loss = CLASSES[name](margin=0.3)
    gradient = loss.value_and_grad(s, target[:3])[1]
    (autograd,) = torch.autograd.grad(loss(s, target[:3]).sum(), s)
    assert torch.allclose(autograd, gradient.detach(), rtol=1e-11, atol=1e-13)


@each_loss
def test_jax_compiles_value_and_gradient(name: str) -> None:
    jnp = Backend.JAX.load()
    import jax

    s, target = (jnp.asarray(x) for x in batch(np.float32))
    loss = CLASSES[name](margin=0.3)
    for ours, theirs in zip(
        loss.value_and_grad(s, target), jax.jit(loss.value_and_grad)(s, target), strict=True
    ):
        assert np.allclose(ours, theirs, rtol=1e-6)


@each_loss
def test_predict_is_the_first_largest_score(arrays: Arrays, name: str) -> None:
    s = arrays([[0.0, 3.0, 3.0], [2.0, 1.0, -math.inf]], np.float32)
    assert to_numpy(getattr(nc, name).predict(s)).tolist() == [1, 0]
    assert not hasattr(getattr(nc, name), "probabilities")


BAD = {
    "soft": ([[0.5, 0.5]], r"labels of {0} must be 0 or 1, got 0.5; .* softmax_cross_entropy"),
    "two": ([[1.0, 1.0]], r"labels of {0} must have exactly one 1, got a row with 2; .* zlpr"),
    "none": ([[0.0, 0.0]], r"labels of {0} must have exactly one 1, got a row with 0"),
    "index": (np.asarray([2]), r"a class index must lie in 0..1 for 2 classes"),
}


@each_loss
@pytest.mark.parametrize("case", BAD)
def test_bad_labels_are_answered_in_words(arrays: Arrays, name: str, case: str) -> None:
    labels, message = BAD[case]
    labels = labels if case == "index" else np.asarray(labels, np.float32)
    with pytest.raises(ValueError, match=message.format(name)):
        getattr(nc, name)(arrays([[1.0, 2.0]], np.float32), arrays(labels))


@each_loss
def test_a_masked_target_is_an_error_or_an_infinite_loss(arrays: Arrays, name: str) -> None:
    s, target = arrays([[-math.inf, 2.0]], np.float32), arrays([0])
    with pytest.raises(ValueError, match=r"1 masked label .* marked positive"):
        getattr(nc, name)(s, target)
    assert to_numpy(getattr(nc, name)(s, target, masked_positives="value")) == math.inf
    with pytest.raises(ValueError, match=f"{name} needs an unmasked class"):
        getattr(nc, name)(
            arrays([[-math.inf, -math.inf]], np.float32), target, masked_positives="value"
        )


@pytest.mark.parametrize("margin", [math.inf, math.nan, "wide"])
def test_a_margin_is_a_finite_number(margin: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="margin must be"):
        nc.Hinge(margin=margin)
