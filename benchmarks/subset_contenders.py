"""Other ways to the combination softmax and its gradient, for `python -m benchmarks`.

All compute, for rows s of n scores and rows y of k positive labels,

    l = log Z_k - sum_i y_i s_i,     dl/ds_i = P(i in S) - y_i,     Z_k = e_k(e^{s_1}, ..., e^{s_n})

    recursion  log-space dynamic programming over the labels, one logaddexp a label, PyTorch and
               its autograd: E_j <- logaddexp(E_j, s_i + E_{j-1}), as it is commonly written
    scan       the same table filled order by order, one logcumsumexp over all labels an order
    divide     divide and conquer: Berrada, Zisserman, Kumar, Smooth Loss Functions for Deep Top-k
               Classification, ICLR 2018, section 4, PyTorch.  Forward: a tree of products of
               polynomials, coefficients as logarithms.  Backward: O(k) a label from the
               coefficients alone, de_j/dx_i = e_{j-1} - x_i de_{j-1}/dx_i, and where that
               difference cancels, the first terms of the series e_j / x_i - e_{j+1} / x_i^2 + ...
    scipy      scipy.stats.poisson_binom: the probability of k successes with p_i = sigma(s_i - c)
               is Z_k e^{-k c} prod(1 - p_i); c such that sum p_i = k.  The value alone: a gradient
               would need n more distributions, of all labels but one
    newton     the recursion of Newton's identities as document 002 prints it (eq. 3), NumPy, and
               dZ_k/dx_i = sum_m (-x_i)^m Z_{k-1-m}

Each maker takes the NumPy arrays and returns a call without arguments: what the call does is timed,
what the maker does is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Result = tuple[Any, Any]
Maker = Callable[[np.ndarray, np.ndarray, int], Callable[[], Result]]

# An empty table entry.  Not -inf: the gradient of logaddexp(-inf, -inf) is nan.
EMPTY = -1e30
# Where the authors' published code takes the backward recursion for unstable: the two parts of the
# difference agree to this share of their logarithm.
UNSTABLE = 1e-5


@dataclass(frozen=True)
class Contender:
    """A way to compute value and gradient.

    library: what it needs.  exact: whether its result must agree with ours to rounding; where it is
    known not to, its error is shown and no more.  gradient: False where it has none.  doubles:
    whether it knows float64 only.
    """

    name: str
    library: str
    make: Maker
    exact: bool = True
    gradient: bool = True
    doubles: bool = False


def _with_autograd(log_partition: Callable[[Any, int], Any]) -> Maker:
    """Value by the function, gradient by PyTorch's reverse mode through it."""

    def make(scores: np.ndarray, labels: np.ndarray, k: int) -> Callable[[], Result]:
        import torch

        leaf = torch.from_numpy(scores).requires_grad_()
        positive = torch.from_numpy(labels)

        def call() -> Result:
            value = log_partition(leaf, k) - (positive * leaf).sum(dim=1)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
            return value.detach(), gradient

        return call

    return make


def recursion(scores: Any, k: int) -> Any:
    """log Z_k of rows (batch, n), label by label: (batch,)."""
    import torch

    table = torch.full((scores.shape[0], k + 1), EMPTY, dtype=scores.dtype)
    table[:, 0] = 0
    for score in scores.split(1, dim=1):
        taken = torch.logaddexp(table[:, 1:], table[:, :-1] + score)
        table = torch.cat([table[:, :1], taken], dim=1)
    return table[:, k]


def scan(scores: Any, k: int) -> Any:
    """log Z_k of rows (batch, n), order by order: entry i of order j is log e_j(x_1 .. x_{i+j})."""
    import torch

    order = torch.logcumsumexp(scores, dim=1)
    for j in range(1, k):
        order = torch.logcumsumexp(scores[:, j:] + order[:, :-1], dim=1)
    return order[:, -1]


def log_multiply(left: Any, right: Any, most: int) -> Any:
    """Products of polynomials with log coefficients (orders, batch, nodes), up to order most."""
    import torch

    degree = left.shape[0] - 1
    return torch.stack(
        [
            torch.logsumexp(left[low : high + 1] + right[c - high : c - low + 1].flip(0), dim=0)
            for c in range(min(most, 2 * degree) + 1)
            for low, high in [(max(0, c - degree), min(c, degree))]
        ]
    )


def log_coefficients(scores: Any, most: int) -> Any:
    """log e_j of rows (batch, n) for j = 0..most by a tree of products: (most + 1, batch)."""
    import torch

    nodes = torch.stack([torch.zeros_like(scores), scores])
    while nodes.shape[2] > 1:
        if nodes.shape[2] % 2:
            one = torch.full_like(nodes[:, :, :1], -torch.inf)
            one[0] = 0
            nodes = torch.cat([nodes, one], dim=2)
        nodes = log_multiply(nodes[:, :, ::2], nodes[:, :, 1::2], most)
    return nodes[:, :, 0]


def _log_alternating(terms: list[Any], empty: Any) -> tuple[Any, Any]:
    """log of the even and of the odd terms' sum, the terms given as logarithms."""
    import torch

    even, odd = terms[::2], terms[1::2]
    return (
        torch.logsumexp(torch.stack(even), dim=0),
        torch.logsumexp(torch.stack(odd), dim=0) if odd else empty,
    )


def inclusion(scores: Any, coefficients: Any, k: int, extra: int) -> Any:
    """x_i de_k/dx_i / e_k, the backward pass of the paper: (batch, n)."""
    import torch

    e = coefficients[:, :, None]
    nothing = torch.full_like(scores, EMPTY)
    plus, minus = _log_alternating([e[k - 1 - m] + m * scores for m in range(k)], nothing)
    unstable = (plus - minus) / (minus.abs() + UNSTABLE) < UNSTABLE
    if bool(unstable.any()):
        rows, _ = torch.nonzero(unstable, as_tuple=True)
        x, near = scores[unstable], coefficients[:, rows]
        series = [near[k + m] - (m + 1) * x for m in range(extra)]
        plus_near, minus_near = _log_alternating(series, torch.full_like(x, EMPTY))
        plus, minus = plus.clone(), minus.clone()
        plus[unstable], minus[unstable] = plus_near, minus_near
    difference = plus + torch.log(-torch.expm1(minus - plus))
    return torch.exp(difference + scores - e[k])


def divide(scores: np.ndarray, labels: np.ndarray, k: int) -> Callable[[], Result]:
    """Divide and conquer.  The series has 1 + k/5 terms, as in the authors' published code."""
    import torch

    s, y = torch.from_numpy(scores), torch.from_numpy(labels)
    extra = 1 + k // 5
    if k + extra - 1 > scores.shape[1]:
        raise ValueError(f"needs coefficients up to order {k + extra - 1} of {scores.shape[1]}")

    def call() -> Result:
        with torch.no_grad():
            coefficients = log_coefficients(s, k + extra - 1)
            value = coefficients[k] - (y * s).sum(dim=1)
            return value, inclusion(s, coefficients, k, extra) - y

    return call


def tilt(scores: np.ndarray, k: int) -> np.ndarray:
    """c of each row with sum_i sigma(s_i - c) = k, by bisection: (batch, 1)."""
    from scipy.special import expit

    # At the lower end each p_i >= k / n, at the upper end each p_i <= k / n.
    centre = np.log(max(scores.shape[1] - k, 0.5) / k)
    low = scores.min(axis=1, keepdims=True) + centre - 1
    high = scores.max(axis=1, keepdims=True) + centre + 1
    # 50 halvings: the tilt need not be exact, the identity holds for every c.
    for _ in range(50):
        middle = (low + high) / 2
        many = expit(scores - middle).sum(axis=1, keepdims=True) > k
        low, high = np.where(many, middle, low), np.where(many, high, middle)
    return (low + high) / 2


def poisson_binomial(scores: np.ndarray, labels: np.ndarray, k: int) -> Callable[[], Result]:
    """The value from scipy's distribution of the number of successes; the tilt is not timed."""
    from scipy.special import expit
    from scipy.stats import poisson_binom

    c = tilt(scores, k)

    def call() -> Result:
        centred = scores - c
        chance = poisson_binom.pmf(k, expit(centred))
        rest = np.logaddexp(0, centred).sum(axis=1) + k * c[:, 0]
        return np.log(chance) + rest - (labels * scores).sum(axis=1), None

    return call


def newton(scores: np.ndarray, labels: np.ndarray, k: int) -> Callable[[], Result]:
    """Newton's recursion in the dtype of the scores."""

    def call() -> Result:
        x = np.exp(scores)
        powers, sums = x.copy(), []
        for _ in range(k):
            sums.append(powers.sum(axis=1))
            powers *= x
        z = [np.ones_like(sums[0])]
        for j in range(1, k + 1):
            terms = [(-1) ** m * z[j - 1 - m] * sums[m] for m in range(j)]
            z.append(sum(terms[1:], terms[0]) / j)
        slope = np.ones_like(x)
        for j in range(1, k):
            slope = z[j][:, None] - x * slope
        value = np.log(z[k]) - (labels * scores).sum(axis=1)
        return value, x * slope / z[k][:, None] - labels

    return call


CONTENDERS = (
    Contender("recursion, autograd", "torch", _with_autograd(recursion)),
    Contender("scan, autograd", "torch", _with_autograd(scan)),
    Contender("divide and conquer", "torch", divide, exact=False),
    Contender("poisson_binom, value", "scipy", poisson_binomial, gradient=False, doubles=True),
    Contender("Newton", "numpy", newton, exact=False),
)
