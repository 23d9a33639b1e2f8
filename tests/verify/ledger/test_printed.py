"""The printed code, run again: what is recorded of PyTorch and JAX is what they give."""

from __future__ import annotations

import math

import pytest
from flint import arb, ctx

from verify.ledger.balls import BITS
from verify.ledger.printed import CASES, SNIPPETS, Cell, Kind, Outcome, cells, measured, recorded
from verify.ledger.printed.libraries import (
    ExactLibrary,
    JaxLibrary,
    Library,
    NumpyLibrary,
    TorchLibrary,
)

# Errors of a few ulp differ by processor: within this many either word is right.
SOME_ULP = 64.0
BITS_OF = {"float16": 11, "float32": 24, "float64": 53}
# JAX compiles each operation anew for each shape.
JAX_LENGTH = 3


def same(old: Outcome | None, new: Outcome | None, dtype: str) -> bool:
    if old is None or new is None:
        return old is new
    if old.kind is not new.kind:
        return _few(old, dtype) and _few(new, dtype)
    if old.kind is Kind.WRONG and old.figure is not None and new.figure is not None:
        return math.isclose(old.figure, new.figure, rel_tol=0.1)
    return True


def _few(outcome: Outcome, dtype: str) -> bool:
    if outcome.kind is Kind.DIGITS:
        return (outcome.figure or 0.0) * 2.0 ** BITS_OF[dtype] < SOME_ULP
    return outcome.kind is Kind.RIGHT


def library_named(name: str) -> Library:
    pytest.importorskip(name, reason=f"{name} is an optional extra: lossproof[{name}]")
    return TorchLibrary() if name == "torch" else JaxLibrary()


def again(old: Cell, library: Library) -> Cell:
    return measured(SNIPPETS[old.snippet], library, old.dtype, CASES[old.case])


@pytest.mark.parametrize("snippet", SNIPPETS)
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_recorded_cells_are_what_the_library_gives(name: str, snippet: str) -> None:
    library = library_named(name)
    mine = [cell for cell in recorded() if (cell.library, cell.snippet) == (name, snippet)]
    if name == "jax":
        mine = [cell for cell in mine if len(CASES[cell.case].scores) == JAX_LENGTH][::2]
    assert len(mine) >= 3
    for old in mine:
        new = again(old, library)
        assert same(old.value, new.value, old.dtype), (old, new)
        assert same(old.gradient, new.gradient, old.dtype), (old, new)


def of(snippet: str, *libraries: str) -> list[Cell]:
    return [cell for cell in cells() if cell.snippet == snippet and cell.library in libraries]


def test_own_code_halves_labels_one_half_have_no_gradient() -> None:
    mine = [cell for cell in of("7359 code", "torch", "jax") if cell.case == "labels 1/2"]
    assert len(mine) == 6
    assert all(cell.gradient is not None and cell.gradient.kind is Kind.ZERO for cell in mine)


def test_own_code_zero_the_gradient_is_there_where_the_value_is_gone() -> None:
    mine = [cell for cell in of("7359 code", "torch", "jax") if cell.case == "fitted by 40"]
    wide = [cell for cell in mine if cell.dtype != "float16"]
    assert len(wide) == 4
    assert all(cell.value.kind is Kind.ZERO for cell in wide)
    assert all(cell.gradient is not None and cell.gradient.kind is Kind.RIGHT for cell in wide)


def test_own_code_mask_in_float16_the_constant_is_infinite() -> None:
    hard = [
        c for c in of("7359 code", "numpy", "torch", "jax") if set(CASES[c.case].labels) <= {0, 1}
    ]
    half = [cell for cell in hard if cell.dtype == "float16"]
    lost = {(cell.library, cell.case) for cell in half if cell.value.kind is Kind.NAN}
    of_torch = {case for library, case in lost if library == "torch"}
    assert of_torch == {"positive masked by -1e7", "positive masked by -inf"}
    assert {(c.library, c.case) for c in half if c.library != "torch"} <= lost
    assert not any(cell.value.kind is Kind.NAN for cell in hard if cell.dtype != "float16")


def test_own_code_asked_and_set_masks() -> None:
    for snippet, right in (("9064 asked", False), ("9064 text", True)):
        mine = [cell for cell in of(snippet, "numpy", "torch", "jax") if "by -inf" in cell.case]
        negative = [cell for cell in mine if "positive" not in cell.case]
        assert len(negative) == 18
        for cell in negative:
            found = [outcome.kind for outcome in (cell.value, cell.gradient) if outcome]
            well = all(kind in (Kind.RIGHT, Kind.DIGITS) for kind in found)
            assert well is right, cell


def test_every_cell_is_there_once() -> None:
    keys = [cell.key for cell in cells()]
    assert len(set(keys)) == len(keys)
    assert {library for _, library, _, _ in keys} == {"exact", "numpy", "torch", "jax"}
    for snippet in SNIPPETS.values():
        cases = {name for name, case in CASES.items() if case.loss == snippet.loss}
        found = {case for name, _, _, case in keys if name == snippet.name}
        assert found == cases


@pytest.mark.parametrize("case", ["ordinary", "wrong", "soft", "labels 1/2", "fitted by 20"])
@pytest.mark.parametrize("snippet", ["7359 code", "9064 code", "9064 text"])
def test_exact_slopes_are_those_of_the_exact_value(snippet: str, case: str) -> None:
    row, library, step = CASES[case], ExactLibrary(), 2.0**-30

    def value(place: int, change: float) -> arb:
        moved = [s + change * (k == place) for k, s in enumerate(row.scores)]
        return library.run(SNIPPETS[snippet], row.labels, moved, "float64")[0]

    with ctx.workprec(BITS):
        _, slopes = library.run(SNIPPETS[snippet], row.labels, row.scores, "float64")
        for place, slope in enumerate(slopes):
            difference = (value(place, step) - value(place, -step)) / (2 * step)
            # A third derivative of these losses is below 2 in size.
            assert abs(difference - slope) < step**2


def test_numpy_has_no_gradient_and_its_value_is_that_of_the_exact_code() -> None:
    code, row = SNIPPETS["7359 code"], CASES["ordinary"]
    value, gradient = NumpyLibrary().run(code, row.labels, row.scores, "float64")
    assert gradient is None
    with ctx.workprec(BITS):
        exact, _ = ExactLibrary().run(code, row.labels, row.scores, "float64")
        assert abs(arb(value) / exact - 1) < 2.0**-50
