r"""A few lines to paste that show one finding: the import, the arrays, the call, and the truth."""

from __future__ import annotations

from typing import Any

from verify.check.convention import LAYOUTS, index_lists
from verify.check.result import Finding
from verify.check.trial import Trial

__all__ = ["reproducer"]

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
    "python": ("", "{}", "{}"),
}


def reproducer(trial: Trial, finding: Finding) -> str:
    """The script; the numbers are those of the finding."""
    way, framework = trial.convention, trial.framework
    library, array, integers = _IMPORT[framework.name]
    dtype = finding.dtypes[0] if finding.dtypes else "float64"
    given = framework.floats(framework.array(way.scores(_table(finding.scores)), dtype))
    scores = array.format(_text(given.tolist()), dtype)
    labels = _labels(trial, finding, array, integers, dtype)
    call = _call(trial)
    show = [f"print({call})  # expected {finding.expected}, got {finding.got}"]
    if finding.what == "gradient" and framework.name == "torch":
        scores = scores[:-1] + ", requires_grad=True)"
        show = [
            f"{call}.sum().backward()",
            f"print(scores.grad)  # expected {finding.expected}, got {finding.got}",
        ]
    needs_inf = "inf" in scores
    lines = [
        *(["from math import inf"] if needs_inf else []),
        *([library] if library else []),
        _import_of(trial),
        "",
        f"scores = {scores}",
        f"labels = {labels}",
        *show,
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Any) -> Any:
    import numpy as np

    return np.atleast_2d(np.array(rows, dtype=np.float64))


def _labels(trial: Trial, finding: Finding, array: str, integers: str, dtype: str) -> str:
    way, rows = trial.convention, _table(finding.labels)
    if way.labels in ("multi-hot", "signs"):
        numbers = rows if way.labels == "multi-hot" else 2 * rows - 1
        return array.format(_text(way.laid_out(numbers).tolist()), dtype)
    if way.labels == "class":
        index = rows.argmax(axis=-1).tolist()
        return integers.format(index[0] if way.layout == "row" else index)
    if way.labels == "integers":
        return integers.format(_text(way.laid_out(rows).astype(int).tolist()))
    lists = index_lists(rows, -1 if way.labels != "indices" else way.padding).astype(int)
    lists = lists if way.labels == "indices" else lists + 1
    if way.layout in ("heads", "spans"):
        lists = lists.reshape(len(lists), *[1] * (LAYOUTS.index(way.layout) - 2), -1)
    return integers.format(_text((lists[0] if way.layout == "row" else lists).tolist()))


def _call(trial: Trial) -> str:
    way, name = trial.convention, _name(trial).split(".")[0]
    called = name if trial.target.is_function else f"{name}()"
    if way.names is not None:
        arguments = f"{way.names[0]}=scores, {way.names[1]}=labels"
    else:
        arguments = "scores, labels" if way.scores_first else "labels, scores"
    options = "".join(f", {k}={v!r}" for k, v in way.options.items())
    return f"{called}({arguments}{options})"


def _name(trial: Trial) -> str:
    return trial.target.where.rpartition(":")[2]


def _import_of(trial: Trial) -> str:
    place, _, name = trial.target.where.rpartition(":")
    module = place.rpartition("/")[2].removesuffix(".py") if place.endswith(".py") else place
    if "<" in name or module in ("", "__main__"):
        return f"# {name or trial.target.name}: the function that was checked"
    return f"from {module} import {name.split('.')[0]}"


def _text(rows: Any) -> str:
    return repr(rows)
