"""What all printers write alike: aggregates of an axis, ramps, steps and the largest entry.

``max(x, 0)`` for a ramp, ``[x > 0]`` for a step, ``max_k`` for the largest entry of an axis and
``[i = argmax_k ...]`` for its place. An aggregate has no limits, as an axis is always taken whole.
"""

from __future__ import annotations

from typing import Any

from sympy import Expr, Indexed, KroneckerDelta, Product, Sum
from sympy.printing.precedence import PRECEDENCE

from derive.axis import Index
from derive.calculus import opened
from derive.ramps import Largest, leads, ramp, step

__all__ = ["LatexOfPieces", "TextOfAxes"]


class _Printer:
    """What the methods below have from SymPy's printer beside them, which finds them by name."""

    _print: Any
    parenthesize: Any


class TextOfAxes(_Printer):
    """One line of text: how each sign is called, and how a body stands behind it."""

    SUM: str
    PRODUCT: str
    DELTA: str

    def _over(self, sign: str, index: Index, body: Expr) -> str:
        """The sign of an aggregate, its index and what it is taken of."""
        raise NotImplementedError

    def _print_Sum(self, node: Sum) -> str:
        return self._over(self.SUM, *opened(node))

    def _print_Product(self, node: Product) -> str:
        return self._over(self.PRODUCT, *opened(node))

    def _print_Largest(self, node: Largest) -> str:
        return self._over("max", *opened(node))

    def _print_leads(self, node: leads) -> str:
        largest, place = node.args
        return f"[{place} = arg{self._print(largest)}]"

    def _print_step(self, node: step) -> str:
        return f"[{self._print(node.args[0])} > 0]"

    def _print_ramp(self, node: ramp) -> str:
        return f"max({self._print(node.args[0])}, 0)"

    def _print_Indexed(self, node: Indexed) -> str:
        return f"{node.base.label}_{''.join(map(str, node.indices))}"

    def _print_KroneckerDelta(self, node: KroneckerDelta) -> str:
        return f"{self.DELTA}_{''.join(map(str, node.args))}"


class LatexOfPieces(_Printer):
    """LaTeX; ``exp`` is the exponent that SymPy hands to what it raises to a power."""

    def _print_Largest(self, node: Largest) -> str:
        index, body = opened(node)
        return rf"\max_{{{index}}} {self.parenthesize(body, PRECEDENCE['Mul'])}"

    def parenthesize(self, item: Expr, level: int, *how: bool, **named: bool) -> str:
        """Brackets as SymPy sets them, and around a largest entry that is raised to a power."""
        if isinstance(item, Largest) and level > PRECEDENCE["Mul"]:
            return rf"\left({self._print(item)}\right)"
        return str(super().parenthesize(item, level, *how, **named))

    def _print_leads(self, node: leads, exp: str | None = None) -> str:
        largest, place = node.args
        inner = self._print(largest).removeprefix(r"\max")
        return _raised(rf"\left[{place} = \operatorname{{argmax}}{inner}\right]", exp)

    def _print_step(self, node: step, exp: str | None = None) -> str:
        return _raised(rf"\left[{self._print(node.args[0])} > 0\right]", exp)

    def _print_ramp(self, node: ramp, exp: str | None = None) -> str:
        return _raised(rf"\max\left({self._print(node.args[0])}, 0\right)", exp)


def _raised(base: str, exponent: str | None) -> str:
    return base if exponent is None else f"{base}^{{{exponent}}}"
