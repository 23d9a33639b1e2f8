"""The units of work beside the ledger: a derivation with its mutants, or the accuracy of one loss.

Tasks are independent of one another. What a task depends on are the sources that it reaches: those
of its own loss on each floor and the machinery, not those of other losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numeric_core
from derive.derivation import Derivation
from derive.losses import LOSSES, SUBJECTS, subject_named
from derive.render import Trace, trace
from verify import native
from verify.compare import Comparison, compare_routes
from verify.derived import derivation_of
from verify.grid.solutions import SolutionReport, check_solutions
from verify.mutation import Trial, try_derivation
from verify.oracle.grid import GRIDS
from verify.sources import digest_of
from verify.subset import SubsetReport, check_subsets

__all__ = ["DerivationOutcome", "Outcome", "Task", "mutants_a_step", "plan", "run_task"]

# Mutants tried on each step in the short run; the long run and the tests try all of them.
MUTANTS_A_STEP = 6
# Over two axes, and in Circle loss, a formula has hundreds of mutants; to refute one takes half a
# second, to prove one that is still true (two indices that may be exchanged) up to ten. Of them the
# long run and the tests try so many on a step.
MUTANTS_A_LONG_STEP = {**dict.fromkeys((*GRIDS, "grid"), 40), "circle": 20}
# The task that is about no loss, the distribution over k-subsets, and the loss that it goes with.
SUBSETS, SUBSETS_WITH = "subset", "combination_softmax"
# And the one about the labels at which given scores are optimal.
SOLUTIONS, SOLUTIONS_WITH = "solutions", "grid_truncated"
# These packages gather all losses: a change in one loss does not do the work on the others again.
REGISTRIES = ("derive.losses", "numeric_core", "numeric_core.losses")

# How the work is done, and what is kept of it: this module itself.
OWN_SOURCE = Path(__file__).read_text(encoding="utf-8")


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

    @property
    def file(self) -> str:
        """Where its outcome is kept; the long run has others."""
        folder = "derivations" if self.topic else "accuracy"
        name = f"{self.loss}.{self.topic}" if self.topic else self.loss
        return f"{folder}-thorough/{name}" if self.thorough else f"{folder}/{name}"

    def key(self) -> str:
        """What it depends on: the task, how it is done, all sources that it reaches."""
        sources = digest_of(*modules_of(self), without=REGISTRIES)
        words = (self.title, str(self.thorough), OWN_SOURCE, sources, *native.targets(long=True))
        return sha256("\n".join(words).encode()).hexdigest()

    def do(self) -> Outcome:
        """The outcome, found now."""
        return run_task(self)


def modules_of(task: Task) -> tuple[str, ...]:
    """The modules from which all that decides the outcome of the task is reached."""
    if task.topic is not None:
        shown = ("derive.render", "verify.derived", "verify.mutation")
        return (*shown, *_symbolic_modules(task.loss))
    if task.loss == SUBSETS:
        return ("verify.subset",)
    if task.loss == SOLUTIONS:
        return ("verify.grid.solutions",)
    core = type(getattr(numeric_core, task.loss)).__module__
    return ("verify.compare", *_symbolic_modules(task.loss), core)


def _symbolic_modules(name: str) -> tuple[str, ...]:
    return (f"derive.losses.{LOSSES[name].family}" if name in LOSSES else f"derive.{name}",)


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
    derivation = derivation_of(task.loss, task.topic)
    trials = try_derivation(derivation, mutants_a_step(task))
    return _outcome(derivation, trials, perf_counter() - start)


def mutants_a_step(task: Task) -> int | None:
    """How many mutants of each step are tried; None for all of them."""
    if not task.thorough:
        return MUTANTS_A_STEP
    return MUTANTS_A_LONG_STEP.get(task.loss)


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
