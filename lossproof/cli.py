"""The command line: ``lossproof verify | claims | derive | emit | losses | check | ...``.

The heavy packages are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from lossproof.emission import emit_all, text_of
from lossproof.options import OWN_LOSS, cluster_option, processors
from lossproof.problems import INTERRUPTED, Problem, check_writable, checkout, on, or_problem


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lossproof", prog_name="lossproof")
def main() -> None:
    """Machine-checked mathematics of loss functions."""


@main.command()
@click.option(
    "--only",
    metavar="ID|FAMILY|LOSS",
    multiple=True,
    help="This statement, family, loss or document only, such as 9158-m, zlpr, soft_zlpr, 9158; "
    "may be repeated.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=processors,
    show_default="processors, at most 4",
    help="Processes to work in.",
)
@cluster_option
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the whole report here, atomically.",
)
@click.option(
    "--report",
    "report_folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the report as a site into this folder: new, empty, or one of an earlier report.",
)
@click.option("--thorough", is_flag=True, help="All samples and all mutants: minutes, not seconds.")
@click.option("--fresh", is_flag=True, help="Do all anew, also what has not changed.")
def verify(
    only: tuple[str, ...],
    jobs: int,
    cluster: str | None,
    json_file: Path | None,
    report_folder: Path | None,
    thorough: bool,
    fresh: bool,
) -> None:
    """Re-derive every loss, decide every step, measure the accuracy; exit 1 if anything fails.

    The statements of the ledger are decided with it. What an earlier run has found is taken where
    nothing that it depends on has changed. A run that is broken off goes on where it was.
    """
    from rich.console import Console

    from lossproof.screen import progress_bar, show_report
    from lossproof.selection import selected
    from verify.cache import Cache
    from verify.report import check_folder, write_report
    from verify.run import Task, Weighing, plan, write_atomically
    from verify.run import verify as run
    from verify.work import on_cluster

    check_writable(json_file)
    if report_folder is not None:
        or_problem(check_folder, report_folder)
    chosen = or_problem(selected, only)
    works: list[Task | Weighing] = [*plan(chosen.subjects, thorough)]
    works += [Weighing(name, thorough) for name in chosen.ids]
    console = Console()
    try:
        with on(on_cluster(cluster)), progress_bar(console, len(works)) as advance:
            report = run(works, jobs, advance, Cache(), fresh)
    except KeyboardInterrupt:
        again = "without --fresh " if fresh else ""
        console.print(f"broken off; what was done is kept: run it again {again}to go on")
        sys.exit(INTERRUPTED)
    show_report(console, report)
    if json_file is not None:
        write_atomically(json_file, report.as_dict())
    if report_folder is not None:
        or_problem(write_report, report, report_folder)
        console.print(f"the report is {report_folder / 'index.html'}", soft_wrap=True)
    sys.exit(0 if report.passed else 1)


@main.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--document", multiple=True, help="Of this document only, such as 9158.")
@click.option("--verdict", multiple=True, help="With this verdict only, such as refuted.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, with evidence.")
def claims(
    name: str | None, document: tuple[str, ...], verdict: tuple[str, ...], as_json: bool
) -> None:
    """List the statements of the ledger with their verdicts, or tell the whole story of one."""
    from rich.console import Console

    from lossproof.claims import as_objects, show_table, tell_story
    from lossproof.screen import progress_bar
    from verify.ledger import entry_named, select

    if name is None:
        entries = or_problem(select, document, verdict)
    else:
        entries = [or_problem(entry_named, name)]
    if as_json:
        with progress_bar(Console(stderr=True), len(entries)) as advance:
            objects = as_objects(entries, processors(), advance)
        click.echo(json.dumps(objects, indent=2, ensure_ascii=False))
    elif name is None:
        show_table(Console(), entries)
    else:
        click.echo(tell_story(entries[0]))


@main.command()
@click.argument("loss")
@click.argument("topic", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "latex", "markdown"]),
    default="text",
    show_default=True,
)
def derive(loss: str, topic: str | None, form: str) -> None:
    """Show the derivation of TOPIC (gradient, hessian, optimum, ...) of LOSS, or all of them."""
    from derive.losses import subject_named
    from derive.render import render

    subject = or_problem(subject_named, loss)
    topics = (topic,) if topic else subject.topics
    holds = True
    for name in topics:
        derivation = or_problem(subject.derive, name)
        holds = holds and derivation.holds
        click.echo(render(derivation, form) + "\n")
    sys.exit(0 if holds else 1)


@main.command()
@click.argument("loss", required=False)
@click.argument("quantity", required=False)
@click.option(
    "--target",
    help="numpy (unless told otherwise), array-api, torch, jax, mpmath, latex, ...",
)
@click.option(
    "-o",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of the screen.",
)
@click.option(
    "--all",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write every loss, quantity and target into this folder, as TARGET/LOSS_QUANTITY.py.",
)
@click.option(
    "--only",
    metavar="LOSS|QUANTITY|TARGET",
    multiple=True,
    help="With --all: of these only, such as value_and_grad or torch; may be repeated.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=processors,
    show_default="processors, at most 4",
    help="With --all: processes to work in.",
)
def emit(
    loss: str | None,
    quantity: str | None,
    target: str | None,
    output: Path | None,
    folder: Path | None,
    only: tuple[str, ...],
    jobs: int,
) -> None:
    """Emit QUANTITY of LOSS as a standalone source file, or with --all every file.

    QUANTITY is value, gradient, value_and_grad, hvp or hessian. The files of torch and jax for
    value_and_grad hold the loss with its derivatives.
    """
    if folder is not None:
        if loss or target or output:
            raise Problem("--all DIR emits every file: restrict it with --only, give nothing else")
        emit_all(folder, only, jobs)
        return
    if loss is None or quantity is None:
        raise Problem("expected LOSS QUANTITY, such as soft_zlpr gradient, or --all DIR")
    if only:
        raise Problem("--only goes with --all DIR")
    check_writable(output)
    from lossproof.kept import kept_text
    from verify.cache import Cache

    chosen = target or "numpy"
    make = partial(text_of, loss, quantity, chosen)
    source = kept_text(loss, quantity, chosen, make, Cache())
    if output is None:
        click.echo(source)
    else:
        output.write_text(source, encoding="utf-8")


@main.command()
def losses() -> None:
    """List the losses and what can be derived about each."""
    from rich.console import Console

    from derive.losses import SUBJECTS
    from lossproof.screen import show_losses

    show_losses(Console(), SUBJECTS.values())


@main.command(epilog=OWN_LOSS)
@click.argument("target", metavar="FILE.py:FUNCTION|MODULE:FUNCTION")
@click.option(
    "--against",
    required=True,
    metavar="LOSS|FILE.py:SPEC",
    help="The loss that it should be: a name, or a symbolic expression of your own.",
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    metavar="NAME=NUMBER",
    multiple=True,
    help="A parameter of the loss, such as gamma=2; may be repeated.",
)
@click.option(
    "-a",
    "--argument",
    "arguments",
    metavar="NAME=VALUE",
    multiple=True,
    help="A further argument of the function or the class, as JSON or text; may be repeated.",
)
@click.option("--framework", help="numpy, torch, jax, tensorflow, cupy or python.")
@click.option("--scores-first/--labels-first", default=None, help="The order of the arguments.")
@click.option("--input", "input_form", help="logits, sigmoid, softmax or log-softmax.")
@click.option(
    "--labels",
    help="multi-hot, integers, signs, class, indices, 'indices from 1' or sides.",
)
@click.option("--padding", type=int, help="What fills up lists of indices.")
@click.option("--layout", help="rows, row, columns, heads or spans.")
@click.option(
    "--reduction",
    help="none, sum, mean, 'mean over labels', 'mean over all' or elements.",
)
@click.option("--dtype", "dtypes", multiple=True, help="Only this dtype; may be repeated.")
@click.option(
    "--exclude",
    "excluding",
    multiple=True,
    help="A class of rows to leave out, such as 'mask -inf' or huge; may be repeated.",
)
@click.option("--allow", multiple=True, help="A verdict to accept besides equal; may be repeated.")
@click.option("--strict", is_flag=True, help="Lost digits of small losses count.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report as a page.",
)
@click.option("--time-limit", type=click.FloatRange(min=1), help="Seconds; 90 by default.")
@click.option("--memory-limit", type=click.IntRange(min=256), help="Megabytes; 4096 by default.")
def check(
    target: str,
    against: str,
    parameters: tuple[str, ...],
    arguments: tuple[str, ...],
    allow: tuple[str, ...],
    as_json: bool,
    page: Path | None,
    input_form: str | None,
    **said: Any,
) -> None:
    """Hold any implementation of a loss against the formula; exit 1 unless it is equal.

    The code runs in a process of its own, with a limit on its time and memory. How it is called is
    found out, unless an option says so. Exit 0: equal, or a verdict that is allowed; 1: another
    verdict; 2: bad input.
    """
    from rich.console import Console

    from lossproof.checking import check as run
    from lossproof.checking import read_options
    from verify.check.findings import VERDICTS
    from verify.check.page import write_page
    from verify.check.show import show

    check_writable(page)
    unknown = sorted(set(allow) - set(VERDICTS))
    if unknown:
        raise Problem(f"unknown verdict {unknown[0]!r}: expected one of {', '.join(VERDICTS)}")
    said["parameters"] = or_problem(read_options, parameters, True)
    said["arguments"] = or_problem(read_options, arguments, False)
    result = or_problem(run, target, against, input=input_form, **said)
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        show(result, Console(highlight=False))
    if page is not None:
        write_page(result, page)
    sys.exit(0 if result.matches(allow) else 1)


@main.command()
@click.argument("names", metavar="[PIECE]...", nargs=-1)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: min(4, os.cpu_count() or 1),
    show_default="processors, at most 4",
    help="Processes to check in.",
)
@cluster_option
@click.option("--list", "as_list", is_flag=True, help="Show the cards, check nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def museum(
    names: tuple[str, ...], jobs: int, cluster: str | None, as_list: bool, as_json: bool
) -> None:
    """Check the museum of faults and the gallery of right code; print both rates.

    PIECE: only those whose name holds one of these, such as jax or torch_mask. Exit 0 only if every
    fault is found and rightly named, and no right code is called wrong.
    """
    from rich.console import Console

    from lossproof.screen import counted_bar
    from verify.museum import PIECES, Guide, alone, tour
    from verify.work import on_cluster

    chosen = [p for p in PIECES if not names or any(name in p.name for name in names)]
    if not chosen:
        raise Problem(f"no piece is named {', '.join(names)}: expected part of a name such as jax_")
    if as_list:
        click.echo("\n\n".join(piece.describe() for piece in chosen))
        return
    console = Console(stderr=True)
    with (
        on(on_cluster(cluster)),
        counted_bar(console, len(chosen), "checking") as advance,
        Guide() as guide,
    ):
        visits = tour(
            guide if cluster is None else alone,
            chosen,
            jobs=jobs,
            progress=lambda visit: advance(visit.piece.name),
        )
    click.echo(json.dumps(visits.as_dict(), indent=2) if as_json else visits.describe())
    sys.exit(0 if visits.perfect else 1)


@main.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure time and memory against what else there is; --help lists the options.

    The benchmarks are part of the checkout, not of the installed package: run it there.
    """
    # at the end: what is installed is what is measured
    sys.path.append(str(checkout(Path(__file__).resolve().parents[1], Path.cwd())))
    command = import_module("benchmarks.__main__").main
    command.main(arguments, prog_name="lossproof bench")
