"""Target ``mpmath``: one row, lists of mpf, the plain formula at the working precision.

No rule is applied: with enough digits the plain formula is right, and it is then independent of
every rewriting. Sums that hold for the whole row are taken once, before the loop over the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sympy import (
    Abs,
    Expr,
    Function,
    Indexed,
    KroneckerDelta,
    Max,
    Min,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
    log,
    tanh,
)
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from derive.calculus import opened
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.text import documentation, header
from derive.reduction import named_reductions

FUNCTIONS = {exp: "mpmath.exp", log: "mpmath.log", Abs: "abs", tanh: "mpmath.tanh"}
CHOICES = {Max: "max", Min: "min"}


class MpmathPrinter(StrPrinter):
    """Python text over lists of mpf; nothing is evaluated in machine floats."""

    # Indexed entries bring their own text for SymPy's method name; this one has its own.
    printmethod = "_mpmath"

    def __init__(self, lengths: Collection[Symbol] = ()) -> None:
        super().__init__()
        self.lengths = lengths

    def _print_Indexed(self, node: Indexed) -> str:
        return str(node.base) + "".join(f"[{self._print(index)}]" for index in node.indices)

    def _print_Sum(self, node: Sum) -> str:
        return self._aggregate("mpmath.fsum", node)

    def _print_Product(self, node: Product) -> str:
        return self._aggregate("mpmath.fprod", node)

    def _aggregate(self, function: str, node: Sum | Product) -> str:
        index, body = opened(node)
        return f"{function}({self._print(body)} for {index} in range({index.axis.size}))"

    def _print_Function(self, node: Function) -> str:
        names = {**FUNCTIONS, **CHOICES}
        if type(node) not in names:
            raise UnsupportedNode(node, "mpmath")
        return f"{names[type(node)]}({', '.join(map(self._print, node.args))})"

    _print_ExpBase = _print_exp = _print_log = _print_Abs = _print_Function
    _print_Max = _print_Min = _print_Function

    def _print_KroneckerDelta(self, node: KroneckerDelta) -> str:
        left, right = node.args
        return f"int({left} == {right})"

    def _print_Rational(self, node: Rational) -> str:
        return f"(mpmath.mpf({node.p}) / {node.q})"

    def _print_Half(self, node: Rational) -> str:
        return self._print_Rational(node)

    def _print_Pow(self, node: Pow, rational: bool = False) -> str:
        base = self.parenthesize(node.base, PRECEDENCE["Atom"])
        if node.exp == S.Half:
            return f"mpmath.sqrt({self._print(node.base)})"
        if node.exp.is_Integer:
            # Never an int to a negative power: that would be a machine float.
            return (
                f"{base}**{node.exp}" if node.exp > 0 else f"(mpmath.mpf(1) / {base}**{-node.exp})"
            )
        return f"{base}**{self.parenthesize(node.exp, PRECEDENCE['Atom'])}"

    def _print_Symbol(self, node: Symbol) -> str:
        # A length is an int, and int / int would be a machine float.
        return f"mpmath.mpf({node})" if node in self.lengths else str(node)

    def emptyPrinter(self, node: Expr) -> str:
        raise UnsupportedNode(node, "mpmath")


def mpmath_source(formula: Formula) -> str:
    """A file that imports mpmath alone."""
    form = named_reductions(formula.expression, formula.outputs, _names(formula))
    printer = MpmathPrinter([axis.size for axis in formula.sizes()])
    sizes = [
        f"{axis.size} = len({array}{'[0]' * (_rank(formula, array) + place)})"
        for axis, (array, place) in formula.sizes().items()
    ]
    sums = [f"{name} = {printer.doprint(total)}" for name, total in form.sums]
    result = printer.doprint(form.elementwise)
    for index in reversed(formula.outputs):
        result = f"[{result} for {index} in range({index.axis.size})]"
    shapes = ["One row; arrays are lists, the result has one level of list for each output index."]
    function = [
        f"def {formula.name}({formula.signature()}):",
        *documentation(formula, shapes),
        *(f"    {line}" for line in [*sizes, *sums, f"return {result}"]),
    ]
    return "\n".join([*header(formula, "mpmath"), "import mpmath", "", "", *function]) + "\n"


def _rank(formula: Formula, array: str) -> int:
    return next(len(entry.indices) for entry in formula.entries() if str(entry.base) == array)


def _names(formula: Formula) -> Iterator[str]:
    """sum_1, sum_2, ... except what the arguments are called."""
    taken = {str(argument) for argument in formula.arguments}
    number = 0
    while True:
        number += 1
        if f"sum_{number}" not in taken:
            yield f"sum_{number}"
