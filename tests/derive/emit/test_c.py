"""Emitted C: compiled, called, and held against the oracle."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import mpmath
import numpy as np
import pytest
from native import FAST, GCC, STRICT, CRoute, call, function_of, needs_gcc
from rows import LOSSES, chosen, errors, worst

from derive.emit import Formula, UnsupportedNode, compile_formula
from derive.emit import coverage as cover
from derive.emit.c import c_source
from derive.emit.c_exp import DOUBLE, SINGLE, Exponential
from derive.emit.c_log1p import log1p_of
from derive.emit.loops import loop_form
from derive.formulas import formula_of
from derive.recursion import OfElements
from verify.accuracy import EMITTED_BOUND
from verify.native import rank_of

pytestmark = needs_gcc
#: The formulas of the coverage set that are passes over one row.
ROWS = {
    *("soft_zlpr", "soft_zlpr_gradient", "soft_zlpr_hvp", "zlpr", "unified", "unified_gradient"),
    *("softmax_cross_entropy", "softmax_cross_entropy_gradient", "weighted_partition"),
    *("bce", "bce_by_sigmoid", "bce_gradient", "bce_curvature", "bce_product", "at_the_optimum"),
    *("mean_and_powers", "rationals", "ramps", "steps", "largest", "leader"),
    *("product_of_entries", "constant_over_labels"),
}
#: Arrays of different numbers of axes.
NOT_WRITTEN = {"back_to_features", "linear_softmax", "transposed", "weight_gradient"}
#: Optimisation takes a second or two a file; what is right is right without.
QUICK = ("-O1",)
#: Losses whose formulas are right, too, where labels are masked by -inf.
MASKED = ("soft_zlpr", "zlpr", "softmax_cross_entropy", "unified", "binary_cross_entropy")


@pytest.mark.parametrize("loss", LOSSES)
def test_against_the_oracle(loss: str) -> None:
    samples = chosen(loss, every=23)
    assert worst(errors(loss, CRoute(loss), samples)) <= EMITTED_BOUND


def test_which_formulas_are_loops_over_a_row() -> None:
    """Every layout of one index that the printers know; two indices and coefficients are none."""
    emitted = {formula.name for formula in cover.COVERAGE if is_loop(formula)}
    assert emitted == ROWS


def is_loop(formula: Formula) -> bool:
    """Whether it is passes over a row."""
    try:
        return bool(loop_form(formula, "c").passes)
    except UnsupportedNode:
        return False


def is_written(formula: Formula) -> bool:
    """Whether the target has a text for it."""
    try:
        return bool(c_source(formula))
    except UnsupportedNode:
        return False


def test_what_has_no_text() -> None:
    emitted = {formula.name for formula in cover.COVERAGE if is_written(formula)}
    assert {formula.name for formula in cover.COVERAGE} - emitted == NOT_WRITTEN


@pytest.mark.parametrize("name", sorted({f.name for f in cover.COVERAGE} - NOT_WRITTEN))
def test_equals_the_numpy_target(name: str) -> None:
    formula = next(formula for formula in cover.COVERAGE if formula.name == name)
    given, scalars = arguments_of(formula)
    expected = compile_formula(formula)(*given, **scalars)
    got = call(formula, *given, flags=QUICK, **scalars)
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14)
    single = [array.astype(np.float32) for array in given]
    got = call(formula, *single, flags=QUICK, **scalars)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def arguments_of(formula: Formula) -> tuple[list[np.ndarray], dict[str, float]]:
    """Random arrays; labels of which rows or grids are, whole where an order is their sum."""
    rng = np.random.default_rng(20)
    shape = (2, 3, 4)
    given = []
    for array in formula.arrays:
        low, high = (0, 1) if str(array) in "ty" else (-3, 3)
        given.append(rng.uniform(low, high, shape))
        if str(array) == "y" and formula.atoms(OfElements):
            given[-1] = np.floor(2 * given[-1])
    scalars = {str(a): 2.0 for a in formula.arguments if str(a) in ("K", "r", "k")}
    return given, scalars


@pytest.mark.parametrize("loss", MASKED)
def test_masked_labels(loss: str) -> None:
    samples = chosen(loss, every=5, masked=True)
    assert len(samples) >= 4
    assert worst(errors(loss, CRoute(loss), samples)) <= EMITTED_BOUND


def test_batches_as_rows() -> None:
    samples = chosen("soft_zlpr", every=23)
    assert worst(errors("soft_zlpr", CRoute("soft_zlpr"), samples, batch=True)) <= EMITTED_BOUND


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 16384, 16385, 3_000_001])
def test_long_rows_lose_nothing(n: int, dtype: str) -> None:
    """n equal terms: their roundings all have one direction."""
    score = float(np.asarray(-0.7, dtype))
    scores, labels = np.full((1, n), score, dtype), np.zeros((1, n), dtype)
    value, gradient = call(formula_of("soft_zlpr", "value_and_grad"), scores, labels)
    with mpmath.workdps(40):
        total = 1 + n * mpmath.exp(score)
        true, slope = float(mpmath.log(total)), float(mpmath.exp(score) / total)
    eps = float(np.finfo(dtype).eps)
    assert abs(value[0] - true) <= eps * true
    assert np.abs(gradient - slope).max() <= 2 * eps * slope


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 200_000), (3, 40_000), (300, 500)])
def test_the_number_of_threads_changes_no_bit(shape: tuple[int, int], dtype: str) -> None:
    rng = np.random.default_rng(5)
    scores, labels = rng.normal(0, 9, shape).astype(dtype), rng.random(shape).astype(dtype)
    formula = formula_of("soft_zlpr", "value_and_grad")
    threads = ctypes.CDLL("libgomp.so.1")
    before = threads.omp_get_max_threads()
    seen = set()
    for count in (1, 2, 3):
        threads.omp_set_num_threads(count)
        seen.add(tuple(array.tobytes() for array in call(formula, scores, labels)))
    threads.omp_set_num_threads(before)
    assert len(seen) == 1


def test_without_openmp_and_vectors() -> None:
    samples = chosen("zlpr", every=11)
    assert worst(errors("zlpr", CRoute("zlpr", flags=("-O1",)), samples)) <= EMITTED_BOUND


@pytest.mark.parametrize("loss", ["soft_zlpr", "softmax_cross_entropy", "max_hinge"])
def test_sanitizers_find_nothing(loss: str, tmp_path: Path) -> None:
    """Rows shorter and longer than a piece, of no entry at all, scores that are -inf and inf."""
    name = f"{loss}_value_and_grad"
    scalars = "".join(", 0.5" for _ in formula_of(loss, "value").arguments[2:])
    (tmp_path / "emitted.c").write_text(c_source(formula_of(loss, "value_and_grad")))
    calls = "\n".join(
        f"    for (size_t k = 0; k < 6; ++k) run_{real}(lengths[k]);"
        for real in ("float", "double")
    )
    runs = "\n".join(
        f"""
static void run_{real}(size_t n)
{{
    {real} *s = malloc(n * sizeof *s + 1), *t = malloc(n * sizeof *t + 1);
    {real} *gradient = malloc(n * sizeof *gradient + 1), value;
    for (size_t j = 0; j < n; ++j) {{
        s[j] = j % 7 == 3 ? -INFINITY : j % 11 == 5 ? ({real})1e30 : ({real})(j % 13) - 6;
        t[j] = j % 5 == 1;
    }}
    {name}_{suffix}(1, n, s, t{scalars}, &value, gradient);
    free(s); free(t); free(gradient);
}}"""
        for real, suffix in (("float", "float32"), ("double", "float64"))
    )
    (tmp_path / "main.c").write_text(
        f'#define {name.upper()}_HEADER\n#include "emitted.c"\n#include <math.h>\n'
        f"#include <stdlib.h>\n{runs}\nint main(void)\n{{\n"
        f"    const size_t lengths[] = {{0, 1, 2, 65, 1000, 40000}};\n{calls}\n    return 0;\n}}\n"
    )
    checks = ["-g", "-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    command = [str(GCC), *STRICT, *checks, "emitted.c", "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


@pytest.mark.parametrize("loss", ["combination_softmax", "order_r", "grid_truncated"])
def test_sanitizers_find_nothing_in_nests(loss: str, tmp_path: Path) -> None:
    """Rows and grids down to none, orders up to the length of the row and beyond the positives."""
    formula = formula_of(loss, "value_and_grad")
    (tmp_path / "emitted.c").write_text(c_source(formula))
    sizes = ", ".join(["k"] * rank_of(formula))
    scalars = "".join(", 3.0" for _ in formula.arguments[2:])
    (tmp_path / "main.c").write_text(
        f'#define {formula.name.upper()}_HEADER\n#include "emitted.c"\n#include <math.h>\n'
        "int main(void)\n{\n    static double s[400], t[400], value[1], gradient[400];\n"
        "    for (size_t j = 0; j < 400; ++j) {\n"
        "        s[j] = j % 7 == 3 ? -INFINITY : (double)(j % 13) - 6;\n"
        "        t[j] = j % 3 == 1;\n    }\n"
        "    for (size_t k = 0; k < 20; ++k)\n"
        f"        {formula.name}_float64(1, {sizes}, s, t{scalars}, value, gradient);\n"
        "    return 0;\n}\n"
    )
    checks = ["-g", "-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    command = [str(GCC), *STRICT, *checks, "emitted.c", "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


def test_fast_math_is_refused(tmp_path: Path) -> None:
    (tmp_path / "emitted.c").write_text(c_source(formula_of("zlpr", "value")))
    command = [str(GCC), "-std=c11", "-ffast-math", "-c", "emitted.c"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode != 0
    assert "compile without -ffast-math" in result.stderr


@pytest.mark.parametrize("loss", ["zlpr", "binary_cross_entropy"])
def test_loops_run_in_vectors(loss: str, tmp_path: Path) -> None:
    """The loops over entries: those with exponentials and logarithms, in both precisions."""
    (tmp_path / "emitted.c").write_text(c_source(formula_of(loss, "value_and_grad")))
    command = [str(GCC), "-std=c11", "-O3", "-mavx2", "-mfma", "-fopenmp", "-c", "emitted.c"]
    result = subprocess.run(
        [*command, "-fopt-info-vec-optimized"], cwd=tmp_path, capture_output=True, text=True
    )
    if "error" in result.stderr:
        pytest.skip("this processor has no AVX2")
    lines = (tmp_path / "emitted.c").read_text().splitlines()
    loops = [at for at, line in enumerate(lines, 1) if "for (size_t j" in line]
    # A loop is reported at its own line, at that of its pragma, or at its first statement.
    told = {int(line.split(":")[1]) for line in result.stderr.splitlines() if "loop vec" in line}
    assert loops
    assert [at for at in loops if not told & {at - 1, at, at + 1}] == []


# --- the exponential ---


@pytest.mark.parametrize("kind", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_the_polynomial_interpolates_at_chebyshev_nodes(kind: Exponential) -> None:
    with mpmath.workdps(50):
        half, count = mpmath.log(2) / 2 * mpmath.mpf("1.0005"), len(kind.q)
        nodes = [half * mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
        powers = mpmath.matrix([[x**k for k in range(count)] for x in nodes])
        wanted = [
            mpmath.nsum(lambda k, x=x: x**k / mpmath.factorial(k + 2), [0, 40]) for x in nodes
        ]
        exact = mpmath.lu_solve(powers, mpmath.matrix(wanted))
        for got, true in zip(kind.q, exact, strict=True):
            assert mpmath.almosteq(mpmath.mpf(got), true, rel_eps=mpmath.mpf("1e-15"))
        high, low = mpmath.mpf(float(kind.log2_high)), mpmath.mpf(kind.log2_low)
        assert abs(high + low - mpmath.log(2)) < mpmath.mpf(10) ** -(11 if kind is SINGLE else 25)


@pytest.mark.parametrize("flags", [FAST, ("-O2",)], ids=["fused", "not fused"])
@pytest.mark.parametrize("kind", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_the_exponential_is_below_one_ulp(kind: Exponential, flags: tuple[str, ...]) -> None:
    dtype = {"float": np.float32, "double": np.float64}[kind.real]
    exp = function_of(kind, "exp", flags)
    rng = np.random.default_rng(11)
    low, high = (-103, 88) if dtype is np.float32 else (-744, 709)
    x = np.concatenate([rng.uniform(low, high, 4000), rng.uniform(-1, 1, 2000)]).astype(dtype)
    with mpmath.workdps(40):
        true = [mpmath.exp(mpmath.mpf(float(value))) for value in x]
        off = [
            float(abs(mpmath.mpf(float(got)) - want) / float(np.spacing(dtype(want))))
            for got, want in zip(exp(x), true, strict=True)
        ]
    assert max(off) < 1.0
    ends = np.asarray([-np.inf, -1e30, 1.5 * low, 0, 1.5 * high, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(exp(ends), [0, 0, 0, 1, np.inf, np.inf, np.nan])


# --- the logarithm of 1 + x ---


@pytest.mark.parametrize("kind", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_the_series_of_the_logarithm_interpolates_at_chebyshev_nodes(kind: Exponential) -> None:
    """Of (log((1 + s)/(1 - s)) - 2 s)/s^3 in z = s^2, up to the largest z, a thousandth further."""
    with mpmath.workdps(50):
        q, root = [mpmath.mpf(each) for each in log1p_of(kind).q], mpmath.sqrt(2)
        most, count = ((root - 1) / (root + 1)) ** 2 * mpmath.mpf("1.001"), len(q)
        for k in range(count):
            z = most / 2 * (1 + mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)))
            s = mpmath.sqrt(z)
            true = (mpmath.log((1 + s) / (1 - s)) - 2 * s) / s**3
            digits = 11 if kind is SINGLE else 18
            assert abs(mpmath.polyval(q[::-1], z) - true) < mpmath.mpf(10) ** -digits


@pytest.mark.parametrize("flags", [FAST, ("-O2",)], ids=["fused", "not fused"])
@pytest.mark.parametrize("kind", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_the_logarithm_is_below_one_ulp(kind: Exponential, flags: tuple[str, ...]) -> None:
    dtype = {"float": np.float32, "double": np.float64}[kind.real]
    log1p = function_of(kind, "log1p", flags)
    x = arguments_of_log1p(dtype)
    with mpmath.workdps(40):
        true = [mpmath.log1p(mpmath.mpf(float(value))) for value in x]
        off = [
            float(abs(mpmath.mpf(float(got)) - want) / float(np.spacing(abs(dtype(want)))))
            for got, want in zip(log1p(x), true, strict=True)
        ]
    assert max(off) < 1.0
    largest = np.finfo(dtype).max
    ends = np.asarray([-np.inf, -2, -1, 0, largest, np.inf, np.nan], dtype)
    expected = [np.nan, np.nan, -np.inf, 0, float(mpmath.log(float(largest))), np.inf, np.nan]
    np.testing.assert_allclose(log1p(ends), np.asarray(expected, dtype), rtol=np.finfo(dtype).eps)


def arguments_of_log1p(dtype: type) -> np.ndarray:
    """Decays in [0, 1], what is near -1, and both signs over the range of the format."""
    rng = np.random.default_rng(11)
    powers = 10.0 ** rng.uniform(-30, 30, 1000)
    near = -(10.0 ** rng.uniform(-30, -0.01, 1000))
    parts = (rng.uniform(0, 1, 3000), rng.uniform(-1, 0, 2000), powers, near)
    x = np.concatenate(parts).astype(dtype)
    return x[x > -1]
