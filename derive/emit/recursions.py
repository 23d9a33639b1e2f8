"""The loops that emitted files bring along: coefficients by elements, on arrays.

One text serves all array targets: ``xp`` becomes the module of the target; ``$`` ends the calls of
other loops and hands the namespace on where it is only known at run time; ``@`` names the device of
a new array where the target wants one. A file gets the functions that it calls, and those that they
call in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from re import sub

__all__ = ["LOOPS", "NOTE", "OTHERS", "Dialect", "loop_name", "loops"]

# The one function here that is not about coefficients.
OTHERS = "sum_of_others"

# What an emitted docstring says of them.
NOTE = (
    "Coefficients are found by elements (claim combination_softmax.elements), in a loop over the "
    "row, as logs: an absolute error of a few ulps of the largest log coefficient."
)


@dataclass(frozen=True)
class Dialect:
    """How array functions are called in a target.

    ``module`` is their namespace, ``device`` whether new arrays are to name theirs, ``words`` what
    is called otherwise than in the array API standard, ``phrases`` patterns in the loops and what
    stands there instead. ``most`` is the function ``most(order, x)``, the largest order, of targets
    in which an order may be no number yet.
    """

    target: str
    module: str
    device: bool
    words: Mapping[str, str] = field(default_factory=dict)
    phrases: Mapping[str, str] = field(default_factory=dict)
    most: str = ""


@dataclass(frozen=True)
class Loop:
    """One function: its parameters, its body, and the functions that it calls."""

    name: str
    parameters: str
    body: str
    calls: tuple[str, ...] = ()


def _loop(name: str, parameters: str, body: str, *calls: str) -> Loop:
    return Loop(name, parameters, body.strip("\n"), calls)


LOOPS: dict[str, Loop] = {
    loop.name: loop
    for loop in (
        _loop(
            "log_weights",
            "w, x",
            '''
    """log(w e^x), -inf where w is 0."""
    return xp.where(w > 0, x + xp.log(xp.where(w > 0, w, 1)), -xp.inf)
''',
        ),
        _loop(
            "shifted",
            "a, first",
            '''
    """The coefficients times z: order j holds what order j - 1 held."""
    is_first = xp.arange(a.shape[-1]@) == 0
    return xp.where(is_first, first, xp.roll(a, 1, axis=-1))
''',
        ),
        _loop(
            "log_start",
            "order, base, x",
            '''
    """Logs of the coefficients of z^(m - order), or of z^(m - order) / (1 - e^base z).

    m is the largest order of the batch: the order of interest is the last one in every row.
    """
    order = xp.asarray(order, dtype=x.dtype@)
    largest = max(0, int(xp.max(order)))
    place = xp.arange(largest + 1, dtype=x.dtype@) - (largest - order)
    if base is None:
        return xp.where(place == 0, 0 * place, -xp.inf)
    return xp.where(place >= 0, place * base, -xp.inf)
''',
        ),
        _loop(
            "log_steps",
            "x, log_e",
            '''
    """log e_j before each element of the row and after the last: e_j + e^x e_{j-1} is next."""
    steps = [log_e]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -xp.inf$)
        log_e = xp.logaddexp(log_e, taken)
        steps.append(log_e)
    return steps
''',
            "shifted",
        ),
        _loop(
            "log_product",
            "a, b",
            '''
    """The last order of a product: log sum_j e^(a_j + b_(m-j)), and the terms of that sum."""
    terms = a + xp.flip(b, axis=-1)
    peak = xp.max(terms, axis=-1, keepdims=True)
    peak = xp.where(xp.isfinite(peak), peak, 0)
    parts = xp.exp(terms - peak)
    total = xp.sum(parts, axis=-1, keepdims=True)
    empty = total == 0
    total = xp.where(empty, 1, total)
    return xp.where(empty, -xp.inf, peak + xp.log(total)), parts / total
''',
        ),
        _loop(
            "log_coefficient",
            "x, order, base",
            '''
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if a base is given; (*batch, 1)."""
    return log_steps(x, log_start(order, base, x$)$)[-1][..., -1:]
''',
            "log_start",
            "log_steps",
        ),
        _loop(
            "log_coefficient_without",
            "x, order, base",
            '''
    """The same without element i, for each i: the elements before it times those after it."""
    n = x.shape[-1]
    before = log_steps(x, log_start(order, base, x$)$)
    largest = before[0].shape[-1] - 1
    after = log_steps(xp.flip(x, axis=-1), log_start(largest, None, x$)$)
    left = [log_product(before[i], after[n - 1 - i]$)[0] for i in range(n)]
    return xp.concat(left, axis=-1)
''',
            "log_start",
            "log_steps",
            "log_product",
        ),
        _loop(
            "log_coefficient_without_two",
            "x, order, base",
            '''
    """The same without the elements i and j; (*batch, n, n)."""
    n = x.shape[-1]
    place = xp.arange(n@)
    rows = []
    for i in range(n):
        others = xp.where(place == i, -xp.inf, x)
        rows.append(log_coefficient_without(others, order, base$))
    return xp.stack(rows, axis=-2)
''',
            "log_coefficient_without",
        ),
        _loop(
            "mean_steps",
            "x, u, log_e",
            '''
    """Beside log e_j, the mean of the sum of u over the j elements chosen."""
    mean = xp.zeros_like(log_e)
    steps = [(log_e, mean)]
    for i in range(x.shape[-1]):
        taken = x[..., i : i + 1] + shifted(log_e, -xp.inf$)
        log_e = xp.logaddexp(log_e, taken)
        scale = xp.where(xp.isfinite(log_e), log_e, 0)
        step = shifted(mean, 0$) + u[..., i : i + 1] - mean
        mean = mean + xp.exp(taken - scale) * step
        steps.append((log_e, mean))
    return steps
''',
            "shifted",
        ),
        _loop(
            "subset_mean",
            "x, u, order, base",
            '''
    """The mean of the sum of u over the chosen elements, of weight prod e^(x_j); (*batch, 1)."""
    return mean_steps(x, u, log_start(order, base, x$)$)[-1][1][..., -1:]
''',
            "log_start",
            "mean_steps",
        ),
        _loop(
            "subset_mean_without",
            "x, u, order, base",
            '''
    """The same without element i, for each i."""
    n = x.shape[-1]
    before = mean_steps(x, u, log_start(order, base, x$)$)
    one = log_start(before[0][0].shape[-1] - 1, None, x$)
    after = mean_steps(xp.flip(x, axis=-1), xp.flip(u, axis=-1), one$)
    means = []
    for i in range(n):
        (a, mean_a), (b, mean_b) = before[i], after[n - 1 - i]
        share = log_product(a, b$)[1]
        both = mean_a + xp.flip(mean_b, axis=-1)
        means.append(xp.sum(share * both, axis=-1, keepdims=True))
    return xp.concat(means, axis=-1)
''',
            "log_start",
            "mean_steps",
            "log_product",
        ),
        _loop(
            OTHERS,
            "x",
            '''
    """sum_{k != j} x_k for each j: all that follow j, around the end, by doubling."""
    left, span, size, start = x.shape[-1] - 1, x, 1, 1
    others = xp.zeros_like(x)
    while left:
        if left % 2:
            others = others + xp.roll(span, -start, axis=-1)
            start += size
        span = span + xp.roll(span, -size, axis=-1)
        left, size = left // 2, 2 * size
    return others
''',
        ),
        # What the logs are measured against: the same recursion in plain numbers.
        _loop(
            "coefficient",
            "x, order, ratio",
            '''
    """[z^order] prod_j (1 + x_j z), over 1 - ratio z if a ratio is given; (*batch, 1)."""
    order = xp.asarray(order, dtype=x.dtype@)
    largest = max(0, int(xp.max(order)))
    place = xp.arange(largest + 1, dtype=x.dtype@) - (largest - order)
    e = xp.where(place == 0, 1 + 0 * place, 0)
    if ratio is not None:
        e = xp.where(place >= 0, ratio ** xp.abs(place), 0)
    for i in range(x.shape[-1]):
        e = e + x[..., i : i + 1] * shifted(e, 0$)
    return e[..., -1:]
''',
            "shifted",
        ),
        _loop(
            "coefficient_without",
            "x, order, ratio",
            '''
    """The same without element i, for each i."""
    place = xp.arange(x.shape[-1]@)
    left = [
        coefficient(xp.where(place == i, 0, x), order, ratio$) for i in range(x.shape[-1])
    ]
    return xp.concat(left, axis=-1)
''',
            "coefficient",
        ),
    )
}


def loop_name(kind: str, left_out: int) -> str | None:
    """The function for nodes of a kind with so many elements left out, if there is one."""
    name = kind + ("", "_without", "_without_two", "_without_more")[min(left_out, 3)]
    return name if name in LOOPS else None


def loops(names: list[str], dialect: Dialect) -> list[str]:
    """The lines of the functions of these names, and of those that they call."""
    wanted: set[str] = set()
    open_ = list(names)
    while open_:
        name = open_.pop()
        if name not in wanted:
            wanted.add(name)
            open_ += LOOPS[name].calls
    lines: list[str] = []
    if dialect.most and wanted & {"log_start", "coefficient"}:
        lines += [*dialect.most.strip("\n").splitlines(), "", ""]
    for name in (name for name in LOOPS if name in wanted):
        lines += [*_text(LOOPS[name], dialect), "", ""]
    return lines


def _text(loop: Loop, dialect: Dialect) -> list[str]:
    array = loop.parameters[0] if loop.name == "shifted" else "x"
    through = ", xp" if dialect.module == "xp" else ""
    body = loop.body
    if dialect.most:
        body = sub(r"(order = .*)\n    largest = .*", r"largest = most(order, x)\n    \1", body)
    for pattern, other in dialect.phrases.items():
        body = sub(pattern, other, body)
    body = body.replace("@", f", device={array}.device" if dialect.device else "")
    for word, other in dialect.words.items():
        body = body.replace(f"xp.{word}(", f"xp.{other}(")
    body = body.replace("$", through).replace("xp.", f"{dialect.module}.")
    return [f"def {loop.name}({loop.parameters}{through}):", *body.splitlines()]
