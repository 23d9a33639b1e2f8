"""The symbolic side: deriving, proving and emitting, for every n at once, beside one n at a time.

derive  the gradient for symbolic n, its proof included, against SymPy's `diff` of the loss
        with its sums written out at one n
prove   the same, against SymPy's `simplify` of (derivative - formula) at one n
emit    the formula made a NumPy function, against `lambdify` at one n; then value and gradient,
        derived and emitted for each target
run     that function on 4096 rows, against `lambdify`'s and the code by hand
command `lossproof emit` of value and gradient, a new process that finds no earlier result, from
        its start to its end; against what Python takes to start and import SymPy
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sympy import Expr, Symbol, diff, lambdify, simplify
from sympy.core.cache import clear_cache

from benchmarks.by_hand import HANDS
from benchmarks.cases import OtherCase
from derive.emit import TARGETS, Formula, UnsupportedNode, compile_formula, emit
from derive.formulas import formula_of
from derive.losses import LOSSES
from derive.losses.symbols import i, s

__all__ = ["symbolic_cases"]

NAMES = ("soft_zlpr", "softmax_cross_entropy", "binary_cross_entropy")
# At one n: the text of a gradient grows with n^2.
LENGTHS = {"smallest": (2,), "quick": (8,), "full": (8, 32, 64)}
# The longest texts: three axes, recursions.
LONGEST = ("grid_pairwise", "order_r")
COMMANDS = (NAMES[0], LONGEST[-1])
# simplify takes minutes from n = 4 on.
PROVED = {"smallest": 1, "quick": 2, "full": 3}
ROWS = {"smallest": 16, "quick": 4096, "full": 4096}
SEED = 11


def symbolic_cases(size: str) -> Iterator[OtherCase]:
    """All cases; size: smallest, quick or full."""
    smallest = size == "smallest"
    for name in NAMES[:1] if smallest else NAMES:
        for kind, make in MAKERS.items():
            yield OtherCase(f"{kind} {name}", partial(make, name, size))
    for name in () if smallest else LONGEST:
        yield OtherCase(f"emit {name}", partial(_to_targets, name))
    for name in () if smallest else COMMANDS:
        yield OtherCase(f"command emit {name}", partial(_commands, name))


def _cold(call: Callable[[], Any]) -> Callable[[], Any]:
    """From empty caches, SymPy's and ours, whose results would make the second call free."""

    def fresh() -> Any:
        clear_cache()
        for kept in _caches():
            kept.cache_clear()
        return call()

    return fresh


def _caches() -> list[Any]:
    """What functions of derive keep of their results."""
    modules = [known for name, known in sys.modules.items() if name.split(".")[0] == "derive"]
    found = [x for known in modules for x in vars(known).values() if hasattr(x, "cache_clear")]
    return [x for x in found if getattr(x, "__module__", "").split(".")[0] == "derive"]


def _deriving(name: str, size: str) -> dict[str, Callable[[], Any]]:
    loss = LOSSES[name]
    calls = {"lossproof": _cold(lambda: _derived(name))}
    for n in LENGTHS[size]:
        value, scores, _ = _written(loss.value, name, n)

        def explicit(value: Expr = value, scores: Any = scores) -> Any:
            return [diff(value, x) for x in scores]

        calls[f"SymPy diff, n = {n}"] = _cold(explicit)
    return calls


def _derived(name: str) -> Any:
    """The gradient with its proof; a loss keeps what it has derived, so that is forgotten."""
    loss = LOSSES[name]
    loss._derived.clear()
    found = loss.derive("gradient")
    if not found.holds:
        raise ArithmeticError(f"the gradient of {name} is not proved: its time means nothing")
    return found


def _proving(name: str, size: str) -> dict[str, Callable[[], Any]]:
    loss, n = LOSSES[name], PROVED[size]
    value, scores, _ = _written(loss.value, name, n)
    gradient = [_written(loss.gradient, name, n, place)[0] for place in range(n)]

    def explicit() -> Any:
        rests = [simplify(diff(value, x) - g) for x, g in zip(scores, gradient, strict=True)]
        return all(rest == 0 for rest in rests)

    ours = _cold(lambda: _derived(name))
    return {"lossproof": ours, f"SymPy simplify, n = {n}": _cold(explicit)}


def _emitting(name: str, size: str) -> dict[str, Callable[[], Any]]:
    """The text for NumPy, made a function, is what lambdify gives; the other targets: the text."""
    calls: dict[str, Callable[[], Any]] = {
        "lossproof": _cold(lambda: compile_formula(_formula(name)))
    }
    calls |= _to_targets(name)
    for n in LENGTHS[size]:
        calls[f"lambdify, n = {n}"] = _cold(lambda n=n: _unrolled(name, n))
    return calls


def _to_targets(name: str) -> dict[str, Callable[[], Any]]:
    """Value and gradient, derived and emitted, for each target that has a text for them."""
    found = {}
    for target in TARGETS:
        with suppress(UnsupportedNode):
            _emitted(name, target)
            found[f"lossproof, {target}"] = _cold(partial(_emitted, name, target))
    return found


def _commands(name: str) -> dict[str, Callable[[], Any]]:
    """Each target in a process of its own, with a folder of its own for what is kept."""
    found: dict[str, Callable[[], Any]] = {}
    for target in TARGETS:
        with suppress(UnsupportedNode):
            _emitted(name, target)
            asked = (name, "value_and_grad", "--target", target)
            found[f"lossproof, {target}"] = partial(_process, "lossproof", "emit", *asked)
    return found | {"import sympy": partial(_process, "sympy")}


def _process(module: str, *arguments: str) -> None:
    """python -m module for a command, `import` where nothing is asked of it."""
    run = ["-m", module, *arguments] if arguments else ["-c", f"import {module}"]
    with TemporaryDirectory() as folder:
        about = os.environ | {"LOSSPROOF_CACHE": folder}
        subprocess.run([sys.executable, *run], env=about, check=True, stdout=subprocess.DEVNULL)


def _emitted(name: str, target: str) -> str:
    """What the loss keeps of its derivations is forgotten."""
    LOSSES[name]._derived.clear()
    return emit(formula_of(name, "value_and_grad"), target)


def _running(name: str, size: str) -> dict[str, Callable[[], Any]]:
    n = LENGTHS[size][-1]
    rng = np.random.default_rng(SEED)
    scores = rng.normal(0, 3, (ROWS[size], n))
    labels = rng.uniform(0, 1, scores.shape)
    emitted, unrolled = compile_formula(_formula(name)), _unrolled(name, n)
    columns = [*scores.T, *labels.T]
    return {
        "lossproof": lambda: emitted(scores, labels),
        "NumPy by hand": lambda: HANDS[name](scores, labels),
        f"lambdify, n = {n}": lambda: np.stack(unrolled(*columns), axis=-1),
    }


def _formula(name: str) -> Formula:
    loss = LOSSES[name]
    return Formula(f"{name}_gradient", loss.gradient, (i,), (s, loss.labels))


def _unrolled(name: str, n: int) -> Any:
    """lambdify of the gradient with every sum written out."""
    loss = LOSSES[name]
    written = [_written(loss.gradient, name, n, place) for place in range(n)]
    _, scores, labels = written[0]
    return lambdify([*scores, *labels], [entry for entry, _, _ in written], "numpy", cse=True)


def _written(expr: Expr, name: str, n: int, place: int = 0) -> tuple[Expr, list[Any], list[Any]]:
    """An expression at one n (and i = place), and its n scores and labels as symbols."""
    loss = LOSSES[name]
    scores = [Symbol(f"s{p}", real=True) for p in range(n)]
    labels = [Symbol(f"t{p}", real=True) for p in range(n)]
    entries = {s[p]: scores[p] for p in range(n)} | {loss.labels[p]: labels[p] for p in range(n)}
    return expr.subs({i.axis.size: n, i: place}).doit().xreplace(entries), scores, labels


MAKERS = {"derive": _deriving, "prove": _proving, "emit": _emitting, "run": _running}
