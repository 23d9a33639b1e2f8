"""Emitted source: every printer on the coverage set, executed and held against the definition."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import array_api_strict
import mpmath
import numpy as np
import pytest
from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Number,
    Pow,
    Product,
    Sum,
    Symbol,
    exp,
    log,
    tanh,
)
from sympy import gamma as gamma_function

from derive.axis import Axis, Index
from derive.coefficients import Coefficient
from derive.emit import (
    CALLABLE,
    OVER_ROWS,
    TARGETS,
    Formula,
    UnsupportedNode,
    compile_formula,
    emit,
)
from derive.emit import coverage as cover
from derive.ramps import Largest, leads, ramp, step

SEED = 20260
BATCH = (2, 3)
SCALARS = {"gamma": 1.5, "m": 0.25, "s0": -0.5, "r": 2}
NAMES = [formula.name for formula in cover.COVERAGE]
# Coefficients are found by elements, sums over all indices but one by doubling, in a loop that
# their files bring along.
LOOPED = {
    f.name for f in cover.COVERAGE if f.expression.has(Coefficient) or "sum_of_others" in emit(f)
}
by_name = {formula.name: formula for formula in cover.COVERAGE}


def arrays(formula: Formula, dtype: Any = np.float64) -> dict[str, Any]:
    """A batch of arrays for the formula; the matrix W has no batch axes."""
    rng = np.random.default_rng(SEED)
    found: dict[str, Any] = {}
    for entry in formula.entries():
        shape = tuple(cover.LENGTHS[index.axis] for index in entry.indices)
        name = str(entry.base)
        low, high = (0, 1) if name in "ty" else (-3, 3)
        batch = () if name == "W" else BATCH
        found.setdefault(name, rng.uniform(low, high, batch + shape).astype(dtype))
    return found


def scalars(formula: Formula) -> dict[str, float]:
    """The scalar arguments of the formula."""
    return {name: value for name, value in SCALARS.items() if name in map(str, formula.arguments)}


def truth(formula: Formula, given: dict[str, Any], row: tuple[int, ...]) -> Any:
    """The definition, evaluated on one row of the batch."""
    with mpmath.workdps(40):
        point = {
            name: to_mpf(value if name == "W" else value[row]) for name, value in given.items()
        }
        return np.array(evaluate(formula, {**point, **scalars(formula)}), dtype=float)


def to_mpf(values: Any) -> Any:
    """Nested lists of mpf, exactly."""
    if np.ndim(values) == 0:
        return mpmath.mpf(float(values))
    return [to_mpf(value) for value in values]


# --- direct evaluation: shares nothing with the reduction form, the stable form or a printer ---

Point = Mapping[str, Any]
FUNCTIONS: dict[type, Callable[[Any], Any]] = {
    exp: mpmath.exp,
    log: mpmath.log,
    Abs: abs,
    tanh: mpmath.tanh,
    ramp: lambda x: max(x, mpmath.mpf(0)),
    step: lambda x: mpmath.mpf(x > 0),
}


def evaluate(formula: Formula, point: Point, lengths: Mapping[Axis, int] | None = None) -> Any:
    """Nested lists of mpf, one level for each output index."""
    # Lengths of its own axes only: labels and samples are both n in number.
    sizes = lengths or {axis: cover.LENGTHS[axis] for axis in formula.sizes()}

    def level(indices: tuple[Index, ...], where: dict[Index, int]) -> Any:
        if not indices:
            return value(formula.expression, point, where, sizes)
        first, *rest = indices
        return [level(tuple(rest), {**where, first: p}) for p in range(sizes[first.axis])]

    return level(formula.outputs, {})


def value(node: Expr, point: Point, where: Mapping[Index, int], sizes: Mapping[Axis, int]) -> Any:
    """The expression at one place, by its definition."""

    def of(child: Expr) -> Any:
        return value(child, point, where, sizes)

    if isinstance(node, Sum | Product):
        indices = [limit[0] for limit in node.limits]
        parts = [
            value(node.function, point, {**where, **dict(zip(indices, places, strict=True))}, sizes)
            for places in product(*(range(sizes[index.axis]) for index in indices))
        ]
        return mpmath.fsum(parts) if isinstance(node, Sum) else mpmath.fprod(parts)
    if isinstance(node, Largest):
        return max(entries_of(node, point, where, sizes))
    if isinstance(node, leads):
        entries = entries_of(node.args[0], point, where, sizes)
        return mpmath.mpf(entries.index(max(entries)) == where[node.args[1]])
    if isinstance(node, Indexed):
        entry = point[str(node.base)]
        for index in node.indices:
            entry = entry[where[index]]
        return entry
    if isinstance(node, KroneckerDelta):
        return mpmath.mpf(where[node.args[0]] == where[node.args[1]])
    if isinstance(node, Coefficient):
        return coefficient(node, point, where, sizes)
    if isinstance(node, Number):
        return mpmath.mpf(int(node.p)) / int(node.q)
    if isinstance(node, Symbol):
        named = {axis.size: mpmath.mpf(length) for axis, length in sizes.items()}
        return named[node] if node in named else mpmath.mpmathify(point[str(node)])
    if isinstance(node, Add):
        return mpmath.fsum(map(of, node.args))
    if isinstance(node, Mul):
        return prod(map(of, node.args), start=mpmath.mpf(1))
    if isinstance(node, Pow):
        return of(node.base) ** of(node.exp)
    return FUNCTIONS[type(node)](of(node.args[0]))


def entries_of(
    node: Largest, point: Point, where: Mapping[Index, int], sizes: Mapping[Axis, int]
) -> list[Any]:
    """What the largest is taken of."""
    index = node.limits[0][0]
    places = range(sizes[index.axis])
    return [value(node.function, point, {**where, index: at}, sizes) for at in places]


# Cauchy's integral on a circle within the radius of convergence, by the trapezoidal rule: exact
# for polynomials of a lower degree, otherwise off by CIRCLE^POINTS = 10^-43 of the series.
CIRCLE, POINTS = mpmath.mpf(1) / 64, 24


def coefficient(
    node: Coefficient, point: Point, where: Mapping[Index, int], sizes: Mapping[Axis, int]
) -> Any:
    """``[z^m] F`` as the mean of ``F(z) z^-m`` over a circle."""
    order = value(node.order, point, where, sizes)
    places = [CIRCLE * mpmath.expjpi(mpmath.mpf(2 * p) / POINTS) for p in range(POINTS)]
    parts = [
        value(node.series, {**point, str(node.bound): z}, where, sizes) / z**order for z in places
    ]
    return mpmath.re(mpmath.fsum(parts)) / POINTS


# --- the targets ---


@pytest.mark.parametrize("name", NAMES)
def test_numpy_equals_definition(name: str) -> None:
    formula = by_name[name]
    given = arrays(formula)
    result = compile_formula(formula)(**given, **scalars(formula))
    for row in np.ndindex(*BATCH):
        np.testing.assert_allclose(result[row], truth(formula, given, row), rtol=2e-14, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_array_api_strict_equals_numpy(name: str) -> None:
    formula = by_name[name]
    given = arrays(formula)
    strict = {name: array_api_strict.asarray(value) for name, value in given.items()}
    result = compile_formula(formula, "array-api")(**strict, **scalars(formula))
    expected = compile_formula(formula)(**given, **scalars(formula))
    np.testing.assert_array_equal(np.asarray(result), expected)


@pytest.mark.parametrize("name", NAMES)
def test_mpmath_equals_definition(name: str) -> None:
    formula = by_name[name]
    given = arrays(formula)
    function = compile_formula(formula, "mpmath")
    with mpmath.workdps(40):
        row = {key: to_mpf(value if key == "W" else value[0, 0]) for key, value in given.items()}
        scalar = {key: mpmath.mpf(value) for key, value in scalars(formula).items()}
        result = np.array(function(**row, **scalar), dtype=object)
        expected = np.array(evaluate(formula, {**row, **scalar}), dtype=object)
        assert result.shape == expected.shape
        for got, true in zip(result.flat, expected.flat, strict=True):
            assert mpmath.almosteq(got, true, rel_eps=mpmath.mpf(10) ** -36)


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name: str) -> None:
    formula = by_name[name]
    result = compile_formula(formula)(**arrays(formula, np.float32), **scalars(formula))
    assert result.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", [target for target in TARGETS if target not in OVER_ROWS])
def test_source_stands_alone(name: str, target: str) -> None:
    source = emit(by_name[name], target)
    assert "9064-k" in source
    if target == "latex":
        assert source.count("\\begin{align*}") == source.count("\\end{align*}") == 1
        return
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    modules = [alias.name for node in imports for alias in node.names]
    library = {"array-api": [], "jax": ["jax", "jax.numpy"]}
    assert modules == library.get(target, [target])
    if target != "mpmath":
        assert max(map(len, source.splitlines())) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_no_loop_and_no_repetition(name: str) -> None:
    source = emit(by_name[name])
    tree = ast.parse(source)
    loops = (ast.For, ast.While, ast.comprehension)
    assert bool([node for node in ast.walk(tree) if isinstance(node, loops)]) == (name in LOOPED)
    for body in _bodies(tree):
        calls = [ast.unparse(node) for node in ast.walk(body) if isinstance(node, ast.Call)]
        heavy = [call for call in calls if call.startswith(("np.exp(", "np.sum(", "np.max("))]
        assert len(heavy) == len(set(heavy))


def _bodies(tree: ast.Module) -> list[ast.Module]:
    """What is carried out together: arrays without a large exponent have a body of their own."""
    *_, function = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    places = [place for place, node in enumerate(function.body) if isinstance(node, ast.If)]
    asks = [p for p in places if "np.all(np.abs(" in ast.unparse(function.body[p])]
    if not asks:
        return [tree]
    (place,) = asks
    inside = [*function.body[: place + 1]]
    return [ast.Module(inside, []), ast.Module(function.body[place + 1 :], [])]


def test_soft_zlpr_gradient_reads_as_written_by_hand() -> None:
    source = emit(by_name["soft_zlpr_gradient"])
    assert source.count("np.max(") == 2
    assert source.count("np.sum(") == 2
    # One exponential of each side's entries and one of each side's maximum.
    assert source.count("np.exp(") == 4
    assert source.count("None]") == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("power", [0.01, 0.3, 0.9, 1.0, 1.1, 2.0])
def test_soft_zlpr_of_tiny_labels(power: float, dtype: Any) -> None:
    """From scores that such a label leaves nothing of to scores that outweigh it."""
    formula = by_name["soft_zlpr"]
    label = {np.float64: 1.4e-174, np.float32: 1e-37}[dtype]
    # -log of the label is where the weighted exponential is 1; a multiple of 1/8 is exact.
    score = np.round(8 * power * np.log(label)) / 8
    given = {"s": np.array([score], dtype), "t": np.array([label], dtype)}
    result = compile_formula(formula)(**given)
    with mpmath.workdps(600):
        row = {name: [mpmath.mpf(float(x)) for x in array] for name, array in given.items()}
        expected = float(compile_formula(formula, "mpmath")(**row))
    np.testing.assert_allclose(result, expected, rtol=4 * np.finfo(dtype).eps, atol=0)


def test_once_used_arrays_are_not_named() -> None:
    """NumPy reuses the memory of a temporary, not of a name: no line may hold an exp alone."""
    for formula in cover.COVERAGE:
        source = emit(formula)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                alone = ast.unparse(node.value.func) == "np.exp"
                uses = source.count(ast.unparse(node.targets[0])) - 1
                assert not alone or uses > 1, ast.unparse(node)


def test_hessian_does_its_exponentials_on_vectors() -> None:
    source = emit(by_name["soft_zlpr_hessian"])
    assert source.count("np.exp(") == 4
    assert source.count("np.eye(") == 1


def test_same_text_in_another_process() -> None:
    """Nothing may depend on the hash seed of the interpreter."""
    root = Path(__file__).parents[2]
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from derive.emit import OVER_ROWS, TARGETS, coverage as cover, emit\n"
        "every = [t for t in TARGETS if t not in OVER_ROWS]\n"
        "print(*(emit(f, target) for f in cover.COVERAGE for target in every))\n"
        "loss = next(f for f in cover.COVERAGE if f.name == 'soft_zlpr_hvp')\n"
        "print(*(emit(loss, target) for target in OVER_ROWS))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    every = [target for target in TARGETS if target not in OVER_ROWS]
    own = " ".join(emit(f, target) for f in cover.COVERAGE for target in every)
    loops = " ".join(emit(by_name["soft_zlpr_hvp"], target) for target in OVER_ROWS)
    assert texts == {f"{own}\n{loops}\n"}


def test_array_api_namespace_can_be_given() -> None:
    formula = by_name["soft_zlpr_gradient"]
    given = arrays(formula)
    result = compile_formula(formula, "array-api")(*given.values(), xp=np)
    np.testing.assert_array_equal(result, compile_formula(formula)(*given.values()))


def test_torch_through_its_namespace() -> None:
    torch = pytest.importorskip("torch", reason="torch is an optional test dependency")
    namespace = pytest.importorskip("array_api_compat.torch", reason="needs array-api-compat")
    for formula in cover.COVERAGE:
        given = arrays(formula)
        tensors = {name: torch.asarray(value) for name, value in given.items()}
        result = compile_formula(formula, "array-api")(**tensors, **scalars(formula), xp=namespace)
        expected = compile_formula(formula)(**given, **scalars(formula))
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13, atol=1e-15)


def test_torch_equals_numpy() -> None:
    torch = pytest.importorskip("torch", reason="torch is an optional extra: lossproof[torch]")
    for formula in cover.COVERAGE:
        given = arrays(formula)
        tensors = {name: torch.asarray(value) for name, value in given.items()}
        result = compile_formula(formula, "torch")(**tensors, **scalars(formula))
        expected = compile_formula(formula)(**given, **scalars(formula))
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13, atol=1e-15)


def test_jax_equals_numpy() -> None:
    """In float32, whether JAX has been told to know float64 or not."""
    jax = pytest.importorskip("jax", reason="jax is an optional extra: lossproof[jax]")
    for formula in cover.COVERAGE:
        given = arrays(formula, np.float32)
        run = jax.jit(compile_formula(formula, "jax"), static_argnames=tuple(scalars(formula)))
        result = run(**given, **scalars(formula))
        wide = {name: value.astype(np.float64) for name, value in given.items()}
        expected = compile_formula(formula)(**wide, **scalars(formula))
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=3e-4, atol=3e-5)


@pytest.mark.parametrize("target", CALLABLE)
def test_unsupported_node_is_named(target: str) -> None:
    formula = cover.formula("odd", cover.total(gamma_function(cover.s[cover.j]), cover.j))
    with pytest.raises(UnsupportedNode, match=rf"'{target}'.*node gamma: gamma\(s\[j\]\)"):
        emit(formula, target)


def test_bad_requests_say_what_is_expected() -> None:
    formula = by_name["soft_zlpr"]
    with pytest.raises(ValueError, match="no target 'cobol': choose one of numpy"):
        emit(formula, "cobol")
    with pytest.raises(ValueError, match="'latex' cannot be called"):
        compile_formula(formula, "latex")
    with pytest.raises(ValueError, match="free indices i besides the outputs"):
        cover.formula("loose", cover.s[cover.i])
    with pytest.raises(ValueError, match="t occur in the expression but not in the arguments"):
        Formula("forgot", cover.SOFT_VALUE, (), (cover.s,))
