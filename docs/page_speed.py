"""docs/speed.md, and what the README tells of it, from the run that benchmarks/measured.json holds.

One table a loss; the time of a contender as a multiple of that of lossproof's fastest way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from page_tables import digits, filled, span, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import HVP, ROWS, VALUE, VALUE_AND_GRADIENT
from benchmarks.contenders import FAST, OURS, OUT
from benchmarks.run import BANDWIDTH, Row
from benchmarks.show import OFF
from benchmarks.stored import rows_of

__all__ = ["SENTENCES", "speed_page", "told"]

ASKED = {VALUE_AND_GRADIENT: "value, gradient", VALUE: "value", HVP: "Hessian · vector"}
# The fastest way first.
WAYS = (OUT, FAST, OURS)
HEAD = ["rows × n", "dtype", "asked", f"`{BANDWIDTH}`, ms", "lossproof, ms", "ratio"]
ROW_LOSSES = ("softmax_cross_entropy", "zlpr", "soft_zlpr")
EXACT = ("recursion, autograd", "scan, autograd", "poisson_binom, value")
DIVIDE = "divide and conquer"
OPENING = f"""# How fast

This page is made by `python docs/make_pages.py` from [the figures of one
run](../benchmarks/measured.json): `lossproof bench --growth --json benchmarks/measured.json`.
{{machine}}

Contenders take turns, round after round. Each time is the median of the rounds, after a call that
may compile; ± is half the distance of the quartiles. **ratio** is to `{BANDWIDTH}` over arrays of
the same size, timed just before each call, on one core or on all, whichever is faster: what memory
allows a loss that reads scores and labels and writes a gradient. *lossproof, ms* is the time of the
last of its three ways that there is, and the columns to the right are the times of all **as
multiples of it**:

- `{OURS}`: NumPy alone; `{FAST}`: compiled by Numba; `{OUT}`: into an array that is
  there before, as `{BANDWIDTH}` is timed;
- *NumPy by hand*: the usual stable code in some six lines; *torch eager* and *torch.compile*: the
  loss as people publish it, and autograd; *jax.jit*: value and reverse mode in one compiled
  function; *SciPy*: `scipy.special`, and the gradient by hand.

Memory is what the process grows by in a call, in arrays of the size of the scores. *(off)*: the
result differs from lossproof's by more than 1e-3 in float32, 1e-9 in float64.
"""
GROWTH = f"""![Nanoseconds a score over the number of labels.](pictures/lengths.png)

Milliseconds for {ROWS} rows; what takes long is not asked for more."""


def speed_page(found: Mapping[str, Any]) -> str:
    """The page, of what the file of a run holds."""
    rows = rows_of(found)
    batches = [row for row in rows if row.loss and not _grows(row)]
    parts = [OPENING.format(machine=_machine(found))]
    parts += ["## Losses", *_per_loss(batches)]
    parts += _growth([row for row in rows if _grows(row)])
    parts += ["## Symbols, and what else there is", *_others([r for r in rows if not r.loss])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _grows(row: Row) -> bool:
    return bool(row.shape) and row.shape[0] == ROWS


def _machine(found: Mapping[str, Any]) -> str:
    about = dict(found["machine"])
    place = f"Machine: {about.pop('processor')}, {about.pop('cores')} cores; "
    return place + ", ".join(f"{name} {text}" for name, text in about.items()) + "."


def _cases(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each case together."""
    return [list(own) for _, own in groupby(rows, lambda row: (row.case, row.dtype))]


def _best(rows: Sequence[Row]) -> Row:
    """lossproof's own, by the way that is meant to be the fastest."""
    own = {row.contender: row for row in rows}
    return next(own[name] for name in WAYS if name in own)


def _per_loss(rows: Sequence[Row]) -> list[str]:
    parts = []
    for loss in dict.fromkeys(row.loss for row in rows):
        cases = _cases(row for row in rows if row.loss == loss)
        parts += [f"### `{loss}`", _times(cases), _memory(cases)]
    return parts


def _times(cases: Sequence[Sequence[Row]]) -> str:
    names = _contenders(cases)
    return table([*HEAD, *names], [_line(case, names) for case in cases], texts=3)


def _contenders(cases: Iterable[Sequence[Row]]) -> list[str]:
    """All but the yardsticks, lossproof's ways first."""
    rows = [row for case in cases for row in case if row.contender not in row.ratios]
    names = dict.fromkeys(row.contender for row in rows)
    return sorted(names, key=lambda name: name not in WAYS)


def _line(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    own = {row.contender: row for row in rows}
    best = _best(rows)
    rule = own[best.ratio_to].seconds
    figures = [digits(1e3 * rule), _milliseconds(best), digits(best.ratio)]
    about = [_size(best), best.dtype, ASKED[best.quantity]]
    return [*about, *figures, *(_multiple(own.get(name), best) for name in names)]


def _size(row: Row) -> str:
    size = f"{row.shape[0]} × {row.shape[1]}"
    return size + (f", k = {row.k}" if row.k else "")


def _milliseconds(row: Row) -> str:
    text = digits(1e3 * row.seconds)
    share = 50 * (row.high - row.low) / row.seconds
    return text if row.runs == 1 else f"{text} ± {share:.0f} %"


def _multiple(row: Row | None, best: Row) -> str:
    if row is None:
        return ""
    return digits(row.seconds / best.seconds) + (" (off)" if _off(row) else "")


def _off(row: Row) -> bool:
    """Whether its results are other numbers; an error that was not finite is null in the file."""
    errors = [row.value_error if row.quantity != HVP else None]
    errors += [row.gradient_error if row.quantity != VALUE else None]
    asked = 1 if row.quantity != VALUE_AND_GRADIENT or row.contender in EXACT[2:] else 2
    known = [error for error in errors if error is not None]
    return len(known) < asked or any(error > OFF[row.dtype] for error in known)


def _memory(cases: Sequence[Sequence[Row]]) -> str:
    """Of the first case in each dtype, in which memory was told."""
    names = _contenders(cases)
    chosen = {rows[0].dtype: rows for rows in reversed(cases) if _told_memory(rows)}
    lines = []
    for dtype, rows in sorted(chosen.items()):
        own = {row.contender: row.memory for row in rows}
        cells = ["" if own.get(name) is None else f"{own[name]:.1f}" for name in names]
        lines.append([_size(rows[0]), dtype, *cells])
    return table(["peak memory", "dtype", *names], lines, texts=2) if lines else ""


def _told_memory(rows: Sequence[Row]) -> bool:
    asked = rows[0].quantity == VALUE_AND_GRADIENT
    return asked and any(row.memory is not None for row in rows)


def _growth(rows: Sequence[Row]) -> list[str]:
    """Milliseconds over n or k: a table for each loss."""
    parts = ["## Growth", GROWTH] if rows else []
    for loss in dict.fromkeys(row.loss for row in rows):
        cases = _cases(row for row in rows if row.loss == loss)
        names = _contenders(cases)
        lines = [_growth_line(case, names) for case in cases]
        parts += [f"### `{loss}`", table(["rows × n", "dtype", *names], lines, texts=2)]
    return parts


def _growth_line(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    own = {row.contender: row for row in rows}
    cells = [digits(1e3 * own[name].seconds) if name in own else "" for name in names]
    return [_size(rows[0]), rows[0].dtype, *cells]


def _others(rows: Sequence[Row]) -> list[str]:
    """Whatever is no loss on a batch: a table for each case."""
    parts = [
        "Times as multiples of the first line of each table. Derivations, proofs and emission start"
        " from empty caches; `command`: a whole process, from its start to its end."
    ]
    for case in _cases(rows):
        lines = [[r.contender, digits(1e3 * r.seconds), digits(r.ratio), str(r.runs)] for r in case]
        parts.append(table([f"**{case[0].case}**", "ms", "multiple", "rounds"], lines))
    return parts


def _against(
    rows: Iterable[Row], others: Sequence[str], keep: Callable[[Row], bool]
) -> list[float]:
    """Times of others as multiples of lossproof's, in the cases that are kept."""
    found = []
    for case in _cases(row for row in rows if keep(row)):
        best = _best(case)
        found += [r.seconds / best.seconds for r in case if r.contender in others]
    return found


def _rowwise(row: Row, dtype: str = "float32") -> bool:
    asked = row.quantity == VALUE_AND_GRADIENT and row.loss in ROW_LOSSES
    return asked and not _grows(row) and row.dtype == dtype


def bandwidths(rows: Sequence[Row]) -> str:
    """Of softmax cross-entropy and both ZLPR."""
    ratios = {
        dtype: [_best(case).ratio for case in _cases(r for r in rows if _rowwise(r, dtype))]
        for dtype in ("float32", "float64")
    }
    others = ("NumPy by hand", "jax.jit", "torch.compile", "torch eager")
    times = [f"{name} {span(_against(rows, [name], _rowwise))}" for name in others]
    narrow, wide = (span(ratios[dtype]) for dtype in ratios)
    told = f"{narrow} times `{BANDWIDTH}` in float32, {wide} times in float64"
    return f"{told}. In float32 the others take longer by factors: " + ", ".join(times)


def subsets(rows: Sequence[Row]) -> str:
    """Of the combination softmax, batches and not growth."""

    def keep(row: Row) -> bool:
        return row.loss == "combination_softmax" and not _grows(row)

    errors = [r.gradient_error for r in rows if keep(r) and r.contender == DIVIDE]
    off = max(error for error in errors if error is not None)
    return (
        f"{span(_against(rows, [DIVIDE], keep))} times less than a divide and conquer in PyTorch"
        f" on two (whose gradient is off by up to {off:.0e}), and"
        f" {span(_against(rows, EXACT, keep))} times less than what else is exact"
    )


SENTENCES: dict[str, Callable[[Sequence[Row]], str]] = {"speed": bandwidths, "subsets": subsets}
"""What the README tells, between <!-- NAME --> and <!-- end -->."""


def told(readme: str, found: Mapping[str, Any]) -> str:
    """The README with the figures of this run; a sentence whose figures it lacks stays."""
    rows = rows_of(found)
    for name, sentence in SENTENCES.items():
        try:
            text = sentence(rows)
        except ValueError:  # no such case in this run
            continue
        readme = filled(readme, name, text)
    return readme
