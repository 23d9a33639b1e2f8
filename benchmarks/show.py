"""Tables and pictures of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.cases import HVP, VALUE, VALUE_AND_GRADIENT
from benchmarks.contenders import FAST, OURS, OUT
from benchmarks.run import ALL_CORES, BANDWIDTH, Row

__all__ = ["draw", "show"]

# A result that differs from lossproof's by more is marked.
OFF = {"float32": 1e-3, "float64": 1e-9, "": 0.0}
# The differences from lossproof that a table shows, by what was asked.
ERRORS = {
    VALUE: {"value": "value_error"},
    VALUE_AND_GRADIENT: {"value": "value_error", "slope": "gradient_error"},
    HVP: {"product": "gradient_error"},
}
LIGHT, BLUE, DARK = "#7aa6d6", "#1f5fa8", "#0b2f57"
OTHERS = ("#c8452f", "#c26a00", "#6a4c93", "#3a7d44", "#8a8f98", "#b58db6", "#5b7c99")


def show(console: Console, rows: Sequence[Row]) -> None:
    """A table for each case."""
    for (name, dtype), group in groupby(rows, _case):
        console.print(_table(f"{name} {dtype}".strip(), list(group)))


def _case(row: Row) -> tuple[str, str]:
    return (row.case, row.dtype)


def _table(title: str, rows: Sequence[Row]) -> Table:
    """Ratios to the fastest yardstick, then to the other where there are two."""
    other = next((name for name in rows[0].ratios if name != rows[0].ratio_to), None)
    head = f"[bold]{title}[/bold]\nratio to {rows[0].ratio_to}"
    head += "" if other is None else f", other to {other}"
    options = {"title_justify": "left", "title_style": "", "pad_edge": False}
    table = Table(box=SIMPLE, title=head, padding=(0, 1), collapse_padding=True, **options)
    table.add_column("contender", no_wrap=True)
    errors = ERRORS.get(rows[0].quantity, {})
    columns = ["ms", "spread", "ratio", *([] if other is None else ["other"])]
    columns += ["memory", *errors, "runs"] if errors else ["runs"]
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        figures = _figures(row)
        figures["other"] = "" if other is None else _short(row.ratios[other])
        table.add_row(row.contender, *(figures[column] for column in columns))
    return table


def _figures(row: Row) -> dict[str, str]:
    """spread: half the distance of the quartiles, in shares of the median."""
    found = {"ms": _short(1e3 * row.seconds), "ratio": _short(row.ratio), "runs": str(row.runs)}
    found["spread"] = f"{50 * (row.high - row.low) / row.seconds:.0f} %"
    found["memory"] = "" if row.memory is None else f"{row.memory:.1f}"
    for name, field in ERRORS.get(row.quantity, {}).items():
        error = getattr(row, field)
        text = "" if error is None else f"{error:.0e}" if error else "0"
        off = error is not None and not error <= OFF[row.dtype]
        found[name] = f"[red]{text}[/red]" if off else text
    return found


def _short(x: float) -> str:
    """Three digits, and no exponent where there are more or where they are small."""
    if x >= 100:
        return f"{x:.0f}"
    return f"{x:.3g}" if x >= 0.01 else f"{x:.4f}"


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Bars of the ratios of each dtype, and the growth in n of each loss, as SVG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    numbers = [row for row in rows if row.quantity == VALUE_AND_GRADIENT]
    folder.mkdir(parents=True, exist_ok=True)
    looks = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    drawn = []
    with plt.rc_context(looks | {"svg.hashsalt": "lossproof"}):
        for dtype in sorted({row.dtype for row in numbers}):
            figure = _bars(plt, [row for row in numbers if row.dtype == dtype], dtype)
            drawn.append(_saved(plt, figure, folder / f"ratios_{dtype}.svg"))
        for name in dict.fromkeys(row.loss for row in numbers):
            figure = _growth(plt, [row for row in numbers if row.loss == name], name)
            if figure is not None:
                drawn.append(_saved(plt, figure, folder / f"growth_{name}.svg"))
    return drawn


def _saved(plt: Any, figure: Any, file: Path) -> Path:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    names = dict.fromkeys(row.contender for row in rows)
    others = iter(OTHERS * len(names))
    known = {OURS: LIGHT, FAST: BLUE, OUT: DARK}
    known |= {BANDWIDTH: "#d7dade", ALL_CORES: "#b4b9bf"}
    return {name: known.get(name) or next(others) for name in names}


def _bars(plt: Any, rows: Sequence[Row], dtype: str) -> Any:
    """The largest batch of each loss: ratio to the bandwidth, logarithmic."""
    chosen: list[tuple[str, list[Row]]] = []
    for name in dict.fromkeys(row.loss for row in rows):
        own = [row for row in rows if row.loss == name]
        largest = max(own, key=lambda row: row.shape[0] * row.shape[1])
        chosen.append((name, [row for row in own if _case(row) == _case(largest)]))
    colours = _colours(rows)
    size = (max(5.0, 3.1 * len(chosen)), 4)
    figure, panels = plt.subplots(1, len(chosen), figsize=size, layout="constrained", squeeze=False)
    for axes, (name, own) in zip(panels[0], chosen, strict=True):
        shown = [row for row in own if row.contender not in row.ratios]
        places = range(len(shown))
        axes.barh(places, [r.ratio for r in shown], color=[colours[r.contender] for r in shown])
        axes.set_yticks(places, [row.contender for row in shown])
        axes.invert_yaxis()
        axes.axvline(1, color="#8a8f98", lw=1)
        rows_, n = own[0].shape
        axes.set(xscale="log", title=f"{name}\n{rows_} x {n}", xlabel=f"time of {BANDWIDTH}")
    figure.suptitle(f"Value and gradient, {dtype}", fontweight="bold")
    return figure


def _growth(plt: Any, rows: Sequence[Row], name: str) -> Any | None:
    """Nanoseconds a score over n and over k, wherever there are three or more; None where not."""
    lines: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        count, n = row.shape
        lines.setdefault(("n", count, row.dtype, row.k), []).append(row)
        lines.setdefault(("k", count, row.dtype, n), []).append(row)
    shown = {key: own for key, own in lines.items() if len({_place(key, r) for r in own}) > 2}
    if not shown:
        return None
    size = (5.5 * len(shown) + 1.5, 4.6)
    figure, panels = plt.subplots(1, len(shown), figsize=size, layout="constrained", squeeze=False)
    for axes, (key, own) in zip(panels[0], shown.items(), strict=True):
        _lines(axes, key, own)
    panels[0][0].set_ylabel("ns a score")
    panels[0][0].legend(frameon=False, fontsize=9)
    figure.suptitle(f"{name}: value and gradient", fontweight="bold")
    return figure


def _place(key: tuple[Any, ...], row: Row) -> int:
    return row.shape[1] if key[0] == "n" else row.k


def _lines(axes: Any, key: tuple[Any, ...], rows: Sequence[Row]) -> None:
    """One panel: a line for each contender."""
    for contender, colour in _colours(rows).items():
        line = sorted((_place(key, r), _ns(r)) for r in rows if r.contender == contender)
        width = 2.6 if contender.startswith(OURS) else 1.5
        axes.plot(*zip(*line, strict=True), "o-", ms=3.5, color=colour, lw=width, label=contender)
    axis, count, dtype, fixed = key
    other = f", {'k' if axis == 'n' else 'n'} = {fixed}" if fixed else ""
    axes.set(yscale="log", xlabel=f"{axis} ({count} rows, {dtype}{other})")
    axes.set_xscale("log", base=2)


def _ns(row: Row) -> float:
    return 1e9 * row.seconds / (row.shape[0] * row.shape[1])
