"""Expressions as one line of text and as LaTeX, in the notation of the field.

Sums over a whole axis are written ``sum_j`` without limits, entries ``s_i``, deltas ``delta_ij``.
"""

from __future__ import annotations

from sympy import Expr, Indexed, KroneckerDelta, Pow, Product, Sum, exp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from derive.calculus import Partial, opened


class _TextPrinter(StrPrinter):
    """One line of Unicode text."""

    # A name that no SymPy class answers to, or Indexed would print itself.
    printmethod = "_loss_text"

    def _print_Sum(self, expression: Sum) -> str:
        index, body = opened(expression)
        return f"Σ_{index}({self._print(body)})"

    def _print_Product(self, expression: Product) -> str:
        index, body = opened(expression)
        return f"Π_{index}({self._print(body)})"

    def _print_Indexed(self, expression: Indexed) -> str:
        return f"{expression.base.label}_{''.join(map(str, expression.indices))}"

    def _print_KroneckerDelta(self, expression: KroneckerDelta) -> str:
        return f"δ_{''.join(map(str, expression.args))}"

    def _print_exp(self, expression: exp) -> str:
        return f"e^({self._print(expression.args[0])})"

    def _print_Partial(self, expression: Partial) -> str:
        return f"∂/∂{self._print(expression.variable)} [{self._print(expression.expression)}]"

    def _print_Pow(self, expression: Pow, rational: bool = False) -> str:
        return str(super()._print_Pow(expression, rational)).replace("**", "^")

    def _print_Symbol(self, expression: Expr) -> str:
        return {"gamma": "γ", "alpha": "α", "beta": "β", "tau": "τ"}.get(
            expression.name, expression.name
        )


class _LatexPrinter(LatexPrinter):
    """LaTeX without the limits of whole axes and without braces around letters."""

    printmethod = "_loss_latex"

    def _print_Sum(self, expression: Sum) -> str:
        return self._big(r"\sum", expression)

    def _print_Product(self, expression: Product) -> str:
        return self._big(r"\prod", expression)

    def _big(self, operator: str, expression: Sum | Product) -> str:
        index, body = opened(expression)
        return rf"{operator}_{{{index}}} {self.parenthesize(body, PRECEDENCE['Mul'], strict=True)}"

    def _print_Indexed(self, expression: Indexed, exp: str | None = None) -> str:
        text = f"{expression.base}_{{{' '.join(map(str, expression.indices))}}}"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _print_KroneckerDelta(self, expression: KroneckerDelta, exp: str | None = None) -> str:
        return rf"\delta_{{{''.join(map(str, expression.args))}}}"

    def _print_Partial(self, expression: Partial) -> str:
        inner = self._print(expression.expression)
        below = self._print(expression.variable)
        return rf"\frac{{\partial}}{{\partial {below}}} \left[ {inner} \right]"


#: Constants first, so that ``1 + sum`` reads as in the documents.
_SETTINGS = {"order": "rev-lex"}


def text(expression: Expr) -> str:
    """The expression on one line, such as ``log(1 + Σ_k t_k*e^(-s_k))``."""
    return str(_TextPrinter(_SETTINGS).doprint(expression))


def latex(expression: Expr) -> str:
    """The expression in LaTeX, without surrounding dollars."""
    return str(_LatexPrinter(_SETTINGS).doprint(expression))
