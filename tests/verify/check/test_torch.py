"""PyTorch: autograd, modules, half precision."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from verify.check import Options, examine  # noqa: E402

BCE = "binary_cross_entropy"
FINITE = Options(excluding=("mask -inf",), budget=10)


class Focal(torch.nn.Module):
    """The mean over all labels, as it is written in most repositories."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, inputs, targets):
        cost = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        p = torch.exp(-cost)
        return ((1 - p) ** self.gamma * cost).mean()


class WrongSlope(torch.autograd.Function):
    """The value of BCE, its gradient with the other sign."""

    @staticmethod
    def forward(ctx, scores, labels):
        ctx.save_for_backward(scores, labels)
        return F.binary_cross_entropy_with_logits(scores, labels, reduction="none").sum(-1)

    @staticmethod
    def backward(ctx, upstream):
        scores, labels = ctx.saved_tensors
        return upstream[..., None] * (labels - torch.sigmoid(scores)), None


def test_a_library_function_is_equal_on_finite_scores():
    result = examine(F.binary_cross_entropy_with_logits, BCE, FINITE)
    assert result.verdict == "equal", str(result)
    assert result.assumed["reduction"] == "mean over all"


def test_cross_entropy_takes_both_kinds_of_labels():
    def loss(logits, target):
        return F.cross_entropy(logits, target)

    result = examine(loss, "softmax_cross_entropy", Options(budget=10))
    assert result.verdict == "equal", str(result)
    assert result.assumed["labels"] == "class index, and a distribution"


def test_a_module_is_made_and_its_parameters_are_taken():
    result = examine(Focal, "focal", FINITE)
    assert result.verdict in ("equal", "limited-range"), str(result)
    assert result.assumed["parameters"] == "gamma = 2"
    other = examine(Focal, "focal", Options(arguments={"gamma": 1.0}, budget=5))
    assert other.assumed["parameters"] == "gamma = 1"


def test_a_wrong_backward_is_seen_and_the_value_is_not_blamed():
    result = examine(lambda scores, labels: WrongSlope.apply(scores, labels), BCE, FINITE)
    assert result.verdict == "gradient-wrong"
    failures = [finding for finding in result.findings if finding.severity == "failure"]
    assert failures and all(finding.what == "gradient" for finding in failures)


def test_a_detached_value_has_no_gradient():
    def loss(scores, labels):
        return F.binary_cross_entropy_with_logits(scores.detach(), labels)

    assert examine(loss, BCE, FINITE).verdict == "gradient-wrong"
