"""Where an exponential stands in a sigmoid, which no score brings out of range.

e^{r x} / (1 + e^x)^k = sigmoid(x)^r sigmoid(-x)^{k-r}      0 <= r <= k
(1 + e^x)^{-g} = sigmoid(-x)^g                              for any g
"""

from __future__ import annotations

from sympy import Add, Dummy, Expr, Pow, S, expand
from sympy import exp as exponential

from derive.branches import nodes_of
from derive.nodes import sigmoid
from derive.reduction import is_reciprocal
from derive.scaled import term_count


def take_sigmoids(
    exponent: Expr, divisors: list[tuple[Expr, int]]
) -> tuple[Expr, list[Expr], list[tuple[Expr, int]]]:
    """``e^{r x} / (1 + e^x)^k = sigmoid(x)^r sigmoid(-x)^{k-r}`` wherever ``0 <= r <= k``."""
    sigmoids, rest = [], []
    for base, power in divisors:
        x = one_plus_exp(base)
        if x is None:
            rest.append((base, power))
            continue
        r = min(range(power + 1), key=lambda k: term_count(exponent - k * x))
        exponent = expand(exponent - r * x)
        sigmoids += [sigmoid(x) ** r, sigmoid(-x) ** (power - r)]
    return exponent, sigmoids, rest


def one_plus_exp(base: Expr) -> Expr | None:
    """``x`` when the expression is ``1 + e^x``."""
    if isinstance(base, Add) and len(base.args) == 2 and S.One in base.args:
        other = next(term for term in base.args if term != S.One)
        if isinstance(other, exponential):
            return expand(other.args[0])
    return None


def is_bounded(expression: Expr) -> bool:
    """Whether each exponential is in a sigmoid, and none beside 1, as in ``1 - sigmoid(x)``."""
    sigmoids = (f for f in nodes_of(expression, Pow) if is_reciprocal(f))
    names = {f: Dummy() for f in sigmoids if one_plus_exp(f.base) is not None}
    rest = expression.xreplace(names)
    return S.One not in expression.args and bool(names) and not rest.has(exponential)
