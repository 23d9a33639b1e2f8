"""``python -m benchmarks`` and ``lossproof bench``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import gpu
from benchmarks.measure import Limits, available_memory
from benchmarks.run import Plan, Row, machine, measured, plan_of
from benchmarks.show import draw, show
from benchmarks.stored import Surroundings

# 128 + SIGINT, the exit status that shells give to what Ctrl-C ends.
INTERRUPTED = 130
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Full: some 25 minutes on two cores, growth included. Quick: less than half of that a contender.
LIMITS = {
    "smallest": Limits(0.0, 1, 1),
    "quick": Limits(0.2, 9, 3, 0.5),
    "full": Limits(),
}


def bytes_of(context: object, parameter: object, text: str | None) -> int:
    """Of a size such as 4G or 500M; half of what is free where none is given."""
    if text is None:
        return available_memory() // 2
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise click.BadParameter(f"{text!r}: expected a size such as 4G or 500M")
    return int(float(found[1]) * UNITS[found[2].upper()])


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Small batches and few rounds: minutes.")
@click.option("--smallest", is_flag=True, hidden=True, help="One call each, to see the form.")
@click.option(
    "--only",
    metavar="CASE",
    multiple=True,
    help="Only cases whose name holds this: zlpr, grid, hvp, 4096 x 1024; may be repeated.",
)
@click.option(
    "--gpu", "on_gpu", is_flag=True, help="CuPy arrays instead, beside a copy on the GPU."
)
@click.option("--growth", is_flag=True, help="Also 16 rows of a growing number of labels.")
@click.option(
    "--memory",
    metavar="SIZE",
    callback=bytes_of,
    help="Leave out cases that need more, such as 4G; half of what is free by default.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write machine and rows here, after each case.",
)
@click.option("--resume", is_flag=True, help="Measure only what the file of --json does not have.")
@click.option(
    "--pictures",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw ratios and growth into this folder; needs matplotlib.",
)
def main(
    quick: bool,
    smallest: bool,
    only: tuple[str, ...],
    on_gpu: bool,
    growth: bool,
    memory: int,
    json_file: Path | None,
    resume: bool,
    pictures: Path | None,
) -> None:
    """Measure the losses, and the symbolic side, against what else there is.

    Numbers: ratio to a = b + c over arrays of the same size, on one core and on all; "ratio" is to
    the faster of the two. Symbols: ratio to lossproof. On a GPU: ratio to a copy of as many bytes
    as are read and written. What was measured before Ctrl-C is shown and written.
    """
    if on_gpu and (reason := gpu.missing()) is not None:
        raise click.ClickException(reason)
    if on_gpu and resume:
        raise click.UsageError("--resume: what is measured on a GPU takes minutes, and starts anew")
    size = "smallest" if smallest else "quick" if quick else "full"
    try:
        plan = gpu.plan_of(size, only) if on_gpu else plan_of(size, only, memory, growth)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    console = Console()
    around = Surroundings(machine(), size, plan.notes)
    rows = _earlier(around, json_file) if resume else []

    def save(complete: bool) -> None:
        if json_file is not None:
            around.write(json_file, rows, complete)

    complete = _measure(plan, LIMITS[size], rows, save)
    save(complete)
    show(console, rows)
    console.print(
        "memory: in arrays of scores; value, slope, product: largest difference from lossproof"
    )
    for note in plan.notes:
        console.print(f"left out: {note}", highlight=False)
    console.print(", ".join(f"{k} {v}" for k, v in around.machine.items()), highlight=False)
    if pictures is not None:
        for file in draw(rows, pictures):
            console.print(f"drawn: {file}", highlight=False, soft_wrap=True)
    if not complete:
        console.print("broken off: the rows above were measured before")
        sys.exit(INTERRUPTED)


def _earlier(around: Surroundings, file: Path | None) -> list[Row]:
    """The rows that are not measured again."""
    if file is None:
        raise click.UsageError("--resume goes on with a file: expected --json FILE")
    try:
        return around.earlier(file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _measure(
    plan: Plan | gpu.Plan, limits: Limits, rows: list[Row], save: Callable[[bool], None]
) -> bool:
    """Fills the rows, and saves them before each case; whether all was measured."""
    kept = tuple(rows)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    with progress:
        bar = progress.add_task("measuring", total=len(plan), completed=-1)

        def begin(title: str) -> None:
            save(False)
            progress.update(bar, advance=1, description=title)

        try:
            if isinstance(plan, gpu.Plan):
                rows.extend(gpu.measured(plan, limits, begin))
            else:
                rows.extend(measured(plan, limits, begin, kept))
        except KeyboardInterrupt:
            return False
    return True


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
