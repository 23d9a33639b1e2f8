"""Each piece of code of the documents, line by line, over an :class:`Operations`.

Arrays are ``(batch, n)``, as the last snippet needs them; the constants and the order are those of
the print. Document 7359 has no code for eq. 3, which is run as the recursion that it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["EPSILON", "MASK", "SNIPPETS", "Operations", "Snippet"]

# 7359, Keras code, and 9064, section 9: what is subtracted from a label that is to take no part.
MASK = 1e12
# 9064, section 9: the default of `epsilon`.
EPSILON = 1e-7


class Operations(Protocol):
    """What the snippets ask of a library beside arithmetic and comparison."""

    def exp(self, x: Any) -> Any:
        """Entry by entry."""

    def log(self, x: Any) -> Any:
        """Entry by entry."""

    def clip(self, x: Any, low: float, high: float) -> Any:
        """Entry by entry into [low, high]."""

    def zeros_like(self, x: Any) -> Any:
        """Zeros of the same shape and dtype."""

    def join(self, parts: list[Any]) -> Any:
        """Side by side along axis 1."""

    def total(self, x: Any) -> Any:
        """The sum along axis 1."""

    def log_sum_exp(self, x: Any) -> Any:
        """``log sum e^x`` along axis 1, as the library has it."""

    def single(self, mask: Any) -> Any:
        """Booleans as float32 numbers 0 and 1."""

    def where(self, mask: Any, number: float, x: Any) -> Any:
        """The number where the mask holds, else the entry of x."""


def hard(lib: Operations, labels: Any, scores: Any, mask: float = MASK) -> Any:
    """7359: a sign for each label, masks by a large constant, the zero at the end."""
    signed = (1 - 2 * labels) * scores
    negatives = signed - labels * mask
    positives = signed - (1 - labels) * mask
    zeros = lib.zeros_like(signed[:, :1])
    sides = (lib.join([side, zeros]) for side in (negatives, positives))
    first, second = (lib.log_sum_exp(side) for side in sides)
    return first + second


def soft(lib: Operations, labels: Any, scores: Any) -> Any:
    """9064, section 9: labels are clipped, then asked whether they are outside the clip."""
    clipped = lib.clip(labels, EPSILON, 1 - EPSILON)
    return _less_masks(lib, clipped, clipped, scores)


def soft_asked(lib: Operations, labels: Any, scores: Any) -> Any:
    """The same code, the labels as they were before the clip asked."""
    clipped = lib.clip(labels, EPSILON, 1 - EPSILON)
    return _less_masks(lib, clipped, labels, scores)


def soft_set(lib: Operations, labels: Any, scores: Any) -> Any:
    """9064, the text: what is to take no part is set to a large negative number."""
    clipped = lib.clip(labels, EPSILON, 1 - EPSILON)
    first, second = -scores + lib.log(clipped), scores + lib.log(1 - clipped)
    first = lib.where(labels < EPSILON, -MASK, first)
    second = lib.where(labels > 1 - EPSILON, -MASK, second)
    return _with_zero(lib, first) + _with_zero(lib, second)


def _less_masks(lib: Operations, clipped: Any, asked: Any, scores: Any) -> Any:
    first = -scores + lib.log(clipped)
    first = first - lib.single(asked < EPSILON) * MASK
    one = _with_zero(lib, first)
    second = scores + lib.log(1 - clipped)
    second = second - lib.single(asked > 1 - EPSILON) * MASK
    return one + _with_zero(lib, second)


def _with_zero(lib: Operations, x: Any) -> Any:
    return lib.log_sum_exp(lib.join([lib.zeros_like(x[:, :1]), x]))


def subsets(lib: Operations, labels: Any, scores: Any) -> Any:
    """7359, eq. 2 and 3: ``m Z_m = Z_{m-1} S_1 - Z_{m-2} S_2 + ...``, k positives in each row."""
    k = int(float(labels[0].sum()))
    powers = [lib.total(lib.exp(m * scores)) for m in range(1, k + 1)]
    partition: list[Any] = [1]
    for m in range(1, k + 1):
        terms = [(-1) ** (p - 1) * partition[m - p] * powers[p - 1] for p in range(1, m + 1)]
        partition.append(sum(terms[1:], terms[0]) / m)
    chosen = [scores[:, place] for place in range(scores.shape[1]) if float(labels[0, place]) == 1]
    return lib.log(partition[k]) - sum(chosen[1:], chosen[0])


@dataclass(frozen=True)
class Snippet:
    """A piece of code: its name, where it is printed, the loss that it is to compute."""

    name: str
    place: str
    loss: str
    run: Callable[[Operations, Any, Any], Any]


SNIPPETS: dict[str, Snippet] = {
    snippet.name: snippet
    for snippet in (
        Snippet("7359 code", "document 7359, Keras code", "soft_zlpr", hard),
        Snippet("7359 eq. 3", "document 7359, eq. 2 and 3", "combination_softmax", subsets),
        Snippet("9064 code", "document 9064, section 9", "soft_zlpr", soft),
        Snippet("9064 asked", "the same, labels asked before the clip", "soft_zlpr", soft_asked),
        Snippet("9064 text", "the same, masks set as the text says", "soft_zlpr", soft_set),
    )
}
