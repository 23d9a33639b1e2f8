"""``lossproof.check``: hold an implementation of a loss against the formula."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.check import Result

__all__ = ["check", "read_options"]


def check(
    target: str | Callable[..., Any],
    against: object = "zlpr",
    *,
    parameters: Mapping[str, float] | None = None,
    arguments: Mapping[str, Any] | None = None,
    framework: str | None = None,
    scores_first: bool | None = None,
    names: tuple[str, str] | None = None,
    input: str | None = None,
    labels: str | None = None,
    padding: int | None = None,
    layout: str | None = None,
    reduction: str | None = None,
    gradient: Callable[..., Any] | None = None,
    dtypes: Sequence[str] = (),
    excluding: Sequence[str] = (),
    strict: bool = False,
    budget: float | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
) -> Result:
    """Value, gradient and more of ``target`` beside those of ``against``; a result, no exception.

    target: a callable, or an address, ``path/to/file.py:function`` or ``package.module:function``,
    whose code then runs in a process of its own with ``time_limit`` seconds and ``memory_limit``
    megabytes.  A callable runs in this process, without limits.
    against: the name of a loss, with its ``parameters``; or a symbolic loss or expression, itself
    or in a file, ``my_losses.py:spec``, such as::

        from sympy import exp, log
        from derive.axis import array, labels_axis, total
        i = labels_axis().index("i")
        s = array("s")  # scores
        t = array("t")  # labels in [0, 1]; y: 0 and 1; one_hot: of sum 1
        spec = total(t[i] * log(1 + exp(-s[i])) + (1 - t[i]) * log(1 + exp(s[i])), i)

    How the target is called is found out, unless said: ``framework`` (numpy, torch, jax,
    tensorflow, cupy, python), the order or the ``names`` of the two arguments, ``input`` (logits,
    sigmoid, softmax, log-softmax), ``labels`` (multi-hot, integers, signs, class, indices, indices
    from 1, sides), ``padding``, ``layout`` (rows, row, columns, heads, spans), ``reduction`` (none,
    sum, mean, mean over labels, mean over all, elements), and further ``arguments`` for it.
    ``gradient(scores, labels)`` is its gradient where the library has no autograd.

    ``dtypes``: only these.  ``excluding``: classes of rows to leave out, such as "mask -inf".
    ``strict``: lost digits of small losses count.  ``budget``: seconds to spend, 20 by default.

    ValueError for a loss, a place or an option that there is not.
    """
    from verify.check import MEMORY_LIMIT, TIME_LIMIT, Options, check_apart, examine

    said = {"framework": framework, "scores_first": scores_first, "names": names, "input": input,
            "labels": labels, "padding": padding, "layout": layout,
            "reduction": reduction}  # fmt: skip
    options: dict[str, Any] = {
        "convention": {name: value for name, value in said.items() if value is not None},
        "arguments": dict(arguments or {}),
        "parameters": dict(parameters or {}),
        "dtypes": list(dtypes),
        "excluding": list(excluding),
        "strict": strict,
    }
    if budget is not None:
        options["budget"] = budget
    if isinstance(target, str) and isinstance(against, str) and gradient is None:
        return check_apart(
            target,
            against,
            options,
            time_limit=TIME_LIMIT if time_limit is None else time_limit,
            memory_limit=MEMORY_LIMIT if memory_limit is None else memory_limit,
        )
    return examine(target, against, Options(**options, gradient=gradient))


def read_options(pairs: Sequence[str], numbers: bool) -> dict[str, Any]:
    """NAME=VALUE pairs; values are JSON where they can be read so, text otherwise.

    ValueError for a pair without a name, or where a number is expected and none is given.
    """
    read: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"cannot read {pair!r}: expected NAME=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if numbers and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} must be a number, got {text!r}")
        read[name] = value
    return read
