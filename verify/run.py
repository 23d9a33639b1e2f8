"""One run of everything: derivations, mutants, accuracy, the ledger; and the report it leaves.

The work is cut into independent units, which are taken from an earlier run where nothing that they
depend on has changed, and else done here or in worker processes. A report passes only when every
step is proved, every mutant refuted (or proved to be still true), every error within its bound,
every feature of the samples covered and every statement of the ledger as it is recorded.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from time import perf_counter

from derive.decide import SEED
from derive.losses import LOSSES
from verify.accuracy import AccuracyTable
from verify.cache import Cache
from verify.compare import Comparison
from verify.coverage import Coverage
from verify.files import write_atomically
from verify.grid.solutions import SolutionReport
from verify.ledger.judge import Judgement, Weighing
from verify.soundness import Soundness
from verify.subset import SubsetReport
from verify.tasks import DerivationOutcome, Outcome, Task, mutants_a_step, plan, run_task
from verify.work import Done, carry_out

__all__ = ["DerivationOutcome", "Report", "Task", "Weighing", "mutants_a_step", "plan", "run_task"]
__all__ += ["verify", "versions", "write_atomically"]

# What a report names the versions of: they are what the figures depend on.
PACKAGES = ("lossproof", "sympy", "numpy", "python-flint", "mpmath", "array-api-compat")

# The outcomes of a report by kind, each with its class.
KINDS: Mapping[str, type] = {
    "derivations": DerivationOutcome,
    "comparisons": Comparison,
    "subsets": SubsetReport,
    "solutions": SolutionReport,
    "ledger": Judgement,
}


@dataclass
class Report:
    """All outcomes of a run by kind; ``kept`` counts those of a kind that an earlier run found."""

    derivations: list[DerivationOutcome] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    subsets: list[SubsetReport] = field(default_factory=list)
    solutions: list[SolutionReport] = field(default_factory=list)
    ledger: list[Judgement] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, outcome: Outcome | Judgement, kept: bool = False) -> None:
        """File an outcome under its kind."""
        if isinstance(outcome, Judgement):
            outcome = replace(outcome, from_cache=kept)
        kind = next(name for name, known in KINDS.items() if isinstance(outcome, known))
        getattr(self, kind).append(outcome)
        self.kept[kind] += kept

    @property
    def accuracy(self) -> AccuracyTable:
        """The accuracy of all losses in one table."""
        return AccuracyTable().merge(*(comparison.table for comparison in self.comparisons))

    @property
    def soundness(self) -> dict[str, Soundness]:
        """The mutants of the derivations and those of the ledger, and what came of them."""
        derived = [trial for outcome in self.derivations for trial in outcome.trials]
        stated = [trial for judgement in self.ledger for trial in judgement.trials]
        return {"derivations": Soundness.of(derived), "ledger": Soundness.of(stated)}

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
        return any(getattr(self, kind) for kind in KINDS) and not self.problems

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
            "soundness": {name: found.as_dict() for name, found in self.soundness.items()},
            "kept": {kind: self.kept[kind] for kind in KINDS},
            "versions": versions(),
            "seed": SEED,
            "seconds": self.seconds,
        }


def versions() -> dict[str, str]:
    """The versions that the figures of a report depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def verify(
    works: Sequence[Task | Weighing],
    jobs: int = 1,
    progress: Callable[[Task | Weighing], object] | None = None,
    cache: Cache | None = None,
    fresh: bool = False,
) -> Report:
    """Do everything, in ``jobs`` processes, and report; ``progress`` hears of each unit done.

    With a cache, what is kept there and has not changed is taken, unless all is to be ``fresh``.
    """
    start = perf_counter()
    done: dict[Task | Weighing, Done[Task | Weighing]] = {}
    for one in carry_out(works, jobs, cache, fresh):
        done[one.work] = one
        if progress is not None:
            progress(one.work)
    report = Report()
    for work in works:  # in the order of the plan, whichever was done first
        report.add(done[work].result, done[work].kept)
    report.seconds = perf_counter() - start
    return report
