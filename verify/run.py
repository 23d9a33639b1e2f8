"""One run of everything: derivations, mutants, accuracy; and the report it leaves.

The work is cut into independent tasks, a derivation or the accuracy of one loss each, which run
here or in worker processes. A report passes only when every step is proved, every mutant refuted
(or proved to be still true), every error within its bound and every feature of the samples covered.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter

from joblib import Parallel, delayed

from derive.decide import SEED
from derive.derivation import Derivation
from derive.losses import LOSSES, SUBJECTS, subject_named
from derive.render import Trace, trace
from verify.accuracy import AccuracyTable
from verify.compare import Comparison, compare_routes
from verify.coverage import Coverage
from verify.files import write_atomically
from verify.grid.solutions import SolutionReport, check_solutions
from verify.ledger.judge import Judgement
from verify.mutation import Trial, try_derivation
from verify.oracle.grid import GRIDS
from verify.subset import SubsetReport, check_subsets

__all__ = ["DerivationOutcome", "Report", "Task", "plan", "run_task", "verify", "write_atomically"]

# Mutants tried on each step in the short run; the long run and the tests try all of them.
MUTANTS_A_STEP = 6
# Over two axes a formula has hundreds of mutants, and one that is still true (two indices that may
# be exchanged) is proved in seconds: of them the long run and the tests try so many on a step.
MUTANTS_A_STEP_OF_GRIDS = 40
# The task that is about no loss, the distribution over k-subsets, and the loss that it goes with.
SUBSETS, SUBSETS_WITH = "subset", "combination_softmax"
# And the one about the labels at which given scores are optimal.
SOLUTIONS, SOLUTIONS_WITH = "solutions", "grid_truncated"
# What a report names the versions of: they are what the figures depend on.
PACKAGES = ("lossproof", "sympy", "numpy", "python-flint", "mpmath", "array-api-compat")


@dataclass(frozen=True)
class Task:
    """One unit of work: the derivation of a topic, or (without a topic) the accuracy of a loss.

    The loss may be `SUBSETS`, whose accuracy is that of the distribution over k-subsets, or
    `SOLUTIONS`, which has certified examples.
    """

    loss: str
    topic: str | None = None
    thorough: bool = False

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        if self.loss == SOLUTIONS:
            return f"{SOLUTIONS_WITH}: {SOLUTIONS}"
        return f"{self.loss}.{self.topic}" if self.topic else f"{self.loss}: accuracy"


@dataclass(frozen=True)
class DerivationOutcome:
    """What came of one derivation: its steps, its mutants, the time it took, and what to show."""

    id: str
    loss: str
    title: str
    claims: tuple[str, ...]
    steps: tuple[tuple[str, str, bool], ...]
    trials: tuple[Trial, ...]
    seconds: float
    trace: Trace

    @property
    def holds(self) -> bool:
        """True when there is a step and every step is proved."""
        return bool(self.steps) and all(proved for _, _, proved in self.steps)

    @property
    def escaped(self) -> list[Trial]:
        """Mutants that were neither refuted nor proved to be still true."""
        return [trial for trial in self.trials if not (trial.caught or trial.still_true)]

    def as_dict(self) -> dict[str, object]:
        """The outcome as plain data."""
        steps = [
            {"rule": rule, "decision": decision, "proved": proved}
            for rule, decision, proved in self.steps
        ]
        return {
            "id": self.id,
            "claims": list(self.claims),
            "verdict": "proved" if self.holds else "undecided",
            "steps": steps,
            "mutants": len(self.trials),
            "mutants_refuted": sum(trial.caught for trial in self.trials),
            "mutants_still_true": sum(trial.still_true for trial in self.trials),
            "mutants_escaped": [trial.change for trial in self.escaped],
            "seconds": self.seconds,
        }


Outcome = DerivationOutcome | Comparison | SubsetReport | SolutionReport


@dataclass
class Report:
    """All outcomes of a run."""

    derivations: list[DerivationOutcome] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    subsets: list[SubsetReport] = field(default_factory=list)
    solutions: list[SolutionReport] = field(default_factory=list)
    ledger: list[Judgement] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """File an outcome under its kind."""
        if isinstance(outcome, DerivationOutcome):
            self.derivations.append(outcome)
        elif isinstance(outcome, SubsetReport):
            self.subsets.append(outcome)
        elif isinstance(outcome, SolutionReport):
            self.solutions.append(outcome)
        else:
            self.comparisons.append(outcome)

    @property
    def accuracy(self) -> AccuracyTable:
        """The accuracy of all losses in one table."""
        return AccuracyTable().merge(*(comparison.table for comparison in self.comparisons))

    @property
    def problems(self) -> list[str]:
        """One line for everything that keeps the report from passing."""
        lines = [
            f"{outcome.id}: step {rule!r} is {decision}"
            for outcome in self.derivations
            for rule, decision, proved in outcome.steps
            if not proved
        ]
        lines += [f"{o.id}: no step at all" for o in self.derivations if not o.steps]
        lines += [
            f"{outcome.id}: the mutant {trial.change!r} of step {trial.rule!r} was not refuted"
            for outcome in self.derivations
            for trial in outcome.escaped
        ]
        lines += [line for comparison in self.comparisons for line in comparison.problems]
        lines += [line for subsets in self.subsets for line in subsets.problems]
        lines += [line for solutions in self.solutions for line in solutions.problems]
        lines += [line for judgement in self.ledger for line in judgement.problems]
        return lines + [f"no sample of any loss has {name}" for name in self.not_covered]

    @property
    def not_covered(self) -> list[str]:
        """What no sample covers; asked of a run over every loss, since some have no soft labels.

        Rows and grids have features of their own.
        """
        if {comparison.loss for comparison in self.comparisons} != set(LOSSES):
            return []
        missing: dict[type[Coverage], list[set[str]]] = {}
        for coverage in (comparison.coverage for comparison in self.comparisons):
            missing.setdefault(type(coverage), []).append(set(coverage.missing))
        return sorted(name for sets in missing.values() for name in set.intersection(*sets))

    @property
    def passed(self) -> bool:
        """True when something was done and nothing is wrong with it."""
        kinds = (self.derivations, self.comparisons, self.subsets, self.solutions, self.ledger)
        return any(kinds) and not self.problems

    def as_dict(self) -> dict[str, object]:
        """The report as plain data for JSON."""
        ordered = sorted(self.derivations, key=lambda outcome: outcome.id)
        return {
            "passed": self.passed,
            "problems": self.problems,
            "derivations": [outcome.as_dict() for outcome in ordered],
            "accuracy": [comparison.as_dict() for comparison in self.comparisons],
            "subsets": [subsets.as_dict() for subsets in self.subsets],
            "solutions": [solutions.as_dict() for solutions in self.solutions],
            "ledger": [judgement.as_dict() for judgement in self.ledger],
            "versions": versions(),
            "seed": SEED,
            "seconds": self.seconds,
        }


def versions() -> dict[str, str]:
    """The versions that the figures of a report depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def plan(subjects: Iterable[str] | None = None, thorough: bool = False) -> list[Task]:
    """All tasks for the given losses and theories (all of them by default), long ones first."""
    names = list(SUBJECTS if subjects is None else subjects)
    topics = {name: subject_named(name).topics for name in names}
    measured = [Task(SUBSETS, thorough=thorough)] if SUBSETS_WITH in names else []
    measured += [Task(name, thorough=thorough) for name in names if name in LOSSES]
    measured += [Task(SOLUTIONS, thorough=thorough)] if SOLUTIONS_WITH in names else []
    derived = [Task(name, topic, thorough) for name in names for topic in reversed(topics[name])]
    return measured + derived


def run_task(task: Task) -> Outcome:
    """Do one task."""
    if task.topic is None:
        if task.loss == SUBSETS:
            return check_subsets(task.thorough)
        if task.loss == SOLUTIONS:
            return check_solutions()
        return compare_routes(task.loss, task.thorough)
    start = perf_counter()
    derivation = subject_named(task.loss).derive(task.topic)
    trials = try_derivation(derivation, mutants_a_step(task))
    return _outcome(derivation, trials, perf_counter() - start)


def mutants_a_step(task: Task) -> int | None:
    """How many mutants of each step are tried; None for all of them."""
    if not task.thorough:
        return MUTANTS_A_STEP
    return MUTANTS_A_STEP_OF_GRIDS if task.loss in (*GRIDS, "grid") else None


def _outcome(derivation: Derivation, trials: Sequence[Trial], seconds: float) -> DerivationOutcome:
    steps = tuple((step.rule, str(step.decision), step.holds) for step in derivation.steps)
    return DerivationOutcome(
        derivation.id,
        derivation.loss,
        derivation.title,
        derivation.claims,
        steps,
        tuple(trials),
        seconds,
        trace(derivation),
    )


def verify(
    tasks: Sequence[Task],
    jobs: int = 1,
    progress: Callable[[Task], object] | None = None,
) -> Report:
    """Do all tasks, in ``jobs`` processes, and report; ``progress`` hears of each task done."""
    start = perf_counter()
    report = Report()
    for task, outcome in _outcomes(tasks, jobs):
        report.add(outcome)
        if progress is not None:
            progress(task)
    report.seconds = perf_counter() - start
    return report


def _outcomes(tasks: Sequence[Task], jobs: int) -> Iterable[tuple[Task, Outcome]]:
    if jobs == 1:
        return ((task, run_task(task)) for task in tasks)
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    found: Iterable[tuple[Task, Outcome]] = parallel(delayed(_with_task)(task) for task in tasks)
    return found


def _with_task(task: Task) -> tuple[Task, Outcome]:
    return task, run_task(task)
