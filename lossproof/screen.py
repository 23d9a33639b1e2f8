"""What the commands show: tables and a progress bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from derive.lattice import Theory
    from derive.losses.loss import SymbolicLoss
    from verify.accuracy import Line
    from verify.grid.solutions import SolutionReport
    from verify.ledger.judge import Judgement
    from verify.run import DerivationOutcome, Report
    from verify.subset import SubsetLine, SubsetReport

SHORT_NAMES = {"float64": "f64", "float32": "f32", "float16": "f16"}
# The columns before the last take 26 + 8 + 3 * 4 + 7 letters and 20 of gaps; below so many letters
# the last one says nothing.
FIGURES_WIDTH = 73
LEAST_SAMPLE_WIDTH = 10
# Problems shown on the screen; the JSON report has them all.
SHOWN_PROBLEMS = 12


class Titled(Protocol):
    """A unit of work, or what came of it."""

    @property
    def title(self) -> str:
        """What the bar calls it."""


@contextmanager
def progress_bar(console: Console, total: int) -> Iterator[Callable[[Titled], object]]:
    """A bar over what a run does; yields what is to be called with each task or statement done."""
    with counted_bar(console, total, "verifying") as advance:
        yield lambda task: advance(task.title)


@contextmanager
def counted_bar(console: Console, total: int, doing: str) -> Iterator[Callable[[str], object]]:
    """A bar over so many things; yields what is to be called with the name of each that is done."""
    columns = (
        TextColumn("{task.description}", justify="left"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(doing, total=total)
        yield lambda name: progress.update(bar, advance=1, description=name)


def show_report(console: Console, report: Report) -> None:
    """The report on one screen: what is proved, how exact it is, and whether all of it holds."""
    if report.derivations:
        console.print(_derivation_table(report))
    if report.comparisons:
        console.print(_accuracy_table(list(report.accuracy), console.width))
        console.print(_coverage_line(report) + _kept(report, "comparisons"))
    for subsets in report.subsets:
        console.print(_subset_table(subsets))
        console.print(_newton_line(subsets))
        console.print(_draws_line(subsets) + _kept(report, "subsets"))
    for solutions in report.solutions:
        console.print(_solutions_line(solutions) + _kept(report, "solutions"))
    if report.ledger:
        console.print(_ledger_table(report.ledger))
        console.print(_ledger_line(report), highlight=False)
    if report.derivations or report.ledger:
        console.print(_soundness_line(report), highlight=False)
    for problem in report.problems[:SHOWN_PROBLEMS]:
        console.print(f"[red]failed[/red] {problem}", highlight=False)
    hidden = len(report.problems) - SHOWN_PROBLEMS
    if hidden > 0:
        console.print(f"... and {hidden} more (see --json)")
    verdict = "[green]verified[/green]" if report.passed else "[red]not verified[/red]"
    console.print(f"{verdict} in {report.seconds:.0f} s", highlight=False)


def _kept(report: Report, kind: str) -> str:
    """How many outcomes of a kind are taken from an earlier run."""
    kept, total = report.kept[kind], len(getattr(report, kind))
    return f"; {kept} of {total} unchanged since an earlier run" if kept else ""


def _soundness_line(report: Report) -> str:
    """How many changed statements were refuted, proved to be true as well, or neither."""
    derived, stated = report.soundness["derivations"], report.soundness["ledger"]
    words = f"soundness: {(derived + stated).describe()}"
    return words + (f"; {stated.tried} of them in the ledger" if derived.tried else "")


def _derivation_table(report: Report) -> Table:
    outcomes = report.derivations
    title = "Derivations for every n: proved steps, claims, refuted mutants"
    title += _kept(report, "derivations")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("loss", "derived", "steps", "claims", "mutants"):
        table.add_column(name, justify="left" if name == "loss" else "right", no_wrap=True)
    for loss in dict.fromkeys(outcome.loss for outcome in sorted(outcomes, key=lambda o: o.id)):
        table.add_row(loss, *_derivation_cells([o for o in outcomes if o.loss == loss]))
    if len({outcome.loss for outcome in outcomes}) > 1:
        table.add_row("all", *_derivation_cells(outcomes))
    return table


def _derivation_cells(outcomes: list[DerivationOutcome]) -> tuple[str, ...]:
    holding = sum(outcome.holds for outcome in outcomes)
    steps = [proved for outcome in outcomes for _, _, proved in outcome.steps]
    claims = {claim for outcome in outcomes if outcome.holds for claim in outcome.claims}
    trials = [trial for outcome in outcomes for trial in outcome.trials if not trial.still_true]
    return (
        f"{holding} of {len(outcomes)}",
        f"{sum(steps)} of {len(steps)}",
        str(len(claims)),
        f"{sum(trial.caught for trial in trials)} of {len(trials)}",
    )


def _accuracy_table(lines: list[Line], width: int) -> Table:
    title = "Largest error in ulp: core by dtype, emitted code, worst float64 sample"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("loss", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in (*SHORT_NAMES.values(), "emitted"):
        table.add_column(name, justify="right", no_wrap=True)
    left = width - FIGURES_WIDTH
    if left >= LEAST_SAMPLE_WIDTH:
        table.add_column("worst sample", no_wrap=True, max_width=left, overflow="ellipsis")
    for loss, quantity in dict.fromkeys((line.loss, line.quantity) for line in lines):
        own = [line for line in lines if (line.loss, line.quantity) == (loss, quantity)]
        cells = (loss if quantity == "value" else "", quantity, *_accuracy_cells(own))
        table.add_row(*cells[: len(table.columns)])
    return table


def _accuracy_cells(lines: list[Line]) -> list[str]:
    core = [line for line in lines if line.route.startswith("core")]
    emitted = [line for line in lines if line.route.startswith("emitted")]
    cells = [_largest([line for line in core if line.dtype == dtype]) for dtype in SHORT_NAMES]
    worst = max(
        (line for line in core if line.dtype == "float64"),
        key=lambda line: line.error,
        default=None,
    )
    return [*cells, _largest(emitted), worst.cells()[-1].removeprefix("float64/") if worst else "-"]


def _largest(lines: list[Line]) -> str:
    if not lines:
        return "-"
    worst = max(lines, key=lambda line: line.error / line.bound)
    colour = "green" if worst.within else "red"
    figure = f"{worst.error:.2f}" if worst.error < 1000 else f"{worst.error:.0e}"
    return f"[{colour}]{figure}[/{colour}]"


def _coverage_line(report: Report) -> str:
    coverages = [comparison.coverage for comparison in report.comparisons]
    samples = sum(coverage.samples for coverage in coverages)
    longest = max(coverage.largest_n or 0 for coverage in coverages)
    missing = report.not_covered
    words = f"{samples} samples, n = 0 to {longest}, {sum(line.count for line in report.accuracy)} "
    words += "numbers compared with Arb balls"
    return words + (f"; not covered: {', '.join(missing)}" if missing else "")


# The columns of the table over k-subsets: a quantity by a method in a dtype.
SUBSET_COLUMNS = {
    "log Z_k": ("log Z_k", "stable"),
    "all orders": ("log Z_0..K", "stable"),
    "P(i)": ("inclusion", "stable"),
    "P(i, j)": ("pairs", "stable"),
    "Newton": ("log Z_k", "newton"),
}


def _subset_table(report: SubsetReport) -> Table:
    title = "Distribution over k-subsets: largest relative error, float64"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("scores", *SUBSET_COLUMNS):
        table.add_column(name, justify="left" if name == "scores" else "right", no_wrap=True)
    for regime in dict.fromkeys(line.regime for line in report.lines.values()):
        keys = ((regime, *column, "float64") for column in SUBSET_COLUMNS.values())
        table.add_row(regime, *(_relative_cell(report.lines.get(key)) for key in keys))
    single = [line for line in report.lines.values() if line.dtype == "float32"]
    stable = [line for line in single if line.method == "stable"]
    worst = max(stable, key=lambda line: line.error, default=None)
    table.caption = f"stable methods in float32: {worst.error:.1e} at most" if worst else None
    table.caption_justify = "left"
    return table


def _relative_cell(line: SubsetLine | None) -> str:
    if line is None:
        return "-"
    if line.method == "newton":
        return f"{line.beyond} of {line.count} off"
    figure = "no number" if math.isinf(line.error) else f"{line.error:.1e}"
    colour = "green" if line.within else "red"
    return f"[{colour}]{figure}[/{colour}]"


def _newton_line(report: SubsetReport) -> str:
    """What the certified map says of the recursion."""
    if report.newton is None:
        return ""
    newton = report.newton
    points = len(newton.spreads) * len(newton.orders)
    off = {level: len(newton.failing(level)) for level in newton.certified}
    shares = ", ".join(f"{count} beyond {level:g}" for level, count in off.items())
    return f"Newton's recursion, {points} spreads and orders, certified: {shares}"


def _draws_line(report: SubsetReport) -> str:
    """The least p-value of the right sampler, the largest of the wrong one."""
    right = [p for check in report.draws if check.right for p in check.p_values.values()]
    wrong = [min(check.p_values.values()) for check in report.draws if not check.right]
    words = f"draws: {len(right)} chi-square tests, least p = {min(right, default=1.0):.2g}"
    return words + f"; Plackett-Luce: p <= {max(wrong, default=0.0):.0e}"


def _solutions_line(report: SolutionReport) -> str:
    """What is enclosed of the labels at which scores minimise loss 1."""
    words = f"grid_truncated: {report.samples} x {report.classes} scores are optimal for "
    words += f"{report.distinct} arrays of labels, certified; "
    return words + f"the largest score is not at the largest label in {report.flipped} samples"


#: The rows of the table over the ledger, as far as they occur.
VERDICTS = (
    *("proved", "proved-for", "confirmed", "refuted"),
    *("unsupported", "ill-posed", "empirical", "undecided"),
)


def _ledger_table(judgements: list[Judgement]) -> Table:
    """The statements of each document by what was computed, and the mutants of the true ones."""
    from verify.ledger import entry_named

    table = Table(title="Statements by document", title_justify="left", box=SIMPLE_HEAD)
    of = {judgement.id: entry_named(judgement.id).document for judgement in judgements}
    groups = [[j for j in judgements if of[j.id] == name] for name in dict.fromkeys(of.values())]
    columns = [*groups, judgements] if len(groups) > 1 else groups
    for name in ("", *dict.fromkeys(of.values()), "all")[: len(columns) + 1]:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for verdict in VERDICTS:
        counts = [sum(str(j.computed) == verdict for j in column) for column in columns]
        if any(counts):
            table.add_row(verdict, *(str(count or "-") for count in counts))
    standing = (sum(not j.problems for j in column) for column in columns)
    table.add_row("as recorded", *map(str, standing))
    table.add_row("mutants refuted", *(str(sum(j.refuted for j in column)) for column in columns))
    table.add_row("mutants also true", *(str(sum(j.still_true for j in c)) for c in columns))
    escaped = (sum(len(j.escaped) for j in column) for column in columns)
    table.add_row("mutants missed", *map(str, escaped))
    return table


def _ledger_line(report: Report) -> str:
    """How many statements stand, and how many were not decided again."""
    standing = sum(not judgement.problems for judgement in report.ledger)
    words = f"ledger: {standing} of {len(report.ledger)} statements as recorded"
    return words + _kept(report, "ledger")


def show_losses(console: Console, losses: Iterable[SymbolicLoss | Theory]) -> None:
    """The losses and theories, their formulas and their topics."""
    table = Table()
    for name in ("loss", "formula", "derivations"):
        table.add_column(name, overflow="fold")
    for loss in losses:
        table.add_row(loss.name, loss.formula, ", ".join(loss.topics))
    console.print(table)
