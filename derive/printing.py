"""Expressions as one line of text and as LaTeX, in the notation of the field.

Sums over a whole axis are written ``sum_j`` without limits, entries ``s_i``, deltas ``delta_ij``,
in the documents' order, ``1 + sum_j t_j e^{-s_j}``: what is added comes before what is taken away,
short terms before long ones, labels before exponentials before sums. In LaTeX
``1 / (1 + e^{-x})`` is written ``sigma(x)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
    log,
)
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from derive.axis import Index
from derive.calculus import Partial, opened, over
from derive.coefficients import Bound, Coefficient, OrderSum
from derive.facts import single_subscripts
from derive.notation import LatexOfPieces, TextOfAxes


class _TextPrinter(TextOfAxes, StrPrinter):
    """One line of Unicode text."""

    # A name that no SymPy class answers to, or Indexed would print itself.
    printmethod = "_loss_text"
    SUM, PRODUCT, DELTA = "Σ", "Π", "δ"

    def _over(self, sign: str, index: Index, body: Expr) -> str:
        return f"{sign}_{index}({self._print(body)})"

    def _print_Abs(self, expression: Abs) -> str:
        return f"|{self._print(expression.args[0])}|"

    def _print_Coefficient(self, expression: Coefficient) -> str:
        series = self._print(expression.series)
        # A product over an axis has brackets of its own; what else is meant must be seen.
        series = series if isinstance(expression.series, Product) else f"({series})"
        return f"[{expression.bound.name}^{self._raised(expression.order)}] {series}"

    def _raised(self, order: Expr) -> str:
        text = self._print(order)
        return text if order.is_Atom else f"({text})"

    def _print_OrderSum(self, expression: OrderSum) -> str:
        index, first, last = (self._print(part) for part in expression.args[1:])
        last = "∞" if expression.last is S.Infinity else last
        return f"Σ_{{{index}={first}..{last}}}({self._print(expression.summand)})"

    def _print_Add(self, expression: Add, order: str | None = None) -> str:
        return _added(expression, self._print)

    def _print_Mul(self, expression: Mul) -> str:
        negative, positive = _signed(expression)
        number, above, below = _numerator_and_denominator(positive)
        top = self._row([Rational(number.p)], above) or "1"
        under = self._row([Rational(number.q)], [1 / f for f in below])
        if under and len(below) + (number.q != 1) > 1:
            under = f"({under})"
        return ("-" if negative else "") + (f"{top}/{under}" if under else top)

    def _row(self, numbers: list[Expr], factors: Iterable[Expr]) -> str:
        """Factors with a star between them, without a factor 1."""
        row = [f for f in (*numbers, *factors) if f != 1]
        return "*".join(self.parenthesize(f, PRECEDENCE["Mul"], strict=True) for f in row)

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


class _LatexPrinter(LatexOfPieces, LatexPrinter):
    """LaTeX without the limits of whole axes and without braces around letters."""

    printmethod = "_loss_latex"
    _in_exponent = False

    def _print_Sum(self, expression: Sum) -> str:
        negative, positive = _signed(expression)
        return ("- " if negative else "") + self._big(r"\sum", positive)

    def _print_Product(self, expression: Product) -> str:
        return self._big(r"\prod", expression)

    def _big(self, operator: str, expression: Sum | Product) -> str:
        index, body = opened(expression)
        return rf"{operator}_{{{index}}} {self.parenthesize(body, PRECEDENCE['Mul'], strict=True)}"

    def _print_Coefficient(self, expression: Coefficient, exp: str | None = None) -> str:
        series = self._print(expression.series)
        if not isinstance(expression.series, Product):
            series = rf"\left({series}\right)"
        text = rf"[{expression.bound.name}^{{{self._print(expression.order)}}}] {series}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _print_OrderSum(self, expression: OrderSum) -> str:
        index, first, last = (self._print(part) for part in expression.args[1:])
        last = r"\infty" if expression.last is S.Infinity else last
        body = self.parenthesize(expression.summand, PRECEDENCE["Mul"], strict=True)
        return rf"\sum_{{{index}={first}}}^{{{last}}} {body}"

    def _print_Add(self, expression: Add, order: str | None = None) -> str:
        return _added(expression, self._print)

    def _print_Mul(self, expression: Mul) -> str:
        negative, positive = _signed(expression)
        number, above, below = _numerator_and_denominator(positive)
        above = [*above, *(f for f in below if _is_sigmoid(f, (*above, *below)))]
        below = [f for f in below if f not in above]
        above.sort(key=_place)
        large = [f for f in above if isinstance(f, Sum | Product | Partial | Bound)]
        small = self._row([Rational(number.p)], [f for f in above if f not in large])
        under = self._row([Rational(number.q)], [1 / f for f in below])
        front = self._bar(small or "1", under) if under else small
        parts = [front, *(rf"\left({self._print(f)}\right)" for f in large[:-1])]
        parts += [self._print(f) for f in large[-1:]]
        return ("- " if negative else "") + " ".join(part for part in parts if part)

    def _bar(self, above: str, below: str) -> str:
        """A fraction; in an exponent on one line."""
        return f"{above}/{below}" if self._in_exponent else rf"\frac{{{above}}}{{{below}}}"

    def _print_ExpBase(self, expression: exp, exp: str | None = None) -> str:
        outside, self._in_exponent = self._in_exponent, True
        text = f"e^{{{self._print(expression.args[0])}}}"
        self._in_exponent = outside
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _row(self, numbers: list[Expr], factors: Iterable[Expr]) -> str:
        """Factors side by side, without a factor 1; brackets around sums of terms."""
        row = [f for f in (*numbers, *factors) if f != 1]
        if len(row) == 1:
            return str(self._print(row[0]))
        return " ".join(self.parenthesize(f, PRECEDENCE["Mul"], strict=True) for f in row)

    def _print_Pow(self, expression: Pow) -> str:
        if not _is_sigmoid(expression, ()):
            return str(super()._print_Pow(expression))
        sigmoid = rf"\sigma({self._print(-(expression.base - 1).args[0])})"
        power = -expression.exp
        if power == Rational(1, 2):
            return rf"\sqrt{{{sigmoid}}}"
        return sigmoid if power == 1 else rf"{sigmoid}^{{{self._print(power)}}}"

    def _print_Indexed(self, expression: Indexed, exp: str | None = None) -> str:
        indices = " ".join(map(str, expression.indices))
        text = single_subscripts(f"{expression.base}_{{{indices}}}")
        return text if exp is None else f"{text}^{{{exp}}}"

    def _print_KroneckerDelta(self, expression: KroneckerDelta, exp: str | None = None) -> str:
        return rf"\delta_{{{''.join(map(str, expression.args))}}}"

    def _print_Partial(self, expression: Partial) -> str:
        inner = self._print(expression.expression)
        below = self._print(expression.variable)
        return rf"\frac{{\partial}}{{\partial {below}}} \left[ {inner} \right]"


#: The order of factors in a product; what is not named stands between entries and logs.
_ORDER: tuple[tuple[type, ...], ...] = (
    (Symbol,),
    (KroneckerDelta,),
    (Indexed,),
    (),
    (log,),
    (exp,),
)


def _place(factor: Expr) -> int:
    core = factor.base if isinstance(factor, Pow) else factor
    named = [place for place, kinds in enumerate(_ORDER) if isinstance(core, kinds)]
    return named[0] if named else _ORDER.index(())


def _added(expression: Add, write: Callable[[Expr], str]) -> str:
    """Terms with their signs, what is added first, short before long, sums last."""
    signed = [_signed(term) for term in expression.as_ordered_terms("lex")]
    written = [(sign, term, str(write(term))) for sign, term in signed]
    written.sort(key=lambda w: (w[0], not w[1].is_Number, w[1].has(Sum), len(w[2])))
    line = "".join((" - " if sign else " + ") + text for sign, _, text in written)
    return line.removeprefix(" + ").removeprefix(" ")


def _numerator_and_denominator(product: Expr) -> tuple[Rational, list[Expr], list[Expr]]:
    """The number, the factors above the bar in the order of reading, and those below it."""
    number, factors = product.as_coeff_mul()
    below = [f for f in factors if _is_below(f)]
    above = sorted((f for f in factors if f not in below), key=_place)
    return number, above, below


def _signed(term: Expr) -> tuple[bool, Expr]:
    """Whether the term is taken away, and the term without that sign; ``(x - 1) y`` is."""
    number, factors = term.as_coeff_mul()
    turned = [_turned(factor) for factor in factors]
    negative = bool(number.is_negative) != bool(sum(sign for sign, _ in turned) % 2)
    kept = Mul(abs(number), *(factor for _, factor in turned), evaluate=False)
    return negative, kept if len(kept.args) != 2 or number not in (1, -1) else kept.args[1]


def _turned(factor: Expr) -> tuple[bool, Expr]:
    """The sign in front of a bracket or a sum, and the bracket or sum without it."""
    if isinstance(factor, Sum):
        index, body = opened(factor)
        negative, positive = _signed(body)
        return negative, over(factor, index, positive) if negative else factor
    negative = isinstance(factor, Add) and bool(factor.as_coeff_Add()[0].is_negative)
    return negative, -factor if negative else factor


def _is_below(factor: Expr) -> bool:
    """A factor that is written under the bar of a fraction."""
    return isinstance(factor, Pow) and factor.exp.is_Rational and bool(factor.exp.is_negative)


def _is_sigmoid(factor: Expr, beside: Iterable[Expr]) -> bool:
    """A power of ``1 / (1 + e^x)`` with no exponential beside it that it would be read with."""
    if not _is_below(factor) or any(isinstance(other, exp) for other in beside):
        return False
    return isinstance(factor.base - 1, exp)


#: Constants first, so that ``1 + sum`` reads as in the documents.
_SETTINGS = {"order": "rev-lex"}
_LATEX_SETTINGS = {**_SETTINGS, "fold_func_brackets": True}


def text(expression: Expr) -> str:
    """The expression on one line, such as ``log(1 + Σ_k t_k*e^(-s_k))``."""
    return str(_TextPrinter(_SETTINGS).doprint(expression))


def latex(expression: Expr) -> str:
    """The expression in LaTeX, without surrounding dollars."""
    return str(_LatexPrinter(_LATEX_SETTINGS).doprint(expression))
