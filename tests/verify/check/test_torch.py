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


class Saved(torch.autograd.Function):
    """BCE whose backward pass uses what the forward pass saved; or the scores again."""

    @staticmethod
    def forward(ctx, scores, labels, again):
        ctx.save_for_backward(scores, labels)
        ctx.slope, ctx.again = torch.sigmoid(scores) - labels, again
        return F.binary_cross_entropy_with_logits(scores, labels, reduction="none").sum(-1)

    @staticmethod
    def backward(ctx, upstream):
        scores, labels = ctx.saved_tensors
        slope = torch.sigmoid(scores) - labels if ctx.again else ctx.slope
        return upstream[..., None] * slope, None, None


def test_a_lost_second_derivative_limits_the_range():
    lost = examine(lambda scores, labels: Saved.apply(scores, labels, False), BCE, FINITE)
    assert (lost.verdict, lost.cause) == ("limited-range", "second-derivative"), str(lost)
    assert lost.range.endswith("not the Hessian-vector product")
    assert lost.findings[0].expected != "0" and lost.findings[0].got == "0"
    whole = examine(lambda scores, labels: Saved.apply(scores, labels, True), BCE, FINITE)
    assert whole.verdict == "equal", str(whole)


def test_a_second_derivative_that_raises_is_a_note():
    class Once(Saved):
        backward = staticmethod(torch.autograd.function.once_differentiable(Saved.backward))

    result = examine(lambda scores, labels: Once.apply(scores, labels, False), BCE, FINITE)
    assert result.verdict == "equal", str(result)
    assert any(f.kind == "Hessian-vector product" and f.severity == "note" for f in result.findings)


def test_two_sides_of_circle_loss():
    def circle(sim_ap, sim_an, scale=16, margin=0):
        energy = torch.logsumexp(-scale * (sim_ap - margin), 1) + torch.logsumexp(
            scale * (sim_an + margin), 1
        )
        return -F.logsigmoid(-energy)

    options = Options(
        parameters={"scale": 16}, excluding=("mask -inf", "mask minimum"), dtypes=["float64"]
    )
    result = examine(circle, "unified", options)
    assert result.equal, str(result)
    assert result.assumed["shape"] == "(batch, k) and (batch, n - k)"


def test_a_dtype_that_is_refused_is_a_note():
    hinge = torch.nn.MultiMarginLoss(margin=1.0)  # its kernel has no half precision on the CPU
    result = examine(hinge, "hinge", Options(parameters={"margin": 1.0}, budget=5))
    assert result.verdict == "equal", str(result)
    assert "float16" not in result.range
    assert any(f.words.startswith("it takes no float16") for f in result.findings)
