"""Two numbers enclosed in Arb balls at stated inputs, and what the balls say of them.

Balls that do not meet are certainly different; balls that agree to d digits confirm an equality to
d digits and prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flint import arb, ctx

__all__ = ["BITS", "Enclosure"]

# 256 bits are 77 digits: a confirmed equality is stated to at most half of them.
BITS = 256
# An equality that fewer digits confirm may well be none.
LEAST_DIGITS = 30

_RELATIONS: dict[str, Callable[[arb, arb], bool]] = {
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
}

_CONTRARIES: dict[str, Callable[[arb, arb], bool]] = {
    "<": lambda a, b: bool(a >= b),
    ">": lambda a, b: bool(a <= b),
}


@dataclass(frozen=True)
class Enclosure:
    """``left relation right`` at the inputs that ``where`` tells; relations are ``=, <, >``.

    ``names`` are what the two sides are called.
    """

    where: str
    left: arb
    relation: str
    right: arb
    names: tuple[str, str] = ("left", "right")

    @property
    def holds(self) -> bool:
        """Certainly, for an inequality; to `digits` digits for an equality."""
        if self.relation == "=":
            return self.digits >= LEAST_DIGITS
        return _RELATIONS[self.relation](self.left, self.right)

    @property
    def fails(self) -> bool:
        """Certainly."""
        if self.relation == "=":
            return not self.left.overlaps(self.right)
        return _CONTRARIES[self.relation](self.left, self.right)

    @property
    def digits(self) -> int:
        """To how many digits the two balls agree."""
        with ctx.workprec(BITS):
            if not self.left.overlaps(self.right):
                return 0
            return int(min(x.rel_accuracy_bits() for x in (self.left, self.right)) * 0.30103)

    def describe(self) -> str:
        """One line: the inputs and the digits of both sides."""
        first, second = (x.str(12, radius=False) for x in (self.left, self.right))
        return f"{self.where}: {self.names[0]} {first}, {self.names[1]} {second}"

    def mutants(self) -> Iterator[tuple[str, Enclosure]]:
        """The same numbers related in another way, and numbers changed in sign or by a factor."""
        if self.relation == "=":
            changed = self.right * (1 + arb(10) ** -LEAST_DIGITS)
            yield f"digit {LEAST_DIGITS} of the {self.names[1]}", replace(self, right=changed)
        else:
            turned = {"<": ">", ">": "<"}[self.relation]
            yield f"{turned} in place of {self.relation}", replace(self, relation=turned)
            yield f"= in place of {self.relation}", replace(self, relation="=")
        for change, factor in (("sign", arb(-1)), ("factor 2", arb(2)), ("factor 1/2", arb(0.5))):
            yield f"{change} on the {self.names[0]}", replace(self, left=factor * self.left)
            yield f"{change} on the {self.names[1]}", replace(self, right=factor * self.right)
