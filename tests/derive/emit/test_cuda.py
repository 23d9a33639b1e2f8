"""Emitted CUDA: compiled for several architectures, and its threads run on the host."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from rows import chosen, errors, worst

from derive.coefficients import Coefficient
from derive.emit import compile_formula
from derive.emit.cuda import cuda_source
from derive.emit.formula import Formula, UnsupportedNode
from derive.emit.frames import SIZES
from derive.emit.loops import Pass, loop_form
from derive.formulas import formula_of
from derive.recursion import OfElements
from verify.accuracy import EMITTED_BOUND
from verify.native import outputs_of, rank_of

NVCC, GXX = shutil.which("nvcc"), shutil.which("g++")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="needs nvcc")
needs_gxx = pytest.mark.skipif(GXX is None, reason="needs g++, with threads of C++20")
HERE = Path(__file__).parent
# Two warps: shuffles within, shared memory between.
THREADS, BLOCKS = 64, 2
#: Every kind of pass and of nest: sums, powers, places; coefficients, sums of others, pairs.
COMPILED = (
    *("soft_zlpr", "softmax_cross_entropy", "focal", "max_hinge"),
    *("padded_combination_softmax", "grid_truncated", "grid_pairwise"),
)
#: Doubles for the arrays and tables of both blocks; rows that need more are not tried.
ROOM = 1 << 20
LIBRARIES: dict[str, ctypes.CDLL] = {}


def on_host(formula: Formula) -> ctypes.CDLL:
    """The kernels of an emitted file as functions of the host."""
    if formula.name not in LIBRARIES:
        LIBRARIES[formula.name] = _compiled(formula)
    return LIBRARIES[formula.name]


def _compiled(formula: Formula) -> ctypes.CDLL:
    scalars = [f"double {name}" for name in map(str, formula.arguments[len(formula.arrays) :])]
    launches = []
    for suffix, real in (("float32", "float"), ("float64", "double")):
        pointers = [f"{real} *a{k}" for k in range(len(formula.arrays) + len(formula.results))]
        given, results = pointers[: len(formula.arrays)], pointers[len(formula.arrays) :]
        sizes = [f"long long {name}" for name in sizes_of(formula)]
        room = ["double *workspace"] * (len(loop_passes(formula)) == 0)
        parameters = [*sizes, *given, *scalars, *results, *room]
        names = ", ".join(parameter.split()[-1].lstrip("*") for parameter in parameters)
        launches.append(
            f'extern "C" void on_host_{suffix}({", ".join(parameters)})\n'
            f"{{\n    launch({BLOCKS}, {THREADS}, "
            f"[=] {{ {formula.name}_{suffix}({names}); }});\n}}\n"
        )
    folder = Path(mkdtemp(prefix="emitted_cuda_"))
    (folder / "emitted.cu").write_text(cuda_source(formula))
    text = '#include "cuda_on_host.h"\n#include "emitted.cu"\n' + "".join(launches)
    (folder / "host.cpp").write_text(text)
    flags = ["-std=c++20", "-O1", "-pthread", "-shared", "-fPIC", f"-I{HERE}"]
    subprocess.run([str(GXX), *flags, "host.cpp", "-o", "host.so"], cwd=folder, check=True)
    loaded = ctypes.CDLL(str(folder / "host.so"))
    shutil.rmtree(folder)
    return loaded


def call(formula: Formula, *arrays: Any, orders: int | None = None) -> Any:
    """The results for arrays ``(*batch, n)``, or grids, with the usual parameters."""
    given = [np.ascontiguousarray(array) for array in arrays]
    shape, dtype, rank = given[0].shape, given[0].dtype, rank_of(formula)
    batch, lengths = shape[:-rank], shape[-rank:]
    shapes = [batch + tuple(lengths[place] for place in places) for places in outputs_of(formula)]
    results = [np.full(each, 7, dtype) for each in shapes]
    names = map(str, formula.arguments[len(given) :])
    # No order is larger than a row is long.
    most = lengths[-1] if orders is None else orders
    sizes = [int(np.prod(batch)), *lengths, most][: len(sizes_of(formula))]
    room = np.full(ROOM, np.nan)
    getattr(on_host(formula), f"on_host_{dtype}")(
        *map(ctypes.c_longlong, sizes),
        *(ctypes.c_void_p(array.ctypes.data) for array in given),
        *(ctypes.c_double(number_of(formula, name, lengths[-1])) for name in names),
        *(ctypes.c_void_p(array.ctypes.data) for array in results),
        *[ctypes.c_void_p(room.ctypes.data)] * (len(loop_passes(formula)) == 0),
    )
    return results[0] if len(results) == 1 else tuple(results)


def number_of(formula: Formula, name: str, length: int) -> float:
    """The usual value; a largest order is the length of the row."""
    usual = formula.defaults[name]
    return float(length if usual is None else usual)


def loop_passes(formula: Formula) -> tuple[Pass, ...]:
    """The passes over a row, if the formula has that form."""
    try:
        return loop_form(formula, "cuda").passes
    except UnsupportedNode:
        return ()


def sizes_of(formula: Formula) -> list[str]:
    """The lengths that a kernel takes."""
    orders = not loop_passes(formula) and bool(
        formula.atoms(OfElements) | formula.atoms(Coefficient)
    )
    return ["rows", *SIZES[rank_of(formula)], *["orders"] * orders]


class HostRoute:
    """The kernels of a loss, on the host."""

    name = "emitted cuda, on the host"

    def __init__(self, loss: str) -> None:
        self.loss = loss

    @cache  # noqa: B019  (both results of a sample are asked for, one after the other)
    def _both(self, scores: bytes, labels: bytes, dtype: str, shape: tuple[int, ...]) -> Any:
        arrays = [np.frombuffer(each, dtype).reshape(1, *shape) for each in (scores, labels)]
        value, gradient = call(formula_of(self.loss, "value_and_grad"), *arrays)
        return value[0], gradient[0]

    def value(self, scores: Any, labels: Any) -> Any:
        """The first of both results."""
        return np.asarray(self._results(scores, labels)[0])

    def gradient(self, scores: Any, labels: Any) -> Any:
        """The second of both results."""
        return self._results(scores, labels)[1]

    def _results(self, scores: Any, labels: Any) -> Any:
        return self._both(scores.tobytes(), labels.tobytes(), str(scores.dtype), scores.shape)

    def hvp(self, scores: Any, labels: Any, vector: Any) -> Any:
        """The Hessian times the vector."""
        return call(formula_of(self.loss, "hvp"), scores[None], labels[None], vector[None])[0]


@needs_gxx
@pytest.mark.parametrize("loss", ["soft_zlpr", "softmax_cross_entropy", "unified", "max_hinge"])
def test_against_the_oracle(loss: str) -> None:
    samples = chosen(loss, every=97)
    assert len(samples) >= 4
    assert worst(errors(loss, HostRoute(loss), samples)) <= EMITTED_BOUND


@needs_gxx
@pytest.mark.parametrize("loss", ["combination_softmax", "grid_centered"])
def test_nests_against_the_oracle(loss: str) -> None:
    """Some rows: a thread of the host for each of a block takes its time."""
    some = [x for x in chosen(loss, every=1) if x.scores.size <= 60][::61]
    assert len(some) >= 4
    assert worst(errors(loss, HostRoute(loss), some)) <= EMITTED_BOUND


@needs_gxx
def test_a_row_of_too_large_an_order_is_nan() -> None:
    """And the others of its batch are right."""
    formula = formula_of("combination_softmax", "value_and_grad")
    scores = np.random.default_rng(4).normal(0, 2, (2, 9))
    labels = np.zeros((2, 9))
    labels[0, :5] = labels[1, 0] = 1
    expected, slopes = compile_formula(formula)(scores, labels)
    value, gradient = call(formula, scores, labels, orders=3)
    assert np.isnan(value[0])
    assert np.isnan(gradient[0]).all()
    np.testing.assert_allclose(value[1], expected[1], rtol=1e-14)
    np.testing.assert_allclose(gradient[1], slopes[1], rtol=1e-13)


@needs_gxx
def test_masked_labels() -> None:
    samples = chosen("soft_zlpr", every=29, masked=True)
    assert worst(errors("soft_zlpr", HostRoute("soft_zlpr"), samples)) <= EMITTED_BOUND


@needs_gxx
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 100_000])
def test_blocks_take_rows_in_turn(n: int, dtype: str) -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(0, 3, (3, n)).astype(dtype), rng.random((3, n)).astype(dtype)
    value, gradient = call(formula_of("soft_zlpr", "value_and_grad"), scores, labels)
    s, t = scores.astype(np.longdouble), labels.astype(np.longdouble)
    up, down = (1 - t) * np.exp(s), t * np.exp(-s)
    a, b = 1 + up.sum(-1, keepdims=True), 1 + down.sum(-1, keepdims=True)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, (np.log(a) + np.log(b))[:, 0], rtol=4 * eps)
    np.testing.assert_allclose(gradient, up / a - down / b, rtol=0, atol=4 * eps)


@needs_nvcc
@pytest.mark.parametrize("loss", COMPILED)
def test_compiles_for_several_architectures(loss: str, tmp_path: Path) -> None:
    (tmp_path / "emitted.cu").write_text(cuda_source(formula_of(loss, "value_and_grad")))
    listed = subprocess.run(
        [str(NVCC), "--list-gpu-arch"], capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = [each for each in ("compute_75", "compute_80", "compute_90") if each in listed]
    assert wanted
    for each in wanted:
        machine = each.replace("compute", "sm")
        command = [str(NVCC), f"-arch={machine}", "-cubin", "-Werror", "all-warnings"]
        cubin = tmp_path / f"{machine}.cubin"
        subprocess.run([*command, "emitted.cu", "-o", str(cubin)], cwd=tmp_path, check=True)
        names = cubin.read_bytes()
        for dtype in ("float32", "float64", "float16", "bfloat16"):
            assert f"{loss}_value_and_grad_{dtype}".encode() in names
