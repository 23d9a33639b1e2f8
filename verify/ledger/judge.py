"""The ledger judged: each entry's evidence is weighed and held against the recorded verdict.

An entry stands where the computed verdict is the recorded one and, if the statement is true, at
least `DEMANDED_MUTANTS` changes of it were tried and each was refuted or proved to be true as well.
Judgements are independent of one another, so that they run in any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from time import perf_counter
from typing import Any

from verify.cache import Cache
from verify.ledger import entry_named, module_of
from verify.ledger.entry import DEMANDED_MUTANTS, TRUE, Entry, Finding, Verdict
from verify.mutation import Trial
from verify.sources import digest_of
from verify.work import carry_out

__all__ = ["Judgement", "Progress", "Weighing", "judge", "judge_all"]

# Mutants tried of each formula in the short run; the long run and the tests try all of them.
MUTANTS_A_FORMULA = 8
# The package gathers the documents: a change in one does not decide the others again.
REGISTRIES = ("verify.ledger",)

Progress = Callable[["Judgement"], object]


@dataclass(frozen=True)
class Judgement:
    """What came of one entry: the recorded verdict and the computed one, as plain data."""

    id: str
    recorded: Verdict
    computed: Verdict
    lines: tuple[str, ...]
    counterexample: str
    trials: tuple[Trial, ...]
    seconds: float
    failure: str = ""
    from_cache: bool = False

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return self.id

    @property
    def refuted(self) -> int:
        """Mutants that were refuted."""
        return sum(trial.caught for trial in self.trials)

    @property
    def still_true(self) -> int:
        """Mutants that are true as well."""
        return sum(trial.still_true for trial in self.trials)

    @property
    def escaped(self) -> tuple[Trial, ...]:
        """Mutants that were neither."""
        return tuple(trial for trial in self.trials if not (trial.caught or trial.still_true))

    @property
    def problems(self) -> list[str]:
        """One line for everything that keeps the entry from standing."""
        if self.failure:
            return [f"{self.id}: {self.failure}"]
        found = []
        if self.computed is not self.recorded:
            found.append(f"{self.id}: recorded {self.recorded}, computed {self.computed}")
        if self.computed in TRUE and len(self.trials) < DEMANDED_MUTANTS:
            tried = len(self.trials)
            found.append(f"{self.id}: {tried} mutants were tried, {DEMANDED_MUTANTS} are demanded")
        if self.computed in TRUE and not self.refuted:
            found.append(f"{self.id}: no mutant was refuted")
        return found + [f"{self.id}: mutant {t.change!r} is {t.evidence}" for t in self.escaped]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {**asdict(self), "recorded": str(self.recorded), "computed": str(self.computed)}


def judge(entry: Entry, most: int | None = MUTANTS_A_FORMULA) -> Judgement:
    """Weigh the evidence of one entry now; what breaks on the way is a failure of this entry."""
    start = perf_counter()
    failure = ""
    try:
        found = entry.evidence.weigh(most)
    except Exception as error:  # any: a broken proof must turn one entry red, not end the run
        found = Finding(Verdict.UNDECIDED, ())
        failure = f"broke with {type(error).__name__}: {error}"
    trials = tuple(replace(trial, derivation=entry.id) for trial in found.trials)
    bounds = found.bounds if found.verdict is Verdict.PROVED_FOR else ()
    lines = (*found.lines, *(f"decided {bound}" for bound in bounds))
    seconds = perf_counter() - start
    parts = (found.verdict, lines, found.counterexample, trials, seconds, failure)
    return Judgement(entry.id, entry.verdict, *parts)


@dataclass(frozen=True)
class Weighing:
    """The entry of that id to be judged, as a unit of work."""

    id: str
    thorough: bool = False

    @property
    def title(self) -> str:
        """What a progress bar calls it."""
        return self.id

    @property
    def file(self) -> str:
        """Where its judgement is kept; the long run has others."""
        return f"{'ledger-thorough' if self.thorough else 'ledger'}/{self.id}"

    def key(self) -> str:
        """What it depends on: the entry, the mutants, all sources that its module reaches."""
        entry = entry_named(self.id)
        sources = digest_of(module_of(self.id), "verify.ledger.judge", without=REGISTRIES)
        words = (entry.id, str(entry.verdict), str(self.most), sources)
        return sha256("\n".join(words).encode()).hexdigest()

    def do(self) -> Judgement:
        """The judgement, made now."""
        return judge(entry_named(self.id), self.most)

    @property
    def most(self) -> int | None:
        """How many mutants of a formula are tried; None for all of them."""
        return None if self.thorough else MUTANTS_A_FORMULA


def judge_all(
    ids: Sequence[str],
    jobs: int = 1,
    thorough: bool = False,
    fresh: bool = False,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> list[Judgement]:
    """Judge the entries in the order of their ids; what is kept and has not changed is taken.

    ``progress`` hears of each judgement. Each is kept when it is made, whatever comes after.
    """
    found: dict[str, Judgement] = {}
    works = [Weighing(name, thorough) for name in ids]
    for done in carry_out(works, jobs, cache or Cache(), fresh):
        judgement = found[done.work.id] = replace(done.result, from_cache=done.kept)
        if progress is not None:
            progress(judgement)
    return [found[name] for name in ids]
