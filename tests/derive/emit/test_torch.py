"""Emitted PyTorch: values, both derivatives, compiled, in half precision, under transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from differentiable import LOOPED, NAMES, module_of, rows
from rows import chosen, errors, worst

from verify.accuracy import EMITTED_BOUND

torch = pytest.importorskip("torch", reason="torch is an optional extra: lossproof[torch]")


def loss_of(name: str) -> Any:
    return getattr(module_of(name, "torch"), name)


def tensors(name: str, dtype: Any = None) -> tuple[Any, Any]:
    scores, labels = (torch.tensor(array, dtype=dtype) for array in rows(name))
    return scores.requires_grad_(), labels


class TorchRoute:
    """The loss and what autograd makes of it, on NumPy's arrays."""

    name = "emitted torch"

    def __init__(self, loss: str) -> None:
        self._loss = loss_of(loss)

    def value(self, scores: Any, labels: Any) -> Any:
        return self._loss(torch.tensor(scores), torch.tensor(labels)).numpy()

    def _gradient(self, scores: Any, labels: Any) -> tuple[Any, Any]:
        s = torch.tensor(scores, requires_grad=True)
        value = self._loss(s, torch.tensor(labels)).sum()
        return s, torch.autograd.grad(value, s, create_graph=True)[0]

    def gradient(self, scores: Any, labels: Any) -> Any:
        return self._gradient(scores, labels)[1].detach().numpy()

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        s, gradient = self._gradient(scores, labels)
        return torch.autograd.grad(gradient, s, torch.tensor(vector))[0].numpy()


@pytest.mark.parametrize("loss", NAMES)
def test_against_the_oracle(loss: str) -> None:
    assert worst(errors(loss, TorchRoute(loss), chosen(loss, every=61))) <= EMITTED_BOUND


@pytest.mark.parametrize("loss", NAMES)
def test_first_and_second_derivative(loss: str) -> None:
    scores, labels = tensors(loss)
    function = loss_of(loss)
    assert torch.autograd.gradcheck(lambda s: function(s, labels), scores)
    assert torch.autograd.gradgradcheck(lambda s: function(s, labels), scores)


# PyTorch 2.13 itself, where it traces a Function with setup_context.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("loss", [name for name in NAMES if name not in LOOPED])
def test_compiles_as_one_graph(loss: str) -> None:
    scores, labels = tensors(loss, torch.float32)
    function = loss_of(loss)
    torch.compiler.reset()  # one more loss is not one more shape
    compiled = torch.compile(
        lambda s, t: function(s, t, reduction="mean"), fullgraph=True, backend="aot_eager"
    )
    plain = torch.autograd.grad(function(scores, labels, reduction="mean"), scores)[0]
    traced = torch.autograd.grad(compiled(scores, labels), scores)[0]
    torch.testing.assert_close(traced, plain, rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_orders_that_are_hidden_while_tracing() -> None:
    """An order of labels is no number for the compiler: the loop then runs to the length."""
    scores, labels = tensors("combination_softmax", torch.float32)
    function = loss_of("combination_softmax")
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(scores, labels), function(scores, labels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", ["soft_zlpr", "softmax_cross_entropy", "unified"])
def test_half_precision_is_rounded_once(loss: str, dtype: Any) -> None:
    scores, labels = tensors(loss, dtype)
    wide, function = scores.detach().float().requires_grad_(), loss_of(loss)
    value, single = function(scores, labels), function(wide, labels.float())
    assert value.dtype == dtype
    assert torch.equal(value, single.to(dtype))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    (exact,) = torch.autograd.grad(single.sum(), wide)
    assert torch.equal(gradient, exact.to(dtype))


def test_autocast_lowers_nothing() -> None:
    scores, labels = tensors("soft_zlpr", torch.float32)
    function = loss_of("soft_zlpr")
    plain = function(scores, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(function(scores, labels), plain)
        logits = torch.nn.Linear(5, 5)(scores)  # what autocast hands on
        assert logits.dtype == function(logits, labels).dtype == torch.bfloat16


@pytest.mark.parametrize("loss", ["soft_zlpr", "grid_pairwise", "combination_softmax"])
def test_function_transforms(loss: str) -> None:
    scores, labels = tensors(loss)
    function = loss_of(loss)
    each = torch.func.vmap(torch.func.grad(function))(scores.detach(), labels)
    torch.testing.assert_close(each, torch.autograd.grad(function(scores, labels).sum(), scores)[0])
    whole = torch.func.jacrev(torch.func.grad(lambda s: function(s, labels[0])))
    hessian = whole(scores.detach()[0])
    size = scores[0].numel()
    torch.testing.assert_close(
        hessian.reshape(size, size), hessian.reshape(size, size).T, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("loss", NAMES)
def test_module_reduces(loss: str) -> None:
    module = module_of(loss, "torch")
    kind = getattr(module, "".join(part.capitalize() for part in loss.split("_")))
    scores, labels = tensors(loss)
    rows_ = kind(reduction="none")(scores, labels)
    torch.testing.assert_close(kind()(scores, labels), rows_.mean())
    torch.testing.assert_close(kind(reduction="sum")(scores, labels), rows_.sum())
    with pytest.raises(ValueError, match="no reduction 'median': choose none, mean or sum"):
        kind(reduction="median")


def test_parameters_are_those_of_the_formula() -> None:
    scores, labels = tensors("unified")
    module = module_of("unified", "torch")
    given = module.Unified(gamma=2.0, m=0.5, reduction="none")(scores, labels)
    expected, _ = module.unified_value_and_grad(scores, labels, 2.0, 0.5)
    assert torch.equal(given, expected)
    assert not torch.equal(given, module.unified(scores, labels))


def test_labels_broadcast_and_may_be_whole_numbers() -> None:
    scores, _ = tensors("soft_zlpr")
    labels = torch.tensor([1, 0, 0, 1, 0])
    function = loss_of("soft_zlpr")
    value = function(scores, labels)
    torch.testing.assert_close(value, function(scores, labels.double().expand(3, 5)))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert gradient.shape == scores.shape


def test_what_has_no_derivative_is_refused() -> None:
    scores, labels = tensors("soft_zlpr")
    function = loss_of("soft_zlpr")
    with pytest.raises(NotImplementedError, match="soft_zlpr has derivatives by s alone"):
        function(scores, labels.requires_grad_()).sum().backward()
    with pytest.raises(TypeError, match=r"s is of torch.int64: give a floating-point tensor"):
        function(torch.tensor([1, 2]), torch.tensor([0, 1]))


def test_masked_labels_have_no_gradient() -> None:
    scores = torch.tensor([[1.0, -np.inf, 2.0]], requires_grad=True)
    labels = torch.tensor([[1.0, 0.0, 0.0]])
    loss_of("zlpr")(scores, labels).sum().backward()
    kept = scores.detach()[:, [0, 2]].requires_grad_()
    loss_of("zlpr")(kept, labels[:, [0, 2]]).sum().backward()
    assert scores.grad is not None and kept.grad is not None
    assert scores.grad[0, 1] == 0
    torch.testing.assert_close(scores.grad[:, [0, 2]], kept.grad)
