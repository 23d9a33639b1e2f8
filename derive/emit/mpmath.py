"""Target ``mpmath``: one row, lists of mpf, the plain formula at the working precision.

No rule is applied: with enough digits the plain formula is right, and it is then independent of
every rewriting. Sums that hold for the whole row are taken once, before the loop over the output.
A coefficient ``[z^m] F`` is read off ``F`` itself, computed on power series cut off after ``z^m``.
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

from derive.axis import Index
from derive.calculus import free_indices, opened
from derive.coefficients import Coefficient, is_power_series
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.text import documentation, header
from derive.named import named_reductions
from derive.ramps import Largest, leads, ramp, step

FUNCTIONS = {exp: "mpmath.exp", log: "mpmath.log", Abs: "abs", tanh: "mpmath.tanh"}
CHOICES = {Max: "max", Min: "min"}

# Brought along by files with coefficients: power series, as lists of their first terms.
SERIES = '''
class Series:
    """A power series in z, cut off: the list of its coefficients from order 0 on."""

    def __init__(self, terms):
        self.terms = terms

    def like(self, other):
        if isinstance(other, Series):
            return other.terms
        return [mpmath.mpf(other)] + [mpmath.mpf(0)] * (len(self.terms) - 1)

    def __add__(self, other):
        return Series([a + b for a, b in zip(self.terms, self.like(other))])

    def __mul__(self, other):
        a, b = self.terms, self.like(other)
        return Series([mpmath.fdot(a[: m + 1], b[m::-1]) for m in range(len(a))])

    def __neg__(self):
        return Series([-a for a in self.terms])

    def __sub__(self, other):
        return self + -Series(self.like(other))

    def __rsub__(self, other):
        return Series(self.like(other)) - self

    def __rtruediv__(self, other):
        found = []
        for m, above in enumerate(self.like(other)):
            below = mpmath.fdot(self.terms[1 : m + 1], found[::-1])
            found.append((above - below) / self.terms[0])
        return Series(found)

    def __truediv__(self, other):
        return self * (1 / Series(self.like(other)))

    def __pow__(self, power):
        return product(self for _ in range(power))

    __radd__, __rmul__ = __add__, __mul__


def product(factors):
    value = mpmath.mpf(1)
    for factor in factors:
        value = value * factor
    return value


def coefficient(series, order):
    """The coefficient of that order of series(z), 0 for a negative one."""
    order = int(order)
    if order < 0:
        return mpmath.mpf(0)
    z = Series([mpmath.mpf(m == 1) for m in range(order + 1)])
    return z.like(series(z))[order]
'''.strip("\n").splitlines()


class MpmathPrinter(StrPrinter):
    """Python text over lists of mpf; nothing is evaluated in machine floats."""

    # Indexed entries bring their own text for SymPy's method name; this one has its own.
    printmethod = "_mpmath"

    def __init__(self, lengths: Collection[Symbol], names: Iterator[str]) -> None:
        super().__init__()
        self.lengths, self.names = lengths, names
        self.in_series = self.has_series = False
        # Exponentials inside a series are met once for each coefficient: lists of them, by text.
        self.lists: dict[str, str] = {}

    def _print_Indexed(self, node: Indexed) -> str:
        return str(node.base) + "".join(f"[{self._print(index)}]" for index in node.indices)

    def _print_Sum(self, node: Sum) -> str:
        return self._aggregate("sum" if self.in_series else "mpmath.fsum", node)

    def _print_Product(self, node: Product) -> str:
        return self._aggregate("product" if self.in_series else "mpmath.fprod", node)

    def _print_Coefficient(self, node: Coefficient) -> str:
        series, z, order = node.args
        if self.in_series or not is_power_series(series, z):
            raise UnsupportedNode(node, "mpmath")
        self.in_series = self.has_series = True
        inner = self._print(series)
        self.in_series = False
        return f"coefficient(lambda {z}: {inner}, {self._print(order)})"

    def _print_exp(self, node: exp) -> str:
        indices = free_indices(node)
        if not self.in_series or len(indices) != 1:
            return self._print_Function(node)
        (index,) = indices
        home = index.axis.fresh(())
        entries = self._print_Function(node.xreplace({index: home}))
        text = f"[{entries} for {home} in range({index.axis.size})]"
        if text not in self.lists:
            self.lists[text] = next(self.names)
        return f"{self.lists[text]}[{index}]"

    _print_ExpBase = _print_exp

    def _aggregate(self, function: str, node: Sum | Product) -> str:
        index, body = opened(node)
        return f"{function}({self._print(body)} for {index} in range({index.axis.size}))"

    def _print_Function(self, node: Function) -> str:
        names = {**FUNCTIONS, **CHOICES}
        if type(node) not in names:
            raise UnsupportedNode(node, "mpmath")
        return f"{names[type(node)]}({', '.join(map(self._print, node.args))})"

    def _print_Largest(self, node: Largest) -> str:
        index, body = opened(node)
        return f"max({self._print(body)} for {index} in range({index.axis.size}))"

    def _print_leads(self, node: leads) -> str:
        largest, place = node.args
        index, body = opened(largest)
        entries = f"range({index.axis.size}), key=lambda {index}: {self._print(body)}"
        return f"int({place} == max({entries}))"

    def _print_step(self, node: step) -> str:
        return f"int({self._print(node.args[0])} > 0)"

    def _print_ramp(self, node: ramp) -> str:
        return f"max({self._print(node.args[0])}, 0)"

    _print_log = _print_Abs = _print_Function
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
    form = named_reductions(
        [(result.expression, result.outputs) for result in formula.results], _names(formula, "sum")
    )
    printer = MpmathPrinter([axis.size for axis in formula.sizes()], _names(formula, "exp"))
    sizes = [
        f"{axis.size} = len({array}{'[0]' * (_rank(formula, array) + place)})"
        for axis, (array, place) in formula.sizes().items()
    ]
    sums = [_assigned(printer, name, total) for name, total in form.sums]
    listed = [
        _listed(printer.doprint(entry), result.outputs)
        for entry, result in zip(form.elementwise, formula.results, strict=True)
    ]
    limits = formula.limits("len({array})")
    lists = [f"{name} = {text}" for text, name in printer.lists.items()]
    shapes = ["One row; arrays are lists, a result has one level of list for each output index."]
    function = [
        *([*SERIES, "", ""] if printer.has_series else []),
        f"def {formula.name}({formula.signature()}):",
        *documentation(formula, shapes),
        *(f"    {line}" for line in [*limits, *sizes, *lists, *sums, *_returned(listed, formula)]),
    ]
    return "\n".join([*header(formula, "mpmath"), "import mpmath", "", "", *function]) + "\n"


def _returned(listed: list[str], formula: Formula) -> list[str]:
    """The last lines: each of several results has one."""
    if len(listed) == 1:
        return [f"return {listed[0]}"]
    names = [result.name for result in formula.results]
    lines = [f"{name} = {text}" for name, text in zip(names, listed, strict=True)]
    return [*lines, f"return {', '.join(names)}"]


def _assigned(printer: MpmathPrinter, name: Symbol | Indexed, total: Expr) -> str:
    """The line of a sum: a number, or a list with an entry for each index of its name."""
    if isinstance(name, Indexed):
        return f"{name.base} = {_listed(printer.doprint(total), name.indices)}"
    return f"{name} = {printer.doprint(total)}"


def _listed(entry: str, indices: tuple[Index, ...]) -> str:
    for index in reversed(indices):
        entry = f"[{entry} for {index} in range({index.axis.size})]"
    return entry


def _rank(formula: Formula, array: str) -> int:
    ranks = (len(entry.indices) for entry in formula.entries() if str(entry.base) == array)
    return next(ranks, 1)


def _names(formula: Formula, stem: str) -> Iterator[str]:
    """stem_1, stem_2, ... except what the arguments are called."""
    taken = {str(argument) for argument in formula.arguments}
    number = 0
    while True:
        number += 1
        if f"{stem}_{number}" not in taken:
            yield f"{stem}_{number}"
