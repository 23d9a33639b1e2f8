"""Target ``latex``: the sums of a row by name, the formula in terms of them, then as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from sympy import Expr
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

from derive.calculus import resolve
from derive.coefficients import Coefficient
from derive.emit.formula import Formula, Result
from derive.emit.text import header
from derive.named import named_reductions
from derive.notation import LatexOfPieces

# The letters that the documents use for these sums.
LETTERS = "ABCDEFGH"


class CoefficientPrinter(LatexOfPieces, LatexPrinter):
    """SymPy's LaTeX, and ``[z^m] F`` for a coefficient."""

    def _print_Coefficient(self, node: Coefficient) -> str:
        series, z, order = node.args
        inner = self.parenthesize(series, PRECEDENCE["Mul"])
        return f"[{self._print(z)}^{{{self._print(order)}}}] {inner}"


def _latex(expression: Expr) -> str:
    return str(CoefficientPrinter().doprint(expression))


def latex_source(formula: Formula) -> str:
    """An ``align*`` block; it needs the package amsmath."""
    results = formula.results
    form = named_reductions(
        [(result.expression, result.outputs) for result in results], _letters(formula)
    )
    rows = [f"{_latex(name)} &= {_latex(total)}" for name, total in form.sums]
    for result, entry in zip(results, form.elementwise, strict=True):
        rows.append(f"{_left(result)} &= {_latex(entry)}")
        if form.sums:
            rows.append(f"&= {_latex(resolve(result.expression))}")
    comment = [line.replace("#", "%", 1) for line in header(formula, "latex")]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return "\n".join([*comment[:-1], "\\begin{align*}", body, "\\end{align*}"]) + "\n"


def _left(result: Result) -> str:
    name = result.name.replace("_", "\\_")
    below = f"_{{{' '.join(map(str, result.outputs))}}}" if result.outputs else ""
    return f"\\mathrm{{{name}}}{below}"


def _letters(formula: Formula) -> Iterator[str]:
    taken = {str(argument) for argument in formula.arguments}
    yield from (letter for letter in LETTERS if letter not in taken)
    yield from (f"A_{number}" for number in count(1))
