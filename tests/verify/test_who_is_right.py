"""The plain formula and its automatic gradient against ours, with the oracle as judge.

Where autograd is accurate the two agree. Where they differ (tiny losses, saturated rows) the Arb
enclosure decides, and it decides for ours.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import numeric_core
from verify.accuracy import BOUNDS, ulp_errors
from verify.measure import References
from verify.oracle import BallOracle
from verify.samples import Sample, quick

# Autograd is called accurate where value and every component are this near to the truth, in ulp.
ACCURATE = 16.0
LOSSES = ("softmax_cross_entropy", "soft_zlpr")


def chosen(loss: str, dtype: str) -> list[Sample]:
    """Rows on which the plain formula stays finite."""
    rows = [x for x in quick(loss) if x.dtype == dtype and 0 < x.n <= 100]
    return [x for x in rows if np.all(np.abs(x.scores) <= 80)]


def plain_torch(torch: Any, loss: str, s: Any, t: Any) -> Any:
    if loss == "softmax_cross_entropy":
        return -(t * torch.log_softmax(s, dim=-1)).sum()
    return torch.log(1 + (t * torch.exp(-s)).sum()) + torch.log(1 + ((1 - t) * torch.exp(s)).sum())


def plain_jax(jax: Any, loss: str, s: Any, t: Any) -> Any:
    jnp = jax.numpy
    if loss == "softmax_cross_entropy":
        return -(t * jax.nn.log_softmax(s)).sum()
    return jnp.log(1 + (t * jnp.exp(-s)).sum()) + jnp.log(1 + ((1 - t) * jnp.exp(s)).sum())


def torch_numbers(loss: str, sample: Sample) -> list[float]:
    torch = pytest.importorskip("torch", reason="torch is an optional extra: lossproof[torch]")
    s = torch.tensor(sample.scores, requires_grad=True)
    value = plain_torch(torch, loss, s, torch.tensor(sample.labels))
    (gradient,) = torch.autograd.grad(value, s)
    return [value.item(), *gradient.tolist()]


def jax_numbers(loss: str, sample: Sample) -> list[float]:
    jax = pytest.importorskip("jax", reason="jax is an optional extra: lossproof[jax]")
    s, t = (jax.numpy.asarray(x, dtype="float32") for x in (sample.scores, sample.labels))
    value, gradient = jax.value_and_grad(lambda x: plain_jax(jax, loss, x, t))(s)
    return [float(value), *np.asarray(gradient, dtype=np.float64).tolist()]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("route", "dtype"), [(torch_numbers, "float64"), (jax_numbers, "float32")])
def test_ours_is_right_wherever_autograd_is_and_wherever_it_is_not(
    loss: str, route: Any, dtype: str
) -> None:
    oracle, ours_of = References(BallOracle(loss)), getattr(numeric_core, loss).value_and_grad
    agreeing = mistaken = 0
    for sample in chosen(loss, dtype):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the plain formula may overflow: that is its fault
            theirs = route(loss, sample)
        value, gradient = ours_of(sample.scores.astype(dtype), sample.labels.astype(dtype))
        ours = [float(value), *(float(g) for g in gradient)]
        truth = oracle(sample)
        exact, scale = [truth.value, *truth.gradient], [truth.value, *truth.gradient_scale]
        judged = [max(ulp_errors(numbers, exact, scale, dtype)) for numbers in (theirs, ours)]
        assert judged[1] <= BOUNDS[dtype], (sample.id, judged)
        agreeing += judged[0] <= ACCURATE
        mistaken += judged[0] > ACCURATE
    assert agreeing > 20, "autograd should be right on ordinary rows"
    assert mistaken > 10, "the samples should hold rows on which autograd is wrong"
