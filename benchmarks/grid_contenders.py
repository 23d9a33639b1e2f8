"""Other ways to the value and the gradient of the losses of n samples x m classes.

By hand: NumPy in O(n m), or products of matrices for the pairwise loss, each row of scores shifted
by its maximum, as one writes it with the formulas at hand.  PyTorch: the same value, and autograd.
Neither keeps the digits of tiny losses, and both lose e^{s_ik - s_ij} where it overflows.

    truncated, mirrored   e = e^{s - max}, r_i = sum_k e_ik, N_j = sum_i t_ij (r_i - e_ij) / e_ij,
                          M_k = sum_i e_ik (u_i - t_ik / e_ik), u_i = sum_j t_ij / e_ij
    pairwise              P = 1 + (t / e)^T e off the diagonal
    centered              C_j = 1 + sum_i t_ij e^{mean_k s_ik - s_ij}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], tuple[Any, Any]]


@dataclass(frozen=True)
class Contender:
    """A maker of calls () -> (value, gradient) for scores and labels (n, m), and what it needs."""

    name: str
    library: str
    make: Callable[[str, Any, Any], Call]


def by_hand(loss: str, scores: Any, labels: Any) -> Call:
    """NumPy."""
    return lambda: HANDS[loss](scores, labels)


def truncated(s: Any, t: Any) -> tuple[Any, Any]:
    e, r, w, d = _own_class(s, t)
    shares = w / d
    return np.log(d).sum(), e * shares.sum(axis=1, keepdims=True) - shares * r


def mirrored(s: Any, t: Any) -> tuple[Any, Any]:
    e, r, w, d = _own_class(s, t)
    u = w.sum(axis=1, keepdims=True)
    other = 1 + (e * (u - w)).sum(axis=0)
    shares, taken = w / d, e / other
    gradient = e * shares.sum(axis=1, keepdims=True) - shares * r
    gradient += taken * u - w * taken.sum(axis=1, keepdims=True)
    return 0.5 * (np.log(d).sum() + np.log(other).sum()), 0.5 * gradient


def _own_class(s: Any, t: Any) -> tuple[Any, Any, Any, Any]:
    e = np.exp(s - s.max(axis=1, keepdims=True))
    r, w = e.sum(axis=1, keepdims=True), t / e
    return e, r, w, 1 + (w * (r - e)).sum(axis=0)


def pairwise(s: Any, t: Any) -> tuple[Any, Any]:
    e = np.exp(s - s.max(axis=1, keepdims=True))
    w = t / e
    p = 1 + w.T @ e
    q = 1 / p
    np.fill_diagonal(p, 1)
    np.fill_diagonal(q, 0)
    return np.log(p).sum(), e * (w @ q) - w * (e @ q.T)


def centered(s: Any, t: Any) -> tuple[Any, Any]:
    a = t * np.exp(s.mean(axis=1, keepdims=True) - s)
    c = 1 + a.sum(axis=0)
    w = a / c
    return np.log(c).sum(), w.mean(axis=1, keepdims=True) - w


HANDS = {
    "truncated": truncated,
    "mirrored": mirrored,
    "pairwise": pairwise,
    "centered": centered,
}


def in_torch(loss: str, scores: Any, labels: Any) -> Call:
    """PyTorch on the CPU, autograd's graph built in each call."""
    import torch

    leaf = torch.tensor(scores, requires_grad=True)
    t = torch.tensor(labels)

    def call() -> tuple[Any, Any]:
        value = _torch_value(loss, leaf, t)
        return value.detach().numpy(), torch.autograd.grad(value, leaf)[0].numpy()

    return call


def _torch_value(loss: str, s: Any, t: Any) -> Any:
    import torch

    if loss == "centered":
        return torch.log1p((t * (s.mean(dim=1, keepdim=True) - s).exp()).sum(dim=0)).sum()
    e = (s - s.detach().amax(dim=1, keepdim=True)).exp()
    w = t / e
    if loss == "pairwise":
        product = w.T @ e
        return torch.log1p(product - torch.diag(torch.diagonal(product))).sum()
    own = torch.log1p((w * (e.sum(dim=1, keepdim=True) - e)).sum(dim=0)).sum()
    if loss == "truncated":
        return own
    other = torch.log1p((e * (w.sum(dim=1, keepdim=True) - w)).sum(dim=0)).sum()
    return 0.5 * (own + other)


CONTENDERS = (
    Contender("NumPy by hand", "numpy", by_hand),
    Contender("PyTorch, autograd", "torch", in_torch),
)
