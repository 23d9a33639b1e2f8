"""What occurs in an expression is what SymPy finds in it."""

from __future__ import annotations

import pytest
from sympy import Expr, Indexed, IndexedBase, KroneckerDelta, Mul, Pow, Sum, Symbol, exp

from derive.branches import has_delta, nodes_of, with_arguments
from derive.losses import LOSSES
from derive.losses.symbols import i, j, k, s

KINDS = (Indexed, IndexedBase, KroneckerDelta, Pow, Sum, Symbol, exp)


@pytest.mark.parametrize("name", LOSSES)
def test_the_nodes_are_those_of_sympy(name: str) -> None:
    loss = LOSSES[name]
    for expression in (loss.value, loss.gradient, loss.hessian):
        for kind in KINDS:
            assert nodes_of(expression, kind) == expression.atoms(kind)
        assert has_delta(expression) == expression.has(KroneckerDelta)


def test_a_node_over_its_own_arguments_is_itself() -> None:
    product: Expr = s[i] * exp(s[j])
    assert with_arguments(product, product.args) is product
    assert with_arguments(product, (s[k], exp(s[j]))) == s[k] * exp(s[j])
    assert with_arguments(Mul(2, s[i]), (s[j], s[j])) == s[j] ** 2
