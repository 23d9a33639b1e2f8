r"""A few lines to paste that show one finding: the import, the arrays, the call, and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.check.convention import LAYOUTS, SIDES, index_lists, side_lists
from verify.check.findings import Finding
from verify.check.trial import Trial

__all__ = ["reproducer"]

# What a lambda or an object is called.
UNNAMED = "loss"
_SIDES = ("positives", "negatives")
_IMPORT = {
    "numpy": ("import numpy as np", "np.array({}, dtype=np.{})", "np.array({})"),
    "torch": ("import torch", "torch.tensor({}, dtype=torch.{})", "torch.tensor({})"),
    "jax": (
        'import jax\nimport jax.numpy as jnp\n\njax.config.update("jax_enable_x64", True)',
        "jnp.array({}, dtype=jnp.{})",
        "jnp.array({})",
    ),
    "tensorflow": ("import tensorflow as tf", "tf.constant({}, tf.{})", "tf.constant({})"),
    "cupy": ("import cupy as cp", "cp.array({}, dtype=cp.{})", "cp.array({})"),
    "array_api_strict": (
        "import array_api_strict as xp",
        "xp.asarray({}, dtype=xp.{})",
        "xp.asarray({})",
    ),
    "python": ("", "{}", "{}"),
}


def reproducer(trial: Trial, finding: Finding) -> str:
    """The script; the numbers are those of the finding."""
    way, framework = trial.convention, trial.framework
    library, array, integers = _IMPORT[framework.name]
    dtype = finding.dtypes[0] if finding.dtypes else "float64"
    given = framework.floats(framework.array(way.scores(_table(finding.scores)), dtype))
    if way.labels == SIDES:
        parts = zip(_SIDES, side_lists(_table(finding.labels)), strict=True)
        arrays = {
            name: array.format(_text(np.take_along_axis(given, _places(index, given), -1)), dtype)
            for name, index in parts
        }
    else:
        labels = _labels(trial, finding, array, integers, dtype)
        arrays = {"scores": array.format(_text(given), dtype), "labels": labels}
    call = _call(trial, *arrays)
    wanted = f"  # expected {finding.expected}, got {finding.got}"
    show = [f"print({call}){wanted}"]
    if finding.what == "gradient" and framework.name == "torch":
        leaves = [name for name in arrays if name != "labels"]
        arrays |= {name: arrays[name][:-1] + ", requires_grad=True)" for name in leaves}
        slopes = ", ".join(f"{name}.grad" for name in leaves)
        show = [f"{call}.sum().backward()", f"print({slopes}){wanted}"]
    lines = [
        *(["from math import inf"] if any("inf" in text for text in arrays.values()) else []),
        *([library] if library else []),
        _import_of(trial),
        "",
        *(f"{name} = {text}" for name, text in arrays.items()),
        *show,
    ]
    return "\n".join(lines) + "\n"


def _places(index: Any, given: Any) -> Any:
    """Whole numbers of the dimension of the scores."""
    return index.astype(int).reshape((*given.shape[:-1], -1))


def _table(rows: Any) -> Any:
    return np.atleast_2d(np.array(rows, dtype=np.float64))


def _labels(trial: Trial, finding: Finding, array: str, integers: str, dtype: str) -> str:
    way, rows = trial.convention, _table(finding.labels)
    if way.labels in ("multi-hot", "signs"):
        numbers = rows if way.labels == "multi-hot" else 2 * rows - 1
        return array.format(_text(way.laid_out(numbers)), dtype)
    if way.labels == "class":
        index = rows.argmax(axis=-1).tolist()
        return integers.format(index[0] if way.layout == "row" else index)
    if way.labels == "integers":
        return integers.format(_text(way.laid_out(rows).astype(int)))
    lists = index_lists(rows, -1 if way.labels != "indices" else way.padding).astype(int)
    lists = lists if way.labels == "indices" else lists + 1
    if way.layout in ("heads", "spans"):
        lists = lists.reshape(len(lists), *[1] * (LAYOUTS.index(way.layout) - 2), -1)
    return integers.format(_text(lists[0] if way.layout == "row" else lists))


def _call(trial: Trial, first: str, second: str) -> str:
    way, name = trial.convention, _name(trial).split(".")[0]
    made = ", ".join(f"{k}={v!r}" for k, v in trial.target.made_with.items())
    called = name if trial.target.is_function or name == UNNAMED else f"{name}({made})"
    if way.names is not None:
        arguments = f"{way.names[0]}={first}, {way.names[1]}={second}"
    else:
        arguments = f"{first}, {second}" if way.scores_first else f"{second}, {first}"
    options = "".join(f", {k}={v!r}" for k, v in way.options.items())
    return f"{called}({arguments}{options})"


def _name(trial: Trial) -> str:
    name = trial.target.where.rpartition(":")[2]
    return name if all(part.isidentifier() for part in name.split(".")) else UNNAMED


def _import_of(trial: Trial) -> str:
    place, name = trial.target.where.rpartition(":")[0], _name(trial)
    module = place.rpartition("/")[2].removesuffix(".py") if place.endswith(".py") else place
    if name == UNNAMED or module in ("", "__main__"):
        return f"# {name}: what was checked, {trial.target.name}"
    return f"from {module} import {name.split('.')[0]}"


def _text(rows: Any) -> str:
    return repr(rows.tolist())
