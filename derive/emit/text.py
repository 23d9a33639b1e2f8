"""Formulas as plain text, and the words that every emitted file begins with."""

from __future__ import annotations

from textwrap import wrap

from sympy import E, Expr, Mul, Pow, exp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from derive.axis import Index
from derive.coefficients import Coefficient
from derive.emit.formula import Formula, Result
from derive.notation import TextOfAxes

# Width of the formula in a docstring; four spaces stand before it.
WIDTH = 92


class TextPrinter(TextOfAxes, StrPrinter):
    """``sum_j t_j e^(-s_j)``: one line that can be read aloud."""

    # Indexed entries bring their own text for SymPy's method name; this one has its own.
    printmethod = "_text"
    SUM, PRODUCT, DELTA = "sum", "prod", "delta"

    def _over(self, sign: str, index: Index, body: Expr) -> str:
        return f"{sign}_{index} {self.parenthesize(body, PRECEDENCE['Mul'])}"

    def _print_Coefficient(self, node: Coefficient) -> str:
        series, z, order = node.args
        above = self._print(order) if order.is_Atom else f"({self._print(order)})"
        return f"[{z}^{above}] {self.parenthesize(series, PRECEDENCE['Mul'])}"

    def _print_ExpBase(self, node: exp) -> str:
        return f"e^{self.parenthesize(node.args[0], PRECEDENCE['Atom'])}"

    _print_exp = _print_ExpBase

    def _print_Pow(self, node: Pow, rational: bool = False) -> str:
        if node.base == E:
            return self._print_ExpBase(exp(node.exp, evaluate=False))
        if node.exp.is_Rational and not (node.exp.is_Integer and node.exp > 1):
            return str(super()._print_Pow(node, rational))
        sides = (self.parenthesize(side, PRECEDENCE["Atom"], strict=True) for side in node.args)
        return "^".join(sides)

    def _print_Mul(self, node: Mul) -> str:
        return str(super()._print_Mul(node)).replace("*", " ")


def text(expression: Expr) -> str:
    """The expression on one line."""
    return str(TextPrinter().doprint(expression))


def header(formula: Formula, target: str) -> list[str]:
    """The comment at the top of an emitted file."""
    claims = f" Rests on the claims {', '.join(formula.claims)}." if formula.claims else ""
    words = f"Emitted by lossproof from the derived formula, target {target}.{claims}"
    return [*(f"# {line}" for line in wrap(words, WIDTH)), ""]


def equation(result: Result) -> str:
    """``name_i = expression``."""
    below = f"_{''.join(map(str, result.outputs))}" if result.outputs else ""
    return f"{result.name}{below} = {text(result.expression)}"


def documentation(formula: Formula, shapes: list[str]) -> list[str]:
    """The docstring of an emitted function, indented."""
    equations = [
        f"    {line}"
        for result in formula.results
        for line in wrap(equation(result), WIDTH - 4, subsequent_indent="    ")
    ]
    title = [*wrap(formula.doc, WIDTH), ""] if formula.doc else []
    lines = [*title, *equations, "", *wrap(" ".join(shapes), WIDTH)]
    if not title:
        lines = [f"{formula.name.replace('_', ' ')}:", "", *lines]
    padded = [f"    {line}" if line else "" for line in lines]
    padded[0] = f'    """{lines[0]}'
    return [*padded, '    """']
