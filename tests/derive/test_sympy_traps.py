"""The traps of plain SymPy that the calculus goes round, one test each.

Each test shows first what SymPy does today. When SymPy is mended that half fails, with the word
which guard may then go; the other half shows that our result is right, by balls and by proof.
"""

from __future__ import annotations

from sympy import (
    Expr,
    KroneckerDelta,
    MatrixSymbol,
    Piecewise,
    Product,
    S,
    Sum,
    Symbol,
    ZeroMatrix,
    count_ops,
    diff,
    exp,
    log,
    simplify,
    symbols,
)

from derive.axis import array, labels_axis, total
from derive.balls import enclose, write_out
from derive.calculus import free_indices, partial, resolve, sift
from derive.decide import Proved, equal, sample_points
from derive.facts import soft

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t = array("s"), array("t")
MENDED = "SymPy no longer does this: the guard against {} may go, and with it this assertion"


def assert_is_the_derivative(ours: Expr, function: Expr, *variables: Expr) -> None:
    """Ours against SymPy's derivative of the written-out scalar function, for n = 1, 2, 3."""
    for point in sample_points((function, *variables), soft(t), 3):
        scalars = [write_out(variable, point) for variable in variables]
        plain = diff(write_out(function, point), *scalars)
        assert enclose(ours, point, 128).overlaps(enclose(plain, point, 128)), point.describe()


def test_differentiation_by_a_bound_index_is_silently_wrong_in_sympy_21891():
    function = Sum(s[i] ** 2, LABELS.limits(i))
    wrong = diff(function, s[i])
    assert wrong == Sum(2 * s[i], (i, 0, LABELS.size - 1)), MENDED.format("sympy#21891")

    ours = resolve(partial(function, s[i]))
    assert ours == 2 * s[i]
    assert_is_the_derivative(ours, function, s[i])


def test_matrix_symbol_derivative_of_a_log_of_exponentials_is_zero_in_sympy_26561():
    n = Symbol("n", integer=True, positive=True)
    labels, scores = MatrixSymbol("T", n, 1), MatrixSymbol("S", n, 1)
    wrong = diff(log((labels.T * scores.applyfunc(exp))[0, 0]), scores)
    assert wrong == ZeroMatrix(n, 1), MENDED.format("sympy#26561")

    function = log(total(t[k] * exp(s[k]), k))
    ours = resolve(partial(function, s[i]))
    assert ours != 0
    assert isinstance(equal(ours, t[i] * exp(s[i]) / total(t[k] * exp(s[k]), k)), Proved)


def test_a_delta_under_piecewise_leaks_the_bound_index_in_sympy_27359():
    a, b, n = symbols("a b n", integer=True)
    body = Piecewise((KroneckerDelta(a, b, (1, n)), s[a] > 0), (S.Zero, True))
    leaked = simplify(-Sum(body, (a, 1, n)))
    assert a in leaked.free_symbols, MENDED.format("sympy#27359")

    # Ours has no Piecewise to leak from: a delta is a factor, and sifting uses it up.
    sifted = sift(-total(KroneckerDelta(k, j) * s[k], k))
    assert sifted == -s[j]
    gradient = resolve(partial(total(s[k] ** 2 * total(t[i] * s[i], i), k), s[j]))
    assert not gradient.has(Piecewise)
    assert free_indices(gradient) == {j}


def test_sympy_leaves_a_piecewise_where_a_delta_is_sifted():
    """`doit` asks whether i <= n - 1, which an index of the axis answers once and for all."""
    function = log(total(exp(s[k]), k))
    assert diff(function, s[i]).doit().has(Piecewise), MENDED.format("Piecewise")

    ours = resolve(partial(function, s[i]))
    assert not ours.has(Piecewise, KroneckerDelta)
    assert isinstance(equal(ours, exp(s[i]) / total(exp(s[k]), k)), Proved)


def test_simplify_makes_the_second_derivative_worse():
    function = log(1 + total(t[k] * exp(-s[k]), k))
    plain = diff(function, s[i], s[j])
    assert count_ops(simplify(plain)) > count_ops(plain), MENDED.format("simplify")
    ours = resolve(partial(function, s[i], s[j]))
    assert count_ops(simplify(ours)) > count_ops(ours), MENDED.format("simplify")

    assert count_ops(ours) < count_ops(plain)
    assert_is_the_derivative(ours, function, s[i], s[j])


def test_a_product_over_a_symbolic_axis_is_cut_in_two_by_sympy():
    """Products up to and from a dummy index, under a delta that is not sifted."""
    function = LABELS.product(1 + exp(s[k]), k)
    plain = diff(function, s[i])
    assert plain.has(KroneckerDelta), MENDED.format("products")
    assert plain.atoms(Product) != {function}, MENDED.format("products")

    ours = resolve(partial(function, s[i]))
    assert ours.atoms(Product) == {function}
    assert isinstance(equal(ours, function * exp(s[i]) / (1 + exp(s[i]))), Proved)
    assert_is_the_derivative(ours, function, s[i])
